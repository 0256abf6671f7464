//! What a shadow of one kind of hook moves, besides what every call does.

use koigate_core::shadow::{Finding, Would};
use prometheus::IntCounter;

use super::{Metrics, pick};

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

    /// Drops them; a series that was never there is no error.
    pub(super) fn forget(metrics: &Metrics, hook: &str, backend: &str) {
        for would in Would::ALL {
            let _ = metrics
                .shadow
                .remove_label_values(&[hook, backend, would.as_str()]);
        }
        let _ = metrics.shadow_dropped.remove_label_values(&[hook, backend]);
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
}
