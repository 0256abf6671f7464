//! What the notices of one kind of hook to an observer move.

use std::time::Duration;

use koigate_core::failure::FailureKind;
use koigate_core::observer::Told;
use koigate_core::outcome::CallVerdict;
use koigate_core::plan::{BackendId, Plan};
use prometheus::IntCounter;
use serde::{Deserialize, Serialize};

use super::{HookMeters, Metrics, pairs, pick};

/// How the notices to one observer have ended so far, of all hooks that it is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeCounts {
    /// It has taken them.
    pub delivered: u64,
    /// It was not to be told, since a condition does not hold.
    pub skipped: u64,
    /// A condition could not be tested.
    pub untestable: u64,
    /// There was no room for them.
    pub overflow: u64,
    /// It does not want them.
    pub refused: u64,
    /// It was not well for too long.
    pub gave_up: u64,
    /// A fault of the gateway's own.
    pub broken: u64,
}

/// The counters of one hook and one observer of it, resolved.
#[derive(Debug)]
pub(super) struct NoticeMeters {
    results: [IntCounter; Told::COUNTED.len()],
}

impl NoticeCounts {
    /// Those that were to be delivered and never will be.
    pub fn lost(&self) -> u64 {
        self.untestable + self.overflow + self.refused + self.gave_up + self.broken
    }
}

impl NoticeMeters {
    /// All series of this pair, at 0.
    pub(super) fn new(metrics: &Metrics, hook: &str, backend: &str) -> Self {
        let labels = |told: Told| [hook, backend, told.as_str()];
        Self {
            results: Told::COUNTED.map(|told| metrics.observer_notices.with_label_values(&labels(told))),
        }
    }

    /// Drops those of what was an observer in the plan before and is none any more. A series that was never there is no
    /// error.
    pub(super) fn forget(metrics: &Metrics, before: &Plan, after: &Plan) {
        let observers = |plan| pairs(plan, |chain| chain.observers.clone());
        let (before, after) = (observers(before), observers(after));
        for (hook, backend) in before.difference(&after) {
            for told in Told::COUNTED {
                let _ = metrics
                    .observer_notices
                    .remove_label_values(&[hook, backend, told.as_str()]);
            }
            if !after.iter().any(|(_, kept)| kept == backend) {
                let _ = metrics.observer_waiting.remove_label_values(&[backend]);
            }
        }
    }
}

impl HookMeters {
    /// Adds how the notices of this hook to an observer have ended; nothing where it is none of this hook.
    pub fn add_notices(&self, observer: BackendId, counts: &mut NoticeCounts) {
        let Some(meters) = self.observers.get(&observer) else {
            return;
        };
        let [delivered, skipped, untestable, overflow, refused, gave_up, broken] =
            meters.results.each_ref().map(IntCounter::get);
        counts.delivered += delivered;
        counts.skipped += skipped;
        counts.untestable += untestable;
        counts.overflow += overflow;
        counts.refused += refused;
        counts.gave_up += gave_up;
        counts.broken += broken;
    }

    /// Counts how a notice to this observer has ended.
    pub fn count_told(&self, observer: BackendId, told: Told) {
        if let Some(meters) = self.observers.get(&observer) {
            pick(&meters.results, &Told::COUNTED, told);
        }
    }

    /// Counts one call to this observer, which has failed or not.
    pub fn count_notice(&self, observer: BackendId, failure: Option<FailureKind>, took: Duration) {
        let Some(meters) = self.backends.get(&observer) else {
            return;
        };
        let verdict = match failure {
            None => CallVerdict::Continue,
            Some(_) => CallVerdict::Failed,
        };
        pick(&meters.verdicts, &CallVerdict::ALL, verdict);
        meters.duration.observe(took.as_secs_f64());
        if let Some(kind) = failure {
            pick(&meters.failures, &FailureKind::ALL, kind);
        }
    }
}
