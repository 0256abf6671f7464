//! A document without some of its parts, and the way back from what is left to the whole.

use std::ops::Range;

use super::Document;
use super::splice::{Change, splice};

/// Spans that are left out of a document: whole members or elements with the commas between them and what stays,
/// in order, none inside of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cuts {
    list: Vec<Cut>,
}

/// One span of the document, and how much has been cut before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    at: u32,
    end: u32,
    before: u32,
}

// === impl Cuts ===

impl Cuts {
    /// Cuts of these spans, of a document whose offsets fit 32 bits.
    pub(crate) fn new(spans: &[Range<usize>]) -> Self {
        let mut before = 0;
        let cut = |span: &Range<usize>| {
            let (at, end) = (span.start as u32, span.end as u32);
            let cut = Cut { at, end, before };
            before += end - at;
            cut
        };
        let list = spans.iter().map(cut).collect();
        Self { list }
    }

    /// Whether nothing is cut.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What is left of the document. Nothing is read again: its index comes from the document's own.
    pub(crate) fn apply(&self, document: &Document) -> Document {
        let changes = self.list.iter().map(|cut| Change {
            at: cut.at as usize,
            end: cut.end as usize,
            piece: b"",
        });
        let left = splice(document.bytes(), changes);
        Document::indexed(left.into(), document.source().index.without(self))
    }

    /// Where the byte at this offset of what is left stands in the document.
    pub(crate) fn back(&self, offset: usize) -> usize {
        let before = self
            .list
            .partition_point(|cut| (cut.at - cut.before) as usize <= offset);
        offset + self.total(before) as usize
    }

    /// Where the span of a value of what is left, or of the place before a closing bracket, stands in the document.
    pub(crate) fn back_span(&self, span: Range<usize>) -> Range<usize> {
        let start = self.back(span.start);
        // Its last byte is left too, the one behind it perhaps not.
        let end = span.end.checked_sub(1).filter(|_| !span.is_empty());
        start..end.map_or(start, |last| self.back(last) + 1)
    }

    /// Where an offset of the document that no cut holds comes to stand.
    pub(super) fn forth(&self, offset: u32) -> u32 {
        offset - self.total(self.list.partition_point(|cut| cut.at < offset))
    }

    /// Whether a cut holds the byte at this offset of the document.
    pub(crate) fn hold(&self, offset: u32) -> bool {
        let next = self.list.partition_point(|cut| cut.end <= offset);
        self.list.get(next).is_some_and(|cut| cut.at <= offset)
    }

    /// Whether a part of the value with this span of the document is cut.
    pub(crate) fn reach_into(&self, span: Range<usize>) -> bool {
        let next = self.list.partition_point(|cut| (cut.at as usize) < span.start);
        self.list
            .get(next)
            .is_some_and(|cut| (cut.at as usize) < span.end)
    }

    /// How many bytes the first so many cuts take.
    fn total(&self, cuts: usize) -> u32 {
        let last = cuts.checked_sub(1).and_then(|last| self.list.get(last));
        last.map_or(0, |cut| cut.before + (cut.end - cut.at))
    }
}
