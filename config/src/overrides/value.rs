//! A variable's value as its key wants it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::keys::Takes;
use crate::problem::OverrideProblem;

/// Reads a value whose first byte stands at `start`. What takes a string takes the text as it is, unless it is
/// another of the key's forms, written as in the file.
pub(super) fn read(text: &str, start: usize, takes: Takes) -> Result<Spanned<DeValue<'_>>, OverrideProblem> {
    let is_toml =
        !takes.text || (takes.array && text.starts_with('[')) || (takes.table && text.starts_with('{'));
    let problem = OverrideProblem::NotToml {
        expected: expected(takes),
    };
    if is_toml {
        match DeValue::parse(text) {
            Ok(value) => return Ok(moved(value, start)),
            Err(_) if !takes.text || is_meant(text) => return Err(problem),
            Err(_) => {}
        }
    }
    Ok(Spanned::new(
        start..start + text.len(),
        DeValue::String(text.into()),
    ))
}

/// Whether a text that isn't TOML was meant to be: `["a, "b"]` or `{ env = NAME }`, but not `[::1]:8600`.
fn is_meant(text: &str) -> bool {
    let inner = text.trim_start_matches(['[', '{']).trim_start();
    let is_string = text.starts_with('[') && inner.starts_with(['"', '\'', '{']);
    let key = inner.strip_prefix("env").or_else(|| inner.strip_prefix("file"));
    is_string || key.is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// What the key takes, in the words of a remedy.
fn expected(takes: Takes) -> &'static str {
    match takes {
        Takes { array: true, .. } => "an array with its strings in quotes, `[\"a\", \"b\"]`",
        Takes { table: true, .. } => "a table in braces, `{ key = \"value\" }`",
        Takes { boolean: true, .. } => "`true` or `false`",
        _ => "a whole number, `1024`",
    }
}

/// The same value at another place.
fn moved(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span().start + by..value.span().end + by;
    let inner = match value.into_inner() {
        DeValue::Array(elements) => {
            DeValue::Array(elements.into_iter().map(|element| moved(element, by)).collect())
        }
        DeValue::Table(table) => DeValue::Table(moved_table(table, by)),
        other => other,
    };
    Spanned::new(span, inner)
}

fn moved_table(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let entry = |(key, value): (Spanned<_>, _)| {
        let span = key.span().start + by..key.span().end + by;
        (Spanned::new(span, key.into_inner()), moved(value, by))
    };
    table.into_iter().map(entry).collect()
}
