//! The program with a log that goes elsewhere than into a test, or with something done before it starts.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep};

use crate::support::gateway::Setup;
use crate::support::koipy::Koipy;
use crate::support::scrape::Metrics;
use crate::support::wire::{PATIENCE, Wire, bounded};

/// A running program whose log nobody here reads.
pub(super) struct Alone {
    child: Child,
    folder: PathBuf,
    /// Where hooks are accepted.
    pub(super) hooks: SocketAddr,
    admin: SocketAddr,
}

impl Alone {
    /// Starts the program with this as its standard error, on ports that were free just before.
    pub(super) async fn starts(setup: Setup, log: Stdio) -> Self {
        Self::starts_after(":", setup, log).await
    }

    /// The same, by a shell that does this first.
    pub(super) async fn starts_after(first: &str, setup: Setup, log: Stdio) -> Self {
        let [hooks, admin] = [free().await, free().await];
        let setup = setup
            .server(&format!("listen = '{hooks}'"))
            .operators(&format!("listen = '{admin}'"));
        let name = format!("alone-{:08x}", fastrand::u32(..));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("koigate.toml"), setup.text()).unwrap();
        let mut shell = Command::new("sh");
        let child = shell
            .args(["-c", &format!("{first}; exec \"$@\""), "sh"])
            .args([env!("CARGO_BIN_EXE_koigate"), "run", "--config", "koigate.toml"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut alone = Self {
            child,
            folder,
            hooks,
            admin,
        };
        alone.comes_up().await;
        alone
    }

    async fn comes_up(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(self.hooks).await.is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "it does not come up: {ended:?}"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// A bot whose URL leads here.
    pub(super) fn koipy(&self) -> Koipy {
        Koipy::at(self.hooks)
    }

    /// Where its configuration is, and what else a test puts there.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the kernel says of the process in this file.
    pub(super) fn process_file(&self, name: &str) -> String {
        let id = self.child.id().expect("it runs");
        fs::read_to_string(format!("/proc/{id}/{name}")).unwrap()
    }

    /// The sum of the series that match (`name label=value`).
    pub(super) async fn metric(&self, series: &str) -> f64 {
        let mut wire = Wire::connect(self.admin).await;
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.admin
        );
        wire.write(request).await.unwrap();
        let answer = bounded("the metrics", wire.response()).await.unwrap();
        Metrics::read(answer.text()).sum(series)
    }

    /// Stops it as an init system does and asserts that it ends well.
    pub(super) async fn stops(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        kill_process(id.and_then(Pid::from_raw).expect("it runs"), Signal::TERM).unwrap();
        let status = bounded("the end of the program", self.child.wait())
            .await
            .unwrap();
        assert_eq!(status.code(), Some(0), "{status:?}");
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}
