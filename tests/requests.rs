//! What a backend is sent, and over which connection.

use crate::support::backend::{Backend, Request, at_first, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::reply::{Reply, json_body, no_content, status, text};
use crate::support::script::{Script, script};

/// Fires one onMessage with these header lines of the caller's and gives back what the backend was sent.
async fn sent(gateway: &Gateway, backend: &Backend, fields: &str) -> Request {
    let before = backend.asked();
    let head =
        format!("POST /onMessage HTTP/1.1\r\nHost: gateway.example\r\n{fields}Content-Length: 2\r\n\r\n{{}}");
    gateway.answers(head).await;
    backend.requests()[before].clone()
}

#[tokio::test]
async fn requests_are_built_afresh() {
    let plain = backend("plain").starts();
    let gateway = gateway().asks(&plain).starts().await;
    let document = payload("onMessage", 0);
    let after = gateway.koipy().fires("onMessage", &document).await;
    let request = plain.request();
    assert_eq!(request.head.line, "POST /onMessage HTTP/1.1");
    assert_eq!(request.body, document.dumps());
    let length = request.body.len().to_string();
    for (name, value) in [
        ("host", plain.address.to_string()),
        ("content-type", "application/json".into()),
        ("content-length", length),
        ("accept-encoding", "identity".into()),
        ("x-koigate-hook", "onMessage".into()),
        (
            "x-request-id",
            after.response.header("x-request-id").unwrap().into(),
        ),
    ] {
        assert_eq!(request.head.value(name), Some(&*value), "{name}");
    }
    assert!(
        request
            .head
            .value("idempotency-key")
            .is_some_and(|key| key.len() >= 8)
    );
    assert_eq!(request.head.value("transfer-encoding"), None);
}

#[tokio::test]
async fn the_callers_headers_stop_here() {
    let plain = backend("plain").starts();
    let gateway = gateway().asks(&plain).starts().await;
    let fields = "Authorization: Basic Ym90OnNlY3JldA==\r\nCookie: a=canary\r\nX-Forwarded-For: 1.2.3.4\r\n\
                  X-Anything: canary\r\nContent-Type: text/html\r\nAccept: canary/*\r\nUser-Agent: canary\r\n\
                  Content-Language: canary\r\nForwarded: for=canary\r\n";
    let request = sent(&gateway, &plain, fields).await;
    for (name, value) in &request.head.fields {
        let line = format!("{name}: {value}").to_ascii_lowercase();
        for stopped in [
            "canary",
            "authorization",
            "cookie",
            "forwarded",
            "ym90",
            "text/html",
            "gateway.example",
        ] {
            assert!(!line.contains(stopped), "{line}");
        }
    }
}

#[tokio::test]
async fn a_backends_own_headers_are_sent_to_it_alone() {
    let own = "headers = { Authorization = { env = 'KOIGATE_TEST_TOKEN' }, X-Shop = 'koi' }";
    let own = backend("own").set(own).starts();
    let other = backend("other").starts();
    let setup = gateway().with_env("KOIGATE_TEST_TOKEN", "Bearer canary-81");
    let gateway = setup.asks_at_once(&[&own, &other]).starts().await;
    sent(
        &gateway,
        &own,
        "Authorization: Bearer caller\r\nX-Shop: caller\r\n",
    )
    .await;
    let request = own.request();
    assert_eq!(request.head.value("authorization"), Some("Bearer canary-81"));
    assert_eq!(request.head.value("x-shop"), Some("koi"));
    let request = other.request();
    assert_eq!(
        (request.head.value("authorization"), request.head.value("x-shop")),
        (None, None)
    );
}

#[tokio::test]
async fn every_hook_and_backend_has_a_key_of_its_own() {
    let (a, b) = (backend("a").starts(), backend("b").starts());
    let gateway = gateway().asks_at_once(&[&a, &b]).starts().await;
    for _ in 0..3 {
        gateway.koipy().posts("/onMessage", "{}").await;
    }
    let ids = |backend: &Backend, name| {
        let requests = backend.requests();
        requests
            .iter()
            .map(|r| r.head.value(name).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&a, "x-request-id"),
        ids(&b, "x-request-id"),
        "one hook, one id"
    );
    let mut distinct = ids(&a, "idempotency-key");
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 3, "each hook has a key of its own");
}

