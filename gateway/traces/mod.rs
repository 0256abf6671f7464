//! The last hooks, remembered for whoever wonders what happened: bounded in number and bytes, in memory alone.
//!
//! What is kept is the outcome, which is small, and the posted document where that is small too: keeping the
//! bodies of large hooks would fill the memory that the next ones need. What `admin.traces.hide` names is left out
//! when a trace is shown, by the rules that hold then.

mod shadows;
mod trace;

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use koigate_core::answer::Answer;
use koigate_core::changes;
use koigate_core::outcome::{CallRecord, Outcome};
use koigate_core::plan;

use self::shadows::KeptShadows;
pub use self::shadows::{Shadow, ShadowReport, Shadowed, ShadowedHook};
pub(crate) use self::trace::moment;
pub use self::trace::{Answered, Call, Change, Conflict, Dropped, Failure, Summary, Trace, WrongColumn};

/// The largest document that is kept with a trace, in bytes.
pub const LARGEST_DOCUMENT: usize = 256 * 1024;

/// One hook that has been answered.
#[derive(Debug)]
pub struct Finished {
    /// Its id, which the answer carried as `X-Request-Id`.
    pub id: Arc<str>,
    /// When it was answered.
    pub at: SystemTime,
    /// From its last byte to its answer.
    pub took: Duration,
    /// What the bot posted. It counts here, and must not count as held (`server.max_buffered`) too.
    pub document: Bytes,
    /// What happened.
    pub outcome: Outcome,
    /// What the bot got.
    pub answered: Answered,
}

/// The last hooks of a process.
#[derive(Debug, Default)]
pub struct Traces {
    kept: Mutex<Kept>,
    shadows: KeptShadows,
}

#[derive(Debug, Default)]
struct Kept {
    /// The oldest in front.
    hooks: VecDeque<Weighed>,
    /// What they hold, about.
    bytes: usize,
}

/// A hook, and what it holds, about, in bytes. By the time that it is forgotten it has left every cache: weighing it
/// again took as long as all else that is done here.
#[derive(Debug)]
struct Weighed {
    hook: Box<Finished>,
    bytes: usize,
}

// === impl Traces ===

impl Traces {
    /// Remembers a hook, and forgets the oldest that are too many or too much for these limits.
    pub fn keep(&self, hook: Finished, limits: &plan::Traces) {
        let mut hook = Box::new(hook);
        if hook.document.len() > LARGEST_DOCUMENT {
            hook.document = Bytes::new();
        }
        let bytes = hook.weight();
        let mut kept = self.kept();
        kept.bytes += bytes;
        kept.hooks.push_back(Weighed { hook, bytes });
        let forgotten = kept.shrink_to(limits, &self.shadows);
        drop(kept);
        // Freeing takes longer than the lock should be held.
        drop(forgotten);
    }

    /// The remembered hooks, the latest first; those that are too many by these limits are forgotten before.
    pub fn summaries(&self, limits: &plan::Traces) -> Vec<Summary> {
        let mut kept = self.kept();
        kept.shrink_to(limits, &self.shadows);
        kept.hooks().map(Summary::of).collect()
    }

    /// All that is remembered of the hook with this id, but for what is hidden.
    pub fn find(&self, id: &str, limits: &plan::Traces) -> Option<Trace> {
        let mut kept = self.kept();
        kept.shrink_to(limits, &self.shadows);
        let hook = kept.hooks().find(|hook| *hook.id == *id)?;
        let (trace, document) = (Trace::of(hook, &limits.hide), hook.document.clone());
        drop(kept);
        let shadows = self.shadows.of_hook(id, limits);
        let trace = Trace { shadows, ..trace };
        Some(trace.with_document(document, &limits.hide))
    }

    /// Remembers what a shadow would have done, and forgets the oldest that are too many or too much for these limits.
    pub fn keep_shadow(&self, shadowed: Shadowed, limits: &plan::Traces) {
        self.shadows.keep(shadowed, limits);
    }

    /// What this shadow would have done, as far as that is remembered.
    pub fn report(&self, backend: &str, limits: &plan::Traces) -> ShadowReport {
        self.shadows.report(backend, limits)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that runs under the lock leaves it half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Kept ===

impl Kept {
    /// The latest first.
    fn hooks(&self) -> impl Iterator<Item = &Finished> {
        self.hooks.iter().rev().map(|one| &*one.hook)
    }

    /// Shadows hold some of the memory too.
    fn shrink_to(&mut self, limits: &plan::Traces, shadows: &KeptShadows) -> Vec<Weighed> {
        let mut forgotten = Vec::new();
        while self.hooks.len() > limits.keep || self.bytes + shadows.held() > limits.memory {
            let Some(oldest) = self.hooks.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes;
            forgotten.push(oldest);
        }
        forgotten
    }
}

// === impl Finished ===

impl Finished {
    /// A copy of what was posted, or nothing of what is too large to be kept.
    pub fn copied(document: &Bytes) -> Bytes {
        match document.len() {
            0..=LARGEST_DOCUMENT => Bytes::copy_from_slice(document),
            _ => Bytes::new(),
        }
    }

    /// What it holds in memory, about, in bytes.
    fn weight(&self) -> usize {
        let calls: usize = self.outcome.calls.iter().map(weight).sum();
        let merging = &self.outcome.merging;
        let conflicts: usize = merging
            .listed
            .iter()
            .map(|conflict| size_of_val(conflict) + conflict.pointer.len())
            .sum();
        let columns: usize = merging
            .wrong_columns
            .iter()
            .map(|column| size_of_val(column) + column.pointer.len() + size_of_val(&*column.backends))
            .sum();
        size_of::<Self>()
            + self.id.len()
            + self.answered.content_type.len()
            + self.document.len()
            + calls
            + conflicts
            + columns
            + size_of_val(&*self.outcome.dropped)
    }
}

fn weight(call: &CallRecord) -> usize {
    let said = call.said.as_ref().map_or(0, |said| {
        size_of_val(&**said) + said.content_type.len() + said.text.len()
    });
    let denied: usize = call
        .denied
        .places
        .iter()
        .map(|place| size_of_val(place) + place.len())
        .sum();
    size_of::<CallRecord>()
        + changes_weight(&call.changes)
        + denied
        + said
        + call
            .failure
            .as_ref()
            .map_or(0, |failure| size_of_val(&**failure) + failure.detail.len())
}

fn changes_weight(changes: &[changes::Change]) -> usize {
    let changes = changes.iter();
    changes
        .map(|change| size_of_val(change) + change.pointer.len() + change.value.len())
        .sum()
}

// === impl Answered ===

impl Answered {
    /// What this answer carries.
    pub fn of(answer: &Answer) -> Self {
        let label = answer.content_type.as_deref().unwrap_or_default();
        Self {
            status: answer.status,
            content_type: String::from_utf8_lossy(label).into_owned(),
            bytes: answer.body.len(),
        }
    }
}

#[cfg(test)]
mod tests;
