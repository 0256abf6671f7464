//! Everything that happened to a hook. The log line, the metrics and `Server-Timing` are read from this, and
//! from nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::attachment::{AttachmentKind, Dropped};
use crate::changes::{Change, EXCERPT, excerpt};
use crate::failure::Failure;
use crate::guards::{Denied, Power};
use crate::hook::HookName;
use crate::plan::{BackendId, Plan};
use crate::reply::{Media, Reply};

/// Everything that happened to one hook.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What it ran on.
    pub plan: Arc<Plan>,
    /// Its kind.
    pub hook: HookName,
    /// Where the answer comes from.
    pub source: Source,
    /// The calls of every stage that was reached, in configured order.
    pub calls: Vec<CallRecord>,
    /// What the merges did.
    pub merging: Merging,
    /// Pictures that backends sent and that the answer carries, drawn or as they are.
    pub images: usize,
    /// Attachments that the answer could not carry.
    pub dropped: Vec<Dropped>,
}

/// One call, once it is over.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// Whom it asked, of the plan that the hook ran on.
    pub backend: BackendId,
    /// How it ended.
    pub verdict: CallVerdict,
    /// The status of the reply, if there was one.
    pub status: Option<u16>,
    /// Why there was no usable reply.
    pub failure: Option<Box<Failure>>,
    /// In which stage of the chain, the first being 0.
    pub stage: usize,
    /// From the beginning of the hook to the start of the call.
    pub started: Duration,
    /// From the start of the call to its verdict.
    pub took: Duration,
    /// How many bytes it was sent.
    pub sent: usize,
    /// What it said, where that was more than a status.
    pub said: Option<Box<Said>>,
    /// How many places it edited.
    pub edits: usize,
    /// The first of them, where somebody wants to see them.
    pub changes: Vec<Change>,
    /// What it tried to edit besides, and may not.
    pub denied: Denied,
    /// What it answered and may not answer.
    pub overreach: Option<Power>,
    /// How many columns of `result` would have the wrong length through it.
    pub wrong_columns: u64,
    /// It failed, and its policy let the hook go on.
    pub failed_open: bool,
    /// It returned JSON that is no object, which carries nothing and is probably a mistake.
    pub not_an_object: bool,
}

/// What a reply carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its `Content-Type`, as far as it is readable; empty where there is none.
    pub content_type: String,
    /// How long its body is, in bytes.
    pub length: usize,
    /// The beginning of a text that the user reads, decoded: [`EXCERPT`] bytes at most. Empty for what is no text.
    pub text: String,
}

/// How a call ended: the `verdict` label of `koigate_backend_calls_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallVerdict {
    /// Go on.
    Continue,
    /// Refuse.
    Reject,
    /// A status that means nothing to the bot.
    Ignored,
    /// No usable reply.
    Failed,
    /// Not asked, since a condition does not hold.
    Skipped,
    /// Without a say any more: another reject had already decided.
    Cancelled,
}

/// How a hook ended: the `verdict` label of `koigate_hooks_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookVerdict {
    /// The bot goes on.
    Continue,
    /// A backend refused.
    Reject,
    /// Koigate itself refused: a failure's policy, a conflict, a fault of its own.
    Error,
}

/// Where the one answer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody had anything to say: 204.
    Nothing,
    /// What the backends carry, alone or together.
    Replies,
    /// The reject of the call at this index of [`Outcome::calls`].
    Reject(usize),
    /// The failure of the call at this index, whose policy is to refuse.
    FailedClosed(usize),
    /// A conflict, where `on_conflict` is `"reject"`.
    Conflict,
}

/// What the merges of a hook did.
#[derive(Debug, Clone, Default)]
pub struct Merging {
    /// Stages whose edits were folded into their base.
    pub merges: u64,
    /// Places that two backends of a stage set to different values.
    pub conflicts: u64,
    /// The first of them, for the log.
    pub listed: Vec<Disagreement>,
    /// The first columns of `result` that were added or edited and that are not as long as the names of the nodes.
    pub wrong_columns: Vec<WrongColumn>,
    /// Stages with JSON replies that could not be compared, because what they were sent does not parse.
    pub failures: u64,
}

/// One conflict, with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The place, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// The earlier of the two in configured order.
    pub first: Arc<str>,
    /// The later.
    pub second: Arc<str>,
}

/// A column of `result` that is shorter or longer than the names of the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongColumn {
    /// Where it is, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// How many elements it would have; none where it would be no array any more.
    pub found: Option<usize>,
    /// How many names there are.
    pub expected: usize,
    /// Who added or edited it, in configured order.
    pub backends: Vec<Arc<str>>,
    /// Whether it stays as the stage was sent it, or is left out.
    pub dropped: bool,
}

/// The most columns of the wrong length that one hook lists.
pub const LISTED_COLUMNS: usize = 32;

/// The most conflicts that one hook lists (gateway.md section 4).
pub const LISTED_CONFLICTS: usize = 32;

// === impl Said ===

impl Said {
    /// What this reply carries.
    pub fn of(reply: &Reply) -> Self {
        let is_text = match reply.status {
            200 => reply.media() == Media::Text,
            _ => matches!(reply.media(), Media::Text | Media::Other | Media::Json),
        };
        let label = reply.content_type.as_deref().unwrap_or_default();
        Self {
            content_type: excerpt(&String::from_utf8_lossy(label)),
            length: reply.body.len(),
            text: if is_text {
                // Of four bytes there is at least one of text.
                excerpt(&reply.beginning(4 * EXCERPT))
            } else {
                String::new()
            },
        }
    }
}

// === impl CallRecord ===

impl CallRecord {
    /// The name of the backend that it asked, in the plan that its hook ran on.
    pub fn name<'p>(&self, plan: &'p Plan) -> &'p str {
        plan.backend(self.backend).map_or("", |backend| &backend.name)
    }
}

// === impl Outcome ===

impl Outcome {
    /// The name of the backend that this call of it asked.
    pub fn name(&self, call: &CallRecord) -> &str {
        call.name(&self.plan)
    }

    /// The same, once it is known which attachments the answer could not carry.
    #[must_use]
    pub fn without(mut self, dropped: Vec<Dropped>) -> Self {
        let pictures = dropped
            .iter()
            .filter(|dropped| dropped.kind == AttachmentKind::Image)
            .count();
        self.images = self.images.saturating_sub(pictures);
        self.dropped = dropped;
        self
    }

    /// How the hook ended.
    pub fn verdict(&self) -> HookVerdict {
        match self.source {
            Source::Nothing | Source::Replies => HookVerdict::Continue,
            Source::Reject(_) => HookVerdict::Reject,
            Source::FailedClosed(_) | Source::Conflict => HookVerdict::Error,
        }
    }
}

// === impl CallVerdict ===

impl CallVerdict {
    /// Every verdict, in the order of the contract.
    pub const ALL: [Self; 6] = [
        Self::Continue,
        Self::Reject,
        Self::Ignored,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// The word used in metrics, logs and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Reject => "reject",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for CallVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl HookVerdict ===

impl HookVerdict {
    /// Every verdict, in the order of the contract.
    pub const ALL: [Self; 3] = [Self::Continue, Self::Reject, Self::Error];

    /// The word used in metrics, logs and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Reject => "reject",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for HookVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
