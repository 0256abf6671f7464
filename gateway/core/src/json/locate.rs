//! Names places of a document: the JSON Pointer (RFC 6901) of an offset.

use super::diff::{Edit, added_member};
use super::read::{At, Source, content};
use super::scan::Step;
use super::text;
use super::{Child, Document, Value};

/// Finds the pointers of places that are asked for in order of their offsets: one sweep for all of them.
#[derive(Debug)]
pub(crate) struct Locator<'a> {
    source: Source<'a>,
    /// The containers around the last place, outermost first.
    around: Vec<Frame>,
}

/// A container, and how far the sweep has come in it.
#[derive(Debug)]
struct Frame {
    at: At,
    end: usize,
    open: u8,
    /// The key of a member, an element, or the closing bracket.
    child: Step<At>,
    ordinal: usize,
}

impl<'a> Locator<'a> {
    /// A locator at the beginning of a document.
    pub(crate) fn new(document: &'a Document) -> Self {
        let source = document.source();
        let mut locator = Self {
            source,
            around: Vec::new(),
        };
        if matches!(source.byte(0), b'{' | b'[') {
            locator.enter(Source::ROOT);
        }
        locator
    }

    /// The pointer of the value that begins at `offset`, or of the container whose closing bracket stands
    /// there. Offsets must not go back.
    pub(crate) fn pointer(&mut self, offset: usize) -> String {
        if offset == 0 {
            return String::new();
        }
        self.seek(offset);
        self.path()
    }

    /// The pointer of an edit of the document: of what it replaces, of its new key, or `-`, which is behind an
    /// array's last element (RFC 6901). Offsets must not go back.
    pub(crate) fn place(&mut self, edit: Edit, piece: &[u8]) -> String {
        let mut place = self.pointer(edit.span().start);
        if edit.is_addition() {
            let is_array = self.around.last().is_some_and(|frame| frame.open == b'[');
            push_segment(&mut place, if is_array { b"-" } else { added_member(piece).0 });
        }
        place
    }

    /// Goes on to the place at `offset`, which is any but the whole document's. Returns how many of the containers
    /// around the last place are around this one too.
    pub(crate) fn seek(&mut self, offset: usize) -> usize {
        while self.around.last().is_some_and(|frame| frame.end <= offset) {
            self.around.pop();
        }
        let kept = self.around.len();
        while let Some(inner) = self.advance(offset) {
            self.enter(inner);
        }
        kept
    }

    /// How many containers are around the place.
    pub(crate) fn depth(&self) -> usize {
        self.around.len()
    }

    /// The innermost container around the place.
    pub(crate) fn container(&self) -> Option<Value<'a>> {
        let frame = self.around.last()?;
        Some(Value::new(self.source, frame.at))
    }

    /// What leads to the place from the container that so many others are around; none if the place is that
    /// container's closing bracket.
    pub(crate) fn child(&self, depth: usize) -> Option<Child<'a>> {
        let frame = self.around.get(depth)?;
        match frame.child {
            Step::Child(key) if frame.open == b'{' => {
                Some(Child::Member(content(self.source.bytes, key.pos)))
            }
            Step::Child(_) => Some(Child::Element),
            Step::Close(_) => None,
        }
    }

    /// Goes on to the child of the innermost container that holds `offset`. Returns its place if the offset is
    /// further inside.
    fn advance(&mut self, offset: usize) -> Option<At> {
        let frame = self.around.last_mut()?;
        loop {
            let Step::Child(child) = frame.child else {
                return None;
            };
            let value = if frame.open == b'{' {
                self.source.member(child).1
            } else {
                child
            };
            if value.pos == offset {
                return None;
            }
            let end = self.source.end(value);
            if offset < end.pos {
                return Some(value);
            }
            frame.child = self.source.following(end);
            frame.ordinal += 1;
        }
    }

    fn enter(&mut self, at: At) {
        self.around.push(Frame {
            at,
            end: self.source.end(at).pos,
            open: self.source.byte(at.pos),
            child: self.source.first(at),
            ordinal: 0,
        });
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.around {
            match frame.child {
                Step::Child(key) if frame.open == b'{' => {
                    push_segment(&mut path, content(self.source.bytes, key.pos));
                }
                Step::Child(_) => path.push_str(&format!("/{}", frame.ordinal)),
                Step::Close(_) => {}
            }
        }
        path
    }
}

/// Adds a key, given as it is spelled, to a pointer. Halves of surrogate pairs become U+FFFD.
pub(crate) fn push_segment(pointer: &mut String, key: &[u8]) {
    pointer.push('/');
    for c in text::decode(key).chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ => pointer.push(c),
        }
    }
}
