//! Backends that break: what the bot gets all the same, how it is counted, and that nobody else notices.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;

use crate::support::backend::{Backend, backend};
use crate::support::faults::{self, Connection, Fault, Seen};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::payload::payload;
use crate::support::reply::text;
use crate::support::scrape::Metrics;
use crate::support::wire::Response;

/// What a faulty backend has for itself. `timeout` is long enough that a fault which has to be seen at once is not
/// taken for one that runs into it on a busy machine.
const LIMITS: &str = "timeout = '1500ms'\nconnect_timeout = '700ms'";
/// The deadline of every hook here.
const DEADLINE: Duration = Duration::from_secs(4);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

/// The three hooks of a fault: of a backend whose failures pass, of one whose failures refuse, and of one beside
/// them that never fails. What is odd and yet an answer is asked by the third as well, to see its connection.
const HOOKS: [&str; 3] = ["open", "shut", "well"];

/// What this hook of a fault has to be answered.
fn expected(hook: &str, fault: &Fault) -> (u16, Bytes) {
    match &fault.seen {
        Seen::Answer(status, body, _) => (*status, body.clone()),
        Seen::Failure(_) if hook == "shut" => (502, Bytes::from_static(b"sorry")),
        Seen::Failure(_) => (200, Bytes::from_static(b"well")),
    }
}

/// The backends of one fault: one for each hook.
struct Trio([Backend; 3]);

impl Trio {
    fn of(fault: &Fault, index: usize, limits: &str) -> Self {
        let told = |hook: &str| backend(&format!("{hook}{index}")).set(LIMITS).set(limits);
        let shut = told("shut").set("on_failure = 'reject'\nfailure_message = 'sorry'");
        let well = backend(&format!("well{index}")).replies(text("well")).starts();
        Self([fault.befalls(told("open")), fault.befalls(shut), well])
    }

    /// Asked beside the healthy one, or alone where the odd reply is to pass.
    fn joins(&self, setup: Setup, fault: &Fault, index: usize) -> Setup {
        let setup = setup.backends(&self.0);
        let chains = match fault.seen {
            Seen::Failure(_) => [
                format!("[['open{index}', 'well{index}']]"),
                format!("[['well{index}', 'shut{index}']]"),
                format!("['well{index}']"),
            ],
            Seen::Answer(..) => ["open", "shut", "open"].map(|name| format!("['{name}{index}']")),
        };
        let hooks = HOOKS.iter().zip(chains);
        hooks.fold(setup, |setup, (hook, chain)| {
            setup.chain(&format!("{hook}{index}"), &chain)
        })
    }

    /// No connection is left of a failure, and the healthy backend's is kept.
    async fn is_left_well(&self, fault: &Fault) {
        let [open, shut, well] = &self.0;
        match fault.seen {
            Seen::Failure(_) => {
                open.has_open(0).await;
                shut.has_open(0).await;
                assert_eq!(well.opened(), 1, "{}: the healthy connection is kept", fault.what);
            }
            Seen::Answer(_, _, Connection::Kept) => assert_eq!(open.opened(), 1, "{}", fault.what),
            Seen::Answer(_, _, Connection::Dropped) => assert_eq!(open.opened(), 2, "{}", fault.what),
        }
    }
}

