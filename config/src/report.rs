//! Everything that was found in one file, in the file's order, ready to be shown.

use std::fmt;

use crate::mask::Mask;
use crate::place::{Place, Span};
use crate::problem::{FileProblem, Problem, Severity};
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
    place: Option<Place>,
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
    pub(crate) fn report(mut self, name: &str, text: &str, mask: &Mask) -> Report {
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
            place: Some(Place::new(text, &span, mask)),
        });
        Report {
            name: name.to_owned(),
            findings: findings.collect(),
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
                place: None,
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

    /// Where; nowhere if it is the file as a whole.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
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
