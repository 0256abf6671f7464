//! Environment variables that override single keys: `KOIGATE__SERVER__LISTEN=0.0.0.0:8600`.
//!
//! ```text
//! KOIGATE__BACKENDS__BLACKLIST__TIMEOUT=1s      [backends.blacklist] timeout = "1s"
//! ```
//!
//! - `__` stands between a table and what is in it. Case doesn't count, and `-` and `_` are alike, so that a backend
//!   `my-list` is `MY_LIST`. A name may hold `__` itself: what counts is which key of this file is spelt so. Where
//!   several are, that is an error.
//! - A variable overrides a key, or adds one to a table that stands in the file. It adds no backend and no hook. A
//!   header that isn't there is added, `X_API_KEY` as `X-Api-Key`.
//! - An empty value is as if the variable weren't set: that is what compose files make of one that isn't.
//! - A key that takes a string takes the value as it is. Numbers, booleans, arrays and tables are written as in the
//!   file. A secret may also stand elsewhere: `KOIGATE__ADMIN__AUTH__TOKEN__FILE=/run/secrets/token`.
//!
//! The values go into the parsed tables before anything is understood of them. What is wrong with one is found
//! like everything else; its place lies behind the end of the file's text, which leads to the variable's name.

mod names;
mod value;

use std::env::VarError;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::names::{Key, Names};
use crate::mask;
use crate::place::Span;
use crate::problem::{OverrideProblem, Warning};
use crate::report::Findings;
use crate::sources::Sources;

/// What the name of a variable that overrides a key begins with, whatever its case.
const PREFIX: &str = "KOIGATE__";

/// What all variables of Koigate's begin with. One that goes on as a key, but with the wrong number of `_`, is a
/// slip of the pen.
const STEM: &str = "KOIGATE_";

/// The variables that may override something.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    list: Vec<Variable>,
}

/// One variable with a value.
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Nothing where it isn't Unicode.
    value: Option<String>,
    /// Where its value stands, as if the values came after the file's text.
    span: Span,
}

/// A key whose value comes from a variable.
#[derive(Debug)]
pub(crate) struct Overridden {
    /// The key with the tables around it: `backends.blacklist.timeout`.
    pub(crate) key: String,
    path: Vec<String>,
    span: Span,
}

// === impl Variables ===

impl Variables {
    /// Those of the environment, for a file of this length.
    pub(crate) fn new(sources: &impl Sources, length: usize) -> Self {
        let mut names = sources.variables();
        names.retain(|name| strip(name, STEM).is_some());
        names.sort_unstable();
        let mut start = length + 1;
        let mut list = Vec::new();
        for name in names {
            let value = match sources.variable(&name) {
                Ok(value) if value.is_empty() => continue,
                Ok(value) => Some(value),
                Err(VarError::NotPresent) => continue,
                Err(VarError::NotUnicode(_)) => None,
            };
            let span = start..start + value.as_ref().map_or(1, String::len);
            start = span.end + 1;
            list.push(Variable { name, value, span });
        }
        Self { list }
    }

    /// Those of the `[admin]` table.
    pub(crate) fn of_admin(mut self) -> Self {
        self.list
            .retain(|variable| strip(&variable.name, "KOIGATE__ADMIN__").is_some());
        self
    }

    /// The variable whose value this place is in.
    pub(crate) fn at(&self, span: &Span) -> Option<&Variable> {
        self.list
            .iter()
            .find(|variable| (variable.span.start..=variable.span.end).contains(&span.start))
    }

    /// Puts the values into a file's tables, and tells which keys have got one. What can't be put there is noted.
    pub(crate) fn apply<'i>(
        &'i self,
        text: &str,
        tables: &mut DeTable<'i>,
        findings: &mut Findings,
    ) -> Vec<Overridden> {
        let mut overridden = Vec::new();
        if self.list.is_empty() {
            return overridden;
        }
        let names = Names::of(tables);
        for variable in &self.list {
            let Some(rest) = strip(&variable.name, PREFIX) else {
                variable.note_slip(&names, text, findings);
                continue;
            };
            let done = names
                .find(rest)
                .and_then(|key| variable.put(key, tables, &overridden, self));
            match done {
                Ok(key) => overridden.push(key),
                Err(problem) => findings.note(&variable.span, problem),
            }
        }
        overridden
    }
}

/// What comes after a prefix, whatever its case.
fn strip<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

// === impl Variable ===

impl Variable {
    /// Puts the value where its key belongs.
    fn put<'i>(
        &'i self,
        key: Key,
        tables: &mut DeTable<'i>,
        earlier: &[Overridden],
        all: &Variables,
    ) -> Result<Overridden, OverrideProblem> {
        let clash = earlier
            .iter()
            .find(|other| key.path.starts_with(&other.path) || other.path.starts_with(&key.path));
        if let Some(other) = clash {
            let other = all.at(&other.span).map(|variable| variable.name.clone());
            return Err(OverrideProblem::Twice {
                other: other.unwrap_or_default(),
            });
        }
        let text = self.value.as_deref().ok_or(OverrideProblem::NotUnicode)?;
        let value = value::read(text, self.span.start, key.takes)?;
        self.insert(tables, &key, value);
        Ok(Overridden {
            key: key.path.join("."),
            path: key.path,
            span: self.span.clone(),
        })
    }

    /// Goes down to the key, through tables that are made where they aren't there.
    fn insert<'i>(&self, tables: &mut DeTable<'i>, key: &Key, value: Spanned<DeValue<'i>>) {
        // What is made for a value has no bytes of its own: only the value has.
        let nowhere = self.span.start..self.span.start;
        let Some((last, outer)) = key.path.split_last() else {
            return;
        };
        let mut table = tables;
        for (depth, name) in outer.iter().enumerate() {
            // Of the places of a secret one is enough: the file's gives way.
            let is_replaced = key.is_source && depth + 1 == outer.len();
            let is_there = table
                .get(name.as_str())
                .is_some_and(|value| value.get_ref().is_table());
            if is_replaced || !is_there {
                let made = Spanned::new(nowhere.clone(), DeValue::Table(DeTable::new()));
                table.insert(Spanned::new(nowhere.clone(), name.clone().into()), made);
            }
            match table.get_mut(name.as_str()).map(Spanned::get_mut) {
                Some(DeValue::Table(inner)) => table = inner,
                // It has just been made sure of.
                _ => return,
            }
        }
        table.insert(Spanned::new(nowhere, last.clone().into()), value);
    }

    /// Warns of a variable that overrides nothing but looks as if it should: `KOIGATE_SERVER_LISTEN`. One that the
    /// file names holds a secret.
    fn note_slip(&self, names: &Names, text: &str, findings: &mut Findings) {
        let rest = strip(&self.name, STEM).unwrap_or_default();
        if let Some(meant) = names.spelt_alike(rest)
            && !text.contains(&self.name)
        {
            findings.note(&self.span, Warning::NearlyOverride { meant });
        }
    }

    /// The value as it may be shown, if it may.
    pub(crate) fn shown(&self, overridden: &[Overridden]) -> Option<&str> {
        let key = overridden.iter().find(|key| key.span == self.span)?;
        let is_plain = key.path.last().is_some_and(|name| mask::is_plain(name));
        let is_header = key.path.iter().any(|name| name == "headers");
        self.value.as_deref().filter(|_| is_plain && !is_header)
    }
}

/// The value may be a secret.
impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
