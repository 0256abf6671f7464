//! A backend's URL, taken apart. The URL standard forgives much (`http:/host`, a tab in the middle, `\` for `/`);
//! in a configuration such a thing is a slip of the pen, so it is refused before the standard's parser sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use koigate_core::plan::{Header, Scheme, Target};
use koigate_core::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

use super::listen::Listeners;
use crate::problem::UrlProblem;

/// What stands for the hook's name.
const HOOK: &str = "{hook}";

/// What the standard's parser makes of [`HOOK`] in a path.
const HOOK_ENCODED: &str = "%7Bhook%7D";

/// What can't stand in a path or query as it is (RFC 3986, section 3.3 and 3.4); `%` may be an encoding already.
const ENCODED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'?')
    .remove(b'%');

/// A URL in the parts that the plan wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) target: Target,
    /// `Authorization`, if the URL has a user or a password.
    pub(super) authorization: Option<Header>,
}

/// Takes a URL apart.
pub(super) fn take_apart(text: &str) -> Result<Parts, UrlProblem> {
    let scheme = check_spelling(text)?;
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::EmptyHost => UrlProblem::NotHttp,
        error => UrlProblem::Malformed { error },
    })?;
    if url.fragment().is_some() {
        return Err(UrlProblem::Fragment);
    }
    let path = path_and_query(&url);
    if path.matches(HOOK).count() != text.matches(HOOK).count() {
        return Err(UrlProblem::PlaceholderPlace);
    }
    let (host, authority) = match url.host() {
        Some(Host::Domain(name)) => (name.to_owned(), name.to_owned()),
        Some(Host::Ipv4(ip)) => (ip.to_string(), ip.to_string()),
        Some(Host::Ipv6(ip)) => (ip.to_string(), format!("[{ip}]")),
        None => return Err(UrlProblem::NotHttp),
    };
    let port = url
        .port_or_known_default()
        .filter(|port| *port != 0)
        .ok_or(UrlProblem::PortZero)?;
    let authority = url
        .port()
        .map_or(authority.clone(), |port| format!("{authority}:{port}"));
    Ok(Parts {
        target: Target {
            scheme,
            host,
            port,
            authority,
            path,
        },
        authorization: authorization(&url),
    })
}

/// Path and query as they are sent, of a text that is no more than that. There is no hook that could stand in it.
pub(super) fn path(text: &str) -> Option<String> {
    if !text.starts_with('/') || text.contains(['{', '}']) {
        return None;
    }
    let parts = take_apart(&format!("http://localhost{text}")).ok()?;
    Some(parts.target.path)
}

/// The listener of ours that this target leads to, if it does.
pub(super) fn own_listener(target: &Target, listeners: &Listeners) -> Option<std::net::SocketAddr> {
    let ips: Vec<IpAddr> = match target.host.parse() {
        Ok(ip) => vec![ip],
        Err(_) if is_localhost(&target.host) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Err(_) => return None,
    };
    ips.into_iter()
        .find_map(|ip| listeners.reached_by(ip, target.port))
}

/// Whether this host is this machine, as far as the name alone tells.
pub(super) fn is_this_machine(host: &str) -> bool {
    host.parse::<IpAddr>().map_or_else(
        |_| is_localhost(host),
        |ip| ip.to_canonical().is_loopback() || ip.is_unspecified(),
    )
}

/// `localhost` and what lies below it (RFC 6761, section 6.3), in lower case as a URL's host is.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host == "localhost" || host.ends_with(".localhost")
}

/// What the standard would forgive.
fn check_spelling(text: &str) -> Result<Scheme, UrlProblem> {
    let (name, rest) = text.split_once("://").ok_or(UrlProblem::NotHttp)?;
    let scheme = match name.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(UrlProblem::NotHttp),
    };
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return Err(UrlProblem::NotHttp);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(UrlProblem::Character);
    }
    if text.replace(HOOK, "").contains(['{', '}']) {
        return Err(UrlProblem::Placeholder);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains(HOOK) {
        return Err(UrlProblem::PlaceholderPlace);
    }
    Ok(scheme)
}

/// Path and query as they are sent, `{hook}` as it was.
fn path_and_query(url: &Url) -> String {
    let mut text = url.path().to_owned();
    if let Some(query) = url.query() {
        text.push('?');
        text.push_str(query);
    }
    text.replace(HOOK_ENCODED, HOOK)
        .split(HOOK)
        .map(|part| utf8_percent_encode(part, &ENCODED).to_string())
        .collect::<Vec<_>>()
        .join(HOOK)
}

