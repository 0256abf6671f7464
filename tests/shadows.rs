//! Shadows: what each would have done is compared, counted and remembered, and nothing of it reaches a hook.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::operator::{check, koigate};
use crate::support::backend::{Backend, Told, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::payload::payload;
use crate::support::python::assert_same;
use crate::support::reply::{json_body, no_content, reject, text};
use crate::support::script::script;

const DOCUMENT: &str =
    r#"{"message": {"text": "/test"}, "config": {"token": "canary-82c0"}, "result": {"节点名称": ["a"]}}"#;

/// A gateway that asks `guard` about messages, beside these shadows.
async fn beside(guard: &Backend, shadows: &[Backend]) -> Gateway {
    setup(guard, shadows).starts().await
}

fn setup(guard: &Backend, shadows: &[Backend]) -> Setup {
    let names: Vec<String> = shadows
        .iter()
        .map(|shadow| format!("'{}'", shadow.name))
        .collect();
    let hook = format!("chain = ['{}']\nshadow = [{}]", guard.name, names.join(", "));
    gateway()
        .backends([guard])
        .backends(shadows)
        .hook("onMessage", &hook)
}

/// Has what stands between these two changed in the file, and waits for the reload.
async fn reloads(gateway: &Gateway, old: &str, new: &str) {
    let text = fs::read_to_string(gateway.config()).unwrap();
    assert!(text.contains(old), "{old}: {text}");
    gateway.rewrites(&text.replace(old, new));
    let request = "POST /reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let told = gateway.tells(request).await;
    assert_eq!(told.status, 200, "{told:?}");
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

#[tokio::test]
async fn the_status_shows_who_is_a_shadow_and_what_it_would_have_done() {
    let shadows = [
        backend("new").rejects(403, "no").starts(),
        backend("full")
            .set("max_in_flight = 1")
            .replies(script().stalls())
            .starts(),
    ];
    let guard = passes();
    let gateway = beside(&guard, &shadows).await;
    for _ in 0..2 {
        gateway.koipy().posts("/onMessage", DOCUMENT).await;
        shadows[1].was_asked(1).await;
    }
    gateway
        .counts("koigate_shadow_total backend=new would=reject", 2.0)
        .await;
    gateway
        .counts("koigate_shadow_dropped_total backend=full", 1.0)
        .await;
    let status = json(&gateway, "/status").await;
    assert_eq!(status["hooks"], serde_json::json!({"onMessage": [["guard"]]}));
    assert_eq!(
        status["shadows"],
        serde_json::json!({"onMessage": ["new", "full"]})
    );
    let shown = |place: usize| status["backends"][place]["shadow"].clone();
    let counts = |reject: u64, dropped: u64| serde_json::json!({"agree": 0, "reject": reject, "change": 0, "fail": 0, "dropped": dropped});
    assert_eq!(shown(0), Value::Null, "guard has a vote");
    assert_eq!((shown(1), shown(2)), (counts(2, 0), counts(0, 1)));
    let admin = format!("http://{}", gateway.admin);
    let output = check(
        koigate(&["status", "--admin", &admin]),
        0,
        ("beside: new, full", ""),
    )
    .await;
    let table = String::from_utf8(output.stdout).unwrap();
    let row: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("new "))
        .flat_map(str::split_whitespace)
        .collect();
    let marked = ["new", "0", "of", "256", "1", "shadow:"];
    assert_eq!(row[..6], marked, "{table}");
    assert_eq!(row[7..], ["new", "0", "2", "0", "0", "0"], "{table}");
}

// === explain ===

/// A folder of a test's own, gone at its end, with a document and with what `explain` reads.
struct Trial(PathBuf);

impl Trial {
    fn new() -> Self {
        let name = format!("explained-shadows-{:08x}", fastrand::u32(..));
        let trial = Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
        fs::create_dir(&trial.0).unwrap();
        let document = r#"{"config": {"token": "t"}, "result": {"节点名称": ["a"]}}"#;
        fs::write(trial.place("document.json"), document).unwrap();
        trial
    }

    fn place(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// `koigate explain onMessage` with this configuration.
    fn explain(&self, setup: &Setup, more: &[&str]) -> Command {
        let (config, document) = (self.place("koigate.toml"), self.place("document.json"));
        fs::write(&config, setup.text()).unwrap();
        let arguments = ["explain", "onMessage", "-c", &config, "-d", &document];
        koigate(&[&arguments, more].concat())
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn edits() -> Backend {
    backend("guard")
        .set("on_failure = 'reject'")
        .replies(json_body(r#"{"result": {"类型": ["ss"]}}"#))
        .starts()
}

/// One that would do each of the things that a shadow may, and one that is not asked.
fn of_all_kinds() -> [Backend; 5] {
    let changes = json_body(r#"{"result": {"类型": ["ss"], "倍率": [2]}}"#);
    [
        backend("new").set("hide = ['/config']").replies(changes).starts(),
        backend("strict").rejects(403, "no").starts(),
        backend("same").replies(no_content()).starts(),
        backend("never")
            .set("when = [{ at = '/message/text', exists = true }]")
            .starts(),
        backend("down").never_listens(),
    ]
}

#[tokio::test]
async fn explain_says_what_each_shadow_would_have_done() {
    let (trial, guard, shadows) = (Trial::new(), edits(), of_all_kinds());
    let out = trial.place("out");
    let explain = trial.explain(&setup(&guard, &shadows), &["--out", &out]);
    let output = check(explain, 0, ("shadow", "sent-4-same.json")).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    for line in [
        "shadow  new  would change the answer",
        "      added /result/倍率  [2]",
        "      hidden /config",
        "shadow  strict  would refuse what went on",
        "shadow  same  agrees",
        "shadow  never  skipped",
        "shadow  down  fails",
    ] {
        assert!(shown.contains(&format!("\n{line}")), "{line}: {shown}");
    }
    // What the chain adds as well is no difference.
    assert_eq!(
        shown.matches("类型").count(),
        2,
        "its own edit, and the bot's: {shown}"
    );
    let sent = fs::read_to_string(trial.place("out/sent-2-new.json")).unwrap();
    assert!(!sent.contains("token"), "{sent}");
}

/// The bot's side of it is the same, with shadows or without.
#[tokio::test]
async fn explain_changes_nothing_for_shadows() {
    let (trial, guard, shadows) = (Trial::new(), edits(), of_all_kinds());
    let read = async |shadows: &[Backend]| {
        let explain = trial.explain(&setup(&guard, shadows), &["--json"]);
        let output = check(explain, 0, ("\"calls\"", "")).await;
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (beside, alone) = (read(&shadows).await, read(&[]).await);
    let list = beside["shadows"].as_array().unwrap().iter();
    let would: Vec<_> = list
        .map(|shadow| (shadow["backend"].as_str().unwrap(), shadow["would"].as_str()))
        .collect();
    let expected = [
        ("new", Some("change")),
        ("strict", Some("reject")),
        ("same", Some("agree")),
        ("never", None),
        ("down", Some("fail")),
    ];
    assert_eq!(would, expected);
    assert_eq!(beside["shadows"][0]["differences"][0]["at"], "/result/倍率");
    assert_eq!(alone["shadows"], Value::Null);
    for key in ["answer", "verdict", "source", "document", "conflicts"] {
        assert_eq!(beside[key], alone[key], "{key}");
    }
    assert_eq!(beside["calls"].as_array().unwrap().len(), 1);

    // A refusal stays one, whatever the shadows say, and each of them is heard all the same.
    let refuses = backend("guard").set("on_failure = 'reject'");
    let refuses = refuses.rejects(403, "no").starts();
    let explain = trial.explain(&setup(&refuses, &shadows[1..3]), &[]);
    let output = check(explain, 3, ("agrees: would refuse too", "")).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("shadow  same  would let pass what was refused"),
        "{shown}"
    );
}

// === life ===

/// What it is for in the end: it gets a vote. Nothing says any more that it is tried out.
#[tokio::test]
async fn a_shadow_that_gets_a_vote_is_none_any_more() {
    let shadow = backend("new").rejects(403, "no").starts();
    let guard = passes();
    let gateway = beside(&guard, std::slice::from_ref(&shadow)).await;
    gateway.koipy().posts("/onMessage", DOCUMENT).await;
    would(&gateway, "new", "reject").await;
    reloads(
        &gateway,
        "chain = ['guard']\nshadow = ['new']",
        "chain = ['guard', 'new']",
    )
    .await;
    let response = gateway.koipy().posts("/onMessage", DOCUMENT).await;
    assert_eq!((response.status, &*response.text()), (403, "no"));
    gateway
        .counts("koigate_backend_calls_total backend=new verdict=reject", 2.0)
        .await;
    let served = gateway.metrics().await;
    let is_left = |name: &str| served.names().contains(&name);
    assert!(!is_left("koigate_shadow_total") && !is_left("koigate_shadow_dropped_total"));
    let status = json(&gateway, "/status").await;
    assert_eq!(
        (&status["shadows"], &status["backends"][1]["shadow"]),
        (&serde_json::json!({}), &Value::Null)
    );
    // What it would have done before is remembered.
    let report = json(&gateway, "/shadows/new").await;
    assert_eq!(report["reject"], 1);
}

/// A call that runs when its shadow is removed ends on the plan that it began with, and lets that go.
#[tokio::test]
async fn a_shadow_that_is_removed_while_it_is_called() {
    let shadow = backend("new")
        .set("timeout = '1s'")
        .replies(script().stalls())
        .starts();
    let guard = passes();
    let gateway = beside(&guard, std::slice::from_ref(&shadow)).await;
    gateway.koipy().posts("/onMessage", DOCUMENT).await;
    shadow.was_asked(1).await;
    let text = fs::read_to_string(gateway.config()).unwrap();
    let (before, _) = text.split_once("[backends.new]").unwrap();
    reloads(
        &gateway,
        &text,
        &format!("{before}[hooks.onMessage]\nchain = ['guard']\n"),
    )
    .await;
    let status = json(&gateway, "/status").await;
    assert_eq!(status["configuration"]["plans"], 2, "{status:#}");
    assert_eq!(gateway.koipy().posts("/onMessage", DOCUMENT).await.status, 204);
    shadow.has_open(0).await;
    let report = loop {
        let report = gateway.admin("/shadows/new").await;
        if report.status == 200 {
            break report.text();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(report.contains("\"fail\": 1"), "{report}");
    let status = json(&gateway, "/status").await;
    assert_eq!(status["configuration"]["plans"], 1, "{status:#}");
    let served = gateway.metrics().await;
    assert_eq!(served.text_about("new"), "");
    assert_eq!(shadow.asked(), 1);
}

/// Nobody waits for a shadow at the end either, whatever it does and however long it may take.
#[tokio::test]
async fn an_end_waits_for_no_shadow() {
    let shadows = [
        backend("hangs")
            .set("timeout = '1h'\nalways_finish = true")
            .replies(script().stalls())
            .starts(),
        backend("drips")
            .set("timeout = '1h'")
            .replies(script().sends("HTTP/1.1 200 OK\r\n\r\n").floods("x", 20))
            .starts(),
    ];
    let guard = passes();
    let setup = setup(&guard, &shadows).server("drain = '10m'");
    let gateway = setup.starts().await;
    for _ in 0..3 {
        gateway.koipy().posts("/onMessage", DOCUMENT).await;
    }
    for shadow in &shadows {
        shadow.was_asked(3).await;
    }
    gateway.signal(Signal::TERM);
    let stopped = gateway.ends().await;
    assert!(stopped.took < Duration::from_secs(5), "{:?}", stopped.took);
    for shadow in &shadows {
        shadow.has_open(0).await;
    }
}

/// Its breaker, its replicas and its one place are its own, and no hook hears of them.
#[tokio::test]
async fn breakers_replicas_and_places_hold_for_shadows() {
    let broken = backend("broken")
        .set("breaker = { failures = 1, cool_off = '1h' }\nretries = 1")
        .never_listens();
    let replicas = ["one", "two"].map(|name| backend(name).replies(no_content()).starts());
    let guard = passes();
    let gateway = gateway()
        .backends([&guard, &broken])
        .replicas(
            "several",
            &[&replicas[0], &replicas[1]],
            "max_in_flight = 1\ntimeout = '2s'",
        )
        .hook("onMessage", "chain = ['guard']\nshadow = ['broken', 'several']")
        .starts()
        .await;
    for hook in 1..=6 {
        let response = gateway.koipy().posts("/onMessage", DOCUMENT).await;
        assert_eq!(response.status, 204);
        gateway.counts("koigate_shadow_total", f64::from(2 * hook)).await;
    }
    let metrics = gateway.metrics().await;
    for (series, expected) in [
        ("koigate_shadow_total backend=several would=agree", 6.0),
        ("koigate_shadow_total backend=broken would=fail", 6.0),
        ("koigate_backend_failures_total backend=broken kind=connect", 1.0),
        (
            "koigate_backend_failures_total backend=broken kind=breaker_open",
            5.0,
        ),
        ("koigate_backend_breaker_open backend=broken", 1.0),
        ("koigate_fail_open_total", 0.0),
        ("koigate_shadow_dropped_total", 0.0),
        ("koigate_hooks_total verdict=continue", 6.0),
    ] {
        assert!(
            (metrics.sum(series) - expected).abs() < 1e-9,
            "{series}\n{}",
            metrics.text
        );
    }
    assert_eq!(replicas[0].asked() + replicas[1].asked(), 6);
    assert!(replicas.iter().all(|replica| replica.asked() > 0));
}

/// What it edits is compared only where there is room for that, and says nothing of it otherwise.
#[tokio::test]
async fn a_comparison_without_room_is_left_out() {
    let shadow = backend("new").sets("/message", "another").starts();
    let guard = passes();
    let gateway = gateway()
        .server("max_body = '64KiB'\nmax_buffered = '256KiB'")
        .backends([&guard, &shadow])
        .hook("onMessage", "chain = ['guard']\nshadow = ['new']")
        .starts()
        .await;
    let large = format!(r#"{{"message": "{}"}}"#, "x".repeat(12 * 1024));
    assert_eq!(gateway.koipy().posts("/onMessage", large).await.status, 204);
    gateway
        .counts("koigate_shadow_dropped_total hook=onMessage backend=new", 1.0)
        .await;
    assert_eq!(shadow.asked(), 1);
    assert_eq!(gateway.koipy().posts("/onMessage", DOCUMENT).await.status, 204);
    would(&gateway, "new", "change").await;
    gateway.counts("koigate_buffered_beside_bytes", 0.0).await;
}

/// Nobody is left to compare it with: its calls are cut like those of the hook, and what they held is let go.
#[tokio::test]
async fn a_caller_who_leaves_takes_the_shadows_along() {
    let hangs = |name: &str| {
        backend(name)
            .set("timeout = '1h'")
            .replies(script().stalls())
            .starts()
    };
    let (guard, shadow) = (hangs("guard"), hangs("new"));
    let setup = setup(&guard, std::slice::from_ref(&shadow)).server("deadline = '1h'");
    let gateway = setup.starts().await;
    let mut wire = gateway.connect().await;
    let document = payload("onMessage", 300).dumps();
    let request = gateway.koipy().request("/onMessage", document.as_bytes());
    wire.write(request).await.unwrap();
    guard.was_asked(1).await;
    shadow.was_asked(1).await;
    let held = gateway.metrics().await.value("koigate_buffered_beside_bytes");
    assert!(held >= document.len() as f64, "{held}");
    drop(wire);
    shadow.has_open(0).await;
    for series in [
        "koigate_backend_in_flight",
        "koigate_buffered_beside_bytes",
        "koigate_buffered_bytes",
        "koigate_shadow_total",
        "koigate_shadow_dropped_total",
    ] {
        gateway.counts(series, 0.0).await;
    }
}

/// What is no hook reaches nobody.
#[tokio::test]
async fn what_is_refused_at_the_door_reaches_no_shadow() {
    let shadow = backend("new").starts();
    let guard = passes();
    let gateway = beside(&guard, std::slice::from_ref(&shadow)).await;
    for (request, status) in [
        ("HEAD /onMessage HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        ("GET /onMessage HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
        (
            "POST /nowhere HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            404,
        ),
        (
            "POST /onMessage HTTP/1.1\r\nConnection: close\r\nX-Koigate-Hook: onMessage\r\nContent-Length: 2\r\n\r\n{}",
            508,
        ),
    ] {
        let mut wire = gateway.connect().await;
        wire.write(request.replacen("\r\n", "\r\nHost: a\r\n", 1))
            .await
            .unwrap();
        let heard = String::from_utf8_lossy(&wire.closed().await).into_owned();
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {heard}"
        );
    }
    // A kind without a chain has no shadow either.
    assert_eq!(gateway.koipy().posts("/onResult", DOCUMENT).await.status, 204);
    assert_eq!(gateway.koipy().posts("/onMessage", DOCUMENT).await.status, 204);
    would(&gateway, "new", "agree").await;
    assert_eq!((guard.asked(), shadow.asked()), (1, 1));
}
