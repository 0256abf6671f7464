//! Places in a document, as the configuration names them: JSON Pointers (RFC 6901) with `*` for one segment.
//!
//! What is hidden, shown, allowed to change or asked about is all resolved here, by one rule (gateway.md
//! sections 4 and 6): outside `/result` keys are the same up to `-` and `_`, below it only when they are equal;
//! of a key that is repeated each one is meant. A key names members of objects alone: the elements of an array
//! have no name but `*`, which means all of them.

use std::fmt;

use crate::json::text::{self, Letters};
use crate::json::{Child, Document, Entry, Value};

#[cfg(test)]
mod tests;

/// The member of a document below which keys are users' columns.
const RESULT: &[u8] = b"result";

/// A place in a document, or with `*` many; checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    segments: Vec<Segment>,
}

/// One step from a container to what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// The members of this key, spelled as the content of a JSON string.
    Key(Vec<u8>),
    /// Every member and every element.
    Any,
}

/// Why a text is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Only the pointer to the whole document, which is empty, begins without a `/`.
    #[error("a JSON Pointer begins with `/`")]
    NoSlash,
    /// In a segment `~` is spelled `~0`, and `/` is spelled `~1`.
    #[error("`~` begins neither `~0` nor `~1`")]
    Tilde,
}

/// Where a place stands in its document, as far as keys are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Region {
    /// The whole document.
    Root,
    /// Inside of it, but not of `/result`.
    Outside,
    /// At `/result` or below it.
    Result,
}

/// What is left of a pointer that leads to a place or beyond it. Nothing left: it leads to the place itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest<'p>(&'p [Segment]);

// === impl Pointer ===

impl Pointer {
    /// Takes a text if it is a pointer. `""` is one: the whole document.
    ///
    /// # Errors
    ///
    /// What RFC 6901 section 3 does not let through.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let segments = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(Segment::parse).collect::<Result<_, _>>()?,
            None if text.is_empty() => Vec::new(),
            None => return Err(PointerError::NoSlash),
        };
        let text = text.to_owned();
        Ok(Self { text, segments })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the whole document.
    pub fn is_whole(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether every place of the other is one of this one's, or below one.
    pub fn covers(&self, other: &Self) -> bool {
        let mut region = Region::Root;
        let covered = |(ours, theirs): (&Segment, &Segment)| {
            let covered = match (ours, theirs) {
                (Segment::Any, _) => true,
                (Segment::Key(_), Segment::Any) => false,
                (Segment::Key(ours), Segment::Key(theirs)) => text::alike(theirs, ours, region.letters()),
            };
            region = match theirs {
                Segment::Key(key) => region.below(Child::Member(key)),
                // It may be `/result` too, where less is the same.
                Segment::Any if region == Region::Root => Region::Result,
                Segment::Any => region,
            };
            covered
        };
        self.segments.len() <= other.segments.len() && self.segments.iter().zip(&other.segments).all(covered)
    }

    /// Whether a value at a place of one of the two may be at, above or below a place of the other.
    pub fn meets(&self, other: &Self) -> bool {
        let mut region = Region::Root;
        let mut steps = self.segments.iter().zip(&other.segments);
        steps.all(|(ours, theirs)| {
            let (met, key) = match (ours, theirs) {
                (Segment::Any, Segment::Any) => (true, None),
                (Segment::Any, Segment::Key(key)) | (Segment::Key(key), Segment::Any) => (true, Some(key)),
                (Segment::Key(ours), Segment::Key(theirs)) => {
                    (text::alike(ours, theirs, region.letters()), Some(theirs))
                }
            };
            // An element is no `/result`, and outside of that more is the same.
            region = region.below(key.map_or(Child::Element, |key| Child::Member(key)));
            met
        })
    }

    /// The values at this place, in the order of the document; of a repeated key each. Looks only into what
    /// stands on the way.
    pub fn find<'a>(&self, document: &'a Document) -> Vec<Value<'a>> {
        let mut found = Vec::new();
        find(self.rest(), document.root(), Region::Root, &mut found);
        found
    }

    /// The way from the whole document.
    pub(crate) fn rest(&self) -> Rest<'_> {
        Rest(&self.segments)
    }
}

fn find<'a>(rest: Rest<'_>, value: Value<'a>, region: Region, found: &mut Vec<Value<'a>>) {
    if rest.is_empty() {
        found.push(value);
        return;
    }
    for Entry { child, value, .. } in value.entries() {
        if let Some(rest) = rest.step(child, region) {
            find(rest, value, region.below(child), found);
        }
    }
}

/// As the configuration has it.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pointer({:?})", self.text)
    }
}

// === impl Segment ===

impl Segment {
    fn parse(text: &str) -> Result<Self, PointerError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let mut key = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'~' => key.push(match bytes.next() {
                    Some(b'0') => b'~',
                    Some(b'1') => b'/',
                    _ => return Err(PointerError::Tilde),
                }),
                // Keys are compared as they are spelled in JSON, where this begins an escape.
                b'\\' => key.extend_from_slice(br"\\"),
                _ => key.push(byte),
            }
        }
        Ok(Self::Key(key))
    }

    fn leads_to(&self, child: Child<'_>, region: Region) -> bool {
        match (self, child) {
            (Self::Any, _) => true,
            (Self::Key(key), Child::Member(name)) => text::alike(name, key, region.letters()),
            (Self::Key(_), Child::Element) => false,
        }
    }
}

// === impl Rest ===

impl<'p> Rest<'p> {
    /// Whether the pointer has arrived.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Whether the next step is `*`.
    pub(crate) fn is_any(self) -> bool {
        self.0.first() == Some(&Segment::Any)
    }

    /// What is left behind a child of a container in this region; none if the pointer doesn't lead there.
    pub(crate) fn step(self, child: Child<'_>, region: Region) -> Option<Self> {
        let (next, rest) = self.0.split_first()?;
        next.leads_to(child, region).then_some(Self(rest))
    }
}

// === impl Region ===

impl Region {
    /// Which keys are the same in a container here.
    pub(crate) fn letters(self) -> Letters {
        match self {
            Self::Root | Self::Outside => Letters::Dashes,
            Self::Result => Letters::Columns,
        }
    }

    /// Where a child of a container here stands.
    pub(crate) fn below(self, child: Child<'_>) -> Self {
        match (self, child) {
            (Self::Root, Child::Member(name)) if text::same(name, RESULT) => Self::Result,
            (Self::Root, _) => Self::Outside,
            (inside, _) => inside,
        }
    }
}
