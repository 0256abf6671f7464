//! What an observer is sent of a hook, and what becomes of a notice that was tried (gateway.md section 7).
//!
//! An observer has no say: what it answers only tells whether it has taken the notice. One that is not well is told
//! again later, so that nothing is lost while it restarts; one that does not want this notice is not asked for ever,
//! or all that wait behind it would never be told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::failure::{Failure, FailureKind};
use crate::guards::{Guards, Keys, Sight};
use crate::judge::{Judgement, unasked};
use crate::plan::{Backend, StatusSet};
use crate::view::{Base, View};

/// The first wait before a notice is tried again.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest: each wait is twice the one before, up to this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How often a notice is tried at which the observer breaks: its service answers, and answers with an error of its own.
pub const TRIES_AT_ERRORS: u32 = 5;

/// How it ended with a notice, or with what would have been one: the `result` label of
/// `koigate_observer_notices_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Told {
    /// The observer has taken it.
    Delivered,
    /// A condition does not hold: it was not to be told.
    Skipped,
    /// It was not to be told if a condition does not hold, and that could not be tested.
    Untestable,
    /// There was no room for it in the queue.
    Overflow,
    /// The observer does not want it.
    Refused,
    /// The observer was not well for too long.
    GaveUp,
    /// A fault of the gateway's own kept it from being told.
    Broken,
    /// The process ended first.
    Stopped,
    /// Another configuration does without the observer.
    Removed,
}

/// What becomes of a notice that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is done with.
    Over(Told),
    /// It is tried again after this.
    Again(Duration),
}

/// How the tries of one notice stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many there were, the last included.
    pub made: u32,
    /// Since it was put into the queue.
    pub waited: Duration,
    /// For how long it may be tried.
    pub give_up: Duration,
}

/// What an observer may see of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sees {
    /// What of them.
    pub sight: Sight,
    /// How their keys are spelled.
    pub keys: Keys,
}

/// What an observer is sent of the document, as [`Sees::of`] says. Linear in the document.
///
/// # Errors
///
/// It is not told at all: [`Told::Skipped`] or [`Told::Untestable`].
pub fn document(observer: &Backend, base: &Arc<Base>) -> Result<Option<Bytes>, Told> {
    match unasked(observer, base) {
        None => {}
        Some(Judgement::Skipped) => return Err(Told::Skipped),
        Some(_) => return Err(Told::Untestable),
    }
    Ok(Sees::by(&observer.guards).of(base))
}

/// What becomes of a notice after a try that brought this status, or no usable reply:
///
/// | what it brought | what it means |
/// | --- | --- |
/// | 408, 425, 429, 502, 503, 504 | not well: tried again, for as long as `give_up` |
/// | any other of 500 and above | broken at this notice: tried [`TRIES_AT_ERRORS`] times in all |
/// | a status of `failure_statuses` | not well |
/// | 200 to 299 | taken |
/// | any other status | not wanted: not tried again |
/// | more than `max_reply` | not wanted |
/// | no usable reply otherwise | not well |
///
/// A 500 is tried as often where `failure_statuses` has it, as most configurations do: a service that breaks at one
/// notice would keep all others waiting for as long as `give_up`.
pub fn next(brought: Result<u16, FailureKind>, statuses: &StatusSet, tries: Tries) -> Next {
    let is_well = match brought {
        Ok(408 | 425 | 429 | 502 | 503 | 504) => false,
        Ok(500..) => tries.made >= TRIES_AT_ERRORS,
        Ok(status) if statuses.contains(status) => false,
        Ok(200..=299) => return Next::Over(Told::Delivered),
        Ok(_) | Err(FailureKind::TooLarge) => true,
        Err(_) => false,
    };
    if is_well {
        return Next::Over(Told::Refused);
    }
    if tries.waited >= tries.give_up {
        return Next::Over(Told::GaveUp);
    }
    Next::Again(wait(tries.made))
}

/// How long is waited after so many tries.
fn wait(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
}

/// The status of a try whose backend takes it for a failure is [`FailureKind::Status`] in its metrics; any other status
/// that is no success is too.
pub fn failure(brought: &Result<u16, Failure>, statuses: &StatusSet) -> Option<FailureKind> {
    match brought {
        Err(failure) => Some(failure.kind),
        Ok(status) if (200..=299).contains(status) && !statuses.contains(*status) => None,
        Ok(_) => Some(FailureKind::Status),
    }
}

// === impl Sees ===

impl Sees {
    /// What these guards leave.
    pub fn by(guards: &Guards) -> Self {
        Self {
            sight: guards.sight.clone(),
            keys: guards.keys,
        }
    }

    /// Whether that is what these guards leave.
    pub fn is_by(&self, guards: &Guards) -> bool {
        (&self.sight, self.keys) == (&guards.sight, guards.keys)
    }

    /// What is seen of a document: nothing where that does not parse, since then nobody can tell what is hidden, nor put it
    /// into a notice. Linear in the document.
    pub fn of(&self, base: &Arc<Base>) -> Option<Bytes> {
        let document = base.document()?;
        let guards = Guards {
            sight: self.sight.clone(),
            keys: self.keys,
            ..Guards::default()
        };
        if !guards.look_into_documents() {
            return Some(document.bytes().clone());
        }
        // Of a document that parses there is a view.
        let view = View::new(base, &guards)?;
        Some(view.document()?.bytes().clone())
    }

    /// What is seen of one that was made for somebody who sees this much: never more than either lets one see. Nothing
    /// where its keys were spelled anew, since then nobody can tell any more what is to be hidden.
    pub fn of_seen(&self, before: &Self, document: Bytes) -> Option<Bytes> {
        match before.keys {
            Keys::AsIs => self.of(&Arc::new(Base::new(document))),
            Keys::Kebab | Keys::Snake => None,
        }
    }
}

// === impl Told ===

impl Told {
    /// Those that the metric counts, in the order in which a notice can come to them. What ends with the process or with
    /// the observer is a matter of the log: nobody looks at its series any more.
    pub const COUNTED: [Self; 7] = [
        Self::Delivered,
        Self::Skipped,
        Self::Untestable,
        Self::Overflow,
        Self::Refused,
        Self::GaveUp,
        Self::Broken,
    ];

    /// The word used in metrics and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Skipped => "skipped",
            Self::Untestable => "untestable",
            Self::Overflow => "overflow",
            Self::Refused => "refused",
            Self::GaveUp => "gave_up",
            Self::Broken => "broken",
            Self::Stopped => "stopped",
            Self::Removed => "removed",
        }
    }

    /// Whether somebody should know: the observer was to be told, and never will be.
    pub fn is_loss(self) -> bool {
        !matches!(self, Self::Delivered | Self::Skipped)
    }
}

#[cfg(test)]
mod tests;
