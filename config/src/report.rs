//! Everything that was found in one file, in the file's order, ready to be shown.

use std::fmt;

use crate::mask::Mask;
use crate::overrides::{Overridden, Variables};
use crate::place::{Place, Span};
use crate::problem::{FileProblem, Problem, Severity, quotable};
use crate::render;

/// The most findings in one report; who has more of them begins with these.
pub(crate) const MOST_FINDINGS: usize = 100;

/// Everything that was found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The file's name as it was given.
    name: String,
    findings: Vec<Finding>,
}

/// One problem and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    problem: Problem,
    origin: Origin,
}

/// Where a problem comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file as a whole.
    File,
    /// A place in it.
    Line(Place),
    /// An environment variable that overrides a key.
    Variable {
        name: String,
        /// Its value, where that can't be a secret.
        value: Option<String>,
    },
}

/// What was written, in which problems have their places. It holds secrets: there is no `Debug`.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    /// The file's name as it was given.
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    /// What may be shown of the text.
    pub(crate) mask: &'a Mask,
    /// What the environment says instead, and which keys that are.
    pub(crate) variables: &'a Variables,
    pub(crate) overridden: &'a [Overridden],
}

/// Whether the text that is rendered has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Plain text, for files and logs.
    Never,
    /// ANSI escape codes, for terminals.
    Always,
}

/// The problems as they are found, before they have places that a person can read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<(Span, Problem)>,
}

// === impl Findings ===

impl Findings {
    /// Notes a problem at its place.
    pub(crate) fn note(&mut self, span: &Span, problem: impl Into<Problem>) {
        self.list.push((span.clone(), problem.into()));
    }

    /// Whether anything found keeps the file from being used.
    pub(crate) fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|(_, problem)| problem.severity() == Severity::Error)
    }

    /// Whether anything but broken TOML keeps the file from being used.
    pub(crate) fn has_errors_but_syntax(&self) -> bool {
        self.list
            .iter()
            .any(|(_, problem)| problem.severity() == Severity::Error && !problem.is_syntax())
    }

    /// The places where the text isn't TOML.
    pub(crate) fn syntax(&self) -> impl Iterator<Item = &Span> {
        self.list
            .iter()
            .filter(|(_, problem)| problem.is_syntax())
            .map(|(span, _)| span)
    }

    /// Takes over what another list holds.
    pub(crate) fn append(&mut self, other: Self) {
        self.list.extend(other.list);
    }

    /// Keeps only what this says yes to.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Span, &Problem) -> bool) {
        self.list.retain(|(span, problem)| keep(span, problem));
    }

    /// Puts the problems into the file's order and gives them places.
    pub(crate) fn report(mut self, written: Written<'_>) -> Report {
        self.list.sort_by_key(|(span, _)| span.start);
        if self.list.len() > MOST_FINDINGS {
            let too_many = FileProblem::TooMany { most: MOST_FINDINGS };
            self.list
                .retain(|(_, problem)| *problem != Problem::from(too_many.clone()));
            self.list.truncate(MOST_FINDINGS);
            let span = self.list.last().map(|(span, _)| span.clone()).unwrap_or_default();
            self.list.push((span, too_many.into()));
        }
        let findings = self.list.into_iter().map(|(span, problem)| Finding {
            problem,
            origin: written.origin(&span),
        });
        Report {
            name: written.name.to_owned(),
            findings: findings.collect(),
        }
    }
}

// === impl Written ===

impl Written<'_> {
    fn origin(&self, span: &Span) -> Origin {
        match self.variables.at(span) {
            Some(variable) => Origin::Variable {
                name: quotable(&variable.name),
                value: variable.shown(self.overridden).map(quotable),
            },
            None => Origin::Line(Place::new(self.text, span, self.mask)),
        }
    }
}

// === impl Report ===

impl Report {
    /// A report of one problem of the file as a whole.
    pub(crate) fn of_file(name: &str, problem: impl Into<Problem>) -> Self {
        Self {
            name: name.to_owned(),
            findings: vec![Finding {
                problem: problem.into(),
                origin: Origin::File,
            }],
        }
    }

    /// The file's name as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was found, in the file's order.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Everything as text: of each finding what is wrong, where, its line with a caret, and what to do.
    pub fn render(&self, color: Color) -> String {
        render::report(self, color)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Color::Never))
    }
}

impl std::error::Error for Report {}

// === impl Finding ===

impl Finding {
    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Where in the file; nowhere if it is the file as a whole, or a variable that overrides a key.
    pub fn place(&self) -> Option<&Place> {
        match &self.origin {
            Origin::Line(place) => Some(place),
            Origin::File | Origin::Variable { .. } => None,
        }
    }

    /// Where, in one line: `koigate.toml:14:1`, `koigate.toml`, or `environment variable KOIGATE__SERVER__LISTEN`.
    /// `file` is what the file is called, as [`Report::name`].
    pub fn stands_at(&self, file: &str) -> String {
        match &self.origin {
            Origin::Line(place) => format!("{file}:{}:{}", place.line, place.column),
            Origin::File => file.to_owned(),
            Origin::Variable { name, .. } => format!("environment variable {name}"),
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The code, such as `KG010`.
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }

    /// Whether it keeps the file from being used.
    pub fn severity(&self) -> Severity {
        self.problem.severity()
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        render::words(&self.problem).message
    }

    /// What to do about it, in one line.
    pub fn remedy(&self) -> String {
        render::words(&self.problem).remedy
    }
}
