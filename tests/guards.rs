//! What a backend may see, change and say, over the real program: what it is not sent it never gets, what it may
//! not do is not done, and nobody who reads a log or a metric learns what was hidden.

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::{Keys, payload, payload_with};
use crate::support::python::{Spelling, Value, assert_same, json};
use crate::support::reply::{document, png, text};

/// Stands in every place that is hidden, and nowhere else.
const CANARY: &str = "pr1vate-5381-of-guards";

const HIDES: &str = "hide = ['/config', '/slaveRequest/proxies/*/password', '/message/from_user/first-name']";

/// A document whose hidden places hold the canary.
fn with_canaries() -> Value {
    let mut document = payload("onResult", 12);
    document.set("/config/canary", CANARY);
    document.set("/slaveRequest/proxies/7/password", CANARY);
    document.set("/message/from-user/first-name", CANARY);
    document
}

/// That a backend was asked, and what was hidden was in none of it.
fn assert_blind(backend: &Backend) {
    let requests = backend.requests();
    assert!(!requests.is_empty(), "it was asked");
    for request in requests {
        let sent = request.document();
        assert!(sent.find("/config").is_none());
        assert!(!sent.dumps().contains(CANARY), "{}", sent.dumps());
    }
}

/// That the canary is in no metric and in no line of the log, at any level.
async fn assert_silent(gateway: Gateway) {
    let metrics = gateway.admin("/metrics").await;
    assert!(!metrics.text().contains(CANARY));
    let log = gateway.stops().await.log;
    assert!(log.iter().all(|line| !line.contains(CANARY)), "{log:#?}");
}

#[tokio::test]
async fn what_is_hidden_is_never_sent_and_always_there() {
    let base = with_canaries();
    for spelling in [Spelling::Python, Spelling::Flask, Spelling::Node] {
        let rates = |document: &mut Value| {
            document.set("/result/评分", 5_i64);
        };
        let stranger = backend("stranger").echoes_as(spelling, rates).set(HIDES).starts();
        let friend = backend("friend").echoes(|_| {}).starts();
        let gateway = gateway()
            .log("level = 'trace'")
            .asks_at_once(&[&stranger, &friend])
            .starts()
            .await;
        let after = gateway.koipy().fires("onResult", &base).await;
        let mut expected = base.clone();
        expected.set("/result/评分", 5_i64);
        assert_same(&after.answer(), &expected);
        assert_blind(&stranger);
        assert_same(&friend.request().document(), &base);
        gateway
            .counts("koigate_edits_denied_total hook=onResult backend=stranger", 0.0)
            .await;
        assert_silent(gateway).await;
    }
}

