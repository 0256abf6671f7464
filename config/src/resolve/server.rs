//! `[server]` but for its addresses.

use std::ops::RangeInclusive;
use std::time::Duration;

use koigate_core::plan::Server;

use super::listen::Listeners;
use super::quantity::{self, PERMITS, THREADS};
use super::{Surroundings, allow, auth, tls};
use crate::file;
use crate::place::Placed;
use crate::problem::ValueProblem;
use crate::report::Findings;

const MAX_BODY: usize = 32 << 20;
const MAX_IN_FLIGHT: usize = 1024;
pub(crate) const MAX_BUFFERED: usize = 256 << 20;
pub(crate) const MAX_CONNECTIONS: usize = 16_384;
/// No machine has more memory; the least is one hook of the largest size, which is said in words of its own.
const BUFFERED: RangeInclusive<usize> = 1024..=1 << 40;
const DEADLINE: Duration = Duration::from_secs(10);
pub(crate) const DRAIN: Duration = Duration::from_secs(30);
/// Of `drain` and `lame_duck`: both may be nothing, and nobody waits longer for a process to end.
const PARTING: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);

/// The listening side, or nothing where its path is wrong and noted.
pub(super) fn resolve(
    server: &file::Server,
    listeners: &Listeners,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Server> {
    let (max_body, max_buffered) = sizes(server, findings);
    let (max_connections, max_connections_per_address) = connections(server, findings);
    Some(Server {
        listen: listeners
            .server
            .iter()
            .map(|listener| listener.address.clone())
            .collect(),
        max_body,
        max_in_flight: quantity::number(server.max_in_flight.as_ref(), MAX_IN_FLIGHT, PERMITS, findings),
        max_buffered,
        max_connections,
        max_connections_per_address,
        drain: quantity::duration_within(PARTING, server.drain.as_ref(), DRAIN, findings),
        lame_duck: quantity::duration_within(PARTING, server.lame_duck.as_ref(), Duration::ZERO, findings),
        threads: quantity::number(server.threads.as_ref(), 0, THREADS, findings),
        tls: tls::server(server.tls.as_ref(), around, findings),
        auth: auth::resolve(
            ("server", server.auth.as_ref()),
            listeners.reach(),
            around,
            findings,
        ),
        allow: allow::resolve(server.allow.as_ref(), findings),
        path: match &server.path {
            None => String::new(),
            Some(written) => path(written, findings)?,
        },
    })
}

/// `max_body` and `max_buffered`. Where the second is too small for the first, whichever is written is to blame.
fn sizes(server: &file::Server, findings: &mut Findings) -> (usize, usize) {
    let max_body = quantity::size(server.max_body.as_ref(), MAX_BODY, findings);
    let written = server.max_buffered.as_ref();
    let max_buffered = quantity::size_within(BUFFERED, written, MAX_BUFFERED, findings);
    let blamed = written.or(server.max_body.as_ref());
    if let (true, Some(blamed)) = (max_buffered < max_body, blamed) {
        let problem = ValueProblem::BodyUnbuffered {
            max_body,
            max_buffered,
        };
        findings.note(&blamed.span, problem);
    }
    (max_body, max_buffered)
}

/// The most connections, in all and of one address.
fn connections(server: &file::Server, findings: &mut Findings) -> (usize, usize) {
    let all = quantity::number(
        server.max_connections.as_ref(),
        MAX_CONNECTIONS,
        PERMITS,
        findings,
    );
    let of_one = server.max_connections_per_address.as_ref();
    (all, quantity::number(of_one, all, 1..=all, findings))
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
