//! Deadlines and timeouts as totals. No test of speed: each has a bound that a hung call would break by seconds.

use std::time::{Duration, Instant};

use crate::support::backend::{Told, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::koipy::After;
use crate::support::payload::payload;
use crate::support::reply::{json_body, no_content, reject, text};
use crate::support::script::script;

/// What a busy machine may add to a bound of a few hundred milliseconds.
const SLACK: Duration = Duration::from_millis(900);

/// Fires one onMessage and says how long the answer took.
async fn timed(gateway: &Gateway) -> (After, Duration) {
    let begun = Instant::now();
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    (after, begun.elapsed())
}

fn about(took: Duration, ms: u64, what: &str) {
    let expected = Duration::from_millis(ms);
    assert!(
        took + Duration::from_millis(15) >= expected,
        "{what}: early, after {took:?}"
    );
    assert!(took < expected + SLACK, "{what}: late, after {took:?}");
}

fn hangs(name: &str) -> Told {
    backend(name).replies(script().stalls())
}

#[tokio::test]
async fn a_timeout_is_a_total() {
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_owned() + &"x".repeat(100);
    for (what, script) in [
        ("silence", script().stalls()),
        ("a byte now and then", script().drips(slow, 50)),
        (
            "a whole answer, late",
            script().waits(1_700).sends(reject(403, "late").to_wire()),
        ),
    ] {
        let told = backend("told").set("timeout = '500ms'").replies(script).starts();
        let gateway = gateway().asks(&told).starts().await;
        let (after, took) = timed(&gateway).await;
        assert_eq!(after.response.status, 204, "{what}");
        about(took, 500, what);
        gateway
            .counts("koigate_backend_failures_total backend=told kind=timeout", 1.0)
            .await;
        told.has_open(0).await;
    }
}

#[tokio::test]
async fn the_deadline_cuts_what_runs() {
    let hangs = hangs("hangs").set("timeout = '9s'").starts();
    let quick = backend("quick").replies(text("quick")).starts();
    let gateway = gateway()
        .backends([&hangs, &quick])
        .hook("onMessage", "chain = [['hangs', 'quick']]\ndeadline = '500ms'")
        .starts()
        .await;
    let (after, took) = timed(&gateway).await;
    assert_eq!(after.response.text(), "quick");
    about(took, 500, "the hook's own deadline");
    gateway
        .counts("koigate_backend_failures_total backend=hangs kind=timeout", 1.0)
        .await;
    gateway
        .counts("koigate_backend_calls_total backend=hangs verdict=failed", 1.0)
        .await;
    assert!(gateway.line_of(&after.response).await.contains("hangs"));
    hangs.has_open(0).await;
}

#[tokio::test]
async fn the_servers_deadline_is_the_default() {
    let hangs = hangs("hangs")
        .set("timeout = '9s'\non_failure = 'reject'\nfailure_message = 'sorry'")
        .starts();
    let gateway = gateway().server("deadline = '500ms'").asks(&hangs).starts().await;
    let (after, took) = timed(&gateway).await;
    assert_eq!(after.refusal(), "sorry");
    about(took, 500, "the server's deadline");
}

/// A guard that was never asked has not agreed.
#[tokio::test]
async fn calls_that_the_deadline_keeps_from_starting_are_failures() {
    for (policy, status) in [
        ("on_failure = 'reject'\nfailure_message = 'sorry'", 502),
        ("", 204),
    ] {
        let hangs = hangs("hangs").set("timeout = '9s'").starts();
        let guard = backend("guard").set(policy).starts();
        let gateway = gateway()
            .backends([&hangs, &guard])
            .hook("onMessage", "chain = ['hangs', 'guard']\ndeadline = '400ms'")
            .starts()
            .await;
        let (after, took) = timed(&gateway).await;
        assert_eq!(after.response.status, status);
        about(took, 400, "the deadline");
        assert_eq!(guard.asked(), 0);
        for name in ["hangs", "guard"] {
            let failures = format!("koigate_backend_failures_total backend={name} kind=timeout");
            gateway.counts(&failures, 1.0).await;
        }
        let line = gateway.line_of(&after.response).await;
        assert!(line.contains("hangs") && line.contains("guard"), "{line}");
        let timing = after.response.header("server-timing").unwrap();
        assert!(timing.contains("guard;desc=\"failed\""), "{timing}");
    }
}

#[tokio::test]
async fn the_deadline_begins_when_the_body_is_whole() {
    let quick = backend("quick").replies(text("quick").after(100)).starts();
    let gateway = gateway().server("deadline = '600ms'").asks(&quick).starts().await;
    let request = gateway.koipy().request("/onMessage", b"{\"message\": {}}");
    let (head, body) = request.split_at(request.len() - 15);
    let mut wire = gateway.connect().await;
    wire.write(head).await.unwrap();
    wire.drip(body, Duration::from_millis(60)).await.unwrap();
    assert_eq!(wire.answered().await.text(), "quick");
}

#[tokio::test]
async fn a_stage_takes_as_long_as_its_slowest() {
    let slow = |name: &str| backend(name).replies(no_content().after(400)).starts();
    let backends = ["a", "b", "c", "d", "e"].map(slow);
    let gateway = gateway()
        .backends(&backends)
        .chain("onMessage", "[['a', 'b', 'c', 'd', 'e']]")
        .chain("onResult", "['a', 'b', 'c']")
        .starts()
        .await;
    let (_, took) = timed(&gateway).await;
    about(took, 400, "five at once");
    let moments = backends.each_ref().map(|backend| backend.request().at);
    let spread = moments
        .iter()
        .max()
        .unwrap()
        .duration_since(*moments.iter().min().unwrap());
    assert!(
        spread < Duration::from_millis(300),
        "called at the same time: {spread:?}"
    );
    let begun = Instant::now();
    gateway.koipy().fires("onResult", &payload("onResult", 1)).await;
    about(begun.elapsed(), 1_200, "three in a row");
}

#[tokio::test]
async fn the_next_stage_gets_what_remains() {
    let first = backend("first")
        .replies(json_body("{\"addons\": {\"a\": 1}}").after(400))
        .starts();
    let second = hangs("second").set("timeout = '9s'").starts();
    let gateway = gateway()
        .backends([&first, &second])
        .hook("onMessage", "chain = ['first', 'second']\ndeadline = '800ms'")
        .starts()
        .await;
    let (after, took) = timed(&gateway).await;
    about(took, 800, "both stages together");
    assert_eq!(
        after.answer().at("/addons/a"),
        &1_i64.into(),
        "what the first stage brought is kept"
    );
    assert_eq!(second.asked(), 1);
}

#[tokio::test]
async fn many_hooks_wait_beside_each_other() {
    let slow = backend("slow").replies(no_content().after(500)).starts();
    let gateway = gateway().asks(&slow).starts().await;
    let bot = gateway.koipy();
    let begun = Instant::now();
    let answers = futures_util::future::join_all((0..50).map(|_| bot.posts("/onMessage", "{}"))).await;
    assert!(answers.iter().all(|answer| answer.status == 204));
    about(begun.elapsed(), 500, "50 hooks");
}

/// A sheet that would hold other hooks up.
#[tokio::test]
async fn drawing_holds_nobody_up() {
    let big = crate::support::reply::png(3_000, 2_000, [9, 99, 199]);
    let draws = ["a", "b", "c"].map(|name| backend(name).replies(big.clone()).starts());
    let quick = backend("quick").replies(text("quick")).starts();
    let gateway = gateway()
        .server("threads = 1\ndeadline = '15s'")
        .backends(draws.iter().chain([&quick]))
        .chain("onResult", "[['a', 'b', 'c']]")
        .chain("onMessage", "['quick']")
        .starts()
        .await;
    let bot = gateway.koipy();
    let drawing = async {
        let begun = Instant::now();
        let response = bot.posts("/onResult", "{}").await;
        assert_eq!(response.header("content-type"), Some("image/png"));
        begun.elapsed()
    };
    let others = async {
        let mut worst = Duration::ZERO;
        for _ in 0..30 {
            let begun = Instant::now();
            assert_eq!(bot.posts("/onMessage", "{}").await.text(), "quick");
            worst = worst.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        worst
    };
    let (drawing, worst) = tokio::join!(drawing, others);
    assert!(
        worst < (drawing / 2).max(Duration::from_millis(200)),
        "{worst:?} while {drawing:?} were drawn"
    );
}

/// A sheet that can't be ready in time is given up: the first picture passes alone.
#[tokio::test]
async fn a_sheet_that_is_not_ready_at_the_deadline_is_given_up() {
    let big = crate::support::reply::png(4_900, 4_900, [9, 99, 199]);
    let first = backend("first")
        .replies(crate::support::reply::png(7, 7, [1, 2, 3]))
        .starts();
    let draws = ["a", "b", "c"].map(|name| backend(name).replies(big.clone().after(850)).starts());
    let gateway = gateway()
        .backends(draws.iter().chain([&first]))
        .hook("onMessage", "chain = [['first', 'a', 'b', 'c']]\ndeadline = '1s'")
        .starts()
        .await;
    let (after, took) = timed(&gateway).await;
    assert!(took < Duration::from_secs(1) + SLACK, "{took:?}");
    let drawn = image::load_from_memory(&after.response.body).unwrap();
    assert_eq!(
        (drawn.width(), drawn.height()),
        (7, 7),
        "the first picture, alone"
    );
    let dropped = gateway
        .metrics()
        .await
        .sum("koigate_attachments_dropped_total hook=onMessage");
    assert!(dropped >= 1.0, "{dropped}");
}
