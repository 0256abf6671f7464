//! What the guard of the table makes of the edits that stand.

use super::{LISTED, Merge, MisfitColumn, Misfits};
use crate::json::locate::push_segment;
use crate::json::splice::Change;
use crate::plan::TableGuard;
use crate::table::{Misfit, Table};

impl<'a> Merge<'a> {
    /// Finds the columns of the wrong length, and lets none of the edits stand that make them so where that is the rule.
    /// There are `backends` whose edits are merged.
    pub(super) fn guard(&mut self, rule: TableGuard, backends: usize) -> Misfits {
        let table = match rule {
            TableGuard::Report | TableGuard::Drop if !self.standing.is_empty() => Table::of(self.base),
            _ => None,
        };
        let Some(table) = table else {
            return Misfits::default();
        };
        let changes: Vec<Change<'a>> = self.changes().collect();
        let found = table.misfits(&changes);
        let misfits = self.name(&found, backends);
        if rule == TableGuard::Drop {
            self.drop(&found);
        }
        misfits
    }

    fn name(&self, found: &[Misfit<'_>], backends: usize) -> Misfits {
        let mut misfits = Misfits {
            counts: vec![0; backends],
            listed: Vec::new(),
        };
        for misfit in found {
            let pieces = self.standing.get(misfit.changes.clone()).unwrap_or_default();
            let mut by: Vec<usize> = pieces.iter().map(|piece| piece.by as usize).collect();
            by.sort_unstable();
            by.dedup();
            for &backend in &by {
                if let Some(count) = misfits.counts.get_mut(backend) {
                    *count += 1;
                }
            }
            if misfits.listed.len() < LISTED {
                let mut pointer = String::from("/result");
                push_segment(&mut pointer, misfit.key);
                let (found, expected) = (misfit.found, misfit.expected);
                misfits.listed.push(MisfitColumn {
                    pointer,
                    found,
                    expected,
                    by,
                });
            }
        }
        misfits
    }

    fn drop(&mut self, found: &[Misfit<'_>]) {
        let mut dropped = found.iter().flat_map(|misfit| misfit.changes.clone()).peekable();
        let mut index = 0;
        self.standing.retain(|_| {
            let stands = dropped.next_if_eq(&index).is_none();
            index += 1;
            stands
        });
    }
}
