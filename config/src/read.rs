//! From text to [`File`], with everything that is wrong in kind: what isn't TOML, keys that don't exist, values
//! of the wrong type.
//!
//! serde stops at its first error. So the entry that it complains of is taken out of the parsed table, noted,
//! and the rest is read again, until what is left is right. [`Lost`] remembers what was taken out, so that
//! nobody is told that a key is missing which stands there misspelt.

mod slip;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use self::slip::{other_format, slip};
use crate::file::File;
use crate::keys::keys;
use crate::mask::{Mask, start_of_line};
use crate::near::nearest;
use crate::overrides::{Overridden, Variables};
use crate::place::Span;
use crate::problem::{FileProblem, KeyProblem, Problem, Slip, quotable};
use crate::report::{Findings, MOST_FINDINGS, Report, Written};

/// The operator's table.
const ADMIN: &str = "admin";

/// A file as far as it could be read.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What is right in kind.
    pub(crate) file: File,
    /// What isn't.
    pub(crate) findings: Findings,
    /// What was taken out.
    pub(crate) lost: Lost,
    /// What may be shown of the text.
    pub(crate) mask: Mask,
    /// Where the first line begins that isn't TOML. What stands from there on may belong anywhere.
    pub(crate) broken_from: Option<usize>,
    /// The keys whose values come from variables.
    pub(crate) overridden: Vec<Overridden>,
    /// Whether there is nothing but white space and comments.
    pub(crate) is_empty: bool,
}

/// Paths of keys that aren't in [`Reading::file`] although the author wrote something of the kind.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    paths: Vec<Vec<String>>,
    /// Where their keys stand.
    keys: Vec<Span>,
    /// Which of these are keys that nobody knows.
    unknown: Vec<Span>,
}

/// What of an entry serde complains of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// Its key, which nobody knows.
    Key,
    /// Its value, or an element of it.
    Value,
}

/// An entry that was taken out of the table.
struct Entry {
    /// The tables it stands in, and its key.
    path: Vec<String>,
    key: Span,
    /// The kind of what is wrong in it.
    kind: &'static str,
}

/// Reads a file as far as it can be.
pub(crate) fn read(text: &str, variables: &Variables) -> Reading {
    read_tables(text, variables, |_| {})
}

/// Reads the `[admin]` table of a file; the others aren't looked at.
pub(crate) fn read_admin(text: &str, variables: &Variables) -> Reading {
    read_tables(text, variables, |tables| {
        let admin = tables.remove_entry(ADMIN);
        tables.clear();
        tables.extend(admin);
    })
}

/// Whether the `[admin]` table, or a part of it, may be in what isn't TOML: a line of it is broken, or it would
/// stand after a broken line and wasn't found.
pub(crate) fn may_have_lost_admin(text: &str, reading: &Reading) -> bool {
    let written = &reading.file.admin;
    let was_found = written.listen.is_some() || written.auth.is_some();
    let broken_from = reading.broken_from.unwrap_or(text.len());
    let rest = text.get(broken_from..).unwrap_or_default();
    let is_hurt = reading.findings.syntax().any(|span| {
        let start = start_of_line(text, span.start);
        let (before, rest) = text.split_at_checked(start).unwrap_or((text, ""));
        let mut upwards = rest.lines().take(1).chain(before.lines().rev());
        let header = upwards.find(|line| line.trim_start().starts_with('['));
        header.is_some_and(|header| header.contains(ADMIN))
    });
    is_hurt || (!was_found && rest.contains(ADMIN))
}

