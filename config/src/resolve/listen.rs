//! The addresses and Unix sockets to listen on, and which of them are the same.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use koigate_core::plan::Listen;

use super::auth::Reach;
use crate::file::{self, Addresses, File};
use crate::place::{Placed, Span};
use crate::problem::ListenProblem;
use crate::read::Lost;
use crate::report::Findings;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8600);
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8601);

/// What a Unix socket begins with.
const UNIX: &str = "unix:";
/// The most bytes of a socket's path: what `sockaddr_un` holds (unix(7)), but for the NUL at its end.
const SOCKET: usize = 107;

/// An address and where it is written; nowhere if it is the default.
#[derive(Debug, Clone)]
pub(super) struct Listener<A = SocketAddr> {
    pub(super) address: A,
    pub(super) span: Option<Span>,
}

/// Everywhere that the gateway listens, as far as it is right.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) server: Vec<Listener<Listen>>,
    pub(super) admin: Option<Listener>,
}

/// Reads all addresses. One that is wrong is noted and left out.
pub(super) fn resolve(file: &File, lost: &Lost, findings: &mut Findings) -> Listeners {
    let server = match &file.server.listen {
        None if lost.covers(&["server", "listen"]) => Vec::new(),
        None => vec![Listener::default_of(SERVER.into())],
        Some(Placed {
            value: Addresses::One(text),
            span,
        }) => server(text, span, findings).into_iter().collect(),
        Some(Placed {
            value: Addresses::Many(texts),
            span,
        }) => {
            if texts.is_empty() {
                findings.note(span, ListenProblem::NoAddress);
            }
            texts
                .iter()
                .filter_map(|text| server(&text.value, &text.span, findings))
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

/// A Unix socket, or an address and a port.
fn server(text: &str, span: &Span, findings: &mut Findings) -> Option<Listener<Listen>> {
    let Some(path) = text.strip_prefix(UNIX) else {
        let Listener { address, span } = listener(text, span, findings)?;
        let address = address.into();
        return Some(Listener { address, span });
    };
    let path = socket(path)
        .map_err(|problem| findings.note(span, problem))
        .ok()?;
    Some(Listener {
        address: Listen::Unix(path),
        span: Some(span.clone()),
    })
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

/// A socket's path. A relative one would lead elsewhere whenever the process is started elsewhere.
fn socket(path: &str) -> Result<PathBuf, ListenProblem> {
    if path.len() > SOCKET {
        return Err(ListenProblem::LongSocket { most: SOCKET });
    }
    let is_file = path.starts_with('/') && !path.ends_with('/');
    if is_file && !path.starts_with("//") && !path.contains(char::is_control) {
        return Ok(path.into());
    }
    let name = path.trim_start_matches('/');
    let is_url = path.starts_with("//") && socket(&format!("/{name}")).is_ok();
    Err(ListenProblem::NotASocket {
        nearest: is_url.then(|| format!("{UNIX}/{name}")),
    })
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

impl<A> Listener<A> {
    fn default_of(address: A) -> Self {
        Self { address, span: None }
    }
}

// === impl Listeners ===

impl Listeners {
    /// From where hooks can come.
    pub(super) fn reach(&self) -> Reach {
        let is_open = |listener: &Listener<Listen>| match listener.address {
            Listen::Tcp(address) => reach(address) == Reach::OtherMachines,
            Listen::Unix(_) => false,
        };
        if self.server.iter().any(is_open) {
            Reach::OtherMachines
        } else {
            Reach::ThisMachine
        }
    }

    /// The listener that a connection to this address reaches, if one does.
    pub(super) fn reached_by(&self, ip: IpAddr, port: u16) -> Option<SocketAddr> {
        let server = self.server.iter().filter_map(|listener| match listener.address {
            Listen::Tcp(address) => Some(address),
            Listen::Unix(_) => None,
        });
        let admin = self.admin.iter().map(|listener| listener.address);
        server.chain(admin).find(|listen| reaches(ip, port, *listen))
    }

    /// Notes listeners that would want the same socket, at the later of the two.
    fn note_taken(&self, findings: &mut Findings) {
        let admin = self.admin.clone().map(|Listener { address, span }| Listener {
            address: address.into(),
            span,
        });
        let all: Vec<&Listener<Listen>> = self.server.iter().chain(&admin).collect();
        for (index, listener) in all.iter().enumerate() {
            let earlier = all
                .iter()
                .take(index)
                .find(|earlier| collide(&earlier.address, &listener.address));
            let Some(earlier) = earlier else { continue };
            // The default of `admin.listen` stands nowhere: then the other is the one that was written.
            let (at, by) = match &listener.span {
                Some(span) => (Some(span), &earlier.address),
                None => (earlier.span.as_ref(), &listener.address),
            };
            if let Some(span) = at {
                findings.note(span, ListenProblem::Taken { by: by.clone() });
            }
        }
    }
}

/// From where an address can be reached.
pub(super) fn reach(address: SocketAddr) -> Reach {
    if address.ip().to_canonical().is_loopback() {
        Reach::ThisMachine
    } else {
        Reach::OtherMachines
    }
}

/// Whether two listeners want the same socket.
fn collide(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Tcp(one), Listen::Tcp(other)) => take_one_port(*one, *other),
        (one, other) => one == other,
    }
}

/// Whether two addresses can't be listened on both. Port 0 is whatever is free.
fn take_one_port(one: SocketAddr, other: SocketAddr) -> bool {
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
    fn sockets() {
        let not = |nearest: Option<&str>| {
            let nearest = nearest.map(str::to_owned);
            Err(ListenProblem::NotASocket { nearest })
        };
        let long = "x".repeat(106);
        for (path, expected) in [
            ("/run/koigate.sock", Ok("/run/koigate.sock".into())),
            ("/run/回调.sock", Ok("/run/回调.sock".into())),
            (&format!("/{long}"), Ok(format!("/{long}").into())),
            (&format!("/{long}x"), Err(ListenProblem::LongSocket { most: 107 })),
            ("", not(None)),
            ("koigate.sock", not(None)),
            ("/", not(None)),
            ("/run/", not(None)),
            ("/run/\u{0}a", not(None)),
            ("///run/koigate.sock", not(Some("unix:/run/koigate.sock"))),
            ("//run/koigate.sock", not(Some("unix:/run/koigate.sock"))),
            ("//", not(None)),
        ] {
            assert_eq!(socket(path), expected, "{path:?}");
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
            assert_eq!(take_one_port(a, b), same, "{one} {other}");
            assert_eq!(take_one_port(b, a), same, "{other} {one}");
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
