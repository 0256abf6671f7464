//! `[server]` but for its addresses.

use std::time::Duration;

use koigate_core::plan::Server;

use super::listen::Listeners;
use super::quantity::{self, PERMITS, THREADS};
use super::{Surroundings, tls};
use crate::file;
use crate::place::Placed;
use crate::problem::ValueProblem;
use crate::report::Findings;

const MAX_BODY: usize = 32 << 20;
const MAX_IN_FLIGHT: usize = 1024;
const MAX_BUFFERED: usize = 256 << 20;
const MAX_CONNECTIONS: usize = 16_384;
const DEADLINE: Duration = Duration::from_secs(10);

/// The listening side, or nothing where its path is wrong and noted.
pub(super) fn resolve(
    server: &file::Server,
    listeners: &Listeners,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Server> {
    Some(Server {
        listen: listeners
            .server
            .iter()
            .map(|listener| listener.address.clone())
            .collect(),
        max_body: quantity::size(server.max_body.as_ref(), MAX_BODY, findings),
        max_in_flight: quantity::number(server.max_in_flight.as_ref(), MAX_IN_FLIGHT, PERMITS, findings),
        max_buffered: MAX_BUFFERED,
        max_connections: MAX_CONNECTIONS,
        max_connections_per_address: MAX_CONNECTIONS,
        threads: quantity::number(server.threads.as_ref(), 0, THREADS, findings),
        tls: tls::server(server.tls.as_ref(), around, findings),
        auth: None,
        allow: Vec::new(),
        path: match &server.path {
            None => String::new(),
            Some(written) => path(written, findings)?,
        },
    })
}

/// The deadline of hooks that have none of their own.
pub(super) fn deadline(server: &file::Server, findings: &mut Findings) -> Duration {
    quantity::duration(server.deadline.as_ref(), DEADLINE, findings)
}

/// A prefix of paths: empty, or `/` and segments without a slash at the end.
///
/// Paths are compared as they are sent, so a prefix holds only characters that nobody encodes: those that RFC
/// 3986 calls unreserved. Empty segments, `.` and `..` are refused, as clients resolve them in different ways.
fn path(written: &Placed<String>, findings: &mut Findings) -> Option<String> {
    let path = written.value.strip_suffix('/').unwrap_or(&written.value);
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    let good = match path.strip_prefix('/') {
        Some(segments) => segments.split('/').all(is_segment),
        None => path.is_empty() && !written.value.is_empty(),
    };
    if !good {
        findings.note(&written.span, ValueProblem::NotAPath);
    }
    good.then(|| path.to_owned())
}
