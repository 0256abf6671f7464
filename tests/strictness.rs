//! What two readers could understand in two ways is no request (RFC 9112 section 11.2): the list of request smuggling,
//! each of it before a hook that must never be served. And what only looks odd is served.

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::reply::status;
use crate::support::wire::bounded;

/// A hook that would be served if anything before it were taken for a whole request.
const NEXT: &str = "POST /onMessage HTTP/1.1\r\nHost: next\r\nContent-Length: 2\r\n\r\n{}";

/// A backend that has to be asked for this gateway's answer.
async fn guarded() -> (Backend, Gateway) {
    let asked = backend("asked").replies(status(418).with("asked")).starts();
    let gateway = gateway().asks(&asked).starts().await;
    (asked, gateway)
}

/// Sends these bytes with a hook behind them, and expects one 400 and the end of the connection.
async fn check_refused(gateway: &Gateway, input: &[u8]) {
    let shown = String::from_utf8_lossy(&input[..input.len().min(200)]).into_owned();
    let mut wire = gateway.connect().await;
    // It may be refused, and the connection closed, while it is still written.
    let _ = wire.write([input, NEXT.as_bytes()].concat()).await;
    let answer = wire.answered().await;
    assert_eq!(answer.status, 400, "{shown:?}: {answer:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{shown:?}");
    assert!(!answer.body.is_empty(), "{shown:?}");
    assert_eq!(wire.closed().await, "", "{shown:?}: one answer");
}

