//! What calls are signed with.

use koigate_core::secret::SigningKey;

use super::{Surroundings, secret};
use crate::file::{Sign, Table};
use crate::place::Placed;
use crate::problem::{KeyProblem, SignProblem, quotable};
use crate::report::Findings;

/// The most keys at once: the old and the new while they are exchanged.
const MOST: usize = 2;

/// The keys of a backend's signature, in the order of the file. What is wrong is noted and left out.
pub(super) fn resolve(
    backend: &str,
    written: Option<&Placed<Table<Sign>>>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<SigningKey> {
    let Some(sign) = written else {
        return Vec::new();
    };
    let Some(secret) = &sign.value.0.secret else {
        if !around.lost.covers(&["backends", backend, "sign", "secret"]) {
            let table = format!("backends.{}.sign", quotable(backend));
            findings.note(&sign.span, KeyProblem::Missing { key: "secret", table });
        }
        return Vec::new();
    };
    let texts = secret.each();
    if !(1..=MOST).contains(&texts.len()) {
        findings.note(&secret.span, SignProblem::Number { most: MOST });
    }
    let mut keys = Vec::new();
    for (text, span) in texts {
        let Some(secret) = secret::resolve_at(text, span, around, findings) else {
            continue;
        };
        match SigningKey::parse(&secret) {
            None => findings.note(span, SignProblem::NotAKey),
            Some(key) if keys.contains(&key) => findings.note(span, SignProblem::Twice),
            Some(key) => keys.push(key),
        }
    }
    keys
}
