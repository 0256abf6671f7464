//! Conditions: who is not asked, what the operator sees of that, and what a document that can't be tested means.

use crate::support::backend::{Backend, Told, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::{Keys, payload, payload_with};
use crate::support::python::Value;

/// A backend that refuses whatever it is asked, under these conditions.
fn guard(name: &str, conditions: &str) -> Told {
    backend(name)
        .set(&format!("on_failure = 'continue'\nwhen = [{conditions}]"))
        .rejects(403, "no")
}

/// Whether the guard is asked about this document.
async fn is_asked(conditions: &str, document: &Value) -> bool {
    let guard = guard("guard", conditions).starts();
    let gateway = gateway().asks(&guard).starts().await;
    let after = gateway.koipy().fires("onMessage", document).await;
    let expected = if guard.asked() == 1 { 403 } else { 204 };
    assert_eq!(after.response.status, expected, "{conditions}");
    guard.asked() == 1
}

#[tokio::test]
async fn a_backend_is_asked_where_all_conditions_hold() {
    let mut document = payload_with("onMessage", 12, Keys::Kebab);
    document.set("/message/chat/id", -1_001_987_654_321_i64);
    document.set("/message/chat/type", "supergroup");
    document.set("/message/text", "/test https://a.example/sub");
    let here = "{ at = '/message/chat/id', in = [-1001, -1001987654321] }";
    let elsewhere = "{ at = '/message/chat/id', in = [-1001987654322] }";
    let spelled = "{ at = '/message/from_user/id', exists = true }";
    let command = "{ at = '/message/text', matches = '^/test\\b' }";
    let nobody = "{ at = '/message/nobody', not_in = [1] }";
    let private = "{ at = '/message/chat/type', eq = 'private' }";
    for (conditions, expected) in [
        (String::new(), true),
        (here.to_owned(), true),
        (elsewhere.to_owned(), false),
        (format!("{here}, {spelled}, {command}, {nobody}"), true),
        (format!("{here}, {private}"), false),
        (private.to_owned(), false),
        ("{ at = '/message/text', matches = '^/speed' }".to_owned(), false),
        (
            "{ at = '/slaveRequest/proxies/*', exists = false }".to_owned(),
            true,
        ),
    ] {
        assert_eq!(is_asked(&conditions, &document).await, expected, "{conditions}");
    }
}

/// Two stages: the second has conditions that depend on what the first has made of the document.
#[tokio::test]
async fn conditions_see_what_earlier_stages_have_changed() {
    let vip = backend("vip").sets("/addons/vip", true).starts();
    let for_vips = backend("for_vips")
        .set("when = [{ at = '/addons/vip', eq = true }]")
        .starts();
    let for_others = guard("for_others", "{ at = '/addons/vip', exists = false }").starts();
    let gateway = gateway()
        .backends([&vip, &for_vips, &for_others])
        .chain("onMessage", "['vip', ['for_vips', 'for_others']]")
        .chain("onPreSend", "[['vip', 'for_vips', 'for_others']]")
        .starts()
        .await;
    gateway
        .koipy()
        .fires("onMessage", &payload("onMessage", 12))
        .await;
    assert_eq!((for_vips.asked(), for_others.asked()), (1, 0));
    // In one stage nobody sees what the others change.
    let after = gateway
        .koipy()
        .fires("onPreSend", &payload("onPreSend", 12))
        .await;
    assert_eq!(after.refusal(), "no");
    assert_eq!((for_vips.asked(), for_others.asked()), (1, 1));
}

async fn skips(gateway: &Gateway, guard: &Backend) {
    let skipped = format!(
        "koigate_backend_calls_total hook=onMessage backend={} verdict=skipped",
        guard.name
    );
    gateway.counts(&skipped, 1.0).await;
}

#[tokio::test]
async fn who_is_skipped_is_seen_to_be() {
    let guard = guard("guard", "{ at = '/message/chat/id', eq = 5 }").starts();
    let gateway = gateway().asks(&guard).starts().await;
    let after = gateway
        .koipy()
        .fires("onMessage", &payload("onMessage", 12))
        .await;
    let timing = after
        .response
        .header("server-timing")
        .expect("an entry for each backend");
    assert!(timing.contains("guard;desc=\"skipped\";dur=0.0"), "{timing}");
    let line = gateway.line_of(&after.response).await;
    assert!(line.contains("guard=skipped/0"), "{line}");
    skips(&gateway, &guard).await;
    let metrics = gateway.metrics().await;
    let label = "hook=onMessage backend=guard";
    // No call was made, so that none is timed.
    assert_eq!(
        metrics.value(&format!("koigate_backend_call_duration_seconds_count {label}")),
        0.0
    );
    assert_eq!(metrics.sum("koigate_backend_failures_total"), 0.0);
}

/// Nothing can be tested in what is no JSON: the call fails by its policy, and nobody is sent anything where that
/// refuses.
#[tokio::test]
async fn a_document_that_does_not_parse_fails_the_call() {
    for (policy, status, others) in [("continue", 204, 1), ("reject", 502, 0)] {
        let set = format!("on_failure = '{policy}'\nwhen = [{{ at = '/message', exists = true }}]");
        let guard = backend("guard").set(&set).starts();
        let other = backend("other").starts();
        let gateway = gateway().asks_at_once(&[&other, &guard]).starts().await;
        let response = gateway.koipy().posts("/onMessage", "{\"message\": {}").await;
        assert_eq!(response.status, status, "{policy}");
        assert_eq!((guard.asked(), other.asked()), (0, others), "{policy}");
        let failed = "koigate_backend_failures_total hook=onMessage backend=guard kind=condition";
        gateway.counts(failed, 1.0).await;
    }
}

/// A document of a megabyte is looked into off the thread, and is decided the same.
#[tokio::test]
async fn conditions_on_a_large_document() {
    let document = payload("onResult", 3_000);
    assert!(document.dumps().len() > 512 * 1024);
    let yes = guard("yes", "{ at = '/slaveRequest/proxies/*/type', exists = true }").starts();
    let no = guard("no", "{ at = '/result/节点名称/*', eq = 'no such node' }").starts();
    let gateway = gateway().asks_at_once(&[&no, &yes]).starts().await;
    let after = gateway.koipy().fires("onResult", &document).await;
    assert_eq!(after.refusal(), "no");
    assert_eq!((yes.asked(), no.asked()), (1, 0));
}
