//! Who may come in: by the token that a request shows, by the address that it comes from.
//!
//! Both are decided on the head alone, and what was shown is in no message of ours.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use koigate_core::plan::Auth;
use percent_encoding::percent_decode_str;
use subtle::{Choice, ConstantTimeEq};

use crate::inbound::Head;

/// The query parameter that may hold the token of a hook.
const PARAMETER: &str = "token=";

/// Whether the only `Authorization` holds a valid token. Two of them could mean two things.
pub fn is_in_header(head: &Head, auth: &Auth) -> bool {
    only(head.values("authorization"))
        .and_then(credentials)
        .is_some_and(|token| is_one_of(&token, auth))
}

/// Whether the only `token` parameter of the query is a valid token: koipy is given nothing but a URL.
///
/// It is percent-decoded, and a `+` in it is a plus: no token holds a space.
pub fn is_in_query(head: &Head, auth: &Auth) -> bool {
    let pairs = head.query().unwrap_or_default().split('&');
    only(pairs.filter_map(|pair| pair.strip_prefix(PARAMETER)))
        .map(|value| Cow::from(percent_decode_str(value)))
        .is_some_and(|token| is_one_of(&token, auth))
}

/// Whether a caller from here may send hooks; empty networks are all. An IPv4 address that comes in over an IPv6
/// socket is an IPv4 address. Who comes over a Unix socket has no address: the permissions of its file decide.
pub fn is_allowed(peer: Option<SocketAddr>, networks: &[IpNet]) -> bool {
    let is_inside = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
    networks.is_empty() || peer.is_none_or(|peer| is_inside(peer.ip().to_canonical()))
}

/// The token of a `Bearer` (RFC 6750), or the password of a `Basic` (RFC 7617). Schemes have any case.
fn credentials(value: &[u8]) -> Option<Vec<u8>> {
    let space = value.iter().position(|&byte| byte == b' ')?;
    let (scheme, rest) = value.split_at_checked(space)?;
    let credentials = rest.trim_ascii_start();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(credentials.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let mut user_and_password = STANDARD.decode(credentials).ok()?;
    let colon = user_and_password.iter().position(|&byte| byte == b':')?;
    Some(user_and_password.split_off(colon + 1))
}

/// Compares with every token to its end, so that the time tells nothing of how much was right; only lengths show.
fn is_one_of(token: &[u8], auth: &Auth) -> bool {
    let same = |valid: &[u8]| valid.ct_eq(token);
    auth.tokens
        .iter()
        .fold(Choice::from(0), |found, valid| {
            found | same(valid.expose().as_bytes())
        })
        .into()
}

fn only<T>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next();
    if values.next().is_some() { None } else { first }
}

#[cfg(test)]
mod tests {
    use koigate_core::secret::Secret;

    use super::*;

    #[test]
    fn tokens_in_the_query() {
        let auth = Auth {
            tokens: ["one-token", "a+b/c=", "50%off", "第二"].map(Secret::new).into(),
        };
        for (query, expected) in [
            ("token=one-token", true),
            ("hook=onResult&token=one-token&x", true),
            ("token=one%2Dtoken", true),
            ("token=%6f%6Ee-token", true),
            ("token=a+b/c=", true),
            ("token=a%2Bb%2Fc%3D", true),
            ("token=50%25off", true),
            ("token=50%off", true),
            ("token=%E7%AC%AC%E4%BA%8C", true),
            ("", false),
            ("token", false),
            ("token=", false),
            ("token=one-toke", false),
            ("token=one-tokens", false),
            ("token=One-token", false),
            ("Token=one-token", false),
            ("xtoken=one-token", false),
            ("token=one-token&token=one-token", false),
            ("token=one-token&token=", false),
            ("token=%E7%AC", false),
            ("token=one-token%00", false),
        ] {
            let head = format!("POST /?{query} HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = Head::read(head.into()).unwrap();
            assert_eq!(is_in_query(&head, &auth), expected, "{query}");
        }
    }

    #[test]
    fn sources() {
        for (networks, peer, expected) in [
            (&[][..], Some("192.0.2.1:5"), true),
            (&[], None, true),
            (&["127.0.0.0/8"], None, true),
            (&["127.0.0.0/8"], Some("127.9.9.9:5"), true),
            (&["127.0.0.0/8"], Some("[::ffff:127.0.0.1]:5"), true),
            (&["127.0.0.0/8"], Some("128.0.0.0:5"), false),
            (&["127.0.0.0/8"], Some("[::1]:5"), false),
            (&["127.0.0.0/8", "::1/128"], Some("[::1]:5"), true),
            (&["::/0"], Some("192.0.2.1:5"), false),
            (&["::/0"], Some("[::ffff:192.0.2.1]:5"), false),
            (&["0.0.0.0/0"], Some("[2001:db8::1]:5"), false),
            (&["2001:db8::/32"], Some("[2001:db8::1%3]:5"), true),
        ] {
            let networks: Vec<IpNet> = networks.iter().map(|network| network.parse().unwrap()).collect();
            let address = peer.map(|peer| peer.parse().unwrap());
            assert_eq!(is_allowed(address, &networks), expected, "{networks:?} {peer:?}");
        }
    }
}
