//! Heads, good and bad, as one table each; and that where a head is cut means nothing.

use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// Reads a head that comes whole, as a session does; what follows it is not looked at.
fn read(input: &[u8]) -> Result<Option<Head>, BadRequest> {
    let Some(range) = Scan::default().advance(input)? else {
        return Ok(None);
    };
    check(Bytes::copy_from_slice(&input[range])).map(Some)
}

fn head(input: &str) -> Head {
    read(input.as_bytes()).unwrap().expect("a whole head")
}

/// A head with these lines after a sound request line and host.
fn with(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn what_a_head_says() {
    let head = head(
        "POST /onResult?token=a%20b&x HTTP/1.1\r\nHost: bot:8600\r\nX-Koigate-Hook:  yes \t\r\nx-koigate-hook: no\r\nEmpty:\r\n\r\n",
    );
    assert_eq!(head.method(), "POST");
    assert_eq!(head.path(), "/onResult");
    assert_eq!(head.query(), Some("token=a%20b&x"));
    assert_eq!(head.version(), Version::Http11);
    assert_eq!(head.header("x-KOIGATE-hook"), Some(&b"yes"[..]));
    assert_eq!(head.header("empty"), Some(&b""[..]));
    assert_eq!(head.header("absent"), None);
    assert_eq!(head.headers().count(), 4);
    assert_eq!(head.peer(), None);
}

#[test]
fn targets() {
    for (target, path, query) in [
        ("/", "/", None),
        ("*", "*", None),
        ("/a/b?", "/a/b", Some("")),
        ("/a?b?c", "/a", Some("b?c")),
        ("//a", "//a", None),
        ("/节点", "/节点", None),
        ("http://bot:8600/onMessage?a=b", "/onMessage", Some("a=b")),
        ("HTTPS://[::1]:8600/", "/", None),
        ("http://bot", "/", None),
        ("http://bot?a=/b", "/", Some("a=/b")),
    ] {
        let head = head(&format!("POST {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((head.path(), head.query()), (path, query), "{target}");
    }
}

#[test]
fn framings() {
    for (lines, framing) in [
        ("", Framing::Length(0)),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("content-length:0012\r\n", Framing::Length(12)),
        (
            "Content-Length: 18446744073709551615\r\n",
            Framing::Length(u64::MAX),
        ),
        (
            "Content-Length: 18446744073709551616\r\n",
            Framing::Length(u64::MAX),
        ),
        ("TRANSFER-ENCODING: Chunked\r\n", Framing::Chunked),
    ] {
        assert_eq!(head(&with(lines)).framing(), framing, "{lines}");
    }
}

#[test]
fn persistences() {
    for (version, line, persistence) in [
        ("1.1", "X: y", Persistence::KeepAlive),
        ("1.1", "Connection: keep-alive", Persistence::KeepAlive),
        ("1.1", "Connection: close", Persistence::Close),
        ("1.1", "Connection: keep-alive ,\tCLOSE", Persistence::Close),
        ("1.1", "Connection: closed", Persistence::KeepAlive),
        ("1.0", "X: y", Persistence::Close),
        ("1.0", "connection: Keep-Alive", Persistence::KeepAliveAsked),
        ("1.0", "Connection: keep-alive, close", Persistence::Close),
    ] {
        let head = head(&format!("POST / HTTP/{version}\r\nHost: a\r\n{line}\r\n\r\n"));
        assert_eq!(head.persistence(), persistence, "{version} {line}");
    }
}

#[test]
fn expectations() {
    assert!(head(&with("Expect: 100-Continue\r\n")).expects_continue());
    assert!(!head(&with("Expect: 200-ok\r\n")).expects_continue());
    assert!(!head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue());
}

#[test]
fn refused_lines() {
    use BadRequest::{ContentLength, Host, Syntax, TooManyLines, TransferEncoding, TwoFramings};
    for (lines, bad) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", TwoFramings),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", TwoFramings),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", ContentLength),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", ContentLength),
        ("Content-Length: +5\r\n", ContentLength),
        ("Content-Length: -5\r\n", ContentLength),
        ("Content-Length: 0x5\r\n", ContentLength),
        ("Content-Length: 5, 5\r\n", ContentLength),
        ("Content-Length: 5 5\r\n", ContentLength),
        ("Content-Length: 5.0\r\n", ContentLength),
        ("Content-Length:\r\n", ContentLength),
        ("Content-Length: ٥\r\n", ContentLength),
        ("Transfer-Encoding: gzip\r\n", TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: ,chunked\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked,\r\n", TransferEncoding),
        ("Transfer-Encoding: chunked;q=1\r\n", TransferEncoding),
        ("Transfer-Encoding: \"chunked\"\r\n", TransferEncoding),
        ("Transfer-Encoding: xchunked\r\n", TransferEncoding),
        ("Transfer-Encoding: identity\r\n", TransferEncoding),
        ("Transfer-Encoding:\r\n", TransferEncoding),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            TransferEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            TransferEncoding,
        ),
        ("Transfer-Encoding: \u{b}chunked\r\n", Syntax),
        ("Transfer-Encoding : chunked\r\n", Syntax),
        ("Content-Length\t: 5\r\n", Syntax),
        ("Host: b\r\n", Host),
        ("hOST: a\r\n", Host),
        ("A: b\r\n folded\r\n", Syntax),
        ("A: b\r\n\tfolded\r\n", Syntax),
        ("A: b\0c\r\n", Syntax),
        ("A\0: b\r\n", Syntax),
        ("A: b\rc\r\n", Syntax),
        ("A: b\r\r\n", Syntax),
        ("A: b\u{7f}\r\n", Syntax),
        (": b\r\n", Syntax),
        ("no colon\r\n", Syntax),
        ("A(: b\r\n", Syntax),
        (&"A: b\r\n".repeat(MAX_LINES), TooManyLines),
    ] {
        assert_eq!(read(with(lines).as_bytes()).err(), Some(bad), "{lines:?}");
    }
}

