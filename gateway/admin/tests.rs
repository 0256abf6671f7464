//! What an operator gets, and who is one, over a real socket behind the supervisor.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::*;
use crate::live::{Configuration, Ground};
use crate::outbound::Connector;
use crate::server::{Ended, Parting, Stops, Supervisor};

/// A door that keeps a hook for as long as its test wants it.
#[derive(Default)]
struct Room {
    entered: Notify,
    leave: Notify,
}

impl Door for Room {
    type Pass = ();

    fn admit(&self, _head: &Head) -> Result<Admitted<()>, Box<Response>> {
        Ok(Admitted {
            pass: (),
            max_body: 0,
            held: Held::uncounted(),
        })
    }

    async fn serve(&self, (): (), _request: Request) -> Response {
        self.entered.notify_one();
        self.leave.notified().await;
        Answer::no_content().into()
    }
}

/// A door on a configuration of its own, and where it listens.
struct Open {
    address: SocketAddr,
    file: PathBuf,
    _stop: mpsc::UnboundedSender<()>,
}

const FREE: &str = "[backends.a]\nurl = 'http://127.0.0.1:9/?key=canary'\n[hooks.onMessage]\nchain = ['a']\n";
const GUARDED: &str = "[admin]\nauth = { token = ['one-token', '第二'] }\n";

fn door(text: &str, supervisor: &Supervisor) -> (AdminDoor, PathBuf) {
    let name = format!(
        "koigate-admin-{}-{:08x}.toml",
        std::process::id(),
        fastrand::u32(..)
    );
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, text).unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let ground = Ground {
        connector: Connector::new().unwrap(),
        metrics: metrics.clone(),
        room: Arc::default(),
    };
    let reloader = Reloader::start(Configuration::read(&file).unwrap(), ground);
    (
        AdminDoor::new(
            metrics,
            Arc::new(reloader),
            Arc::default(),
            InFlight::default(),
            supervisor.phase(),
        ),
        file,
    )
}

impl Open {
    fn with(text: &str) -> Self {
        let mut supervisor = Supervisor::new();
        let (door, file) = door(text, &supervisor);
        let listen = [SocketAddr::from(([127, 0, 0, 1], 0))];
        let address = supervisor
            .listen_to_the_end("admin", &listen, Arc::new(door))
            .unwrap()[0];
        let (stop, stops) = Stops::told();
        tokio::spawn(supervisor.run(stops, || Parting::USUAL));
        Self {
            address,
            file,
            _stop: stop,
        }
    }

