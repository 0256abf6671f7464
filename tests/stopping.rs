//! The real program told to stop: who is still let in, who is waited for, what holds nothing up.
//!
//! The test under load takes a few rounds; `KOIGATE_DRAINS=100 cargo test --test koigate stopping -- --nocapture`
//! takes as many as one likes, and prints what it has seen.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, Stopped, gateway};
use crate::support::load::{Load, Manner, load};
use crate::support::reply::{no_content, status};
use crate::support::tls::{Authority, Identity};
use crate::support::wire::{Wire, bounded};

const HOOK: &str = "POST /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";

/// A backend that takes so many milliseconds and then refuses, so that its word shows that a hook came through.
fn taking(ms: u64) -> Backend {
    backend("slow")
        .replies(status(451).with("done").after(ms))
        .starts()
}

/// What became of one more hook: its status, and whether more may be asked on its connection.
async fn asks(gateway: &Gateway) -> (u16, bool) {
    let mut wire = gateway.connect().await;
    wire.write(HOOK).await.unwrap();
    let response = wire.answered().await;
    (response.status, response.header("connection") != Some("close"))
}

#[tokio::test]
async fn a_lame_duck_lets_callers_in_and_tells_them_to_go() {
    let slow = taking(0);
    let gateway = gateway()
        .server("lame_duck = '1500ms'")
        .asks(&slow)
        .starts()
        .await;
    let mut kept = gateway.connect().await;
    kept.write(HOOK).await.unwrap();
    assert_eq!(kept.answered().await.header("connection"), None);
    assert_eq!(asks(&gateway).await, (451, true));

    gateway.signal(Signal::TERM);
    gateway.logs(&["callers may stay"]).await;
    assert_eq!(gateway.admin("/readyz").await.status, 503);
    assert_eq!(asks(&gateway).await, (451, false));
    kept.write(HOOK).await.unwrap();
    assert_eq!(kept.answered().await.header("connection"), Some("close"));
    assert_eq!(kept.closed().await, "");

    let idle = gateway.connect().await;
    gateway.logs(&["hooks in flight finish"]).await;
    gateway.ends().await;
    drop(idle);
}

#[tokio::test]
async fn nobody_at_a_terminal_waits_for_a_lame_duck() {
    let slow = taking(0);
    let gateway = gateway().server("lame_duck = '1h'").asks(&slow).starts().await;
    gateway.signal(Signal::INT);
    gateway.ends().await;
}

/// A gateway whose one hook takes too long, told to stop like this: how it ends.
async fn cut(server: &str, stops: &[Signal]) -> Stopped {
    let slow = taking(600_000);
    let gateway = gateway()
        .server(&format!("deadline = '1h'\n{server}"))
        .defaults("timeout = '1h'")
        .asks(&slow)
        .starts()
        .await;
    let mut waiting = gateway.connect().await;
    waiting.write(HOOK).await.unwrap();
    slow.was_asked(1).await;
    for stop in stops {
        gateway.signal(*stop);
        gateway.logs(&["stopping"]).await;
    }
    let stopped = gateway.ends_with(1).await;
    assert_eq!(waiting.closed().await, "");
    stopped
}

#[tokio::test]
async fn what_takes_too_long_is_cut_counted_and_logged() {
    for (server, stops) in [
        ("drain = '300ms'", &[Signal::TERM][..]),
        ("drain = '0s'", &[Signal::INT]),
        ("drain = '1h'", &[Signal::TERM, Signal::TERM]),
        ("drain = '1h'", &[Signal::INT, Signal::INT]),
        ("lame_duck = '1h'", &[Signal::TERM, Signal::INT]),
    ] {
        let stopped = cut(server, stops).await;
        let cut = |line: &String| line.contains("requests under way") && line.contains("connections=1");
        assert!(stopped.log.iter().any(cut), "{server} {:#?}", stopped.log);
        assert!(stopped.took < Duration::from_secs(10), "{:?}", stopped.took);
    }
}

#[tokio::test]
async fn both_change_while_it_runs() {
    let slow = taking(600_000);
    let setup = |drain| {
        gateway()
            .server(&format!("deadline = '1h'\ndrain = '{drain}'"))
            .defaults("timeout = '1h'")
            .asks(&slow)
    };
    let gateway = setup("1h").starts().await;
    let mut waiting = gateway.connect().await;
    waiting.write(HOOK).await.unwrap();
    slow.was_asked(1).await;
    gateway.rewrites(&setup("100ms").text());
    gateway.logs(&["server: drain"]).await;
    gateway.signal(Signal::TERM);
    gateway.ends_with(1).await;
}

#[tokio::test]
async fn who_has_not_said_anything_holds_nothing_up() {
    let (authority, slow) = (Authority::new(), taking(0));
    let identity = Identity::of(&authority);
    let gateway = gateway()
        .server(&format!("tls = {{ {} }}", identity.keys()))
        .asks(&slow)
        .starts()
        .await;
    let silent = TcpStream::connect(gateway.hooks).await.unwrap();
    // The first bytes of a handshake of which the rest never comes.
    let mut stalled = TcpStream::connect(gateway.hooks).await.unwrap();
    stalled.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    // Once this one is turned away the others have been accepted.
    let mut clear = Wire::connect(gateway.hooks).await;
    clear.write(HOOK).await.unwrap();
    assert_eq!(clear.answered().await.status, 400);
    gateway.signal(Signal::TERM);
    let stopped = gateway.ends().await;
    assert!(stopped.took < Duration::from_secs(3), "{:?}", stopped.took);
    assert_eq!(stalled.read(&mut [0]).await.ok().unwrap_or(0), 0);
    drop(silent);
}

/// One drain under load: how many hooks were answered, and from the last answer to the end of the process.
async fn drains(lame_duck: &str, manner: Manner, after: Duration) -> (usize, Duration) {
    let quick = backend("quick").replies(no_content().after(3)).starts();
    let gateway = gateway()
        .server(&format!("lame_duck = '{lame_duck}'"))
        .log("level = 'warn'")
        .asks(&quick)
        .starts_silently()
        .await;
    let bots: Load = load(gateway.hooks, 16, manner);
    quick.was_asked(16).await;
    sleep(after).await;
    gateway.signal(Signal::TERM);
    let ended = async {
        gateway.ends().await;
        Instant::now()
    };
    let ((tally, last), ended) =
        bounded("the drain", async { tokio::join!(bots.until_refused(), ended) }).await;
    assert_eq!(tally.answered, quick.asked(), "{tally:?}");
    assert_eq!(tally.lost, 0, "{tally:?}");
    (tally.answered, ended - last.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn drains_under_load() {
    let rounds: u32 = std::env::var("KOIGATE_DRAINS").map_or(4, |rounds| rounds.parse().unwrap());
    let (mut hooks, mut longest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let lame_duck = if round % 4 < 2 { "0s" } else { "300ms" };
        let manner = if round % 2 == 0 {
            Manner::Fresh
        } else {
            Manner::Kept
        };
        let after = Duration::from_millis(u64::from(round % 50));
        let (answered, took) = drains(lame_duck, manner, after).await;
        (hooks, longest) = (hooks + answered, longest.max(took));
        assert!(took < Duration::from_secs(2), "{round}: {took:?}");
    }
    println!(
        "{rounds} drains, {hooks} hooks answered, none lost; at most {longest:?} from the last answer to the end"
    );
}
