//! One backend: what it says itself, over what it inherits.

use std::ops::RangeInclusive;
use std::time::Duration;

use koigate_core::condition::Condition;
use koigate_core::guards::Guards;
use koigate_core::hook::is_name;
use koigate_core::plan::{
    Backend, BackendTls, Breaker, Header, Health, OnFailure, Queue, Scheme, StatusSet, Target,
};
use koigate_core::texts;

use super::listen::Listeners;
use super::quantity::{self, PERMITS};
use super::{Surroundings, conditions, guards, headers, health, queue, replicas, sign, tls, word};
use crate::file::{self, Defaults, Status};
use crate::place::Placed;
use crate::problem::{KeyProblem, ValueProblem, quotable};
use crate::read::Lost;
use crate::report::Findings;

const TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
pub(crate) const MAX_REPLY: usize = 32 << 20;
pub(crate) const MAX_IN_FLIGHT: usize = 256;

/// A call that has failed so often in a row won't be helped by another try.
const RETRIES: RangeInclusive<usize> = 0..=10;

/// What a backend has where it says nothing itself: `[defaults]` over the built-in defaults.
#[derive(Debug)]
pub(super) struct Inherited {
    timeout: Duration,
    connect_timeout: Duration,
    on_failure: file::OnFailure,
    failure_message: String,
    failure_statuses: StatusSet,
    headers: Vec<Header>,
    max_reply: usize,
    max_in_flight: usize,
    retries: u32,
    breaker: Option<Breaker>,
    health: Option<Health>,
    tls: BackendTls,
    queue: Queue,
    always_finish: bool,
    guards: Guards,
    when: Vec<Condition>,
}

