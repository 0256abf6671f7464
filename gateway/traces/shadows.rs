//! What shadows would have done, remembered and shown: beside a hook's trace, and over all that are remembered.
//!
//! They are found out after the hook has been answered and kept, so they have a list of their own, and a lock: a hook
//! never waits for a shadow here either.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use koigate_core::hook::HookName;
use koigate_core::outcome::HookVerdict;
use koigate_core::plan::{self, Plan};
use koigate_core::pointer::Pointer;
use koigate_core::shadow::{Finding, Would};
use serde::{Deserialize, Serialize};

use super::trace::{Call, Change, moment};
use super::{changes_weight, weight};

/// They hold no more than this part of what traces may.
const SHARE: usize = 4;

/// What one shadow would have done with one hook.
#[derive(Debug)]
pub struct Shadowed {
    /// The hook's id.
    pub id: String,
    /// When it was found out.
    pub at: SystemTime,
    /// The hook's kind.
    pub hook: HookName,
    /// How the hook ended.
    pub happened: HookVerdict,
    /// What it ran on.
    pub plan: Arc<Plan>,
    /// What the shadow would have done.
    pub finding: Finding,
}

/// What one shadow would have done, as a trace shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// Its call. Its stage is the first, which it is asked beside; a failure has no policy.
    #[serde(flatten)]
    pub call: Call,
    /// agree, reject, change or fail; none where it was skipped or left out.
    pub would: Option<String>,
    /// How many places of the answer's document would be different.
    pub different: usize,
    /// The first of them.
    pub differences: Vec<Change>,
}

/// What one shadow would have done with the hooks that are remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// Its name.
    pub backend: String,
    /// With how many it would have done what happened.
    pub agree: usize,
    /// How many it would have refused that were not.
    pub reject: usize,
    /// How many it would have answered otherwise, or let pass that were refused.
    pub change: usize,
    /// With how many it failed.
    pub fail: usize,
    /// Each of them, the latest first.
    pub hooks: Vec<ShadowedHook>,
}

/// One hook of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowedHook {
    /// Its id, by which its trace is found.
    pub id: String,
    /// When it was compared, RFC 3339 in UTC.
    pub at: String,
    /// Its kind.
    pub hook: String,
    /// How it ended: continue, reject or error.
    pub happened: String,
    /// What the shadow would have done.
    #[serde(flatten)]
    pub shadow: Shadow,
}

/// The last of them.
#[derive(Debug, Default)]
pub(super) struct KeptShadows {
    /// The oldest in front.
    list: Mutex<VecDeque<Shadowed>>,
    /// What they hold, about, in bytes; beside the lock for whoever only wants to know that.
    bytes: AtomicUsize,
}

// === impl KeptShadows ===

impl KeptShadows {
    /// What they hold, about, in bytes.
    pub(super) fn held(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Remembers one, and forgets the oldest that are too many or too much.
    pub(super) fn keep(&self, shadowed: Shadowed, limits: &plan::Traces) {
        let mut list = self.list();
        self.bytes.fetch_add(shadowed.weight(), Ordering::Relaxed);
        list.push_back(shadowed);
        let forgotten = self.shrink(&mut list, limits);
        drop(list);
        // Freeing takes longer than the lock should be held.
        drop(forgotten);
    }

    /// What the shadows of the hook with this id would have done, in configured order.
    pub(super) fn of_hook(&self, id: &str, limits: &plan::Traces) -> Vec<Shadow> {
        let mut list = self.list();
        self.shrink(&mut list, limits);
        let of_hook = list.iter().filter(|shadowed| shadowed.id == id);
        let mut of_hook: Vec<&Shadowed> = of_hook.collect();
        of_hook.sort_by_key(|shadowed| shadowed.place());
        of_hook
            .into_iter()
            .map(|shadowed| Shadow::of(&shadowed.finding, &shadowed.plan, &limits.hide))
            .collect()
    }

    /// What this shadow would have done, as far as that is remembered.
    pub(super) fn report(&self, backend: &str, limits: &plan::Traces) -> ShadowReport {
        let mut report = ShadowReport {
            backend: backend.to_owned(),
            ..ShadowReport::default()
        };
        let mut list = self.list();
        self.shrink(&mut list, limits);
        let latest = list.iter().rev();
        for shadowed in latest.filter(|shadowed| shadowed.finding.call.name(&shadowed.plan) == backend) {
            match shadowed.finding.would {
                Some(Would::Agree) => report.agree += 1,
                Some(Would::Reject) => report.reject += 1,
                Some(Would::Change) => report.change += 1,
                Some(Would::Fail) => report.fail += 1,
                None => {}
            }
            report.hooks.push(ShadowedHook::of(shadowed, &limits.hide));
        }
        report
    }

    fn shrink(&self, list: &mut VecDeque<Shadowed>, limits: &plan::Traces) -> Vec<Shadowed> {
        let mut forgotten = Vec::new();
        while list.len() > limits.keep || self.held() > limits.memory / SHARE {
            let Some(oldest) = list.pop_front() else {
                break;
            };
            self.bytes.fetch_sub(oldest.weight(), Ordering::Relaxed);
            forgotten.push(oldest);
        }
        forgotten
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Shadowed>> {
        // Nothing that runs under the lock leaves it half done.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Shadowed ===

impl Shadowed {
    /// Where it stands among the shadows of its hook.
    fn place(&self) -> Option<usize> {
        let mut shadows = self.plan.chains.get(&self.hook)?.shadows.iter();
        shadows.position(|id| *id == self.finding.call.backend)
    }

    /// What it holds in memory, about, in bytes.
    fn weight(&self) -> usize {
        let finding = &self.finding;
        size_of::<Self>() + self.id.len() + weight(&finding.call) + changes_weight(&finding.changes)
    }
}

// === impl Shadow ===

impl Shadow {
    /// What it would have done with a hook that ran on this plan, but for the values in these places.
    pub fn of(finding: &Finding, plan: &Plan, hidden: &[Pointer]) -> Self {
        let mut call = Call::of(&finding.call, plan, hidden);
        if let Some(failure) = &mut call.failure {
            failure.policy = "none".to_owned();
        }
        let listed = finding.changes.iter();
        Self {
            call,
            would: finding.would.map(|would| would.as_str().to_owned()),
            different: finding.differences,
            differences: listed.map(|change| Change::of(change, hidden)).collect(),
        }
    }
}

// === impl ShadowedHook ===

impl ShadowedHook {
    fn of(shadowed: &Shadowed, hidden: &[Pointer]) -> Self {
        let finding = &shadowed.finding;
        Self {
            id: shadowed.id.clone(),
            at: moment(shadowed.at),
            hook: shadowed.hook.as_str().to_owned(),
            happened: shadowed.happened.as_str().to_owned(),
            shadow: Shadow::of(finding, &shadowed.plan, hidden),
        }
    }
}
