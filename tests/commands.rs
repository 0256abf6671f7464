//! The commands as a person meets them: what they print where, and how they end.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::koipy::Koipy;

/// A folder of a test's own, gone at its end.
struct Folder(PathBuf);

/// A command that goes on until it is told to stop.
struct Started {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where it runs and leaves what it leaves.
    _folder: Folder,
}

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const GOOD: &str = r#"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[backends.a]
url = "http://127.0.0.1:9/"
on_failure = "reject"
[hooks.onMessage]
chain = ["a"]
"#;

// === wrong usage and failures ===

#[tokio::test]
async fn wrong_usage_ends_with_2_and_says_why_on_standard_error() {
    for (args, said) in [
        (&[][..], "Usage: koigate <COMMAND>"),
        (&["frob"], "unrecognized subcommand 'frob'"),
        (&["check"], "<FILE>"),
        (&["run", "koigate.toml"], "unexpected argument 'koigate.toml'"),
        (&["mock", "--reply", "fall"], "\"fall\" is no behaviour"),
        (&["mock", "--listen", "8081"], "invalid socket address"),
    ] {
        let output = ends(args, &Folder::new("usage")).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[tokio::test]
async fn the_version_is_that_of_the_package() {
    let output = ends(&["--version"], &Folder::new("version")).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.starts_with(concat!("koigate ", env!("CARGO_PKG_VERSION"))),
        "{said}"
    );
}

#[tokio::test]
async fn without_a_configuration_run_says_where_it_looked() {
    fails(
        &["run"],
        &Folder::new("nowhere"),
        "there is no configuration: name one with --config FILE",
    )
    .await;
}

#[tokio::test]
async fn a_configuration_with_problems_is_shown_and_ends_with_1() {
    let folder = Folder::new("problems");
    folder.write("koigate.toml", "[server]\nlisen = \"127.0.0.1:0\"\n");
    for args in [&["run"][..], &["check", "koigate.toml"]] {
        let stderr = fails(args, &folder, "koigate.toml can't be used: 1 problem").await;
        assert!(stderr.contains("koigate.toml:2:1"), "{stderr}");
        assert!(stderr.contains("unknown key `lisen`"), "{stderr}");
        assert!(!stderr.contains('\u{1b}'), "colours in a pipe: {stderr}");
    }
    fails(&["check", "missing.toml"], &folder, "missing.toml can't be used").await;
}

#[tokio::test]
async fn an_address_in_use_ends_with_1_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new("in-use");
    folder.write("koigate.toml", &GOOD.replacen("127.0.0.1:0", &address, 1));
    fails(&["run"], &folder, &format!("can't listen on {address}: ")).await;
    fails(
        &["mock", "--listen", &address],
        &folder,
        &format!("can't listen on {address}: "),
    )
    .await;
}

// === check ===

#[tokio::test]
async fn check_prints_the_plan() {
    let folder = Folder::new("check");
    folder.write("koigate.toml", GOOD);
    let output = ends(&["check", "koigate.toml"], &folder).await;
    let plan = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        plan.contains("onMessage") && plan.contains("http://127.0.0.1:9/"),
        "{plan}"
    );
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn check_and_run_read_what_the_environment_overrides() {
    let folder = Folder::new("overrides");
    folder.write("koigate.toml", GOOD);
    for (name, value, code, said) in [
        (
            "KOIGATE__BACKENDS__A__TIMEOUT",
            "1s500ms",
            0,
            "from the environment: backends.a.timeout",
        ),
        ("KOIGATE__BACKENDS__A__TIMEOUT", "", 0, "timeout 5s"),
        (
            "KOIGATE__BACKENDS__B__TIMEOUT",
            "1s",
            1,
            "environment variable KOIGATE__BACKENDS__B__TIMEOUT",
        ),
        (
            "KOIGATE__SERVER__LISTEN",
            "x",
            1,
            "environment variable KOIGATE__SERVER__LISTEN",
        ),
    ] {
        let mut check = command(&["check", "koigate.toml"], &folder);
        let output = check.env(name, value).output().await.unwrap();
        let said_all = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {said_all}");
        assert!(said_all.contains(said), "{name}: {said_all}");
    }
    let mut run = command(&["run"], &folder);
    let output = timeout(PATIENCE, run.env("KOIGATE__LOG__LEVEL", "inof").output()).await;
    let stderr = String::from_utf8(output.unwrap().unwrap().stderr).unwrap();
    assert!(
        stderr.contains("environment variable KOIGATE__LOG__LEVEL"),
        "{stderr}"
    );
}

// === run ===

#[tokio::test]
async fn run_takes_its_configuration_from_the_environment() {
    let folder = Folder::new("environment");
    let elsewhere = folder.0.join("elsewhere.toml");
    fs::write(
        &elsewhere,
        GOOD.replace("on_failure = \"reject\"", "on_failure = 1"),
    )
    .unwrap();
    let output = command(&["run"], &folder)
        .env("KOIGATE_CONFIG", &elsewhere)
        .output();
    let stderr = String::from_utf8(timeout(PATIENCE, output).await.unwrap().unwrap().stderr).unwrap();
    assert!(stderr.contains("elsewhere.toml can't be used"), "{stderr}");
}

// === mock ===