/// What backends inherit. It is resolved once, so that what is wrong in it is noted once.
pub(super) fn inherited(
    defaults: &Defaults,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Inherited {
    Inherited {
        timeout: quantity::duration(defaults.timeout.as_ref(), TIMEOUT, findings),
        connect_timeout: quantity::duration(defaults.connect_timeout.as_ref(), CONNECT_TIMEOUT, findings),
        on_failure: word(defaults.on_failure.as_ref(), file::OnFailure::Continue),
        failure_message: message(defaults.failure_message.as_ref(), texts::FAILURE, findings),
        failure_statuses: statuses(
            defaults.failure_statuses.as_ref(),
            &StatusSet::default(),
            findings,
        ),
        headers: headers::resolve(&defaults.headers, around, findings),
        max_reply: quantity::size(defaults.max_reply.as_ref(), MAX_REPLY, findings),
        max_in_flight: quantity::number(defaults.max_in_flight.as_ref(), MAX_IN_FLIGHT, PERMITS, findings),
        retries: retries(defaults.retries.as_ref(), 0, findings),
        breaker: health::breaker(defaults.breaker.as_ref(), None, findings),
        health: health::health(defaults.health.as_ref(), None, findings),
        tls: tls::backend(
            (&["defaults"], defaults.tls.as_ref()),
            &BackendTls::default(),
            around,
            findings,
        ),
        queue: queue::resolve(defaults.queue.as_ref(), Queue::default(), findings),
        always_finish: defaults
            .always_finish
            .as_ref()
            .is_some_and(|written| written.value),
        guards: guards::resolve(&defaults.into(), &Guards::default(), findings),
        when: defaults
            .when
            .as_ref()
            .map(|written| conditions::resolve(written, around, findings))
            .unwrap_or_default(),
    }
}

/// A backend, or nothing where its URL is wrong. Whatever else is wrong is noted.
pub(super) fn resolve(
    (name, own): (&Placed<String>, &file::Backend),
    inherited: &Inherited,
    listeners: &Listeners,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Backend> {
    if !is_name(&name.value) {
        let bad = quotable(&name.value);
        findings.note(&name.span, KeyProblem::BadName { name: bad });
    }
    let place = (name, own);
    let own_headers = headers::resolve(&own.headers, around, findings);
    let (replicas, own_headers) = replicas::resolve(place, own_headers, listeners, around, findings).unzip();
    let tls = tls(place, replicas.as_deref(), inherited, around, findings);
    let backend = Backend {
        tls,
        name: name.value.as_str().into(),
        timeout: quantity::duration(own.timeout.as_ref(), inherited.timeout, findings),
        connect_timeout: quantity::duration(
            own.connect_timeout.as_ref(),
            inherited.connect_timeout,
            findings,
        ),
        on_failure: on_failure(place, inherited, around.lost, findings),
        failure_statuses: statuses(
            own.failure_statuses.as_ref(),
            &inherited.failure_statuses,
            findings,
        ),
        headers: headers::inherit(&inherited.headers, own_headers.unwrap_or_default()),
        max_reply: quantity::size(own.max_reply.as_ref(), inherited.max_reply, findings),
        max_in_flight: quantity::number(
            own.max_in_flight.as_ref(),
            inherited.max_in_flight,
            PERMITS,
            findings,
        ),
        when: match &own.when {
            Some(written) => conditions::resolve(written, around, findings),
            None => inherited.when.clone(),
        },
        sign: sign::resolve(&name.value, own.sign.as_ref(), around, findings),
        always_finish: own
            .always_finish
            .as_ref()
            .map_or(inherited.always_finish, |written| written.value),
        guards: guards::resolve(&own.into(), &inherited.guards, findings),
        queue: queue::resolve(own.queue.as_ref(), inherited.queue, findings),
        retries: retries(own.retries.as_ref(), inherited.retries, findings),
        breaker: health::breaker(own.breaker.as_ref(), inherited.breaker, findings),
        health: health::health(own.health.as_ref(), inherited.health.as_ref(), findings),
        replicas: replicas?,
    };
    Some(backend)
}

/// What it needs of TLS, which is nothing where none of its replicas speaks it.
fn tls(
    (name, own): (&Placed<String>, &file::Backend),
    replicas: Option<&[Target]>,
    inherited: &Inherited,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> BackendTls {
    let path = ["backends", name.value.as_str()];
    let tls = tls::backend((&path, own.tls.as_ref()), &inherited.tls, around, findings);
    let is_plain = |replicas: &[Target]| replicas.iter().all(|target| target.scheme == Scheme::Http);
    if !replicas.is_some_and(is_plain) {
        return tls;
    }
    if let Some(written) = &own.tls {
        tls::note_unused(written, findings);
    }
    BackendTls::default()
}

/// How often a call is made again.
fn retries(written: Option<&Placed<i64>>, inherited: u32, findings: &mut Findings) -> u32 {
    let inherited = inherited.try_into().unwrap_or_default();
    let retries = quantity::number(written, inherited, RETRIES, findings);
    // The bounds are far within those of the type.
    retries.try_into().unwrap_or_default()
}

/// The policy. A message that nobody would read is a contradiction; an inherited one waits for who rejects.
fn on_failure(
    (name, own): (&Placed<String>, &file::Backend),
    inherited: &Inherited,
    lost: &Lost,
    findings: &mut Findings,
) -> OnFailure {
    let message = message(own.failure_message.as_ref(), &inherited.failure_message, findings);
    match word(own.on_failure.as_ref(), inherited.on_failure) {
        file::OnFailure::Reject => OnFailure::Reject { message },
        file::OnFailure::Continue => {
            let is_lost = lost.covers(&["backends", &name.value, "on_failure"])
                || lost.covers(&["defaults", "on_failure"]);
            if let (Some(unused), false) = (&own.failure_message, is_lost) {
                findings.note(&unused.span, ValueProblem::UnusedMessage);
            }
            OnFailure::Continue
        }
    }
}

fn message(written: Option<&Placed<String>>, default: &str, findings: &mut Findings) -> String {
    let Some(written) = written else {
        return default.to_owned();
    };
    if written.value.trim().is_empty() {
        findings.note(&written.span, ValueProblem::EmptyMessage);
    }
    written.value.clone()
}

fn statuses(
    written: Option<&Placed<Vec<Placed<Status>>>>,
    inherited: &StatusSet,
    findings: &mut Findings,
) -> StatusSet {
    let Some(written) = written else {
        return inherited.clone();
    };
    let mut ranges = Vec::new();
    for status in &written.value {
        match range(&status.value) {
            Ok(range) => ranges.push(range),
            Err(problem) => findings.note(&status.span, problem),
        }
    }
    StatusSet(ranges)
}

/// One status or a class of them, of those that a reply can have. With 200 and 204 a backend agrees, so they
/// can't be failures.
fn range(status: &Status) -> Result<RangeInclusive<u16>, ValueProblem> {
    match status {
        Status::Number(200 | 204) => Err(ValueProblem::StatusAgrees),
        Status::Number(number) => match u16::try_from(*number) {
            Ok(status @ 200..=999) => Ok(status..=status),
            _ => Err(ValueProblem::NotAStatus),
        },
        Status::Class(class) if class == "2xx" => Err(ValueProblem::StatusAgrees),
        Status::Class(class) => match class.as_bytes() {
            [digit @ b'3'..=b'9', b'x', b'x'] => {
                let first = u16::from(digit - b'0') * 100;
                Ok(first..=first + 99)
            }
            _ => Err(ValueProblem::NotAStatus),
        },
    }
}
