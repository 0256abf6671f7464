//! Backends that break: what the bot gets all the same, how it is counted, and that nobody else notices.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;

use crate::support::backend::{Backend, Told, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::reply::{json_body, reject, text};
use crate::support::scrape::Metrics;
use crate::support::script::{Script, script};
use crate::support::wire::Response;

/// What a faulty backend has for itself. `timeout` is long enough that a fault which has to be seen at once is not
/// taken for one that runs into it on a busy machine.
const LIMITS: &str = "timeout = '1500ms'\nconnect_timeout = '700ms'\nmax_reply = '64KiB'";
/// The deadline of every hook here.
const DEADLINE: Duration = Duration::from_secs(4);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

/// How a fault is told from a name.
struct Fault {
    what: &'static str,
    told: Box<dyn Fn(Told) -> Backend>,
    kind: &'static str,
}

fn fault(what: &'static str, kind: &'static str, told: impl Fn(Told) -> Told + 'static) -> Fault {
    Fault {
        what,
        told: Box::new(move |name| told(name).starts()),
        kind,
    }
}

/// A fault that is the reply alone.
fn replies(what: &'static str, kind: &'static str, script: impl Into<Script>) -> Fault {
    let script = script.into();
    fault(what, kind, move |told| told.replies(script.clone()))
}

/// The three hooks of a fault: the backend that fails may, the backend that fails refuses, and nobody fails.
const HOOKS: [(&str, (u16, &str)); 3] = [
    ("open", (200, "well")),
    ("shut", (502, "sorry")),
    ("well", (200, "well")),
];

/// Runs each fault beside a healthy backend, under both policies, and then the healthy backend alone: all faults
/// at once on one gateway.
async fn check(faults: Vec<Fault>) {
    let mut setup = gateway().server("deadline = '4s'");
    let mut backends = Vec::new();
    for (index, fault) in faults.iter().enumerate() {
        let open = (fault.told)(backend(&format!("open{index}")).set(LIMITS));
        let shut = backend(&format!("shut{index}")).set(LIMITS);
        let shut = (fault.told)(shut.set("on_failure = 'reject'\nfailure_message = 'sorry'"));
        let well = backend(&format!("well{index}")).replies(text("well")).starts();
        setup = setup
            .backends([&open, &shut, &well])
            .chain(
                &format!("open{index}"),
                &format!("[['open{index}', 'well{index}']]"),
            )
            .chain(
                &format!("shut{index}"),
                &format!("[['well{index}', 'shut{index}']]"),
            )
            .chain(&format!("well{index}"), &format!("['well{index}']"));
        backends.push((open, shut, well));
    }
    let gateway = setup.starts().await;
    for (hook, expected) in HOOKS {
        let fired = faults
            .iter()
            .enumerate()
            .map(|(index, fault)| fires(&gateway, hook, index, fault));
        for (fault, got) in faults.iter().zip(join_all(fired).await) {
            assert_eq!((got.status, &*got.text()), expected, "{} at {hook}", fault.what);
        }
        // Losers get a short while, in which they keep their connection from the next hook.
        gateway.counts("koigate_backend_in_flight", 0.0).await;
        gateway.counts("koigate_hooks_in_flight", 0.0).await;
    }
    are_counted(&gateway.metrics().await, &faults);
    for (fault, (open, shut, well)) in faults.iter().zip(&backends) {
        open.has_open(0).await;
        shut.has_open(0).await;
        assert_eq!(
            well.opened(),
            1,
            "{}: the healthy backend's connection is kept",
            fault.what
        );
    }
    gateway.stops().await;
}

/// Fires one hook of a fault and asserts that it took its time and no more.
async fn fires(gateway: &Gateway, hook: &str, index: usize, fault: &Fault) -> Response {
    let begun = Instant::now();
    let document = payload("onResult", 12).dumps();
    let response = gateway.koipy().posts(&format!("/{hook}{index}"), document).await;
    let took = begun.elapsed();
    assert!(took < DEADLINE + SLACK, "{} took {took:?}", fault.what);
    let early = fault.kind == "timeout" && hook != "well" && took < Duration::from_millis(1_400);
    assert!(!early, "{} ended before its time: {took:?}", fault.what);
    response
}

/// Each hook has failed once, in this one way, but for the one that has only a healthy backend.
fn are_counted(metrics: &Metrics, faults: &[Fault]) {
    for (index, fault) in faults.iter().enumerate() {
        for (hook, _) in HOOKS {
            let hook = format!("{hook}{index}");
            let failures = format!("koigate_backend_failures_total hook={hook}");
            let kind = format!("{failures} backend={hook} kind={}", fault.kind);
            let open = format!("koigate_fail_open_total hook={hook}");
            let counted = [metrics.sum(&failures), metrics.sum(&kind), metrics.sum(&open)];
            let failed = f64::from(!hook.starts_with("well"));
            let expected = [failed, failed, f64::from(hook.starts_with("open"))];
            assert!(
                counted == expected,
                "{} is no {}: {}",
                fault.what,
                fault.kind,
                metrics.text_about(&hook)
            );
        }
    }
}

#[tokio::test]
async fn no_connection() {
    let deaf = backend("deaf").set(LIMITS).drops_syns().await;
    let gateway = gateway().asks(&deaf).starts().await;
    let begun = Instant::now();
    assert_eq!(gateway.koipy().posts("/onMessage", "{}").await.status, 204);
    let took = begun.elapsed();
    assert!(
        took > Duration::from_millis(650) && took < Duration::from_millis(1_500),
        "connect_timeout: {took:?}"
    );
    gateway
        .counts("koigate_backend_failures_total backend=deaf kind=connect", 1.0)
        .await;

    check(vec![
        Fault {
            what: "a closed port",
            told: Box::new(Told::never_listens),
            kind: "connect",
        },
        fault("a name that does not resolve", "connect", |told| {
            told.at("http://nothing.invalid/")
        }),
        fault("TLS at a plain port", "connect", |told| {
            told.at("https://{address}/").greets(reject(400, "no"))
        }),
        fault("a TLS handshake that stalls", "connect", |told| {
            told.at("https://{address}/").greets(script().stalls())
        }),
        fault("TLS at a port that closes", "connect", |told| {
            told.at("https://{address}/").greets(script().closes())
        }),
    ])
    .await;
}

#[tokio::test]
async fn no_end() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    let sends = |rest: &str| script().sends(format!("{ok}{rest}"));
    check(vec![
        replies("never answers", "timeout", script().stalls()),
        fault("never reads", "timeout", |told| {
            told.greets(script().waits(2_500).closes())
        }),
        replies("a head by drips", "timeout", script().drips(ok, 200)),
        replies(
            "a body by drips",
            "timeout",
            sends("Content-Length: 90\r\n\r\n").drips("x".repeat(90), 200),
        ),
        replies(
            "chunks by drips",
            "timeout",
            sends("Transfer-Encoding: chunked\r\n\r\n").floods("1\r\nx\r\n", 200),
        ),
        replies(
            "endless interim responses",
            "timeout",
            script().floods("HTTP/1.1 102 Processing\r\n\r\n", 50),
        ),
        replies("half a head", "timeout", script().sends(ok).stalls()),
        replies(
            "half a body",
            "timeout",
            sends("Content-Length: 9\r\n\r\nhalf").stalls(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_early_end() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let sends = |rest: &str| script().sends(format!("{ok}{rest}"));
    check(vec![
        replies("a reset before a byte", "reset", script().resets()),
        replies("an end before a byte", "reset", script().closes()),
        replies("a half-close before a byte", "reset", script().half_closes()),
        replies(
            "an end within the head",
            "reset",
            script().sends("HTTP/1.1 200 OK\r\nConte").closes(),
        ),
        replies(
            "a reset within the head",
            "reset",
            script().sends("HTTP/1.1 200 OK\r\nConte").waits(30).resets(),
        ),
        replies(
            "an end within the body",
            "reset",
            sends("Content-Length: 9\r\n\r\n{\"a\"").closes(),
        ),
        replies(
            "a reset within the body",
            "reset",
            sends("Content-Length: 9\r\n\r\n{\"a\"").waits(30).resets(),
        ),
        replies(
            "a length too long",
            "reset",
            sends("Content-Length: 9\r\n\r\n{\"a\": 1}").closes(),
        ),
        replies(
            "chunks cut short",
            "reset",
            sends("Transfer-Encoding: chunked\r\n\r\n8\r\n{\"a\": 1}\r\n").closes(),
        ),
        replies(
            "a chunk cut short",
            "reset",
            sends("Transfer-Encoding: chunked\r\n\r\n8\r\n{\"a\"").closes(),
        ),
        replies(
            "an interim response alone",
            "reset",
            script().sends("HTTP/1.1 100 Continue\r\n\r\n").closes(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn broken_http() {
    let sends = |wire: &str| script().sends(wire.to_owned()).stalls();
    let ok = |rest: &str| sends(&format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{rest}"));
    let long = format!("X-Long: {}\r\n\r\n", "x".repeat(70_000));
    let many = (0..300).map(|n| format!("X-{n}: x\r\n")).collect::<String>() + "\r\n";
    check(vec![
        replies("garbage", "protocol", sends("garbage\r\n\r\n")),
        replies(
            "binary garbage",
            "protocol",
            script()
                .sends(b"\x16\x03\x01\x00\xff\r\n\r\n".as_slice())
                .stalls(),
        ),
        replies("status 99", "protocol", sends("HTTP/1.1 99 Low\r\n\r\n")),
        replies("status 1000", "protocol", sends("HTTP/1.1 1000 High\r\n\r\n")),
        replies("status abc", "protocol", sends("HTTP/1.1 abc OK\r\n\r\n")),
        replies("HTTP/3", "protocol", sends("HTTP/3.0 200 OK\r\n\r\n")),
        replies(
            "101 unasked",
            "protocol",
            sends("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        ),
        replies(
            "two lengths",
            "protocol",
            ok("Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
        ),
        replies("a negative length", "protocol", ok("Content-Length: -1\r\n\r\nx")),
        replies(
            "a length of letters",
            "protocol",
            ok("Content-Length: ten\r\n\r\nx"),
        ),
        replies(
            "a bad chunk size",
            "protocol",
            ok("Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n"),
        ),
        replies(
            "a chunk longer than said",
            "protocol",
            ok("Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n"),
        ),
        replies(
            "a transfer coding",
            "protocol",
            ok("Transfer-Encoding: gzip\r\n\r\nx"),
        ),
        replies("a field without a colon", "protocol", ok("no colon\r\n\r\nx")),
        replies("a head over 64 KiB", "protocol", ok(&long)),
        replies("300 fields", "protocol", ok(&many)),
    ])
    .await;
}

#[tokio::test]
async fn too_much() {
    let much = Bytes::from(vec![b'x'; 65_537]);
    let block = vec![b'x'; 4_096];
    let chunk = [b"1000\r\n".as_slice(), &block, b"\r\n"].concat();
    check(vec![
        replies("a long body", "too_large", text("").with(much.clone())),
        replies(
            "a length over max_reply",
            "too_large",
            script()
                .sends("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
                .stalls(),
        ),
        replies(
            "a long body in chunks",
            "too_large",
            text("").with(much).chunked(1_000),
        ),
        replies(
            "endless chunks",
            "too_large",
            script()
                .sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .floods(chunk, 0),
        ),
        replies(
            "an endless body",
            "too_large",
            script().sends("HTTP/1.1 200 OK\r\n\r\n").floods(block, 0),
        ),
        replies(
            "a gzip bomb",
            "too_large",
            text("").with(bomb()).header("Content-Encoding", "gzip"),
        ),
    ])
    .await;
}

/// 64 MiB of zeros in 64 KB.
fn bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        std::io::Write::write_all(&mut encoder, &vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 65_536 + 1_000, "{}", bomb.len());
    bomb[..bomb.len().min(65_000)].to_vec()
}

#[tokio::test]
async fn json_that_does_not_parse() {
    let nested = |open: &str| open.repeat(10_000);
    check(vec![
        replies("cut JSON", "bad_json", json_body("{\"a\": ")),
        replies("a trailing comma", "bad_json", json_body("{\"a\": 1,}")),
        replies("two documents", "bad_json", json_body("{} {}")),
        replies(
            "bytes that are no UTF-8",
            "bad_json",
            json_body(b"{\"a\": \"\xff\"}".as_slice()),
        ),
        replies("a page", "bad_json", json_body("<html></html>")),
        replies("10,000 lists", "bad_json", json_body(nested("["))),
        replies("10,000 objects", "bad_json", json_body(nested("{\"a\":"))),
        fault("a status that is a failure", "status", |told| {
            told.set("failure_statuses = ['5xx']").rejects(503, "down")
        }),
    ])
    .await;
}
