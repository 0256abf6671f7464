//! What backends add to one container of the base: new members, or further elements.

use super::sweep::Group;
use super::{Merge, Piece};
use crate::json::diff::{self, added_member};
use crate::json::text::{self, Letters};
use crate::plan::OnConflict;

impl<'a> Merge<'a> {
    /// Additions to the container whose closing bracket is at the pieces' place.
    pub(super) fn additions(&mut self, group: &Group, pieces: &[Piece<'a>]) {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            return;
        };
        let at = first.edit.at as usize;
        if first.by == last.by {
            // Nobody else adds anything here.
            self.standing.extend(
                pieces
                    .iter()
                    .filter(|piece| group.lets_stand(piece.by, self.rule)),
            );
        } else if self.base.bytes().get(at) == Some(&b']') {
            self.elements(group, pieces);
        } else {
            self.members(group, pieces, self.letters(at));
        }
    }

    /// Two different appends: both, in order. The same append twice: once.
    fn elements(&mut self, group: &Group, pieces: &[Piece<'a>]) {
        let since = self.standing.len();
        for &piece in pieces {
            let added = self.standing.get(since..).unwrap_or_default();
            let again = added
                .iter()
                .any(|earlier| diff::equal_elements(earlier.bytes, piece.bytes));
            if !again && group.lets_stand(piece.by, self.rule) {
                self.standing.push(piece);
            }
        }
    }

    /// New members, each at the place of the first backend that added its key.
    ///
    /// Outside `/result` keys are the same up to `-` and `_`, unless one backend adds both spellings: then each
    /// is itself, as where the base has both.
    fn members(&mut self, group: &Group, pieces: &[Piece<'a>], letters: Letters) {
        let key = |&at: &usize| {
            pieces
                .get(at)
                .map_or(&[][..], |piece| added_member(piece.bytes).0)
        };
        let by = |&at: &usize| pieces.get(at).map(|piece| piece.by);
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by(|a, b| text::order_alike(key(a), key(b), letters).then(a.cmp(b)));
        let mut keys = Keys {
            group,
            pieces,
            standing: vec![None; pieces.len()],
            disputed: Vec::new(),
        };
        for alike in order.chunk_by_mut(|a, b| text::order_alike(key(a), key(b), letters).is_eq()) {
            if alike.is_sorted_by(|a, b| by(a) < by(b)) {
                keys.settle(alike, self.rule);
                continue;
            }
            alike.sort_by(|a, b| text::order(key(a), key(b)).then(a.cmp(b)));
            for same in alike.chunk_by(|a, b| text::same(key(a), key(b))) {
                keys.settle(same, self.rule);
            }
        }
        // Conflicts are told in the order of the document.
        keys.disputed.sort_unstable();
        for (slot, parties) in keys.disputed {
            if let Some(piece) = pieces.get(slot) {
                self.conflict(piece.edit.at, Some(key(&slot)), parties);
            }
        }
        self.standing.extend(keys.standing.into_iter().flatten());
    }

    /// When two new keys of the object that closes at this offset are the same.
    fn letters(&self, at: usize) -> Letters {
        match self.base.root().get("result") {
            Some(result) if result.span().contains(&at) => Letters::Exact,
            _ => Letters::Dashes,
        }
    }
}

/// The new keys of one object.
struct Keys<'p, 'a> {
    group: &'p Group,
    pieces: &'p [Piece<'a>],
    /// For each piece the one that stands in its place.
    standing: Vec<Option<Piece<'a>>>,
    /// Places of keys with two different values, and who disagrees.
    disputed: Vec<(usize, (u32, u32))>,
}

impl Keys<'_, '_> {
    /// One new key, given the pieces that add it: who wins it. Two different values are a conflict.
    fn settle(&mut self, same: &[usize], rule: OnConflict) {
        let Some(&slot) = same.first() else {
            return;
        };
        let added = || same.iter().filter_map(|&at| self.pieces.get(at).copied());
        let (Some(first), Some(last)) = (added().next(), added().next_back()) else {
            return;
        };
        let value = added_member(first.bytes).1;
        let other = added()
            .skip(1)
            .find(|other| !diff::equal(value, added_member(other.bytes).1));
        if let Some(other) = other {
            self.disputed.push((slot, (first.by, other.by)));
        }
        let winner = if rule == OnConflict::First { first } else { last };
        if let Some(standing) = self.standing.get_mut(slot) {
            *standing = Some(winner).filter(|piece| self.group.lets_stand(piece.by, rule));
        }
    }
}
