//! The faults of a backend: which kind of failure each is, how long it takes, and that nothing stays behind.

use std::time::Duration;

use koigate_core::failure::FailureKind;

use super::fake::{Act, BlackHole, Fake, no_content, ok, say, timed};
use super::*;

/// Where nobody listens.
async fn closed_port() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Checks that a backend that hears one request and then does this brings a failure of this kind, at once, and
/// that the connection is closed and not kept.
#[track_caller]
fn check_fails(acts: impl IntoIterator<Item = Act>, kind: FailureKind) {
    let script = std::iter::once(Act::Hear).chain(acts).collect();
    run(async {
        let fake = Fake::start(vec![script]).await;
        let upstream = upstream(&backend(fake.address));
        let (took, outcome) = timed(ask(&upstream)).await;
        assert_eq!(outcome.unwrap_err().kind, kind);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(upstream.idle(), 0);
        assert_eq!(fake.accepted(), 1, "nothing is tried twice on a fresh connection");
        fake.until_open(0).await;
    });
}

/// Checks that a backend that hears one request and then does this is used, and whether the connection is kept.
#[track_caller]
fn check_used(acts: impl IntoIterator<Item = Act>, status: u16, body: &str, kept: usize) {
    let script = std::iter::once(Act::Hear)
        .chain(acts)
        .chain([Act::Hang])
        .collect();
    run(async {
        let fake = Fake::start(vec![script]).await;
        let upstream = upstream(&backend(fake.address));
        let reply = ask(&upstream).await.unwrap();
        assert_eq!((reply.status, &reply.body[..]), (status, body.as_bytes()));
        assert_eq!(upstream.idle(), kept);
        fake.until_open(kept).await;
    });
}

#[track_caller]
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

#[test]
fn resets() {
    check_fails([Act::Reset], FailureKind::Reset);
    check_fails([], FailureKind::Reset);
    for begun in [
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        check_fails([say(begun)], FailureKind::Reset);
        check_fails(
            [say(begun), Act::Pause(Duration::from_millis(20)), Act::Reset],
            FailureKind::Reset,
        );
    }
    let until_close = say("HTTP/1.1 200 OK\r\n\r\nhello");
    check_fails(
        [until_close, Act::Pause(Duration::from_millis(20)), Act::Reset],
        FailureKind::Reset,
    );
}

#[test]
fn broken_http() {
    for reply in [
        "garbage",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 1000 High\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ] {
        // The backend keeps the connection open: the fault is seen, not waited for.
        check_fails([say(reply), Act::Hang], FailureKind::Protocol);
    }
    check_fails(
        [say("HTTP/1.1 200 OK\r\n"), Act::Repeat(b"Header: x\r\n".to_vec())],
        FailureKind::Protocol,
    );
}

#[test]
fn too_large() {
    let endless = say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_fails(
        [endless, Act::Repeat(b"4\r\nmore\r\n".repeat(1000))],
        FailureKind::TooLarge,
    );
    check_fails(
        [say("HTTP/1.1 200 OK\r\n\r\n"), Act::Repeat(vec![b'x'; 8192])],
        FailureKind::TooLarge,
    );
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n";
    check_fails([say(announced), Act::Hang], FailureKind::TooLarge);
}

#[test]
fn used_all_the_same() {
    check_used([no_content()], 204, "", 1);
    check_used([ok("hello")], 200, "hello", 1);
    check_used(
        [say(
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        )],
        302,
        "",
        1,
    );
    check_used(
        [
            say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"),
            ok("hello"),
        ],
        200,
        "hello",
        1,
    );
    check_used(
        [say("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")],
        200,
        "hello",
        0,
    );
    check_used(
        [say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello")],
        200,
        "hel",
        0,
    );
    check_used(
        [say("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello")],
        204,
        "",
        0,
    );
    check_used(
        [say("HTTP/1.1 666\r\nContent-Length: 5\r\n\r\nhello")],
        666,
        "hello",
        1,
    );
    let slow = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec();
    check_used([Act::Drip(slow, Duration::from_millis(1))], 200, "hello", 1);
}

#[tokio::test]
async fn a_body_until_close() {
    let fake = Fake::start(vec![vec![Act::Hear, say("HTTP/1.1 200 OK\r\n\r\nhello")]]).await;
    let upstream = upstream(&backend(fake.address));
    assert_eq!(ask(&upstream).await.unwrap().body, "hello");
    assert_eq!(upstream.idle(), 0);
}

#[tokio::test]
async fn the_timeout_is_a_total() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec();
    for acts in [
        vec![Act::Hear, Act::Hang],
        vec![Act::Hang],
        vec![Act::Hear, Act::Drip(reply, Duration::from_millis(40))],
        vec![
            Act::Hear,
            Act::Drip(interim.repeat(100), Duration::from_millis(1)),
        ],
        vec![Act::Hear, Act::Repeat(interim)],
    ] {
        let fake = Fake::start(vec![acts]).await;
        let upstream = upstream(&backend(fake.address));
        let (took, outcome) = timed(ask_within(&upstream, "{}", Duration::from_millis(200))).await;
        assert_eq!(outcome.unwrap_err().kind, FailureKind::Timeout);
        assert!((200..400).contains(&took.as_millis()), "{took:?}");
        assert_eq!((upstream.idle(), fake.accepted()), (0, 1));
        fake.until_open(0).await;
    }
}

