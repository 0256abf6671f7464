//! Who may ask the operator's side what.
//!
//! With `admin.auth`: whoever has one of its tokens, under whatever name the gateway is reached. Without it: whoever is
//! on this machine. `check` asks for it where others reach the address; but a reload can take it away together with
//! such an address, which is listened on until the restart, so callers are looked at as well. Web pages are kept out
//! either way, since a browser asks for any page that its user has open:
//!
//! - A page can give its own name an address of this machine (DNS rebinding) and read what it likes from what is
//!   then its own origin. The browser still says that name in `Host`, so no name but this machine's own is answered.
//! - A page can post a form anywhere, with a password that the browser remembers. The browser says where the page is
//!   from, in `Origin` and `Sec-Fetch-Site`, so no other site's is heard.
//! - A page can ask for anything with a GET, but is not given the answer to read: no answer has a header that lets
//!   another origin read it (CORS), and no GET changes anything.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use koigate_core::plan::Auth;

use crate::auth;
use crate::inbound::{Head, Response};

/// Why a request is not answered. The words name nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// It has no valid token.
    #[error("no valid token")]
    Token,
    /// It comes from another machine.
    #[error("a caller on another machine")]
    Caller,
    /// It is for a host of another name.
    #[error("a host of another name")]
    Host,
    /// A page of another site makes the browser send it.
    #[error("a page of another site")]
    Site,
}

/// Whether this request may be answered.
///
/// # Errors
///
/// Why not.
pub(super) fn check(head: &Head, auth: Option<&Auth>) -> Result<(), Denied> {
    match auth {
        Some(auth) if !auth::is_in_header(head, auth) => return Err(Denied::Token),
        None if !is_on_this_machine(head.peer()) => return Err(Denied::Caller),
        None if !is_for_this_machine(head) => return Err(Denied::Host),
        _ => {}
    }
    let is_reading = matches!(head.method(), "GET" | "HEAD");
    if !is_reading && is_from_another_site(head) {
        return Err(Denied::Site);
    }
    Ok(())
}

// === impl Denied ===

impl From<Denied> for Box<Response> {
    fn from(denied: Denied) -> Self {
        let response = match denied {
            Denied::Token => Response::unauthorized(
                "a token is needed: as Authorization: Bearer TOKEN, or as the password of any user\n",
            ),
            Denied::Caller => Response::text(
                403,
                "without admin.auth only callers on this machine are answered\n",
            ),
            // RFC 9110 section 15.5.20: a name that this server has not been configured for.
            Denied::Host => Response::text(
                421,
                "without admin.auth only localhost and addresses of this machine are answered as Host\n",
            ),
            Denied::Site => Response::text(403, "a page of another site can't do this\n"),
        };
        Self::new(response)
    }
}

// === this machine ===

/// Whether a caller is on this machine; one that has no address is.
fn is_on_this_machine(peer: Option<SocketAddr>) -> bool {
    peer.is_none_or(|peer| peer.ip().to_canonical().is_loopback())
}

/// Whether `Host` is a name or an address that means this machine wherever it is asked. HTTP/1.0 may leave it out;
/// who does is no browser, but nothing is lost by asking for it.
fn is_for_this_machine(head: &Head) -> bool {
    let host = head.header("host").and_then(|host| str::from_utf8(host).ok());
    host.and_then(without_port).is_some_and(is_this_machine)
}

/// The host of `host:port` (RFC 3986 section 3.2), an IPv6 address with its brackets.
fn without_port(authority: &str) -> Option<&str> {
    let end_of_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = authority.get(end_of_address..)?.find(':');
    let Some(colon) = colon.map(|colon| colon + end_of_address) else {
        return Some(authority);
    };
    let (host, port) = authority.split_at_checked(colon)?;
    let is_port = port.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    is_port.then_some(host)
}

fn is_this_machine(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(address) => address
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.to_canonical().is_loopback()),
        None => host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
    }
}

// === web pages ===

/// Whether a browser says that a page of another site asks. Other callers say nothing of the kind.
fn is_from_another_site(head: &Head) -> bool {
    let host = head.header("host").unwrap_or_default();
    let is_own = |origin: &[u8]| origin_host(origin).is_some_and(|origin| origin.eq_ignore_ascii_case(host));
    let is_foreign = !head.values("origin").all(is_own);
    // `none` is an address that was typed, or a bookmark.
    let is_fetched_from_elsewhere = !head
        .values("sec-fetch-site")
        .all(|site| matches!(site, b"same-origin" | b"none"));
    is_foreign || is_fetched_from_elsewhere
}

/// `host:port` of an origin; none for `null`.
fn origin_host(origin: &[u8]) -> Option<&[u8]> {
    let scheme_end = origin.windows(3).position(|three| three == b"://")?;
    origin.get(scheme_end + 3..)
}

#[cfg(test)]
mod tests {
    use super::*;

    // What comes in over a socket is tried with the door; a test has no other machine to come from.
    #[test]
    fn callers_on_this_machine() {
        for (peer, expected) in [
            (None, true),
            (Some("127.0.0.1:5"), true),
            (Some("127.9.9.9:5"), true),
            (Some("[::1]:5"), true),
            (Some("[::ffff:127.0.0.1]:5"), true),
            (Some("192.0.2.1:5"), false),
            (Some("[::ffff:192.0.2.1]:5"), false),
            (Some("[fe80::1]:5"), false),
            (Some("0.0.0.0:5"), false),
        ] {
            let address = peer.map(|peer| peer.parse().unwrap());
            assert_eq!(is_on_this_machine(address), expected, "{peer:?}");
        }
    }
}
