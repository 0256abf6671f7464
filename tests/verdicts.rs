//! What a reply means: every row of the verdict table, who decides in a stage, what becomes of the others, and
//! what a failure means.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::backend::{Told, backend};
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::reply::{Reply, file, json_body, no_content, picture, png, reject, status, text};
use crate::support::script::{Script, script};

/// What is expected of a chain of one backend.
struct Row {
    reply: Script,
    verdict: &'static str,
    /// The answer's status, type and body.
    answer: (u16, Option<&'static str>, Vec<u8>),
}

fn row(reply: impl Into<Script>, verdict: &'static str, answer: (u16, Option<&'static str>, &[u8])) -> Row {
    let (status, content_type, body) = answer;
    Row {
        reply: reply.into(),
        verdict,
        answer: (status, content_type, body.to_vec()),
    }
}

/// The bot goes on, and nothing is carried.
fn nothing(reply: impl Into<Script>, verdict: &'static str) -> Row {
    row(reply, verdict, (204, None, b""))
}

/// Asks a backend for each row, all on one gateway, each under a hook of its own.
async fn check(rows: Vec<Row>) {
    let names: Vec<_> = (0..rows.len()).map(|index| format!("row{index}")).collect();
    let backends: Vec<_> = names
        .iter()
        .zip(&rows)
        .map(|(name, row)| backend(name).replies(row.reply.clone()).starts())
        .collect();
    let setup = names.iter().fold(gateway().backends(&backends), |setup, name| {
        setup.chain(name, &format!("['{name}']"))
    });
    let gateway = setup.starts().await;
    let bot = gateway.koipy();
    let document = payload("onMessage", 0).dumps();
    join_all(names.iter().zip(&rows).map(async |(name, row)| {
        let response = bot.posts(&format!("/{name}"), &document).await;
        let what = format!("{:?}", row.reply);
        let content_type = response.header("content-type");
        let got = (response.status, content_type, response.body.to_vec());
        let (status, content_type, body) = &row.answer;
        assert_eq!(got, (*status, *content_type, body.clone()), "{what}");
        let series = format!(
            "koigate_backend_calls_total hook={name} backend={name} verdict={}",
            row.verdict
        );
        gateway.counts(&series, 1.0).await;
    }))
    .await;
    gateway.stops().await;
}

