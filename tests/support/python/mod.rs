//! JSON as Python holds it: what koipy posts, keeps and reads back.
//!
//! `serde_json` can't stand in here: the bot's documents hold `NaN`, lone surrogates and integers of any length,
//! and the order of keys is the order of drawn columns. This is also the oracle of the merge: it shares nothing
//! with the program, neither code nor method (values here, byte ranges there).

mod read;
mod spell;

pub(crate) use read::loads;
pub(crate) use spell::Spelling;

use std::fmt;

/// A value of Python's `json` module.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    /// The digits, since Python's integers have no end.
    Int(String),
    Float(f64),
    Str(Text),
    List(Vec<Value>),
    /// In order of insertion, no key twice.
    Dict(Vec<(Text, Value)>),
}

/// Python's `str` as UTF-16 units, which hold a lone surrogate like anything else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(pub(crate) Vec<u16>);

impl Value {
    /// The value as `json.dumps` writes it.
    pub(crate) fn dumps(&self) -> String {
        self.spelled(Spelling::Python)
    }

    /// The value as another language's serialiser writes it.
    pub(crate) fn spelled(&self, spelling: Spelling) -> String {
        spell::spell(self, spelling)
    }

    /// The value at a JSON Pointer. Panics where there is none: a test that names a place means one.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.find(pointer)
            .unwrap_or_else(|| panic!("nothing at {pointer}"))
    }

    /// The value at a JSON Pointer, if there is one.
    pub(crate) fn find(&self, pointer: &str) -> Option<&Value> {
        segments(pointer).try_fold(self, |value, segment| match value {
            Self::Dict(members) => members.iter().find(|(key, _)| *key == *segment).map(|(_, v)| v),
            Self::List(elements) => elements.get(segment.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The value at a JSON Pointer, to be changed.
    pub(crate) fn at_mut(&mut self, pointer: &str) -> &mut Value {
        segments(pointer).fold(self, |value, segment| match value {
            Self::Dict(members) => members
                .iter_mut()
                .find(|(key, _)| *key == *segment)
                .map(|(_, v)| v)
                .unwrap_or_else(|| panic!("nothing at {segment} of {pointer}")),
            Self::List(elements) => &mut elements[segment.parse::<usize>().expect("an index")],
            _ => panic!("nothing below {segment} of {pointer}"),
        })
    }

    /// `value[last] = new`, where `last` is the pointer's last segment: replaces, or adds at the end.
    pub(crate) fn set(&mut self, pointer: &str, new: impl Into<Value>) -> &mut Self {
        let (above, key) = pointer.rsplit_once('/').expect("a pointer below the root");
        match self.at_mut(above) {
            Self::Dict(members) => insert(members, Text::from(&*unescape(key)), new.into()),
            Self::List(elements) => elements[key.parse::<usize>().expect("an index")] = new.into(),
            _ => panic!("nothing can be set at {pointer}"),
        }
        self
    }

    /// Takes a key out, as a service does that answers with part of the document.
    pub(crate) fn remove(&mut self, pointer: &str) -> &mut Self {
        let (above, key) = pointer.rsplit_once('/').expect("a pointer below the root");
        match self.at_mut(above) {
            Self::Dict(members) => members.retain(|(k, _)| *k != *unescape(key)),
            _ => panic!("nothing can be removed at {pointer}"),
        }
        self
    }

    /// `list.append(new)`.
    pub(crate) fn append(&mut self, pointer: &str, new: impl Into<Value>) -> &mut Self {
        self.at_mut(pointer).elements_mut().push(new.into());
        self
    }

    /// `dict.update(other)`: what koipy does with the `result` of an answer.
    pub(crate) fn update(&mut self, other: &Value) {
        let Self::Dict(members) = self else {
            panic!("only a dict is updated")
        };
        for (key, value) in other.members() {
            insert(members, key.clone(), value.clone());
        }
    }

    /// The members of a dict.
    pub(crate) fn members(&self) -> &[(Text, Value)] {
        match self {
            Self::Dict(members) => members,
            other => panic!("no dict: {other:?}"),
        }
    }

    /// The elements of a list.
    pub(crate) fn elements(&self) -> &[Value] {
        match self {
            Self::List(elements) => elements,
            other => panic!("no list: {other:?}"),
        }
    }

    fn elements_mut(&mut self) -> &mut Vec<Value> {
        match self {
            Self::List(elements) => elements,
            other => panic!("no list: {other:?}"),
        }
    }

    /// The keys of a dict, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.members().iter().map(|(key, _)| key.to_string()).collect()
    }

    /// The text of a string; a lone surrogate shows as U+FFFD.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Str(text) => text.to_string(),
            other => panic!("no str: {other:?}"),
        }
    }
}

