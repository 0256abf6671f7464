//! The metrics of the contract: one struct, whose field docs are the HELP texts.
//!
//! Labels come from closed enums and from configured names, never from what a caller or a backend sends. Every
//! series that the plan can move stands at 0 from the start, so that a rate over it is never a gap. What a hook
//! touches is resolved once per plan ([`HookMeters`]), not looked up by label while it runs.

mod kept;
mod make;
mod observers;
mod shadows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use koigate_core::attachment::AttachmentKind;
use koigate_core::failure::FailureKind;
use koigate_core::hook::{HookName, KNOWN};
use koigate_core::outcome::{CallRecord, CallVerdict, HookVerdict, Outcome};
use koigate_core::plan::{BackendId, Chain, Plan};
use koigate_core::shadow::Finding;
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use self::kept::{Count, Kept};
use self::make::{Make, register};
pub use self::observers::NoticeCounts;
use self::observers::NoticeMeters;
pub use self::shadows::ShadowCounts;
use self::shadows::ShadowMeters;
use crate::inbound::Refusal;
use crate::version::{REVISION, VERSION};
use crate::{logging, panics};

/// The values of the label `result`.
const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

/// What the process counts as a whole: name, HELP text, and where it stands.
const OF_THE_PROCESS: [(&str, &str, Count); 2] = [
    (
        "koigate_panics_total",
        "Faults of the program that were contained where they happened.",
        panics::count,
    ),
    (
        "koigate_log_lines_dropped_total",
        "Lines of the log that nobody took in time, or that could not be written.",
        logging::dropped,
    ),
];