#[test]
fn refused_heads() {
    use BadRequest::{BareLineFeed, HeadTooLarge, Host, NotHttp, Syntax, Target, TransferEncoding, Version};
    for (input, bad) in [
        ("\x16\x03\x01\x02", NotHttp),
        ("\0", NotHttp),
        (" POST / HTTP/1.1\r\n", NotHttp),
        ("{\"message\": 1}", NotHttp),
        ("POST /\r\n", Version),
        ("POST / \r\n", Version),
        ("POST / HTTP/0.9\r\n", Version),
        ("POST / HTTP/2.0\r\n", Version),
        ("POST / HTTP/1.2\r\n", Version),
        ("POST / http/1.1\r\n", Version),
        ("POST / HTTP/1.1 \r\n", Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version),
        ("\r\n\r\nPOST / HTTP/1.1\r\n", Version),
        ("\n", BareLineFeed),
        ("POST / HTTP/1.1\n", BareLineFeed),
        ("POST / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", BareLineFeed),
        ("POST / HTTP/1.1\r\nHost: a\r\n\n", BareLineFeed),
        ("POST  / HTTP/1.1\r\nHost: a\r\n\r\n", Syntax),
        ("POST /  HTTP/1.1\r\nHost: a\r\n\r\n", Version),
        ("POST\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Syntax),
        ("POST /a b HTTP/1.1\r\nHost: a\r\n\r\n", Version),
        ("POST /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", Syntax),
        ("PO(ST / HTTP/1.1\r\nHost: a\r\n\r\n", Syntax),
        ("POST HTTP/1.1\r\nHost: a\r\n\r\n", Syntax),
        ("POST / HTTP/1.1\r\n Host: a\r\n\r\n", Syntax),
        ("POST a HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("POST /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("POST http:///a HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("POST http://bot@host/ HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("POST http://bot:token@host/ HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("POST ftp://host/ HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("CONNECT host:443 HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("POST / HTTP/1.1\r\n\r\n", Host),
        ("POST / HTTP/1.1\r\nHost: a,b\r\n\r\n", Host),
        ("POST / HTTP/1.1\r\nHost: a b\r\n\r\n", Host),
        ("POST / HTTP/1.1\r\nHost: a@b\r\n\r\n", Host),
        ("POST / HTTP/1.1\r\nHost: a/b\r\n\r\n", Host),
        ("POST / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Host),
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            TransferEncoding,
        ),
        (&"x".repeat(MAX_HEAD + 1), HeadTooLarge),
        (&with(&format!("X: {}\r\n", "x".repeat(MAX_HEAD))), HeadTooLarge),
    ] {
        assert_eq!(read(input.as_bytes()).err(), Some(bad), "{input:?}");
    }
}

#[test]
fn limits_are_reached_before_they_are_passed() {
    assert_eq!(
        head(&with(&"A: b\r\n".repeat(MAX_LINES - 1))).headers().count(),
        MAX_LINES
    );
    let frame = with("X: \r\n").len();
    let largest = with(&format!("X: {}\r\n", "x".repeat(MAX_HEAD - frame)));
    assert_eq!(largest.len(), MAX_HEAD);
    let value = "x".repeat(MAX_HEAD - frame);
    assert_eq!(head(&largest).header("x"), Some(value.as_bytes()));
}

#[test]
fn one_empty_line_may_come_before_and_anything_after() {
    for input in ["\r\nGET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\n\r\nGET"] {
        assert_eq!(head(input).method(), "GET", "{input:?}");
    }
}

#[test]
fn an_unfinished_head_is_waited_for() {
    let whole = with("A: b\r\n");
    for length in 0..whole.len() {
        assert!(read(&whole.as_bytes()[..length]).unwrap().is_none(), "{length}");
    }
}

/// What a scan finds in bytes that come in two pieces.
fn scan_in_two(input: &[u8], split: usize) -> Result<Option<Range<usize>>, BadRequest> {
    let mut scan = Scan::default();
    match scan.advance(&input[..split])? {
        None => scan.advance(input),
        found => Ok(found),
    }
}

proptest! {
    /// No bytes panic, whole or cut, and where they are cut means nothing.
    #[test]
    fn any_bytes(
        parts in proptest::collection::vec(prop_oneof![
            Just(b"POST / HTTP/1.1\r\n".to_vec()),
            Just(b"Host: a\r\n".to_vec()),
            Just(b"Content-Length: 5\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            any::<u8>().prop_map(|byte| vec![byte]),
        ], 0..10),
        split in any::<prop::sample::Index>(),
    ) {
        let input = parts.concat();
        let whole = Scan::default().advance(&input);
        prop_assert_eq!(&scan_in_two(&input, split.index(input.len() + 1)), &whole);
        let head = read(&input);
        prop_assert_eq!(whole.is_err() || head.is_err(), head.is_err());
    }
}
