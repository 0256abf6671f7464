//! `koigate reload`, `koigate status` and `koigate health` against a running gateway, and what they say where there is none; `schema`
//! and `completions`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::reply::{json_body, no_content, reject, status as answer};
use crate::support::script::script;
use crate::support::wire::bounded;

const CANARY: &str = "canary-82c0";

/// The program with these arguments, in an environment without a word of ours.
pub(crate) fn koigate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koigate"));
    command
        .args(args)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_remove("KOIGATE_CONFIG")
        .env_remove("KOIGATE_ADMIN_TOKEN")
        // Nobody is there: it would fail if it were asked.
        .env("http_proxy", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// How a command ends, and what standard output and standard error hold; nothing where that is empty.
pub(crate) async fn check(mut command: Command, code: i32, (out, err): (&str, &str)) -> Output {
    let output = bounded("the end of the command", command.output()).await.unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let shown = format!("{command:?}\n{stdout}\n{stderr}");
    assert_eq!(output.status.code(), Some(code), "{shown}");
    assert!(stdout.contains(out), "no {out:?}: {shown}");
    assert!(stderr.contains(err), "no {err:?}: {shown}");
    assert_eq!(stdout.is_empty(), out.is_empty(), "{shown}");
    assert_eq!(stderr.is_empty(), err.is_empty(), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours in a pipe: {shown}");
    assert!(!format!("{stdout}{stderr}").contains(CANARY), "{shown}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn guard() -> Backend {
    backend("guard")
        .set("on_failure = 'reject'")
        .replies(no_content())
        .starts()
}

/// A gateway whose file names its ports.
async fn running(setup: Setup) -> (Gateway, String) {
    let gateway = setup.starts_silently().await;
    let config = gateway.config().to_str().unwrap().to_owned();
    (gateway, config)
}

/// Writes the file anew with something else in it.
fn edit(gateway: &Gateway, old: &str, new: &str) {
    let text = fs::read_to_string(gateway.config()).unwrap();
    assert!(text.contains(old), "{old}: {text}");
    gateway.rewrites(&text.replace(old, new));
}

#[tokio::test]
async fn a_reload_prints_what_has_changed_or_what_is_wrong() {
    let (gateway, config) = running(gateway().server("threads = 1").asks(&guard())).await;
    let reload = || koigate(&["reload", "--config", &config]);
    check(reload(), 0, ("nothing has changed\n", "")).await;

    edit(&gateway, "threads = 1", "threads = 2");
    check(reload(), 0, ("needs a restart: server.threads\n", "")).await;

    // What is wrong outside of [admin] doesn't keep the gateway from being found.
    edit(&gateway, "threads = 2", "threads = 'two'\nmax_bodi = 1");
    let output = check(reload(), 1, ("", "unknown key `max_bodi`")).await;
    let stderr = text(&output.stderr);
    assert!(stderr.contains("koigate.toml:2:11"), "{stderr}");
    let last = "error: the configuration can't be used: the gateway goes on with the one it has\n";
    assert!(stderr.ends_with(last), "{stderr}");
    check(koigate(&["status", "--config", &config]), 0, ("KG010", "")).await;
}

#[tokio::test]
async fn the_status_is_a_table_or_the_json_as_it_came() {
    let guard = guard();
    let (gateway, config) = running(gateway().asks(&guard)).await;
    let output = check(
        koigate(&["status", "--config", &config]),
        0,
        ("onPreSend  guard\n", ""),
    )
    .await;
    let table = text(&output.stdout);
    for part in [
        concat!("koigate ", env!("CARGO_PKG_VERSION")),
        "  ready, up ",
        &format!("hooks          http://{} (0 in flight)\n", gateway.hooks),
        &format!("admin          http://{}\n", gateway.admin),
        "generation 1, SHA-256 ",
        "last reload    none since the start\n",
        "guard     0 of 256     0  http://127.0.0.1:",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let output = check(
        koigate(&["status", "--config", &config, "--json"]),
        0,
        ("\"phase\"", ""),
    )
    .await;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["listening"]["admin"][0], gateway.admin.to_string());
    // The variable names the file too.
    let mut by_variable = koigate(&["status"]);
    by_variable.env("KOIGATE_CONFIG", &config);
    check(by_variable, 0, ("ready", "")).await;
}

#[tokio::test]
async fn the_token_is_the_configurations_or_the_environments() {
    let auth = format!("auth = {{ token = '{CANARY}-old' }}");
    let (gateway, config) = running(gateway().operators(&auth).asks(&guard())).await;
    let url = format!("http://{}", gateway.admin);
    let with = |token: &str, args: &[&str]| {
        let mut command = koigate(args);
        command.env("KOIGATE_ADMIN_TOKEN", token);
        command
    };
    let old = format!("{CANARY}-old");
    check(koigate(&["status", "--config", &config]), 0, ("ready", "")).await;
    check(with("", &["status", "--config", &config]), 0, ("ready", "")).await;
    check(
        koigate(&["status", "--admin", &url, "--config", &config]),
        0,
        ("ready", ""),
    )
    .await;
    check(with(&old, &["reload", "--admin", &url]), 0, ("nothing", "")).await;

    // An address alone gets no token of a file that nobody named.
    let folder = gateway.config().parent().unwrap();
    let mut alone = koigate(&["status", "--admin", &url]);
    alone.current_dir(folder);
    check(alone, 1, ("", "wants a token: name the configuration")).await;
    check(
        with("wrong", &["status", "--config", &config]),
        1,
        ("", "takes no token that was sent"),
    )
    .await;
    check(
        with("a\nb", &["status", "--admin", &url]),
        1,
        ("", "KOIGATE_ADMIN_TOKEN can't be sent"),
    )
    .await;

    // While two are valid, the one that the gateway knows already is found.
    edit(
        &gateway,
        &format!("'{old}'"),
        &format!("['{CANARY}-new', '{old}']"),
    );
    check(koigate(&["status", "--config", &config]), 0, ("ready", "")).await;
}

#[tokio::test]
async fn health_is_whether_it_takes_hooks() {
    let slow = backend("slow").replies(no_content().after(3_000)).starts();
    let auth = format!("auth = {{ token = '{CANARY}' }}");
    let (gateway, config) = running(gateway().operators(&auth).asks(&slow)).await;
    let url = format!("http://{}", gateway.admin);
    let health = |more: &[&str]| koigate(&[&["health"], more].concat());
    check(health(&["--config", &config]), 0, ("ready\n", "")).await;
    check(health(&["--config", &config, "--alive"]), 0, ("alive\n", "")).await;
    // A probe needs no token.
    check(health(&["--admin", &url]), 0, ("ready\n", "")).await;

    let bot = gateway.koipy();
    let asked = tokio::spawn(async move { bot.posts("/onMessage", "{}").await });
    slow.was_asked(1).await;
    gateway.signal(Signal::TERM);
    gateway.logs(&["stopping"]).await;
    let said = "error: the gateway takes no hooks: it is draining\n";
    check(health(&["--config", &config]), 1, ("", said)).await;
    check(health(&["--config", &config, "--alive"]), 0, ("alive\n", "")).await;
    assert_eq!(asked.await.unwrap().status, 204);
    gateway.ends().await;
    let silent = format!("error: no gateway answers at {url}: Connection refused");
    check(health(&["--admin", &url]), 1, ("", &silent)).await;
}

#[tokio::test]
async fn somebody_elses_503_is_no_phase() {
    let other = backend("other")
        .replies(reject(503, "draining the pond"))
        .starts();
    let url = format!("http://{}", other.address);
    let said = format!("error: unexpected answer of {url}/readyz: 503 draining the pond\n");
    check(koigate(&["health", "--admin", &url]), 1, ("", &said)).await;
}

#[tokio::test]
async fn where_no_gateway_answers_it_says_what_was_tried() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let folder = tempfolder();
    let config = folder.join("koigate.toml");
    let admin = |listen: &str| {
        let auth = format!("auth = {{ token = '{CANARY}' }}");
        fs::write(&config, format!("[admin]\nlisten = '{listen}'\n{auth}\n")).unwrap();
    };
    let config = config.to_str().unwrap();
    admin(&address.to_string());
    let tried = format!("error: no gateway answers at http://{address}: Connection refused");
    for command in ["reload", "status"] {
        check(koigate(&[command, "--config", config]), 1, ("", &tried)).await;
        check(
            koigate(&[command, "--admin", &format!("http://{address}")]),
            1,
            ("", &tried),
        )
        .await;
    }
    admin("127.0.0.1:0");
    check(
        koigate(&["status", "--config", config]),
        1,
        ("", "name the address with --admin"),
    )
    .await;
    admin("127.0.0.1");
    check(
        koigate(&["status", "--config", config]),
        1,
        ("", "koigate.toml can't be used: 1 problem"),
    )
    .await;
    check(
        koigate(&["status", "--config", "missing.toml"]),
        1,
        ("", "missing.toml can't be used"),
    )
    .await;
    check(koigate(&["status"]), 1, ("", "there is no configuration")).await;
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_is_no_gateway_is_told_apart() {
    for (reply, said) in [
        (
            reject(404, "nothing\u{1b}[2J here\nat all"),
            ": 404 nothing\u{fffd}[2J here\n",
        ),
        (no_content(), ": 204\n"),
        (answer(302).header("Location", "http://127.0.0.1:1/"), ": 302\n"),
        (json_body("{\"version\": 1}"), ": 200 {\"version\": 1}\n"),
        (reject(421, "wrong host"), ": 421 wrong host\n"),
    ] {
        let other = backend("other").replies(reply).starts();
        let url = format!("http://{}", other.address);
        for command in ["status", "reload"] {
            if command == "reload" && said.contains(" 200 ") {
                continue;
            }
            check(koigate(&[command, "--admin", &url]), 1, ("", said)).await;
        }
    }
    let garbage = backend("garbage")
        .replies(script().sends("SSH-2.0-OpenSSH\r\n").closes())
        .starts();
    let url = format!("http://{}", garbage.address);
    check(
        koigate(&["status", "--admin", &url]),
        1,
        ("", "no gateway answers at http://127.0.0.1:"),
    )
    .await;
}

#[tokio::test]
async fn the_schema_knows_every_table() {
    let output = check(koigate(&["schema"]), 0, ("\"$schema\"", "")).await;
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    for table in ["server", "admin", "log", "defaults", "backends", "hooks"] {
        assert!(schema["properties"][table].is_object(), "{table}: {schema:#}");
    }
}

#[tokio::test]
async fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = check(koigate(&["completions", shell]), 0, ("koigate", "")).await;
        let script = text(&output.stdout);
        for command in [
            "run",
            "check",
            "mock",
            "demo",
            "reload",
            "status",
            "health",
            "schema",
            "completions",
        ] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_has_left_is_no_panic() {
    for args in [&["schema"][..], &["completions", "bash"]] {
        let mut command = koigate(args);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer).stderr(Stdio::piped());
        let ended = command.spawn().unwrap().wait_with_output();
        let output = bounded("the end of the command", ended).await.unwrap();
        let stderr = text(&output.stderr);
        assert!(
            stderr.contains("can't write to standard output"),
            "{args:?}: {stderr}"
        );
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
    }
}

fn tempfolder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("operator-{:08x}", fastrand::u32(..)));
    fs::create_dir(&folder).unwrap();
    folder
}
