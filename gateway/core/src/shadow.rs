//! What shadows would have done, compared with what happened (gateway.md section 7).
//!
//! A shadow is asked what the first stage is asked, and has no vote. It agrees with a hook that it would have left as
//! it is: both refuse, or neither does and the answer has all that the shadow carries. What the chain edited and the
//! shadow did not is no disagreement, since an absent edit undoes nobody's (section 4); a refusal that the shadow
//! would not have given is one, or a blacklist that lets everybody pass would look like a perfect copy.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::attachment::{Attachment, AttachmentKind};
use crate::changes::{Change, changes};
use crate::failure::FailureKind;
use crate::json::Document;
use crate::json::diff::{Echoes, Edits, diff};
use crate::judge::{Judgement, Request, unasked};
use crate::merge::merge_guarded;
use crate::outcome::{CallRecord, CallVerdict, HookVerdict, Said};
use crate::plan::{BackendId, Chain, OnConflict, Plan, TableGuard};
use crate::tally::Requests;
use crate::view::{Base, Views};

/// What a shadow would have done: the `would` label of `koigate_shadow_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Would {
    /// What happened.
    Agree,
    /// Refuse a hook that was not refused.
    Reject,
    /// Change what the bot got: the document, an attachment more, or a refusal that it would not have given.
    Change,
    /// Nothing usable: it failed.
    Fail,
}

/// What a chain has made of a hook, held only until its [`Gist`] is taken.
#[derive(Debug, Clone)]
pub struct Happened {
    /// How the hook ended.
    pub verdict: HookVerdict,
    /// The document as the chain has left it.
    pub document: Arc<Base>,
    /// What the replies carry for the user.
    pub attachments: Vec<Attachment>,
    /// The JSON that is the answer as it came, where what was posted does not parse.
    pub alone: Option<Bytes>,
}

/// As much of what happened as a comparison needs: what was edited, and of attachments how to know them again.
#[derive(Debug)]
pub struct Gist {
    verdict: HookVerdict,
    /// What the chain changed of what was posted; none where that does not parse.
    edits: Option<Edits>,
    attached: Vec<(AttachmentKind, Print)>,
    alone: Option<Print>,
}

/// How a body is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    length: usize,
    hash: u64,
}

/// The shadows of one hook.
#[derive(Debug)]
pub struct Shadows {
    base: Arc<Base>,
    guard: TableGuard,
    /// By slot, in configured order.
    calls: Vec<CallRecord>,
}

/// What is asked of shadows.
#[derive(Debug)]
pub struct Opened {
    /// The questions, in configured order.
    pub requests: Requests,
    /// Those that are not asked, by slot, and as what their calls end.
    pub unasked: Vec<(usize, Judgement)>,
}

/// What one shadow would have done.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its call. What it edits of what was posted is counted there; `changes` are listed below.
    pub call: CallRecord,
    /// What it would have done; none where a condition or the gateway's limits kept it from being asked.
    pub would: Option<Would>,
    /// How many places of the answer's document would be different.
    pub differences: usize,
    /// The first of them.
    pub changes: Vec<Change>,
}

// === impl Shadows ===

impl Shadows {
    /// Opens the calls to a chain's shadows about what was posted. Linear in that where one of them has conditions or
    /// guards.
    pub fn open(plan: &Arc<Plan>, chain: &Chain, posted: Bytes) -> (Self, Opened) {
        let mut shadows = Self {
            base: Arc::new(Base::new(posted)),
            guard: chain.table_guard,
            calls: Vec::with_capacity(chain.shadows.len()),
        };
        let mut opened = Opened {
            requests: Requests {
                plan: plan.clone(),
                asked: Vec::new(),
            },
            unasked: Vec::new(),
        };
        let mut views = Views::new(shadows.base.clone());
        let backends = chain.shadows.iter();
        for (slot, (id, backend)) in backends
            .filter_map(|&id| Some((id, plan.backend(id)?)))
            .enumerate()
        {
            let mut record = CallRecord::unanswered(id, 0);
            let view = match unasked(backend, &shadows.base) {
                Some(end) => Err(end),
                None => views.of(&backend.guards).map_err(Judgement::unasked),
            };
            match view {
                Ok(view) => {
                    record.sent = view.bytes().len();
                    opened.requests.asked.push(Request { slot, id, view });
                }
                Err(end) => opened.unasked.push((slot, end)),
            }
            shadows.calls.push(record);
        }
        (shadows, opened)
    }

    /// How many bytes [`Shadows::open`] may have to go through.
    pub fn opening_weight(plan: &Plan, chain: &Chain, posted: &Bytes) -> usize {
        let mut backends = chain.shadows.iter().filter_map(|&id| plan.backend(id));
        if backends.any(|backend| !backend.when.is_empty() || backend.guards.look_into_documents()) {
            posted.len()
        } else {
            0
        }
    }

    /// What was posted, as the shadows are compared with it.
    pub fn base(&self) -> &Arc<Base> {
        &self.base
    }

    /// Whose call this slot is.
    pub fn backend(&self, slot: usize) -> Option<BackendId> {
        self.calls.get(slot).map(|call| call.backend)
    }

    /// How many bytes [`Shadows::find`] may have to go through.
    pub fn weight(&self, judgement: &Judgement, gist: &Gist) -> usize {
        let own = match judgement {
            Judgement::Json {
                edits: Some(edits), ..
            } if !edits.is_empty() => edits.held(),
            Judgement::Attachment(Attachment { reply, .. })
            | Judgement::Json {
                reply, edits: None, ..
            } => {
                return reply.body.len();
            }
            _ => return 0,
        };
        // Base, what the chain made of it, and what both make of it.
        3 * (self.base.bytes().len() + gist.held()) + own
    }