#[tokio::test]
async fn a_valid_traceparent_is_continued() {
    let plain = backend("plain").starts();
    let gateway = gateway().asks(&plain).starts().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (given, continued) in [
        (format!("00-{trace}-00f067aa0ba902b7-01"), true),
        (format!("00-{trace}-00f067aa0ba902b7-00"), true),
        (format!("00-{trace}-0000000000000000-01"), false),
        (
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".into(),
            false,
        ),
        (format!("ff-{trace}-00f067aa0ba902b7-01"), false),
        (format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()), false),
        (format!("00-{trace}-00f067aa0ba902b7-01-extra"), false),
        ("rubbish".into(), false),
        (String::new(), false),
    ] {
        let request = sent(&gateway, &plain, &format!("traceparent: {given}\r\n")).await;
        let sent = request.head.value("traceparent").expect("always one").to_owned();
        let parts: Vec<_> = sent.split('-').collect();
        assert_eq!(
            parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [2, 32, 16, 2],
            "{sent}"
        );
        assert!(
            sent.bytes()
                .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
            "{sent}"
        );
        assert_eq!(parts[1] == trace, continued, "{given}: {sent}");
        assert_ne!(parts[2], "00f067aa0ba902b7", "a span of its own");
        assert!(parts[1] != "0".repeat(32) && parts[2] != "0".repeat(16), "{sent}");
        if continued {
            assert_eq!(parts[3], &given[53..], "the flags stay");
        }
    }
}

#[tokio::test]
async fn the_url_is_used_as_written() {
    for (url, line) in [
        ("http://{address}/{hook}", "POST /onResult HTTP/1.1"),
        ("http://{address}", "POST / HTTP/1.1"),
        (
            "http://{address}/a/b?x=1&h={hook}&y=%20",
            "POST /a/b?x=1&h=onResult&y=%20 HTTP/1.1",
        ),
        ("http://localhost:{port}/x", "POST /x HTTP/1.1"),
    ] {
        let named = backend("named").at(url).starts();
        let gateway = gateway().asks(&named).starts().await;
        gateway.koipy().posts("/onResult", "{}").await;
        let request = named.request();
        assert_eq!(request.head.line, line, "{url}");
        if url.contains("localhost") {
            let host = format!("localhost:{}", named.address.port());
            assert_eq!(
                request.head.value("host"),
                Some(&*host),
                "found although ::1 may be first"
            );
        }
    }
}

// === connections ===

/// Fires so many hooks, one after the other, at a gateway with this backend.
async fn fires(backend: &Backend, times: usize) -> Gateway {
    let gateway = gateway().asks(backend).starts().await;
    for _ in 0..times {
        let response = gateway
            .koipy()
            .posts("/onMessage", payload("onMessage", 0).dumps())
            .await;
        assert_eq!(response.status, 204, "{response:?}");
    }
    gateway
}

#[tokio::test]
async fn connections_are_reused_and_counted() {
    let kept = backend("kept").starts();
    let gateway = fires(&kept, 5).await;
    assert_eq!((kept.opened(), kept.asked()), (1, 5));
    gateway
        .counts("koigate_connections_opened_total backend=kept", 1.0)
        .await;
    gateway
        .counts("koigate_connections_reused_total backend=kept", 4.0)
        .await;
}

