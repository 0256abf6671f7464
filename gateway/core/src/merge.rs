//! The edits of a stage into its base, in configured order (gateway.md section 4).
//!
//! All edits are sorted by where they stand in the base, the longest first. One sweep with a stack then
//! knows for each place which backends replaced something above it and which edited something below; a
//! second one lets edits stand or drops them, and finds the conflicts.
//!
//! Of two edits that conflict the rule names the one that stands. An edit stands if it loses to none: under
//! `last` if no backend after its own made a conflicting edit, under `first` if no backend before it did.

mod additions;
mod guard;
mod sweep;

#[cfg(test)]
mod tests;

use crate::json::Document;
use crate::json::diff::{self, Edit, Edits};
use crate::json::locate::{Locator, push_segment};
use crate::json::splice::{Change, splice};
use crate::plan::{OnConflict, TableGuard};

use self::sweep::{Group, groups};

/// The most conflicts that are listed; the others are only counted.
const LISTED: usize = 32;

/// What became of the edits of a stage.
#[derive(Debug, Clone)]
pub struct Merged {
    /// Base and edits, whole; none if nothing was edited, and the base is still what there is.
    pub document: Option<Document>,
    /// Where backends disagreed.
    pub conflicts: Conflicts,
    /// What the guard of the table found.
    pub misfits: Misfits,
}

/// Columns of the wrong length, each once, in the order of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misfits {
    /// For each of the edits that were merged, how many of the columns it had a part in.
    pub counts: Vec<u64>,
    /// The first of the columns, at most 32.
    pub listed: Vec<MisfitColumn>,
}

/// A column of the wrong length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MisfitColumn {
    /// Where it is, as JSON Pointer (RFC 6901).
    pub pointer: String,
    /// How many elements it would have; none where it would be no array any more.
    pub found: Option<usize>,
    /// How many names of nodes there are.
    pub expected: usize,
    /// Whose edits make it so: indices into the edits that were merged, in order.
    pub by: Vec<usize>,
}

/// Places that backends of a stage set to different values, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// How many there are.
    pub total: u64,
    /// The first of them in the order of the document, at most 32.
    pub listed: Vec<Conflict>,
}

/// One place, and two backends that disagree about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The place, as JSON Pointer (RFC 6901) into the base; halves of surrogate pairs appear as U+FFFD.
    pub pointer: String,
    /// The earliest backend that edited it: an index into the edits that were merged.
    pub first: usize,
    /// The earliest that disagrees with that one.
    pub second: usize,
}

/// An edit, and whose it is.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    edit: Edit,
    by: u32,
    bytes: &'a [u8],
}

/// Merges the edits of a stage's backends, given in configured order, into the document that they were
/// sent.
///
/// With [`OnConflict::Reject`] conflicts are reported all the same, and who calls refuses; the document is
/// then what `last` would make of it.
pub fn merge(base: &Document, edits: &[&Edits], rule: OnConflict) -> Merged {
    merge_guarded(base, edits, rule, TableGuard::Off)
}

/// As [`merge`], and the columns of `result` that come out with another length than the names of the nodes are told,
/// or left as they are in the base.
pub fn merge_guarded(base: &Document, edits: &[&Edits], rule: OnConflict, guard: TableGuard) -> Merged {
    let mut merge = Merge::new(base, rule);
    let pieces = pieces(edits);
    for group in groups(&pieces) {
        let of_group = pieces.get(group.range()).unwrap_or_default();
        if of_group.first().is_some_and(|piece| piece.edit.is_addition()) {
            merge.additions(&group, of_group);
        } else {
            merge.replacements(&group, of_group);
        }
    }
    let misfits = merge.guard(guard, edits.len());
    merge.finish(misfits)
}

/// All edits by where they stand, the longest first, then in configured order, then their own.
fn pieces<'a>(edits: &[&'a Edits]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::with_capacity(edits.iter().map(|edits| edits.len()).sum());
    for (by, edits) in (0..).zip(edits) {
        pieces.extend(edits.list().iter().map(|&edit| Piece {
            edit,
            by,
            bytes: edits.piece(edit),
        }));
    }
    pieces.sort_by_key(|piece| (piece.edit.at, std::cmp::Reverse(piece.edit.end)));
    pieces
}

/// A merge on its way.
struct Merge<'a> {
    base: &'a Document,
    rule: OnConflict,
    locator: Option<Locator<'a>>,
    standing: Vec<Piece<'a>>,
    conflicts: Conflicts,
}

impl<'a> Merge<'a> {
    fn new(base: &'a Document, rule: OnConflict) -> Self {
        Self {
            base,
            rule,
            locator: None,
            standing: Vec::new(),
            conflicts: Conflicts::default(),
        }
    }

    /// One value of the base, replaced by one or more backends.
    fn replacements(&mut self, group: &Group, pieces: &[Piece<'a>]) {
        let Some((first, rest)) = pieces.split_first() else {
            return;
        };
        let differs = rest
            .iter()
            .find(|other| !diff::equal(first.bytes, other.bytes))
            .map(|other| other.by);
        let below = group.below.first();
        // An edit below disagrees with every replacement, and with no other edit below.
        let pair = match (below, differs) {
            (Some(below), _) if below < first.by => Some((below, first.by)),
            (Some(below), differs) => Some((first.by, differs.map_or(below, |other| other.min(below)))),
            (None, differs) => differs.map(|other| (first.by, other)),
        };
        if let Some((one, other)) = pair {
            self.conflict(first.edit.at, None, (one, other));
        }
        let winner = self.winner(pieces);
        self.standing
            .extend(winner.filter(|piece| group.lets_stand(piece.by, self.rule)));
    }

    /// Of pieces at one place the one that the rule prefers.
    fn winner(&self, pieces: &[Piece<'a>]) -> Option<Piece<'a>> {
        match self.rule {
            OnConflict::First => pieces.first().copied(),
            OnConflict::Last | OnConflict::Reject => pieces.last().copied(),
        }
    }

    /// Counts a conflict at an offset of the base, or at a new key of the container that closes there.
    fn conflict(&mut self, at: u32, key: Option<&[u8]>, (first, second): (u32, u32)) {
        self.conflicts.total += 1;
        if self.conflicts.listed.len() >= LISTED {
            return;
        }
        let locator = self.locator.get_or_insert_with(|| Locator::new(self.base));
        let mut pointer = locator.pointer(at as usize);
        if let Some(key) = key {
            push_segment(&mut pointer, key);
        }
        self.conflicts.listed.push(Conflict {
            pointer,
            first: first as usize,
            second: second as usize,
        });
    }

    /// What the edits that stand do to the base, in order.
    fn changes(&self) -> impl Iterator<Item = Change<'a>> + Clone {
        self.standing.iter().map(|piece| Change {
            at: piece.edit.at as usize,
            end: piece.edit.end as usize,
            piece: piece.bytes,
        })
    }

    fn finish(self, misfits: Misfits) -> Merged {
        let document = (!self.standing.is_empty()).then(|| splice(self.base.bytes(), self.changes()));
        Merged {
            document: document.map(|whole| Document::spliced(whole.into())),
            conflicts: self.conflicts,
            misfits,
        }
    }
}