/// Refuses the same head with each of these lines in it.
async fn check_lines(lines: &[&str]) {
    let (asked, gateway) = guarded().await;
    for line in lines {
        let head = format!("POST /onMessage HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        check_refused(&gateway, head.as_bytes()).await;
    }
    assert_eq!(asked.asked(), 0, "no backend is called");
    let refused = "koigate_request_rejections_total reason=bad_request";
    #[expect(clippy::cast_precision_loss, reason = "they are a hundred at most")]
    gateway.counts(refused, lines.len() as f64).await;
}

#[tokio::test]
async fn lengths_that_two_readers_could_read_in_two_ways() {
    check_lines(&[
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2\r\ncontent-length: 2",
        "Content-Length: 2\r\nX: y\r\nContent-Length:2",
        "Content-Length: 2, 2",
        "Content-Length: 2,3",
        "Content-Length: ,2",
        "Content-Length: 2,",
        "Content-Length: 2;",
        "Content-Length: 2 2",
        "Content-Length: +2",
        "Content-Length: -2",
        "Content-Length: -0",
        "Content-Length: 0x2",
        "Content-Length: 2h",
        "Content-Length: 2.0",
        "Content-Length: 2e0",
        "Content-Length: 2_0",
        "Content-Length: \"2\"",
        "Content-Length: '2'",
        "Content-Length: ٢",
        "Content-Length: ２",
        "Content-Length: NaN",
        "Content-Length:",
        "Content-Length: ",
        "Content-Length: \u{a0}2",
        "Content-Length: 2\0",
        "Content-Length: \x0b2",
        "Content-Length: 2\x0c",
        "Content-Length : 2",
        "Content-Length\t: 2",
        " Content-Length: 2",
        "Content-Length: \r\n 2",
        "Content-Length: 2\r\n 3",
        "Content-Length\0: 2",
        "X: y\nContent-Length: 2",
        "X: y\rContent-Length: 2",
    ])
    .await;
}

/// The coding of a body, and lines that some readers take for one.
const CODINGS: &[&str] = &[
    "Content-Length: 2\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 2",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: identity\r\nContent-Length: 2",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding:",
    "Transfer-Encoding: chunked\r\nTRANSFER-ENCODING: x",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked chunked",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunk",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunKed",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: chunked;",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: (x) chunked",
    "Transfer-Encoding:",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x0c",
    "Transfer-Encoding: \0chunked",
    "Transfer-Encoding: \u{a0}chunked",
    "Transfer-Encoding: \r\n chunked",
    "Transfer-Encoding: x\r\n\tchunked",
    "X: y\r\n Transfer-Encoding: chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: y\r\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    "Transfer-Encoding\r: chunked",
    "Transfer-Encoding\0: chunked",
    " Transfer-Encoding: chunked",
    "\tTransfer-Encoding: chunked",
    "Transfer Encoding: chunked",
    "Transfer-Encoding chunked",
    "Tranſfer-Encoding: chunked",
    "\u{feff}Transfer-Encoding: chunked",
    "\"Transfer-Encoding\": chunked",
    "(Transfer-Encoding): chunked",
    "@Transfer-Encoding: chunked",
    ": chunked",
];

#[tokio::test]
async fn codings_that_two_readers_could_read_in_two_ways() {
    check_lines(CODINGS).await;
}

#[tokio::test]
async fn other_lines_that_are_none() {
    let many = vec!["X: y"; 100].join("\r\n");
    let long = format!("X: {}", "x".repeat(33_000));
    let name = format!("{}: y", "x".repeat(33_000));
    check_lines(&[
        "Host: a",
        "host: b",
        "Host : a",
        "X: a\0b",
        "X: a\x01b",
        "X: a\x7fb",
        "X: a\x1bb",
        "X\x7f: a",
        "X[]: a",
        "X{: a",
        "é: a",
        "X",
        "=",
        "X: y\r\n\tfolded",
        &many,
        &long,
        &name,
    ])
    .await;
}

/// First lines that begin no request.
const BEGINNINGS: &[&str] = &[
    "GET /onMessage",
    "POST /onMessage ",
    "POST /onMessage HTTP/0.9",
    "POST /onMessage HTTP/1.2",
    "POST /onMessage HTTP/1.10",
    "POST /onMessage HTTP/01.1",
    "POST /onMessage HTTP/1.1x",
    "POST /onMessage HTTP/1.1 ",
    "POST /onMessage HTTP/1.1\0",
    "POST /onMessage HTTP/1,1",
    "POST /onMessage HTTP/1",
    "POST /onMessage HTTP/2.0",
    "POST /onMessage HTTP/3",
    "POST /onMessage http/1.1",
    "POST /onMessage HTTP /1.1",
    "POST /onMessage HTTPS/1.1",
    "POST /onMessage ICY/1.1",
    "POST  /onMessage HTTP/1.1",
    "POST /onMessage  HTTP/1.1",
    "POST\t/onMessage HTTP/1.1",
    "POST /onMessage\tHTTP/1.1",
    "POST\x0b/onMessage\x0bHTTP/1.1",
    " POST /onMessage HTTP/1.1",
    "\tPOST /onMessage HTTP/1.1",
    "\r\n\r\nPOST /onMessage HTTP/1.1",
    "\nPOST /onMessage HTTP/1.1",
    "POST /onMessage HTTP/1.1 HTTP/1.1",
    "POST /on Message HTTP/1.1",
    "POST /onMessage\0 HTTP/1.1",
    "POST /onMessage\r HTTP/1.1",
    "POST /onMessage\x7f HTTP/1.1",
    "POST /onMessage#x HTTP/1.1",
    "POST onMessage HTTP/1.1",
    "POST HTTP/1.1",
    "POST ?hook=onMessage HTTP/1.1",
    "P@ST /onMessage HTTP/1.1",
    "PO\0ST /onMessage HTTP/1.1",
    "PÖST /onMessage HTTP/1.1",
    "POST: /onMessage HTTP/1.1",
    "POST http://user@a/onMessage HTTP/1.1",
    "POST http://user:password@a/onMessage HTTP/1.1",
    "POST http:///onMessage HTTP/1.1",
    "POST http:/onMessage HTTP/1.1",
    "POST ftp://a/onMessage HTTP/1.1",
    "POST javascript://a/onMessage HTTP/1.1",
    "POST http://a,b/onMessage HTTP/1.1",
    "CONNECT a:443 HTTP/1.1",
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
    "\r\n\r\n\0\r\nQUIT\n",
    "PRI * HTTP/2.0",
    "SSH-2.0-OpenSSH_9.9",
    "EHLO a",
    "*1\r\n$4\r\nPING",
    "{\"message\": 1}",
    "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
    "\u{80}\x2e\x01\x03\x01",
];

/// Heads that are wrong as a whole.
const WHOLE_HEADS: &[&str] = &[
    "POST /onMessage HTTP/1.1\nHost: a\n\n",
    "POST /onMessage HTTP/1.1\r\nHost: a\r\n\n",
    "POST /onMessage HTTP/1.1\r\nHost: a\n\r\n",
    "POST /onMessage HTTP/1.1\r\nHost: a\r\n\r\r\n",
    "POST /onMessage HTTP/1.1\r\n\r\n",
    "POST /onMessage HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "POST /onMessage HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "POST /onMessage HTTP/1.1\r\nHost: a b\r\n\r\n",
    "POST /onMessage HTTP/1.1\r\nHost: user@a\r\n\r\n",
    "POST /onMessage HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "POST /onMessage HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    "POST /onMessage HTTP/1.1\r\n Host: a\r\n\r\n",
    "POST /onMessage HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /onMessage HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
];

#[tokio::test]
async fn beginnings_that_are_none() {
    let (asked, gateway) = guarded().await;
    let rest = "Host: a\r\nContent-Length: 0\r\n\r\n";
    for line in BEGINNINGS {
        check_refused(&gateway, format!("{line}\r\n{rest}").as_bytes()).await;
    }
    for whole in WHOLE_HEADS {
        check_refused(&gateway, whole.as_bytes()).await;
    }
    assert_eq!(asked.asked(), 0, "no backend is called");
}

#[tokio::test]
async fn chunks_that_two_readers_could_read_in_two_ways() {
    let (asked, gateway) = guarded().await;
    for chunks in [
        "\r\n{}\r\n0\r\n\r\n",
        ";x\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "\t2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2h\r\n{}\r\n0\r\n\r\n",
        "2_\r\n{}\r\n0\r\n\r\n",
        "2,\r\n{}\r\n0\r\n\r\n",
        "2.0\r\n{}\r\n0\r\n\r\n",
        "2\0\r\n{}\r\n0\r\n\r\n",
        "2\x0b\r\n{}\r\n0\r\n\r\n",
        "２\r\n{}\r\n0\r\n\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
        "2;x\n{}\r\n0\r\n\r\n",
        "2;x\ry\r\n{}\r\n0\r\n\r\n",
        "2;\n;\r\n{}\r\n0\r\n\r\n",
        "2;x\0y\r\n{}\r\n0\r\n\r\n",
        "2;x\x01\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}XX0\r\n\r\n",
        "2\r\n{}\r\r\n0\r\n\r\n",
        "2\r\n{}x\r\n0\r\n\r\n",
        "2\r\n{}\r\n\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\n\r\n",
        "2\r\n{}\r\n0\r\n\n",
        "2\r\n{}\r\n0\r\nX: y\n\r\n",
        "2\r\n{}\r\n0\r\nX: a\rb\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: a\0b\r\n\r\n",
        "2\r\n{}\r\n-0\r\n\r\n",
        "2\r\n{}\r\n0x0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "00000000000000002\r\n{}\r\n0\r\n\r\n",
    ] {
        let head = "POST /onMessage HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        check_refused(&gateway, format!("{head}{chunks}").as_bytes()).await;
    }
    let long = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(17_000));
    let head = "POST /onMessage HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_refused(&gateway, format!("{head}{long}").as_bytes()).await;
    assert_eq!(asked.asked(), 0, "no backend is called");
}