    /// Sends a request with these header lines and a `Host` of this machine, unless there is one among them.
    async fn asked(&self, request: &str, lines: &[&str]) -> String {
        let mut text = format!("{request} HTTP/1.1\r\nConnection: close\r\n");
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            text += "Host: localhost\r\n";
        }
        for line in lines {
            text += &format!("{line}\r\n");
        }
        said(self.address, &format!("{text}\r\n")).await
    }

    /// What comes of it: the status, and something that the response holds.
    async fn check(&self, request: &str, lines: &[&str], (status, holds): (u16, &str)) {
        let response = self.asked(request, lines).await;
        let is_as_expected = response.starts_with(&format!("HTTP/1.1 {status} ")) && response.contains(holds);
        assert!(
            is_as_expected,
            "{request} {lines:?}: not {status} {holds:?}: {response}"
        );
        for line in ["Cache-Control: no-store", "X-Content-Type-Options: nosniff"] {
            assert!(
                response.contains(&format!("\r\n{line}\r\n")),
                "{request}: {response}"
            );
        }
        assert!(!response.contains("canary"), "{request}: {response}");
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

async fn said(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    let read = stream.read_to_string(&mut response);
    timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
    response
}

#[tokio::test]
async fn routes() {
    let open = Open::with(FREE);
    for (request, status, holds) in [
        (
            "GET /metrics",
            200,
            "\nContent-Type: text/plain; version=0.0.4\r\n",
        ),
        (
            "GET /metrics",
            200,
            "\n# HELP koigate_hooks_in_flight Hooks being answered now.\n",
        ),
        ("GET /metrics?x=y", 200, "\nkoigate_hooks_in_flight 0\n"),
        ("GET /healthz", 200, "\r\n\r\nalive\n"),
        ("GET /readyz", 200, "\r\n\r\nready\n"),
        ("GET /status", 200, "\r\nContent-Type: application/json\r\n"),
        ("GET /status", 200, "\"phase\": \"ready\""),
        ("GET /status", 200, "\"url\": \"http://127.0.0.1:9/?key=***\""),
        ("GET /status?x", 200, "\"phase\""),
        ("POST /reload", 200, "\r\n\r\nnothing has changed\n"),
        ("POST /reload?x", 200, "\r\n\r\nnothing has changed\n"),
        ("GET /reload", 405, "\r\nAllow: POST\r\n"),
        ("PUT /reload", 405, "\r\nAllow: POST\r\n"),
        ("POST /metrics", 405, "\r\nAllow: GET, HEAD\r\n"),
        ("POST /status", 405, "\r\nAllow: GET, HEAD\r\n"),
        ("POST /healthz", 405, "\r\nAllow: GET, HEAD\r\n"),
        ("OPTIONS /status", 405, "\r\nAllow: GET, HEAD\r\n"),
        ("OPTIONS *", 404, "\r\n\r\nnothing here\n"),
        ("GET /", 404, "\r\n\r\nnothing here\n"),
        ("POST /", 404, "\r\n\r\nnothing here\n"),
        ("GET /metrics/", 404, "\r\n\r\nnothing here\n"),
        ("GET //status", 404, "\r\n\r\nnothing here\n"),
        ("GET /%73tatus", 404, "\r\n\r\nnothing here\n"),
        ("GET /a/../status", 404, "\r\n\r\nnothing here\n"),
        ("GET /STATUS", 404, "\r\n\r\nnothing here\n"),
        ("GET http://localhost/readyz", 200, "\r\n\r\nready\n"),
    ] {
        open.check(request, &[], (status, holds)).await;
    }
    for (path, status) in [
        ("/metrics", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/status", 200),
        ("/reload", 405),
        ("/", 404),
    ] {
        let response = open.asked(&format!("HEAD {path}"), &[]).await;
        let is_bare = response.starts_with(&format!("HTTP/1.1 {status} ")) && response.ends_with("\r\n\r\n");
        assert!(is_bare, "{path}: {response}");
        assert!(
            !response.contains("\r\nContent-Length: 0\r\n"),
            "{path}: {response}"
        );
    }
}

#[tokio::test]
async fn without_a_password_this_machine_alone_is_a_host() {
    let open = Open::with(FREE);
    for host in [
        "localhost",
        "LocalHost:8601",
        "localhost:",
        "127.0.0.1",
        "127.0.0.1:8601",
        "127.8.8.8:1",
        "[::1]",
        "[::1]:8601",
        "[0:0:0:0:0:0:0:1]:8601",
        "[::ffff:127.0.0.1]:8601",
    ] {
        open.check("GET /status", &[&format!("Host: {host}")], (200, "ready"))
            .await;
    }
    for host in [
        "",
        "evil.example",
        "evil.example:8601",
        "localhost.",
        "localhost.evil.example",
        "evil.localhost",
        "localhost:8601:1",
        "localhost:x",
        "127.0.0.1.evil.example",
        "127.1",
        "0x7f.0.0.1",
        "0127.0.0.1",
        "2130706433",
        "0.0.0.0",
        "192.0.2.1",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]x:8601",
        "[::2]:8601",
        "[127.0.0.1]",
    ] {
        let line = format!("Host: {host}");
        for request in [
            "GET /status",
            "GET /metrics",
            "POST /reload",
            "GET /",
            "GET /nowhere",
        ] {
            open.check(request, &[&line], (421, "admin.auth")).await;
        }
        open.check("GET /readyz", &[&line], (200, "ready")).await;
    }
    let response = said(open.address, "GET /status HTTP/1.0\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 421 "), "no Host: {response}");
}