#[tokio::test]
async fn what_can_not_be_waited_for_is_not_asked() {
    let fake = Fake::start(vec![vec![Act::Hear, no_content(), Act::Hang]]).await;
    let upstream = upstream(&backend(fake.address));
    let failure = ask_within(&upstream, "{}", Duration::ZERO).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    ask(&upstream).await.unwrap();
    assert_eq!(fake.accepted(), 1);
}

#[tokio::test]
async fn no_connection() {
    let refused = upstream(&backend(closed_port().await));
    let (took, outcome) = timed(ask(&refused)).await;
    assert_eq!(
        outcome.unwrap_err(),
        Failure::new(FailureKind::Connect, "connection refused")
    );
    assert!(took < Duration::from_millis(500), "{took:?}");

    let hole = BlackHole::start().await;
    let mut dropped = backend(hole.address);
    dropped.connect_timeout = Duration::from_millis(200);
    let (took, outcome) = timed(ask(&upstream(&dropped))).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Connect);
    assert!((200..500).contains(&took.as_millis()), "{took:?}");

    // The call's own time is over before the connection's.
    let (took, outcome) = timed(ask_within(&upstream(&dropped), "{}", Duration::from_millis(100))).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Timeout);
    assert!((100..300).contains(&took.as_millis()), "{took:?}");

    let mut unknown = backend(hole.address);
    // No resolver has to be asked: a label has at most 63 bytes.
    unknown.replicas[0].host = "x".repeat(64);
    let failure = ask(&upstream(&unknown)).await.unwrap_err();
    assert_eq!(
        failure,
        Failure::new(FailureKind::Connect, "the name does not resolve")
    );
}

#[tokio::test]
async fn answers_before_it_has_read_the_request() {
    let large = vec![b' '; 8 * 1024 * 1024];
    let reply = say("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    for end in [Act::Hang, Act::Reset] {
        let fake = Fake::start(vec![vec![Act::HearSome(1000), reply.clone(), end]]).await;
        let upstream = upstream(&backend(fake.address));
        let reply = ask_within(&upstream, large.clone(), PATIENCE).await.unwrap();
        assert_eq!((reply.status, &reply.body[..]), (403, &b"no"[..]));
        assert_eq!(upstream.idle(), 0, "half a request is in the way of the next");
        fake.until_open(0).await;
    }
    let half = say("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno");
    let fake = Fake::start(vec![vec![Act::HearSome(1000), half, Act::Reset]]).await;
    let upstream = upstream(&backend(fake.address));
    let failure = ask_within(&upstream, large, PATIENCE).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Reset);
}

#[tokio::test]
async fn large_documents_go_both_ways() {
    let document: Vec<u8> = (0..8_000_000_u32)
        .map(|index| (index ^ (index >> 11)) as u8)
        .collect();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in document.chunks(30_000) {
        chunked.extend(
            format!("{:x}\r\n", chunk.len())
                .bytes()
                .chain(chunk.iter().copied()),
        );
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", document.len());
    let sized = [head.as_bytes(), &document].concat();
    let script = vec![
        Act::Hear,
        say(sized),
        Act::Hear,
        say(chunked),
        Act::Hear,
        no_content(),
        Act::Hang,
    ];
    let fake = Fake::start(vec![script]).await;
    let mut roomy = backend(fake.address);
    roomy.max_reply = document.len();
    let upstream = upstream(&roomy);
    for _ in 0..2 {
        let reply = ask_within(&upstream, document.clone(), PATIENCE).await.unwrap();
        assert!(reply.body == document, "the body comes back");
    }
    ask(&upstream).await.unwrap();
    assert_eq!(fake.accepted(), 1, "one connection does it all");
    let heard = fake.heard();
    assert!(
        heard[0].ends_with(&document) && heard[1].ends_with(&document),
        "the body arrives"
    );
}
