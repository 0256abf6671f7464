//! The table of keys in Markdown, `config/KEYS.md`: what the doc comments of `file.rs` say, key by key.

use std::fmt::{self, Write};

use serde_json::{Map, Value};

use super::{Key, is_section, keys};

/// What stands above the tables.
const HEAD: &str = include_str!("table_head.md");

/// What stands before a key's default in its words.
const DEFAULT: &str = " Default: ";

/// What is said of a key that can't be left out.
const REQUIRED: &str = " Must be there.";

/// The table of keys in Markdown. A test holds `config/KEYS.md` to it.
pub fn key_table() -> String {
    let mut text = HEAD.to_owned();
    // Writing to a string can't fail.
    let _ = write_tables(&mut text, keys());
    text
}

fn write_tables(out: &mut String, keys: &[Key]) -> fmt::Result {
    let mut intro = String::new();
    for section in keys.iter().filter(|key| key.is_section) {
        let rows: Vec<&Key> = keys.iter().filter(|key| is_row(key, section)).collect();
        if rows.is_empty() {
            // `[backends]` itself has only tables in it: what is said of it is said of them.
            intro.clone_from(&section.words);
            continue;
        }
        let words = if intro.is_empty() { &section.words } else { &intro };
        writeln!(out, "\n## `[{}]`\n\n{words}\n", section.path.join("."))?;
        writeln!(out, "| key | takes | default | |\n| --- | --- | --- | --- |")?;
        for row in rows {
            writeln!(out, "{}", line(row, keys))?;
            for element in elements(row) {
                writeln!(out, "{}", line(element, keys))?;
            }
        }
        intro.clear();
    }
    Ok(())
}

/// Whether a key belongs into a section's table. Where a secret is, and names that the author chooses, are said
/// of the key around them.
fn is_row(key: &Key, section: &Key) -> bool {
    let depth = section.path.len();
    let is_own =
        key.path.starts_with(&section.path) && key.path.get(..=depth).is_some_and(|path| !is_section(path));
    // What is in a table of `[defaults]` is said of the backend's.
    let is_said = key.path.first().is_some_and(|table| table == "defaults") && key.path.len() > depth + 1;
    is_own && !is_said && !key.is_source() && !key.is_named()
}

/// The keys of the tables in an array. In `[defaults]` they are those of a backend.
fn elements(key: &Key) -> &[Key] {
    match key.path.first().map(String::as_str) {
        Some("defaults") => &[],
        _ => &key.elements,
    }
}

fn line(key: &Key, keys: &[Key]) -> String {
    let (words, default) = key.words.split_once(DEFAULT).unwrap_or((&key.words, ""));
    let (words, default) = match words.strip_suffix(REQUIRED) {
        Some(words) => (words, "must be there"),
        None => (words, default.trim_end_matches('.')),
    };
    let default = match inheritance(key, keys) {
        Inheritance::None => default.to_owned(),
        Inheritance::Inherits(from) => format!("`{from}`"),
        Inheritance::Bequeaths(to) => line_default(to),
    };
    let name = key.path.join(".");
    format!("| `{name}` | {} | {default} | {words} |", kind(&key.schema))
}

/// What a key has to do with `[defaults]`.
enum Inheritance<'a> {
    None,
    /// It is a backend's, and this one says what it is where the backend doesn't.
    Inherits(String),
    /// It is in `[defaults]`, for this one.
    Bequeaths(&'a Key),
}

fn inheritance<'a>(key: &Key, keys: &'a [Key]) -> Inheritance<'a> {
    let find = |path: &[&str]| keys.iter().find(|key| key.path == path);
    match &key.path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["backends", _, name] => match find(&["defaults", name]) {
            Some(default) => Inheritance::Inherits(default.path.join(".")),
            None => Inheritance::None,
        },
        ["defaults", name] => match find(&["backends", super::NAME, name]) {
            Some(backend) => Inheritance::Bequeaths(backend),
            None => Inheritance::None,
        },
        _ => Inheritance::None,
    }
}

/// The default that a backend's key has in the end.
fn line_default(key: &Key) -> String {
    let default = key.words.split_once(DEFAULT).map(|(_, default)| default);
    default.unwrap_or_default().trim_end_matches('.').to_owned()
}

/// What a value has to be, in a few words.
fn kind(schema: &Map<String, Value>) -> String {
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    if let Some(title) = text("title") {
        return title.to_owned();
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    let inner = |name: &str| schema.get(name).and_then(Value::as_object).map(kind);
    match text("type").unwrap_or_default() {
        "integer" => "whole number".to_owned(),
        "boolean" => "`true`, `false`".to_owned(),
        "array" => format!("array of: {}", inner("items").unwrap_or_default()),
        "object" => match inner("additionalProperties") {
            Some(entry) => format!("table of: {entry}"),
            None => "table".to_owned(),
        },
        other => other.to_owned(),
    }
}
