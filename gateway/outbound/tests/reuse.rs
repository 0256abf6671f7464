//! Connections are kept, taken again, and never trusted.

use std::time::Duration;

use koigate_core::failure::FailureKind;

use super::fake::{Act, Fake, no_content, ok, say};
use super::*;

/// Opened and reused so far.
fn counted(upstream: &Upstream) -> (u64, u64) {
    (
        upstream.connections.opened.get(),
        upstream.connections.reused.get(),
    )
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let exchanges = std::iter::repeat_n([Act::Hear, ok("hello")], 100)
        .flatten()
        .collect();
    let fake = Fake::start(vec![exchanges]).await;
    let upstream = upstream(&backend(fake.address));
    for _ in 0..100 {
        assert_eq!(ask(&upstream).await.unwrap().body, "hello");
    }
    assert_eq!((counted(&upstream), fake.accepted()), ((1, 99), 1));
}

#[tokio::test]
async fn a_connection_closed_under_the_request_is_invisible() {
    let good = vec![Act::Hear, no_content(), Act::Hear, ok("again"), Act::Hang];
    for end in [
        vec![Act::Hear],
        vec![Act::Hear, Act::Reset],
        vec![Act::HearSome(10), Act::Reset],
    ] {
        let closing = [vec![Act::Hear, no_content()], end].concat();
        let fake = Fake::start(vec![closing, good.clone()]).await;
        let upstream = upstream(&backend(fake.address));
        ask(&upstream).await.unwrap();
        ask(&upstream).await.unwrap();
        assert_eq!(ask(&upstream).await.unwrap().body, "again");
        assert_eq!((counted(&upstream), fake.accepted()), ((2, 1), 2));
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_used() {
    for end in [
        vec![],
        vec![Act::Reset],
        vec![say("HTTP/1.1 408 Timeout\r\n\r\n"), Act::Hang],
    ] {
        let closing = [
            vec![Act::Hear, no_content(), Act::Pause(Duration::from_millis(10))],
            end,
        ]
        .concat();
        let fake = Fake::start(vec![closing, vec![Act::Hear, ok("fresh"), Act::Hang]]).await;
        let upstream = upstream(&backend(fake.address));
        ask(&upstream).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(ask(&upstream).await.unwrap().body, "fresh");
        assert_eq!((counted(&upstream), fake.accepted()), ((2, 0), 2));
        assert_eq!(fake.heard().len(), 2, "the old connection was not written to");
    }
}

#[tokio::test]
async fn the_second_time_is_on_a_fresh_connection() {
    // Three connections that will be closed under their second request, then a good one.
    let closing = vec![
        Act::Hear,
        Act::Pause(Duration::from_millis(50)),
        no_content(),
        Act::Hear,
    ];
    let good = vec![Act::Hear, ok("fresh"), Act::Hang];
    let fake = Fake::start(vec![closing.clone(), closing.clone(), closing, good]).await;
    let upstream = upstream(&backend(fake.address));
    let together = tokio::join!(ask(&upstream), ask(&upstream), ask(&upstream));
    assert!(together.0.is_ok() && together.1.is_ok() && together.2.is_ok());
    assert_eq!(upstream.idle(), 3);
    assert_eq!(ask(&upstream).await.unwrap().body, "fresh");
    assert_eq!(fake.heard().len(), 5, "one request was written twice");
    assert_eq!((fake.accepted(), upstream.idle()), (4, 3));
}

#[tokio::test]
async fn only_an_unheard_request_is_sent_again() {
    // A byte of a reply, then the end; and a backend that hangs.
    let begun = vec![Act::Hear, no_content(), Act::Hear, say("H")];
    let hung = vec![Act::Hear, no_content(), Act::Hear, Act::Hang];
    for (script, kind) in [(begun, FailureKind::Reset), (hung, FailureKind::Timeout)] {
        let fake = Fake::start(vec![script, vec![Act::Hear, ok("fresh")]]).await;
        let upstream = upstream(&backend(fake.address));
        ask(&upstream).await.unwrap();
        let failure = ask_within(&upstream, "{}", Duration::from_millis(100))
            .await
            .unwrap_err();
        assert_eq!((failure.kind, fake.accepted()), (kind, 1));
    }
    // The fresh connection is closed as well: it is tried once, not for ever.
    let closing = vec![Act::Hear, no_content(), Act::Hear];
    let fake = Fake::start(vec![closing, vec![Act::Hear]]).await;
    let upstream = upstream(&backend(fake.address));
    ask(&upstream).await.unwrap();
    assert_eq!(ask(&upstream).await.unwrap_err().kind, FailureKind::Reset);
    assert_eq!(fake.accepted(), 2);
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let hung = vec![Act::Hear, no_content(), Act::Hear, Act::Hang];
    let fake = Fake::start(vec![hung]).await;
    let upstream = upstream(&backend(fake.address));
    ask(&upstream).await.unwrap();
    tokio::select! {
        biased;
        outcome = ask(&upstream) => panic!("{outcome:?}"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    assert_eq!((upstream.idle(), fake.heard().len()), (0, 2));
    fake.until_open(0).await;
}

#[tokio::test]
async fn connections_end_with_their_backend() {
    let fake = Fake::start(vec![vec![Act::Hear, no_content(), Act::Hang]]).await;
    let upstream = upstream(&backend(fake.address));
    ask(&upstream).await.unwrap();
    fake.until_open(1).await;
    drop(upstream);
    fake.until_open(0).await;
}
