//! Somebody who follows the README line by line, in a folder instead of `/etc/koigate` and on an address of the
//! loopback net instead of 127.0.0.1, so that its ports are free here.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::page::ENGLISH;
use crate::support::wire::{PATIENCE, Response, Wire, bounded};

/// Where the README puts the configuration.
const INSTALLED: &str = "/etc/koigate/koigate.toml";
const NAME: &str = "koigate.toml";
/// What needs a system of its own; everything else in a block of `sh` is done here.
const NOT_HERE: [&str; 6] = [
    "cargo ",
    "sudo ",
    "systemctl ",
    "journalctl ",
    "docker ",
    "openssl ",
];

/// A reader at work.
struct Reader {
    folder: PathBuf,
    /// Where everything listens: an address of 127.0.0.0/8 that nobody else uses.
    host: String,
    started: Vec<(String, Child)>,
}

#[tokio::test]
async fn whoever_follows_it_gets_what_it_shows() {
    let mut reader = Reader::new();
    reader.saves(&format!(
        "{}\n[admin]\nlisten = \"127.0.0.1:8601\"\n",
        ENGLISH.block("your-bot")
    ));
    let shown = ENGLISH.blocks_in("sh");
    for line in shown.iter().flat_map(|block| block.text.lines()) {
        reader.does(line).await;
    }
    reader.has_logged(&ENGLISH.block("logged")).await;
    reader.stops_everything().await;
}

impl Reader {
    fn new() -> Self {
        let id = std::process::id();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reader-{id}"));
        fs::create_dir_all(&folder).unwrap();
        Self {
            folder,
            host: format!(
                "127.{}.{}.{}",
                64 + id % 64,
                id / 64 % 256,
                1 + fastrand::u8(..254)
            ),
            started: Vec::new(),
        }
    }