/// Reads what `pick` leaves of a file's tables.
fn read_tables(text: &str, variables: &Variables, pick: impl FnOnce(&mut DeTable<'_>)) -> Reading {
    let (parsed, errors) = DeTable::parse_recoverable(text);
    let mut findings = Findings::default();
    let broken_from = note_syntax(text, &errors, &mut findings);
    let mut lost = Lost::default();
    let mut left = parsed.clone();
    pick(left.get_mut());
    let overridden = variables.apply(text, left.get_mut(), &mut findings);
    let file = understand(left, &mut lost, &mut findings);
    Reading {
        file,
        findings,
        mask: Mask::new(text, parsed.get_ref(), &lost.unknown, broken_from),
        lost,
        broken_from,
        overridden,
        is_empty: parsed.get_ref().is_empty() && errors.is_empty(),
    }
}

/// Makes a file of the tables, without what is wrong in kind.
fn understand(mut left: Spanned<DeTable<'_>>, lost: &mut Lost, findings: &mut Findings) -> File {
    loop {
        match File::deserialize(Deserializer::from(left.clone())) {
            Ok(file) => return file,
            Err(error) => {
                if !repair(left.get_mut(), &error, lost, findings) {
                    return File::default();
                }
            }
        }
    }
}

/// Notes what serde complains of and takes it out; false if that leads nowhere.
fn repair(table: &mut DeTable<'_>, error: &Error, lost: &mut Lost, findings: &mut Findings) -> bool {
    let span = error.span().unwrap_or_default();
    // Each repair costs another reading of the whole.
    if lost.keys.len() >= MOST_FINDINGS {
        findings.note(&span, FileProblem::TooMany { most: MOST_FINDINGS });
        return false;
    }
    let message = error.message();
    let wrong = if message.starts_with("unknown field") {
        Wrong::Key
    } else {
        Wrong::Value
    };
    let Some(entry) = take(table, &span, wrong) else {
        let message = "this is not understood".to_owned();
        findings.note(&span, FileProblem::Syntax { message, slip: None });
        return false;
    };
    let problem = match wrong {
        Wrong::Key => lost.unknown_key(entry, message),
        Wrong::Value => lost.wrong_value(entry, message),
    };
    findings.note(&span, problem);
    true
}

/// Notes where the text isn't TOML, once a line: what follows on the same line follows from that. Tells where the
/// first such line begins.
fn note_syntax(text: &str, errors: &[Error], findings: &mut Findings) -> Option<usize> {
    let mut errors: Vec<(Span, &str)> = errors
        .iter()
        .map(|error| (error.span().unwrap_or_default(), error.message()))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    errors.dedup_by_key(|(span, _)| start_of_line(text, span.start));
    if let (Some((span, _)), Some(format)) = (errors.first(), other_format(text)) {
        findings.note(span, FileProblem::OtherFormat { format });
        return Some(start_of_line(text, span.start));
    }
    let mut doubled = None;
    for (span, message) in &errors {
        let slip = slip(text, span, message);
        let start = start_of_line(text, span.start);
        if slip == Some(Slip::Duplicate) {
            let since = doubled.and_then(|header| text.get(header..start));
            if since.is_some_and(|since| !since.contains("\n[")) {
                // The table is there twice, so of course its keys are.
                continue;
            }
            let is_header = text.get(start..).is_some_and(|line| line.starts_with('['));
            doubled = is_header.then_some(start);
        }
        let message = (*message).to_owned();
        findings.note(span, FileProblem::Syntax { message, slip });
    }
    errors.first().map(|(span, _)| start_of_line(text, span.start))
}

/// Takes the innermost entry out that this place belongs to: by its key, or by its value.
fn take(table: &mut DeTable<'_>, at: &Span, wrong: Wrong) -> Option<Entry> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if let DeValue::Array(elements) = value.get_mut()
            && let Some(mut entry) = take_from(elements, at, wrong)
        {
            entry.path.insert(0, key.get_ref().to_string());
            return Some(entry);
        }
        let is_it = match wrong {
            Wrong::Key => key.span() == *at,
            // A table's own place is its header, which may hold the places of others.
            Wrong::Value if value.get_ref().is_table() => value.span() == *at,
            Wrong::Value => contains(&value.span(), at),
        };
        if is_it {
            found = Some(key.clone());
            break;
        }
        if let DeValue::Table(inner) = value.get_mut()
            && let Some(mut entry) = take(inner, at, wrong)
        {
            entry.path.insert(0, key.get_ref().to_string());
            return Some(entry);
        }
    }
    let (key, value) = table.remove_entry(found?.get_ref().as_ref())?;
    Some(Entry {
        path: vec![key.get_ref().to_string()],
        key: key.span(),
        kind: kind_at(&value, at),
    })
}

/// Takes an entry out of one of the tables of an array.
fn take_from(elements: &mut DeArray<'_>, at: &Span, wrong: Wrong) -> Option<Entry> {
    elements.iter_mut().find_map(|element| match element.get_mut() {
        DeValue::Table(inner) => take(inner, at, wrong),
        _ => None,
    })
}

