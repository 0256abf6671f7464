//! Conditions on the document: whether a backend is asked at all (`when`, gateway.md section 6).
//!
//! A condition names places and says something of what stands there. With `*`, or a key that stands there twice,
//! there may be several places, and one that fits is enough. `not_in` is what `in` is not, and `exists = false` what
//! `exists = true` is not: both hold where there is no such place, all others don't.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::json::{Document, Kind, Value, number};
use crate::pointer::Pointer;

#[cfg(test)]
mod tests;

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where it looks.
    pub at: Pointer,
    /// What it says of what stands there.
    pub test: Test,
}

/// What a condition says of the values at its places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// One is among these; `eq` is a list of one.
    In(Vec<Scalar>),
    /// None is.
    NotIn(Vec<Scalar>),
    /// One has this pattern in it: in its text if it is a string, in its spelling if it is a number.
    Matches(Pattern),
    /// There is one, be it `null`.
    Exists,
    /// There is none.
    Missing,
}

/// A value to compare with. A value of another kind is another value: `"5"` is not `5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A number in JSON's spelling, as Python has it: `NaN` is one.
    Number(Box<str>),
    /// A string.
    String(Box<str>),
}

/// A regular expression, found in time linear in the text. It is found anywhere in it, unless it is anchored.
#[derive(Clone)]
pub struct Pattern(Regex);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not a regular expression; in a few words why.
    #[error("{0}")]
    Syntax(String),
    /// Compiled it would take more memory than any condition needs.
    #[error("it is too large")]
    TooLarge,
}

/// The most memory that a compiled pattern may take, in bytes; Unicode's classes take tens of thousands.
const MOST: usize = 1 << 20;

/// Whether all of these hold for a document. Looks only into what stands on the way.
pub fn all_hold(conditions: &[Condition], document: &Document) -> bool {
    conditions.iter().all(|condition| condition.holds(document))
}

// === impl Condition ===

impl Condition {
    /// Whether it holds for this document.
    pub fn holds(&self, document: &Document) -> bool {
        let values = self.at.find(document);
        match &self.test {
            Test::In(list) => is_one_of(&values, list),
            Test::NotIn(list) => !is_one_of(&values, list),
            Test::Matches(pattern) => values.iter().any(|value| pattern.is_in(*value)),
            Test::Exists => !values.is_empty(),
            Test::Missing => values.is_empty(),
        }
    }
}

fn is_one_of(values: &[Value<'_>], list: &[Scalar]) -> bool {
    values
        .iter()
        .any(|value| list.iter().any(|scalar| scalar.is(*value)))
}

/// In words: `/message/chat/id is one of -1001, -1002`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.at;
        match &self.test {
            Test::In(list) if list.len() == 1 => write!(f, "{at} is {}", Listed(list)),
            Test::In(list) => write!(f, "{at} is one of {}", Listed(list)),
            Test::NotIn(list) if list.len() == 1 => write!(f, "{at} is not {}", Listed(list)),
            Test::NotIn(list) => write!(f, "{at} is none of {}", Listed(list)),
            Test::Matches(pattern) => write!(f, "{at} matches {:?}", pattern.as_str()),
            Test::Exists => write!(f, "{at} exists"),
            Test::Missing => write!(f, "{at} does not exist"),
        }
    }
}

/// Scalars with commas between.
struct Listed<'a>(&'a [Scalar]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scalar) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{scalar}")?;
        }
        Ok(())
    }
}

// === impl Scalar ===

impl Scalar {
    /// A string.
    pub fn string(text: &str) -> Self {
        Self::String(text.into())
    }

    /// A 64-bit integer.
    pub fn integer(number: i64) -> Self {
        Self::Number(number.to_string().into())
    }

    /// A 64-bit float.
    pub fn float(number: f64) -> Self {
        let spelled = match number {
            _ if number.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "Infinity".to_owned(),
            f64::NEG_INFINITY => "-Infinity".to_owned(),
            // As Python spells it, with its point or exponent, so that it is no integer.
            _ => format!("{number:?}"),
        };
        Self::Number(spelled.into())
    }

    /// Whether a value is this one: strings by their text, integers to the last digit, other numbers by the nearest
    /// 64-bit float.
    fn is(&self, value: Value<'_>) -> bool {
        match (self, value.kind()) {
            (Self::Bool(expected), Kind::Bool) => (value.raw() == b"true") == *expected,
            (Self::Number(expected), Kind::Number) => number::equal(expected.as_bytes(), value.raw()),
            (Self::String(expected), Kind::String) => value.as_str().is_some_and(|text| *text == **expected),
            _ => false,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(spelled) => f.write_str(spelled),
            Self::String(text) => write!(f, "{text:?}"),
        }
    }
}

// === impl Pattern ===

impl Pattern {
    /// Takes a regular expression, in the syntax of the crate `regex`.
    ///
    /// # Errors
    ///
    /// It is none, or is too large.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        match RegexBuilder::new(text).size_limit(MOST).build() {
            Ok(regex) => Ok(Self(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(PatternError::TooLarge),
            // The last of its lines says what is wrong, those before it show where.
            Err(error) => {
                let words = error.to_string();
                let last = words.lines().last().unwrap_or_default();
                Err(PatternError::Syntax(
                    last.trim_start_matches("error: ").to_owned(),
                ))
            }
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    fn is_in(&self, value: Value<'_>) -> bool {
        match value.kind() {
            Kind::String => value.as_str().is_some_and(|text| self.0.is_match(&text)),
            // A checked number is ASCII.
            Kind::Number => str::from_utf8(value.raw()).is_ok_and(|spelled| self.0.is_match(spelled)),
            Kind::Null | Kind::Bool | Kind::Array | Kind::Object => false,
        }
    }
}

/// Two are the same if they are written alike.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}
