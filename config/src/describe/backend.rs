//! One backend in words: what its failure means, and what isn't as with others.

use std::ops::RangeInclusive;

use koigate_core::guards::{Guards, Keys, Power, Sight};
use koigate_core::plan::{Backend, BackendTls, OnFailure, Queue, StatusSet};
use koigate_core::pointer::Pointer;
use koigate_core::texts;

use super::path;
use crate::problem::quotable;
use crate::resolve::{CONNECT_TIMEOUT, MAX_IN_FLIGHT, MAX_REPLY};
use crate::units::{duration, size};

/// What is to be said of a backend, a paragraph each.
pub(super) fn details(backend: &Backend) -> Vec<String> {
    let mut details = vec![failure(backend)];
    if let OnFailure::Reject { message } = &backend.on_failure
        && message != texts::FAILURE
    {
        details.push(format!("the user reads: {}", quotable(message)));
    }
    details.extend(terms(backend));
    details
}

/// The same of a shadow, whose failure means nothing for the hook.
pub(super) fn shadow_details(backend: &Backend) -> Vec<String> {
    let mut details = vec![patience(backend)];
    details.extend(terms(backend));
    details
}

/// The same of an observer, which is tried again for as long as its notices may wait.
pub(super) fn observer_details(backend: &Backend) -> Vec<String> {
    let Queue {
        length,
        memory,
        give_up,
    } = backend.queue;
    let mut details = vec![
        patience(backend),
        format!(
            "up to {length} notices wait, {} of memory, {} at most",
            size(memory),
            duration(give_up)
        ),
    ];
    details.extend(terms(backend));
    details
}

/// When and how it is asked, whatever becomes of that.
fn terms(backend: &Backend) -> Vec<String> {
    let mut details = Vec::new();
    details.extend(
        backend
            .when
            .iter()
            .map(|condition| format!("only when {condition}")),
    );
    details.extend(guards(&backend.guards));
    let care = care(backend);
    if !care.is_empty() {
        details.push(care.join("; "));
    }
    let limits = limits(backend);
    if !limits.is_empty() {
        details.push(limits.join("; "));
    }
    details
}

fn failure(backend: &Backend) -> String {
    let outcome = match &backend.on_failure {
        OnFailure::Continue => "go on without it",
        OnFailure::Reject { .. } => "reject",
    };
    let statuses = match statuses(&backend.failure_statuses) {
        none if none.is_empty() => String::new(),
        some => format!(" or answers {some}"),
    };
    format!("{}; if it fails{statuses}: {outcome}", patience(backend))
}

fn patience(backend: &Backend) -> String {
    let timeout = duration(backend.timeout);
    match backend.connect_timeout {
        CONNECT_TIMEOUT => format!("timeout {timeout}"),
        other => format!(
            "timeout {timeout} (connect {})",
            duration(other.min(backend.timeout))
        ),
    }
}

/// As they are written: `5xx, 404`.
fn statuses(set: &StatusSet) -> String {
    let status = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
        (start, end) if start == end => start.to_string(),
        (start, end) if start % 100 == 0 && start + 99 == *end => format!("{}xx", start / 100),
        (start, end) => format!("{start} to {end}"),
    };
    set.0.iter().map(status).collect::<Vec<_>>().join(", ")
}

/// What is done where it isn't well.
fn care(backend: &Backend) -> Vec<String> {
    let retries = match backend.retries {
        0 => None,
        1 => Some("one more try".to_owned()),
        more => Some(format!("up to {more} more tries")),
    };
    let breaker = backend.breaker.map(|breaker| match breaker.failures.get() {
        1 => format!("after a failure not called for {}", duration(breaker.cool_off)),
        failures => format!(
            "after {failures} failures in a row not called for {}",
            duration(breaker.cool_off)
        ),
    });
    let health = backend.health.as_ref().map(|health| {
        let (interval, path) = (duration(health.interval), path(&health.path));
        format!("checked every {interval} at {path}")
    });
    [retries, breaker, health, tls(&backend.tls)]
        .into_iter()
        .flatten()
        .collect()
}

fn tls(tls: &BackendTls) -> Option<String> {
    match (&tls.ca, &tls.identity) {
        (None, None) => None,
        (Some(_), None) => Some("trusted by its own ca alone".to_owned()),
        (None, Some(_)) => Some("shown a certificate".to_owned()),
        (Some(_), Some(_)) => Some("trusted by its own ca alone, and shown a certificate".to_owned()),
    }
}

/// What is sent besides the document, and the limits that aren't the usual ones.
fn limits(backend: &Backend) -> Vec<String> {
    let headers: Vec<&str> = backend
        .headers
        .iter()
        .map(|header| header.name.as_str())
        .collect();
    [
        (!headers.is_empty()).then(|| format!("headers {}", headers.join(", "))),
        (!backend.sign.is_empty()).then(|| "signed".to_owned()),
        (backend.max_reply != MAX_REPLY).then(|| format!("reply up to {}", size(backend.max_reply))),
        (backend.max_in_flight != MAX_IN_FLIGHT).then(|| format!("{} calls at once", backend.max_in_flight)),
        backend.always_finish.then(|| "goes on after a reject".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a backend is kept from, a line each.
fn guards(guards: &Guards) -> Vec<String> {
    let mut lines = Vec::new();
    match &guards.sight {
        Sight::Whole => {}
        Sight::Hide(places) => lines.push(format!("is not sent {}", listed(places))),
        Sight::Show(places) if places.is_empty() => lines.push("is sent an empty document".into()),
        Sight::Show(places) => lines.push(format!("is sent only {}", listed(places))),
    }
    match guards.keys {
        Keys::AsIs => {}
        Keys::Kebab => lines.push("is sent keys like from-user".into()),
        Keys::Snake => lines.push("is sent keys like from_user".into()),
    }
    if !guards.may.are_all() {
        let powers: Vec<&str> = guards.may.iter().map(Power::as_str).collect();
        lines.push(match powers.as_slice() {
            [] => "may answer nothing".into(),
            powers => format!("may answer only {}", powers.join(", ")),
        });
    }
    if let (Some(places), true) = (&guards.may_change, guards.may.allow(Power::Json)) {
        lines.push(match places.as_slice() {
            [] => "may change nothing".into(),
            places => format!("may change only {}", listed(places)),
        });
    }
    lines
}

fn listed(places: &[Pointer]) -> String {
    let places: Vec<&str> = places.iter().map(Pointer::as_str).collect();
    places.join(", ")
}
