//! What a shadow of one kind of hook moves, besides what every call does.

use koigate_core::plan::Plan;
use koigate_core::shadow::{Finding, Would};
use prometheus::IntCounter;
use serde::{Deserialize, Serialize};

use super::{Metrics, pairs, pick};

/// What a shadow would have done so far, with all hooks that it is a shadow of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowCounts {
    /// With how many it would have done what happened.
    pub agree: u64,
    /// How many it would have refused that were not.
    pub reject: u64,
    /// How many it would have answered otherwise, or let pass that were refused.
    pub change: u64,
    /// With how many it failed.
    pub fail: u64,
    /// From how many the gateway's limits have left it out.
    pub dropped: u64,
}

/// The counters of one hook and one shadow of it, resolved.
#[derive(Debug)]
pub(super) struct ShadowMeters {
    would: [IntCounter; Would::ALL.len()],
    dropped: IntCounter,
}

impl ShadowMeters {
    /// All series of this pair, at 0.
    pub(super) fn new(metrics: &Metrics, hook: &str, backend: &str) -> Self {
        let would = |would: Would| [hook, backend, would.as_str()];
        Self {
            would: Would::ALL.map(|one| metrics.shadow.with_label_values(&would(one))),
            dropped: metrics.shadow_dropped.with_label_values(&[hook, backend]),
        }
    }

    /// Drops those of what was a shadow in the plan before and is none any more: one that comes to have a vote is called
    /// as before. A series that was never there is no error.
    pub(super) fn forget(metrics: &Metrics, before: &Plan, after: &Plan) {
        let shadows = |plan| pairs(plan, |chain| chain.shadows.clone());
        for (hook, backend) in shadows(before).difference(&shadows(after)) {
            for would in Would::ALL {
                let _ = metrics
                    .shadow
                    .remove_label_values(&[hook, backend, would.as_str()]);
            }
            let _ = metrics.shadow_dropped.remove_label_values(&[hook, backend]);
        }
    }

    /// Counts what it would have done, or that it was left out.
    pub(super) fn count(&self, finding: &Finding) {
        if let Some(would) = finding.would {
            pick(&self.would, &Would::ALL, would);
        }
        if finding.is_dropped() {
            self.count_dropped();
        }
    }

    /// Counts that it was left out.
    pub(super) fn count_dropped(&self) {
        self.dropped.inc();
    }

    /// Adds what has been counted so far.
    pub(super) fn add_to(&self, counts: &mut ShadowCounts) {
        for (would, counter) in Would::ALL.into_iter().zip(&self.would) {
            *counts.of(would) += counter.get();
        }
        counts.dropped += self.dropped.get();
    }
}

// === impl ShadowCounts ===

impl ShadowCounts {
    fn of(&mut self, would: Would) -> &mut u64 {
        match would {
            Would::Agree => &mut self.agree,
            Would::Reject => &mut self.reject,
            Would::Change => &mut self.change,
            Would::Fail => &mut self.fail,
        }
    }
}

// === helpers ===