#[tokio::test]
async fn a_mock_answers_as_told_and_ends_well() {
    for (spec, status, body) in [
        ("204", 204, ""),
        ("reject:429:慢一点", 429, "慢一点"),
        ("echo", 200, "{\"a\": NaN}"),
        ("fail", 500, ""),
    ] {
        let mut mock = Started::new(
            &["mock", "--listen", "127.0.0.1:0", "--reply", spec],
            Folder::new("mock"),
        );
        let address = address_in(&mock.line_with("http://").await);
        let answer = Koipy::at(address).posts("/onResult", "{\"a\": NaN}").await;
        assert_eq!(answer.status, status, "{spec}");
        if !body.is_empty() {
            assert_eq!(answer.text(), body, "{spec}");
        }
        mock.stops(Signal::TERM).await;
    }
}

#[tokio::test]
async fn a_mock_that_never_answers_can_be_stopped_with_a_hook_in_flight() {
    let mut mock = Started::new(
        &["mock", "--listen", "127.0.0.1:0", "--reply", "hang"],
        Folder::new("hang"),
    );
    let address = address_in(&mock.line_with("http://").await);
    let hook = tokio::spawn(async move { Koipy::at(address).posts("/", "{}").await.status });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!hook.is_finished());
    mock.stops(Signal::INT).await;
    assert_eq!(hook.await.unwrap(), 503);
}

// === demo ===

#[tokio::test]
async fn the_demo_shows_every_kind_of_answer_and_leaves_a_configuration() {
    let folder = Folder::new("demo");
    let output = ends(&["demo", "--once"], &folder).await;
    let (shown, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{shown}{errors}");
    assert!(errors.is_empty(), "{errors}");
    let expected = [
        "onMessage ",
        "blacklist  continue",
        "goes on · 继续",
        "onMessage ",
        "blacklist  reject",
        "refuses, and shows the user",
        "你已被加入黑名单",
        "onPreSend ",
        "blacklist  continue",
        "poster     continue",
        "sends the picture",
        "onPreSend-1.png",
        "onResult ",
        "columns    continue",
        "poster     continue",
        "倍率",
        "onResult-1.png",
    ];
    let mut rest = &shown[..];
    for part in expected {
        let found = rest.find(part);
        let at = found.unwrap_or_else(|| panic!("no {part:?} in the rest of\n{shown}"));
        rest = &rest[at + part.len()..];
    }
    assert!(!shown.contains('\u{1b}'), "colours in a pipe: {shown}");
    let [left] = &folder.entries()[..] else {
        panic!("{:?}", folder.entries())
    };
    let configuration = left.join("koigate.toml");
    let checked = ends(&["check", configuration.to_str().unwrap()], &folder).await;
    assert_eq!(checked.status.code(), Some(0));
    for picture in ["onPreSend-1.png", "onResult-1.png"] {
        image::open(left.join(picture)).unwrap();
    }
}

/// Its file is its own: what the environment overrides is meant for another gateway.
#[tokio::test]
async fn the_demo_runs_beside_variables_that_override_keys() {
    let folder = Folder::new("demo-variables");
    let mut demo = command(&["demo", "--once"], &folder);
    demo.env("KOIGATE__SERVER__LISTEN", "192.0.2.1:8600")
        .env("KOIGATE__BACKENDS__MY_OWN__TIMEOUT", "1s");
    let output = timeout(PATIENCE, demo.output()).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
}

#[tokio::test]
async fn the_demo_stays_up_until_it_is_told_to_stop() {
    let mut demo = Started::new(&["demo"], Folder::new("stays"));
    let hooks = address_in(&demo.line_with("onResult: http://").await);
    demo.line_with("Ctrl-C").await;
    assert_eq!(Koipy::at(hooks).posts("/onMessage", "{}").await.status, 204);
    demo.stops(Signal::INT).await;
}

// === what the tests above are written with ===

fn command(args: &[&str], folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koigate"));
    command
        .args(args)
        .current_dir(&folder.0)
        .env("TMPDIR", &folder.0)
        .env_remove("KOIGATE_CONFIG");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end.
async fn ends(args: &[&str], folder: &Folder) -> Output {
    let output = timeout(PATIENCE, command(args, folder).output()).await;
    output
        .unwrap_or_else(|_| panic!("{args:?} does not end"))
        .unwrap()
}

/// Runs a command that has to fail, with these words on standard error, which it gives back.
async fn fails(args: &[&str], folder: &Folder, words: &str) -> String {
    let output = ends(args, folder).await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    assert!(stderr.contains(words), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}");
    stderr
}

/// The first address of 127.0.0.1 in a line.
fn address_in(line: &str) -> SocketAddr {
    let from = &line[line.find("127.0.0.1:").unwrap()..];
    let end = from
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':')
        .unwrap_or(from.len());
    from[..end].parse().unwrap()
}

impl Started {
    fn new(args: &[&str], folder: Folder) -> Self {
        let mut child = command(args, &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            lines,
            _folder: folder,
        }
    }

    /// The next line of standard output with this in it.
    async fn line_with(&mut self, part: &str) -> String {
        let found = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("ended without a line with {part:?}"));
                if line.contains(part) {
                    return line;
                }
            }
        };
        timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("no line with {part:?}"))
    }

    /// Sends a signal, after which it has to end well and soon.
    async fn stops(mut self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id as i32)).unwrap();
        kill_process(pid, signal).unwrap();
        let status = timeout(Duration::from_secs(5), self.child.wait()).await;
        assert_eq!(status.expect("it ends soon").unwrap().code(), Some(0));
    }
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{:08x}", fastrand::u32(..)));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn entries(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
