//! A trace as it is shown: the JSON of `/traces` and `koigate explain --json`, which `koigate traces` reads back.
//!
//! No text that a backend wrote for a user stands in it, and of documents nothing that is hidden: neither in what the
//! bot posted nor in the beginnings of what backends changed.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use koigate_core::changes;
use koigate_core::guards::{Guards, Sight};
use koigate_core::outcome::{self, CallRecord, Outcome, Source};
use koigate_core::plan::Plan;
use koigate_core::pointer::Pointer;
use koigate_core::view::{Base, View};
use serde::{Deserialize, Serialize};

use super::{Finished, Shadow};
use crate::milliseconds;

/// One hook in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its id, which the answer carried as `X-Request-Id`.
    pub id: String,
    /// When it was answered, RFC 3339 in UTC.
    pub at: String,
    /// Its kind.
    pub hook: String,
    /// How it ended: continue, reject or error.
    pub verdict: String,
    /// Milliseconds from its last byte to its answer.
    pub ms: f64,
    /// The status of the answer.
    pub status: u16,
    /// `blacklist=continue points=failed`, in configured order.
    pub backends: String,
}

/// Everything that is remembered of one hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The same in a line.
    #[serde(flatten)]
    pub summary: Summary,
    /// Where the answer comes from, in words.
    pub source: String,
    /// What the bot got.
    pub answer: Answered,
    /// Every call, in configured order.
    pub calls: Vec<Call>,
    /// How many places two backends of a stage set to different values.
    pub conflicts: u64,
    /// The first of them.
    pub conflicts_listed: Vec<Conflict>,
    /// Columns of `result` that would have the wrong length.
    pub wrong_columns: Vec<WrongColumn>,
    /// Attachments that the answer does not carry.
    pub dropped: Vec<Dropped>,
    /// What the hook's shadows would have done, as far as that is known by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<Shadow>,
    /// What the bot posted, without what is hidden; none where it was too large to keep, or is no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// What the bot got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`; empty where there is none.
    pub content_type: String,
    /// The length of its body.
    pub bytes: usize,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Whom it asked.
    pub backend: String,
    /// In which stage, the first being 1.
    pub stage: usize,
    /// How it ended: continue, reject, ignored, failed, skipped or cancelled.
    pub verdict: String,
    /// Milliseconds from the beginning of the hook to its start.
    pub start_ms: f64,
    /// Milliseconds from its start to its verdict.
    pub ms: f64,
    /// How many bytes it was sent.
    pub sent_bytes: usize,
    /// What it was sent, whole: in `koigate explain` alone, since a gateway keeps no document but the posted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// The places that were hidden from it, as its configuration names them.
    pub hidden: Vec<String>,
    /// The only places that it was shown, where it was not shown all.
    pub shown: Vec<String>,
    /// The status of the reply, if there was one.
    pub status: Option<u16>,
    /// The reply's `Content-Type`, where it carried something.
    pub content_type: Option<String>,
    /// The length of the reply's body, where it carried something.
    pub reply_bytes: Option<usize>,
    /// Why there was no usable reply.
    pub failure: Option<Failure>,
    /// How many places it changed.
    pub edits: usize,
    /// The first of them.
    pub changes: Vec<Change>,
    /// How many places it tried to change and may not.
    pub denied: usize,
    /// The first of them, as JSON Pointers (RFC 6901).
    pub denied_places: Vec<String>,
    /// What it answered and may not: reject, json, image, text or file.
    pub overreach: Option<String>,
}

/// Why there was no usable reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Who is at fault, as in `koigate_backend_failures_total`.
    pub kind: String,
    /// What happened.
    pub detail: String,
    /// What the backend's policy made of it: continue or reject; none for a shadow.
    pub policy: String,
}

/// One place that a backend changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The place, as JSON Pointer (RFC 6901).
    pub at: String,
    /// added, appended or replaced.
    pub kind: String,
    /// The beginning of what stands there now; none where the place is hidden.
    pub value: Option<String>,
    /// How long that is in whole.
    pub bytes: usize,
}

/// One place that two backends of a stage set to different values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// The place, as JSON Pointer (RFC 6901).
    pub at: String,
    /// The earlier in configured order.
    pub first: String,
    /// The later.
    pub second: String,
}

/// A column of `result` that would not be as long as its names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WrongColumn {
    /// Where it is, as JSON Pointer (RFC 6901).
    pub at: String,
    /// How many elements it would have; none where it would be no array.
    pub found: Option<usize>,
    /// How many names there are.
    pub expected: usize,
    /// Who added or edited it.
    pub backends: Vec<String>,
    /// Whether it was left out.
    pub dropped: bool,
}

/// An attachment that the answer does not carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// Whose it is.
    pub backend: String,
    /// image, text or file.
    pub kind: String,
    /// Why.
    pub reason: String,
}

// === impl Summary ===

impl Summary {
    pub(super) fn of(hook: &Finished) -> Self {
        Self {
            id: hook.id.to_string(),
            at: moment(hook.at),
            hook: hook.outcome.hook.as_str().to_owned(),
            verdict: hook.outcome.verdict().as_str().to_owned(),
            ms: milliseconds::to_a_hundredth(hook.took),
            status: hook.answered.status,
            backends: backends(&hook.outcome),
        }
    }
}

