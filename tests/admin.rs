//! The operator's side of the real program: what it shows and does, to whom, and what never leaves it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::reply::no_content;
use crate::support::wire::{Response, Wire};

/// What no answer, metric or log line may hold.
const CANARY: &str = "canary-4d1f9a";

/// `/status` as it is now.
async fn status(gateway: &Gateway) -> Value {
    let response = gateway.admin("/status").await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    serde_json::from_slice(&response.body).unwrap()
}

/// Sends a request with these header lines to the admin side.
async fn asks(gateway: &Gateway, request: &str, lines: &str) -> Response {
    gateway
        .tells(format!("{request} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n"))
        .await
}

async fn reload(gateway: &Gateway) -> Response {
    asks(gateway, "POST /reload", "Host: localhost\r\n").await
}

fn guard() -> Backend {
    backend("guard")
        .set("on_failure = 'reject'")
        .replies(no_content())
        .starts()
}

#[tokio::test]
async fn the_status_is_that_of_the_moment() {
    let slow = backend("slow").replies(no_content().after(400)).starts();
    let quick = backend("quick").replies(no_content()).starts();
    let setup = gateway()
        .backends([&slow, &quick])
        .chain("onResult", "[['slow', 'quick'], 'quick2']")
        .hook(
            "onMessage",
            "chain = ['slow']\n[backends.quick2]\nurl = 'http://127.0.0.1:9/{hook}?key=canary'",
        );
    let gateway = setup.starts().await;
    let before = status(&gateway).await;
    assert_eq!(before["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(before["phase"], "ready");
    assert_eq!(before["hooks_in_flight"], 0);
    assert_eq!(before["listening"]["hooks"], json!([gateway.hooks.to_string()]));
    assert_eq!(before["listening"]["admin"], json!([gateway.admin.to_string()]));
    assert_eq!(
        before["hooks"]["onResult"],
        json!([["slow", "quick"], ["quick2"]])
    );
    assert_eq!(before["hooks"]["onMessage"], json!([["slow"]]));
    let names: Vec<_> = before["backends"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| &b["name"])
        .collect();
    assert_eq!(names, ["slow", "quick", "quick2"]);
    assert_eq!(before["backends"][2]["url"], "http://127.0.0.1:9/{hook}?key=***");
    assert_eq!(before["backends"][0]["max_in_flight"], 256);
    let configuration = &before["configuration"];
    assert_eq!(configuration["path"], gateway.config().display().to_string());
    assert_eq!(configuration["generation"], 1);
    assert_eq!(configuration["hash"].as_str().unwrap().len(), 64);
    assert_eq!(configuration["last_reload"], Value::Null);

    let koipy = gateway.koipy();
    let hook = tokio::spawn(async move { koipy.fires("onMessage", &payload("onMessage", 0)).await });
    while status(&gateway).await["backends"][0]["in_flight"] == 0 {
        assert!(!hook.is_finished(), "it was never seen in flight");
        sleep(Duration::from_millis(5)).await;
    }
    let during = status(&gateway).await;
    assert_eq!(during["hooks_in_flight"], 1);
    assert_eq!(during["backends"][0]["idle_connections"], 0);
    let metrics = gateway.metrics().await;
    for (series, running) in [
        ("koigate_hooks_in_flight", 1.0),
        ("koigate_backend_in_flight backend=slow", 1.0),
        ("koigate_backend_in_flight backend=quick", 0.0),
    ] {
        assert_eq!(metrics.sum(series), running, "{series}:\n{}", metrics.text);
    }
    hook.await.unwrap();
    let after = status(&gateway).await;
    assert_eq!(after["backends"][0]["in_flight"], 0);
    assert_eq!(after["backends"][0]["idle_connections"], 1);
    assert_eq!(after["started_at"], before["started_at"]);
}

#[tokio::test]
async fn the_status_tells_how_the_last_reload_went() {
    let first = guard();
    let setup = || gateway().asks(&first);
    let gateway = setup().starts().await;
    gateway.rewrites(&setup().server("max_body = '1MiB'\nthreads = 3").text());
    let response = reload(&gateway).await;
    // The watch may have been faster.
    assert!(
        response.text().ends_with("needs a restart: server.threads\n"),
        "{response:?}"
    );
    let good = status(&gateway).await["configuration"].clone();
    assert_eq!(good["generation"], 2);
    assert_eq!(good["needs_restart"], json!(["server.threads"]));
    assert_eq!(good["last_reload"]["ok"], true);

    gateway.rewrites(&setup().server("max_bodi = '1MiB'").text());
    let response = reload(&gateway).await;
    assert_eq!(response.status, 422, "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(
        response.text().contains("error[KG010]: unknown key `max_bodi`"),
        "{response:?}"
    );
    assert!(!response.text().contains('\u{1b}'), "{response:?}");
    let bad = status(&gateway).await["configuration"].clone();
    for unchanged in ["generation", "hash", "loaded_at", "needs_restart"] {
        assert_eq!(bad[unchanged], good[unchanged], "{unchanged}");
    }
    assert_eq!(bad["last_reload"]["ok"], false);
    assert_eq!(bad["last_reload"]["errors"][0]["code"], "KG010");
    let place = bad["last_reload"]["errors"][0]["place"].as_str().unwrap();
    assert!(place.ends_with("koigate.toml:3:1"), "{place}");
}

#[tokio::test]
async fn many_reloads_at_once_are_one_after_the_other() {
    let guard = guard();
    let gateway = gateway().asks(&guard).starts().await;
    let replies = join_all((0..32).map(|_| reload(&gateway))).await;
    for reply in &replies {
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (200, "nothing has changed\n")
        );
    }
    gateway
        .counts("koigate_config_reloads_total result=success", 32.0)
        .await;
    assert_eq!(status(&gateway).await["configuration"]["generation"], 1);
}

#[tokio::test]
async fn nobody_without_a_token_sees_or_does_anything_and_none_is_ever_shown() {
    let guard = guard();
    let auth = format!("auth = {{ token = ['{CANARY}-one', {{ env = 'ADMIN_TOKEN' }}] }}");
    let gateway = gateway()
        .operators(&auth)
        .with_env("ADMIN_TOKEN", &format!("{CANARY}-two"))
        .log("level = 'trace'")
        .asks(&guard)
        .starts()
        .await;
    let mut seen = String::new();
    for route in ["GET /status", "GET /metrics", "POST /reload", "GET /"] {
        for line in [
            "",
            "Authorization: Bearer\r\n",
            &format!("Authorization: Bearer {CANARY}-on\r\n"),
            &format!("Authorization: Bearer {CANARY}-one-\r\n"),
            &format!("Authorization: Basic {CANARY}-one\r\n"),
        ] {
            let response = asks(&gateway, route, &format!("Host: gate.example\r\n{line}")).await;
            assert_eq!(response.status, 401, "{route} {line}: {response:?}");
            seen += &response.text();
        }
        for token in ["one", "two"] {
            let line = format!("Host: gate.example\r\nAuthorization: Bearer {CANARY}-{token}\r\n");
            let response = asks(&gateway, route, &line).await;
            assert_ne!(response.status, 401, "{route} {token}: {response:?}");
            seen += &format!("{response:?}\n{}", response.text());
        }
    }
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(gateway.admin(probe).await.status, 200, "{probe}");
    }
    assert!(
        seen.contains("\"phase\"") && seen.contains("koigate_build_info"),
        "{seen}"
    );
    seen += &gateway.stops().await.log.join("\n");
    assert!(!seen.contains(CANARY), "{seen}");
}

