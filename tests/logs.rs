//! The log: one line a hook, as text and as JSON, and nothing in it that is nobody's business.

use crate::support::backend::{Backend, backend};
use crate::support::canary::CANARY;
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::python::{Value, json};
use crate::support::reply::{json_body, reject, text};
use crate::support::script::script;

#[tokio::test]
async fn one_line_a_hook_as_text() {
    let limits = backend("limits").starts();
    let broken = backend("broken").replies(script().closes()).starts();
    let gateway = gateway().asks_at_once(&[&limits, &broken]).starts().await;
    let after = gateway.koipy().fires("onResult", &payload("onResult", 12)).await;
    let line = gateway.line_of(&after.response).await;
    for part in ["INFO", "onResult", "continue", "limits", "broken", "failed", "ms"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let id = after.response.header("x-request-id").unwrap();
    let stopped = gateway.stops().await;
    let lines: Vec<_> = stopped
        .log
        .iter()
        .filter(|l| l.contains(id) && l.contains("INFO"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(
        stopped.log.iter().all(|line| !line.contains('\u{1b}')),
        "no colours in a pipe"
    );
}

#[tokio::test]
async fn one_line_a_hook_as_json() {
    let limits = backend("limits").rejects(403, "no").starts();
    let gateway = gateway().log("format = 'json'").asks(&limits).starts().await;
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    let line = gateway.line_of(&after.response).await;
    let fields = json(&line);
    let id = after.response.header("x-request-id").unwrap();
    assert_eq!(
        (fields.at("/id").text(), fields.at("/hook").text()),
        (id.into(), "onMessage".into())
    );
    assert_eq!(
        (fields.at("/verdict").text(), fields.at("/level").text()),
        ("reject".into(), "INFO".into())
    );
    assert!(fields.find("/ms").is_some(), "{line}");
    assert!(line.contains("limits"), "{line}");
    for line in gateway.stops().await.log {
        json(line);
    }
}

/// What `check` prints, a running gateway says in its log, in the form that its readers asked for.
#[tokio::test]
async fn warnings_of_the_configuration_are_lines_like_any_other() {
    for format in ["text", "json"] {
        let plain = backend("plain").starts();
        let gateway = gateway()
            .log(&format!("format = '{format}'"))
            .asks(&plain)
            .starts()
            .await;
        let line = gateway.logs(&["WARN", "KG103"]).await;
        assert!(line.contains("plain") && line.contains(".toml:"), "{line}");
        assert!(
            gateway
                .log()
                .iter()
                .all(|line| line.contains("WARN") || line.contains("INFO")),
            "{format}"
        );
    }
}

#[tokio::test]
async fn the_level_decides() {
    for (level, hooks) in [("error", 0), ("warn", 0), ("info", 2), ("debug", 2)] {
        let plain = backend("plain").starts();
        let level = format!("level = '{level}'");
        let setup = gateway().log(&level).asks(&plain);
        // Below info nobody says where it listens, so the address has to be known beforehand.
        let gateway = if hooks == 0 {
            setup.starts_silently().await
        } else {
            setup.starts().await
        };
        for _ in 0..2 {
            gateway.koipy().posts("/onMessage", "{}").await;
        }
        gateway
            .counts("koigate_hooks_total hook=onMessage verdict=continue", 2.0)
            .await;
        let log = gateway.stops().await.log;
        let lines = log
            .iter()
            .filter(|line| line.contains("INFO") && line.contains("onMessage"));
        assert_eq!(lines.count(), hooks, "{level}: {log:#?}");
    }
}

/// Backends that do whatever a backend can do, each with a canary in all its secrets and a private word in all that it
/// says. The gateway listens for both when it ends.
fn singing() -> [Backend; 9] {
    let own =
        "headers = { Authorization = 'Bearer canary-header', X-Other = { env = 'KOIGATE_TEST_SECRET' } }";
    let told = |name| {
        let told = backend(name).set(own).set("timeout = '400ms'");
        told.at("http://{address}/path-of-its-own?k=canary-query")
    };
    [
        told("edits").sets("/message/text", "pr1vate-edit").starts(),
        told("conflicts")
            .sets("/message/text", "pr1vate-other-edit")
            .starts(),
        told("says").replies(text("pr1vate-text")).starts(),
        told("broken").replies(json_body("{\"pr1vate-json")).starts(),
        told("garbage")
            .replies(script().sends("pr1vate-protocol\r\n\r\n"))
            .starts(),
        told("hangs").replies(script().stalls()).starts(),
        told("down").never_listens(),
        told("tls")
            .at("https://{address}/path-of-its-own")
            .greets(script().closes())
            .starts(),
        told("refuses")
            .on("onMessage", reject(403, "pr1vate-refusal").after(100))
            .starts(),
    ]
}

/// A document whose every part has one.
fn sung() -> Value {
    let mut document = payload("onResult", 12);
    document
        .set("/message/text", "pr1vate-document")
        .set("/config/bot/bot-token", "canary-token")
        .set("/message/pr1vate-key", 1_i64)
        .set("/result/pr1vate-column", vec!["pr1vate-cell"; 12]);
    document
}

/// None may sing.
#[tokio::test]
async fn nothing_private_is_logged_counted_or_answered() {
    let backends = singing();
    let setup = gateway().with_env("KOIGATE_TEST_SECRET", "canary-secret");
    let gateway = setup.asks_at_once(&backends.each_ref()).starts().await;
    let bot = gateway.koipy();
    assert_eq!(bot.fires("onResult", &sung()).await.response.status, 200);
    let after = bot.fires("onMessage", &sung()).await;
    assert_eq!((after.response.status, after.refusal()), (403, "pr1vate-refusal"));
    for head in [
        "Authorization: canary",
        "Cookie: canary",
        "Content-Length: canary",
        "canary",
    ] {
        let request = format!("POST /canary?hook=canary HTTP/1.1\r\nHost: canary\r\n{head}\r\n\r\n");
        let response = gateway.answers(request).await;
        assert!(
            !response.text().contains(CANARY) && response.status >= 400,
            "{response:?}"
        );
        assert!(!format!("{:?}", response.head).contains(CANARY), "{response:?}");
    }
    gateway
        .counts("koigate_backend_failures_total hook=onResult", 5.0)
        .await;
    for line in gateway.stops().await.log {
        assert!(!line.contains("path-of-its-own"), "{line}");
        for backend in &backends {
            assert!(!line.contains(&backend.address.to_string()), "{line}");
        }
    }
}
