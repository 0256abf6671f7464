//! `[admin]`: where the operator's side listens, who may come in, and what is remembered for them.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use koigate_core::plan::{Admin, Auth, Traces};
use koigate_core::pointer::Pointer;
use koigate_core::secret::Secret;

use super::listen::Listener;
use super::{Surroundings, guards, quantity, secret};
use crate::file::{self, Table};
use crate::place::{Placed, Span};
use crate::problem::{AuthProblem, KeyProblem, Warning};
use crate::report::Findings;

/// A token that other machines may try needs so many characters that trying is hopeless.
const LEAST: usize = 16;

/// How many hooks may be remembered; `memory` bounds what they hold.
const KEEP: RangeInclusive<usize> = 0..=100_000;
const KEPT: usize = 200;
const MEMORY: usize = 32 << 20;
/// Where the bot's own secrets and its users' are.
const HIDDEN: [&str; 2] = ["/config", "/slaveRequest/proxies"];

/// The operator's side, or nothing where it is wrong and noted.
pub(super) fn resolve(
    written: &file::Admin,
    listener: Option<&Listener>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Admin> {
    let tokens = written
        .auth
        .as_ref()
        .map(|auth| tokens(auth, around, findings))
        .unwrap_or_default();
    let listener = listener?;
    let listen = listener.address;
    if is_open(listen) {
        let is_unguarded = written.auth.is_none() && !around.lost.covers(&["admin", "auth"]);
        if let (true, Some(span)) = (is_unguarded, &listener.span) {
            findings.note(span, AuthProblem::AdminExposed { listen });
        }
        for (_, span) in tokens.iter().filter(|(token, _)| is_short(token)) {
            findings.note(span, Warning::ShortToken { least: LEAST });
        }
    }
    let traces = traces(&written.traces, findings);
    let tokens: Vec<Secret> = tokens.into_iter().map(|(token, _)| token).collect();
    Some(Admin {
        listen,
        auth: (!tokens.is_empty()).then_some(Auth { tokens }),
        traces,
    })
}

fn traces(written: &file::Traces, findings: &mut Findings) -> Traces {
    let hide = match &written.hide {
        Some(written) => guards::places("hide", written, findings),
        None => HIDDEN
            .iter()
            .filter_map(|place| Pointer::parse(place).ok())
            .collect(),
    };
    Traces {
        keep: quantity::number(written.keep.as_ref(), KEPT, KEEP, findings),
        memory: quantity::size(written.memory.as_ref(), MEMORY, findings),
        hide,
    }
}

/// Whether other machines may reach this address.
fn is_open(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

fn is_short(token: &Secret) -> bool {
    token.expose().chars().count() < LEAST
}

/// Every token that is right, and where it is written. What is wrong is noted.
fn tokens(
    auth: &Placed<Table<file::Auth>>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<(Secret, Span)> {
    let Some(written) = &auth.value.0.token else {
        if !around.lost.covers(&["admin", "auth", "token"]) {
            let (key, table) = ("token", "admin.auth".to_owned());
            findings.note(&auth.span, KeyProblem::Missing { key, table });
        }
        return Vec::new();
    };
    let texts = written.each();
    if texts.is_empty() {
        findings.note(&written.span, AuthProblem::NoToken);
    }
    let mut tokens = Vec::new();
    for (text, span) in texts {
        let Some(token) = secret::resolve_at(text, span, around, findings) else {
            continue;
        };
        match problem(token.expose()) {
            Some(problem) => findings.note(span, problem),
            None => tokens.push((token, span.clone())),
        }
    }
    tokens
}

/// A token is one word of a header, of a URL's query or of a password.
fn problem(token: &str) -> Option<AuthProblem> {
    if token.is_empty() {
        return Some(AuthProblem::EmptyToken);
    }
    let is_wrong = |c: char| c.is_whitespace() || c.is_control();
    token.contains(is_wrong).then_some(AuthProblem::Character)
}
