//! Who may come in: the tokens of the bot's side and of the operator's.

use koigate_core::plan::Auth;
use koigate_core::secret::Secret;

use super::{Surroundings, secret};
use crate::file::{self, Table};
use crate::place::{Placed, Span};
use crate::problem::{AuthProblem, KeyProblem, Warning};
use crate::report::Findings;

/// A token that other machines may try needs so many characters that trying is hopeless.
const LEAST: usize = 16;

/// From where a side can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only from this machine.
    ThisMachine,
    /// From others too.
    OtherMachines,
}

/// Who may come in by `server.auth` or `admin.auth`; everybody where nothing is written. What is wrong is noted.
pub(super) fn resolve(
    (side, written): (&'static str, Option<&Placed<Table<file::Auth>>>),
    reach: Reach,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Auth> {
    let tokens = tokens((side, written?), around, findings);
    if reach == Reach::OtherMachines {
        for (_, span) in tokens.iter().filter(|(token, _)| is_short(token)) {
            findings.note(span, Warning::ShortToken { least: LEAST });
        }
    }
    let tokens: Vec<Secret> = tokens.into_iter().map(|(token, _)| token).collect();
    (!tokens.is_empty()).then_some(Auth { tokens })
}

fn is_short(token: &Secret) -> bool {
    token.expose().chars().count() < LEAST
}

/// Every token that is right, and where it is written.
fn tokens(
    (side, auth): (&'static str, &Placed<Table<file::Auth>>),
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<(Secret, Span)> {
    let Some(written) = &auth.value.0.token else {
        if !around.lost.covers(&[side, "auth", "token"]) {
            let (key, table) = ("token", format!("{side}.auth"));
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
