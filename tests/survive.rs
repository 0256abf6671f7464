//! What befalls the process itself: it keeps serving, and is as before once that is over.
//!
//! Two of them take longer or need a library, and run by name alone:
//!
//! ```sh
//! cargo test --test koigate -- --ignored survive
//! ```

mod alone;
mod clock;
mod reloads;

use std::fs::OpenOptions;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use tokio::process::Command;
use tokio::time::sleep;

use self::alone::Alone;
use crate::operator::koigate;
use crate::support::backend::{Backend, backend};
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::wire::{Wire, bounded};

/// The lines of the log that nobody could take.
const DROPPED: &str = "koigate_log_lines_dropped_total";

fn guard() -> Backend {
    backend("guard").set("on_failure = 'reject'").starts()
}

// === descriptors ===

#[tokio::test]
async fn without_descriptors_it_serves_who_is_there_and_lets_others_in_later() {
    let guard = guard();
    let gateway = gateway().asks(&guard).starts().await;
    let hook = gateway.koipy().request("/onMessage", b"{}");
    let mut there = gateway.connect().await;
    let mut ask = async |status: u16| {
        there.write(&hook).await.unwrap();
        assert_eq!(
            bounded("an answer", there.response()).await.unwrap().status,
            status
        );
    };
    // The connection to the backend is kept from here on.
    ask(204).await;
    let most = |current: Option<u64>| {
        let limit = Rlimit {
            current,
            maximum: Some(4096),
        };
        prlimit(Some(gateway.pid()), Resource::Nofile, limit).unwrap();
    };
    most(Some(gateway.descriptors() as u64 + 4));
    let mut crowd = Vec::new();
    for _ in 0..16 {
        crowd.push(gateway.connect().await);
    }
    let words = "nobody can be accepted";
    gateway.logs(&[words, "Too many open files"]).await;
    ask(204).await;
    // Waits in the listener, like half of the crowd.
    let mut late = gateway.connect().await;
    late.write(&hook).await.unwrap();
    drop(crowd);
    let answer = tokio::time::timeout(Duration::from_secs(4), late.response()).await;
    assert_eq!(
        answer.expect("two seconds, and a slow machine").unwrap().status,
        204
    );
    most(Some(4096));
    ask(204).await;
    drop((there, late));
    let said = gateway.log().iter().filter(|line| line.contains(words)).count();
    assert_eq!(said, 1, "it is not said at every try");
    gateway.stops().await;
}

/// What the kernel lets this process open: softly and at most.
fn limits(alone: &Alone) -> (Option<u64>, Option<u64>) {
    let text = alone.process_file("limits");
    let line = text
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let mut numbers = line.split_whitespace().skip(3).map(|number| number.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[tokio::test]
async fn the_soft_limit_of_descriptors_is_raised_and_a_low_hard_one_warned_of() {
    let guard = guard();
    for (ulimit, most, warns) in [
        ("ulimit -Sn 256", None, false),
        ("ulimit -n 256", Some(256), true),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        let setup = gateway().server("max_connections = 1024").asks(&guard);
        let alone = Alone::starts_after(ulimit, setup, writer.into()).await;
        let (soft, hard) = limits(&alone);
        assert_eq!(soft, hard, "{ulimit}");
        assert!(most.is_none_or(|most| soft == Some(most)), "{ulimit}: {soft:?}");
        alone.stops().await;
        let log = std::io::read_to_string(reader).unwrap();
        assert_eq!(log.contains("fewer files may be open"), warns, "{ulimit}: {log}");
    }
}

// === the log ===

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_no_hook() {
    let guard = guard();
    let (reader, writer) = std::io::pipe().unwrap();
    let setup = gateway().log("level = 'trace'").asks(&guard);
    let alone = Alone::starts(setup, writer.into()).await;
    let hook = alone.koipy().request("/onMessage", b"{}");
    let mut wire = Wire::connect(alone.hooks).await;
    let mut hooks = 0;
    while alone.metric(DROPPED).await == 0.0 {
        for _ in 0..200 {
            wire.write(&hook).await.unwrap();
            assert_eq!(bounded("an answer", wire.response()).await.unwrap().status, 204);
        }
        hooks += 200;
        assert!(hooks < 40_000, "no line is dropped");
    }
    assert_eq!(
        alone
            .metric("koigate_hooks_total hook=onMessage verdict=continue")
            .await,
        f64::from(hooks)
    );
    drop(wire);
    // Nor does it hold up the end.
    alone.stops().await;
    drop(reader);
}

#[tokio::test]
async fn a_full_disk_loses_lines_and_nothing_else() {
    let guard = guard();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let alone = Alone::starts(gateway().asks(&guard), full.into()).await;
    // As many as the log's buffer takes, and more.
    for _ in 0..100 {
        let after = alone.koipy().fires("onMessage", &payload("onMessage", 0)).await;
        assert_eq!(after.response.status, 204);
    }
    assert!(alone.metric(DROPPED).await > 0.0);
    alone.stops().await;
}

#[tokio::test]
async fn a_command_whose_output_finds_no_room_says_so() {
    for arguments in [&["schema"][..], &["completions", "bash"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = koigate(arguments);
        command.stdout(full).stderr(Stdio::piped());
        let output = bounded("the end", command.spawn().unwrap().wait_with_output())
            .await
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("No space left on device"), "{arguments:?}: {said}");
    }
    // Nobody hears it where standard error is full too; the status says it.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = koigate(&["check", "missing.toml"]);
    let status = bounded("the end", command.stderr(full).status()).await.unwrap();
    assert_eq!(status.code(), Some(1));
}

// === the machine ===

#[tokio::test]
async fn busy_processors_fail_no_hook() {
    let guard = guard();
    let gateway = gateway().asks(&guard).starts().await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let spinning: Vec<_> = (0..2 * cores)
        .map(|_| {
            let mut spin = Command::new("sh");
            spin.args(["-c", "while :; do :; done"])
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        })
        .collect();
    for _ in 0..50 {
        let after = gateway.koipy().fires("onResult", &payload("onResult", 200)).await;
        assert_eq!(after.response.status, 204);
        sleep(Duration::from_millis(20)).await;
    }
    drop(spinning);
    let metrics = gateway.metrics().await;
    assert_eq!(
        metrics.sum("koigate_backend_failures_total"),
        0.0,
        "{}",
        metrics.text
    );
    gateway.signal(Signal::TERM);
    gateway.ends().await;
}
