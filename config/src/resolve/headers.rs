//! The headers that a backend is sent besides the gateway's own.

use std::collections::BTreeMap;

use koigate_core::plan::Header;
use koigate_core::secret::Secret;

use super::{Surroundings, in_file_order, secret};
use crate::file::Text;
use crate::place::Placed;
use crate::problem::HeaderProblem;
use crate::report::Findings;

/// The most bytes of a value; common servers take 8 KiB for a whole header.
const MOST: usize = 8 * 1024;

/// Headers that nobody may set, in lower case, and why.
const OWNED: [(&[&str], &str); 6] = [
    (
        &[
            "content-length",
            "transfer-encoding",
            "content-type",
            "content-encoding",
            "expect",
        ],
        "it describes the document, which the gateway writes",
    ),
    (
        &["connection", "keep-alive", "te", "trailer", "upgrade"],
        "it concerns the connection, which the gateway keeps",
    ),
    (&["accept-encoding"], "the gateway asks for the reply as it is"),
    (&["host"], "it is the url's host"),
    (
        &["x-koigate-hook", "x-request-id", "idempotency-key", "traceparent"],
        "the gateway sends its own with every call",
    ),
    (
        &["webhook-id", "webhook-timestamp", "webhook-signature"],
        "it belongs to a signature, which `sign` makes",
    ),
];

/// A `headers` table in the file.
pub(super) type Table = BTreeMap<Placed<String>, Placed<Text>>;

/// The headers of one table, in the file's order. What is wrong is noted and left out.
pub(super) fn resolve(table: &Table, around: &Surroundings<'_>, findings: &mut Findings) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for (name, text) in in_file_order(table) {
        if let Some(problem) = name_problem(&name.value, &headers) {
            findings.note(&name.span, problem);
            continue;
        }
        let Some(value) = secret::resolve(text, around, findings) else {
            continue;
        };
        if let Some(problem) = value_problem(&name.value, &value) {
            findings.note(&text.span, problem);
            continue;
        }
        headers.push(Header {
            name: name.value.clone(),
            value,
        });
    }
    headers
}

/// A backend's own headers over the inherited ones, which come first.
pub(super) fn inherit(inherited: &[Header], own: Vec<Header>) -> Vec<Header> {
    let mut headers: Vec<Header> = inherited
        .iter()
        .filter(|header| !own.iter().any(|own| own.name.eq_ignore_ascii_case(&header.name)))
        .cloned()
        .collect();
    headers.extend(own);
    headers
}

fn name_problem(name: &str, earlier: &[Header]) -> Option<HeaderProblem> {
    // A token of RFC 9110, section 5.6.2.
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some(HeaderProblem::BadName);
    }
    let lower = name.to_ascii_lowercase();
    let reason = OWNED
        .iter()
        .find(|(names, _)| names.contains(&lower.as_str()))
        .map(|(_, reason)| *reason)
        .or_else(|| {
            lower
                .starts_with("proxy-")
                .then_some("it is for a proxy on the way, and there is none")
        });
    let name = name.to_owned();
    if let Some(reason) = reason {
        return Some(HeaderProblem::Owned { name, reason });
    }
    let twice = earlier
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case(&name));
    twice.then_some(HeaderProblem::Twice { name })
}

/// A value is one line without white space at its ends (RFC 9110, section 5.5).
fn value_problem(name: &str, value: &Secret) -> Option<HeaderProblem> {
    let (name, text) = (name.to_owned(), value.expose());
    if text.len() > MOST {
        return Some(HeaderProblem::LongValue { name, most: MOST });
    }
    let control = text.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f);
    let padded = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    (control || padded).then_some(HeaderProblem::BadValue { name })
}
