//! Hooks over a Unix socket: who may connect, what stands in the way, what is left.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::UnixStream;

use crate::support::backend::backend;
use crate::support::gateway::{Setup, gateway};
use crate::support::tls::{Authority, Identity};
use crate::support::wire::{bounded, whole_answer};

/// A folder for sockets: short, since the path of one is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("koigate-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("hooks.sock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A gateway that accepts hooks on a port and on this socket.
fn listening_at(socket: &Path) -> Setup {
    gateway().server(&format!("listen = ['127.0.0.1:0', 'unix:{}']", socket.display()))
}

/// The whole answer to a hook through this socket.
async fn asks(socket: &Path) -> String {
    let hook = "POST /onMessage HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    whole_answer(UnixStream::connect(socket).await.unwrap(), hook).await
}

#[tokio::test]
async fn a_hook_through_a_socket() {
    let folder = Folder::new();
    let socket = folder.socket();
    let guard = backend("guard").rejects(403, "asked").starts();
    let gateway = listening_at(&socket).asks(&guard).starts().await;
    let shown = format!("unix:{}", socket.display());
    gateway.logs(&["listening", &shown, "hooks"]).await;
    let status = gateway.admin("/status").await.text();
    assert!(status.contains(&format!("{shown:?}")), "{status}");
    assert!(status.contains("\"tls\": false"), "{status}");
    let found = fs::metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    let answer = asks(&socket).await;
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("asked"),
        "{answer}"
    );
    assert_eq!(gateway.koipy().posts("/onMessage", "{}").await.status, 403);
    gateway.stops().await;
    assert!(!socket.exists(), "it is gone with the gateway");
}

#[tokio::test]
async fn nobody_speaks_tls_through_a_socket() {
    let folder = Folder::new();
    let (authority, guard) = (Authority::new(), backend("guard").rejects(403, "asked").starts());
    let identity = Identity::of(&authority);
    let setup = listening_at(&folder.socket()).server(&format!("tls = {{ {} }}", identity.keys()));
    let _gateway = setup.asks(&guard).starts().await;
    assert!(asks(&folder.socket()).await.ends_with("asked"));
}

#[tokio::test]
async fn what_a_killed_gateway_left_is_replaced() {
    let folder = Folder::new();
    let guard = backend("guard").rejects(403, "asked").starts();
    let killed = listening_at(&folder.socket()).asks(&guard).starts().await;
    killed.signal(Signal::KILL);
    let end = async { while UnixStream::connect(folder.socket()).await.is_ok() {} };
    bounded("its end", end).await;
    assert!(folder.socket().exists());
    let _gateway = listening_at(&folder.socket()).asks(&guard).starts().await;
    assert!(asks(&folder.socket()).await.ends_with("asked"));
}

/// Starts one where this stands: it ends at once with 1, and says what is wrong.
async fn fails_at(socket: &Path, words: &str) {
    let begun = Instant::now();
    let (code, log) = listening_at(socket).fails().await;
    assert_eq!(code, Some(1));
    let log = log.join("\n");
    assert!(log.contains(&format!("unix:{}", socket.display())), "{log}");
    assert!(log.contains(words), "{log}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_is_in_use_or_no_socket_is_left_alone() {
    let folder = Folder::new();
    let guard = backend("guard").rejects(403, "asked").starts();
    let gateway = listening_at(&folder.socket()).asks(&guard).starts().await;
    fails_at(&folder.socket(), "in use").await;
    assert!(
        asks(&folder.socket()).await.ends_with("asked"),
        "the first still answers"
    );
    drop(gateway);

    let file = folder.0.join("file");
    fs::write(&file, "mine").unwrap();
    fails_at(&file, "no socket").await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    fails_at(&folder.0.join("missing/hooks.sock"), "No such file").await;
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_socket() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let operators = format!("listen = '{}'", taken.local_addr().unwrap());
    let (code, _) = listening_at(&folder.socket()).operators(&operators).fails().await;
    assert_eq!(code, Some(1));
    assert!(!folder.socket().exists());
}

#[tokio::test]
async fn another_socket_in_its_place_is_left_alone() {
    let folder = Folder::new();
    let guard = backend("guard").rejects(403, "asked").starts();
    let gateway = listening_at(&folder.socket()).asks(&guard).starts().await;
    fs::remove_file(folder.socket()).unwrap();
    let _theirs = UnixListener::bind(folder.socket()).unwrap();
    gateway.stops().await;
    assert!(folder.socket().exists());
}