    /// What the shadow of this slot would have done; none for a slot that there isn't. Linear in what was posted and
    /// in the edits.
    pub fn find(
        &self,
        (slot, judgement): (usize, &Judgement),
        took: Duration,
        gist: &Gist,
    ) -> Option<Finding> {
        let mut call = self.calls.get(slot)?.clone();
        call.fill(judgement);
        call.took = took;
        call.said = judgement.reply().map(|reply| Box::new(Said::of(reply)));
        let (would, edits) = self.compare(judgement, gist);
        let mut finding = Finding {
            call,
            would,
            differences: 0,
            changes: Vec::new(),
        };
        if let Some((document, edits)) = edits {
            finding.differences = edits.len();
            finding.changes = changes(&document, &edits);
        }
        Some(finding)
    }

    /// What it would have done, and the edits of the answer's document that it would have made.
    fn compare(&self, judgement: &Judgement, gist: &Gist) -> (Option<Would>, Option<(Document, Edits)>) {
        let refused = gist.verdict != HookVerdict::Continue;
        let would = match judgement {
            Judgement::Skipped => return (None, None),
            // The gateway's own limits say nothing of the shadow.
            Judgement::Failed { failure, .. } if failure.kind == FailureKind::Overloaded => {
                return (None, None);
            }
            Judgement::Failed { .. } => Would::Fail,
            Judgement::Reject(_) if refused => Would::Agree,
            Judgement::Reject(_) => Would::Reject,
            _ if refused => Would::Change,
            Judgement::Nothing { .. } | Judgement::Denied { .. } | Judgement::Ignored { .. } => Would::Agree,
            Judgement::Attachment(attachment) if gist.attached.contains(&known(attachment)) => Would::Agree,
            // Where nothing can be compared the last JSON reply is the answer, whole.
            Judgement::Json {
                reply, edits: None, ..
            } if gist.alone == Some(Print::of(&reply.body)) => Would::Agree,
            Judgement::Attachment(_) | Judgement::Json { edits: None, .. } => Would::Change,
            Judgement::Json {
                edits: Some(edits), ..
            } => {
                let different = self.different(edits, gist);
                let would = different.as_ref().map_or(Would::Agree, |_| Would::Change);
                return (Some(would), different);
            }
        };
        (Some(would), None)
    }

    /// What these edits change of the document that the chain has left: that document, and the edits of it. None where
    /// they change nothing.
    fn different(&self, edits: &Edits, gist: &Gist) -> Option<(Document, Edits)> {
        // Edits come only from a base that parses.
        let base = self.base.document()?;
        if edits.is_empty() {
            return None;
        }
        let guard = match self.guard {
            TableGuard::Drop => TableGuard::Drop,
            TableGuard::Report | TableGuard::Off => TableGuard::Off,
        };
        let none = Edits::default();
        let before = gist.edits.as_ref().unwrap_or(&none);
        let left = merge_guarded(base, &[before], OnConflict::Last, TableGuard::Off).document;
        let both = merge_guarded(base, &[before, edits], OnConflict::Last, guard).document?;
        let left = left.unwrap_or_else(|| base.clone());
        let reply = both.bytes().clone();
        // What a merge writes parses.
        let edits = diff(&left, reply, &mut Echoes::default()).ok()?.edits;
        (!edits.is_empty()).then_some((left, edits))
    }
}

// === impl Gist ===

impl Gist {
    /// The gist of what happened to what was posted as `base`. Linear in both documents.
    pub fn of(base: &Base, happened: &Happened) -> Self {
        Self {
            verdict: happened.verdict,
            edits: edits(base, &happened.document),
            attached: happened.attachments.iter().map(known).collect(),
            alone: happened.alone.as_deref().map(Print::of),
        }
    }

    /// How many bytes [`Gist::of`] may have to go through.
    pub fn weight(base: &Base, happened: &Happened) -> usize {
        let attached = happened
            .attachments
            .iter()
            .map(|attachment| attachment.reply.body.len());
        let alone = happened.alone.as_ref().map_or(0, Bytes::len);
        base.bytes().len() + happened.document.bytes().len() + attached.sum::<usize>() + alone
    }

    /// How the hook ended.
    pub fn verdict(&self) -> HookVerdict {
        self.verdict
    }

    /// How many bytes it holds on to.
    pub fn held(&self) -> usize {
        self.edits.as_ref().map_or(0, Edits::held)
    }
}

/// What the chain changed, holding on to no more than that.
fn edits(base: &Base, after: &Base) -> Option<Edits> {
    if base.bytes() == after.bytes() {
        return Some(Edits::default());
    }
    let document = base.document()?;
    let diff = diff(document, after.bytes().clone(), &mut Echoes::default()).ok()?;
    Some(diff.edits.copied())
}

// === impl Print ===

fn known(attachment: &Attachment) -> (AttachmentKind, Print) {
    (attachment.kind, Print::of(&attachment.reply.body))
}

impl Print {
    fn of(body: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(body);
        Self {
            length: body.len(),
            hash: hasher.finish(),
        }
    }
}

// === impl Finding ===

impl Finding {
    /// Whether the gateway's limits have kept it from being asked, or its reply from being taken in.
    pub fn is_dropped(&self) -> bool {
        self.would.is_none() && self.call.verdict == CallVerdict::Failed
    }
}

// === impl Would ===

impl Would {
    /// Everything that a shadow would have done, in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Agree, Self::Reject, Self::Change, Self::Fail];

    /// The word used in metrics, traces and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Reject => "reject",
            Self::Change => "change",
            Self::Fail => "fail",
        }
    }
}
