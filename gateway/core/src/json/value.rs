//! A cursor into a [`Document`](super::Document): what stands at a place, without building anything.

use std::borrow::Cow;
use std::ops::Range;

use super::read::{self, At, Index, Source};
use super::scan::{Step, space};
use super::text;

/// One value of a document.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    source: Source<'a>,
    at: At,
}

/// What leads from a container to one of its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child<'a> {
    /// A member of this key: its content, as it is spelled.
    Member(&'a [u8]),
    /// An element, whichever.
    Element,
}

/// One child of a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// What leads to it.
    pub(crate) child: Child<'a>,
    /// Where it begins: at its key, if it has one.
    pub(crate) start: usize,
    /// The child itself.
    pub(crate) value: Value<'a>,
}

/// What kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number, `NaN` and the infinities among them.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// The members of an object, in order of appearance; of a repeated key each one.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    source: Source<'a>,
    next: Step<At>,
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    source: Source<'a>,
    next: Step<At>,
}

// === impl Value ===

impl<'a> Value<'a> {
    pub(super) fn new(source: Source<'a>, at: At) -> Self {
        Self { source, at }
    }

    /// What kind of value it is.
    pub fn kind(&self) -> Kind {
        match self.source.byte(self.at.pos) {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b'n' => Kind::Null,
            b't' | b'f' => Kind::Bool,
            _ => Kind::Number,
        }
    }

    /// Its bytes, as they are spelled.
    pub fn raw(&self) -> &'a [u8] {
        self.source.slice(self.at.pos, self.source.end(self.at).pos)
    }

    /// Its span in the document's bytes.
    pub(crate) fn span(&self) -> Range<usize> {
        self.at.pos..self.source.end(self.at).pos
    }

    /// The member of this key, compared as decoded; the last of repeated keys, as Python reads it. None if
    /// this is no object.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let mut found = None;
        for (name, value) in self.members() {
            if name.as_str().as_deref() == Some(key) {
                found = Some(value);
            }
        }
        found
    }

    /// The members, each with its key (a string); none if this is no object.
    pub fn members(&self) -> Members<'a> {
        Members {
            source: self.source,
            next: self.inside(Kind::Object),
        }
    }

    /// How many values checked bytes have that stand one after the other, with commas between. Reads them again: no
    /// index knows them.
    pub(crate) fn count(list: &[u8]) -> usize {
        static NONE: Index = Index::EMPTY;
        let source = Source {
            bytes: list,
            index: &NONE,
        };
        let first = At {
            pos: space(list, 0),
            next: 0,
        };
        let mut step = if first.pos < list.len() {
            Step::Child(first)
        } else {
            Step::Close(first)
        };
        let mut count = 0;
        while let Step::Child(at) = step {
            count += 1;
            step = source.following(source.end(at));
        }
        count
    }

    /// The elements; none if this is no array.
    pub fn elements(&self) -> Elements<'a> {
        Elements {
            source: self.source,
            next: self.inside(Kind::Array),
        }
    }

    /// Whether it is an object or array without children, or a string without characters.
    pub fn is_empty(&self) -> bool {
        match self.kind() {
            Kind::Object | Kind::Array => matches!(self.source.first(self.at), Step::Close(_)),
            Kind::String => self.source.byte(self.at.pos + 1) == b'"',
            Kind::Null | Kind::Bool | Kind::Number => false,
        }
    }

    /// The text of a string; halves of surrogate pairs become U+FFFD. None if this is no string.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        if self.kind() != Kind::String {
            return None;
        }
        let end = self.source.string_end(self.at.pos);
        Some(text::decode(self.source.slice(self.at.pos + 1, end - 1)))
    }

    /// What a string holds between its quotes, as it is spelled; nothing if this is no string.
    pub(crate) fn content(&self) -> &'a [u8] {
        match self.kind() {
            Kind::String => read::content(self.source.bytes, self.at.pos),
            _ => &[],
        }
    }

    /// The members or elements, whichever it has; none if this is a scalar.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let members = self.members().map(|(key, value)| Entry {
            child: Child::Member(key.content()),
            start: key.at.pos,
            value,
        });
        members.chain(self.elements().map(|value| Entry {
            child: Child::Element,
            start: value.at.pos,
            value,
        }))
    }

    fn inside(&self, kind: Kind) -> Step<At> {
        if self.kind() == kind {
            self.source.first(self.at)
        } else {
            Step::Close(self.at)
        }
    }
}

// === impl Members ===

impl<'a> Iterator for Members<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let Step::Child(key) = self.next else {
            return None;
        };
        let (_, value) = self.source.member(key);
        self.next = self.source.following(self.source.end(value));
        Some((Value::new(self.source, key), Value::new(self.source, value)))
    }
}

// === impl Elements ===

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let Step::Child(at) = self.next else {
            return None;
        };
        self.next = self.source.following(self.source.end(at));
        Some(Value::new(self.source, at))
    }
}
