//! What folding a stage's edits takes of time and of memory, and what becomes of them where there is none.

use std::sync::Arc;

use bytes::Bytes;

use super::Tally;
use crate::failure::{Failure, FailureKind};
use crate::judge::Judgement;

impl Tally {
    /// How many bytes [`Tally::close_stage`] may have to go through.
    pub fn weight(&self) -> usize {
        if self.decision.is_some() {
            return 0;
        }
        let carrying = self.carrying().map(Judgement::body_len);
        let attached = self
            .attachments
            .iter()
            .map(|attachment| attachment.reply.body.len());
        // An echo holds nothing, and is folded all the same.
        let parts = carrying.chain(attached).reduce(|all, part| all + part);
        parts.map_or(0, |parts| self.base.bytes().len() + parts)
    }

    /// How many bytes [`Tally::close_stage`] makes at most: the base with everybody's edits in it.
    pub fn makes(&self) -> usize {
        if self.decision.is_some() {
            return 0;
        }
        let edits = self
            .judged
            .iter()
            .flatten()
            .filter_map(|judgement| match judgement {
                Judgement::Json {
                    edits: Some(edits), ..
                } if !edits.is_empty() => Some(edits.put()),
                _ => None,
            });
        let put = edits.reduce(usize::saturating_add);
        put.map_or(0, |put| self.base.bytes().len().saturating_add(put))
    }

    /// Puts the document into the keeping of `keep`, which gives the same bytes back, if closing the last stage has made
    /// it; says whether it has.
    pub fn keep_made(&mut self, keep: impl FnOnce(Bytes) -> Bytes) -> bool {
        // Nobody else has been shown it yet.
        if let (true, Some(base)) = (self.made, Arc::get_mut(&mut self.base)) {
            base.keep(keep);
        }
        self.made
    }

    /// What the stages have made of the document so far.
    pub fn document(&self) -> &Bytes {
        self.base.bytes()
    }

    /// There is no room for that: whoever edits in the current stage has failed, each by its own policy, as a reply for
    /// which there was none.
    pub fn finds_no_room(&mut self, why: &str) {
        let records = self.calls.get_mut(self.current.clone()).unwrap_or_default();
        for (record, judged) in records.iter_mut().zip(&mut self.judged) {
            let Some(Judgement::Json {
                reply,
                edits: Some(edits),
                ..
            }) = judged
            else {
                continue;
            };
            if edits.is_empty() {
                continue;
            }
            let failure = Failure::new(FailureKind::Overloaded, why.to_owned());
            let judgement = Judgement::Failed {
                status: Some(reply.status),
                failure,
            };
            record.edits = 0;
            record.fill(&judgement);
            *judged = Some(judgement);
        }
    }
}