    /// One line of a shell.
    async fn does(&mut self, line: &str) {
        if NOT_HERE.iter().any(|program| line.starts_with(program)) {
            return;
        }
        let here = self.here(line);
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["curl", "-i", "-d", body, url] => {
                let answer = self.posts(url, body.trim_matches('\'')).await;
                assert_eq!(masked(&answer), masked(&ENGLISH.block("refused")), "{line}");
            }
            ["koigate", "run" | "mock", ..] => self.starts(&here).await,
            ["koigate", "status"] => {
                self.saves_another_port();
                self.has_logged(&ENGLISH.block("reloaded")).await;
                let output = self.ends(&here).await;
                let shown = String::from_utf8(output.stdout)
                    .unwrap()
                    .replace(&self.host, "127.0.0.1");
                assert_eq!(standing(&shown), standing(&ENGLISH.block("status")), "{shown}");
            }
            ["koigate", "explain", _, "--config", name] => {
                fs::write(self.folder.join(name), self.here(&ENGLISH.block("trial"))).unwrap();
                let output = self.ends(&here).await;
                let shown = String::from_utf8_lossy(&output.stdout);
                assert_eq!(
                    timeless(&shown),
                    timeless(&ENGLISH.block("explained")),
                    "{output:?}"
                );
            }
            [variable, "koigate", "check", _] if variable.starts_with("KOIGATE__") => {
                let output = self.ends(&format!("env {here}")).await;
                let shown = String::from_utf8(output.stdout).unwrap();
                assert!(
                    shown.ends_with(&format!("\n{}", ENGLISH.block("overridden"))),
                    "{shown}"
                );
            }
            ["koigate", ..] => {
                let output = self.ends(&here).await;
                assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
            }
            _ => panic!("who does this? {line}"),
        }
    }

    /// The same words for this folder and this address.
    fn here(&self, text: &str) -> String {
        text.replace(INSTALLED, NAME).replace("127.0.0.1", &self.host)
    }

    fn saves(&self, text: &str) {
        fs::write(self.folder.join(NAME), self.here(text)).unwrap();
    }

    /// Swaps a backend, as the README tells.
    fn saves_another_port(&self) {
        let text = fs::read_to_string(self.folder.join(NAME)).unwrap();
        self.saves(&text.replacen(":8081/", ":9081/", 1));
    }

    fn command(&self, line: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_koigate"));
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", program.parent().unwrap().display()));
        command.env_remove("KOIGATE_CONFIG");
        command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn ends(&self, line: &str) -> Output {
        bounded(line, self.command(line).output()).await.unwrap()
    }

    /// Starts what goes on, and waits until it listens.
    async fn starts(&mut self, line: &str) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let child = self
            .command(line)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.started.push((line.to_owned(), child));
        let said = line.split(' ').find(|word| word.starts_with(&self.host));
        let address = said.map_or_else(|| format!("{}:8600", self.host), str::to_owned);
        let begun = Instant::now();
        while TcpStream::connect(&address).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "{line}: {}", self.log());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// What `curl -i` shows of the answer.
    async fn posts(&self, url: &str, body: &str) -> String {
        let (authority, path) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .unwrap();
        let address: SocketAddr = self.here(authority).parse().unwrap();
        let mut wire = Wire::connect(address).await;
        let length = body.len();
        let request =
            format!("POST /{path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {length}\r\n\r\n{body}");
        wire.write(request).await.unwrap();
        shown(&wire.answered().await)
    }

    /// Waits until the log has these lines, numbers and ids aside.
    async fn has_logged(&self, lines: &str) {
        for line in lines.lines() {
            let begun = Instant::now();
            while !self
                .log()
                .lines()
                .any(|logged| masked(logged).ends_with(&masked(line)))
            {
                assert!(begun.elapsed() < PATIENCE, "not logged: {line}\n{}", self.log());
                sleep(Duration::from_millis(25)).await;
            }
        }
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    async fn stops_everything(mut self) {
        for (line, mut child) in std::mem::take(&mut self.started) {
            let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap()));
            kill_process(pid.unwrap(), Signal::TERM).unwrap();
            let status = bounded(&line, child.wait()).await.unwrap();
            assert_eq!(status.code(), Some(0), "{line}\n{}", self.log());
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn shown(response: &Response) -> String {
    let fields = response.head.fields.iter();
    let fields: String = fields.map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{}\n{fields}\n{}\n", response.head.line, response.text())
}

/// What `koigate status` shows, without the file's place and whatever else has digits and is no address.
fn standing(text: &str) -> String {
    let (before, rest) = text.split_once("\nconfiguration ").unwrap();
    let (_, after) = rest.split_once("generation ").unwrap();
    let word = |word: &str| match word.contains(|c: char| c.is_ascii_digit()) && !word.contains("://") {
        true => "#".to_owned(),
        false => word.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    [before, after]
        .join("\n")
        .lines()
        .map(|text| line(text) + "\n")
        .collect()
}

/// What `koigate explain` shows, without what differs each time: when, how long, and which id.
fn timeless(text: &str) -> String {
    let is_bar = |word: &str| word.chars().all(|c| matches!(c, '·' | '█'));
    let is_moment = |word: &str| word.len() == 32 || word.ends_with('Z') && word.contains(':');
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_time = |at: usize| {
            words
                .get(at + 1)
                .is_some_and(|unit| unit.trim_end_matches(':') == "ms")
        };
        let word = |(at, word): (usize, &&str)| match is_bar(word) || is_moment(word) || is_time(at) {
            true => "#".to_owned(),
            false => (*word).to_owned(),
        };
        let indent = line.len() - line.trim_start().len();
        let words: Vec<String> = words.iter().enumerate().map(word).collect();
        format!("{:indent$}{}\n", "", words.join(" "))
    };
    text.lines().map(line).collect()
}

/// The text without what differs each time: when, how long, and which id.
fn masked(text: &str) -> String {
    let is_id = |word: &str| word.trim_matches('"').len() == 32;
    let word = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or(("", word));
        match name {
            "id" | "ms" => format!("{name}=#"),
            _ if is_id(value) => "#".to_owned(),
            "" => word.to_owned(),
            _ => format!("{name}={}", without_times(value)),
        }
    };
    let line = |line: &str| match line.split_once(": ") {
        Some(("Date", _)) => "Date: #".to_owned(),
        Some(("Server-Timing", value)) => format!("Server-Timing: {}", without_times(value)),
        _ => line.split_whitespace().map(word).collect::<Vec<_>>().join(" "),
    };
    text.lines()
        .map(|text| line(text) + "\n")
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Numbers with a point are milliseconds.
fn without_times(value: &str) -> String {
    let is_time = |part: &&str| part.contains('.') && part.parse::<f64>().is_ok();
    let parts = value.split_inclusive([' ', '/', ',', '"', '=']);
    parts
        .map(|part| {
            let end = part.trim_end_matches([' ', '/', ',', '"', '=']);
            match is_time(&end) {
                true => part.replacen(end, "#", 1),
                false => part.to_owned(),
            }
        })
        .collect()
}