/// Declares the struct and how it is made: name, kind and labels of a metric stand beside its HELP text.
macro_rules! metrics {
    ($(#[doc = $help:literal] $field:ident: $kind:ident = $name:literal [$($label:literal),*];)*) => {
        /// Every metric of the contract.
        #[derive(Debug)]
        pub struct Metrics {
            /// What `/metrics` is written from.
            pub registry: Registry,
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl Metrics {
            /// All metrics, registered, and the process's own.
            ///
            /// # Errors
            ///
            /// Two metrics of one name, which a test rules out.
            pub fn new() -> prometheus::Result<Self> {
                let registry = Registry::new();
                $(let $field = register(&registry, $kind::make($name, $help.trim(), &[$($label),*])?)?;)*
                for (name, help, count) in OF_THE_PROCESS {
                    registry.register(Box::new(Kept::new(name, help, count)?))?;
                }
                #[cfg(target_os = "linux")]
                registry.register(Box::new(ProcessCollector::for_self()))?;
                let metrics = Self { registry, $($field,)* };
                metrics.build_info.with_label_values(&[VERSION, REVISION.unwrap_or("unknown")]).set(1);
                Ok(metrics)
            }
        }
    };
}

metrics! {
    /// Hooks answered, by how they ended.
    hooks: IntCounterVec = "koigate_hooks_total" ["hook", "verdict"];
    /// Seconds from a hook's last byte to its answer.
    hook_duration: HistogramVec = "koigate_hook_duration_seconds" ["hook"];
    /// Hooks being answered now.
    hooks_in_flight: IntGauge = "koigate_hooks_in_flight" [];
    /// Bytes of bodies and replies held now, with what is made of them (server.max_buffered).
    buffered_bytes: IntGauge = "koigate_buffered_bytes" [];
    /// Bytes that are held for shadows, besides those of the hooks: an eighth of server.max_buffered at most.
    buffered_beside_bytes: IntGauge = "koigate_buffered_beside_bytes" [];
    /// Calls to backends, by how they ended.
    calls: IntCounterVec = "koigate_backend_calls_total" ["hook", "backend", "verdict"];
    /// Calls that brought no usable reply, by who is at fault.
    failures: IntCounterVec = "koigate_backend_failures_total" ["hook", "backend", "kind"];
    /// Seconds from the start of a call to its verdict.
    call_duration: HistogramVec = "koigate_backend_call_duration_seconds" ["hook", "backend"];
    /// Calls to a backend running now.
    backend_in_flight: IntGaugeVec = "koigate_backend_in_flight" ["backend"];
    /// Whether a backend's active checks pass, for at least one replica; 1 where nothing checks.
    backend_up: IntGaugeVec = "koigate_backend_up" ["backend"];
    /// Whether a backend's breaker keeps calls from it now.
    backend_breaker_open: IntGaugeVec = "koigate_backend_breaker_open" ["backend"];
    /// Calls to a backend that were made again, each time.
    retries: IntCounterVec = "koigate_backend_retries_total" ["hook", "backend"];
    /// Failures that a policy let pass: the hook went on without that backend.
    fail_open: IntCounterVec = "koigate_fail_open_total" ["hook", "backend"];
    /// Connections opened to a backend.
    connections_opened: IntCounterVec = "koigate_connections_opened_total" ["backend"];
    /// Calls that went out on a connection kept from an earlier one.
    connections_reused: IntCounterVec = "koigate_connections_reused_total" ["backend"];
    /// Stages whose JSON replies were merged into what they had been sent.
    merges: IntCounterVec = "koigate_merges_total" ["hook"];
    /// Places that two backends of a stage set to different values.
    merge_conflicts: IntCounterVec = "koigate_merge_conflicts_total" ["hook"];
    /// JSON replies that could not be merged: nothing to compare them with, or no object.
    merge_failures: IntCounterVec = "koigate_merge_failures_total" ["hook"];
    /// Places that a backend really changed.
    edits: IntCounterVec = "koigate_edits_total" ["hook", "backend"];
    /// Places that a backend tried to change and may not: beyond `may_change`, or not shown to it.
    edits_denied: IntCounterVec = "koigate_edits_denied_total" ["hook", "backend"];
    /// Answers that a backend may not give: rejects, pictures, texts and files beyond its `may`.
    attachments_denied: IntCounterVec = "koigate_attachments_denied_total" ["hook", "backend"];
    /// Columns of result that a backend added or edited and that were not as long as the names of the nodes.
    table_guard: IntCounterVec = "koigate_table_guard_total" ["hook", "backend"];
    /// What shadows would have done, against what happened: agree, reject, change or fail.
    shadow: IntCounterVec = "koigate_shadow_total" ["hook", "backend", "would"];
    /// Notices to observers, by how they ended: delivered, skipped, untestable, overflow, refused, gave_up or broken.
    observer_notices: IntCounterVec = "koigate_observer_notices_total" ["hook", "backend", "result"];
    /// Notices that wait for an observer now.
    observer_waiting: IntGaugeVec = "koigate_observer_waiting" ["backend"];
    /// Times that a shadow was left out, since the gateway's limits had no room beside the hooks.
    shadow_dropped: IntCounterVec = "koigate_shadow_dropped_total" ["hook", "backend"];
    /// Pictures that backends sent and that the answers carried.
    images_collected: IntCounterVec = "koigate_images_collected_total" ["hook"];
    /// Attachments that the one answer could not carry.
    attachments_dropped: IntCounterVec = "koigate_attachments_dropped_total" ["hook", "kind"];
    /// Requests refused before they were a hook, by reason.
    request_rejections: IntCounterVec = "koigate_request_rejections_total" ["reason"];
    /// Tries to read another configuration while running, by how they ended.
    config_reloads: IntCounterVec = "koigate_config_reloads_total" ["result"];
    /// Whether the last configuration that was read is running; 0 while its file has a problem.
    config_last_reload_successful: IntGauge = "koigate_config_last_reload_successful" [];
    /// When a configuration was last read without a problem, in seconds since 1970.
    config_last_reload_success: IntGauge = "koigate_config_last_reload_success_timestamp_seconds" [];
    /// Always 1; which build this is.
    build_info: IntGaugeVec = "koigate_build_info" ["version", "revision"];
}

/// What one kind of hook moves, resolved.
#[derive(Debug)]
pub struct HookMeters {
    verdicts: [IntCounter; HookVerdict::ALL.len()],
    duration: Histogram,
    merges: IntCounter,
    conflicts: IntCounter,
    merge_failures: IntCounter,
    images: IntCounter,
    dropped: [IntCounter; AttachmentKind::ALL.len()],
    backends: BTreeMap<BackendId, CallMeters>,
    shadows: BTreeMap<BackendId, ShadowMeters>,
    observers: BTreeMap<BackendId, NoticeMeters>,
}

/// What the calls of one hook to one backend move.
#[derive(Debug)]
struct CallMeters {
    verdicts: [IntCounter; CallVerdict::ALL.len()],
    failures: [IntCounter; FailureKind::ALL.len()],
    duration: Histogram,
    retries: IntCounter,
    fail_open: IntCounter,
    edits: IntCounter,
    edits_denied: IntCounter,
    attachments_denied: IntCounter,
    table_guard: IntCounter,
}

// === impl Metrics ===

impl Metrics {
    /// The meters of every kind of hook that this plan can see, all series at 0.
    pub fn meters(&self, plan: &Plan) -> BTreeMap<HookName, HookMeters> {
        for refusal in Refusal::ALL {
            self.request_rejections.with_label_values(&[refusal.as_str()]);
        }
        let known = KNOWN.iter().filter_map(|name| HookName::new(name));
        known
            .chain(plan.chains.keys().cloned())
            .map(|hook| {
                let meters = self.hook_meters(plan, &hook);
                (hook, meters)
            })
            .collect()
    }

    /// Counts a request that got no further than the door.
    pub fn count_refusal(&self, refusal: Refusal) {
        self.request_rejections
            .with_label_values(&[refusal.as_str()])
            .inc();
    }

    /// Counts the configuration that a process begins with.
    pub fn count_start(&self, at: SystemTime) {
        for result in [SUCCESS, FAILURE] {
            self.config_reloads.with_label_values(&[result]);
        }
        self.note_success(at);
    }

    /// Counts a try to read another configuration.
    pub fn count_reload(&self, is_good: bool, at: SystemTime) {
        let result = if is_good { SUCCESS } else { FAILURE };
        self.config_reloads.with_label_values(&[result]).inc();
        if is_good {
            self.note_success(at);
        } else {
            self.config_last_reload_successful.set(0);
        }
    }

    fn note_success(&self, at: SystemTime) {
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.config_last_reload_successful.set(1);
        self.config_last_reload_success
            .set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// Drops the series of what the plan before could move and this one can't. Calls that still run on the plan
    /// before are counted no more.
    pub fn forget(&self, before: &Plan, after: &Plan) {
        for backend in &before.backends {
            if !after.backends.iter().any(|kept| kept.name == backend.name) {
                self.forget_backend(&backend.name);
            }
        }
        let kept = calls_of(after);
        for (hook, backend) in calls_of(before).difference(&kept) {
            self.forget_call(hook, backend);
        }
        ShadowMeters::forget(self, before, after);
        NoticeMeters::forget(self, before, after);
        for hook in before.chains.keys().map(HookName::as_str) {
            if !KNOWN.contains(&hook) && !after.chains.contains_key(hook) {
                self.forget_hook(hook);
            }
        }
    }

    fn hook_meters(&self, plan: &Plan, hook: &HookName) -> HookMeters {
        let name = hook.as_str();
        let chain = plan.chains.get(hook);
        let ids = chain.into_iter().flat_map(|chain| chain.called());
        let shadows = chain.into_iter().flat_map(|chain| &chain.shadows);
        let observers = chain.into_iter().flat_map(|chain| &chain.observers);
        HookMeters {
            verdicts: HookVerdict::ALL.map(|verdict| self.hooks.with_label_values(&[name, verdict.as_str()])),
            duration: self.hook_duration.with_label_values(&[name]),
            merges: self.merges.with_label_values(&[name]),
            conflicts: self.merge_conflicts.with_label_values(&[name]),
            merge_failures: self.merge_failures.with_label_values(&[name]),
            images: self.images_collected.with_label_values(&[name]),
            dropped: AttachmentKind::ALL
                .map(|kind| self.attachments_dropped.with_label_values(&[name, kind.as_str()])),
            backends: ids
                .filter_map(|id| Some((id, self.call_meters(name, &plan.backend(id)?.name))))
                .collect(),
            shadows: shadows
                .filter_map(|&id| Some((id, ShadowMeters::new(self, name, &plan.backend(id)?.name))))
                .collect(),
            observers: observers
                .filter_map(|&id| Some((id, NoticeMeters::new(self, name, &plan.backend(id)?.name))))
                .collect(),
        }
    }

    // A series that was never there is no error below.

    fn forget_backend(&self, backend: &str) {
        for gauge in [
            &self.backend_in_flight,
            &self.backend_up,
            &self.backend_breaker_open,
        ] {
            let _ = gauge.remove_label_values(&[backend]);
        }
        for counter in [&self.connections_opened, &self.connections_reused] {
            let _ = counter.remove_label_values(&[backend]);
        }
    }

    fn forget_call(&self, hook: &str, backend: &str) {
        for verdict in CallVerdict::ALL {
            let _ = self.calls.remove_label_values(&[hook, backend, verdict.as_str()]);
        }
        for kind in FailureKind::ALL {
            let _ = self.failures.remove_label_values(&[hook, backend, kind.as_str()]);
        }
        let by_call = [
            &self.retries,
            &self.fail_open,
            &self.edits,
            &self.edits_denied,
            &self.attachments_denied,
            &self.table_guard,
        ];
        for counter in by_call {
            let _ = counter.remove_label_values(&[hook, backend]);
        }
        let _ = self.call_duration.remove_label_values(&[hook, backend]);
    }

    fn forget_hook(&self, hook: &str) {
        for verdict in HookVerdict::ALL {
            let _ = self.hooks.remove_label_values(&[hook, verdict.as_str()]);
        }
        for kind in AttachmentKind::ALL {
            let _ = self
                .attachments_dropped
                .remove_label_values(&[hook, kind.as_str()]);
        }
        let by_hook = [
            &self.merges,
            &self.merge_conflicts,
            &self.merge_failures,
            &self.images_collected,
        ];
        for counter in by_hook {
            let _ = counter.remove_label_values(&[hook]);
        }
        let _ = self.hook_duration.remove_label_values(&[hook]);
    }

    fn call_meters(&self, hook: &str, backend: &str) -> CallMeters {
        let labels = [hook, backend];
        CallMeters {
            verdicts: CallVerdict::ALL
                .map(|verdict| self.calls.with_label_values(&[hook, backend, verdict.as_str()])),
            failures: FailureKind::ALL
                .map(|kind| self.failures.with_label_values(&[hook, backend, kind.as_str()])),
            duration: self.call_duration.with_label_values(&labels),
            retries: self.retries.with_label_values(&labels),
            fail_open: self.fail_open.with_label_values(&labels),
            edits: self.edits.with_label_values(&labels),
            edits_denied: self.edits_denied.with_label_values(&labels),
            attachments_denied: self.attachments_denied.with_label_values(&labels),
            table_guard: self.table_guard.with_label_values(&labels),
        }
    }
}

/// Every hook and backend of it that a plan can count calls of.
fn calls_of(plan: &Plan) -> BTreeSet<(&str, &str)> {
    pairs(plan, |chain| chain.called().collect())
}

/// Every hook and each of these backends of its chain, by name.
fn pairs(plan: &Plan, of: impl Fn(&Chain) -> Vec<BackendId>) -> BTreeSet<(&str, &str)> {
    let mut pairs = BTreeSet::new();
    for (hook, chain) in &plan.chains {
        let ids = of(chain).into_iter();
        let backends = ids.filter_map(|id| plan.backend(id));
        pairs.extend(backends.map(|backend| (hook.as_str(), &*backend.name)));
    }
    pairs
}

// === impl HookMeters ===

impl HookMeters {
    /// Counts one hook that has been answered, `seconds` after its last byte.
    pub fn count(&self, outcome: &Outcome, seconds: f64) {
        self.count_verdict(outcome.verdict(), seconds);
        add(&self.merges, outcome.merging.merges);
        add(&self.conflicts, outcome.merging.conflicts);
        let no_objects = outcome.calls.iter().filter(|call| call.not_an_object).count();
        add(&self.merge_failures, outcome.merging.failures + no_objects as u64);
        add(&self.images, outcome.images as u64);
        for dropped in &outcome.dropped {
            pick(&self.dropped, &AttachmentKind::ALL, dropped.kind);
        }
        for call in &outcome.calls {
            self.count_call(call);
        }
    }

    /// Counts what a shadow would have done, and its call.
    pub fn count_shadow(&self, finding: &Finding) {
        self.count_call(&finding.call);
        if let Some(meters) = self.shadows.get(&finding.call.backend) {
            meters.count(finding);
        }
    }

    /// Counts that a shadow is left out.
    pub fn count_dropped_shadow(&self, backend: BackendId) {
        if let Some(meters) = self.shadows.get(&backend) {
            meters.count_dropped();
        }
    }

    /// Adds what this shadow would have done so far.
    pub fn add_shadow(&self, backend: BackendId, counts: &mut ShadowCounts) {
        if let Some(meters) = self.shadows.get(&backend) {
            meters.add_to(counts);
        }
    }

    fn count_call(&self, call: &CallRecord) {
        if let Some(meters) = self.backends.get(&call.backend) {
            pick(&meters.verdicts, &CallVerdict::ALL, call.verdict);
            if call.verdict != CallVerdict::Skipped {
                meters.duration.observe(call.took.as_secs_f64());
            }
            add(&meters.edits, call.edits as u64);
            add(&meters.edits_denied, call.denied.count as u64);
            add(&meters.attachments_denied, u64::from(call.overreach.is_some()));
            add(&meters.table_guard, call.wrong_columns);
            add(&meters.fail_open, u64::from(call.failed_open));
            if let Some(failure) = &call.failure {
                pick(&meters.failures, &FailureKind::ALL, failure.kind);
            }
        }
    }

    /// Counts that a call to this backend is made again.
    pub fn count_retry(&self, backend: BackendId) {
        if let Some(meters) = self.backends.get(&backend) {
            meters.retries.inc();
        }
    }

    /// Counts one hook of which only the end is known: without a chain, or broken.
    pub fn count_verdict(&self, verdict: HookVerdict, seconds: f64) {
        pick(&self.verdicts, &HookVerdict::ALL, verdict);
        self.duration.observe(seconds);
    }
}

// === helpers ===

/// A count as a gauge has it.
pub fn amount(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Adds, and leaves the shared cache line alone where there is nothing to add.
fn add(counter: &IntCounter, amount: u64) {
    if amount > 0 {
        counter.inc_by(amount);
    }
}

/// Counts one in the counter that stands where `value` stands in `all`.
fn pick<T: PartialEq + Copy>(counters: &[IntCounter], all: &[T], value: T) {
    if let Some((counter, _)) = counters.iter().zip(all).find(|(_, one)| **one == value) {
        counter.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_help_is_a_sentence() {
        let metrics = Metrics::new().unwrap();
        metrics.hooks_in_flight.set(0);
        let families = metrics.registry.gather();
        let own = families
            .iter()
            .find(|family| family.name() == "koigate_hooks_in_flight")
            .unwrap();
        assert_eq!(own.help(), "Hooks being answered now.");
    }
}