#[tokio::test]
async fn connections_are_reused_only_where_the_reply_allows_it() {
    let carries = |reply: Reply| reply.with("x").typed("x/y");
    let empty = || status(200).typed("text/html");
    for (name, reply, reused) in [
        ("length", Script::from(carries(status(201))), true),
        ("chunks", carries(status(201)).chunked(1), true),
        (
            "interim",
            no_content().behind("HTTP/1.1 100 Continue\r\n\r\n"),
            true,
        ),
        ("says so", empty().header("Connection", "close").into(), false),
        ("HTTP/1.0", empty().until_close(), false),
        (
            "bytes after a body",
            script().sends("HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 2"),
            false,
        ),
        (
            "204 with a body",
            script().sends("HTTP/1.1 204 OK\r\nContent-Length: 3\r\n\r\nabc"),
            false,
        ),
    ] {
        let told = backend("told").replies(reply).starts();
        let gateway = fires(&told, 3).await;
        assert_eq!(told.opened(), if reused { 1 } else { 3 }, "{name}");
        gateway.counts("koigate_backend_failures_total", 0.0).await;
    }
}

#[tokio::test]
async fn a_kept_connection_that_turns_out_closed_is_replaced_invisibly() {
    for end in [script().closes(), script().resets(), script().half_closes()] {
        let document = payload("onMessage", 0).dumps();
        let stale = backend("stale")
            .replies_with(at_first(no_content(), end.clone()))
            .starts();
        let gateway = fires(&stale, 2).await;
        assert_eq!(
            (stale.opened(), stale.asked()),
            (2, 3),
            "{end:?}: once more, on a fresh connection"
        );
        let requests = stale.requests();
        let key = |index: usize| requests[index].head.value("idempotency-key");
        assert_eq!(key(1), key(2), "the same call");
        assert_eq!(requests[2].body, document);
        gateway.counts("koigate_backend_failures_total", 0.0).await;
        gateway
            .counts("koigate_backend_calls_total backend=stale verdict=continue", 2.0)
            .await;
    }
}

#[tokio::test]
async fn connections_closed_while_idle_are_no_failures() {
    let idle = backend("idle")
        .replies(script().sends(no_content().to_wire()).waits(20).closes())
        .starts();
    let gateway = gateway().asks(&idle).starts().await;
    for _ in 0..4 {
        assert_eq!(gateway.koipy().posts("/onMessage", "{}").await.status, 204);
        idle.has_open(0).await;
    }
    assert_eq!((idle.opened(), idle.asked()), (4, 4));
    gateway.counts("koigate_backend_failures_total", 0.0).await;
}

#[tokio::test]
async fn nothing_else_is_tried_again() {
    let partial = script().sends("HTTP/1.1 200 O").closes();
    for (name, first, then, asked) in [
        ("a fresh connection", script().closes(), script().closes(), 2),
        ("after the first byte of a reply", no_content().into(), partial, 2),
        ("a status", status(500).into(), status(500).into(), 2),
    ] {
        let told = move |request: &Request| {
            if request.earlier == 0 {
                first.clone()
            } else {
                then.clone()
            }
        };
        let told = backend("told")
            .set("failure_statuses = ['5xx']")
            .replies_with(told)
            .starts();
        let gateway = gateway().asks(&told).starts().await;
        for _ in 0..2 {
            gateway.koipy().posts("/onMessage", "{}").await;
        }
        assert_eq!(told.asked(), asked, "{name}");
        gateway
            .counts("koigate_backend_calls_total backend=told", 2.0)
            .await;
    }
}

#[tokio::test]
async fn an_unasked_content_coding_is_undone() {
    let plain = r#"{"addons": {"x": "解"}}"#;
    for (coding, body) in [
        ("gzip", gzip(plain)),
        ("GZIP", gzip(plain)),
        ("deflate", zlib(plain)),
    ] {
        let coded = backend("coded")
            .replies(json_body(body).header("Content-Encoding", coding))
            .starts();
        let gateway = gateway().asks(&coded).starts().await;
        let response = gateway.koipy().posts("/onResult", "{}").await;
        assert_eq!((response.status, &*response.text()), (200, plain), "{coding}");
        assert_eq!(response.header("content-encoding"), None);
    }
    let says = backend("says")
        .replies(text("a").with(gzip("好")).header("Content-Encoding", "gzip"))
        .starts();
    let gateway = gateway().asks(&says).starts().await;
    assert_eq!(gateway.koipy().posts("/onResult", "{}").await.text(), "好");
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
