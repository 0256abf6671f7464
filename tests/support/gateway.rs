//! The real program as a child process: configured, started, watched, stopped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::backend::Backend;
use super::canary;
use super::koipy::Koipy;
use super::scrape::Metrics;
use super::wire::{PATIENCE, Response, Wire, bounded};

/// So many lines of its log are shown where a test fails: an hour has hundreds of thousands.
const SHOWN: usize = 2_000;

/// A running gateway. Dropped, it is killed; its log is shown where the test fails.
pub(crate) struct Gateway {
    child: Child,
    log: Log,
    config: PathBuf,
    listening: Listening,
    environment: Vec<(String, String)>,
    /// Where hooks are accepted.
    pub(crate) hooks: SocketAddr,
    /// Where the operator looks.
    pub(crate) admin: SocketAddr,
}

/// Whether anybody listens for canaries when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Listening {
    #[default]
    Always,
    /// It is told one that has to come out.
    Never,
}

/// A gateway that is still being configured.
#[derive(Default)]
pub(crate) struct Setup {
    server: String,
    admin: String,
    log: String,
    defaults: String,
    tables: String,
    environment: Vec<(String, String)>,
    listening: Listening,
}

/// A gateway that another process has taken over from.
pub(crate) struct Former {
    child: Child,
    log: Log,
}

/// How a gateway ended.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// Everything that it has logged.
    pub(crate) log: Vec<String>,
    /// From the signal to the end of the process.
    pub(crate) took: Duration,
}

/// Lines that a child has written so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

/// A gateway that listens on free ports of 127.0.0.1 and has nothing configured yet.
pub(crate) fn gateway() -> Setup {
    Setup::default()
}

// === impl Setup ===

impl Setup {
    /// Further keys of `[server]`: lines of TOML.
    pub(crate) fn server(mut self, lines: &str) -> Self {
        self.server += &format!("{lines}\n");
        self
    }

    /// Further keys of `[admin]`.
    pub(crate) fn operators(mut self, lines: &str) -> Self {
        self.admin += &format!("{lines}\n");
        self
    }

    /// Further keys of `[log]`.
    pub(crate) fn log(mut self, lines: &str) -> Self {
        self.log += &format!("{lines}\n");
        self
    }

    /// Further keys of `[defaults]`.
    pub(crate) fn defaults(mut self, lines: &str) -> Self {
        self.defaults += &format!("{lines}\n");
        self
    }

