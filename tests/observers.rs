//! Observers: each is told what has become of a hook, once its answer has left, and nothing of it reaches the hook.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::backend::{Backend, Request, Told, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::payload::payload;
use crate::support::reply::{no_content, status, text};
use crate::support::script::script;

const DOCUMENT: &str =
    r#"{"message":{"text":"/test","from-user":{"id":7}},"config":{"token":"canary-82c0"}}"#;

/// A gateway that asks `chain` about messages and tells these observers.
fn observed(chain: &[&Backend], observers: &[&Backend]) -> Setup {
    let names = |backends: &[&Backend]| {
        let names: Vec<String> = backends.iter().map(|one| format!("'{}'", one.name)).collect();
        names.join(", ")
    };
    let hook = format!("chain = [{}]\nobservers = [{}]", names(chain), names(observers));
    gateway()
        .backends(chain.iter().copied())
        .backends(observers.iter().copied())
        .hook("onMessage", &hook)
}

fn passes() -> Backend {
    backend("guard").replies(no_content()).starts()
}

fn stats() -> Told {
    backend("stats").replies(no_content())
}

fn notice(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("a notice is JSON")
}

async fn ended(gateway: &Gateway, result: &str, notices: f64) {
    let series = format!("koigate_observer_notices_total hook=onMessage backend=stats result={result}");
    gateway.counts(&series, notices).await;
}

async fn waits(gateway: &Gateway, observer: &str, notices: u32) {
    let series = format!("koigate_observer_waiting backend={observer}");
    gateway.counts(&series, f64::from(notices)).await;
}

/// Answers that leave at almost the same time may be told of in either order.
fn set(ids: Vec<String>) -> BTreeSet<String> {
    ids.into_iter().collect()
}

async fn posts(gateway: &Gateway, times: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..times {
        let response = gateway.koipy().posts("/onMessage", DOCUMENT).await;
        assert_eq!(response.status, 204);
        ids.push(response.header("x-request-id").unwrap().to_owned());
    }
    ids
}