/// It tries everything: new values for what it was not sent, the array whose elements it can't tell apart, all of
/// what is around them.
#[tokio::test]
async fn what_is_hidden_can_not_be_edited() {
    let base = with_canaries();
    let tries = |document: &mut Value| {
        document.set("/config", json(r#"{"bot": null}"#));
        document.set("/slaveRequest/proxies/0/password", "mine");
        document.set("/message/from-user/first_name", "mine");
        document.set("/message/text", "allowed");
    };
    let stranger = backend("stranger").echoes(tries).set(HIDES).starts();
    let gateway = gateway().asks(&stranger).starts().await;
    let after = gateway.koipy().fires("onResult", &base).await;
    let mut expected = base.clone();
    expected.set("/message/text", "allowed");
    assert_same(&after.answer(), &expected);
    gateway
        .counts("koigate_edits_denied_total hook=onResult backend=stranger", 3.0)
        .await;
    gateway
        .counts("koigate_edits_total hook=onResult backend=stranger", 1.0)
        .await;
    for place in [
        "/config",
        "/slaveRequest/proxies/0/password",
        "/message/from-user/first_name",
    ] {
        let line = gateway.logs(&["an edit was denied", place]).await;
        assert!(line.contains("stranger") && !line.contains("mine"), "{line}");
    }
    assert_silent(gateway).await;
}

#[tokio::test]
async fn only_what_is_shown_is_sent() {
    let base = with_canaries();
    let adds = document(&json(
        r#"{"result": {"评分": [1]}, "config": {}, "slaveRequest": null}"#,
    ));
    let stranger = backend("stranger")
        .replies(adds)
        .set("show = ['/result/节点名称']")
        .starts();
    let gateway = gateway().asks(&stranger).starts().await;
    let after = gateway.koipy().fires("onResult", &base).await;
    let sent = stranger.request().document();
    assert_eq!(
        (sent.keys(), sent.at("/result").keys()),
        (vec!["result".to_owned()], vec!["节点名称".to_owned()])
    );
    assert_same(sent.at("/result/节点名称"), base.at("/result/节点名称"));
    let mut expected = base.clone();
    expected.set("/result/评分", json("[1]"));
    assert_same(&after.answer(), &expected);
    gateway
        .counts("koigate_edits_denied_total hook=onResult backend=stranger", 2.0)
        .await;
}

#[tokio::test]
async fn edits_outside_of_may_change_are_dropped_of_the_only_backend_too() {
    let base = payload("onPreSend", 12);
    let edits = |document: &mut Value| {
        document.set("/slaveRequest/runtime/speedNodes", 3_i64);
        document.set("/slaveRequest/task/name", "mine");
        document.set("/addons/mine", 1_i64);
    };
    let router = backend("router")
        .echoes(edits)
        .set("may_change = ['/slaveRequest/runtime']")
        .starts();
    let gateway = gateway().asks(&router).starts().await;
    let after = gateway.koipy().fires("onPreSend", &base).await;
    let mut expected = base.clone();
    expected.set("/slaveRequest/runtime/speedNodes", 3_i64);
    assert_same(&after.answer(), &expected);
    gateway
        .counts("koigate_edits_denied_total hook=onPreSend backend=router", 2.0)
        .await;
    let line = gateway
        .logs(&["an edit was denied", "/slaveRequest/task/name"])
        .await;
    assert!(!line.contains("mine"), "{line}");
}

#[tokio::test]
async fn a_backend_says_what_it_may() {
    let base = payload("onMessage", 0);
    for (may, script, goes_on, verdict) in [
        ("json", backend("poster").rejects(403, "no"), true, "ignored"),
        ("reject", backend("poster").rejects(403, "no"), false, "reject"),
        ("reject", backend("poster").replies(text("hi")), true, "continue"),
        (
            "text",
            backend("poster").replies(png(8, 8, [1, 2, 3])),
            true,
            "continue",
        ),
    ] {
        let poster = script.set(&format!("may = ['{may}']")).starts();
        let gateway = gateway().asks(&poster).starts().await;
        let after = gateway.koipy().fires("onMessage", &base).await;
        assert_eq!(after.response.status, if goes_on { 204 } else { 403 }, "{may}");
        let denied = if goes_on { 1.0 } else { 0.0 };
        for (series, expected) in [
            (
                "koigate_attachments_denied_total hook=onMessage backend=poster".to_owned(),
                denied,
            ),
            (
                format!("koigate_backend_calls_total hook=onMessage backend=poster verdict={verdict}"),
                1.0,
            ),
        ] {
            gateway.counts(&series, expected).await;
        }
        if goes_on {
            let line = gateway
                .logs(&["a backend answered what it may not", "poster"])
                .await;
            assert!(!line.contains("hi"), "{line}");
        }
    }
}

#[tokio::test]
async fn keys_are_spelled_as_a_service_expects_them() {
    for (bot, keys, sent, back) in [
        (Keys::Kebab, "snake", "from_user", "/message/from-user/id"),
        (Keys::Snake, "kebab", "from-user", "/message/from_user/id"),
    ] {
        let base = payload_with("onResult", 12, bot);
        let edits = move |document: &mut Value| {
            document.set(&format!("/message/{sent}/id"), 7_i64);
        };
        let service = backend("service")
            .echoes(edits)
            .set(&format!("keys = '{keys}'"))
            .starts();
        let gateway = gateway().asks(&service).starts().await;
        let after = gateway.koipy().fires("onResult", &base).await;
        assert!(
            service
                .request()
                .document()
                .find(&format!("/message/{sent}"))
                .is_some()
        );
        assert_eq!(service.request().body.len(), base.dumps().len());
        let mut expected = base.clone();
        expected.set(back, 7_i64);
        assert_same(&after.answer(), &expected);
    }
}

/// A document that can't be read is never sent where something of it should be hidden.
#[tokio::test]
async fn what_can_not_be_read_is_not_sent() {
    let broken = format!("{{\"config\": \"{CANARY}\"");
    for (policy, status) in [("continue", 204), ("reject", 502)] {
        let lines = format!("{HIDES}\non_failure = '{policy}'");
        let stranger = backend("stranger").set(&lines).starts();
        let friend = backend("friend").starts();
        let gateway = gateway().asks_at_once(&[&stranger, &friend]).starts().await;
        let response = gateway.koipy().posts("/onResult", &broken).await;
        assert_eq!((response.status, stranger.asked()), (status, 0));
        gateway
            .counts(
                "koigate_backend_failures_total hook=onResult backend=stranger kind=condition",
                1.0,
            )
            .await;
        assert_silent(gateway).await;
    }
}
