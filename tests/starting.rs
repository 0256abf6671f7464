//! The real program at its start: what is in its way is said at once, and what a killed one leaves is not.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::sockets::Folder;
use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::load::{Manner, load};
use crate::support::reply::no_content;
use crate::support::wire::bounded;

/// A start that ends at once with 1, and with one line that says why in these words.
async fn fails(setup: Setup, words: &[&str]) {
    let begun = Instant::now();
    let (code, log) = setup.fails().await;
    assert_eq!(code, Some(1), "{log:#?}");
    let errors: Vec<_> = log.iter().filter(|line| line.starts_with("error:")).collect();
    let [error] = errors[..] else {
        panic!("one error: {log:#?}");
    };
    assert_eq!(Some(error), log.last(), "{log:#?}");
    let log = log.join("\n");
    for word in words {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_in_the_way_is_said_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let listens = format!("listen = '{taken}'");
    fails(
        gateway().server(&listens),
        &[&format!("can't listen on {taken}"), "in use"],
    )
    .await;
    fails(
        gateway().operators(&listens),
        &[&format!("can't listen on {taken}"), "in use"],
    )
    .await;
    fails(gateway().server("listen = '192.0.2.1:8600'"), &["192.0.2.1:8600"]).await;
    let secret = |token: &str| gateway().server(&format!("auth = {{ token = {token} }}"));
    fails(
        secret("{ file = '/nowhere/token' }"),
        &["/nowhere/token", "1 problem"],
    )
    .await;
    fails(
        secret("{ file = '/proc/self/mem' }"),
        &["/proc/self/mem", "1 problem"],
    )
    .await;
    fails(
        secret("{ env = 'KOIGATE_UNSET' }"),
        &["KOIGATE_UNSET", "1 problem"],
    )
    .await;
    fails(
        gateway().server("tls = { cert = 'none.pem', key = 'none.key' }"),
        &["none.pem"],
    )
    .await;
}

async fn answers_through(folder: &Folder) -> bool {
    let Ok(mut stream) = UnixStream::connect(folder.socket()).await else {
        return false;
    };
    let hook = "POST /onMessage HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    stream.write_all(hook.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 204 ")
}

/// The same setup on the addresses of a gateway that was.
fn in_the_place_of(before: &Gateway, folder: &Folder, quick: &Backend) -> Setup {
    gateway()
        .server(&format!(
            "listen = ['{}', 'unix:{}']",
            before.hooks,
            folder.socket().display()
        ))
        .operators(&format!("listen = '{}'", before.admin))
        .asks(quick)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_place_of_one_that_was_killed() {
    let folder = Folder::new();
    let quick = backend("quick").replies(no_content()).starts();
    let socket = format!("listen = ['127.0.0.1:0', 'unix:{}']", folder.socket().display());
    let mut running = gateway().server(&socket).asks(&quick).starts().await;
    for _ in 0..3 {
        // Connections that are open when it dies keep its port in use for a while.
        let bots = load(running.hooks, 8, Manner::Kept);
        let asked = quick.asked();
        quick.was_asked(asked + 50).await;
        let next = in_the_place_of(&running, &folder, &quick);
        running.signal(Signal::KILL);
        let gone = async {
            while running.lives() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        bounded("its end", gone).await;
        assert!(folder.socket().exists());
        bots.until_refused().await;

        let begun = Instant::now();
        let started = next.starts().await;
        assert!(answers_through(&folder).await);
        assert_eq!(started.koipy().posts("/onMessage", "{}").await.status, 204);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        running = started;
    }
    running.stops().await;
    assert!(fs::metadata(folder.socket()).is_err());
}
