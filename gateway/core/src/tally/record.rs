//! The record of one call, from its question to its judgement.

use std::time::Duration;

use crate::json::diff::Edits;
use crate::judge::{Judgement, Request};
use crate::outcome::{CallRecord, CallVerdict};

// === impl CallRecord ===

impl CallRecord {
    /// A call that has no end yet; if nothing else ends it, a reject has cancelled it.
    pub(super) fn unanswered(request: &Request, stage: usize) -> Self {
        Self {
            backend: request.id,
            name: request.backend.name.clone(),
            verdict: CallVerdict::Cancelled,
            status: None,
            failure: None,
            stage,
            started: Duration::ZERO,
            took: Duration::ZERO,
            sent: request.view.bytes().len(),
            said: None,
            edits: 0,
            changes: Vec::new(),
            failed_open: false,
            not_an_object: false,
        }
    }

    /// Takes in what the call brought.
    pub(super) fn fill(&mut self, judgement: &Judgement) {
        match judgement {
            Judgement::Nothing {
                status,
                not_an_object,
            } => {
                self.verdict = CallVerdict::Continue;
                self.status = Some(*status);
                self.not_an_object = *not_an_object;
            }
            Judgement::Json { reply, edits } => {
                self.verdict = CallVerdict::Continue;
                self.status = Some(reply.status);
                self.edits = edits.as_ref().map_or(0, Edits::len);
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
                self.failure = Some(failure.clone());
            }
        }
    }
}
