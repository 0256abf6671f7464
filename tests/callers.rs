//! Who may send hooks, how many at once, and how much: strangers, crowds and giants leave the others alone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use koigate_core::texts;
use tokio::net::TcpSocket;

use crate::support::backend::{Backend, backend};
use crate::support::canary::CANARY;
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::reply::{json_body, no_content, text};
use crate::support::script::script;
use crate::support::wire::{Response, Wire};

/// A hook for this target with these header lines.
fn hook(target: &str, lines: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: gateway.example\r\n{lines}Content-Length: 2\r\n\r\n{{}}")
}

fn basic(user_and_password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(user_and_password))
}

/// A connection from another address of this machine.
async fn from(address: [u8; 4], to: SocketAddr) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((address, 0))).unwrap();
    Wire::new(socket.connect(to).await.unwrap())
}

async fn answers_from(gateway: &Gateway, address: [u8; 4], bytes: String) -> Response {
    let mut wire = from(address, gateway.hooks).await;
    wire.write(bytes).await.unwrap();
    wire.answered().await
}

/// The configuration that a gateway began with, with another `[server]`, and the same addresses.
fn with_server(setup: &Setup, gateway: &Gateway, lines: &str) -> String {
    let server = format!("[server]\nlisten = '{}'\n{lines}\n", gateway.hooks);
    let admin = format!("[admin]\nlisten = '{}'\n", gateway.admin);
    let text = setup.text();
    let tables = &text[text.find("[log]").expect("it is always there")..];
    format!("{server}{admin}{tables}")
}

