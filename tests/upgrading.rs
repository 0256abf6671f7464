//! The real program in the place of itself: what passes from one process to the next, and when it does not.
//!
//! The test under load takes a few rounds; `KOIGATE_UPGRADES=20 cargo test --test koigate upgrading -- --nocapture`
//! takes as many as one likes, and prints what it has seen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};

use crate::sockets::Folder;
use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::load::{Manner, Tally, load};
use crate::support::reply::{no_content, status};

const HOOK: &str = "POST /onMessage HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

fn quick() -> Backend {
    backend("quick").replies(no_content().after(2)).starts()
}

/// A gateway that accepts hooks on a port and on this folder's socket.
fn listening_in(folder: &Folder, quick: &Backend) -> Setup {
    gateway()
        .server(&format!(
            "listen = ['127.0.0.1:0', 'unix:{}']",
            folder.socket().display()
        ))
        .asks(quick)
}

async fn answers(gateway: &Gateway) -> bool {
    gateway.koipy().posts("/onMessage", "{}").await.status == 204
}

async fn answers_through(folder: &Folder) -> bool {
    let mut stream = UnixStream::connect(folder.socket()).await.unwrap();
    stream.write_all(HOOK.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.starts_with("HTTP/1.1 204 ")
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_under_load() {
    let rounds: usize = std::env::var("KOIGATE_UPGRADES").map_or(4, |rounds| rounds.parse().unwrap());
    let (folder, quick) = (Folder::new(), quick());
    let setup = listening_in(&folder, &quick).log("level = 'info'");
    let mut gateway = setup.starts().await;
    let kept = load(gateway.hooks, 8, Manner::Kept);
    let fresh = load(gateway.hooks, 8, Manner::Fresh);
    for _ in 0..rounds {
        let asked = quick.asked();
        quick.was_asked(asked + 100).await;
        let former = gateway.is_upgraded().await;
        assert!(answers_through(&folder).await);
        let stopped = former.ends().await;
        assert!(stopped.took < Duration::from_secs(3), "{:?}", stopped.took);
    }
    let (kept, fresh) = (kept.ends().await, fresh.ends().await);
    for tally in [kept, fresh] {
        let Tally { lost, refused, .. } = tally;
        assert_eq!((lost, refused), (0, 0), "{tally:?}");
    }
    assert_eq!(kept.answered + fresh.answered + rounds, quick.asked());
    println!("{rounds} upgrades, none failed: kept {kept:?}, fresh {fresh:?}");
    gateway.stops().await;
    assert!(!folder.socket().exists(), "it goes with the last");
}

#[tokio::test]
async fn what_is_in_flight_finishes_where_it_began() {
    let slow = backend("slow")
        .replies(status(451).with("done").after(1500))
        .starts();
    let mut gateway = gateway().asks(&slow).starts().await;
    let mut waiting = gateway.connect().await;
    waiting.write(HOOK).await.unwrap();
    slow.was_asked(1).await;
    let former = gateway.is_upgraded().await;
    assert_eq!(
        gateway.admin("/readyz").await.status,
        200,
        "that of the successor"
    );
    assert_eq!(waiting.answered().await.text(), "done");
    let log = former.ends().await.log.join("\n");
    assert!(log.contains("another process accepts from here on"), "{log}");
}

#[tokio::test]
async fn a_signal_without_a_successor_is_ignored_and_logged() {
    let quick = quick();
    let gateway = gateway().asks(&quick).starts().await;
    gateway.signal(Signal::QUIT);
    gateway.logs(&["SIGQUIT is ignored", "--upgrade"]).await;
    assert!(answers(&gateway).await);
    gateway.stops().await;
}

#[tokio::test]
async fn who_is_not_fit_takes_nothing_over() {
    let (folder, quick) = (Folder::new(), quick());
    let mut gateway = listening_in(&folder, &quick).starts().await;
    let good = fs::read_to_string(gateway.config()).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap();
    let more = good.replacen("listen = [", &format!("listen = ['{taken}', "), 1);
    for (text, words) in [
        ("[server", "1 problem"),
        ("[server]\nlisten = 5", "1 problem"),
        (&more, "in use"),
    ] {
        gateway.rewrites(text);
        let (code, log) = gateway.is_not_upgraded().await;
        let log = log.join("\n");
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(words), "{log}");
        assert!(answers(&gateway).await && answers_through(&folder).await);
        assert!(folder.socket().exists());
    }
    gateway.logs(&["a successor has not taken over"]).await;
    gateway.rewrites(&good);
    let former = gateway.is_upgraded().await;
    former.ends().await;
    assert!(answers(&gateway).await && answers_through(&folder).await);
}

#[tokio::test]
async fn without_a_gateway_there_is_nobody_to_take_over_from() {
    let quick = quick();
    let gateway = gateway().asks(&quick).starts().await;
    let (folder, config) = (gateway.config().parent().unwrap(), gateway.config());
    let meeting = folder.join("upgrade");
    assert_eq!(
        fs::metadata(&meeting).unwrap().permissions().mode() & 0o777,
        0o700
    );
    // Another configuration is another gateway.
    let other = folder.join("other.toml");
    fs::copy(config, &other).unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_koigate"))
        .args(["run", "--upgrade", "--config"])
        .arg(&other)
        .env("RUNTIME_DIRECTORY", folder)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("error: no gateway runs this configuration"),
        "{said}"
    );
    assert!(answers(&gateway).await);
}

#[tokio::test]
async fn what_the_successor_is_not_configured_for_goes() {
    let (folder, quick) = (Folder::new(), quick());
    let mut gateway = listening_in(&folder, &quick).starts().await;
    let text = fs::read_to_string(gateway.config()).unwrap();
    let fewer = text.replacen(&format!(", 'unix:{}'", folder.socket().display()), "", 1);
    gateway.rewrites(&fewer);
    let former = gateway.is_upgraded().await;
    former.ends().await;
    assert!(!folder.socket().exists());
    assert!(answers(&gateway).await);
    // And back again.
    gateway.rewrites(&text);
    gateway.is_upgraded().await.ends().await;
    assert!(answers_through(&folder).await);
}

/// What a service manager hears, one message after the other.
fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 1024];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_is_told() {
    let (folder, quick) = (Folder::new(), quick());
    let socket = UnixDatagram::bind(folder.socket()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut gateway = gateway()
        .with_env("NOTIFY_SOCKET", folder.socket().to_str().unwrap())
        .asks(&quick)
        .starts()
        .await;
    assert_eq!(heard(&socket), "READY=1\n");
    gateway.signal(Signal::HUP);
    let reloading = heard(&socket);
    let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(moment.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(heard(&socket), "READY=1\n");
    let former = gateway.is_upgraded().await;
    let mut told = [heard(&socket), heard(&socket)];
    told.sort();
    let successor = gateway.id();
    assert_ne!(successor, former.id());
    assert_eq!(
        told,
        [
            format!("MAINPID={successor}\n"),
            format!("MAINPID={successor}\nREADY=1\n")
        ]
    );
    former.ends().await;
    gateway.stops().await;
    assert_eq!(heard(&socket), "STOPPING=1\n");
}
