//! Two objects, by key.

use super::edits::Edit;
use super::lockstep::{Absent, Lockstep, Place};
use super::table::Table;
use crate::json::SyntaxError;
use crate::json::read::At;
use crate::json::scan::{self, Step, slice};
use crate::json::text::{self, Letters};

impl Lockstep<'_> {
    /// Compares the base's object with the reply's at `r`, and returns where that one ends.
    pub(super) fn object(
        &mut self,
        (b, end): (At, At),
        r: usize,
        place: Place,
    ) -> Result<usize, SyntaxError> {
        let mark = self.mark();
        let fresh = self.fresh.len();
        let mut table = self.echoes.table(self.base, b, place.letters);
        let reply = self.members(&mut table, r, place)?;
        self.settle(fresh);
        if place.absent == Absent::Replaces && table.is_left_out() {
            self.undo(mark);
            self.push(Edit::new((b.pos, end.pos), (r, reply)));
        }
        self.echoes.keep((b.pos, end.pos), table);
        Ok(reply)
    }

    fn members(&mut self, table: &mut Table, r: usize, place: Place) -> Result<usize, SyntaxError> {
        let mut step = scan::first(self.reply, r);
        loop {
            let at = match step {
                Step::Close(at) => return Ok(at + 1),
                Step::Child(at) => at,
            };
            let (member, key_end) = match table.likely(self.base, self.reply, at) {
                Some((member, end)) => (Some(member), end),
                None => {
                    let end = scan::key(self.reply, at)?;
                    (table.find(self.base, slice(self.reply, at + 1, end - 1)), end)
                }
            };
            let value = scan::colon(self.reply, key_end)?;
            let end = match member {
                Some(member) => self.member(table, member, value, place)?,
                None => {
                    let end = self.added((at, key_end), value, place.level + 1)?;
                    self.fresh.push(self.edits.len());
                    self.push(Edit::new((table.close(), table.close()), (at, end)));
                    end
                }
            };
            step = scan::following(self.reply, end, b'{')?;
        }
    }

    /// Checks the value at `r` of a member that the base hasn't, and returns its end.
    fn added(&mut self, key: (usize, usize), r: usize, level: usize) -> Result<usize, SyntaxError> {
        let spelled = slice(self.reply, key.0, key.1);
        if let Some(end) = self.echoes.recall_added(spelled, self.reply, r, level) {
            return Ok(end);
        }
        let end = scan::value(self.reply, r, level, &mut ())?;
        self.echoes.remember_added(key, self.reply, (r, end), level);
        Ok(end)
    }

    /// Compares a member's value with the reply's at `r`. Of a repeated key the last counts.
    fn member(
        &mut self,
        table: &mut Table,
        member: usize,
        r: usize,
        place: Place,
    ) -> Result<usize, SyntaxError> {
        let mut below = place.below();
        if place.level == 0 && table.is_named(self.base, member, b"result") {
            below.letters = Letters::Columns;
        }
        let from = self.edits.len();
        let ends = self.value(table.value(member), r, below)?;
        if let Some(void) = table.named(member, from..self.edits.len()) {
            for edit in self.edits.get_mut(void).unwrap_or_default() {
                if !std::mem::replace(edit, Edit::DEAD).is_dead() {
                    self.live -= 1;
                }
            }
        }
        Ok(ends.reply)
    }

    /// Of a new key that the reply repeats the last value counts, at the place of the first, as in Python.
    fn settle(&mut self, since: usize) {
        let reply = self.reply;
        let mut fresh = self.fresh.split_off(since);
        let edits = &mut self.edits;
        let edit = |edits: &[Edit], at: usize| edits.get(at).copied().unwrap_or(Edit::DEAD);
        fresh.sort_by(|&a, &b| {
            let (a_key, b_key) = (edit(edits, a).key(reply), edit(edits, b).key(reply));
            text::order(a_key, b_key).then(a.cmp(&b))
        });
        let is_same =
            |&a: &usize, &b: &usize| text::same(edit(edits, a).key(reply), edit(edits, b).key(reply));
        let repeats: Vec<(usize, usize)> = fresh
            .chunk_by(is_same)
            .filter_map(|group| Some((*group.first()?, group)))
            .flat_map(|(first, group)| group.iter().skip(1).map(move |&again| (first, again)))
            .collect();
        for (first, again) in repeats {
            if let Ok([first, again]) = edits.get_disjoint_mut([first, again]) {
                *first = std::mem::replace(again, Edit::DEAD);
                self.live -= 1;
            }
        }
    }
}
