//! Sockets that a service manager listens on and passes to the real program, as systemd does.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

use crate::sockets::Folder;
use crate::support::gateway::gateway;
use crate::support::wire::{bounded, whole_answer};

const HOOK: &str =
    "POST /unknown/path HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

/// The program with these two sockets as its third and fourth descriptor, as systemd passes them: it names the process
/// that they are meant for, which only a shell can know that becomes it.
fn passed(config: &Path, sockets: [OwnedFd; 2]) -> Command {
    let [first, second] = sockets;
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_PID=$$ exec \"$0\" run --config \"$1\"")
        .arg(env!("CARGO_BIN_EXE_koigate"))
        .arg(config)
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "hooks.socket:operators.socket")
        .env("RUNTIME_DIRECTORY", config.parent().unwrap())
        .stdin(Stdio::from(first))
        .stdout(Stdio::from(second))
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A configuration that listens at these places, in a file of its own.
fn configured(folder: &Folder, hooks: &str, operators: &str) -> PathBuf {
    let setup = gateway()
        .server(&format!("listen = '{hooks}'"))
        .operators(&format!("listen = '{operators}'"));
    let config = folder.socket().with_file_name("koigate.toml");
    std::fs::write(&config, setup.text()).unwrap();
    config
}

fn listening() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn who_came_before_the_program_is_answered() {
    let folder = Folder::new();
    let (hooks, operators) = (UnixListener::bind(folder.socket()).unwrap(), listening());
    let place = format!("unix:{}", folder.socket().display());
    let config = configured(&folder, &place, &operators.1);
    let hook = UnixStream::connect(folder.socket()).await.unwrap();
    let operator = TcpStream::connect(&operators.1).await.unwrap();
    let mut child = passed(&config, [hooks.into(), operators.0.into()])
        .spawn()
        .unwrap();
    assert!(whole_answer(hook, HOOK).await.starts_with("HTTP/1.1 404 "));
    assert!(whole_answer(operator, HOOK).await.starts_with("HTTP/1.1 "));
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = bounded("its end", child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(folder.socket().exists(), "it is the service manager's");
}

/// How the program ends that gets these two.
async fn fails(config: &Path, sockets: [OwnedFd; 2]) -> String {
    // Not its `output`, which would have a standard output of its own.
    let child = passed(config, sockets).spawn().unwrap();
    let Output { status, stderr, .. } = bounded("its end", child.wait_with_output()).await.unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

#[tokio::test]
async fn what_nobody_asked_for_is_named() {
    let folder = Folder::new();
    let (hooks, operators) = (listening(), listening());
    let config = configured(&folder, "127.0.0.1:0", &operators.1);
    let said = fails(&config, [hooks.0.into(), operators.0.into()]).await;
    let words = format!(
        "error: the service manager has passed a socket at {} (hooks.socket)",
        hooks.1
    );
    assert!(said.contains(&words), "{said}");
}

#[tokio::test]
async fn what_nobody_listens_on_is_named() {
    let folder = Folder::new();
    let (hooks, operators) = (listening(), listening());
    let config = configured(&folder, &hooks.1, &operators.1);
    // As with Accept=yes: a connection.
    let connected = std::net::TcpStream::connect(&operators.1).unwrap();
    let said = fails(&config, [hooks.0.into(), connected.into()]).await;
    assert!(
        said.contains("socket 2 operators.socket: nobody listens on it"),
        "{said}"
    );
    let file = std::fs::File::open(&config).unwrap();
    let said = fails(&config, [file.into(), operators.0.into()]).await;
    assert!(said.contains("socket 1 hooks.socket"), "{said}");
}