/// The user and password as RFC 7617 sends them.
fn authorization(url: &Url) -> Option<Header> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    Some(Header {
        name: "Authorization".to_owned(),
        value: Secret::new(format!("Basic {}", STANDARD.encode(pair))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scheme, host, port, authority and path in one line.
    fn shown(text: &str) -> Result<String, UrlProblem> {
        take_apart(text).map(|parts| {
            let Target {
                scheme,
                host,
                port,
                authority,
                path,
            } = parts.target;
            format!("{scheme:?} {host} {port} {authority} {path}")
        })
    }

    #[test]
    fn taken_apart() {
        for (text, parts) in [
            (
                "http://127.0.0.1:8081/{hook}",
                "Http 127.0.0.1 8081 127.0.0.1:8081 /{hook}",
            ),
            ("http://a", "Http a 80 a /"),
            ("https://a/", "Https a 443 a /"),
            ("https://a:443/", "Https a 443 a /"),
            ("https://a:80/", "Https a 80 a:80 /"),
            ("HTTP://A.Example/X", "Http a.example 80 a.example /X"),
            ("http://[::1]:81/x", "Http ::1 81 [::1]:81 /x"),
            ("http://2130706433/", "Http 127.0.0.1 80 127.0.0.1 /"),
            (
                "http://节点.cn/回调?名=值",
                "Http xn--3px729a.cn 80 xn--3px729a.cn /%E5%9B%9E%E8%B0%83?%E5%90%8D=%E5%80%BC",
            ),
            ("http://a?hook={hook}&x=1", "Http a 80 a /?hook={hook}&x=1"),
            ("http://a/{hook}/{hook}", "Http a 80 a /{hook}/{hook}"),
            (
                "http://a/x?a[]=1|2^`\"<>",
                "Http a 80 a /x?a%5B%5D=1%7C2%5E%60%22%3C%3E",
            ),
            ("http://a/%E5%9B%9E?x=%20", "Http a 80 a /%E5%9B%9E?x=%20"),
            ("http://a/b/../c/./d", "Http a 80 a /c/d"),
            ("http://u:p@a/", "Http a 80 a /"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(parts), "{text}");
        }
    }

    #[test]
    fn refused() {
        for (text, code) in [
            ("", "KG040"),
            ("a", "KG040"),
            ("/x", "KG040"),
            ("ftp://a/", "KG040"),
            ("unix:/run/a.sock", "KG040"),
            ("http:/a", "KG040"),
            ("http:///a", "KG040"),
            ("http://", "KG040"),
            ("http://:80/", "KG040"),
            ("http://u:p@/", "KG040"),
            ("http://a:99999/", "KG041"),
            ("http://a:b/", "KG041"),
            ("http://[::1/", "KG041"),
            ("http://a b/", "KG042"),
            ("http://a/\tb", "KG042"),
            (" http://a/", "KG040"),
            ("http://a\\b", "KG042"),
            ("http://a/#x", "KG043"),
            ("http://a/{hok}", "KG044"),
            ("http://a/{", "KG044"),
            ("http://a/{{hook}}", "KG044"),
            ("http://{hook}/", "KG045"),
            ("http://{hook}@a/", "KG045"),
            ("http://a:0/", "KG046"),
        ] {
            assert_eq!(
                shown(text).map_err(|problem| problem.code()),
                Err(code),
                "{text:?}"
            );
        }
    }

    #[test]
    fn paths() {
        for (text, expected) in [
            ("/", Some("/")),
            ("/healthz?full=1", Some("/healthz?full=1")),
            ("/a:80/@b", Some("/a:80/@b")),
            ("//a/b", Some("//a/b")),
            ("/健康", Some("/%E5%81%A5%E5%BA%B7")),
            ("/a/../b", Some("/b")),
            ("", None),
            ("healthz", None),
            ("http://127.0.0.1/", None),
            ("/a b", None),
            ("/a\r\nb", None),
            ("/a\\b", None),
            ("/a#b", None),
            ("/{hook}", None),
        ] {
            assert_eq!(path(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn users() {
        for (text, header) in [
            ("http://a/", None),
            ("http://@a/", None),
            ("http://u@a/", Some("Basic dTo=")),
            ("http://u:p@a/", Some("Basic dTpw")),
            ("http://:p@a/", Some("Basic OnA=")),
            ("http://u:p%40%2F@a/", Some("Basic dTpwQC8=")),
            ("http://用:密@a/", Some("Basic 55SoOuWvhg==")),
        ] {
            let found = take_apart(text).unwrap().authorization;
            assert_eq!(found.as_ref().map(|h| h.value.expose()), header, "{text}");
        }
    }
}
