//! Replies that are odd and yet answers.

use std::time::{Duration, Instant};

use crate::support::backend::backend;
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::reply::{json_body, reject, status};
use crate::support::script::script;

#[tokio::test]
async fn an_answer_before_the_request_was_read_is_used_if_it_is_whole() {
    let whole = reject(403, "early").to_wire();
    let document = payload("onResult", 2_000).dumps();
    for (what, end, expected) in [
        (
            "then resets",
            script().reads_the_head().sends(whole.clone()).waits(100).resets(),
            403,
        ),
        (
            "then closes",
            script().reads_the_head().sends(whole.clone()).waits(100).closes(),
            403,
        ),
        (
            "then stalls",
            script().reads_the_head().sends(whole.clone()).waits(60_000),
            403,
        ),
        (
            "cut short",
            script()
                .reads_the_head()
                .sends(whole.slice(..whole.len() - 1))
                .waits(100)
                .resets(),
            204,
        ),
    ] {
        let early = backend("early").greets(end).starts();
        let gateway = gateway().asks(&early).starts().await;
        let begun = Instant::now();
        let response = gateway.koipy().posts("/onResult", &document).await;
        assert_eq!(response.status, expected, "{what}: {response:?}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{what}");
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let target = backend("target").rejects(403, "followed").starts();
    let location = format!("http://{}/onMessage", target.address);
    let moved = backend("moved")
        .replies_with(move |_| status(307).header("Location", &location))
        .starts();
    let gateway = gateway().asks(&moved).starts().await;
    assert_eq!(gateway.koipy().posts("/onMessage", "{}").await.status, 204);
    assert_eq!((moved.asked(), target.asked()), (1, 0));
    gateway
        .counts("koigate_backend_calls_total backend=moved verdict=ignored", 1.0)
        .await;
}

/// The same connection serves the next hook although the JSON of the last did not parse.
#[tokio::test]
async fn a_reply_that_is_only_meaningless_keeps_its_connection() {
    let broken = backend("broken").replies(json_body("{")).starts();
    let gateway = gateway().asks(&broken).starts().await;
    for _ in 0..3 {
        gateway.koipy().posts("/onMessage", "{}").await;
    }
    assert_eq!((broken.opened(), broken.asked()), (1, 3));
}