/// Runs each fault beside a healthy backend, under both policies, and then the healthy backend alone: all faults
/// at once on one gateway.
async fn check(faults: Vec<Fault>, limits: &str) {
    let trios: Vec<_> = faults
        .iter()
        .enumerate()
        .map(|(index, fault)| Trio::of(fault, index, limits))
        .collect();
    let bare = gateway().server("deadline = '4s'").log("level = 'trace'");
    let rows = trios.iter().zip(&faults).enumerate();
    let setup = rows.fold(bare, |setup, (index, (trio, fault))| {
        trio.joins(setup, fault, index)
    });
    let gateway = setup.starts().await;
    let mut ids = Vec::new();
    for hook in HOOKS {
        let fired = faults
            .iter()
            .enumerate()
            .map(|(index, fault)| fires(&gateway, hook, index, fault));
        for (fault, got) in faults.iter().zip(join_all(fired).await) {
            let shown = format!("{} at {hook}: {got:?}", fault.what);
            assert_eq!((got.status, got.body.clone()), expected(hook, fault), "{shown}");
            ids.push(
                got.header("x-request-id")
                    .expect("every answer has an id")
                    .to_owned(),
            );
        }
        // Losers get a short while, in which they keep their connection from the next hook.
        gateway.counts("koigate_backend_in_flight", 0.0).await;
        gateway.counts("koigate_hooks_in_flight", 0.0).await;
    }
    are_counted(&gateway.metrics().await, &faults);
    for (fault, trio) in faults.iter().zip(&trios) {
        trio.is_left_well(fault).await;
    }
    have_a_line_each(&ids, &gateway.stops().await.log);
}

/// Every hook is one line of the log, however it failed. What no line may hold the gateway of the tests sees to.
fn have_a_line_each(ids: &[String], log: &[String]) {
    for id in ids {
        let lines = log
            .iter()
            .filter(|line| line.contains(" INFO ") && line.contains(id));
        assert_eq!(lines.count(), 1, "{id}");
    }
}

/// Fires one hook of a fault and asserts that it took its time and no more.
async fn fires(gateway: &Gateway, hook: &str, index: usize, fault: &Fault) -> Response {
    let begun = Instant::now();
    let document = payload("onResult", 12).dumps();
    let response = gateway.koipy().posts(&format!("/{hook}{index}"), document).await;
    let took = begun.elapsed();
    assert!(took < DEADLINE + SLACK, "{} took {took:?}", fault.what);
    let early =
        fault.seen == Seen::Failure("timeout") && hook != "well" && took < Duration::from_millis(1_400);
    assert!(!early, "{} ended before its time: {took:?}", fault.what);
    response
}

/// Each hook has failed once, in this one way, but for the one that has only a healthy backend; none by what is odd.
fn are_counted(metrics: &Metrics, faults: &[Fault]) {
    for (index, fault) in faults.iter().enumerate() {
        for hook in HOOKS {
            let hook = format!("{hook}{index}");
            let failures = format!("koigate_backend_failures_total hook={hook}");
            let (kind, failed) = match fault.seen {
                Seen::Failure(kind) => (kind, f64::from(!hook.starts_with("well"))),
                Seen::Answer(..) => ("", 0.0),
            };
            let of_kind = format!("{failures} backend={hook} kind={kind}");
            let open = format!("koigate_fail_open_total hook={hook}");
            let counted = [metrics.sum(&failures), metrics.sum(&of_kind), metrics.sum(&open)];
            let expected = [
                failed,
                failed,
                if hook.starts_with("open") { failed } else { 0.0 },
            ];
            assert!(
                counted == expected,
                "{} is no {:?}: {}",
                fault.what,
                fault.seen,
                metrics.text_about(&hook)
            );
        }
    }
}

#[tokio::test]
async fn an_unreachable_host() {
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
}

#[tokio::test]
async fn no_connection() {
    check(faults::never_connects(), "max_reply = '64KiB'").await;
}

#[tokio::test]
async fn no_end() {
    check(faults::never_ends(), "max_reply = '64KiB'").await;
}

#[tokio::test]
async fn an_early_end() {
    check(faults::ends_early(), "max_reply = '64KiB'").await;
}

#[tokio::test]
async fn broken_http() {
    check(faults::breaks_http(), "max_reply = '64KiB'").await;
}

#[tokio::test]
async fn too_much() {
    check(faults::is_too_much(), "max_reply = '64KiB'").await;
}

#[tokio::test]
async fn json_that_does_not_parse() {
    check(faults::says_nothing_readable(), "max_reply = '2MiB'").await;
}

#[tokio::test]
async fn odd_replies_are_used() {
    let odd = [
        faults::is_framed_oddly(),
        faults::says_too_much(),
        faults::says_something_odd(),
    ];
    check(odd.into_iter().flatten().collect(), "max_reply = '64KiB'").await;
}