fn told_of(observer: &Backend) -> Vec<String> {
    let ids = observer.requests().into_iter();
    ids.map(|request| request.head.value("x-request-id").unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_an_observer_is_told() {
    let (guard, edits) = (
        passes(),
        backend("edits").sets("/message/text", "/other").starts(),
    );
    let down = backend("down").never_listens();
    let stats = stats().starts();
    let gateway = observed(&[&guard, &edits, &down], &[&stats]).starts().await;
    let response = gateway.koipy().posts("/onMessage", DOCUMENT).await;
    assert_eq!(response.status, 200);
    assert!(!response.header("server-timing").unwrap().contains("stats"));
    stats.was_asked(1).await;
    let request = stats.request();
    let id = response.header("x-request-id").unwrap();
    for (name, expected) in [
        ("x-koigate-hook", "onMessage"),
        ("x-koigate-verdict", "continue"),
        ("x-request-id", id),
        ("idempotency-key", id),
        ("content-type", "application/json"),
    ] {
        assert_eq!(request.head.value(name), Some(expected), "{name}");
    }
    let mut told = notice(&request);
    let ms = told["ms"].take().as_f64().unwrap();
    assert!((0.0..10_000.0).contains(&ms));
    let at = told["at"].take();
    assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
    for call in told["backends"].as_array_mut().unwrap() {
        assert!(call["ms"].take().as_f64().unwrap() <= ms, "{call}");
    }
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap();
    document["message"]["text"] = "/other".into();
    let expected = json!({
        "id": id, "hook": "onMessage", "at": null, "ms": null, "verdict": "continue", "status": 200,
        "decided_by": null,
        "backends": [
            {"name": "guard", "stage": 1, "verdict": "continue", "status": 204, "ms": null, "failure": null, "edits": 0},
            {"name": "edits", "stage": 2, "verdict": "continue", "status": 200, "ms": null, "failure": null, "edits": 1},
            {"name": "down", "stage": 3, "verdict": "failed", "status": null, "ms": null, "failure": "connect", "edits": 0},
        ],
        "conflicts": 0, "images": 0, "document": document,
    });
    assert_eq!(told, expected);
    ended(&gateway, "delivered", 1.0).await;
    gateway
        .counts("koigate_backend_calls_total backend=stats verdict=continue", 1.0)
        .await;
}

/// Also of a refusal, whoever gave it, and of a document that is none.
#[tokio::test]
async fn refusals_and_broken_documents_are_told_too() {
    let guard = backend("guard").rejects(403, "no").starts();
    let late = backend("late").starts();
    let stats = stats().starts();
    let gateway = observed(&[&guard, &late], &[&stats]).starts().await;
    assert_eq!(gateway.koipy().posts("/onMessage", DOCUMENT).await.status, 403);
    stats.was_asked(1).await;
    assert_eq!(
        gateway.koipy().posts("/onMessage", "{\"message\":").await.status,
        403
    );
    stats.was_asked(2).await;
    let requests = stats.requests();
    for request in &requests {
        assert_eq!(request.head.value("x-koigate-verdict"), Some("reject"));
        let told = notice(request);
        assert_eq!(
            (&told["verdict"], &told["status"]),
            (&json!("reject"), &json!(403))
        );
        assert_eq!(told["decided_by"], "guard");
        assert_eq!(told["backends"].as_array().unwrap().len(), 1, "{told}");
    }
    assert_eq!(notice(&requests[0])["document"]["message"]["text"], "/test");
    assert_eq!(notice(&requests[1])["document"], Value::Null);

    let closed = backend("guard")
        .set("on_failure = 'reject'")
        .replies(script().resets())
        .starts();
    let gateway = observed(&[&closed], &[&stats]).starts().await;
    assert_eq!(gateway.koipy().posts("/onMessage", DOCUMENT).await.status, 502);
    stats.was_asked(3).await;
    let told = notice(&stats.requests()[2]);
    assert_eq!(
        (&told["verdict"], &told["decided_by"]),
        (&json!("error"), &json!("guard"))
    );
    assert_eq!(told["backends"][0]["failure"], "reset");
}

/// Neither what is hidden nor what is signed is another thing than with any backend; of conditions it is the same.
#[tokio::test]
async fn guards_conditions_and_signatures_hold_for_observers() {
    let guard = backend("guard").sets("/message/from-user/id", 8).starts();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let stats = stats()
        .set(&format!(
            "hide = ['/config']\nkeys = 'snake'\nsign = {{ secret = '{secret}' }}\n\
             when = [{{ at = '/message/from-user/id', eq = 8 }}]"
        ))
        .starts();
    let never = backend("never")
        .set("when = [{ at = '/message/from-user/id', eq = 7 }]")
        .starts();
    let gateway = observed(&[&guard], &[&stats, &never]).starts().await;
    gateway.koipy().posts("/onMessage", DOCUMENT).await;
    stats.was_asked(1).await;
    let request = stats.request();
    // What an observer goes by is what the chain has left.
    let expected = json!({"message": {"text": "/test", "from_user": {"id": 8}}});
    assert_eq!(notice(&request)["document"], expected);
    assert!(crate::signing::is_signed(&request, secret));
    gateway
        .counts("koigate_observer_notices_total backend=never result=skipped", 1.0)
        .await;
    assert_eq!(never.asked(), 0);
}

/// Whoever is told is told in the order in which the answers left, each notice until it is taken, and the hooks don't
/// notice any of it.
#[tokio::test]
async fn an_observer_that_restarts_is_told_everything_in_order() {
    let guard = passes();
    let before = stats().starts();
    let address = before.address;
    let gateway = observed(&[&guard], &[&before]).starts().await;
    drop(before);
    let mut ids = Vec::new();
    for waiting in 1..=20 {
        ids.extend(posts(&gateway, 1).await);
        waits(&gateway, "stats", waiting).await;
    }
    gateway.logs(&["WARN", "not well", "stats", "connect"]).await;
    assert_eq!(gateway.metrics().await.value("koigate_buffered_bytes"), 0.0);
    let stats = stats().starts_at(address);
    stats.was_asked(20).await;
    assert_eq!(told_of(&stats), ids);
    ended(&gateway, "delivered", 20.0).await;
    waits(&gateway, "stats", 0).await;
    gateway.logs(&["INFO", "well again", "stats"]).await;
    let failures = gateway.metrics().await;
    assert!(failures.sum("koigate_backend_failures_total backend=stats kind=connect") >= 1.0);
}

/// A service that says 503 is asked again, one that has nothing against the notice but breaks at it five times in all,
/// and one that does not want it not at all.
#[tokio::test]
async fn what_an_observer_answers_decides_whether_it_is_told_again() {
    let guard = passes();
    let stats = backend("stats")
        .replies_with({
            let asked = std::sync::atomic::AtomicUsize::new(0);
            move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => status(503),
                1 => status(200),
                2 => status(422),
                _ => text("taken"),
            }
        })
        .starts();
    let gateway = observed(&[&guard], &[&stats]).starts().await;
    let mut ids = posts(&gateway, 1).await;
    ended(&gateway, "delivered", 1.0).await;
    ids.extend(posts(&gateway, 1).await);
    ended(&gateway, "refused", 1.0).await;
    ids.extend(posts(&gateway, 1).await);
    stats.was_asked(4).await;
    let (first, second, third) = (ids[0].clone(), ids[1].clone(), ids[2].clone());
    assert_eq!(told_of(&stats), [first.clone(), first, second, third]);
    ended(&gateway, "delivered", 2.0).await;
    ended(&gateway, "refused", 1.0).await;
    gateway.logs(&["WARN", "was not told", "stats", "refused"]).await;
}

/// What there is no room for is dropped and counted, the latest first; what is in the queue stays.
#[tokio::test]
async fn overflow_is_dropped_counted_and_logged() {
    let guard = passes();
    for (queue, waiting) in [("{ length = 4 }", 4_u32), ("{ memory = '3KiB' }", 3)] {
        let hangs = stats()
            .set(&format!("timeout = '1h'\nqueue = {queue}"))
            .replies(script().stalls())
            .starts();
        let gateway = observed(&[&guard], &[&hangs]).starts().await;
        posts(&gateway, 10).await;
        waits(&gateway, "stats", waiting).await;
        ended(&gateway, "overflow", f64::from(10 - waiting)).await;
        gateway.logs(&["WARN", "was not told", "stats", "overflow"]).await;
    }
}

/// One larger than the queue's memory is told if nothing else waits.
#[tokio::test]
async fn a_large_notice_is_told_alone() {
    let guard = passes();
    let stats = stats().set("queue = { memory = '1KiB' }").starts();
    let gateway = observed(&[&guard], &[&stats]).starts().await;
    let document = payload("onResult", 2_000).dumps();
    for asked in 1..=3 {
        gateway.koipy().posts("/onMessage", &document).await;
        stats.was_asked(asked).await;
        ended(&gateway, "delivered", f64::from(u32::try_from(asked).unwrap())).await;
    }
    let requests = stats.requests();
    assert!(requests.iter().all(|request| request.body.len() > document.len()));
}

/// The answer has left before the observer is asked, and nobody waits for it.
#[tokio::test]
async fn an_observer_that_hangs_or_floods_is_in_nobodys_way() {
    let guard = passes();
    for does in [
        script().stalls(),
        script().resets(),
        script().floods(vec![b'x'; 64 * 1024], 1),
        script()
            .sends("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
            .stalls(),
    ] {
        let stats = stats().set("timeout = '2s'").replies(does).starts();
        let gateway = observed(&[&guard], &[&stats]).starts().await;
        let begun = Instant::now();
        posts(&gateway, 50).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        gateway
            .counts("koigate_hooks_total hook=onMessage verdict=continue", 50.0)
            .await;
        gateway.counts("koigate_buffered_bytes", 0.0).await;
    }
}

/// What is queued is delivered before the process ends, within `drain`, while operators can watch that.
#[tokio::test]
async fn what_is_queued_is_delivered_before_the_end() {
    let guard = passes();
    let slow = stats().replies(no_content().after(100)).starts();
    let gateway = observed(&[&guard], &[&slow]).starts().await;
    let ids = posts(&gateway, 15).await;
    gateway.signal(Signal::TERM);
    gateway.logs(&["hooks in flight finish"]).await;
    assert_eq!(gateway.admin("/readyz").await.status, 503);
    let stopped = gateway.ends().await;
    assert_eq!(slow.asked(), 15);
    assert_eq!(set(told_of(&slow)), set(ids));
    let lost = stopped.log.iter().find(|line| line.contains("not delivered"));
    assert_eq!(lost, None);
}

/// One that is back before the time is over is told, although its next try was to be later.
#[tokio::test]
async fn at_the_end_an_observer_is_tried_more_often() {
    let guard = passes();
    let before = stats().starts();
    let address = before.address;
    let gateway = observed(&[&guard], &[&before]).starts().await;
    drop(before);
    let ids = posts(&gateway, 1).await;
    // By now the next try is seconds away.
    gateway
        .counts("koigate_backend_failures_total backend=stats kind=connect", 3.0)
        .await;
    gateway.signal(Signal::TERM);
    gateway.logs(&["hooks in flight finish"]).await;
    let stats = stats().starts_at(address);
    let begun = Instant::now();
    stats.was_asked(1).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    gateway.ends().await;
    assert_eq!(told_of(&stats), ids);
}

/// What can't be delivered in time is dropped and counted; a second signal does not wait for it.
#[tokio::test]
async fn what_is_not_delivered_in_time_is_dropped_and_counted() {
    let guard = passes();
    for (drain, signals) in [("300ms", 1), ("1h", 2)] {
        let hangs = stats().set("timeout = '1h'").replies(script().stalls()).starts();
        let gateway = observed(&[&guard], &[&hangs])
            .server(&format!("drain = '{drain}'"))
            .starts()
            .await;
        posts(&gateway, 5).await;
        hangs.was_asked(1).await;
        for _ in 0..signals {
            gateway.signal(Signal::TERM);
            gateway.logs(&["hooks in flight finish"]).await;
            sleep(Duration::from_millis(100)).await;
        }
        // All hooks were answered: the end is a good one.
        let stopped = gateway.ends().await;
        let lost = |line: &String| line.contains("not delivered") && line.contains("notices=5");
        assert!(stopped.log.iter().any(lost), "{:#?}", stopped.log);
        assert!(stopped.took < Duration::from_secs(10), "{:?}", stopped.took);
    }
}

/// A reload keeps what waits, and has it delivered as the new configuration says; without the observer it is dropped.
#[tokio::test]
async fn reloads_keep_the_queue() {
    let guard = passes();
    let down = stats().never_listens();
    let stats = backend("stats").starts();
    let gateway = observed(&[&guard], &[&down]).starts().await;
    let ids = posts(&gateway, 3).await;
    waits(&gateway, "stats", 3).await;
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    let there = |backend: &Backend| backend.address.to_string();
    gateway.rewrites(&text.replace(&there(&down), &there(&stats)));
    stats.was_asked(3).await;
    assert_eq!(set(told_of(&stats)), set(ids));
    ended(&gateway, "delivered", 3.0).await;

    gateway.rewrites(&text);
    gateway.logs(&["configuration reloaded", "generation=3"]).await;
    posts(&gateway, 2).await;
    waits(&gateway, "stats", 2).await;
    gateway.rewrites(&text.replace("observers = ['stats']", ""));
    gateway.logs(&["does without an observer", "notices=2"]).await;
    let gone = gateway.metrics().await;
    assert_eq!(
        gone.find("koigate_observer_notices_total hook=onMessage backend=stats result=delivered"),
        None
    );
    posts(&gateway, 1).await;
}

/// What a reload hides from an observer is hidden in what waits for it already.
#[tokio::test]
async fn what_waits_is_told_as_the_observer_may_see_it_by_then() {
    let guard = passes();
    let down = stats().never_listens();
    let stats = backend("stats").starts();
    let gateway = observed(&[&guard], &[&down]).starts().await;
    posts(&gateway, 2).await;
    waits(&gateway, "stats", 2).await;
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    let text = text.replace(&down.address.to_string(), &stats.address.to_string());
    let hidden = text.replace("[backends.stats]", "[backends.stats]\nhide = ['/config']");
    assert_ne!(text, hidden);
    gateway.rewrites(&hidden);
    stats.was_asked(2).await;
    let whole: Value = serde_json::from_str(DOCUMENT).unwrap();
    for request in stats.requests() {
        let told = notice(&request);
        assert_eq!(
            (&told["verdict"], &told["document"]),
            (&json!("continue"), &json!({"message": whole["message"]}))
        );
    }
    ended(&gateway, "delivered", 2.0).await;
}

/// Several observers are told alike, and one that hangs holds no other up.
#[tokio::test]
async fn each_observer_has_a_queue_of_its_own() {
    let guard = passes();
    let hangs = stats().set("timeout = '1h'").replies(script().stalls()).starts();
    let other = backend("other").starts();
    let gateway = observed(&[&guard], &[&hangs, &other]).starts().await;
    let ids = posts(&gateway, 5).await;
    other.was_asked(5).await;
    assert_eq!(set(told_of(&other)), set(ids));
    waits(&gateway, "stats", 5).await;
    waits(&gateway, "other", 0).await;
    let status: Value = serde_json::from_slice(&gateway.admin("/status").await.body).unwrap();
    assert_eq!(status["observers"], json!({"onMessage": ["stats", "other"]}));
    let told = |index: usize| &status["backends"][index]["observer"];
    assert_eq!(status["backends"][0]["observer"], Value::Null);
    assert_eq!(
        (&told(1)["waiting"], &told(1)["delivered"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(
        (&told(2)["waiting"], &told(2)["delivered"]),
        (&json!(0), &json!(5))
    );
    assert!(told(1)["waiting_bytes"].as_u64().unwrap() > 1000);
}