    /// Knows these backends.
    pub(crate) fn backends<'a>(mut self, backends: impl IntoIterator<Item = &'a Backend>) -> Self {
        for backend in backends {
            self.tables += &backend.to_toml();
        }
        self
    }

    /// Knows one backend of this name with these replicas and further keys.
    pub(crate) fn replicas(mut self, name: &str, replicas: &[&Backend], lines: &str) -> Self {
        let urls: Vec<_> = replicas
            .iter()
            .map(|replica| format!("'http://{}/{{hook}}'", replica.address))
            .collect();
        self.tables += &format!("[backends.{name}]\nurl = [{}]\n{lines}\n", urls.join(", "));
        self
    }

    /// Runs this chain for hooks of this name: `[['a', 'b'], 'c']`.
    pub(crate) fn chain(self, hook: &str, chain: &str) -> Self {
        self.hook(hook, &format!("chain = {chain}"))
    }

    /// Has this table for hooks of this name.
    pub(crate) fn hook(mut self, hook: &str, lines: &str) -> Self {
        self.tables += &format!("[hooks.{hook}]\n{lines}\n");
        self
    }

    /// Asks one backend, whatever the hook.
    pub(crate) fn asks(self, backend: &Backend) -> Self {
        let chain = format!("['{}']", backend.name);
        let known = self
            .backends([backend])
            .chain("onMessage", &chain)
            .chain("onPreSend", &chain);
        known.chain("onResult", &chain)
    }

    /// Asks these backends at the same time, whatever the hook.
    pub(crate) fn asks_at_once(self, backends: &[&Backend]) -> Self {
        let names: Vec<_> = backends
            .iter()
            .map(|backend| format!("'{}'", backend.name))
            .collect();
        let chain = format!("[[{}]]", names.join(", "));
        let known = self.backends(backends.iter().copied());
        known
            .chain("onMessage", &chain)
            .chain("onPreSend", &chain)
            .chain("onResult", &chain)
    }

    /// Sets a variable of its environment.
    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Is told a canary where it can't but show it.
    pub(crate) fn sings_on_purpose(mut self) -> Self {
        self.listening = Listening::Never;
        self
    }

    /// Starts the program and waits until it is ready.
    pub(crate) async fn starts(self) -> Gateway {
        let config = self.write();
        let (child, log) = spawn(&config, &self.environment, &[]);
        let mut starting = Starting {
            child,
            log: log.clone(),
        };
        let hooks = starting.address("hooks").await;
        let admin = starting.address("admin").await;
        let gateway = Gateway {
            child: starting.child,
            log,
            config,
            listening: self.listening,
            environment: self.environment,
            hooks,
            admin,
        };
        gateway.is_ready().await;
        gateway
    }

    /// Starts a program that logs too little to say where it listens, on two ports that were free just before.
    pub(crate) async fn starts_silently(mut self) -> Gateway {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (server, operators) = (self.server.clone(), self.admin.clone());
        loop {
            let [hooks, admin] = [free(), free()].map(|listener| listener.local_addr().expect("an address"));
            self.server = format!("{server}listen = '{hooks}'\n");
            self.admin = format!("{operators}listen = '{admin}'\n");
            let config = self.write();
            let (child, log) = spawn(&config, &self.environment, &[]);
            let mut gateway = Gateway {
                child,
                log,
                config,
                listening: self.listening,
                environment: self.environment.clone(),
                hooks,
                admin,
            };
            if gateway.comes_up().await {
                gateway.is_ready().await;
                return gateway;
            }
            // Somebody was faster with one of the ports.
        }
    }

    /// Starts the program with a configuration that can't work and waits for its end: code and log.
    pub(crate) async fn fails(self) -> (Option<i32>, Vec<String>) {
        let config = self.write();
        let (mut child, log) = spawn(&config, &self.environment, &[]);
        let status = bounded("the end of the program", child.wait())
            .await
            .expect("a child");
        // The pipe may hold more than was read when the process ended.
        sleep(Duration::from_millis(50)).await;
        leave(&config);
        let found = canary::found_in(&log.lines().join("\n"));
        assert!(found.is_empty(), "{found:?} in\n{}", log.lines().join("\n"));
        (status.code(), log.lines())
    }

    /// The configuration as it is written.
    pub(crate) fn text(&self) -> String {
        let listen = |lines: &str| {
            if lines.contains("listen") {
                ""
            } else {
                "listen = \"127.0.0.1:0\"\n"
            }
        };
        let Self {
            server,
            admin,
            log,
            defaults,
            tables,
            ..
        } = self;
        let (hooks, operators) = (listen(server), listen(admin));
        format!(
            "[server]\n{hooks}{server}[admin]\n{operators}{admin}[log]\n{log}[defaults]\n{defaults}{tables}"
        )
    }

    /// In a folder of its own, since the program watches it.
    fn write(&self) -> PathBuf {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gateway-{}-{count}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("cargo's folder for temporary files");
        let path = folder.join("koigate.toml");
        fs::write(&path, self.text()).expect("a folder of our own");
        path
    }
}

// === impl Gateway ===

impl Gateway {
    /// A bot whose URL leads here.
    pub(crate) fn koipy(&self) -> Koipy {
        Koipy::at(self.hooks)
    }