/// The kind of what stands at this place, which may be an element of an array.
fn kind_at(value: &Spanned<DeValue<'_>>, at: &Span) -> &'static str {
    let within = match value.get_ref() {
        DeValue::Array(elements) if value.span() != *at => {
            elements.iter().find(|element| contains(&element.span(), at))
        }
        _ => None,
    };
    within.map_or_else(|| value.get_ref().type_str(), |element| kind_at(element, at))
}

fn contains(outer: &Span, inner: &Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

// === impl Reading ===

impl Reading {
    /// Everything found, here and later, with its place. In a file that breaks somewhere only what is certain: a line
    /// that isn't TOML takes others with it, so what comes after may be in the wrong table, what seems to be missing
    /// may be there, and what the parser made up stands nowhere. What stands before is judged.
    pub(crate) fn report(self, name: &str, text: &str, variables: &Variables, later: Findings) -> Report {
        let mut findings = self.findings;
        findings.append(later);
        if let Some(broken_from) = self.broken_from {
            findings.retain(|span, problem| {
                let stands_before = !span.is_empty() && span.end <= broken_from;
                problem.is_syntax() || (stands_before && !problem.is_absence())
            });
        }
        findings.report(Written {
            name,
            text,
            mask: &self.mask,
            variables,
            overridden: &self.overridden,
        })
    }
}

// === impl Lost ===

impl Lost {
    /// Whether this key, or a table around it, was taken out.
    pub(crate) fn covers(&self, path: &[&str]) -> bool {
        self.paths
            .iter()
            .any(|lost| lost.len() <= path.len() && lost.iter().zip(path).all(|(lost, key)| lost == key))
    }

    /// Whether anything within this place was taken out.
    pub(crate) fn is_within(&self, span: &Span) -> bool {
        self.keys.iter().any(|key| contains(span, key))
    }

    /// A key that doesn't exist was probably meant to be the one that is nearly the same.
    fn unknown_key(&mut self, entry: Entry, message: &str) -> Problem {
        self.keys.push(entry.key.clone());
        self.unknown.push(entry.key);
        let mut path = entry.path;
        let key = path.pop().unwrap_or_default();
        let table = quotable(&path.join("."));
        let known = quoted(expected(message));
        let nearest = nearest(&key, known.iter().map(String::as_str)).map(str::to_owned);
        if let Some(meant) = &nearest {
            path.push(meant.clone());
            self.paths.push(path);
        }
        KeyProblem::Unknown {
            elsewhere: if nearest.is_none() {
                tables_with(&key)
            } else {
                Vec::new()
            },
            key: quotable(&key),
            table,
            nearest,
            known,
        }
        .into()
    }

    fn wrong_value(&mut self, entry: Entry, message: &str) -> Problem {
        let key = entry.path.last().map(|key| quotable(key)).unwrap_or_default();
        self.paths.push(entry.path);
        self.keys.push(entry.key);
        let known = quoted(expected(message));
        if !known.is_empty() && entry.kind == "string" {
            // serde's message holds the word; it isn't needed, the line is shown.
            let word = message.split('`').nth(1).unwrap_or_default();
            let nearest = nearest(word, known.iter().map(String::as_str)).map(str::to_owned);
            return KeyProblem::UnknownWord { key, nearest, known }.into();
        }
        KeyProblem::WrongType {
            key,
            expected: in_toml(expected(message)).to_owned(),
            found: entry.kind,
        }
        .into()
    }
}

/// The headers of the tables that have this key.
fn tables_with(key: &str) -> Vec<String> {
    let its = keys().iter().filter_map(|known| known.path.split_last());
    its.filter(|(last, table)| *last == key && !table.is_empty())
        .map(|(_, table)| format!("[{}]", table.join(".")))
        .collect()
}

/// What serde says that it expected.
fn expected(message: &str) -> &str {
    message
        .rsplit_once("expected ")
        .map_or("", |(_, expected)| expected)
}

/// The names that a message of serde's quotes.
fn quoted(message: &str) -> Vec<String> {
    message.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// serde's names of kinds, in TOML's words.
fn in_toml(expected: &str) -> &str {
    match expected {
        "i64" => "a whole number",
        "a sequence" => "an array",
        "a map" => "a table",
        _ => expected,
    }
}
