//! Names and addresses: all of them are tried, none of them takes all the time.

use std::time::Duration;

use super::super::dial::Dialer;
use super::super::names::Names;
use super::fake::{Act, BlackHole, Fake, no_content, timed};
use super::*;

fn dialer(backend: &Backend) -> Dialer {
    Dialer::new(backend, &backend.replicas[0], &Connector::new().unwrap())
}

#[tokio::test]
async fn a_dead_address_takes_its_share_once() {
    let hole = BlackHole::start().await;
    let fake = Fake::start(vec![vec![Act::Hang]]).await;
    let refusing = SocketAddr::from(([127, 0, 0, 1], 1));
    let dialer = dialer(&backend(fake.address));
    let addresses = [hole.address, refusing, fake.address];
    let within = |time: u64| Instant::now() + Duration::from_millis(time);

    let (took, outcome) = timed(dialer.try_all(&addresses, within(600))).await;
    outcome.unwrap();
    assert!(
        (200..500).contains(&took.as_millis()),
        "a third of the time: {took:?}"
    );
    let (took, outcome) = timed(dialer.try_all(&addresses, within(600))).await;
    outcome.unwrap();
    assert!(
        took < Duration::from_millis(200),
        "the good one is remembered: {took:?}"
    );
    // What is remembered is no address of these, and no harm.
    dialer.try_all(&[fake.address], within(600)).await.unwrap();
    let failure = dialer.try_all(&[], within(600)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connect);
    let (took, outcome) = timed(dialer.try_all(&[hole.address, hole.address], within(200))).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Connect);
    assert!((200..500).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn localhost_is_wherever_the_service_listens() {
    let fake = Fake::start(vec![vec![Act::Hear, no_content(), Act::Hang]]).await;
    let mut backend = backend(fake.address);
    backend.replicas[0].host = "localhost".to_owned();
    ask(&upstream(&backend)).await.unwrap();
}

#[tokio::test]
async fn addresses_need_no_resolver() {
    for (host, address) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
        let addresses = Names::new(host, 80).addresses().await.unwrap();
        assert_eq!(addresses[..], [address.parse().unwrap()]);
    }
}

#[tokio::test]
async fn names_are_remembered_a_short_while() {
    let names = Names::new("localhost", 80);
    let first = names.addresses().await.unwrap();
    let second = names.addresses().await.unwrap();
    assert!(Arc::ptr_eq(&first, &second), "asked once");
    names.forget();
    let third = names.addresses().await.unwrap();
    assert!(!Arc::ptr_eq(&first, &third), "asked again");
    tokio::time::pause();
    tokio::time::advance(REMEMBERED).await;
    assert!(!Arc::ptr_eq(&third, &names.addresses().await.unwrap()), "too old");
}

#[tokio::test]
async fn who_asks_together_asks_once() {
    let names = Names::new("localhost", 80);
    let (first, second) = tokio::join!(names.addresses(), names.addresses());
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    // Whoever asked first may leave; the answer is not lost.
    let names = Arc::new(Names::new("localhost", 80));
    let asking = Arc::clone(&names);
    let asker = tokio::spawn(async move { asking.addresses().await.is_ok() });
    tokio::task::yield_now().await;
    asker.abort();
    names.addresses().await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_none_is_asked_for_again() {
    let names = Names::new(&"x".repeat(64), 80);
    assert!(names.addresses().await.is_err());
    assert!(names.addresses().await.is_err());
}