#[tokio::test]
async fn with_a_password_whoever_has_it_comes_in() {
    let open = Open::with(&format!("{GUARDED}{FREE}"));
    let basic = |pair: &str| format!("Authorization: Basic {}", base64_of(pair));
    for line in [
        "Authorization: Bearer one-token".to_owned(),
        "authorization: bEARER   one-token".to_owned(),
        "Authorization: Bearer 第二".to_owned(),
        basic("any:one-token"),
        basic(":one-token"),
        basic("koigate:第二"),
    ] {
        open.check("GET /status", &[&line, "Host: gate.example"], (200, "ready"))
            .await;
    }
    for lines in [
        vec![],
        vec!["Authorization:".to_owned()],
        vec!["Authorization: Bearer".to_owned()],
        vec!["Authorization: Bearer ".to_owned()],
        vec!["Authorization: one-token".to_owned()],
        vec!["Authorization: Bearer one-toke".to_owned()],
        vec!["Authorization: Bearer one-token-".to_owned()],
        vec!["Authorization: Bearer ONE-TOKEN".to_owned()],
        vec!["Authorization: Bearer one-token, Bearer one-token".to_owned()],
        vec!["Authorization: Digest one-token".to_owned()],
        vec!["Authorization: Basic one-token".to_owned()],
        vec!["Authorization: Basic ====".to_owned()],
        vec![basic("one-token")],
        vec![basic("one-token:")],
        vec![basic("a:b:one-token")],
        vec!["X-Token: one-token".to_owned()],
        vec![
            "Authorization: Bearer one-token".to_owned(),
            "Authorization: Bearer one-token".to_owned(),
        ],
    ] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for request in [
            "GET /status",
            "GET /metrics?token=one-token",
            "POST /reload",
            "GET /",
            "PUT /x",
        ] {
            open.check(
                request,
                &lines,
                (401, "\r\nWWW-Authenticate: Bearer realm=\"koigate\"\r\n"),
            )
            .await;
            open.check(
                request,
                &lines,
                (401, "\r\nWWW-Authenticate: Basic realm=\"koigate\""),
            )
            .await;
        }
        open.check("GET /healthz", &lines, (200, "alive")).await;
        open.check("GET /readyz", &lines, (200, "ready")).await;
    }
}

#[tokio::test]
async fn no_page_of_another_site_reloads() {
    let open = Open::with(FREE);
    let host = "Host: localhost:8601";
    for lines in [
        &[][..],
        &["Origin: http://localhost:8601"],
        &["Origin: http://LOCALHOST:8601", "Sec-Fetch-Site: same-origin"],
        &["Sec-Fetch-Site: none"],
    ] {
        open.check(
            "POST /reload",
            &[&[host], lines].concat(),
            (200, "nothing has changed"),
        )
        .await;
    }
    for lines in [
        &["Origin: http://evil.example"][..],
        &["Origin: http://localhost"],
        &["Origin: http://localhost:8602"],
        &["Origin: http://localhost:86011"],
        &["Origin: http://127.0.0.1:8601"],
        &["Origin: null"],
        &["Origin:"],
        &["Origin: localhost:8601"],
        &["Origin: http://localhost:8601", "Origin: http://evil.example"],
        &["Origin: http://localhost:8601", "Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: same-site"],
        &["Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"],
    ] {
        open.check("POST /reload", &[&[host], lines].concat(), (403, "another site"))
            .await;
        open.check("GET /status", &[&[host], lines].concat(), (200, "ready"))
            .await;
    }
    let guarded = Open::with(&format!("{GUARDED}{FREE}"));
    let remembered = ["Authorization: Bearer one-token", "Origin: http://evil.example"];
    guarded
        .check("POST /reload", &remembered, (403, "another site"))
        .await;
}

#[tokio::test]
async fn a_reload_tells_what_came_of_it_in_words_or_as_json() {
    let open = Open::with(FREE);
    let json = "Accept: text/html, Application/JSON;q=0.9";
    std::fs::write(&open.file, FREE.replace("?key", "x?key") + "deadline = '1s'\n").unwrap();
    open.check(
        "POST /reload",
        &[],
        (200, "\r\n\r\nbackend a: url\nhook onMessage: deadline\n"),
    )
    .await;
    open.check("POST /reload", &[json], (200, "\"changes\": [],"))
        .await;

    std::fs::write(&open.file, format!("[server]\nlisten = '127.0.0.1:1'\n{FREE}")).unwrap();
    open.check("POST /reload", &[], (200, "\nneeds a restart: server.listen\n"))
        .await;
    open.check(
        "POST /reload",
        &[json],
        (200, "\"needs_restart\": [\n    \"server.listen\"\n  ]"),
    )
    .await;
    open.check(
        "GET /status",
        &[],
        (200, "\"needs_restart\": [\n      \"server.listen\"\n    ]"),
    )
    .await;

    std::fs::write(
        &open.file,
        format!("[server]\nlisen = '127.0.0.1:1'\n{FREE}\ndeadlin = '1s'\n"),
    )
    .unwrap();
    open.check("POST /reload", &[], (422, "unknown key `lisen`"))
        .await;
    open.check("POST /reload", &[], (422, "unknown key `deadlin`"))
        .await;
    open.check(
        "POST /reload",
        &[json],
        (422, ".toml:2:1\",\n      \"message\": \"unknown key `lisen`"),
    )
    .await;
    open.check(
        "GET /status",
        &[],
        (
            200,
            "\"ok\": false,\n      \"changes\": [],\n      \"errors\": [\n",
        ),
    )
    .await;
    open.check("GET /readyz", &[], (200, "ready")).await;
}

