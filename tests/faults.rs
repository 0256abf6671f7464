//! Backends that break: what the bot gets all the same, how it is counted, and that nobody else notices.
//!
//! Not every fault is in this file: [`ROWS`] says where each is, and those of callers too.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;

use crate::support::backend::{Backend, backend};
use crate::support::canary::PRIVATE;
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

/// Every hook is one line of the log, however it failed. None holds a part of a body: the document and the replies
/// have a private word, which the gateway of the tests listens for when it ends.
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
    let mut document = payload("onResult", 12);
    document.set("/message/text", PRIVATE);
    let document = document.dumps();
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

/// Less than the five seconds that common servers keep an idle connection (uvicorn).
#[tokio::test]
async fn an_idle_connection_is_given_up_before_a_server_does() {
    let well = backend("well").starts();
    let gateway = gateway().asks(&well).starts().await;
    gateway.koipy().posts("/onMessage", "{}").await;
    let begun = Instant::now();
    assert_eq!(well.open(), 1);
    well.has_open(0).await;
    let idle = begun.elapsed();
    assert!(
        idle > Duration::from_secs(3) && idle < Duration::from_secs(5),
        "{idle:?}"
    );
}

// === where each fault is ===

/// What may go wrong with a backend or a caller, and the tests that let it.
const ROWS: [(&str, &str); 35] = [
    ("no connection: a closed port, no name", "faults::no_connection"),
    ("no connection: SYNs are dropped", "faults::an_unreachable_host"),
    (
        "no answer, by drips, endless interim responses",
        "faults::no_end timing::a_timeout_is_a_total",
    ),
    (
        "an end or a reset before the reply is whole",
        "faults::an_early_end",
    ),
    (
        "a kept connection that closes as it is written to",
        "requests::a_kept_connection_that_turns_out_closed_is_replaced_invisibly \
         requests::connections_closed_while_idle_are_no_failures \
         faults::an_idle_connection_is_given_up_before_a_server_does",
    ),
    ("more than was announced", "faults::odd_replies_are_used"),
    ("what is no HTTP", "faults::broken_http"),
    (
        "interim responses, HTTP/1.0, until close",
        "faults::odd_replies_are_used",
    ),
    (
        "status 600 to 999",
        "faults::odd_replies_are_used verdicts::statuses",
    ),
    (
        "an endless body, one over max_reply, a gzip bomb",
        "faults::too_much heavy::bombs",
    ),
    ("a redirect", "oddities::a_redirect_is_never_followed"),
    (
        "JSON that is broken, deep, or of very many parts",
        "faults::json_that_does_not_parse limits::eight_megabytes_of_small_objects_stay_small heavy::bombs",
    ),
    (
        "texts in GBK, and bytes that are no text",
        "faults::odd_replies_are_used answers::texts_are_joined_in_configured_order",
    ),
    (
        "pictures that are none, and a picture bomb",
        "answers::a_picture_that_can_not_be_decoded_is_left_out faults::odd_replies_are_used heavy::bombs",
    ),
    ("names of files", "answers::file_names_are_rebuilt_safely"),
    (
        "an answer before the request was read",
        "oddities::an_answer_before_the_request_was_read_is_used_if_it_is_whole",
    ),
    (
        "TLS: expired, wrong host, self-signed, an address, a stalled handshake",
        "tls::certificates_are_checked_for_the_host_of_the_url faults::no_connection",
    ),
    (
        "a URL that leads back",
        "edges::a_hook_that_comes_round_is_refused",
    ),
    (
        "more than max_buffered at once",
        "heavy::large_hooks_and_larger_replies callers::a_reply_that_finds_no_room_is_a_failed_call",
    ),
    (
        "a reject while others hang",
        "verdicts::the_first_reject_to_arrive_decides",
    ),
    (
        "failures in a row",
        "backends::after_failures_in_a_row_nobody_is_asked backends::one_trial_call_decides_for_all \
         backends::each_failed_trial_waits_longer",
    ),
    (
        "a backend at max_in_flight",
        "limits::a_backend_at_max_in_flight_is_overloaded_at_once",
    ),
    (
        "all down, all hang, a breaker that flaps, faults at random",
        "backends::a_total_outage_is_not_made_worse backends::whatever_happens_nothing_is_left_over soak::soak",
    ),
    (
        "a request that two readers could read in two ways, or none",
        "strictness::lengths_that_two_readers_could_read_in_two_ways strictness::beginnings_that_are_none \
         strictness::codings_that_two_readers_could_read_in_two_ways strictness::other_lines_that_are_none \
         strictness::chunks_that_two_readers_could_read_in_two_ways",
    ),
    (
        "a head over 32 KiB or 100 lines",
        "strictness::other_lines_that_are_none heavy::fat_heads",
    ),
    (
        "a body over max_body",
        "edges::a_body_over_max_body_is_refused \
         strictness::a_length_that_no_body_has_is_too_large_and_not_waited_for",
    ),
    ("Expect: 100-continue", "edges::a_hundred_continue_comes_once"),
    (
        "a head or a body a byte at a time",
        "edges::a_request_may_arrive_byte_by_byte callers::what_comes_too_slowly_is_closed",
    ),
    (
        "heads that never end",
        "callers::idle_connections_hold_nobody_up heavy::heads_that_never_end",
    ),
    (
        "an answer that nobody takes",
        "callers::an_answer_that_nobody_takes_is_given_up",
    ),
    (
        "a caller who leaves",
        "verdicts::a_caller_who_leaves_cancels_the_calls",
    ),
    (
        "no token, a wrong one, a source that is not allowed",
        "callers::a_token_comes_in_three_forms_and_goes_nowhere callers::only_sources_that_are_allowed_are_heard",
    ),
    (
        "TLS of callers",
        "https::a_handshake_that_stalls_is_ended https::who_speaks_in_the_clear_is_told",
    ),
    (
        "more than max_in_flight hooks",
        "edges::more_than_max_in_flight_is_refused_at_once",
    ),
    (
        "pipelined hooks, and a thousand on one connection",
        "edges::pipelined_requests_are_answered_in_order callers::a_thousand_hooks_on_one_connection",
    ),
];

#[test]
fn every_row_is_a_test() {
    for (row, tests) in ROWS {
        for test in tests.split_whitespace() {
            let (file, name) = test.split_once("::").expect("a file and a test of it");
            let path = format!("{}/tests/{file}.rs", env!("CARGO_MANIFEST_DIR"));
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{row}: {path}: {error}"));
            let (before, _) = text
                .split_once(&format!("fn {name}()"))
                .unwrap_or_else(|| panic!("{row}: no {test}"));
            let attributes = before.rsplit("\n\n").next().unwrap_or_default();
            assert!(attributes.contains("test]"), "{row}: {test} is no test");
        }
    }
}
