//! Places: where in the file something stands. What the file says is kept together with its byte range, and a
//! byte range becomes a line, a column and an excerpt only where somebody is told of it.

use std::cmp::Ordering;
use std::ops::Range;

use serde::Deserialize;

use crate::mask::Mask;
use crate::schema::schema_of_inner;

/// A range of bytes of the file.
pub(crate) type Span = Range<usize>;

/// Something that the file says, and where. In the schema it is what it holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "toml::Spanned<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Placed<T> {
    /// What stands there.
    pub(crate) value: T,
    /// Where: a value's own bytes, or a key's.
    pub(crate) span: Span,
}

/// Where a problem is, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The line's text as it may be shown: what could be a secret is masked, character for character.
    pub(crate) excerpt: String,
    /// What to point at: a range of bytes of the excerpt.
    pub(crate) caret: Span,
}

// === impl Placed ===

impl<T> From<toml::Spanned<T>> for Placed<T> {
    fn from(spanned: toml::Spanned<T>) -> Self {
        let span = spanned.span();
        Self {
            value: spanned.into_inner(),
            span,
        }
    }
}

/// As a key of a map a `Placed` is its value: two of the same name are one, wherever they stand.
impl<T: Ord> Ord for Placed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Ord> PartialOrd for Placed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Placed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Ord> Eq for Placed<T> {}

schema_of_inner!(Placed);

// === impl Place ===

impl Place {
    /// Finds a span's place. A span of several lines is pointed at on its first.
    pub(crate) fn new(text: &str, span: &Span, mask: &Mask) -> Self {
        let start = span.start.min(text.len());
        let before = text.get(..start).unwrap_or(text);
        let line_start = line_start(before);
        let line_end = text
            .get(line_start..)
            .and_then(|rest| rest.find(['\n', '\r']))
            .map_or(text.len(), |length| line_start + length);
        // A byte order mark is no character of the first line.
        let line_start = match text.strip_prefix('\u{feff}') {
            Some(_) if line_start == 0 => '\u{feff}'.len_utf8(),
            _ => line_start,
        };
        let (excerpt, caret) = mask.excerpt(text, &(line_start..line_end), &(start..span.end.min(line_end)));
        Self {
            line: before.matches('\n').count() + 1,
            column: excerpt
                .get(..caret.start)
                .map_or(0, |shown| shown.chars().count())
                + 1,
            excerpt,
            caret,
        }
    }
}

/// Where the last line of this text begins.
pub(crate) fn line_start(text: &str) -> usize {
    text.rfind('\n').map_or(0, |newline| newline + 1)
}