fn backends(outcome: &Outcome) -> String {
    let of = |call: &CallRecord| format!("{}={}", outcome.name(call), call.verdict);
    outcome.calls.iter().map(of).collect::<Vec<_>>().join(" ")
}

// === impl Trace ===

impl Trace {
    /// All that is known of a hook, but for the values at places that are hidden, above them or below them.
    pub fn of(hook: &Finished, hidden: &[Pointer]) -> Self {
        let outcome = &hook.outcome;
        Self {
            summary: Summary::of(hook),
            source: source(outcome),
            answer: hook.answered.clone(),
            calls: outcome
                .calls
                .iter()
                .map(|call| Call::of(call, &outcome.plan, hidden))
                .collect(),
            conflicts: outcome.merging.conflicts,
            conflicts_listed: outcome
                .merging
                .listed
                .iter()
                .map(|conflict| Conflict {
                    at: conflict.pointer.clone(),
                    first: conflict.first.to_string(),
                    second: conflict.second.to_string(),
                })
                .collect(),
            wrong_columns: outcome
                .merging
                .wrong_columns
                .iter()
                .map(WrongColumn::of)
                .collect(),
            dropped: outcome
                .dropped
                .iter()
                .map(|dropped| Dropped {
                    backend: dropped.backend.to_string(),
                    kind: dropped.kind.as_str().to_owned(),
                    reason: dropped.reason.as_str().to_owned(),
                })
                .collect(),
            shadows: Vec::new(),
            document: None,
        }
    }

    /// With what the bot posted, as far as it is not hidden.
    pub(super) fn with_document(self, document: Bytes, hidden: &[Pointer]) -> Self {
        let sight = match hidden {
            [] => Sight::Whole,
            hidden => Sight::Hide(hidden.to_vec()),
        };
        let guards = Guards {
            sight,
            ..Guards::default()
        };
        let base = Arc::new(Base::new(document));
        let seen = base.document().and_then(|_| View::new(&base, &guards));
        let document = seen.map(|view| String::from_utf8_lossy(view.bytes()).into_owned());
        Self { document, ..self }
    }
}

fn source(outcome: &Outcome) -> String {
    let name = |index: &usize| outcome.calls.get(*index).map_or("", |call| outcome.name(call));
    match &outcome.source {
        Source::Nothing => "nobody had anything to say".to_owned(),
        Source::Replies => "what the backends carry".to_owned(),
        Source::Reject(call) => format!("the reject of {}", name(call)),
        Source::FailedClosed(call) => format!("the failure of {}, whose policy is to refuse", name(call)),
        Source::Conflict => "a conflict, where on_conflict is \"reject\"".to_owned(),
    }
}

// === impl Call ===

impl Call {
    pub(super) fn of(call: &CallRecord, plan: &Plan, hidden: &[Pointer]) -> Self {
        let texts = |places: &[Pointer]| places.iter().map(ToString::to_string).collect();
        let (kept_back, shown) = match plan.backend(call.backend).map(|backend| &backend.guards.sight) {
            Some(Sight::Hide(places)) => (texts(places), Vec::new()),
            Some(Sight::Show(places)) => (Vec::new(), texts(places)),
            Some(Sight::Whole) | None => (Vec::new(), Vec::new()),
        };
        let policy = if call.failed_open { "continue" } else { "reject" };
        Self {
            backend: call.name(plan).to_owned(),
            stage: call.stage + 1,
            verdict: call.verdict.as_str().to_owned(),
            start_ms: milliseconds::to_a_hundredth(call.started),
            ms: milliseconds::to_a_hundredth(call.took),
            sent_bytes: call.sent,
            sent: None,
            hidden: kept_back,
            shown,
            status: call.status,
            content_type: call.said.as_ref().map(|said| said.content_type.clone()),
            reply_bytes: call.said.as_ref().map(|said| said.length),
            failure: call.failure.as_ref().map(|failure| Failure {
                kind: failure.kind.as_str().to_owned(),
                detail: failure.detail.to_string(),
                policy: policy.to_owned(),
            }),
            edits: call.edits,
            changes: call
                .changes
                .iter()
                .map(|change| Change::of(change, hidden))
                .collect(),
            denied: call.denied.count,
            denied_places: call.denied.places.clone(),
            overreach: call.overreach.map(|power| power.as_str().to_owned()),
        }
    }
}

// === impl WrongColumn ===

impl WrongColumn {
    fn of(column: &outcome::WrongColumn) -> Self {
        Self {
            at: column.pointer.clone(),
            found: column.found,
            expected: column.expected,
            backends: column.backends.iter().map(ToString::to_string).collect(),
            dropped: column.dropped,
        }
    }
}

// === impl Change ===

impl Change {
    pub(super) fn of(change: &changes::Change, hidden: &[Pointer]) -> Self {
        let value = (!is_hidden(&change.pointer, hidden)).then(|| change.value.clone());
        Self {
            at: change.pointer.clone(),
            kind: change.kind.as_str().to_owned(),
            value,
            bytes: change.length,
        }
    }
}

/// Whether what stands at this place is hidden or holds something hidden. A place whose pointer can't be told is.
fn is_hidden(pointer: &str, hidden: &[Pointer]) -> bool {
    Pointer::parse(pointer).map_or(true, |place| hidden.iter().any(|hidden| hidden.meets(&place)))
}

/// RFC 3339 in UTC; empty for a time that has none.
pub(crate) fn moment(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}