#[tokio::test]
async fn a_reload_changes_who_may_come_in() {
    let open = Open::with(&format!("{GUARDED}{FREE}"));
    let (old, new) = ("Authorization: Bearer one-token", "Authorization: Bearer three");
    std::fs::write(
        &open.file,
        format!("{}{FREE}", GUARDED.replace("one-token", "three")),
    )
    .unwrap();
    open.check("POST /reload", &[new], (401, "token")).await;
    open.check("POST /reload", &[old], (200, "admin: auth")).await;
    open.check("GET /status", &[old], (401, "token")).await;
    open.check("GET /status", &[new], (200, "ready")).await;
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_does_no_harm() {
    let open = Open::with(FREE);
    open.check("GET /status", &["Content-Length: 0"], (200, "ready"))
        .await;
    let with_body = |length: usize| {
        let head = format!(
            "POST /reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        head + &"x".repeat(length)
    };
    let response = said(open.address, &with_body(MAX_BODY)).await;
    assert!(response.contains("\r\n\r\nnothing has changed\n"), "{response}");
    open.check(
        "POST /reload",
        &[&format!("Content-Length: {}", MAX_BODY + 1)],
        (413, "so large a body"),
    )
    .await;
    let pipelined = "GET /readyz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}\
                     POST /reload HTTP/1.1\r\nHost: localhost\r\n\r\n\
                     GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let response = said(open.address, pipelined).await;
    let at = |part: &str| {
        response
            .find(part)
            .unwrap_or_else(|| panic!("{part}: {response}"))
    };
    assert!(
        at("\r\n\r\nready\n") < at("nothing has changed\n") && at("nothing has changed\n") < at("alive\n")
    );
}

#[tokio::test]
async fn while_draining_an_operator_can_watch() {
    let room = Arc::new(Room::default());
    let mut supervisor = Supervisor::new();
    let (door, file) = door(FREE, &supervisor);
    let _ = std::fs::remove_file(file);
    assert_eq!(door.ready().answer.body, "starting\n");
    let listen = [SocketAddr::from(([127, 0, 0, 1], 0))];
    let hooks = supervisor.listen("hooks", &listen, Arc::clone(&room)).unwrap()[0];
    let admin = supervisor
        .listen_to_the_end("admin", &listen, Arc::new(door))
        .unwrap()[0];
    let mut phase = supervisor.phase();
    let (stop, stops) = Stops::told();
    let run = tokio::spawn(supervisor.run(stops, || Parting::USUAL));
    let ask = |address, request: &'static str| async move {
        said(
            address,
            &format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        )
        .await
    };

    let hook = tokio::spawn(ask(hooks, "POST /"));
    room.entered.notified().await;
    stop.send(()).unwrap();
    phase.wait_for(|&phase| phase == Phase::Draining).await.unwrap();
    let ready = ask(admin, "GET /readyz").await;
    assert!(
        ready.starts_with("HTTP/1.1 503 ") && ready.ends_with("\r\n\r\ndraining\n"),
        "{ready}"
    );
    assert!(ask(admin, "GET /healthz").await.starts_with("HTTP/1.1 200 "));
    assert!(
        ask(admin, "GET /status")
            .await
            .contains("\"phase\": \"draining\"")
    );

    room.leave.notify_one();
    assert!(hook.await.unwrap().starts_with("HTTP/1.1 204 "));
    assert_eq!(run.await.unwrap(), Ended::Drained);
    assert!(TcpStream::connect(admin).await.is_err());
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
