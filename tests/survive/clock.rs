//! The system's clock, set back by a year while hooks run. Nothing waits by it: it only stamps what is shown.
//!
//! libfaketime stands in for whoever sets it (Debian: `apt-get install libfaketime`).

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::alone::Alone;
use crate::support::backend::backend;
use crate::support::gateway::gateway;
use crate::support::reply::{no_content, reject};
use crate::support::script::script;

/// Where Debian has it, for this machine's kind of processor.
fn library() -> String {
    let path = format!(
        "/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1",
        std::env::consts::ARCH
    );
    assert!(
        Path::new(&path).exists(),
        "{path} is missing: apt-get install libfaketime"
    );
    path
}

#[tokio::test]
#[ignore = "needs libfaketime"]
async fn a_clock_that_is_set_back_a_year_changes_no_wait() {
    let guard = backend("guard")
        .on("onMessage", reject(403, "no"))
        .on("onResult", no_content())
        .starts();
    let broken = backend("broken")
        .set("timeout = '300ms'\nbreaker = { failures = 2, cool_off = '1s' }")
        .replies(script().stalls())
        .starts();
    let setup = gateway()
        .backends([&guard, &broken])
        .chain("onMessage", "['guard']")
        .chain("onPreSend", "['broken']");
    // The shell's folder is that of the configuration.
    let first = format!(
        "echo +0 >clock; export LD_PRELOAD={} FAKETIME_TIMESTAMP_FILE=$PWD/clock FAKETIME_NO_CACHE=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1",
        library()
    );
    let alone = Alone::starts_after(&first, setup, Stdio::null()).await;
    let fires = async |hook: &str| alone.koipy().posts(&format!("/{hook}"), "{}").await;
    let year = |date: &str| date.split(' ').nth(3).unwrap().parse::<i32>().unwrap();
    let now = year(fires("onMessage").await.header("date").unwrap());
    for _ in 0..2 {
        assert_eq!(fires("onPreSend").await.status, 204);
    }
    assert_eq!(
        alone.metric("koigate_backend_breaker_open backend=broken").await,
        1.0
    );

    fs::write(alone.folder().join("clock"), "-366d\n").unwrap();
    let answer = fires("onMessage").await;
    assert_eq!(answer.status, 403);
    let then = year(answer.header("date").unwrap());
    assert!(then < now, "the clock was not set back: {now}, {then}");

    // The breaker lets a call through when its second is over, and a call ends at its timeout.
    let begun = Instant::now();
    while broken.asked() < 3 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the breaker waits for the old year"
        );
        assert_eq!(fires("onPreSend").await.status, 204);
        sleep(Duration::from_millis(50)).await;
    }
    // A file that is now older than the one before is another all the same.
    let config = alone.folder().join("koigate.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("['guard']", "[]")).unwrap();
    let begun = Instant::now();
    while alone.metric("koigate_config_reloads_total").await == 0.0 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the change is not noticed"
        );
        sleep(Duration::from_millis(50)).await;
    }
    alone.stops().await;
}
