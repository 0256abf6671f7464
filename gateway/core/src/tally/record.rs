//! The record of one call, from its question to its judgement.

use std::time::Duration;

use crate::guards::{Denied, Power};
use crate::json::diff::Edits;
use crate::judge::{Judgement, Overreach};
use crate::outcome::{CallRecord, CallVerdict};
use crate::plan::BackendId;

// === impl CallRecord ===

impl CallRecord {
    /// A call that has no end yet; if nothing else ends it, a reject has cancelled it.
    pub(crate) fn unanswered(backend: BackendId, stage: usize) -> Self {
        Self {
            backend,
            verdict: CallVerdict::Cancelled,
            status: None,
            failure: None,
            stage,
            started: Duration::ZERO,
            took: Duration::ZERO,
            sent: 0,
            said: None,
            edits: 0,
            changes: Vec::new(),
            denied: Denied::default(),
            overreach: None,
            wrong_columns: 0,
            failed_open: false,
            not_an_object: false,
        }
    }

    /// Takes in what the call brought.
    pub(crate) fn fill(&mut self, judgement: &Judgement) {
        match judgement {
            Judgement::Nothing {
                status,
                not_an_object,
            } => {
                self.verdict = CallVerdict::Continue;
                self.status = Some(*status);
                self.not_an_object = *not_an_object;
            }
            Judgement::Json { reply, edits, denied } => {
                self.verdict = CallVerdict::Continue;
                self.status = Some(reply.status);
                self.edits = edits.as_ref().map_or(0, Edits::len);
                self.denied = denied.clone();
            }
            Judgement::Denied { status, what } => {
                self.status = Some(*status);
                self.overreach(what);
            }
            Judgement::Attachment(attachment) => {
                self.verdict = CallVerdict::Continue;
                self.status = Some(attachment.reply.status);
            }
            Judgement::Reject(reply) => {
                self.verdict = CallVerdict::Reject;
                self.status = Some(reply.status);
            }
            Judgement::Ignored { status } => {
                self.verdict = CallVerdict::Ignored;
                self.status = Some(*status);
            }
            Judgement::Skipped => self.verdict = CallVerdict::Skipped,
            Judgement::Failed { status, failure } => {
                self.verdict = CallVerdict::Failed;
                self.status = *status;
                self.failure = Some(Box::new(failure.clone()));
            }
        }
    }

    /// Takes in what it may not say. A refusal that is none is a status without a meaning.
    fn overreach(&mut self, what: &Overreach) {
        self.verdict = CallVerdict::Continue;
        match what {
            Overreach::Reject => {
                self.verdict = CallVerdict::Ignored;
                self.overreach = Some(Power::Reject);
            }
            Overreach::Attachment(kind) => self.overreach = Some((*kind).into()),
            Overreach::Json(denied) => self.denied = denied.clone(),
        }
    }
}
