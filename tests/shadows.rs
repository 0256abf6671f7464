//! Shadows: what each would have done is compared, counted and remembered, and nothing of it reaches a hook.

use serde_json::Value;

use crate::operator::{check, koigate};
use crate::support::backend::{Backend, Told, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::python::assert_same;
use crate::support::reply::{json_body, no_content, reject, text};
use crate::support::script::script;

const DOCUMENT: &str =
    r#"{"message": {"text": "/test"}, "config": {"token": "canary-82c0"}, "result": {"节点名称": ["a"]}}"#;

/// A gateway that asks `guard` about messages, beside these shadows.
async fn beside(guard: &Backend, shadows: &[Backend]) -> Gateway {
    let names: Vec<String> = shadows
        .iter()
        .map(|shadow| format!("'{}'", shadow.name))
        .collect();
    let hook = format!("chain = ['{}']\nshadow = [{}]", guard.name, names.join(", "));
    gateway()
        .backends([guard])
        .backends(shadows)
        .hook("onMessage", &hook)
        .starts()
        .await
}

fn passes() -> Backend {
    backend("guard").replies(no_content()).starts()
}

async fn would(gateway: &Gateway, shadow: &str, would: &str) {
    let series = format!("koigate_shadow_total hook=onMessage backend={shadow} would={would}");
    gateway.counts(&series, 1.0).await;
    let all = format!("koigate_shadow_total hook=onMessage backend={shadow}");
    gateway.counts(&all, 1.0).await;
}

async fn json(gateway: &Gateway, path: &str) -> Value {
    let response = gateway.admin(path).await;
    assert_eq!(response.status, 200, "{path}: {response:?}");
    serde_json::from_str(&response.text()).unwrap()
}

#[tokio::test]
async fn what_a_shadow_would_have_done_is_counted_and_nothing_else() {
    let document = payload("onMessage", 2);
    let shadows = [
        backend("agrees").replies(no_content()).starts(),
        backend("rejects").rejects(403, "no").starts(),
        backend("changes").sets("/message/text", "another").starts(),
        backend("draws").replies(text("a text")).starts(),
        backend("breaks").replies(script().resets()).starts(),
        backend("down").set("on_failure = 'reject'").never_listens(),
    ];
    let guard = passes();
    let gateway = beside(&guard, &shadows).await;
    let response = gateway.koipy().posts("/onMessage", document.dumps()).await;
    assert_eq!((response.status, response.body.len()), (204, 0), "{response:?}");
    assert!(response.header("server-timing").unwrap().starts_with("guard;"));
    assert!(!response.header("server-timing").unwrap().contains("agrees"));
    let expected = ["agree", "reject", "change", "change", "fail", "fail"];
    for (shadow, expected) in shadows.iter().zip(expected) {
        would(&gateway, &shadow.name, expected).await;
    }
    for shadow in &shadows[..5] {
        assert_same(&shadow.request().document(), &document);
        assert_eq!(shadow.request().hook(), "onMessage");
    }
    // A failure counts for the shadow itself, and for nobody's policy.
    gateway
        .counts("koigate_backend_failures_total backend=down kind=connect", 1.0)
        .await;
    gateway.counts("koigate_fail_open_total", 0.0).await;
    gateway
        .counts("koigate_hooks_total hook=onMessage verdict=continue", 1.0)
        .await;
}

#[tokio::test]
async fn a_refusal_that_a_shadow_would_not_have_given() {
    let guard = backend("guard").rejects(403, "no").starts();
    let shadows = [
        backend("too").replies(reject(420, "not you")).starts(),
        backend("lenient").replies(no_content()).starts(),
    ];
    let gateway = beside(&guard, &shadows).await;
    let response = gateway.koipy().posts("/onMessage", DOCUMENT).await;
    assert_eq!((response.status, &*response.text()), (403, "no"));
    would(&gateway, "too", "agree").await;
    would(&gateway, "lenient", "change").await;
}

/// Nobody waits for a shadow: the hook is answered although it never is, and what was posted is let go.
#[tokio::test]
async fn a_shadow_that_hangs_is_in_nobodys_way() {
    let hangs = |told: Told| {
        told.set("timeout = '1h'\nmax_in_flight = 2")
            .replies(script().stalls())
            .starts()
    };
    let shadow = hangs(backend("hangs"));
    let guard = backend("guard").replies(no_content()).starts();
    let gateway = beside(&guard, std::slice::from_ref(&shadow)).await;
    let document = payload("onMessage", 2_000).dumps();
    for _ in 0..4 {
        let response = gateway.koipy().posts("/onMessage", &document).await;
        assert_eq!(response.status, 204);
    }
    shadow.was_asked(2).await;
    gateway
        .counts("koigate_backend_in_flight backend=hangs", 2.0)
        .await;
    gateway.counts("koigate_buffered_bytes", 0.0).await;
    // Its places are all taken: the others are left out, which says nothing of it.
    gateway
        .counts("koigate_shadow_dropped_total backend=hangs", 2.0)
        .await;
    gateway.counts("koigate_shadow_total", 0.0).await;
    // Nor does its end wait for one.
    gateway.stops().await;
}

/// Shadows have an eighth of `max_buffered` for themselves; what is larger is not sent to them.
#[tokio::test]
async fn a_shadow_is_left_out_where_there_is_no_room() {
    let shadow = backend("new").replies(no_content()).starts();
    let guard = passes();
    let gateway = gateway()
        .server("max_body = '64KiB'\nmax_buffered = '256KiB'")
        .backends([&guard, &shadow])
        .hook("onMessage", "chain = ['guard']\nshadow = ['new']")
        .starts()
        .await;
    let large = format!(r#"{{"message": "{}"}}"#, "x".repeat(40 * 1024));
    assert_eq!(gateway.koipy().posts("/onMessage", large).await.status, 204);
    gateway
        .counts("koigate_shadow_dropped_total hook=onMessage backend=new", 1.0)
        .await;
    assert_eq!((guard.asked(), shadow.asked()), (1, 0));
    assert_eq!(gateway.koipy().posts("/onMessage", DOCUMENT).await.status, 204);
    would(&gateway, "new", "agree").await;
}

#[tokio::test]
async fn guards_and_conditions_hold_for_shadows() {
    let shadow = backend("new")
        .set("hide = ['/config']\nwhen = [{ at = '/result', exists = true }]")
        .replies(no_content())
        .starts();
    let guard = passes();
    let gateway = beside(&guard, std::slice::from_ref(&shadow)).await;
    gateway.koipy().posts("/onMessage", r#"{"message": {}}"#).await;
    gateway
        .counts("koigate_backend_calls_total backend=new verdict=skipped", 1.0)
        .await;
    gateway.koipy().posts("/onMessage", DOCUMENT).await;
    would(&gateway, "new", "agree").await;
    assert!(!shadow.request().document().dumps().contains("canary"));
}

#[tokio::test]
async fn a_report_of_the_last_hooks() {
    let body = r#"{"config": {"token": "canary-82c0!"}, "result": {"倍率": [2]}}"#;
    let shadow = backend("new").replies(json_body(body)).starts();
    let guard = backend("guard")
        .replies(json_body(r#"{"result": {"类型": ["ss"]}}"#))
        .starts();
    let gateway = beside(&guard, std::slice::from_ref(&shadow)).await;
    let answer = gateway.koipy().posts("/onMessage", DOCUMENT).await;
    would(&gateway, "new", "change").await;
    let id = answer.header("x-request-id").unwrap();

    let trace = json(&gateway, &format!("/traces/{id}")).await;
    assert_eq!(trace["calls"].as_array().unwrap().len(), 1, "{trace:#}");
    let seen = &trace["shadows"][0];
    assert_eq!(
        (&seen["backend"], &seen["would"], &seen["different"]),
        (&"new".into(), &"change".into(), &2.into())
    );
    assert_eq!(seen["differences"][0]["at"], "/config/token");
    assert_eq!(seen["differences"][0]["value"], Value::Null, "hidden");
    assert_eq!(seen["differences"][1]["at"], "/result/倍率");

    let report = json(&gateway, "/shadows/new").await;
    assert_eq!((&report["change"], &report["agree"]), (&1.into(), &0.into()));
    assert_eq!(
        (&report["hooks"][0]["id"], &report["hooks"][0]["happened"]),
        (&id.into(), &"continue".into())
    );
    for path in ["/shadows/guard", "/shadows/other", "/shadows/"] {
        assert_eq!(gateway.admin(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_command() {
    let shadow = backend("new").rejects(403, "no").starts();
    let guard = passes();
    let gateway = beside(&guard, std::slice::from_ref(&shadow)).await;
    let admin = format!("http://{}", gateway.admin);
    let run = |name: &str, more: &[&str]| {
        let arguments = ["shadow", name, "--admin", &admin]
            .into_iter()
            .chain(more.iter().copied());
        koigate(&arguments.collect::<Vec<_>>())
    };
    check(
        run("new", &[]),
        0,
        ("no hook is remembered that new was called beside", ""),
    )
    .await;
    let answer = gateway.koipy().posts("/onMessage", DOCUMENT).await;
    would(&gateway, "new", "reject").await;
    let id = answer.header("x-request-id").unwrap();
    let output = check(
        run("new", &[]),
        0,
        ("new  agrees 0, would reject 1, would change 0, fails 0", ""),
    )
    .await;
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains(id) && shown.contains("would refuse what went on"),
        "{shown}"
    );
    check(run("new", &["--json"]), 0, ("\"reject\": 1", "")).await;
    check(run("guard", &[]), 1, ("", "the gateway has no shadow guard")).await;
    check(
        run("../status", &[]),
        1,
        ("", "the gateway has no shadow ../status"),
    )
    .await;
    let arguments = ["traces", id, "--admin", &admin];
    check(koigate(&arguments), 0, ("would refuse what went on", "")).await;
}