/// Puts this in the place of its configuration and waits until it runs.
async fn reloads(gateway: &Gateway, text: &str) {
    gateway.rewrites(text);
    let response = gateway
        .tells("POST /reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(response.status, 200, "{response:?}");
}

// === who ===

/// No word that a caller keeps secret is told to backends; what else it must not be told to the gateway listens for.
fn was_told_no_canary(asked: &Backend) {
    let sent = format!("{:?}", asked.requests());
    assert!(!sent.contains(CANARY), "{sent}");
}

#[tokio::test]
async fn a_token_comes_in_three_forms_and_goes_nowhere() {
    let asked = backend("asked").replies(text("served")).starts();
    let gateway = gateway()
        .asks(&asked)
        .server("auth = { token = ['canary-old+1', { env = 'KOIGATE_TEST_TOKEN' }] }")
        .log("level = 'debug'")
        .with_env("KOIGATE_TEST_TOKEN", "canary-new")
        .starts()
        .await;
    let good = [
        hook("/onMessage?token=canary-new", ""),
        hook("/onMessage?token=canary-old+1", ""),
        hook("/?hook=onMessage&token=canary%2Dold%2b1", ""),
        hook("/onMessage", "Authorization: Bearer canary-new\r\n"),
        hook("/onMessage", &basic("bot:canary-old+1")),
        hook("/onMessage", &basic(":canary-new")),
    ];
    for request in &good {
        let answer = gateway.answers(request).await;
        assert_eq!((answer.status, &*answer.text()), (200, "served"), "{request}");
    }
    let strangers = [
        hook("/onMessage", ""),
        hook("/onMessage?token=canary-newer", ""),
        hook("/onMessage?token=canary-ne", ""),
        hook("/onMessage?token=&token=canary-new", ""),
        hook("/onMessage", "Authorization: Bearer canary-wrong\r\n"),
        hook("/onMessage", &basic("canary-new:")),
        hook("/nowhere", ""),
        hook("/onMessage", "").replace("POST", "GET"),
        // Judged on its head: a body over max_body is not waited for, nor is one asked for.
        "POST /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\nExpect: 100-continue\r\n\r\n"
            .into(),
    ];
    for request in &strangers {
        let mut wire = gateway.connect().await;
        wire.write(request).await.unwrap();
        let answer = wire.answered().await;
        assert_eq!(
            (answer.status, &*answer.text()),
            (401, texts::UNAUTHORIZED),
            "{request}"
        );
        assert_eq!(answer.interim, [0; 0], "{request}");
        assert!(
            answer
                .head
                .fields
                .iter()
                .any(|(name, _)| name == "WWW-Authenticate")
        );
        assert_eq!(wire.closed().await, "", "{request}");
    }
    assert_eq!(asked.asked(), good.len(), "nothing of strangers is forwarded");
    gateway
        .counts("koigate_request_rejections_total reason=auth", 9.0)
        .await;
    was_told_no_canary(&asked);
}

#[tokio::test]
async fn only_sources_that_are_allowed_are_heard() {
    let asked = backend("asked").replies(text("served")).starts();
    let setup = || gateway().asks(&asked);
    let gateway = setup()
        .server("allow = ['127.0.0.2', '127.0.4.0/22']\nauth = { token = 'right' }")
        .starts()
        .await;
    let request = || hook("/onMessage?token=right", "");
    for (address, status) in [
        ([127, 0, 0, 2], 200),
        ([127, 0, 5, 9], 200),
        ([127, 0, 0, 1], 403),
        ([127, 0, 0, 3], 403),
        ([127, 0, 8, 1], 403),
    ] {
        let answer = answers_from(&gateway, address, request()).await;
        assert_eq!(answer.status, status, "{address:?}: {answer:?}");
    }
    let answer = answers_from(&gateway, [127, 0, 0, 1], hook("/nowhere", "")).await;
    assert_eq!((answer.status, &*answer.text()), (403, texts::FORBIDDEN));
    assert_eq!(asked.asked(), 2);
    gateway
        .counts("koigate_request_rejections_total reason=source", 4.0)
        .await;
    gateway
        .counts("koigate_request_rejections_total reason=auth", 0.0)
        .await;
    reloads(
        &gateway,
        &with_server(&setup(), &gateway, "allow = ['127.0.0.1']"),
    )
    .await;
    let answer = answers_from(&gateway, [127, 0, 0, 1], hook("/onMessage", "")).await;
    assert_eq!(answer.status, 200, "a reload counts at once");
    assert_eq!(
        answers_from(&gateway, [127, 0, 0, 2], request()).await.status,
        403
    );
}

// === how many ===

#[tokio::test]
async fn one_address_can_not_take_every_connection() {
    let asked = backend("asked").starts();
    let setup = || gateway().asks(&asked);
    let gateway = setup()
        .server("max_connections = 40\nmax_connections_per_address = 10")
        .starts()
        .await;
    let mut greedy = Vec::new();
    for _ in 0..10 {
        let mut wire = gateway.connect().await;
        wire.write(hook("/onMessage", "")).await.unwrap();
        assert_eq!(wire.answered().await.status, 204);
        greedy.push(wire);
    }
    // Whoever finds no seat is told why.
    for _ in 0..20 {
        greedy.push(gateway.connect().await);
    }
    for wire in &mut greedy[10..] {
        let answer = wire.answered().await;
        assert_eq!((answer.status, &*answer.text()), (503, texts::OVERLOADED));
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(wire.closed().await, "");
    }
    let mut curious = gateway.connect().await;
    curious
        .write("HEAD /onMessage HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let told = curious.closed().await;
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.starts_with("HTTP/1.1 503 ") && told.ends_with("\r\n\r\n"),
        "{told:?}"
    );
    gateway
        .counts("koigate_request_rejections_total reason=overloaded", 21.0)
        .await;
    let healthy = answers_from(&gateway, [127, 0, 0, 9], hook("/onMessage", "")).await;
    assert_eq!(healthy.status, 204);
    reloads(&gateway, &with_server(&setup(), &gateway, "max_connections = 5")).await;
    let late = answers_from(&gateway, [127, 0, 0, 9], hook("/onMessage", "")).await;
    assert_eq!(late.status, 503, "ten are there, and five may be");
    greedy[0].write(hook("/onMessage", "")).await.unwrap();
    assert_eq!(greedy[0].answered().await.status, 204, "who is there stays");
    drop(greedy);
    let mut tries = 0;
    while answers_from(&gateway, [127, 0, 0, 9], hook("/onMessage", ""))
        .await
        .status
        != 204
    {
        tries += 1;
        assert!(tries < 500, "seats are given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn idle_connections_hold_nobody_up() {
    let asked = backend("asked").starts();
    let gateway = gateway()
        .asks(&asked)
        .server("max_connections = 300")
        .starts()
        .await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut wire = gateway.connect().await;
        wire.write("POST /onMessage HT").await.unwrap();
        idle.push(wire);
    }
    let answer = gateway.koipy().posts("/onMessage", "{}").await;
    assert_eq!(answer.status, 204);
    // The last of them has five seconds from its accepting.
    for wire in &mut idle {
        assert_eq!(wire.closed().await, "", "late, and not answered");
    }
    gateway
        .counts("koigate_request_rejections_total reason=bad_request", 200.0)
        .await;
}

// === how fast ===

/// Sends this at once and then a byte of `drips` every so often, until the gateway ends it: whether it answered with
/// this status before, and how long all of it took.
async fn drips(gateway: &Gateway, begun: &str, pause: Duration) -> (Option<u16>, Duration) {
    let start = Instant::now();
    let mut wire = gateway.connect().await;
    wire.write(begun).await.unwrap();
    let left = async {
        while wire.write("x").await.is_ok() && start.elapsed() < Duration::from_secs(15) {
            tokio::time::sleep(pause).await;
        }
    };
    left.await;
    let took = start.elapsed();
    let rest = String::from_utf8_lossy(&wire.closed().await).into_owned();
    let status = rest.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status, took)
}

#[tokio::test]
async fn what_comes_too_slowly_is_closed() {
    let asked = backend("asked").starts();
    let gateway = gateway().asks(&asked).starts().await;
    let head = "POST /onMessage HTTP/1.1\r\nHost: a\r\nX: ";
    let body = "POST /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n";
    let chunk = "POST /onMessage HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n";
    let pause = Duration::from_millis(200);
    let rows = [head, body, chunk].map(|begun| drips(&gateway, begun, pause));
    for (what, (status, took)) in ["a head", "a body", "a chunk"].iter().zip(join_all(rows).await) {
        assert!(
            took > Duration::from_millis(4_500) && took < Duration::from_secs(8),
            "{what}: {took:?}"
        );
        assert_ne!(status, Some(204), "{what}");
    }
    assert_eq!(asked.asked(), 0);
    // 1 KiB a second is fast enough, however long it takes.
    let large = vec![b' '; 12 << 10];
    let mut wire = gateway.connect().await;
    wire.write(format!(
        "POST /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        large.len()
    ))
    .await
    .unwrap();
    for part in large.chunks(1 << 10) {
        wire.write(part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    assert_eq!(wire.answered().await.status, 204);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let large = backend("large")
        .replies(text("").with(vec![b'x'; 24 << 20]))
        .starts();
    let gateway = gateway().asks(&large).starts().await;
    let mut wire = gateway.connect().await;
    wire.write(gateway.koipy().request("/onMessage", b"{}"))
        .await
        .unwrap();
    large.was_asked(1).await;
    let begun = Instant::now();
    while gateway.metrics().await.sum("koigate_buffered_bytes") > 0.0
        || begun.elapsed() < Duration::from_secs(5)
    {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is still held");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(
        begun.elapsed() > Duration::from_secs(8),
        "it had time: {:?}",
        begun.elapsed()
    );
    assert!(wire.closed().await.len() < 24 << 20, "it was cut");
    assert_eq!(gateway.koipy().posts("/onMessage", "{}").await.status, 200);
}

#[tokio::test]
async fn a_thousand_hooks_on_one_connection() {
    let asked = backend("asked").forgets().starts();
    let gateway = gateway().asks(&asked).starts().await;
    let mut wire = gateway.connect().await;
    let hook = gateway.koipy().request("/onMessage", b"{}");
    for number in 0..1_000 {
        wire.write(&hook).await.unwrap();
        assert_eq!(wire.answered().await.status, 204, "{number}");
    }
    gateway.counts("koigate_hooks_total", 1_000.0).await;
    assert_eq!(asked.opened(), 1);
}

// === how much ===

const LIMITS: &str = "max_body = '1MiB'\nmax_buffered = '2MiB'";

/// Waits until nothing is held any more.
async fn is_empty(gateway: &Gateway) {
    gateway.counts("koigate_buffered_bytes", 0.0).await;
}

#[tokio::test]
async fn bodies_of_all_hooks_share_one_room() {
    let asked = backend("asked").starts();
    let setup = || gateway().asks(&asked);
    let gateway = setup().server(LIMITS).starts().await;
    let large = vec![b' '; 1 << 20];
    let head = format!(
        "POST /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        large.len()
    );
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut wire = gateway.connect().await;
        wire.write(&head).await.unwrap();
        wire.write(&large[..900_000]).await.unwrap();
        waiting.push(wire);
    }
    gateway.counts("koigate_buffered_bytes", 1_800_000.0).await;
    let mut late = gateway.connect().await;
    late.write(&head).await.unwrap();
    // The refusal may come before all of it is written.
    let _ = late.write(&large[..500_000]).await;
    let answer = late.answered().await;
    assert_eq!((answer.status, &*answer.text()), (503, texts::OVERLOADED));
    gateway
        .counts("koigate_request_rejections_total reason=overloaded", 1.0)
        .await;
    let small = gateway.koipy().posts("/onMessage", "{}").await;
    assert_eq!(small.status, 204, "small hooks pass");
    let mut first = waiting.remove(0);
    first.write(&large[900_000..]).await.unwrap();
    assert_eq!(first.answered().await.status, 204);
    drop(waiting);
    is_empty(&gateway).await;
    let again = gateway.koipy().posts("/onMessage", &large).await;
    assert_eq!(again.status, 204, "it recovers");
    is_empty(&gateway).await;
    reloads(
        &gateway,
        &with_server(&setup(), &gateway, "max_body = '64KiB'\nmax_buffered = '64KiB'"),
    )
    .await;
    let kept = gateway.koipy().posts("/onMessage", &large[..64 << 10]).await;
    assert_eq!(kept.status, 204);
    is_empty(&gateway).await;
}

#[tokio::test]
async fn a_reply_that_finds_no_room_is_a_failed_call() {
    let large = |name: &str, bytes| {
        let part = text("x").with("y".repeat(bytes));
        backend(name).replies(script().sends(part.to_wire())).starts()
    };
    let (one, two) = (large("one", 500_000), large("two", 500_000));
    let three = large("three", 1_200_000);
    let gateway = gateway()
        .backends([&one, &two, &three])
        .chain("onMessage", "['one', 'two', 'three']")
        .server(LIMITS)
        .starts()
        .await;
    let answer = gateway.koipy().posts("/onMessage", "{}").await;
    assert_eq!(
        (answer.status, answer.body.len()),
        (200, 500_000 * 2 + 1),
        "{answer:?}"
    );
    gateway
        .counts(
            "koigate_backend_failures_total backend=three kind=overloaded",
            1.0,
        )
        .await;
    gateway.counts("koigate_fail_open_total backend=three", 1.0).await;
    is_empty(&gateway).await;
    let again = gateway.koipy().posts("/onMessage", "{}").await;
    assert_eq!(again.body.len(), 500_000 * 2 + 1, "it recovers");
    is_empty(&gateway).await;
}

/// What several replies would be in one counts beside them, before it is written.
#[tokio::test]
async fn an_answer_for_which_there_is_no_room_is_not_made() {
    let first = "x".repeat(720_000);
    let one = backend("one").replies(text(&first)).starts();
    let two = backend("two").replies(text(&"y".repeat(720_000))).starts();
    let edits = backend("edits")
        .replies(json_body("{\"result\": {\"y\": 1}}"))
        .starts();
    let gateway = gateway()
        .backends([&one, &two, &edits])
        .chain("onMessage", "[['one', 'two']]")
        .chain("onResult", "[['one', 'edits']]")
        .server(LIMITS)
        .starts()
        .await;
    let koipy = gateway.koipy();
    let answer = koipy.posts("/onMessage", "{}").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body == first.as_bytes(), "the first passes as it came");
    let line = [
        "an attachment was dropped",
        "hook=\"onMessage\"",
        "max_buffered has no room",
    ];
    gateway.logs(&[&line[..], &["backend=\"two\""]].concat()).await;
    is_empty(&gateway).await;

    let answer = koipy.posts("/onResult", "{\"result\": {\"x\": 1}}").await;
    assert_eq!(&*answer.text(), "{\"result\": {\"x\": 1,\"y\": 1}}");
    let line = [
        "an attachment was dropped",
        "hook=\"onResult\"",
        "max_buffered has no room",
    ];
    gateway.logs(&[&line[..], &["backend=\"one\""]].concat()).await;
    for hook in ["onMessage", "onResult"] {
        let dropped = format!("koigate_attachments_dropped_total hook={hook} kind=text");
        gateway.counts(&dropped, 1.0).await;
    }

    let mut wire = gateway.connect().await;
    wire.write(hook("/onMessage", "Accept: multipart/mixed\r\n"))
        .await
        .unwrap();
    let answer = wire.answered().await;
    assert!(answer.body == first.as_bytes(), "nor is it in parts");
    is_empty(&gateway).await;
}

#[tokio::test]
async fn what_some_are_sent_instead_counts_too() {
    let document = format!(
        "{{\"result\": {{\"x\": \"{}\"}}, \"config\": 1}}",
        "z".repeat(900_000)
    );
    let sees_less = backend("sees_less").set("hide = ['/config']").starts();
    let gateway = gateway()
        .asks(&sees_less)
        .server("max_body = '1MiB'\nmax_buffered = '1500KiB'")
        .starts()
        .await;
    let answer = gateway.koipy().posts("/onResult", &document).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    gateway
        .counts(
            "koigate_backend_failures_total backend=sees_less kind=overloaded",
            1.0,
        )
        .await;
    assert_eq!(sees_less.asked(), 0);
    is_empty(&gateway).await;
}

#[tokio::test]
async fn a_document_for_which_there_is_no_room_is_not_made() {
    let document = format!("{{\"result\": {{\"x\": \"{}\"}}}}", "z".repeat(900_000));
    let adds = backend("adds")
        .replies(json_body("{\"result\": {\"y\": 1}}"))
        .starts();
    let late = backend("late").starts();
    let gateway = gateway()
        .backends([&adds, &late])
        .chain("onResult", "['adds', 'late']")
        .server("max_body = '1MiB'\nmax_buffered = '1500KiB'")
        .starts()
        .await;
    let answer = gateway.koipy().posts("/onResult", &document).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    gateway
        .counts("koigate_backend_failures_total backend=adds kind=overloaded", 1.0)
        .await;
    gateway.counts("koigate_fail_open_total backend=adds", 1.0).await;
    assert_eq!(late.requests()[0].body, document, "it is sent what there is");
    is_empty(&gateway).await;
}

#[tokio::test]
async fn lost_calls_give_their_room_back() {
    let slow = backend("slow")
        .set("always_finish = true")
        .replies(no_content().after(400))
        .starts();
    let gateway = gateway().asks(&slow).server(LIMITS).starts().await;
    let mut wire = gateway.connect().await;
    let body = vec![b' '; 500_000];
    wire.write(format!(
        "POST /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ))
    .await
    .unwrap();
    wire.write(&body).await.unwrap();
    slow.was_asked(1).await;
    drop(wire);
    // The call goes on, and what it sends is held until it has ended.
    gateway.counts("koigate_buffered_bytes", 500_000.0).await;
    is_empty(&gateway).await;
}
