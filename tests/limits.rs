//! Bounds: calls at once, memory, descriptors; and that what reached one recovers.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::backend::{at_first, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::payload::payload;
use crate::support::reply::{json_body, no_content, text};
use crate::support::script::{Script, script};

#[tokio::test]
async fn a_backend_at_max_in_flight_is_overloaded_at_once() {
    let busy = backend("busy")
        .set("max_in_flight = 1")
        .replies(no_content().after(800))
        .starts();
    let other = backend("other").replies(text("well")).starts();
    let gateway = gateway()
        .backends([&busy, &other])
        .chain("onMessage", "['busy']")
        .chain("onResult", "[['busy', 'other']]")
        .starts()
        .await;
    let bot = gateway.koipy();
    let second = async {
        busy.was_asked(1).await;
        let begun = Instant::now();
        let response = bot.posts("/onResult", "{}").await;
        (response.text(), begun.elapsed())
    };
    let (first, (answer, took)) = tokio::join!(bot.posts("/onMessage", "{}"), second);
    assert_eq!((first.status, &*answer), (204, "well"));
    assert!(took < Duration::from_millis(500), "at once: {took:?}");
    assert_eq!(busy.asked(), 1);
    gateway
        .counts(
            "koigate_backend_failures_total hook=onResult backend=busy kind=overloaded",
            1.0,
        )
        .await;
    bot.posts("/onMessage", "{}").await;
    assert_eq!(busy.asked(), 2, "it recovers");
}

/// The resident memory of the gateway in bytes, at its highest.
fn peak(gateway: &Gateway) -> u64 {
    gateway.status_of("VmHWM:") * 1024
}

#[tokio::test]
async fn eight_megabytes_of_small_objects_stay_small() {
    let objects = format!("[{}0]", "{\"a\":0},".repeat(1 << 20));
    let many = backend("many").replies(json_body(objects.clone())).starts();
    let grown = backend("grown")
        .replies(json_body(format!("{{\"result\": {objects}}}")))
        .starts();
    let setup: Setup = gateway()
        .asks_at_once(&[&many, &grown])
        .server("deadline = '15s'");
    let gateway = setup.defaults("timeout = '14s'").starts().await;
    let before = peak(&gateway);
    let response = gateway
        .koipy()
        .posts("/onResult", payload("onResult", 12).dumps())
        .await;
    assert_eq!(response.status, 200);
    let grew = peak(&gateway) - before;
    assert!(grew < 120 << 20, "{} MiB", grew >> 20);
}

#[tokio::test]
async fn one_bad_connection_among_good_ones_is_no_matter() {
    // Half of the kept connections turn bad in every way that a reply can end early.
    let ends = [script().closes(), script().resets()];
    let flaky = backend("flaky").replies_with(move |request| match request.earlier {
        0 | 1 => Script::from(no_content()),
        odd => ends[odd % 2].clone(),
    });
    let flaky = flaky.starts();
    let gateway = gateway().asks(&flaky).starts().await;
    let bot = gateway.koipy();
    for _ in 0..10 {
        let answers = join_all((0..8).map(|_| bot.posts("/onMessage", "{}"))).await;
        assert!(answers.iter().all(|answer| answer.status == 204));
    }
    gateway.counts("koigate_backend_failures_total", 0.0).await;
    gateway
        .counts("koigate_backend_calls_total backend=flaky verdict=continue", 80.0)
        .await;
}

#[tokio::test]
async fn a_backend_that_comes_back_is_used_again() {
    let healed = backend("healed")
        .replies_with(at_first(no_content(), script().closes()))
        .starts();
    let gateway = gateway().asks(&healed).starts().await;
    let before = gateway.descriptors();
    for _ in 0..20 {
        gateway.koipy().posts("/onMessage", "{}").await;
    }
    gateway
        .counts("koigate_backend_in_flight backend=healed", 0.0)
        .await;
    let after = gateway.descriptors();
    assert!(after <= before + 4, "descriptors: {before} before, {after} after");
}
