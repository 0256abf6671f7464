//! What an observer is told of a hook beside its document: a JSON object whose last member is the document.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use koigate_core::hook::HookName;
use koigate_core::outcome::{CallRecord, HookVerdict, Outcome, Source};
use serde::Serialize;

use crate::milliseconds;
use crate::traces::moment;

/// The account of one hook, without its document.
#[derive(Debug)]
pub struct Account {
    /// A JSON object with its last brace left out.
    open: String,
}

/// What is written. The names are a contract with whoever counts.
#[derive(Debug, Serialize)]
struct Members<'a> {
    /// The hook's id.
    id: &'a str,
    /// Its kind.
    hook: &'a str,
    /// When it was answered, as RFC 3339 has it, in UTC.
    at: String,
    /// How long it took.
    ms: f64,
    /// continue, reject or error.
    verdict: &'static str,
    /// The status that the bot got.
    status: u16,
    /// Whose refusal it was, or whose failure; null where nobody refused, or nobody in particular.
    decided_by: Option<&'a str>,
    /// Each call, in configured order.
    backends: Vec<Call<'a>>,
    /// Places that two backends set to different values.
    conflicts: u64,
    /// Pictures that the answer carried.
    images: usize,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    name: &'a str,
    /// The first is 1.
    stage: usize,
    /// continue, reject, ignored, failed, skipped or cancelled.
    verdict: &'static str,
    /// null where there was no reply.
    status: Option<u16>,
    ms: f64,
    /// The kind of the failure, or null.
    failure: Option<&'static str>,
    /// How many places it edited.
    edits: usize,
}

// === impl Account ===

impl Account {
    /// Of a hook with this id that was answered with this status.
    pub fn of(id: &str, outcome: &Outcome, (took, status): (Duration, u16)) -> Self {
        let decided_by = match outcome.source {
            Source::Reject(call) | Source::FailedClosed(call) => outcome.calls.get(call),
            Source::Nothing | Source::Replies | Source::Conflict => None,
        };
        Self::write(&Members {
            id,
            hook: outcome.hook.as_str(),
            at: moment(SystemTime::now()),
            ms: milliseconds::to_a_hundredth(took),
            verdict: outcome.verdict().as_str(),
            status,
            decided_by: decided_by.map(|call| outcome.name(call)),
            backends: outcome.calls.iter().map(|call| Call::of(outcome, call)).collect(),
            conflicts: outcome.merging.conflicts,
            images: outcome.images,
        })
    }

    /// Of one whose task broke, so that nobody knows what the backends have said.
    pub fn of_broken(id: &str, hook: &HookName, (took, status): (Duration, u16)) -> Self {
        Self::write(&Members {
            id,
            hook: hook.as_str(),
            at: moment(SystemTime::now()),
            ms: milliseconds::to_a_hundredth(took),
            verdict: HookVerdict::Error.as_str(),
            status,
            decided_by: None,
            backends: Vec::new(),
            conflicts: 0,
            images: 0,
        })
    }

    fn write(members: &Members<'_>) -> Self {
        // Strings, numbers and lists of them: nothing here can't be written.
        let mut open = serde_json::to_string(members).unwrap_or_default();
        open.pop();
        Self { open }
    }

    /// How many bytes a notice with this document has.
    pub fn weight(&self, document: usize) -> usize {
        self.open.len() + MEMBER.len() + document + 1
    }

    /// The whole notice, with the document as it is spelled, or `null`; and where in it the document begins.
    pub fn with(&self, document: Option<&Bytes>) -> (Bytes, usize) {
        let before = [self.open.as_bytes(), MEMBER].concat();
        (around(&before, document), before.len())
    }
}

/// A notice with another document: this is where the one that it has begins.
pub(super) fn with_another(notice: &Bytes, begin: usize, document: Option<&Bytes>) -> Bytes {
    around(notice.get(..begin).unwrap_or_default(), document)
}

fn around(before: &[u8], document: Option<&Bytes>) -> Bytes {
    let document = document.map_or(&b"null"[..], |document| document);
    [before, document, b"}"].concat().into()
}

/// What stands before the document.
const MEMBER: &[u8] = b",\"document\":";

// === impl Call ===

impl<'a> Call<'a> {
    fn of(outcome: &'a Outcome, call: &CallRecord) -> Self {
        Self {
            name: outcome.name(call),
            stage: call.stage + 1,
            verdict: call.verdict.as_str(),
            status: call.status,
            ms: milliseconds::to_a_hundredth(call.took),
            failure: call.failure.as_ref().map(|failure| failure.kind.as_str()),
            edits: call.edits,
        }
    }
}
