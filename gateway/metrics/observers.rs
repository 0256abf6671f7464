//! What the notices of one kind of hook to an observer move.

use std::time::Duration;

use koigate_core::failure::FailureKind;
use koigate_core::observer::Told;
use koigate_core::outcome::CallVerdict;
use koigate_core::plan::{BackendId, Plan};
use prometheus::IntCounter;

use super::{HookMeters, Metrics, pairs, pick};

/// The counters of one hook and one observer of it, resolved.
#[derive(Debug)]
pub(super) struct NoticeMeters {
    results: [IntCounter; Told::COUNTED.len()],
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