#[tokio::test]
async fn statuses() {
    let carried = json_body(r#"{"addons": {"x": 1}}"#);
    let mut rows = vec![
        nothing(no_content(), "continue"),
        row(
            carried,
            "continue",
            (200, Some("application/json"), br#"{"addons": {"x": 1}}"#),
        ),
    ];
    let with_body = |code| status(code).typed("text/plain").with("x");
    for ignored in [
        201, 202, 205, 206, 226, 299, 300, 301, 302, 303, 307, 308, 399, 400,
    ] {
        rows.push(nothing(with_body(ignored), "ignored"));
    }
    for refusal in [401, 403, 404, 409, 418, 429, 451, 499, 500, 502, 503, 504, 599] {
        rows.push(row(
            with_body(refusal),
            "reject",
            (refusal, Some("text/plain"), b"x"),
        ));
    }
    for unknown in [600, 700, 999] {
        rows.push(row(with_body(unknown), "reject", (502, Some("text/plain"), b"x")));
    }
    rows.push(nothing(
        status(302).header("Location", "http://127.0.0.1:1/"),
        "ignored",
    ));
    check(rows).await;
}

#[tokio::test]
async fn nothing_is_carried() {
    let json = [
        "", "null", " null\n", "{}", " { } ", "[]", "[1, 2]", "1", "NaN", "\"x\"", "true",
    ];
    let mut rows: Vec<_> = json.map(|body| nothing(json_body(body), "continue")).into();
    for label in [
        "application/octet-stream",
        "text/html; charset=utf-8",
        "text/plain",
        "image/png",
        "x/y",
    ] {
        rows.push(nothing(status(200).typed(label), "continue"));
    }
    rows.push(nothing(status(200), "continue"));
    rows.push(nothing(status(200).until_close(), "continue"));
    check(rows).await;
}

#[tokio::test]
async fn what_is_carried_goes_by_the_media_type_alone() {
    let picture = picture(2, 3, [9, 8, 7], image::ImageFormat::Jpeg).to_vec();
    let mut rows: Vec<_> = [
        "application/json",
        "Application/JSON; charset=utf-8",
        "APPLICATION/JSON;x=y",
    ]
    .map(|label| {
        let body = json_body(r#"{"addons": {"x": 1}}"#).typed(label);
        row(body, "continue", (200, Some(label), br#"{"addons": {"x": 1}}"#))
    })
    .into();
    for label in ["text/plain", "plain/text", "TEXT/Plain; charset=GBK"] {
        rows.push(row(
            text("好").typed(label),
            "continue",
            (200, Some(label), "好".as_bytes()),
        ));
    }
    for label in ["image/jpeg", "image/png", "IMAGE/PNG"] {
        let reply = status(200).typed(label).with(picture.clone());
        rows.push(row(reply, "continue", (200, Some(label), &picture)));
    }
    rows.push(row(
        file("a.bin", b"\0\xff".as_slice()),
        "continue",
        (200, None, b"\0\xff"),
    ));
    check(rows).await;
}

#[tokio::test]
async fn a_reject_passes_unchanged() {
    let png = picture(1, 1, [1, 2, 3], image::ImageFormat::Png).to_vec();
    let gbk = b"\xb2\xbb\xd0\xd0".to_vec();
    let disposition = "attachment; filename=\"why.png\"";
    check(vec![
        row(
            status(403).typed("image/png").with(png.clone()),
            "reject",
            (403, Some("image/png"), &png),
        ),
        row(
            status(403).typed("text/plain; charset=gbk").with(gbk.clone()),
            "reject",
            (403, Some("text/plain; charset=gbk"), &gbk),
        ),
        row(
            status(500).with(b"\xff\xfe\0".as_slice()),
            "reject",
            (500, None, b"\xff\xfe\0"),
        ),
        row(
            json_body("{").with("{").typed("application/json"),
            "failed",
            (204, None, b""),
        ),
        row(
            status(422).typed("application/json").with("{"),
            "reject",
            (422, Some("application/json"), b"{"),
        ),
    ])
    .await;

    let refuses = backend("refuses").replies(
        status(403)
            .typed("image/png")
            .header("Content-Disposition", disposition)
            .header("Set-Cookie", "a=b")
            .with(png),
    );
    let refuses = refuses.starts();
    let gateway = gateway().asks(&refuses).starts().await;
    let response = gateway
        .koipy()
        .fires("onMessage", &payload("onMessage", 0))
        .await
        .response;
    assert_eq!(response.header("content-disposition"), Some(disposition));
    assert_eq!(
        response.header("set-cookie"),
        None,
        "no other header of a backend is copied"
    );
}

// === who decides ===

#[tokio::test]
async fn the_first_reject_to_arrive_decides() {
    let slow = backend("slow").replies(reject(403, "slow").after(1_500)).starts();
    let fast = backend("fast").replies(reject(451, "fast").after(50)).starts();
    let later = backend("later").starts();
    let gateway = gateway()
        .backends([&slow, &fast, &later])
        .chain("onMessage", "[['slow', 'fast'], 'later']")
        .starts()
        .await;
    let begun = Instant::now();
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert!(
        begun.elapsed() < Duration::from_millis(1_000),
        "the answer leaves at once"
    );
    assert_eq!(
        (after.response.status, after.refusal(), after.goes_on),
        (451, "fast", false)
    );
    assert_eq!(later.asked(), 0, "a reject ends the chain");
    gateway
        .counts("koigate_backend_calls_total backend=fast verdict=reject", 1.0)
        .await;
    gateway
        .counts("koigate_backend_calls_total backend=slow verdict=cancelled", 1.0)
        .await;
    gateway
        .counts("koigate_backend_calls_total backend=later", 0.0)
        .await;
    gateway
        .counts("koigate_hooks_total hook=onMessage verdict=reject", 1.0)
        .await;
}

#[tokio::test]
async fn ordered_waits_for_the_earliest_in_configured_order() {
    let slow = backend("slow").replies(reject(403, "slow").after(300)).starts();
    let fast = backend("fast").rejects(451, "fast").starts();
    let gateway = gateway()
        .backends([&slow, &fast])
        .hook("onMessage", "chain = [['slow', 'fast']]\nreject = 'ordered'")
        .starts()
        .await;
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert_eq!((after.response.status, after.refusal()), (403, "slow"));
    gateway
        .counts("koigate_backend_calls_total backend=slow verdict=reject", 1.0)
        .await;
    gateway
        .counts("koigate_backend_calls_total backend=fast verdict=reject", 1.0)
        .await;
}

#[tokio::test]
async fn an_earlier_stage_rejects_before_a_later_one_is_asked() {
    let edits = backend("edits").sets("/addons/x", 1_i64).starts();
    let refuses = backend("refuses").rejects(403, "no").starts();
    let gateway = gateway()
        .backends([&edits, &refuses])
        .chain("onMessage", "['edits', 'refuses']")
        .chain("onResult", "['refuses', 'edits']")
        .starts()
        .await;
    for hook in ["onMessage", "onResult"] {
        let after = gateway.koipy().fires(hook, &payload(hook, 12)).await;
        assert_eq!((after.response.status, after.refusal()), (403, "no"), "{hook}");
    }
    assert_eq!((edits.asked(), refuses.asked()), (1, 2));
    assert_eq!(
        refuses.requests()[0].document().at("/addons/x"),
        &1_i64.into(),
        "sees the edit before it"
    );
}

// === the losers ===

/// One backend refuses at once; the other does as told. Gives the other back, and the gateway.
async fn loses(other: Told) -> (crate::support::backend::Backend, crate::support::gateway::Gateway) {
    let other = other.starts();
    // It refuses when the other has surely been asked.
    let refuses = backend("refuses").replies(reject(403, "no").after(100)).starts();
    let gateway = gateway()
        .backends([&other, &refuses])
        .chain("onMessage", "[['other', 'refuses']]")
        .chain("onResult", "['other']")
        .starts()
        .await;
    let begun = Instant::now();
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert_eq!(after.response.status, 403);
    assert!(
        begun.elapsed() < Duration::from_millis(600),
        "the answer does not wait"
    );
    // Kept alive beyond the answer, since a lost connection would end the calls by itself.
    drop(refuses);
    (other, gateway)
}

#[tokio::test]
async fn a_loser_that_hangs_is_cut_after_a_short_while() {
    let (other, gateway) = loses(backend("other").replies(script().stalls())).await;
    assert_eq!(other.open(), 1, "it gets a short while");
    let begun = Instant::now();
    other.has_open(0).await;
    assert!(
        begun.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        begun.elapsed()
    );
    gateway
        .counts("koigate_backend_calls_total backend=other verdict=cancelled", 1.0)
        .await;
    gateway
        .counts("koigate_backend_in_flight backend=other", 0.0)
        .await;
}

#[tokio::test]
async fn a_loser_that_ends_soon_keeps_its_connection() {
    let (other, gateway) = loses(backend("other").replies(no_content().after(200))).await;
    gateway
        .counts("koigate_backend_in_flight backend=other", 0.0)
        .await;
    gateway.koipy().fires("onResult", &payload("onResult", 1)).await;
    assert_eq!((other.opened(), other.asked()), (1, 2));
    gateway
        .counts(
            "koigate_backend_calls_total hook=onMessage backend=other verdict=cancelled",
            1.0,
        )
        .await;
}

#[tokio::test]
async fn a_loser_that_always_finishes_does() {
    let other = backend("other")
        .set("always_finish = true")
        .replies(no_content().after(900));
    let (other, gateway) = loses(other).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(other.open(), 1, "it is not cut");
    gateway
        .counts("koigate_backend_in_flight backend=other", 0.0)
        .await;
    gateway.koipy().fires("onResult", &payload("onResult", 1)).await;
    assert_eq!(
        (other.opened(), other.asked()),
        (1, 2),
        "it ended well, so its connection was kept"
    );
    gateway
        .counts(
            "koigate_backend_calls_total hook=onMessage backend=other verdict=cancelled",
            1.0,
        )
        .await;
}

#[tokio::test]
async fn a_caller_who_leaves_cancels_the_calls() {
    let hangs = backend("hangs").replies(script().stalls()).starts();
    let finishes = backend("finishes")
        .set("always_finish = true")
        .replies(no_content().after(900))
        .starts();
    let gateway = gateway().asks_at_once(&[&hangs, &finishes]).starts().await;
    let mut caller = gateway.connect().await;
    caller
        .write(gateway.koipy().request("/onMessage", b"{}"))
        .await
        .unwrap();
    hangs.was_asked(1).await;
    finishes.was_asked(1).await;
    let left = Instant::now();
    drop(caller);
    hangs.has_open(0).await;
    assert!(
        left.elapsed() < Duration::from_millis(2_000),
        "{:?}",
        left.elapsed()
    );
    assert_eq!(finishes.open(), 1);
    gateway.counts("koigate_hooks_in_flight", 0.0).await;
    gateway.counts("koigate_backend_in_flight", 0.0).await;
}

// === failures ===

/// Asks a backend with this policy once: the answer's status and text, and whether the call failed open.
async fn asked_once(policy: &str, reply: Reply) -> (u16, String, bool) {
    let backend = backend("alone").set(policy).replies(reply).starts();
    let gateway = gateway().asks(&backend).starts().await;
    let response = gateway
        .koipy()
        .fires("onMessage", &payload("onMessage", 0))
        .await
        .response;
    gateway.counts("koigate_hooks_total hook=onMessage", 1.0).await;
    let open = gateway
        .metrics()
        .await
        .value("koigate_fail_open_total hook=onMessage backend=alone");
    (response.status, response.text(), open > 0.0)
}

#[tokio::test]
async fn a_failure_follows_the_policy() {
    let broken = || json_body("{");
    let open = (204, String::new(), true);
    assert_eq!(asked_once("", broken()).await, open, "the default is to go on");
    assert_eq!(asked_once("on_failure = 'continue'", broken()).await, open);
    let (status, text, open) = asked_once("on_failure = 'reject'", broken()).await;
    assert!(
        status == 502 && !open && !text.is_empty(),
        "a person reads it: {text:?}"
    );
    let own = "on_failure = 'reject'\nfailure_message = '测试服务暂时不可用'";
    assert_eq!(
        asked_once(own, broken()).await,
        (502, "测试服务暂时不可用".into(), false)
    );
}

#[tokio::test]
async fn failure_statuses_are_failures_and_no_verdicts() {
    let statuses = "failure_statuses = ['5xx', 404, 422, 302]";
    let refuse = format!("{statuses}\non_failure = 'reject'\nfailure_message = 'sorry'");
    for (policy, code, expected) in [
        (&*refuse, 500, (502, "sorry", false)),
        (&*refuse, 599, (502, "sorry", false)),
        (&*refuse, 404, (502, "sorry", false)),
        (&*refuse, 422, (502, "sorry", false)),
        (&*refuse, 302, (502, "sorry", false)),
        (&*refuse, 403, (403, "own", false)),
        (&*refuse, 400, (204, "", false)),
        (statuses, 500, (204, "", true)),
        (statuses, 404, (204, "", true)),
        (statuses, 403, (403, "own", false)),
    ] {
        let (status, text, open) = asked_once(policy, reject(code, "own")).await;
        assert_eq!((status, text.as_str(), open), expected, "{code} under {policy}");
    }
}

#[tokio::test]
async fn a_failure_that_rejects_decides_from_its_moment() {
    let down = backend("down").set("on_failure = 'reject'").never_listens();
    let slow = backend("slow")
        .replies(png(1, 1, [0, 0, 0]).after(1_500))
        .starts();
    let gateway = gateway().asks_at_once(&[&slow, &down]).starts().await;
    let begun = Instant::now();
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    assert!(begun.elapsed() < Duration::from_millis(1_000));
    assert_eq!((after.response.status, after.goes_on), (502, false));
    gateway
        .counts("koigate_backend_calls_total backend=down verdict=failed", 1.0)
        .await;
    gateway
        .counts("koigate_backend_calls_total backend=slow verdict=cancelled", 1.0)
        .await;
}
