//! Which edits stand above and below each other.

use std::ops::Range;

use super::Piece;
use crate::plan::OnConflict;

/// The edits of one place.
#[derive(Debug)]
pub(super) struct Group {
    start: u32,
    end: u32,
    /// Who replaced something that this place is part of.
    above: Backends,
    /// Who edited something inside of what is replaced here.
    pub(super) below: Backends,
}

/// The first and the last of a set of backends, in configured order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backends {
    first: u32,
    last: u32,
}

/// The groups of sorted pieces, in order.
pub(super) fn groups(pieces: &[Piece<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut start = 0;
    for of_place in pieces.chunk_by(|a, b| (a.edit.at, a.edit.end) == (b.edit.at, b.edit.end)) {
        let Some(edit) = of_place.first().map(|piece| piece.edit) else {
            continue;
        };
        close(&mut open, &mut groups, edit.at);
        let here = of_place
            .iter()
            .fold(Backends::NONE, |set, piece| set.with(Backends::one(piece.by)));
        let mut above = Backends::NONE;
        if let Some(around) = open.last_mut() {
            around.below = around.below.with(here);
            above = around.here_and_above;
        }
        let end = start + of_place.len() as u32;
        if !edit.is_addition() {
            open.push(Open {
                group: groups.len(),
                end: edit.end,
                here_and_above: above.with(here),
                below: Backends::NONE,
            });
        }
        groups.push(Group {
            start,
            end,
            above,
            below: Backends::NONE,
        });
        start = end;
    }
    close(&mut open, &mut groups, u32::MAX);
    groups
}

/// A replaced place whose inside is being swept.
struct Open {
    group: usize,
    end: u32,
    here_and_above: Backends,
    below: Backends,
}

/// Leaves the places that end at an offset or before it.
fn close(open: &mut Vec<Open>, groups: &mut [Group], at: u32) {
    while let Some(inner) = open.pop_if(|inner| inner.end <= at) {
        if let Some(around) = open.last_mut() {
            around.below = around.below.with(inner.below);
        }
        if let Some(group) = groups.get_mut(inner.group) {
            group.below = inner.below;
        }
    }
}

// === impl Group ===

impl Group {
    /// Which of the pieces these are.
    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether an edit by this backend loses to none above or below.
    pub(super) fn lets_stand(&self, by: u32, rule: OnConflict) -> bool {
        let all = self.above.with(self.below);
        match rule {
            OnConflict::First => by < all.first,
            OnConflict::Last | OnConflict::Reject => all.is_none() || by > all.last,
        }
    }
}

// === impl Backends ===

impl Backends {
    const NONE: Self = Self {
        first: u32::MAX,
        last: 0,
    };

    fn one(by: u32) -> Self {
        Self { first: by, last: by }
    }

    fn with(self, others: Self) -> Self {
        Self {
            first: self.first.min(others.first),
            last: self.last.max(others.last),
        }
    }

    fn is_none(self) -> bool {
        self.first > self.last
    }

    /// The earliest of them, if there is one.
    pub(super) fn first(self) -> Option<u32> {
        (!self.is_none()).then_some(self.first)
    }
}
