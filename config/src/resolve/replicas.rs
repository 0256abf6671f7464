//! Where a backend is: its replicas, which are one service and are sent the same.

use koigate_core::plan::{Header, Target};

use super::listen::Listeners;
use super::url::Parts;
use super::{Surroundings, secret, url};
use crate::file::{self, Text};
use crate::place::{Placed, Span};
use crate::problem::{KeyProblem, UrlProblem, quotable};
use crate::report::Findings;

/// The replicas of a backend in the order of the file, and its own headers with the one that a user in the URLs
/// becomes. Nothing where one of the URLs is wrong and noted.
pub(super) fn resolve(
    (name, own): (&Placed<String>, &file::Backend),
    mut headers: Vec<Header>,
    listeners: &Listeners,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<(Vec<Target>, Vec<Header>)> {
    let Some(written) = &own.url else {
        if !around.lost.covers(&["backends", &name.value, "url"]) {
            let table = format!("backends.{}", quotable(&name.value));
            findings.note(&name.span, KeyProblem::Missing { key: "url", table });
        }
        return None;
    };
    let texts = written.each();
    if texts.is_empty() {
        findings.note(&written.span, UrlProblem::NoReplica);
    }
    let mut replicas: Vec<Parts> = Vec::new();
    let number = texts.len();
    for (text, span) in texts {
        let Some(parts) = replica((text, span), around, findings) else {
            continue;
        };
        if let Some(listen) = url::own_listener(&parts.target, listeners) {
            findings.note(span, UrlProblem::OwnAddress { listen });
        }
        if let Some(problem) = difference(&parts, &replicas) {
            findings.note(span, problem);
        }
        replicas.push(parts);
    }
    if let Some(authorization) = replicas.first()?.authorization.clone() {
        if headers
            .iter()
            .any(|header| header.name.eq_ignore_ascii_case(&authorization.name))
        {
            findings.note(&written.span, UrlProblem::TwoCredentials);
        }
        headers.push(authorization);
    }
    let targets: Vec<Target> = replicas.into_iter().map(|parts| parts.target).collect();
    (targets.len() == number).then_some((targets, headers))
}

fn replica(
    (text, span): (&Text, &Span),
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Parts> {
    let text = secret::resolve_at(text, span, around, findings)?;
    url::take_apart(text.expose())
        .map_err(|problem| findings.note(span, problem))
        .ok()
}

/// Why this one can't be another replica of the same backend.
fn difference(parts: &Parts, earlier: &[Parts]) -> Option<UrlProblem> {
    if earlier.iter().any(|other| other.target == parts.target) {
        return Some(UrlProblem::ReplicaTwice);
    }
    let first = earlier.first()?;
    (first.authorization != parts.authorization).then_some(UrlProblem::ReplicaUsers)
}
