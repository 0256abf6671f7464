//! What a backend really changed: places of the base, and what its reply has there.

use std::ops::Range;

use bytes::Bytes;

use crate::json::read::{content, string_end};
use crate::json::scan::{slice, space};

/// The edits of one reply. Holds on to the reply's bytes, or a copy of what it needs of them; edits are spans of
/// these.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    reply: Bytes,
    list: Vec<Edit>,
}

/// One edit: the span of the base that it takes the place of, and the span of the reply that does.
///
/// Where the base's span is empty it stands at the closing bracket of a container, and the reply's span is
/// what is added there: one whole member, or one or more elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Where the replaced value of the base begins, or the closing bracket that something is added before.
    pub(crate) at: u32,
    /// Where it ends.
    pub(crate) end: u32,
    /// Where the piece of the reply begins.
    pub(crate) from: u32,
    /// Where it ends.
    pub(crate) to: u32,
}

// === impl Edits ===

impl Edits {
    /// The edits of this reply; they get the order of their places, additions to one container keep theirs.
    pub(super) fn new(reply: Bytes, mut list: Vec<Edit>) -> Self {
        list.retain(|edit| !edit.is_dead());
        if !list.is_sorted_by_key(|edit| edit.at) {
            list.sort_by_key(|edit| edit.at);
        }
        list.shrink_to_fit();
        Self { reply, list }
    }

    /// How many places are edited: a value replaced, a member added, or elements appended to an array.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The edits, by where they stand in the base.
    pub(crate) fn list(&self) -> &[Edit] {
        &self.list
    }

    /// The edits that `keep` keeps, each where it puts it. They stay in the order of their places.
    pub(crate) fn sift(mut self, mut keep: impl FnMut(Edit, &[u8]) -> Option<Edit>) -> Self {
        let reply = &self.reply;
        let mut kept = Vec::with_capacity(self.list.len());
        kept.extend(self.list.iter().filter_map(|&edit| keep(edit, edit.piece(reply))));
        self.list = kept;
        self
    }

    /// How many bytes they put into the document, a comma for each among them.
    pub(crate) fn put(&self) -> usize {
        self.list
            .iter()
            .map(|edit| edit.piece(&self.reply).len() + 1)
            .sum()
    }

    /// How many bytes it holds on to.
    pub(crate) fn held(&self) -> usize {
        self.reply.len()
    }

    /// The same edits, holding on to what they put into the document and not to the reply around it: most replies are
    /// echoes of megabytes with a few bytes changed. Where that is more than half of it the reply stays, since a copy
    /// would save little.
    pub(crate) fn detached(self) -> Self {
        let needed: usize = self.list.iter().map(|edit| edit.piece(&self.reply).len()).sum();
        if needed > self.reply.len() / 2 {
            return self;
        }
        let mut pieces = Vec::with_capacity(needed);
        let list = self.list.iter().map(|&edit| {
            let from = pieces.len() as u32;
            pieces.extend_from_slice(edit.piece(&self.reply));
            let to = pieces.len() as u32;
            Edit { from, to, ..edit }
        });
        let list = list.collect();
        Self {
            reply: pieces.into(),
            list,
        }
    }

    /// The same edits, holding on to a copy of what they put into the document: nothing of the reply outlives this.
    pub(crate) fn copied(self) -> Self {
        let detached = self.detached();
        Self {
            reply: Bytes::copy_from_slice(&detached.reply),
            ..detached
        }
    }

    /// What an edit puts into the document.
    pub(crate) fn piece(&self, edit: Edit) -> &[u8] {
        edit.piece(&self.reply)
    }
}

// === impl Edit ===

impl Edit {
    /// An edit that an edit further on in the reply has made void.
    pub(super) const DEAD: Self = Self {
        at: 1,
        end: 0,
        from: 0,
        to: 0,
    };

    /// Spans given as offsets; both documents are known to be shorter than 4 GiB.
    pub(super) fn new(base: (usize, usize), reply: (usize, usize)) -> Self {
        Self {
            at: base.0 as u32,
            end: base.1 as u32,
            from: reply.0 as u32,
            to: reply.1 as u32,
        }
    }

    /// The same edit at another place of the base.
    pub(crate) fn at_span(self, span: Range<usize>) -> Self {
        Self {
            at: span.start as u32,
            end: span.end as u32,
            ..self
        }
    }

    /// The span of the base that it takes the place of.
    pub(crate) fn span(self) -> Range<usize> {
        self.at as usize..self.end as usize
    }

    /// Whether it adds something, and replaces nothing.
    pub(crate) fn is_addition(self) -> bool {
        self.at == self.end
    }

    pub(super) fn is_dead(self) -> bool {
        self.at > self.end
    }

    /// The same edit, its piece this far further on in the reply.
    pub(super) fn moved(self, by: usize) -> Self {
        Self {
            from: self.from + by as u32,
            to: self.to + by as u32,
            ..self
        }
    }

    /// The same edit in a reply that begins at `start` of this one.
    pub(super) fn relative_to(self, start: usize) -> Self {
        Self {
            from: self.from - start as u32,
            to: self.to - start as u32,
            ..self
        }
    }

    pub(super) fn piece(self, reply: &[u8]) -> &[u8] {
        slice(reply, self.from as usize, self.to as usize)
    }

    /// The key of an added member, without its quotes, as it is spelled.
    pub(super) fn key(self, reply: &[u8]) -> &[u8] {
        content(reply, self.from as usize)
    }
}

/// An added member's key, without its quotes, as it is spelled; and its value.
pub(crate) fn added_member(piece: &[u8]) -> (&[u8], &[u8]) {
    let colon = space(piece, string_end(piece, 0));
    (
        content(piece, 0),
        slice(piece, space(piece, colon + 1), piece.len()),
    )
}
