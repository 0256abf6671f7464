//! Backends that fail for longer than one call: when nobody asks them for a while, what is asked again, and which of
//! their replicas is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::support::backend::{Backend, Request, Told, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::koipy::After;
use crate::support::payload::payload;
use crate::support::reply::{json_body, no_content, reject, status};
use crate::support::script::{Script, script};
use crate::support::wire::bounded;

/// What every backend here has: without failure statuses a 503 is a refusal.
const STATUSES: &str = "failure_statuses = ['5xx']";

/// Something that a test turns on and off while backends look at it.
#[derive(Clone)]
struct Switch(Arc<AtomicBool>);

fn switch(is_on: bool) -> Switch {
    Switch(Arc::new(AtomicBool::new(is_on)))
}

impl Switch {
    fn set(&self, is_on: bool) {
        self.0.store(is_on, Ordering::SeqCst);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Answers 503 while this is on.
fn sick_while(told: Told, sick: &Switch) -> Told {
    let sick = sick.clone();
    told.replies_with(move |_| if sick.is_on() { status(503) } else { no_content() })
}

/// Hooks that a service is asked, without the checks.
fn hooks(backend: &Backend) -> Vec<Request> {
    let mut requests = backend.requests();
    requests.retain(|request| request.head.line.starts_with("POST "));
    requests
}

async fn fires(gateway: &Gateway) -> After {
    gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await
}

async fn fires_times(gateway: &Gateway, times: usize) {
    for _ in 0..times {
        fires(gateway).await;
    }
}

/// Fires until something has come to be, a hook at a time.
async fn fires_until(gateway: &Gateway, what: &str, there: impl Fn() -> bool) {
    let firing = async {
        while !there() {
            fires(gateway).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    bounded(what, firing).await;
}

fn calls(verdict: &str) -> String {
    format!("koigate_backend_calls_total hook=onMessage backend=it verdict={verdict}")
}

fn failures(kind: &str) -> String {
    format!("koigate_backend_failures_total hook=onMessage backend=it kind={kind}")
}

const BREAKER_OPEN: &str = "koigate_backend_breaker_open backend=it";
const UP: &str = "koigate_backend_up backend=it";
const RETRIES: &str = "koigate_backend_retries_total hook=onMessage backend=it";

fn lines_with(gateway: &Gateway, part: &str) -> usize {
    gateway.log().iter().filter(|line| line.contains(part)).count()
}

// === the breaker ===

fn breaker(failures: u32, cool_off: &str) -> String {
    format!("{STATUSES}\nbreaker = {{ failures = {failures}, cool_off = '{cool_off}' }}")
}

#[tokio::test]
async fn after_failures_in_a_row_nobody_is_asked() {
    let it = backend("it")
        .replies(status(503))
        .set(&breaker(3, "10m"))
        .set("on_failure = 'reject'\nfailure_message = '稍后再试'")
        .starts();
    let gateway = gateway().asks(&it).starts().await;
    for _ in 0..7 {
        let after = fires(&gateway).await;
        assert_eq!((after.response.status, after.refusal()), (502, "稍后再试"));
    }
    assert_eq!(it.asked(), 3);
    gateway.counts(&calls("failed"), 7.0).await;
    gateway.counts(&failures("status"), 3.0).await;
    gateway.counts(&failures("breaker_open"), 4.0).await;
    gateway.counts(BREAKER_OPEN, 1.0).await;
    gateway
        .logs(&["breaker open", "backend=\"it\"", "seconds=600"])
        .await;
    assert_eq!(lines_with(&gateway, "breaker open:"), 1);
}

/// How a service answers, and whether that opens a breaker.
async fn check_opens(what: &str, script: impl Into<Script>, keys: &str, opens: bool) {
    let it = backend("it")
        .replies(script)
        .set(&breaker(3, "10m"))
        .set(keys)
        .starts();
    let gateway = gateway().asks(&it).starts().await;
    fires_times(&gateway, 5).await;
    assert_eq!(it.asked(), if opens { 3 } else { 5 }, "{what}");
    gateway.counts(BREAKER_OPEN, f64::from(u8::from(opens))).await;
}

#[tokio::test]
async fn failures_open_it_and_verdicts_do_not() {
    check_opens("reset", script().resets(), "", true).await;
    check_opens(
        "hangs",
        script().stalls(),
        "timeout = '100ms'\nconnect_timeout = '100ms'",
        true,
    )
    .await;
    check_opens("no HTTP", script().sends("SSH-2.0\r\n"), "", true).await;
    check_opens("broken JSON", json_body("{"), "", true).await;
    check_opens("JSON", json_body(r#"{"a": 1}"#), "", false).await;
    check_opens("refuses", reject(403, "no"), "", false).await;
    check_opens("ignored", status(302), "", false).await;
}

#[tokio::test]
async fn one_trial_call_decides_for_all() {
    let sick = switch(true);
    let told = backend("it").set(&breaker(2, "300ms"));
    let it = {
        let sick = sick.clone();
        // A trial takes a while, so that the others come while it is out.
        told.replies_with(move |_| {
            if sick.is_on() {
                status(503).into()
            } else {
                no_content().after(400)
            }
        })
        .starts()
    };
    let gateway = gateway().asks(&it).starts().await;
    fires_times(&gateway, 4).await;
    assert_eq!(it.asked(), 2);
    sick.set(false);
    sleep(Duration::from_millis(350)).await;
    join_all((0..10).map(|_| fires(&gateway))).await;
    assert_eq!(it.asked(), 3, "one trial");
    gateway.counts(&failures("breaker_open"), 2.0 + 9.0).await;
    gateway.counts(BREAKER_OPEN, 0.0).await;
    gateway.logs(&["breaker closed", "backend=\"it\""]).await;
    join_all((0..5).map(|_| fires(&gateway))).await;
    assert_eq!(it.asked(), 8);
}

#[tokio::test]
async fn each_failed_trial_waits_longer() {
    let it = backend("it")
        .replies(status(503))
        .set(&breaker(1, "100ms"))
        .starts();
    let gateway = gateway().asks(&it).starts().await;
    fires_until(&gateway, "four tries", || it.asked() == 4).await;
    let requests = it.requests();
    let gaps: Vec<_> = requests.windows(2).map(|two| two[1].at - two[0].at).collect();
    for (gap, least) in gaps.iter().zip([100, 200, 400]) {
        assert!(*gap >= Duration::from_millis(least), "{gaps:?}");
    }
    assert_eq!(
        lines_with(&gateway, "breaker open:"),
        1,
        "a trial that fails is no news"
    );
}

/// The trial is out and hangs when another refuses: it is cut, and says nothing.
#[tokio::test]
async fn a_trial_that_is_cut_gives_its_place_to_the_next() {
    let it = backend("it")
        .replies(script().stalls())
        .on("onPreSend", status(503))
        .set(&breaker(1, "100ms"))
        .starts();
    let guard = backend("guard").rejects(403, "no").starts();
    let gateway = gateway()
        .backends([&it, &guard])
        .chain("onMessage", "[['it', 'guard']]")
        .chain("onPreSend", "['it']")
        .starts()
        .await;
    gateway.koipy().fires("onPreSend", &payload("onPreSend", 0)).await;
    for asked in 2..5 {
        fires_until(&gateway, "a trial", || it.asked() == asked).await;
        gateway.counts("koigate_backend_in_flight backend=it", 0.0).await;
    }
}

/// `timeout` never comes, since the hook's deadline does.
#[tokio::test]
async fn calls_that_the_deadline_cuts_are_failures_too() {
    let it = backend("it")
        .replies(script().stalls())
        .set(&breaker(2, "10m"))
        .starts();
    let gateway = gateway()
        .backends([&it])
        .hook("onMessage", "chain = ['it']\ndeadline = '200ms'")
        .starts()
        .await;
    fires_times(&gateway, 2).await;
    gateway.counts(BREAKER_OPEN, 1.0).await;
    fires_times(&gateway, 3).await;
    assert_eq!(it.asked(), 2);
}

/// A stage before has taken nearly all of the time: that is no fault of the service that has none left.
#[tokio::test]
async fn calls_that_had_little_time_are_none() {
    let slow = backend("slow").replies(no_content().after(1400)).starts();
    let it = backend("it")
        .replies(no_content().after(1000))
        .set(&breaker(1, "10m"))
        .starts();
    let gateway = gateway()
        .backends([&slow, &it])
        .hook("onMessage", "chain = ['slow', 'it']\ndeadline = '2s'")
        .chain("onPreSend", "['it']")
        .starts()
        .await;
    fires_times(&gateway, 2).await;
    gateway.counts("koigate_backend_in_flight", 0.0).await;
    gateway.counts(&failures("timeout"), 2.0).await;
    gateway.counts(BREAKER_OPEN, 0.0).await;
    gateway.koipy().fires("onPreSend", &payload("onPreSend", 0)).await;
    assert_eq!(it.asked(), 3);
}

#[tokio::test]
async fn a_reload_keeps_it_where_it_is_unchanged() {
    let it = backend("it")
        .replies(status(503))
        .set(&breaker(1, "10m"))
        .starts();
    let setup = |more: &str| {
        gateway()
            .asks(&it)
            .text()
            .replace("[backends.it]\n", &format!("[backends.it]\n{more}\n"))
    };
    let gateway = gateway().asks(&it).starts().await;
    fires_times(&gateway, 2).await;
    assert_eq!(it.asked(), 1);
    gateway.rewrites(&setup("max_reply = '1MiB'"));
    gateway
        .counts("koigate_config_reloads_total result=success", 1.0)
        .await;
    gateway.counts(BREAKER_OPEN, 1.0).await;
    fires(&gateway).await;
    assert_eq!(it.asked(), 1);
    // Another rule is another breaker.
    gateway.rewrites(&setup("").replace("failures = 1", "failures = 9"));
    gateway
        .counts("koigate_config_reloads_total result=success", 2.0)
        .await;
    gateway.counts(BREAKER_OPEN, 0.0).await;
    fires(&gateway).await;
    assert_eq!(it.asked(), 2);
}

// === retries ===

/// Fails as told the first time that it is asked, and never again.
fn at_first(script: Script) -> impl Fn(&Request) -> Script + Send + Sync {
    let first = switch(true);
    move |_| {
        if first.0.swap(false, Ordering::SeqCst) {
            script.clone()
        } else {
            no_content().into()
        }
    }
}

/// A service that fails so at first is asked so often for one hook, whose call ends so.
async fn check_retries(what: &str, script: impl Into<Script>, keys: &str, (asked, verdict): (usize, &str)) {
    let it = backend("it")
        .replies_with(at_first(script.into()))
        .set(STATUSES)
        .set(keys)
        .starts();
    let gateway = gateway().asks(&it).starts().await;
    fires(&gateway).await;
    assert_eq!(it.asked(), asked, "{what}");
    gateway.counts(&calls(verdict), 1.0).await;
    gateway.counts("koigate_backend_calls_total", 1.0).await;
    gateway.counts(RETRIES, asked as f64 - 1.0).await;
    let keys: Vec<_> = it.requests();
    let keys: Vec<_> = keys
        .iter()
        .map(|request| request.head.value("idempotency-key"))
        .collect();
    assert!(
        keys[0].is_some() && keys.iter().all(|key| *key == keys[0]),
        "{what}"
    );
}

#[tokio::test]
async fn what_is_tried_again() {
    let twice = "retries = 1";
    check_retries("a status", status(503), twice, (2, "continue")).await;
    check_retries(
        "hangs",
        script().stalls(),
        &format!("{twice}\ntimeout = '600ms'\nconnect_timeout = '600ms'"),
        (2, "continue"),
    )
    .await;
    check_retries(
        "drips",
        script().drips("HTTP/1.1 204 No Content\r\n", 200),
        &format!("{twice}\ntimeout = '600ms'\nconnect_timeout = '600ms'"),
        (2, "continue"),
    )
    .await;
    check_retries("a status, not so configured", status(503), "", (1, "failed")).await;
    check_retries("a refusal", reject(403, "no"), twice, (1, "reject")).await;
    check_retries("no failure status", status(404), twice, (1, "reject")).await;
    check_retries("ignored", status(302), twice, (1, "ignored")).await;
    check_retries("reset", script().resets(), twice, (1, "failed")).await;
    check_retries("broken JSON", json_body("{"), twice, (1, "failed")).await;
    check_retries("no HTTP", script().sends("SSH-2.0\r\n"), twice, (1, "failed")).await;
}

#[tokio::test]
async fn as_often_as_configured_and_no_longer_than_timeout() {
    let it = backend("it")
        .replies(status(503))
        .set(STATUSES)
        .set("retries = 3")
        .starts();
    let gone = backend("gone").set("retries = 3").never_listens();
    let hangs = backend("hangs")
        .replies(script().stalls())
        .set("retries = 3\ntimeout = '800ms'\nconnect_timeout = '800ms'")
        .starts();
    let gateway = gateway().asks_at_once(&[&it, &gone, &hangs]).starts().await;
    let begun = Instant::now();
    fires(&gateway).await;
    assert!(begun.elapsed() >= Duration::from_millis(800));
    assert_eq!((it.asked(), hangs.asked()), (4, 4));
    for (backend, kind) in [("it", "status"), ("gone", "connect"), ("hangs", "timeout")] {
        let series = format!("koigate_backend_failures_total hook=onMessage backend={backend}");
        gateway.counts(&format!("{series} kind={kind}"), 1.0).await;
        let series = format!("koigate_backend_retries_total hook=onMessage backend={backend}");
        gateway.counts(&series, 3.0).await;
    }
    let gaps: Vec<_> = hangs
        .requests()
        .windows(2)
        .map(|two| two[1].at - two[0].at)
        .collect();
    assert!(
        gaps.iter().all(|gap| *gap >= Duration::from_millis(150)),
        "equal shares: {gaps:?}"
    );
}

#[tokio::test]
async fn a_total_outage_is_not_made_worse() {
    let it = backend("it")
        .replies(status(503))
        .set(STATUSES)
        .set("retries = 10")
        .starts();
    let gateway = gateway().asks(&it).starts().await;
    for _ in 0..10 {
        join_all((0..10).map(|_| fires(&gateway))).await;
    }
    let asked = it.asked();
    assert!((110..=120).contains(&asked), "asked {asked} times for 100 calls");
    gateway.counts(&calls("failed"), 100.0).await;
    gateway.counts(RETRIES, asked as f64 - 100.0).await;
}

/// Nobody would read what a retry brings.
#[tokio::test]
async fn nothing_is_tried_again_once_the_hook_is_answered() {
    let it = backend("it")
        .replies(status(503).after(150))
        .set(STATUSES)
        .set("retries = 3\nalways_finish = true")
        .starts();
    let guard = backend("guard").rejects(403, "no").starts();
    let gateway = gateway().asks_at_once(&[&it, &guard]).starts().await;
    fires(&gateway).await;
    it.was_asked(1).await;
    gateway.counts("koigate_backend_in_flight", 0.0).await;
    assert_eq!(it.asked(), 1);
    gateway.counts(RETRIES, 0.0).await;
}

/// A kept connection that turns out to be closed is no try.
#[tokio::test]
async fn a_stale_connection_costs_no_retry() {
    let it = backend("it")
        .replies_with(|request| {
            let reply = Script::from(no_content());
            // It says nothing of closing, and does after the first.
            if request.earlier == 0 {
                reply.closes()
            } else {
                reply
            }
        })
        .set("retries = 2")
        .starts();
    let gateway = gateway().asks(&it).starts().await;
    fires_times(&gateway, 5).await;
    gateway.counts(&calls("continue"), 5.0).await;
    gateway.counts(RETRIES, 0.0).await;
}

// === replicas ===

/// A gateway whose backend `it` has these replicas.
fn over(replicas: &[&Backend], keys: &str) -> Setup {
    gateway()
        .replicas("it", replicas, &format!("{STATUSES}\n{keys}"))
        .chain("onMessage", "['it']")
}

#[tokio::test]
async fn calls_are_spread_over_replicas() {
    let replicas = [
        backend("a").starts(),
        backend("b").starts(),
        backend("c").starts(),
    ];
    let all: Vec<_> = replicas.iter().collect();
    let gateway = over(&all, "").starts().await;
    fires_times(&gateway, 12).await;
    for replica in &replicas {
        assert_eq!(replica.asked(), 4);
        let host = replica.address.to_string();
        let mut requests = replica.requests().into_iter();
        assert!(requests.all(|request| request.head.value("host") == Some(&*host)));
    }
    gateway
        .counts("koigate_connections_opened_total backend=it", 3.0)
        .await;
}

#[tokio::test]
async fn the_replica_with_the_least_in_flight_is_asked() {
    let hangs = backend("a").replies(no_content().after(1_000)).starts();
    let quick = backend("b").starts();
    let gateway = over(&[&hangs, &quick], "").starts().await;
    let firing = async {
        hangs.was_asked(1).await;
        fires_times(&gateway, 6).await;
        (hangs.asked(), quick.asked())
    };
    let (_, asked) = tokio::join!(fires(&gateway), firing);
    assert_eq!(asked, (1, 6));
}

#[tokio::test]
async fn a_replica_that_was_killed_fails_one_hook_at_most_and_comes_back() {
    let (first, second) = (backend("a").starts(), backend("b").starts());
    let gateway = over(&[&first, &second], "").starts().await;
    fires_times(&gateway, 4).await;
    let address = first.address;
    drop(first);
    // Longer than it is left out at first, so that it is tried again meanwhile.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        fires(&gateway).await;
        sleep(Duration::from_millis(20)).await;
    }
    let failed = gateway.metrics().await.value(&failures("connect"));
    assert!(failed <= 1.0, "{failed} hooks failed");
    gateway
        .logs(&["replica ejected", "backend=\"it\"", "replica=1"])
        .await;
    let again = backend("a").starts_at(address);
    fires_until(&gateway, "the replica's return", || again.asked() > 2).await;
    gateway
        .logs(&["replica back", "backend=\"it\"", "replica=1"])
        .await;
    assert_eq!(
        lines_with(&gateway, &address.to_string()),
        0,
        "no address in the log"
    );
}

#[tokio::test]
async fn a_retry_asks_another_replica() {
    let sick = backend("a").replies(status(503)).starts();
    let well = backend("b").starts();
    let gone = backend("c").never_listens();
    let gateway = over(&[&gone, &sick, &well], "retries = 2").starts().await;
    fires_times(&gateway, 10).await;
    gateway.counts(&calls("continue"), 10.0).await;
    // It is left out after its third failure.
    assert_eq!(sick.asked(), 3);
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.value(RETRIES),
        4.0,
        "one for the one that is gone, three for the sick"
    );
}

#[tokio::test]
async fn a_replica_that_hangs_takes_its_share_of_the_time() {
    let hangs = backend("a").replies(script().stalls()).starts();
    let well = backend("b").starts();
    let gateway = over(&[&hangs, &well], "retries = 1\ntimeout = '1s'")
        .starts()
        .await;
    fires_times(&gateway, 8).await;
    gateway.counts(&calls("continue"), 8.0).await;
    assert_eq!(hangs.asked(), 3);
}

#[tokio::test]
async fn where_all_replicas_are_sick_they_are_asked_all_the_same() {
    let sick = switch(true);
    let replicas = [
        sick_while(backend("a"), &sick).starts(),
        sick_while(backend("b"), &sick).starts(),
    ];
    let gateway = over(&[&replicas[0], &replicas[1]], "").starts().await;
    fires_times(&gateway, 12).await;
    gateway.counts(&failures("status"), 12.0).await;
    assert_eq!(replicas.iter().map(Backend::asked).collect::<Vec<_>>(), [6, 6]);
    sick.set(false);
    fires_times(&gateway, 6).await;
    gateway.counts(&calls("continue"), 6.0).await;
}

#[tokio::test]
async fn a_reload_keeps_what_is_known_of_replicas() {
    let (gone, well) = (backend("a").never_listens(), backend("b").starts());
    let gateway = over(&[&gone, &well], "").starts().await;
    fires_times(&gateway, 3).await;
    gateway.counts(&failures("connect"), 1.0).await;
    let more = backend("c").starts();
    gateway.rewrites(&over(&[&more, &gone, &well], "").text());
    gateway
        .counts("koigate_config_reloads_total result=success", 1.0)
        .await;
    fires_times(&gateway, 4).await;
    assert!(more.asked() == 2 && well.asked() >= 4);
    gateway.counts(&failures("connect"), 1.0).await;
}

// === active checks ===

const CHECK: &str = "health = { path = '/healthz?deep=1', interval = '100ms' }";

/// Answers checks with 500 while this is on, and hooks always with 204.
fn fails_checks_while(told: Told, sick: &Switch) -> Told {
    let sick = sick.clone();
    told.replies_with(move |request| match request.head.line.starts_with("GET ") {
        true if sick.is_on() => status(500),
        true => status(404),
        false => no_content(),
    })
}

#[tokio::test]
async fn a_check_takes_a_replica_out_and_brings_it_back() {
    let sick = switch(false);
    let checked = fails_checks_while(backend("a"), &sick).starts();
    let other = backend("b").starts();
    let gateway = over(
        &[&checked, &other],
        &format!("{CHECK}\nheaders = {{ Authorization = 'Bearer x' }}"),
    )
    .starts()
    .await;
    fires_times(&gateway, 4).await;
    assert_eq!(hooks(&checked).len(), 2);
    sick.set(true);
    gateway
        .logs(&["replica down", "backend=\"it\"", "replica=1", "status 500"])
        .await;
    fires_times(&gateway, 6).await;
    assert_eq!(hooks(&checked).len(), 2);
    gateway.counts(UP, 1.0).await;
    sick.set(false);
    gateway.logs(&["replica up", "backend=\"it\"", "replica=1"]).await;
    fires_times(&gateway, 6).await;
    assert_eq!(hooks(&checked).len(), 5);
    let requests = checked.requests();
    let check = requests
        .iter()
        .find(|request| request.hook().is_empty())
        .expect("a check");
    assert_eq!(check.head.line, "GET /healthz?deep=1 HTTP/1.1");
    assert_eq!(check.head.value("host"), Some(&*checked.address.to_string()));
    assert_eq!(check.head.value("authorization"), Some("Bearer x"));
}

#[tokio::test]
async fn a_backend_whose_checks_fail_is_down_and_asked_all_the_same() {
    let sick = switch(true);
    let it = fails_checks_while(backend("it"), &sick).set(CHECK).starts();
    let gateway = gateway().asks(&it).starts().await;
    gateway.counts(UP, 0.0).await;
    fires_times(&gateway, 3).await;
    gateway.counts(&calls("continue"), 3.0).await;
    sick.set(false);
    gateway.counts(UP, 1.0).await;
    // Checks take nothing from the calls.
    gateway
        .counts("koigate_connections_opened_total backend=it", 1.0)
        .await;
}

#[tokio::test]
async fn checks_end_with_their_backend_and_go_on_over_other_changes() {
    let sick = switch(true);
    let it = fails_checks_while(backend("it"), &sick).set(CHECK).starts();
    let other = backend("other").starts();
    let gateway = gateway().asks(&it).starts().await;
    gateway.counts(UP, 0.0).await;
    gateway.rewrites(&gateway_of(&it, &other).text());
    gateway
        .counts("koigate_config_reloads_total result=success", 1.0)
        .await;
    gateway.counts(UP, 0.0).await;
    assert_eq!(lines_with(&gateway, "replica down"), 1, "nothing was forgotten");
    let asked = it.asked();
    it.was_asked(asked + 3).await;
    gateway.rewrites(&self::gateway().asks(&other).text());
    gateway
        .counts("koigate_config_reloads_total result=success", 2.0)
        .await;
    sleep(Duration::from_millis(150)).await;
    let asked = it.asked();
    sleep(Duration::from_millis(400)).await;
    assert_eq!(it.asked(), asked, "nobody checks it any more");
    assert_eq!(gateway.metrics().await.find(UP), None);
}

/// The same backend, and another beside it.
fn gateway_of(it: &Backend, other: &Backend) -> Setup {
    gateway().asks(it).backends([other])
}

// === what is shown ===

async fn backend_in_status(gateway: &Gateway) -> serde_json::Value {
    let response = gateway.admin("/status").await;
    let status: serde_json::Value = serde_json::from_str(&response.text()).expect("JSON");
    status["backends"][0].clone()
}

#[tokio::test]
async fn the_status_shows_breaker_and_replicas() {
    let (sick, gone) = (
        backend("a").replies(status(503)).starts(),
        backend("b").never_listens(),
    );
    let keys = "retries = 1\nbreaker = { failures = 1, cool_off = '10m' }";
    let gateway = over(&[&sick, &gone], keys).starts().await;
    let before = backend_in_status(&gateway).await;
    assert_eq!(before["breaker"], "closed");
    assert_eq!(before["replicas"].as_array().map(Vec::len), Some(2));
    let after_one = async {
        fires(&gateway).await;
        backend_in_status(&gateway).await
    };
    let after = after_one.await;
    assert_eq!((&after["breaker"], &after["up"]), (&"open".into(), &true.into()));
    let url = |backend: &Backend| serde_json::json!(format!("http://{}/{{hook}}", backend.address));
    for (replica, (backend, ejected, idle)) in [(&sick, false, 1), (&gone, true, 0)].into_iter().enumerate() {
        let shown = &after["replicas"][replica];
        let expected = serde_json::json!({
            "url": url(backend), "in_flight": 0, "idle_connections": idle, "up": true, "ejected": ejected
        });
        assert_eq!(*shown, expected);
    }
}

// === all at once ===

/// A service that does something else each time: answers, fails, hangs, resets, or sends nonsense.
fn whimsical(name: &str) -> Backend {
    let turn = std::sync::atomic::AtomicUsize::new(name.len());
    backend(name)
        .replies_with(move |_| match turn.fetch_add(1, Ordering::Relaxed) % 9 {
            0 | 3 | 4 => Script::from(no_content()),
            1 => Script::from(status(503)),
            2 => script().resets(),
            5 => script().stalls(),
            6 => script().sends("HTTP/1.1 2").closes(),
            7 => Script::from(json_body("{")),
            _ => Script::from(reject(403, "no")).after(30),
        })
        .starts()
}

#[tokio::test]
async fn whatever_happens_nothing_is_left_over() {
    let services = ["a", "bb", "ccc", "dddd"].map(whimsical);
    let gone = backend("gone").never_listens();
    let keys = format!(
        "{STATUSES}\ntimeout = '150ms'\nconnect_timeout = '100ms'\nmax_in_flight = 12\nretries = 2\n\
         breaker = {{ failures = 3, cool_off = '20ms' }}\nhealth = {{ interval = '100ms' }}"
    );
    let gateway = gateway()
        .replicas("it", &[&services[0], &services[1], &gone], &keys)
        .replicas("other", &[&services[2]], &keys)
        .replicas("last", &[&services[3]], &format!("{keys}\nalways_finish = true"))
        .hook(
            "onMessage",
            "chain = [['it', 'other'], 'last']\ndeadline = '250ms'",
        )
        .starts()
        .await;
    let before = gateway.descriptors();
    for _ in 0..12 {
        join_all((0..25).map(|_| fires(&gateway))).await;
    }
    gateway.counts("koigate_hooks_in_flight", 0.0).await;
    gateway.counts("koigate_backend_in_flight", 0.0).await;
    // What was kept is closed after four seconds without a call.
    let settles = async {
        while gateway.descriptors() > before + 8 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    bounded("descriptors to be closed", settles).await;
    // And all of it still works.
    let opened = gateway.metrics().await.value(&failures("breaker_open"));
    assert!(opened > 0.0, "the breaker flapped");
    fires_until(&gateway, "another call", || services[0].asked() > 0).await;
    assert!(gateway.log().iter().all(|line| !line.contains("panicked")));
}
