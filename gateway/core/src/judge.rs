//! What one reply means, by itself: the protocol's table, and for JSON the comparison with what was sent.
//!
//! Judging is independent of every other reply, so that it can run as replies arrive, on any thread.

use std::sync::Arc;

use crate::attachment::Attachment;
use crate::condition::all_hold;
use crate::failure::{Failure, FailureKind};
use crate::json::diff::{Edits, Shape};
use crate::plan::{Backend, BackendId};
use crate::reply::Reply;
use crate::verdict::{Class, classify};
use crate::view::{Base, Compared, View};

/// One question to one backend.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which of its stage's calls it is.
    pub slot: usize,
    /// Whom.
    pub id: BackendId,
    /// Its limits and policy.
    pub backend: Arc<Backend>,
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
        /// The reply, as it came.
        reply: Reply,
        /// What it edits; `None` where what was sent does not parse.
        edits: Option<Edits>,
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

/// Judges one reply: the protocol's table, then for JSON the comparison with what was sent. Linear in both, and
/// independent of every other reply.
pub fn judge(request: &Request, brought: Result<Reply, Failure>) -> Judgement {
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
    match classify(&reply, &request.backend.failure_statuses) {
        Err(failure) => Judgement::Failed {
            status: Some(status),
            failure,
        },
        Ok(Class::Continue) => Judgement::Nothing {
            status,
            not_an_object: false,
        },
        Ok(Class::Ignored) => Judgement::Ignored { status },
        Ok(Class::Reject) => Judgement::Reject(reply),
        Ok(Class::Attachment(kind)) => Judgement::Attachment(Attachment {
            backend: request.backend.name.clone(),
            kind,
            reply,
        }),
        Ok(Class::Json) => judge_json(&request.view, reply),
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
        return Some(Judgement::Failed {
            status: None,
            failure: Failure::new(FailureKind::Condition, detail),
        });
    };
    (!all_hold(&backend.when, document)).then_some(Judgement::Skipped)
}

/// How many bytes judging this reply may have to go through: what decides whether it leaves the thread.
pub fn weight(request: &Request, brought: &Result<Reply, Failure>) -> usize {
    match brought {
        Ok(reply)
            if matches!(
                classify(reply, &request.backend.failure_statuses),
                Ok(Class::Json)
            ) =>
        {
            request.view.bytes().len() + reply.body.len()
        }
        Ok(_) | Err(_) => 0,
    }
}

fn judge_json(view: &View, reply: Reply) -> Judgement {
    let (shape, edits) = match view.compare(reply.body.clone()) {
        Ok(Compared::Edits(diff)) => (diff.shape, Some(diff.edits)),
        Ok(Compared::Alone(shape)) => (shape, None),
        Err(error) => {
            let failure = Failure::new(FailureKind::BadJson, error.to_string());
            return Judgement::Failed {
                status: Some(reply.status),
                failure,
            };
        }
    };
    match shape {
        Shape::Object => Judgement::Json { reply, edits },
        Shape::Null | Shape::EmptyObject => Judgement::Nothing {
            status: reply.status,
            not_an_object: false,
        },
        Shape::Other => Judgement::Nothing {
            status: reply.status,
            not_an_object: true,
        },
    }
}

// === impl Judgement ===

impl Judgement {
    /// The reply, where it carries something.
    pub(crate) fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Json { reply, .. } | Self::Reject(reply) => Some(reply),
            Self::Attachment(attachment) => Some(&attachment.reply),
            Self::Nothing { .. } | Self::Ignored { .. } | Self::Skipped | Self::Failed { .. } => None,
        }
    }

    /// How many bytes it holds of the reply's body.
    pub(crate) fn body_len(&self) -> usize {
        self.reply().map_or(0, |reply| reply.body.len())
    }
}
