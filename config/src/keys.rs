//! Every key that a file may have, from the schema: one list, for variables that override keys and for the table
//! of keys.

mod table;

pub use table::key_table;

use std::sync::LazyLock;

use schemars::Schema;
use serde_json::{Map, Value};

/// In a key's path, a name that the author of a file chooses.
pub(crate) const NAME: &str = "NAME";

/// One key, or the table that it is in.
#[derive(Debug)]
pub(crate) struct Key {
    /// The tables around it, and its own name last.
    pub(crate) path: Vec<String>,
    /// What it is, in one line of Markdown.
    pub(crate) words: String,
    /// Its schema, references resolved.
    pub(crate) schema: Map<String, Value>,
    /// Whether it holds keys and has no value of its own: `[server]`, `[backends.NAME]`.
    pub(crate) is_section: bool,
    /// The keys of each table in it, where it is an array of tables: no variable reaches one of those.
    pub(crate) elements: Vec<Key>,
}

/// What a key takes, as far as a reader of plain text has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Takes {
    /// A string.
    pub(crate) text: bool,
    /// A number.
    pub(crate) number: bool,
    /// `true` or `false`.
    pub(crate) boolean: bool,
    /// An array.
    pub(crate) array: bool,
    /// A table.
    pub(crate) table: bool,
}

/// Every key and every table of a file, in the order in which they are declared; a table before its keys.
pub(crate) fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(all);
    &KEYS
}

fn all() -> Vec<Key> {
    let root = crate::schema();
    let mut keys = Vec::new();
    if let Some(file) = root.as_object() {
        let walk = Walk { root: &root };
        walk.members(&[], file, &mut keys);
    }
    keys
}

/// A walk through a schema.
struct Walk<'a> {
    root: &'a Schema,
}

// === impl Walk ===

impl Walk<'_> {
    /// What a table may hold: keys that are known, and keys of any name.
    fn members(&self, path: &[String], table: &Map<String, Value>, keys: &mut Vec<Key>) {
        let known = table.get("properties").and_then(Value::as_object);
        for (name, schema) in known.into_iter().flatten() {
            self.key(path, name, schema, keys);
        }
        if let Some(any) = table.get("additionalProperties").filter(|any| any.is_object()) {
            self.key(path, NAME, any, keys);
        }
        let forms = table.get("anyOf").and_then(Value::as_array);
        for form in forms.into_iter().flatten() {
            self.members(path, &self.resolved(form), keys);
        }
    }

    fn key(&self, path: &[String], name: &str, schema: &Value, keys: &mut Vec<Key>) {
        let path = [path, &[name.to_owned()]].concat();
        let mut resolved = self.resolved(schema);
        if let Some(items) = resolved.get_mut("items") {
            *items = self.resolved(items).into();
        }
        let words = schema.get("description").or_else(|| resolved.get("description"));
        let words = words.and_then(Value::as_str).unwrap_or_default();
        let mut elements = Vec::new();
        if let Some(items) = resolved.get("items").and_then(Value::as_object) {
            self.members(&path, items, &mut elements);
        }
        keys.push(Key {
            words: words.split_whitespace().collect::<Vec<_>>().join(" "),
            is_section: is_section(&path),
            schema: resolved.clone(),
            path: path.clone(),
            elements,
        });
        self.members(&path, &resolved, keys);
    }

    /// A schema, or the one that it stands for.
    fn resolved(&self, schema: &Value) -> Map<String, Value> {
        let target = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.root.pointer(reference.trim_start_matches('#')));
        let alone = match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([one]) => Some(one),
            _ => None,
        };
        match target.or(alone) {
            Some(other) => self.resolved(other),
            None => schema.as_object().cloned().unwrap_or_default(),
        }
    }
}

/// Sections have headers of their own in a file; deeper tables are values, which may be written in one line.
fn is_section(path: &[String]) -> bool {
    let table = path.first().map(String::as_str);
    path.len() == 1 || (path.len() == 2 && matches!(table, Some("backends" | "hooks")))
}

// === impl Key ===

impl Key {
    /// What it takes.
    pub(crate) fn takes(&self) -> Takes {
        let mut takes = Takes::default();
        takes.add(&self.schema);
        takes
    }

    /// Whether it says where a secret is.
    pub(crate) fn is_source(&self) -> bool {
        self.path
            .last()
            .is_some_and(|name| matches!(name.as_str(), "env" | "file"))
    }

    /// Whether it is a name of the author's choice.
    pub(crate) fn is_named(&self) -> bool {
        self.path.last().is_some_and(|name| name == NAME)
    }
}

// === impl Takes ===

impl Takes {
    fn add(&mut self, schema: &Map<String, Value>) {
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => self.text = true,
            Some("integer" | "number") => self.number = true,
            Some("boolean") => self.boolean = true,
            Some("array") => self.array = true,
            Some("object") => self.table = true,
            // A reference leads to a table: what has a form of its own is written out where it is used.
            _ if schema.contains_key("$ref") => self.table = true,
            _ => {}
        }
        let forms = schema.get("anyOf").and_then(Value::as_array);
        for form in forms.into_iter().flatten().filter_map(Value::as_object) {
            self.add(form);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keys_take() {
        let keys = keys();
        for (path, takes) in [
            ("server", "table"),
            ("server.listen", "text array"),
            ("server.max_in_flight", "number"),
            ("server.deadline", "text"),
            ("admin.auth", "table"),
            ("admin.auth.token", "text array table"),
            ("admin.auth.token.file", "text"),
            ("log.level", "text"),
            ("defaults.always_finish", "boolean"),
            ("defaults.headers.NAME", "text table"),
            ("backends.NAME", "table"),
            ("backends.NAME.failure_statuses", "array"),
            ("backends.NAME.headers", "table"),
            ("backends.NAME.headers.NAME.env", "text"),
            ("hooks.NAME.chain", "array"),
        ] {
            let key = keys.iter().find(|key| key.path.join(".") == path).unwrap();
            let Takes {
                text,
                number,
                boolean,
                array,
                table,
            } = key.takes();
            let names = [
                (text, "text"),
                (number, "number"),
                (boolean, "boolean"),
                (array, "array"),
                (table, "table"),
            ];
            let names: Vec<&str> = names
                .iter()
                .filter(|(is, _)| *is)
                .map(|(_, name)| *name)
                .collect();
            assert_eq!(names.join(" "), takes, "{path}");
        }
        for key in keys {
            assert!(key.is_named() || !key.words.is_empty(), "{:?}", key.path);
            assert_ne!(key.takes(), Takes::default(), "{:?}", key.path);
        }
    }
}