/// `members[key] = value`: a key that is there keeps its place.
fn insert(members: &mut Vec<(Text, Value)>, key: Text, value: Value) {
    match members.iter_mut().find(|(k, _)| *k == key) {
        Some((_, old)) => *old = value,
        None => members.push((key, value)),
    }
}

/// The segments of a JSON Pointer (RFC 6901).
fn segments(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(unescape)
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// The value that this JSON means. Panics where it is none, so that a test can write documents down.
pub(crate) fn json(text: impl AsRef<[u8]>) -> Value {
    loads(text.as_ref()).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text.as_ref())))
}

/// Asserts that two values are spelled alike by Python: numbers to the digit, keys in order. Names the first
/// place where they are not, since a document of 2,000 nodes is no message.
pub(crate) fn assert_same(actual: &Value, expected: &Value) {
    if let Some(place) = difference(actual, expected) {
        panic!("not what was expected at {place}");
    }
}

fn difference(actual: &Value, expected: &Value) -> Option<String> {
    match (actual, expected) {
        (Value::Dict(a), Value::Dict(b)) if actual.keys() == expected.keys() => {
            let mut pairs = a.iter().zip(b);
            pairs.find_map(|((key, a), (_, b))| Some(format!("/{key}{}", difference(a, b)?)))
        }
        (Value::List(a), Value::List(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| Some(format!("/{index}{}", difference(a, b)?)))
        }
        _ => {
            let (a, b) = (actual.dumps(), expected.dumps());
            let cut = |text: &str| text.chars().take(300).collect::<String>();
            (a != b).then(|| format!(": {}\n  instead of {}", cut(&a), cut(&b)))
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        other.encode_utf16().eq(self.0.iter().copied())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf16_lossy(&self.0))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dumps())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number.to_string())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Self {
        Self::List(elements.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_changed_as_in_python() {
        let mut document = json(r#"{"result": {"a": [1], "b": 2}, "x/y": {}}"#);
        document
            .set("/result/a", vec![7_i64, 8])
            .set("/result/c", "new")
            .set("/x~1y/z", true)
            .append("/result/a", 9_i64)
            .remove("/result/b");
        assert_eq!(
            document.dumps(),
            r#"{"result": {"a": [7, 8, 9], "c": "new"}, "x/y": {"z": true}}"#
        );
        assert_eq!(document.at("/result/a/2"), &Value::from(9_i64));
        assert_eq!(document.find("/result/b"), None);
    }

    #[test]
    fn differences_are_named() {
        for (a, b, place) in [
            (r#"{"a": [1, NaN]}"#, r#"{"a": [1, NaN]}"#, None),
            (
                r#"{"a": [1, 2]}"#,
                r#"{"a": [1, 2.0]}"#,
                Some("/a/1: 2\n  instead of 2.0"),
            ),
            (r#"{"a": 1, "b": 2}"#, r#"{"b": 2, "a": 1}"#, Some(": {\"a\": 1")),
            (r#"[[]]"#, r#"[[1]]"#, Some("/0: []")),
        ] {
            let difference = difference(&json(a), &json(b));
            assert_eq!(difference.is_some(), place.is_some(), "{a} {b}");
            assert!(
                difference
                    .unwrap_or_default()
                    .starts_with(place.unwrap_or_default()),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn update_replaces_in_place_and_adds_at_the_end() {
        let mut held = json(r#"{"a": 1, "b": 2}"#);
        held.update(&json(r#"{"c": 3, "a": 4}"#));
        assert_eq!(held.dumps(), r#"{"a": 4, "b": 2, "c": 3}"#);
    }
}
