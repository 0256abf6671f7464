//! How backends are treated by how they are: which replica is asked, when nobody is asked for a while, and how many
//! calls are made again.
//!
//! Judgement alone. Time comes in as a [`Moment`], what happened as a [`Sign`]; sockets, clocks and locks are whoever's
//! asks.

mod breaker;
mod budget;
mod replicas;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::breaker::{Breaker, Entry, Phase, Turn};
pub use self::budget::Budget;
pub use self::replicas::{Checked, Choice, Replicas, Seat};
use crate::failure::{Failure, FailureKind};
use crate::plan::StatusSet;
use crate::reply::Reply;

/// A point in time, as the time since an epoch of the caller's. It never goes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

/// What the end of a call, or of one try of it, says of whoever was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It answered.
    Well,
    /// It failed.
    Sick,
    /// Nobody is there: there was no connection.
    Gone,
    /// Nothing: it was not asked, or dropped before its end.
    Unknown,
}

// === impl Moment ===

impl Moment {
    /// So much later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

// === impl Sign ===

impl Sign {
    /// Of what was brought, as far as a status tells.
    pub fn of(brought: &Result<Reply, Failure>, failure_statuses: &StatusSet) -> Self {
        match brought {
            Ok(reply) if failure_statuses.contains(reply.status) => Self::Sick,
            Ok(_) => Self::Well,
            Err(failure) => Self::of_failure(failure.kind),
        }
    }

    /// Of a failure of this kind. What keeps a call from being made says nothing of the backend.
    pub fn of_failure(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Connect => Self::Gone,
            FailureKind::Timeout
            | FailureKind::Reset
            | FailureKind::Protocol
            | FailureKind::TooLarge
            | FailureKind::BadJson
            | FailureKind::Status => Self::Sick,
            FailureKind::BreakerOpen | FailureKind::Overloaded | FailureKind::Condition => Self::Unknown,
        }
    }
}
