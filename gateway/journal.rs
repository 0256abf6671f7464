//! What the log says of a hook: one line at `info`, written from the outcome. Never a document, a secret, a
//! user's text or a backend's address. And what it says of configurations: each problem and warning a line.

use std::time::Duration;

use koigate_config::Report;
use koigate_core::guards::Denied;
use koigate_core::outcome::Outcome;
use tracing::{debug, error, info, warn};

use crate::live::{Changes, Trigger};
use crate::milliseconds::{self, push_milliseconds};

/// The line of one hook, and behind it what somebody should know: failures, conflicts, what was left out.
pub fn hook(id: &str, outcome: &Outcome, took: Duration) {
    let hook = outcome.hook.as_str();
    info!(
        id,
        hook,
        verdict = outcome.verdict().as_str(),
        ms = milliseconds::to_a_tenth(took),
        backends = backends(outcome),
        "hook"
    );
    for call in &outcome.calls {
        if let Some(failure) = &call.failure {
            let (backend, kind, detail) = (outcome.name(call), failure.kind.as_str(), &*failure.detail);
            let policy = if call.failed_open { "continue" } else { "reject" };
            warn!(id, hook, backend, kind, detail, policy, "call failed");
        }
        if call.not_an_object {
            warn!(
                id,
                hook,
                backend = outcome.name(call),
                "the JSON reply is no object and carries nothing"
            );
        }
        debug!(
            id,
            hook,
            backend = outcome.name(call),
            status = call.status,
            edits = call.edits,
            "call"
        );
    }
    denials(id, outcome);
    for conflict in &outcome.merging.listed {
        let (place, first, second) = (&*conflict.pointer, &*conflict.first, &*conflict.second);
        warn!(
            id,
            hook, place, first, second, "two backends set one place to different values"
        );
    }
    for column in &outcome.merging.wrong_columns {
        let (place, found, expected) = (&*column.pointer, column.found, column.expected);
        let (backends, dropped) = (column.backends.join(" "), column.dropped);
        warn!(
            id,
            hook, backends, place, found, expected, dropped, "a column is not as long as the nodes' names"
        );
    }
    if outcome.merging.failures > 0 {
        warn!(
            id,
            hook, "the document does not parse: the last JSON reply is the answer, whole"
        );
    }
    for dropped in &outcome.dropped {
        let (backend, attachment, why) = (&*dropped.backend, dropped.kind.as_str(), dropped.reason.as_str());
        warn!(id, hook, backend, attachment, why, "an attachment was dropped");
    }
}

/// What backends tried and may not: the places, never the values. Of edits at most as many as of conflicts.
fn denials(id: &str, outcome: &Outcome) {
    let hook = outcome.hook.as_str();
    for call in &outcome.calls {
        if let Some(power) = call.overreach {
            let (backend, answered) = (outcome.name(call), power.as_str());
            warn!(id, hook, backend, answered, "a backend answered what it may not");
        }
    }
    let places = outcome
        .calls
        .iter()
        .flat_map(|call| call.denied.places.iter().map(|place| (outcome.name(call), place)));
    for (backend, place) in places.take(Denied::LISTED) {
        warn!(id, hook, backend, place, "an edit was denied");
    }
}

/// What became of another configuration: what has changed, or every problem.
pub fn reload(trigger: Trigger, generation: u64, result: &Result<Changes, Report>) {
    let trigger = trigger.as_str();
    let changes = match result {
        Ok(changes) => changes,
        Err(report) => return unusable(trigger, report),
    };
    warnings(&changes.warnings);
    if !changes.needs_restart.is_empty() {
        let keys = changes.needs_restart.join(", ");
        warn!(keys, "a restart is needed for what has changed of these");
    }
    if changes.lines.is_empty() {
        info!(
            trigger,
            generation, "configuration read again: nothing has changed"
        );
    } else {
        let changed = changes.lines.join("; ");
        info!(trigger, generation, changed, "configuration reloaded");
    }
}

/// A reload that a fault of ours has ended.
pub fn broken_reload(trigger: Trigger) {
    let trigger = trigger.as_str();
    error!(
        trigger,
        "a fault of the gateway's own: configuration not reloaded, the running one stays"
    );
}

fn unusable(trigger: &str, report: &Report) {
    for finding in report.findings() {
        let (code, place) = (finding.code(), finding.stands_at(report.name()));
        let remedy = finding.remedy();
        error!(code, place, remedy, "{}", finding.message());
    }
    let problems = report.findings().len();
    error!(
        trigger,
        problems, "configuration not reloaded: the running one stays"
    );
}

/// The warnings of a configuration: who runs a gateway reads its log, in the form that it asked for.
pub fn warnings(report: &Report) {
    for finding in report.findings() {
        let (code, place) = (finding.code(), finding.stands_at(report.name()));
        let remedy = finding.remedy();
        warn!(code, place, remedy, "{}", finding.message());
    }
}

/// `blacklist=continue/1.2 points=failed/2000.1`: each call's verdict and milliseconds, in configured order.
fn backends(outcome: &Outcome) -> String {
    let mut text = String::with_capacity(outcome.calls.len() * 32);
    for call in &outcome.calls {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend([outcome.name(call), "=", call.verdict.as_str(), "/"]);
        push_milliseconds(&mut text, call.took);
    }
    text
}
