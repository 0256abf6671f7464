//! How a stage's edits become the next stage's base, and what the outcome says of that.

use std::sync::Arc;

use super::{Decision, Detail, Spelling, Tally};
use crate::changes::changes;
use crate::json::Document;
use crate::json::diff::Edits;
use crate::merge::{Conflicts, Merged, Misfits, merge_guarded};
use crate::outcome::{Disagreement, LISTED_COLUMNS, LISTED_CONFLICTS, WrongColumn};
use crate::plan::{OnConflict, TableGuard};
use crate::table::Table;
use crate::view::Base;

impl Tally {
    /// Folds the edits of a stage, each with its call's slot, into its base.
    pub(super) fn fold(&mut self, edited: &[(usize, Edits)]) {
        let base = self.base.clone();
        // Edits come only from a base that parses.
        let Some(document) = base.document() else { return };
        self.list_changes(document, edited);
        let edits: Vec<&Edits> = edited.iter().map(|(_, edits)| edits).collect();
        let slots: Vec<usize> = edited.iter().map(|(slot, _)| *slot).collect();
        let guard = self.chain.table_guard;
        let merged = merge_guarded(document, &edits, self.chain.on_conflict, guard);
        self.guarded |= guard == TableGuard::Drop && Table::of(document).is_some();
        self.take_in(merged, &slots);
    }

    fn take_in(&mut self, merged: Merged, slots: &[usize]) {
        self.merging.merges += 1;
        self.note_conflicts(merged.conflicts, slots);
        self.note_misfits(merged.misfits, slots);
        if let Some(document) = merged.document {
            self.base = Arc::new(Base::parsed(document));
            self.spelling = Spelling::Other;
            self.made = true;
        }
    }

    fn note_conflicts(&mut self, conflicts: Conflicts, slots: &[usize]) {
        let room = LISTED_CONFLICTS.saturating_sub(self.merging.listed.len());
        let listed: Vec<Disagreement> = conflicts
            .listed
            .into_iter()
            .take(room)
            .map(|conflict| Disagreement {
                pointer: conflict.pointer,
                first: self.name(slots, conflict.first),
                second: self.name(slots, conflict.second),
            })
            .collect();
        self.merging.conflicts += conflicts.total;
        self.merging.listed.extend(listed);
        if conflicts.total > 0 && self.chain.on_conflict == OnConflict::Reject {
            self.decision = Some(Decision::Conflict);
        }
    }

    fn note_misfits(&mut self, misfits: Misfits, slots: &[usize]) {
        for (slot, count) in slots.iter().zip(misfits.counts) {
            if let Some(record) = self.calls.get_mut(self.current.start + slot) {
                record.wrong_columns += count;
            }
        }
        let room = LISTED_COLUMNS.saturating_sub(self.merging.wrong_columns.len());
        let listed: Vec<WrongColumn> = misfits
            .listed
            .into_iter()
            .take(room)
            .map(|column| WrongColumn {
                pointer: column.pointer,
                found: column.found,
                expected: column.expected,
                backends: column
                    .by
                    .into_iter()
                    .map(|index| self.name(slots, index))
                    .collect(),
                dropped: self.chain.table_guard == TableGuard::Drop,
            })
            .collect();
        self.merging.wrong_columns.extend(listed);
    }

    /// The name of the backend whose edits were merged at this index.
    fn name(&self, slots: &[usize], index: usize) -> Arc<str> {
        let call = slots.get(index).map(|slot| self.current.start + slot);
        call.and_then(|call| self.plan.backend(self.calls.get(call)?.backend))
            .map_or_else(|| "".into(), |backend| backend.name.clone())
    }

    /// Says in the records what each reply changed, where somebody wants to see that.
    fn list_changes(&mut self, document: &Document, edited: &[(usize, Edits)]) {
        if self.detail == Detail::Counted {
            return;
        }
        for (slot, edits) in edited {
            if let Some(record) = self.calls.get_mut(self.current.start + slot) {
                record.changes = changes(document, edits);
            }
        }
    }
}