/// Sends a request and the next one behind it, and expects that both are served, the first with this body.
async fn check_served(gateway: &Gateway, asked: &Backend, input: &str, body: &str) {
    let before = asked.asked();
    let mut wire = gateway.connect().await;
    wire.write(format!("{input}{NEXT}")).await.unwrap();
    for which in ["the first", "the next"] {
        let answer = wire.answered().await;
        assert_eq!(answer.status, 418, "{which} of {input:?}: {answer:?}");
    }
    let requests = asked.requests();
    let bodies: Vec<_> = requests[before..]
        .iter()
        .map(|request| &request.body[..])
        .collect();
    assert_eq!(bodies, [body.as_bytes(), b"{}"], "{input:?}");
}

#[tokio::test]
async fn what_only_looks_odd_is_served_and_ends_where_it_says() {
    let (asked, gateway) = guarded().await;
    let inside = "POST /onResult HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
    let length = inside.len();
    for (lines, sent, body) in [
        ("Content-Length: 2", "{}", "{}"),
        ("content-length:2", "{}", "{}"),
        ("CONTENT-LENGTH: \t 2 \t", "{}", "{}"),
        ("Content-Length: 0002", "{}", "{}"),
        ("Content-Length: 0", "", ""),
        ("X: y", "", ""),
        // A request inside a body is a body.
        (&format!("Content-Length: {length}"), inside, inside),
        ("Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n", "{}"),
        ("transfer-encoding:CHUNKED", "2\r\n{}\r\n0\r\n\r\n", "{}"),
        (
            "Transfer-Encoding:\tchunked \t",
            "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            "{}",
        ),
        (
            "Transfer-Encoding: chunked",
            "0000000000000002\r\n{}\r\n000\r\n\r\n",
            "{}",
        ),
        (
            "Transfer-Encoding: chunked",
            "A;x=\"y\"\r\n{\"a\": \"b\"}\r\n0;z\r\n\r\n",
            "{\"a\": \"b\"}",
        ),
        (
            "Transfer-Encoding: chunked",
            "2\r\n{}\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n",
            "{}",
        ),
        ("Transfer-Encoding: chunked", "2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        // They mean nothing to the framing, whatever they look like.
        ("Content_Length: 9\r\nContent-Length: 2", "{}", "{}"),
        ("Transfer_Encoding: chunked\r\nContent-Length: 2", "{}", "{}"),
        ("X-Transfer-Encoding: chunked\r\nContent-Length: 2", "{}", "{}"),
        ("TE: trailers, chunked\r\nContent-Length: 2", "{}", "{}"),
        (
            "Connection: content-length, transfer-encoding\r\nContent-Length: 2",
            "{}",
            "{}",
        ),
        (
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 2",
            "{}",
            "{}",
        ),
        ("X: \u{e9}\u{ff}\r\nContent-Length: 2", "{}", "{}"),
        ("X:\r\nContent-Length: 2", "{}", "{}"),
        ("Expect: the unexpected\r\nContent-Length: 2", "{}", "{}"),
    ] {
        let input = format!("POST /onMessage HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{sent}");
        check_served(&gateway, &asked, &input, body).await;
    }
}

#[tokio::test]
async fn odd_first_lines_are_served() {
    let (asked, gateway) = guarded().await;
    for line in [
        "POST http://elsewhere/onMessage HTTP/1.1",
        "POST HTTPS://[::1]:8600/onMessage HTTP/1.1",
        "\r\nPOST /onMessage HTTP/1.1",
        "POST /onMessage?x=%00%0d%0a&y=http://a HTTP/1.1",
    ] {
        let input = format!("{line}\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}");
        check_served(&gateway, &asked, &input, "{}").await;
    }
}

#[tokio::test]
async fn a_length_that_no_body_has_is_too_large_and_not_waited_for() {
    let (asked, gateway) = guarded().await;
    for framing in [
        "Content-Length: 18446744073709551616\r\n\r\n",
        "Content-Length: 99999999999999999999999999\r\n\r\n",
        "Content-Length: 9223372036854775808\r\n\r\n",
    ] {
        let mut wire = gateway.connect().await;
        let head = format!("POST /onMessage HTTP/1.1\r\nHost: a\r\n{framing}");
        wire.write(format!("{head}{NEXT}")).await.unwrap();
        let answer = bounded("a refusal", wire.response()).await.unwrap();
        assert_eq!(answer.status, 413, "{framing}");
        assert_eq!(wire.closed().await, "", "{framing}");
    }
    assert_eq!(asked.asked(), 0);
}

#[tokio::test]
async fn a_refused_head_is_told_only_how_long_a_body_would_be() {
    let (asked, gateway) = guarded().await;
    for (head, status) in [
        ("HEAD /onMessage HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "400"),
        (
            "HEAD /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
            "405",
        ),
        (
            "HEAD /onMessage HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "405",
        ),
    ] {
        let mut wire = gateway.connect().await;
        wire.write(head).await.unwrap();
        let said = String::from_utf8_lossy(&wire.closed().await).into_owned();
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head:?}: {said:?}"
        );
        assert!(said.contains("\r\nContent-Length: "), "{head:?}: {said:?}");
        assert!(said.ends_with("\r\n\r\n"), "{head:?}: {said:?}");
    }
    assert_eq!(asked.asked(), 0, "no backend is called");
}
