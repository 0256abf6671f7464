//! The operator's side: every series is there from the start, and each is moved by what it is named after.

use std::time::Duration;

use crate::support::backend::backend;
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::reply::{json_body, no_content, png, reject, status, text};
use crate::support::script::script;

/// The kinds of failure that a call can end with here.
const KINDS: [&str; 9] = [
    "connect",
    "timeout",
    "reset",
    "protocol",
    "too_large",
    "bad_json",
    "status",
    "breaker_open",
    "overloaded",
];

/// What two onResult and one onMessage of [`what_happens_is_counted`] move.
const COUNTED: [(&str, f64); 23] = [
    ("koigate_hooks_total hook=onResult verdict=continue", 2.0),
    ("koigate_hooks_total hook=onMessage verdict=reject", 1.0),
    ("koigate_hooks_total hook=onPreSend", 0.0),
    ("koigate_hook_duration_seconds_count hook=onResult", 2.0),
    (
        "koigate_backend_calls_total hook=onResult backend=edits verdict=continue",
        2.0,
    ),
    (
        "koigate_backend_calls_total hook=onResult backend=draws verdict=continue",
        2.0,
    ),
    (
        "koigate_backend_calls_total hook=onResult backend=fails verdict=failed",
        2.0,
    ),
    (
        "koigate_backend_calls_total hook=onMessage backend=edits verdict=continue",
        1.0,
    ),
    (
        "koigate_backend_calls_total hook=onMessage backend=more verdict=reject",
        1.0,
    ),
    (
        "koigate_backend_calls_total hook=onMessage backend=draws verdict=ignored",
        1.0,
    ),
    (
        "koigate_backend_calls_total hook=onMessage backend=fails verdict=cancelled",
        1.0,
    ),
    (
        "koigate_backend_failures_total hook=onResult backend=fails kind=bad_json",
        2.0,
    ),
    ("koigate_backend_failures_total hook=onMessage", 0.0),
    ("koigate_fail_open_total hook=onResult backend=fails", 2.0),
    (
        "koigate_backend_call_duration_seconds_count hook=onResult backend=edits",
        2.0,
    ),
    ("koigate_merges_total hook=onResult", 2.0),
    ("koigate_merge_conflicts_total", 0.0),
    ("koigate_edits_total hook=onResult backend=edits", 2.0),
    ("koigate_edits_total hook=onResult backend=draws", 0.0),
    ("koigate_connections_opened_total backend=edits", 1.0),
    ("koigate_connections_reused_total backend=edits", 2.0),
    ("koigate_backend_in_flight", 0.0),
    ("koigate_hooks_in_flight", 0.0),
];

/// Every series of a hook that asks these backends.
fn series_of(hook: &str, backends: &[&str]) -> Vec<String> {
    let mut series: Vec<_> = ["continue", "reject", "error"]
        .map(|verdict| format!("koigate_hooks_total hook={hook} verdict={verdict}"))
        .into();
    for name in [
        "hook_duration_seconds_count",
        "hook_duration_seconds_sum",
        "merges_total",
        "merge_conflicts_total",
        "merge_failures_total",
        "images_collected_total",
    ] {
        series.push(format!("koigate_{name} hook={hook}"));
    }
    for kind in ["image", "text", "file"] {
        series.push(format!(
            "koigate_attachments_dropped_total hook={hook} kind={kind}"
        ));
    }
    for backend in backends {
        let labels = format!("hook={hook} backend={backend}");
        for verdict in ["continue", "reject", "ignored", "failed", "cancelled"] {
            series.push(format!("koigate_backend_calls_total {labels} verdict={verdict}"));
        }
        for kind in KINDS {
            series.push(format!("koigate_backend_failures_total {labels} kind={kind}"));
        }
        for name in [
            "fail_open_total",
            "backend_retries_total",
            "edits_total",
            "backend_call_duration_seconds_count",
        ] {
            series.push(format!("koigate_{name} {labels}"));
        }
    }
    series
}

/// Every series that belongs to no hook.
fn series_of_all(backends: &[&str]) -> Vec<String> {
    let mut series = vec!["koigate_hooks_in_flight".to_owned()];
    for backend in backends {
        for name in [
            "backend_in_flight",
            "backend_breaker_open",
            "connections_opened_total",
            "connections_reused_total",
        ] {
            series.push(format!("koigate_{name} backend={backend}"));
        }
    }
    for reason in ["method", "path", "too_large", "overloaded", "bad_request"] {
        series.push(format!("koigate_request_rejections_total reason={reason}"));
    }
    series
}

