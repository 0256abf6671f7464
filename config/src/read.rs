//! From text to [`File`], with everything that is wrong in kind: what isn't TOML, keys that don't exist, values
//! of the wrong type.
//!
//! serde stops at its first error. So the entry that it complains of is taken out of the parsed table, noted,
//! and the rest is read again, until what is left is right. [`Lost`] remembers what was taken out, so that
//! nobody is told that a key is missing which stands there misspelt.

use serde::Deserialize;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::file::File;
use crate::mask::{Mask, start_of_line};
use crate::near::nearest;
use crate::place::Span;
use crate::problem::{FileProblem, KeyProblem, Problem, quotable};
use crate::report::{Findings, MOST_FINDINGS};

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
}

/// Paths of keys that aren't in [`Reading::file`] although the author wrote something of the kind.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    paths: Vec<Vec<String>>,
    keys: Vec<Span>,
}

/// An entry that was taken out of the table.
struct Entry {
    /// The tables it stands in, and its key.
    path: Vec<String>,
    key: Span,
    value: &'static str,
}

/// Reads a file as far as it can be.
pub(crate) fn read(text: &str) -> Reading {
    let (parsed, errors) = DeTable::parse_recoverable(text);
    let mut findings = Findings::default();
    let broken_from = note_syntax(text, &errors, &mut findings);
    let mut lost = Lost::default();
    let mut unknown = Vec::new();
    let mut left = parsed.clone();
    let file = loop {
        let error = match File::deserialize(Deserializer::from(left.clone())) {
            Ok(file) => break file,
            Err(error) => error,
        };
        let span = error.span().unwrap_or_default();
        // Each repair costs another reading of the whole.
        if lost.keys.len() >= MOST_FINDINGS {
            findings.note(&span, FileProblem::TooMany { most: MOST_FINDINGS });
            break File::default();
        }
        let misspelt = error.message().starts_with("unknown field");
        let Some(entry) = take(left.get_mut(), &span, misspelt) else {
            let message = "this is not understood".to_owned();
            findings.note(&span, FileProblem::Syntax { message });
            break File::default();
        };
        if misspelt {
            unknown.push(entry.key.clone());
            findings.note(&span, lost.note_unknown(entry, error.message()));
        } else {
            findings.note(&span, lost.note_wrong_type(entry, error.message()));
        }
    };
    let mask = Mask::new(text, parsed.get_ref(), &unknown, broken_from);
    Reading {
        file,
        findings,
        lost,
        mask,
        broken_from,
    }
}

/// Notes where the text isn't TOML, once a line: what follows on the same line follows from that. Tells where the
/// first such line begins.
fn note_syntax(text: &str, errors: &[toml::de::Error], findings: &mut Findings) -> Option<usize> {
    let mut errors: Vec<(Span, &str)> = errors
        .iter()
        .map(|error| (error.span().unwrap_or_default(), error.message()))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    errors.dedup_by_key(|(span, _)| start_of_line(text, span.start));
    for (span, message) in &errors {
        let message = (*message).to_owned();
        findings.note(span, FileProblem::Syntax { message });
    }
    errors.first().map(|(span, _)| start_of_line(text, span.start))
}

/// Takes the innermost entry out that this place belongs to: by its key, or by its value.
fn take(table: &mut DeTable<'_>, at: &Span, by_key: bool) -> Option<Entry> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if by_key && key.span() == *at {
            found = Some(key.clone());
            break;
        }
        if !by_key && value.span() == *at {
            found = Some(key.clone());
            break;
        }
        if let DeValue::Table(inner) = value.get_mut()
            && let Some(mut entry) = take(inner, at, by_key)
        {
            entry.path.insert(0, key.get_ref().to_string());
            return Some(entry);
        }
        if value.get_ref().is_array() && !by_key && contains(&value.span(), at) {
            found = Some(key.clone());
            break;
        }
    }
    let (key, value) = table.remove_entry(found?.get_ref().as_ref())?;
    let value = kind_at(&value, at);
    Some(Entry {
        path: vec![key.get_ref().to_string()],
        key: key.span(),
        value,
    })
}

/// The kind of what stands at this place, which may be an element of an array.
fn kind_at(value: &toml::Spanned<DeValue<'_>>, at: &Span) -> &'static str {
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
    fn note_unknown(&mut self, entry: Entry, message: &str) -> Problem {
        self.keys.push(entry.key);
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
            key: quotable(&key),
            table,
            nearest,
            known,
        }
        .into()
    }

    fn note_wrong_type(&mut self, entry: Entry, message: &str) -> Problem {
        let key = entry.path.last().map(|key| quotable(key)).unwrap_or_default();
        self.paths.push(entry.path);
        self.keys.push(entry.key);
        let known = quoted(expected(message));
        if !known.is_empty() && entry.value == "string" {
            // serde's message holds the word; it isn't needed, the line is shown.
            let word = message.split('`').nth(1).unwrap_or_default();
            let nearest = nearest(word, known.iter().map(String::as_str)).map(str::to_owned);
            return KeyProblem::UnknownWord { key, nearest, known }.into();
        }
        KeyProblem::WrongType {
            key,
            expected: in_toml(expected(message)).to_owned(),
            found: entry.value,
        }
        .into()
    }
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