#[tokio::test]
async fn a_page_that_has_taken_our_address_for_its_name_reads_nothing() {
    let guard = guard();
    let gateway = gateway().asks(&guard).starts().await;
    let port = gateway.admin.port();
    for (host, expected) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        (format!("127.0.0.1.evil.example:{port}"), 421),
    ] {
        for request in ["GET /status", "GET /metrics", "POST /reload"] {
            let response = asks(&gateway, request, &format!("Host: {host}\r\n")).await;
            assert_eq!(response.status, expected, "{request} {host}: {response:?}");
        }
    }
    let from_elsewhere = format!("Host: localhost:{port}\r\nOrigin: http://evil.example\r\n");
    let response = asks(&gateway, "POST /reload", &from_elsewhere).await;
    assert_eq!(response.status, 403, "{response:?}");
    gateway.counts("koigate_config_reloads_total", 2.0).await;
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_in_order() {
    let guard = guard();
    let gateway = gateway().asks(&guard).starts().await;
    let mut wire = Wire::connect(gateway.admin).await;
    let requests = [
        "POST /reload",
        "GET /readyz",
        "HEAD /status",
        "GET /nowhere",
        "DELETE /reload",
        "GET /healthz",
    ];
    let sent: String = requests
        .iter()
        .map(|request| format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .collect();
    wire.write(sent).await.unwrap();
    for (request, expected) in requests.iter().zip([200, 200, 200, 404, 405, 200]) {
        // A HEAD has the length of a body and none.
        let head = wire.head().await.unwrap().unwrap();
        assert!(
            head.line.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{request}: {head:?}"
        );
        if !request.starts_with("HEAD") {
            wire.body(&head).await.unwrap();
        }
    }
}