#[tokio::test]
async fn every_series_is_there_from_the_start() {
    let (a, b) = (backend("a").starts(), backend("b").starts());
    let setup = gateway().backends([&a, &b]).chain("onMessage", "[['a', 'b']]");
    let gateway = setup.chain("own", "['b']").starts().await;
    let metrics = gateway.metrics().await;
    let series = [
        series_of("onMessage", &["a", "b"]),
        series_of("own", &["b"]),
        series_of_all(&["a", "b"]),
    ];
    for series in series.concat() {
        assert_eq!(metrics.value(&series), 0.0, "{series}");
    }
    assert_eq!(
        metrics.find("koigate_backend_calls_total hook=own backend=a verdict=continue"),
        None
    );
    assert!(metrics.sum("koigate_build_info") == 1.0 && metrics.text.contains(env!("CARGO_PKG_VERSION")));
    assert!(metrics.value("process_open_fds") > 3.0);
    for name in metrics.names() {
        let help = format!("# HELP {name} ");
        assert!(
            metrics.text.contains(&help) && metrics.text.contains(&format!("# TYPE {name} ")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let edits = backend("edits")
        .sets("/addons/a", 1_i64)
        .on("onMessage", no_content())
        .starts();
    let more = backend("more")
        .sets("/addons/b", 1_i64)
        .on("onMessage", reject(403, "no").after(60))
        .starts();
    let draws = backend("draws")
        .replies(png(3, 3, [1, 2, 3]))
        .on("onMessage", status(302))
        .starts();
    let fails = backend("fails")
        .replies(json_body("{"))
        .on("onMessage", script().stalls())
        .starts();
    let gateway = gateway()
        .asks_at_once(&[&edits, &more, &draws, &fails])
        .starts()
        .await;
    let bot = gateway.koipy();
    bot.fires("onResult", &payload("onResult", 12)).await;
    bot.fires("onResult", &payload("onResult", 12)).await;
    bot.fires("onMessage", &payload("onMessage", 0)).await;
    for (series, value) in COUNTED {
        gateway.counts(series, value).await;
    }
    assert!(
        gateway
            .metrics()
            .await
            .value("koigate_hook_duration_seconds_sum hook=onMessage")
            > 0.05
    );
}

#[tokio::test]
async fn pictures_on_a_sheet_are_counted() {
    let draws = ["a", "b"].map(|name| backend(name).replies(png(3, 3, [1, 2, 3])).starts());
    let says = backend("says").replies(text("x")).starts();
    let gateway = gateway()
        .asks_at_once(&[&draws[0], &draws[1], &says])
        .starts()
        .await;
    gateway.koipy().fires("onResult", &payload("onResult", 1)).await;
    gateway
        .counts("koigate_images_collected_total hook=onResult", 2.0)
        .await;
    gateway
        .counts("koigate_attachments_dropped_total hook=onResult kind=text", 1.0)
        .await;
    gateway
        .counts("koigate_attachments_dropped_total hook=onResult kind=image", 0.0)
        .await;
}

#[tokio::test]
async fn what_runs_is_in_flight() {
    let hangs = backend("hangs").replies(no_content().after(700)).starts();
    let gateway = gateway().asks(&hangs).starts().await;
    let bot = gateway.koipy();
    let seen = async {
        hangs.was_asked(1).await;
        gateway.counts("koigate_hooks_in_flight", 1.0).await;
        gateway
            .counts("koigate_backend_in_flight backend=hangs", 1.0)
            .await;
    };
    tokio::join!(bot.posts("/onMessage", "{}"), seen);
    gateway.counts("koigate_hooks_in_flight", 0.0).await;
    gateway
        .counts("koigate_backend_in_flight backend=hangs", 0.0)
        .await;
}

#[tokio::test]
async fn the_admin_side_answers() {
    let plain = backend("plain").starts();
    let gateway = gateway().asks(&plain).starts().await;
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/nothing", 404),
    ] {
        let response = gateway.admin(path).await;
        assert_eq!(response.status, status, "{path}");
        assert!(!response.body.is_empty(), "{path}");
    }
    let label = gateway
        .admin("/metrics")
        .await
        .header("content-type")
        .map(str::to_owned)
        .unwrap();
    assert!(
        label.starts_with("text/plain") && label.contains("version=0.0.4"),
        "{label}"
    );
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(
            gateway.koipy().posts(path, "{}").await.status,
            404,
            "{path} is not the bot's"
        );
    }
}

#[tokio::test]
async fn readiness_ends_with_the_signal() {
    let slow = backend("slow").replies(no_content().after(1_500)).starts();
    let gateway = gateway().asks(&slow).starts().await;
    let bot = gateway.koipy();
    let draining = async {
        slow.was_asked(1).await;
        gateway.signal(rustix::process::Signal::TERM);
        tokio::time::sleep(Duration::from_millis(200)).await;
        (
            gateway.admin("/readyz").await.status,
            gateway.admin("/healthz").await.status,
        )
    };
    let (answer, (ready, alive)) = tokio::join!(bot.posts("/onMessage", "{}"), draining);
    assert_eq!((answer.status, ready, alive), (204, 503, 200));
    gateway.ends().await;
}
