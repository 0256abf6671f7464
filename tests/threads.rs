//! The threads that serve callers: who is served by which, and what they share.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::reply::{json_body, status};
use crate::support::script::{Script, script};
use crate::support::tls::{Authority, Validity};
use crate::support::wire::{Wire, bounded};

/// How often a thread of this name has waited for something to do.
fn waits(gateway: &Gateway, name: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.id())).unwrap();
    let mut tasks = tasks.map(|task| task.unwrap().path());
    let is_it = |comm: String| comm.trim_end() == name;
    let task = tasks.find(|task| fs::read_to_string(task.join("comm")).is_ok_and(is_it));
    let task = task.unwrap_or_else(|| panic!("no thread {name}"));
    let status = fs::read_to_string(task.join("status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

async fn asks(gateway: &Gateway, caller: &mut Wire) {
    caller
        .write(&gateway.koipy().request("/onMessage", b"{}"))
        .await
        .unwrap();
    let answer = bounded("an answer", caller.response()).await.unwrap();
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn a_caller_is_served_by_the_thread_with_the_fewest() {
    let service = backend("it").starts();
    let gateway = gateway().server("threads = 2").asks(&service).starts().await;
    let names = ["hooks-1", "hooks-2"];
    let mut first = gateway.connect().await;
    asks(&gateway, &mut first).await;
    let mut second = gateway.connect().await;
    asks(&gateway, &mut second).await;
    let mut third = gateway.connect().await;
    asks(&gateway, &mut third).await;
    for (caller, thread) in [(&mut first, 0), (&mut second, 1), (&mut third, 0)] {
        let before = names.map(|name| waits(&gateway, name));
        for _ in 0..100 {
            asks(&gateway, caller).await;
        }
        let after = names.map(|name| waits(&gateway, name));
        let more = [0, 1].map(|index| after[index] - before[index]);
        // Where news wait already a thread does not.
        assert!(
            more[thread] > 2 * more[1 - thread] + 2,
            "served by {}: {more:?}",
            names[thread]
        );
    }
}

/// A hook of two megabytes.
fn large() -> String {
    format!("{{\"text\": \"{}\"}}", "x".repeat(2 << 20))
}

#[tokio::test]
async fn large_bodies_are_for_a_thread_beside() {
    let service = backend("it").starts();
    let gateway = gateway().server("threads = 1").asks(&service).starts().await;
    let mut caller = gateway.connect().await;
    let (large, koipy) = (large(), gateway.koipy());
    for (body, is_large) in [("{}", false), (&*large, true), ("{}", false)] {
        let before = waits(&gateway, "bulk-1");
        for _ in 0..20 {
            let request = koipy.request("/onMessage", body.as_bytes());
            caller.write(&request).await.unwrap();
            let answer = bounded("an answer", caller.response()).await.unwrap();
            assert_eq!(answer.status, 204);
        }
        let more = waits(&gateway, "bulk-1") - before;
        assert!(
            if is_large { more >= 20 } else { more <= 4 },
            "{more} waits for {is_large}"
        );
    }
    let counts = (service.opened(), service.asked());
    assert_eq!(counts, (1, 60), "both use the same connection");
}

/// Asks twenty times with a small hook: how often the thread for bulk has waited meanwhile. Each answer is of this
/// status and length.
async fn bulk_of_small_hooks(gateway: &Gateway, status: u16, length: usize) -> u64 {
    let mut caller = gateway.connect().await;
    let before = waits(gateway, "bulk-1");
    for _ in 0..20 {
        let request = gateway.koipy().request("/onMessage", b"{}");
        caller.write(&request).await.unwrap();
        let answer = bounded("an answer", caller.response()).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (status, length));
    }
    waits(gateway, "bulk-1") - before
}

#[tokio::test]
async fn large_replies_are_for_a_thread_beside() {
    let list = |length: usize| json_body(format!("[\"{}\"]", "x".repeat(length - 4)));
    for (reply, is_large) in [
        (list(100_000).into(), false),
        (list(2 << 20).into(), true),
        (list(2 << 20).chunked(100_000), true),
        (list(2 << 20).until_close(), true),
    ] {
        let reply: Script = reply;
        let service = backend("it").replies(reply).starts();
        let gateway = gateway().server("threads = 1").asks(&service).starts().await;
        // A list is no object, so that nothing of it is in the answer.
        let more = bulk_of_small_hooks(&gateway, 204, 0).await;
        assert!(
            if is_large { more >= 20 } else { more <= 4 },
            "{more} waits for {is_large}"
        );
        assert!(matches!(service.opened(), 1 | 20));
        gateway.stops().await;
    }
}

#[tokio::test]
async fn large_replies_over_tls_are_as_well() {
    let authority = Authority::new();
    let service = backend("it")
        .at("https://localhost:{port}/")
        .secured(authority.vouches_for(&["localhost"], Validity::Good))
        .replies(json_body(format!("[\"{}\"]", "x".repeat(2 << 20))))
        .starts();
    let gateway = gateway()
        .with_env("SSL_CERT_FILE", authority.file())
        .server("threads = 1")
        .asks(&service)
        .starts()
        .await;
    let more = bulk_of_small_hooks(&gateway, 204, 0).await;
    assert!(more >= 20, "{more}");
    assert_eq!((service.opened(), service.asked()), (1, 20));
}

#[tokio::test]
async fn large_answers_are_for_a_thread_beside() {
    let half = "x".repeat(700_000);
    let adds = |name: &str| {
        let column = format!("{{\"{name}\":\"{half}\"}}");
        backend(name).replies(json_body(column)).starts()
    };
    let (one, two) = (adds("one"), adds("two"));
    let gateway = gateway()
        .server("threads = 1")
        .asks_at_once(&[&one, &two])
        .starts()
        .await;
    let length = 2 * (half.len() + "\"one\":\"\"".len()) + "{,}".len();
    let more = bulk_of_small_hooks(&gateway, 200, length).await;
    assert!(more >= 20, "{more}");
    assert_eq!((one.opened(), two.opened()), (1, 1));
}

#[tokio::test]
async fn a_large_reply_that_breaks_has_failed() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n";
    let begun = || script().sends(head).sends("x".repeat(2 << 20)).waits(50);
    for (does, kind) in [
        (begun().resets(), "reset"),
        (begun().closes(), "reset"),
        (begun().stalls(), "timeout"),
    ] {
        let service = backend("it").replies(does).set("timeout = '1s'").starts();
        let gateway = gateway().server("threads = 1").asks(&service).starts().await;
        let answer = gateway.koipy().posts("/onMessage", b"{}").await;
        assert_eq!(answer.status, 204, "{kind}: {}", answer.text());
        let series = format!("koigate_backend_failures_total backend=it kind={kind}");
        gateway.counts(&series, 1.0).await;
        service.has_open(0).await;
        gateway.stops().await;
    }
}

#[tokio::test]
async fn a_large_reply_ends_with_its_caller() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n";
    let slow = script().sends(head).sends("x".repeat(2 << 20)).stalls();
    let service = backend("it").replies(slow).set("timeout = '1h'").starts();
    let gateway = gateway()
        .server("threads = 1\ndeadline = '1h'")
        .asks(&service)
        .starts()
        .await;
    let mut caller = gateway.connect().await;
    let request = gateway.koipy().request("/onMessage", b"{}");
    caller.write(&request).await.unwrap();
    service.was_asked(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(service.open(), 1);
    drop(caller);
    service.has_open(0).await;
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_order_by_two_threads() {
    let service = backend("it").starts();
    let gateway = gateway().server("threads = 1").asks(&service).starts().await;
    let (large, koipy) = (large(), gateway.koipy());
    let mut together = Vec::new();
    for body in ["{}", &large, &large, "{}"] {
        together.extend(koipy.request("/onMessage", body.as_bytes()));
    }
    together.extend(koipy.request("/nowhere", b"{}"));
    let mut caller = gateway.connect().await;
    caller.write(&together).await.unwrap();
    for expected in [204, 204, 204, 204, 404] {
        let answer = bounded("an answer", caller.response()).await.unwrap();
        assert_eq!(answer.status, expected);
    }
    assert_eq!(service.asked(), 4);
}

#[tokio::test]
async fn a_large_hook_goes_with_its_caller_and_is_waited_for_by_a_stop() {
    let slow = backend("slow")
        .replies(status(451).with("done").after(1_500))
        .starts();
    let gateway = gateway()
        .server("threads = 1\nmax_in_flight = 1")
        .asks(&slow)
        .starts()
        .await;
    let request = gateway.koipy().request("/onMessage", large().as_bytes());
    let mut leaver = gateway.connect().await;
    leaver.write(&request).await.unwrap();
    slow.was_asked(1).await;
    gateway.counts("koigate_hooks_in_flight", 1.0).await;
    drop(leaver);
    gateway.counts("koigate_hooks_in_flight", 0.0).await;
    let mut waiting = gateway.connect().await;
    waiting.write(&request).await.unwrap();
    slow.was_asked(2).await;
    gateway.signal(Signal::TERM);
    let answer = bounded("an answer", waiting.response()).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (451, Some("close")));
    gateway.ends().await;
}

#[tokio::test]
async fn a_large_hook_that_takes_too_long_is_cut() {
    let slow = backend("slow").replies(status(451).after(600_000)).starts();
    let gateway = gateway()
        .server("threads = 1\ndeadline = '1h'\ndrain = '300ms'")
        .defaults("timeout = '1h'")
        .asks(&slow)
        .starts()
        .await;
    let mut waiting = gateway.connect().await;
    let request = gateway.koipy().request("/onMessage", large().as_bytes());
    waiting.write(&request).await.unwrap();
    slow.was_asked(1).await;
    gateway.signal(Signal::TERM);
    let stopped = gateway.ends_with(1).await;
    let cut = |line: &String| line.contains("requests under way") && line.contains("connections=1");
    assert!(stopped.log.iter().any(cut), "{:#?}", stopped.log);
    assert!(stopped.took < Duration::from_secs(10), "{:?}", stopped.took);
    assert_eq!(waiting.closed().await, "");
}

#[tokio::test]
async fn small_hooks_do_not_wait_for_the_thread_beside_to_hear_of_tls() {
    let authority = Authority::new();
    let secured = authority.vouches_for(&["localhost"], Validity::Good);
    let service = backend("it")
        .at("https://localhost:{port}/")
        .secured(secured)
        .starts();
    let gateway = gateway()
        .with_env("SSL_CERT_FILE", authority.file())
        .server("threads = 1")
        .asks(&service)
        .starts()
        .await;
    let mut caller = gateway.connect().await;
    let request = gateway.koipy().request("/onMessage", large().as_bytes());
    caller.write(&request).await.unwrap();
    let answer = bounded("an answer", caller.response()).await.unwrap();
    assert_eq!((answer.status, service.opened()), (204, 1));
    let before = waits(&gateway, "bulk-1");
    for _ in 0..100 {
        asks(&gateway, &mut caller).await;
    }
    let more = waits(&gateway, "bulk-1") - before;
    assert!(more <= 10, "{more}: it hears of the replies");
    assert_eq!((service.opened(), service.asked()), (2, 101));
    caller.write(&request).await.unwrap();
    let answer = bounded("an answer", caller.response()).await.unwrap();
    assert_eq!((answer.status, service.opened()), (204, 2));
}

/// Asks by callers on three threads in turn, then by the second alone: how often the two threads waited meanwhile that
/// have nothing to do.
async fn asks_from_three(service: &Backend, authority: &Authority) -> u64 {
    let gateway = gateway()
        .with_env("SSL_CERT_FILE", authority.file())
        .server("threads = 3")
        .asks(service)
        .starts()
        .await;
    let mut callers = Vec::new();
    for _ in 0..3 {
        callers.push(gateway.connect().await);
    }
    for _ in 0..4 {
        for caller in &mut callers {
            asks(&gateway, caller).await;
        }
    }
    assert_eq!((service.opened(), service.asked()), (1, 12));
    gateway
        .counts("koigate_connections_opened_total backend=it", 1.0)
        .await;
    gateway
        .counts("koigate_connections_reused_total backend=it", 11.0)
        .await;
    let others = || waits(&gateway, "hooks-1") + waits(&gateway, "hooks-3");
    let before = others();
    for _ in 0..200 {
        asks(&gateway, &mut callers[1]).await;
    }
    assert_eq!((service.opened(), service.asked()), (1, 212));
    others() - before
}

#[tokio::test]
async fn threads_take_connections_over_from_each_other() {
    let authority = Authority::new();
    let waits = asks_from_three(&backend("it").starts(), &authority).await;
    assert!(
        waits < 20,
        "{waits}: the thread before still hears of the connection"
    );
    let secured = backend("it")
        .at("https://localhost:{port}/")
        .secured(authority.vouches_for(&["localhost"], Validity::Good));
    asks_from_three(&secured.starts(), &authority).await;
}