    /// A bare connection to the side of the hooks.
    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.hooks).await
    }

    /// Sends these bytes on a connection of their own and reads the answer.
    pub(crate) async fn answers(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut wire = self.connect().await;
        wire.write(bytes).await.expect("the gateway reads");
        wire.answered().await
    }

    /// `GET path` on the admin address.
    pub(crate) async fn admin(&self, path: &str) -> Response {
        let mut wire = Wire::connect(self.admin).await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.admin
        );
        wire.write(request).await.expect("the admin side reads");
        wire.answered().await
    }

    /// Sends these bytes to the admin address, on a connection of their own, and reads the answer.
    pub(crate) async fn tells(&self, bytes: impl AsRef<[u8]>) -> Response {
        let mut wire = Wire::connect(self.admin).await;
        wire.write(bytes).await.expect("the admin side reads");
        wire.answered().await
    }

    /// `/metrics` as it is now.
    pub(crate) async fn metrics(&self) -> Metrics {
        let response = self.admin("/metrics").await;
        assert_eq!(response.status, 200, "{response:?}");
        Metrics::read(response.text())
    }

    /// Waits until a series (`name label=value`) has this value: a hook is counted just after its answer.
    pub(crate) async fn counts(&self, series: &str, expected: f64) {
        let begun = Instant::now();
        loop {
            let metrics = self.metrics().await;
            let value = metrics.sum(series);
            if (value - expected).abs() < 1e-9 {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{series} is {value}, not {expected}:\n{}",
                metrics.text
            );
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Waits for a line of the log that holds all of these, and gives it back.
    pub(crate) async fn logs(&self, parts: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let lines = self.log();
            if let Some(line) = lines
                .iter()
                .find(|line| parts.iter().all(|part| line.contains(part)))
            {
                return line.clone();
            }
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "no line with {parts:?} in\n{}",
                lines.join("\n")
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The line of the hook that got this answer.
    pub(crate) async fn line_of(&self, response: &Response) -> String {
        let id = response.header("x-request-id").expect("every answer has an id");
        self.logs(&[id, "verdict"]).await
    }

    /// Where its configuration is.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// Puts another configuration in the place of its own, as editors do: whole, by renaming.
    pub(crate) fn rewrites(&self, text: &str) {
        let beside = self.config.with_extension("toml~");
        fs::write(&beside, text).expect("a folder of our own");
        fs::rename(&beside, &self.config).expect("a folder of our own");
    }

    /// Starts another process in the place of the running one, which is given back once the other has taken over.
    pub(crate) async fn is_upgraded(&mut self) -> Former {
        let (child, log) = spawn(&self.config, &self.environment, &["--upgrade"]);
        let mut starting = Starting {
            child,
            log: log.clone(),
        };
        starting.address("hooks").await;
        let former = Former {
            child: std::mem::replace(&mut self.child, starting.child),
            log: std::mem::replace(&mut self.log, log),
        };
        self.is_ready().await;
        former
    }

    /// Starts another process that can't come in the place of the running one: code and log.
    pub(crate) async fn is_not_upgraded(&self) -> (Option<i32>, Vec<String>) {
        let (mut child, log) = spawn(&self.config, &self.environment, &["--upgrade"]);
        let status = bounded("the end of the program", child.wait())
            .await
            .expect("a child");
        sleep(Duration::from_millis(50)).await;
        (status.code(), log.lines())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("our own child");
    }

    /// Which process it is.
    pub(crate) fn pid(&self) -> Pid {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw).expect("it runs")
    }

    /// What it has given away so far of what it is to keep: where, and the word.
    pub(crate) fn heard(&self) -> Vec<(String, &'static str)> {
        let logged = canary::found_in(&self.log().join("\n"));
        let logged = logged.into_iter().map(|word| ("the log".to_owned(), word));
        logged.chain(canary::shown_at(self.admin)).collect()
    }

    /// Asserts that it has kept every secret. Which of them is shown with its place; the log is by whoever fails.
    fn keeps_secrets(&self) {
        if self.listening == Listening::Always {
            assert_eq!(self.heard(), [], "the gateway gives away what it is to keep");
        }
    }

    /// Stops it as an init system does and asserts that it ends well.
    pub(crate) async fn stops(self) -> Stopped {
        self.keeps_secrets();
        self.signal(Signal::TERM);
        self.ends().await
    }

    /// Waits for its end, which has to be a good one.
    pub(crate) async fn ends(self) -> Stopped {
        self.ends_with(0).await
    }

    /// Waits for its end with this exit status.
    pub(crate) async fn ends_with(mut self, code: i32) -> Stopped {
        end(&mut self.child, &self.log, code).await
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Whether it has not ended yet.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// How many descriptors the process has open.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id().expect("it runs"));
        fs::read_dir(folder)
            .expect("a process of ours under Linux")
            .count()
    }

    /// A number that the kernel has of the process, by its name there: `VmHWM:`, in kilobytes, or `Threads:`.
    pub(crate) fn status_of(&self, name: &str) -> u64 {
        let file = format!("/proc/{}/status", self.child.id().expect("it runs"));
        let status = fs::read_to_string(file).expect("a process of ours under Linux");
        let mut words = status.split_whitespace().skip_while(|word| *word != name);
        let number = words.nth(1).and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in\n{status}"))
    }

    /// Whether it listens in the end; not where it has ended instead.
    async fn comes_up(&mut self) -> bool {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(self.admin).await.is_err() {
            if self.child.try_wait().expect("a child").is_some() {
                let lines = self.log();
                assert!(lines.iter().any(|line| line.contains("in use")), "{lines:#?}");
                return false;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "not listening:\n{}",
                self.log().join("\n")
            );
            sleep(Duration::from_millis(5)).await;
        }
        true
    }

    async fn is_ready(&self) {
        let begun = Instant::now();
        while self.admin("/readyz").await.status != 200 {
            assert!(
                begun.elapsed() < PATIENCE,
                "not ready:\n{}",
                self.log().join("\n")
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let lines = self.log();
            let last = &lines[lines.len().saturating_sub(SHOWN)..];
            eprintln!("--- the gateway's log\n{}\n---", last.join("\n"));
        }
        leave(&self.config);
        if !std::thread::panicking() {
            self.keeps_secrets();
        }
    }
}

/// Removes the folder that was made for this configuration.
fn leave(config: &Path) {
    if let Some(folder) = config.parent() {
        let _ = fs::remove_dir_all(folder);
    }
}

// === impl Former ===

impl Former {
    /// Waits for its end, which has to be a good one.
    pub(crate) async fn ends(mut self) -> Stopped {
        end(&mut self.child, &self.log, 0).await
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }
}

async fn end(child: &mut Child, log: &Log, code: i32) -> Stopped {
    let begun = Instant::now();
    let status = bounded("the end of the program", child.wait())
        .await
        .expect("a child");
    let took = begun.elapsed();
    assert_eq!(
        status.code(),
        Some(code),
        "{status:?}\n{}",
        log.lines().join("\n")
    );
    sleep(Duration::from_millis(20)).await;
    Stopped {
        log: log.lines(),
        took,
    }
}

// === starting ===

struct Starting {
    child: Child,
    log: Log,
}

impl Starting {
    /// Waits for the line `listening address=127.0.0.1:43210 side=hooks`.
    async fn address(&mut self, side: &str) -> SocketAddr {
        let begun = Instant::now();
        loop {
            let lines = self.log.lines();
            let mut listening = lines
                .iter()
                .filter(|line| line.contains("listening") && line.contains(side));
            if let Some(line) = listening.next() {
                return address_in(line).unwrap_or_else(|| panic!("no address: {line}"));
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "the program does not listen ({ended:?}):\n{}",
                lines.join("\n")
            );
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// The first address of 127.0.0.1 in a line of the log, in whatever format.
pub(crate) fn address_in(line: &str) -> Option<SocketAddr> {
    let from = &line[line.find("127.0.0.1:")?..];
    let end = from
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':')
        .unwrap_or(from.len());
    from[..end].parse().ok()
}

fn spawn(config: &Path, environment: &[(String, String)], further: &[&str]) -> (Child, Log) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_koigate"))
        .arg("run")
        .arg("--config")
        .arg(config)
        .args(further)
        // Where it waits for a successor: gone with its configuration.
        .env("RUNTIME_DIRECTORY", config.parent().expect("a file in a folder"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program was built with the tests");
    let log = Log::default();
    log.collects(child.stdout.take().expect("piped"));
    log.collects(child.stderr.take().expect("piped"));
    (child, log)
}

// === impl Log ===

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no test panics while it holds this").clone()
    }

    fn collects(&self, pipe: impl AsyncRead + Send + Unpin + 'static) {
        let log = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log.0
                    .lock()
                    .expect("no test panics while it holds this")
                    .push(line);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::address_in;

    #[test]
    fn addresses_are_found_in_both_formats() {
        let address = "127.0.0.1:43210".parse().ok();
        for line in [
            "2026-01-01T00:00:00Z  INFO koigate: listening address=127.0.0.1:43210 side=\"hooks\"",
            r#"{"level":"INFO","message":"listening","address":"127.0.0.1:43210","side":"hooks"}"#,
        ] {
            assert_eq!(address_in(line), address, "{line}");
        }
        assert_eq!(address_in("listening"), None);
    }
}
