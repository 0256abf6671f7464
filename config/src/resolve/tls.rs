//! TLS: whom callers see and who they have to be, and the same towards a backend.

use koigate_core::plan::{BackendTls, Identity, ServerTls};

use super::{Surroundings, pem};
use crate::file::{self, Table};
use crate::place::Placed;
use crate::problem::{KeyProblem, TlsProblem};
use crate::report::Findings;

/// TLS towards callers; nothing too where it is wrong and noted.
pub(super) fn server(
    written: Option<&Placed<Table<file::ServerTls>>>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<ServerTls> {
    let written = written?;
    let Table(tls) = &written.value;
    for (key, is_missing) in [("cert", tls.cert.is_none()), ("key", tls.key.is_none())] {
        if is_missing && !around.lost.covers(&["server", "tls", key]) {
            let table = "server.tls".to_owned();
            findings.note(&written.span, KeyProblem::Missing { key, table });
        }
    }
    let identity = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => pem::identity((cert, key), around, findings),
        _ => None,
    };
    let client_ca = tls.client_ca.as_ref();
    let client_ca = client_ca.and_then(|file| pem::authorities(file, around, findings));
    Some(ServerTls {
        identity: identity?,
        client_ca,
    })
}

/// TLS towards a backend, of the table at this path; the inherited where there is no table. What is wrong in it is
/// noted.
pub(super) fn backend(
    (path, written): (&[&str], Option<&Placed<Table<file::BackendTls>>>),
    inherited: &BackendTls,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> BackendTls {
    let Some(Table(tls)) = written.map(|written| &written.value) else {
        return inherited.clone();
    };
    let ca = tls.ca.as_ref();
    BackendTls {
        ca: ca.and_then(|file| pem::authorities(file, around, findings)),
        identity: identity((path, tls), around, findings),
    }
}

/// Notes a table of its own that a backend without an `https` URL has no use for.
pub(super) fn note_unused(written: &Placed<Table<file::BackendTls>>, findings: &mut Findings) {
    let Table(tls) = &written.value;
    let is_empty = tls.ca.is_none() && tls.cert.is_none() && tls.key.is_none();
    if !is_empty {
        findings.note(&written.span, TlsProblem::NotHttps);
    }
}

fn identity(
    (path, tls): (&[&str], &file::BackendTls),
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Identity> {
    let (one, missing) = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => return pem::identity((cert, key), around, findings),
        (Some(cert), None) => (cert, "key"),
        (None, Some(key)) => (key, "cert"),
        (None, None) => return None,
    };
    let key = [path, &["tls", missing]].concat();
    if !around.lost.covers(&key) {
        findings.note(&one.span, TlsProblem::Half { missing });
    }
    None
}
