//! Texts that may be secrets: written in the file, or found in the environment or another file.

use std::env::VarError;
use std::path::Path;

use koigate_core::secret::Secret;

use super::Surroundings;
use crate::file::Text;
use crate::place::{Placed, Span};
use crate::problem::{SecretProblem, quotable};
use crate::report::Findings;

/// No secret is larger, in bytes; what is larger is the wrong file.
const MOST: u64 = 64 * 1024;

/// The text, wherever it is. Nothing where it can't be had, which is noted.
pub(super) fn resolve(
    text: &Placed<Text>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    resolve_at(&text.value, &text.span, around, findings)
}

/// The text that is written at this place.
pub(super) fn resolve_at(
    text: &Text,
    span: &Span,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    let elsewhere = match text {
        Text::Plain(secret) => return Some(secret.clone()),
        Text::Elsewhere(elsewhere) => elsewhere,
    };
    let (span, found) = match (&elsewhere.env, &elsewhere.file) {
        (Some(name), None) => (&name.span, variable(&name.value, around)),
        (None, Some(path)) => (&path.span, file(&path.value, around)),
        // What was meant is noted already.
        (None, None) if around.lost.is_within(span) => return None,
        _ => (span, Err(SecretProblem::NotOneSource)),
    };
    found.map_err(|problem| findings.note(span, problem)).ok()
}

fn variable(name: &str, around: &Surroundings<'_>) -> Result<Secret, SecretProblem> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(SecretProblem::BadVariableName);
    }
    let text = around.sources.variable(name).map_err(|error| match error {
        VarError::NotPresent => SecretProblem::Unset {
            name: name.to_owned(),
        },
        VarError::NotUnicode(_) => SecretProblem::NotText,
    })?;
    filled(text)
}

fn file(path: &str, around: &Surroundings<'_>) -> Result<Secret, SecretProblem> {
    let bytes = around
        .sources
        .file(&around.folder.join(Path::new(path)), MOST + 1)
        .map_err(|error| SecretProblem::Unreadable {
            path: quotable(path),
            error: error.kind(),
        })?;
    if bytes.len() as u64 > MOST {
        return Err(SecretProblem::TooLarge { most: MOST });
    }
    let mut text = String::from_utf8(bytes).map_err(|_| SecretProblem::NotText)?;
    // Editors and `echo` end a file with a newline that belongs to no secret.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    filled(text)
}

fn filled(text: String) -> Result<Secret, SecretProblem> {
    if text.is_empty() {
        return Err(SecretProblem::Empty);
    }
    Ok(Secret::new(text))
}
