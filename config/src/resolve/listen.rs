//! The addresses to listen on, and which of them reach the same socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::file::{self, Addresses, File};
use crate::place::{Placed, Span};
use crate::problem::ListenProblem;
use crate::read::Lost;
use crate::report::Findings;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8600);
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8601);

/// An address and where it is written; nowhere if it is the default.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    pub(super) span: Option<Span>,
}

/// Every address that the gateway listens on, as far as they are right.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) server: Vec<Listener>,
    pub(super) admin: Option<Listener>,
}

/// Reads all addresses. One that is wrong is noted and left out.
pub(super) fn resolve(file: &File, lost: &Lost, findings: &mut Findings) -> Listeners {
    let server = match &file.server.listen {
        None if lost.covers(&["server", "listen"]) => Vec::new(),
        None => vec![Listener::default_of(SERVER)],
        Some(Placed {
            value: Addresses::One(text),
            span,
        }) => listener(text, span, findings).into_iter().collect(),
        Some(Placed {
            value: Addresses::Many(texts),
            span,
        }) => {
            if texts.is_empty() {
                findings.note(span, ListenProblem::NoAddress);
            }
            texts
                .iter()
                .filter_map(|text| listener(&text.value, &text.span, findings))
                .collect()
        }
    };
    let admin = admin(&file.admin, lost, findings);
    let listeners = Listeners { server, admin };
    listeners.note_taken(findings);
    listeners
}

/// The operator's address; nothing where it is wrong and noted.
pub(super) fn admin(written: &file::Admin, lost: &Lost, findings: &mut Findings) -> Option<Listener> {
    match &written.listen {
        None if lost.covers(&["admin", "listen"]) => None,
        None => Some(Listener::default_of(ADMIN)),
        Some(text) => listener(&text.value, &text.span, findings),
    }
}

/// An IP address and a port; `localhost` is 127.0.0.1, since a machine without IPv6 couldn't bind both.
fn listener(text: &str, span: &Span, findings: &mut Findings) -> Option<Listener> {
    if let Some(address) = address(text) {
        return Some(Listener {
            address,
            span: Some(span.clone()),
        });
    }
    let nearest = nearest(text);
    findings.note(span, ListenProblem::NotAnAddress { nearest });
    None
}

fn address(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits)?;
        return Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    text.parse().ok()
}

/// What was probably meant: a port alone, an address alone, an IPv6 address without brackets.
fn nearest(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let port = bare
        .strip_prefix(['*', ':'])
        .unwrap_or(bare)
        .trim_start_matches(':');
    [
        bare.to_owned(),
        format!("[{bare}]:8600"),
        format!("{bare}:8600"),
        format!("127.0.0.1:{port}"),
    ]
    .into_iter()
    .find(|meant| address(meant).is_some())
}

// === impl Listener ===

impl Listener {
    fn default_of(address: SocketAddr) -> Self {
        Self { address, span: None }
    }
}

// === impl Listeners ===

impl Listeners {
    /// The listener that a connection to this address reaches, if one does.
    pub(super) fn reached_by(&self, ip: IpAddr, port: u16) -> Option<SocketAddr> {
        let all = self.server.iter().chain(&self.admin);
        all.map(|listener| listener.address)
            .find(|listen| reaches(ip, port, *listen))
    }

    /// Notes listeners that would want the same socket, at the later of the two.
    fn note_taken(&self, findings: &mut Findings) {
        let all: Vec<&Listener> = self.server.iter().chain(&self.admin).collect();
        for (index, listener) in all.iter().enumerate() {
            let earlier = all
                .iter()
                .take(index)
                .find(|earlier| collide(earlier.address, listener.address));
            let Some(earlier) = earlier else { continue };
            // The default of `admin.listen` stands nowhere: then the other is the one that was written.
            let (at, by) = match &listener.span {
                Some(span) => (Some(span), earlier.address),
                None => (earlier.span.as_ref(), listener.address),
            };
            if let Some(span) = at {
                findings.note(span, ListenProblem::Taken { by });
            }
        }
    }
}

/// Whether two listeners want the same socket. Port 0 is whatever is free.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let same_family = a.is_ipv4() == b.is_ipv4();
    // `[::]` takes IPv4 too.
    let wide = |ip: IpAddr, from: IpAddr| ip.is_unspecified() && (ip.is_ipv6() || from.is_ipv4());
    one.port() != 0 && one.port() == other.port() && ((same_family && a == b) || wide(a, b) || wide(b, a))
}

/// Whether a connection from here to this address and port reaches this listener. 0.0.0.0 as a target is this
/// machine.
fn reaches(ip: IpAddr, port: u16, listen: SocketAddr) -> bool {
    let (target, own) = (ip.to_canonical(), listen.ip().to_canonical());
    let local = target.is_loopback() || target.is_unspecified();
    let alike =
        target == own || (own.is_unspecified() && local) || (target.is_unspecified() && own.is_loopback());
    listen.port() != 0 && listen.port() == port && alike
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, read, meant) in [
            ("127.0.0.1:8600", Some("127.0.0.1:8600"), None),
            ("[::1]:8600", Some("[::1]:8600"), None),
            ("localhost:8600", Some("127.0.0.1:8600"), None),
            ("0.0.0.0:0", Some("0.0.0.0:0"), None),
            (":8600", None, Some("127.0.0.1:8600")),
            ("*:8600", None, Some("127.0.0.1:8600")),
            ("8600", None, Some("127.0.0.1:8600")),
            ("127.0.0.1", None, Some("127.0.0.1:8600")),
            ("::1", None, Some("[::1]:8600")),
            ("http://127.0.0.1:8600/", None, Some("127.0.0.1:8600")),
            ("localhost:+1", None, None),
            ("koigate:8600", None, None),
            ("127.0.0.1:86000", None, None),
            ("", None, None),
        ] {
            assert_eq!(address(text).map(|a| a.to_string()).as_deref(), read, "{text:?}");
            if read.is_none() {
                assert_eq!(nearest(text).as_deref(), meant, "{text:?}");
            }
        }
    }

    #[test]
    fn the_same_socket() {
        for (one, other, same) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "0.0.0.0:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("127.0.0.1:1", "[::1]:1", false),
            ("127.0.0.1:1", "[::ffff:127.0.0.1]:1", true),
        ] {
            let (a, b) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(collide(a, b), same, "{one} {other}");
            assert_eq!(collide(b, a), same, "{other} {one}");
        }
    }

    #[test]
    fn our_own() {
        for (target, listen, ours) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:2", "127.0.0.1:1", false),
            ("127.0.0.2:1", "127.0.0.1:1", false),
            ("127.0.0.2:1", "0.0.0.0:1", true),
            ("[::1]:1", "[::]:1", true),
            ("127.0.0.1:1", "[::]:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("192.0.2.1:1", "0.0.0.0:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            let target: SocketAddr = target.parse().unwrap();
            let reached = reaches(target.ip(), target.port(), listen.parse().unwrap());
            assert_eq!(reached, ours, "{target} {listen}");
        }
    }
}
