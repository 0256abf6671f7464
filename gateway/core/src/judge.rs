//! What one reply means, by itself: the protocol's table, and for JSON the comparison with what was sent.
//!
//! Judging is independent of every other reply, so that it can run as replies arrive, on any thread.

use bytes::Bytes;

use crate::attachment::{Attachment, AttachmentKind};
use crate::condition::all_hold;
use crate::failure::{Failure, FailureKind};
use crate::guards::{Denied, Guards, Power};
use crate::json::diff::{Edits, Shape};
use crate::plan::{Backend, BackendId};
use crate::reply::Reply;
use crate::verdict::{Class, classify};
use crate::view::{Base, Compared, View};

/// Edits up to this size, in bytes, are copied out of a reply that is not needed otherwise.
const LITTLE: usize = 128 * 1024;

/// One question to one backend.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which of its stage's calls it is.
    pub slot: usize,
    /// Whom.
    pub id: BackendId,
    /// What it is sent.
    pub view: View,
}

/// What one reply, or its absence, means: the verdict and what it carries.
#[derive(Debug)]
pub enum Judgement {
    /// Go on, nothing carried.
    Nothing {
        /// The status it came with.
        status: u16,
        /// JSON that parses but is no object.
        not_an_object: bool,
    },
    /// Go on, with JSON.
    Json {
        /// The reply, as it came; without its body once nothing but its edits can be of use.
        reply: Reply,
        /// What it edits; `None` where what was sent does not parse.
        edits: Option<Edits>,
        /// What it tried to edit besides, and may not.
        denied: Denied,
    },
    /// Something that its backend may not say, and has not said.
    Denied {
        /// The status it came with.
        status: u16,
        /// What.
        what: Overreach,
    },
    /// Go on, with something for the user.
    Attachment(Attachment),
    /// Refuse.
    Reject(Reply),
    /// A status that means nothing.
    Ignored {
        /// The status.
        status: u16,
    },
    /// Not asked: a condition does not hold.
    Skipped,
    /// No usable reply.
    Failed {
        /// The status, where there was a reply at all.
        status: Option<u16>,
        /// Why it is none.
        failure: Failure,
    },
}

/// What a backend answered beyond its powers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overreach {
    /// A refusal.
    Reject,
    /// Edits, of whatever.
    Json(Denied),
    /// Something for the user.
    Attachment(AttachmentKind),
}

/// Judges one reply of the backend that was asked: the protocol's table, then for JSON the comparison with what was
/// sent. Linear in both, and independent of every other reply.
pub fn judge(backend: &Backend, request: &Request, brought: Result<Reply, Failure>) -> Judgement {
    let reply = match brought {
        Ok(reply) => reply,
        Err(failure) => {
            return Judgement::Failed {
                status: None,
                failure,
            };
        }
    };
    let status = reply.status;
    let Guards { may, .. } = &backend.guards;
    match classify(&reply, &backend.failure_statuses) {
        Err(failure) => Judgement::Failed {
            status: Some(status),
            failure,
        },
        Ok(Class::Continue) => Judgement::Nothing {
            status,
            not_an_object: false,
        },
        Ok(Class::Ignored) => Judgement::Ignored { status },
        Ok(Class::Reject) if !may.allow(Power::Reject) => Judgement::Denied {
            status,
            what: Overreach::Reject,
        },
        Ok(Class::Reject) => Judgement::Reject(reply),
        Ok(Class::Attachment(kind)) if !may.allow(kind.into()) => Judgement::Denied {
            status,
            what: Overreach::Attachment(kind),
        },
        Ok(Class::Attachment(kind)) => Judgement::Attachment(Attachment {
            backend: backend.name.clone(),
            kind,
            reply,
        }),
        Ok(Class::Json) => judge_json(&request.view, &backend.guards, reply),
    }
}

/// What the call of a backend ends as that is not asked about this base, if it is not: its conditions don't hold, or
/// can't be tested. Linear in the base where it has conditions.
pub fn unasked(backend: &Backend, base: &Base) -> Option<Judgement> {
    if backend.when.is_empty() {
        return None;
    }
    let Some(document) = base.document() else {
        let detail = "the document does not parse, so that no condition can be tested";
        return Some(Judgement::unasked(Failure::new(FailureKind::Condition, detail)));
    };
    (!all_hold(&backend.when, document)).then_some(Judgement::Skipped)
}

/// How many bytes [`judge`] may have to go through: what decides whether it leaves the thread.
pub fn weight(backend: &Backend, request: &Request, brought: &Result<Reply, Failure>) -> usize {
    match brought {
        Ok(reply) if matches!(classify(reply, &backend.failure_statuses), Ok(Class::Json)) => {
            request.view.bytes().len() + reply.body.len()
        }
        Ok(_) | Err(_) => 0,
    }
}

fn judge_json(view: &View, guards: &Guards, reply: Reply) -> Judgement {
    let status = reply.status;
    let (shape, edits, denied) = match view.compare(reply.body.clone(), guards) {
        Ok(Compared::Edits { shape, edits, denied }) => (shape, Some(edits), denied),
        // Nobody can tell what it edits.
        Ok(Compared::Alone(shape)) if guards.edits_freely() => (shape, None, Denied::default()),
        Ok(Compared::Alone(shape)) => (shape, None, Denied::whole()),
        Err(error) => {
            let failure = Failure::new(FailureKind::BadJson, error.to_string());
            return Judgement::Failed {
                status: Some(status),
                failure,
            };
        }
    };
    let is_checked = edits.is_some() || guards.edits_freely();
    match shape {
        Shape::Object if guards.may.allow(Power::Json) && is_checked => {
            Judgement::Json { reply, edits, denied }
        }
        Shape::Object if denied.count > 0 => Judgement::Denied {
            status,
            what: Overreach::Json(denied),
        },
        // Without the power to edit, an echo says as little as the others.
        Shape::Null | Shape::EmptyObject | Shape::Object => Judgement::Nothing {
            status,
            not_an_object: false,
        },
        Shape::Other => Judgement::Nothing {
            status,
            not_an_object: true,
        },
    }
}

// === impl Judgement ===

impl Judgement {
    /// Nothing was asked, for this reason.
    pub(crate) fn unasked(failure: Failure) -> Self {
        Self::Failed {
            status: None,
            failure,
        }
    }

    /// The reply, where it carries something.
    pub(crate) fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Json { reply, .. } | Self::Reject(reply) => Some(reply),
            Self::Attachment(attachment) => Some(&attachment.reply),
            Self::Nothing { .. }
            | Self::Denied { .. }
            | Self::Skipped
            | Self::Ignored { .. }
            | Self::Failed { .. } => None,
        }
    }

    /// How many bytes it holds of the reply's body.
    pub(crate) fn body_len(&self) -> usize {
        match self {
            Self::Json {
                edits: Some(edits), ..
            } => edits.held(),
            _ => self.reply().map_or(0, |reply| reply.body.len()),
        }
    }

    /// Keeps of JSON that was compared only what it edits, where that is little: the copy counts nowhere, as the reply
    /// does.
    pub(crate) fn shed_body(&mut self) {
        let Self::Json {
            reply,
            edits: Some(edits),
            ..
        } = self
        else {
            return;
        };
        if reply.body.is_empty() {
            return;
        }
        reply.body = Bytes::new();
        if edits.put() <= LITTLE {
            *edits = std::mem::take(edits).detached();
        }
    }
}
