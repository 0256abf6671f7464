//! What is remembered of the last hooks, what `koigate traces` shows of it, and `koigate explain`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::operator::{check, koigate};
use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::reply::{json_body, png};
use crate::support::wire::Wire;

const CANARY: &str = "canary-82c0";

/// Three services: two that disagree about a column, and one that is down.
fn services() -> [Backend; 3] {
    let adds = |name, value: &str| {
        let body = format!(r#"{{"result": {{"倍率": [{value}]}}}}"#);
        backend(name).replies(json_body(body)).starts()
    };
    [
        adds("columns", "1.5"),
        adds("rank", "2"),
        backend("down").never_listens(),
    ]
}

/// A document of one node, with a secret where koipy has its own.
const DOCUMENT: &str = r#"{"message": {"text": "/test"}, "config": {"token": "canary-82c0"}, "slaveRequest": {"proxies": [{"password": "canary-82c0"}], "items": []}, "result": {"节点名称": ["a"]}, "addons": {}}"#;

async fn json(gateway: &Gateway, path: &str) -> Value {
    let response = gateway.admin(path).await;
    assert_eq!(response.status, 200, "{path}: {response:?}");
    serde_json::from_str(&response.text()).unwrap()
}

#[tokio::test]
async fn the_last_hooks_and_all_of_one() {
    let services = services();
    let gateway = gateway()
        .backends(&services)
        .chain("onResult", "[['columns', 'rank'], 'down']")
        .starts()
        .await;
    assert_eq!(json(&gateway, "/traces").await, serde_json::json!([]));
    gateway.koipy().posts("/onResult", "{}").await;
    let answer = gateway.koipy().posts("/onResult", DOCUMENT).await;
    let id = answer.header("x-request-id").unwrap();
    let list = json(&gateway, "/traces").await;
    assert_eq!(
        (list.as_array().unwrap().len(), list[0]["id"].as_str()),
        (2, Some(id))
    );
    assert_eq!(list[0]["backends"], "columns=continue rank=continue down=failed");

    let trace = json(&gateway, &format!("/traces/{id}")).await;
    let call = |place: usize, key: &str| trace["calls"][place][key].clone();
    assert_eq!((call(0, "stage"), call(2, "stage")), (1.into(), 2.into()));
    assert_eq!(call(0, "sent_bytes"), DOCUMENT.len());
    assert_eq!(call(1, "changes")[0]["at"], "/result/倍率");
    assert_eq!(call(1, "changes")[0]["value"], "[2]");
    assert_eq!(call(2, "failure")["kind"], "connect");
    assert_eq!(call(2, "failure")["policy"], "continue");
    assert!(
        call(2, "start_ms").as_f64() >= call(1, "ms").as_f64(),
        "{trace:#}"
    );
    assert_eq!(
        (&trace["conflicts"], &trace["conflicts_listed"][0]["first"]),
        (&1.into(), &"columns".into())
    );
    assert_eq!(trace["answer"]["bytes"], answer.body.len());
    let document = trace["document"].as_str().unwrap();
    assert_eq!(
        document,
        r#"{"message": {"text": "/test"}, "slaveRequest": {"items": []}, "result": {"节点名称": ["a"]}, "addons": {}}"#
    );
    assert!(!format!("{trace}{list}").contains(CANARY), "{trace:#}");
    for nowhere in ["/traces/", "/traces/0", "/traces/../status"] {
        assert_eq!(gateway.admin(nowhere).await.status, 404, "{nowhere}");
    }
}

/// However it came: small ones are copied, larger ones kept as they are, and what is kept is not held besides.
#[tokio::test]
async fn a_document_is_kept_with_its_hook_unless_it_is_large() {
    let backends = [backend("a").forgets().starts()];
    let gateway = gateway()
        .backends(&backends)
        .chain("onResult", "['a']")
        .starts()
        .await;
    for (bytes, is_kept) in [
        (3_000, true),
        (40_000, true),
        (256 * 1024, true),
        (300_000, false),
    ] {
        let document = format!(r#"{{"a": "{}"}}"#, "x".repeat(bytes - 9));
        assert_eq!(document.len(), bytes);
        let chunk = format!("{bytes:x}\r\n{document}\r\n0\r\n\r\n");
        for (framing, body) in [
            (format!("Content-Length: {bytes}"), document.clone()),
            ("Transfer-Encoding: chunked".to_owned(), chunk),
        ] {
            let mut wire = Wire::connect(gateway.hooks).await;
            let request = format!("POST /onResult HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}");
            wire.write(request).await.unwrap();
            let answer = wire.answered().await;
            let id = answer.header("x-request-id").unwrap();
            let trace = json(&gateway, &format!("/traces/{id}")).await;
            let kept = trace["document"].as_str().unwrap_or_default();
            assert!(kept == if is_kept { &document } else { "" }, "{framing}, {bytes}");
        }
    }
    gateway.counts("koigate_buffered_bytes", 0.0).await;
}

#[tokio::test]
async fn none_are_kept_where_none_are_wanted_and_a_reload_says_how_many() {
    let services = services();
    let setup = |traces: &str| {
        let text = gateway()
            .backends(&services)
            .chain("onResult", "['columns']")
            .text();
        text.replace("[admin]\n", &format!("[admin]\ntraces = {traces}\n"))
    };
    let gateway = gateway()
        .backends(&services)
        .chain("onResult", "['columns']")
        .starts()
        .await;
    let kept = async |gateway: &Gateway| json(gateway, "/traces").await.as_array().unwrap().len();
    for (reloads, (traces, expected)) in [("{ keep = 2 }", 2), ("{ keep = 1 }", 1), ("{ keep = 0 }", 0)]
        .into_iter()
        .enumerate()
    {
        gateway.rewrites(&setup(traces));
        gateway
            .logs(&["configuration reloaded", &format!("generation={}", reloads + 2)])
            .await;
        for _ in 0..3 {
            gateway.koipy().posts("/onResult", DOCUMENT).await;
        }
        assert_eq!(kept(&gateway).await, expected, "{traces}");
    }
}

#[tokio::test]
async fn the_command_lists_them_and_shows_one() {
    let services = services();
    let gateway = gateway()
        .server("threads = 1")
        .backends(&services)
        .chain("onResult", "[['columns', 'rank'], 'down']")
        .starts_silently()
        .await;
    let config = gateway.config().to_str().unwrap();
    check(
        koigate(&["traces", "--config", config]),
        0,
        ("no hook is remembered yet\n", ""),
    )
    .await;
    let answer = gateway.koipy().posts("/onResult", DOCUMENT).await;
    let id = answer.header("x-request-id").unwrap();
    check(koigate(&["traces", "--config", config]), 0, (id, "")).await;
    let shown = check(
        koigate(&["traces", id, "--config", config]),
        0,
        ("columns and rank differ", ""),
    )
    .await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in [
        "added /result/倍率  [1.5]",
        "connection refused; policy: continue",
        "answer  200",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let same = check(
        koigate(&["traces", id, "--json", "--config", config]),
        0,
        ("conflicts_listed", ""),
    )
    .await;
    assert_eq!(
        gateway.admin(&format!("/traces/{id}")).await.text().into_bytes(),
        same.stdout
    );
    let unknown = koigate(&["traces", "0", "--config", config]);
    check(unknown, 1, ("", "remembers no hook 0")).await;
    let no_path = koigate(&["traces", "../status", "--config", config]);
    check(no_path, 1, ("", "remembers no hook ../status")).await;
}

// === explain ===

/// A configuration in a folder of its own.
fn written(name: &str, text: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("explain-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("koigate.toml"), text).unwrap();
    folder
}

#[tokio::test]
async fn explain_runs_the_chain_and_says_what_became_of_it() {
    let services = services();
    let guard = backend("guard")
        .set("on_failure = 'continue'")
        .rejects(403, "no")
        .starts();
    let poster = backend("poster").replies(png(40, 30, [9, 9, 9])).starts();
    let setup = gateway()
        .backends(&services)
        .backends([&guard, &poster])
        .chain("onMessage", "['guard']")
        .chain("onResult", "[['columns', 'rank', 'poster'], 'down']");
    let folder = written("chain", &setup.text());
    let config = folder.join("koigate.toml");
    let config = config.to_str().unwrap();
    let document = folder.join("hook.json");
    // What a document holds is shown; a secret of the configuration would not be.
    let posted = DOCUMENT.replace(CANARY, "x");
    fs::write(&document, &posted).unwrap();
    let document = document.to_str().unwrap();

    let pictures = folder.join("pictures");
    let explain = koigate(&[
        "explain",
        "onResult",
        "-c",
        config,
        "-d",
        document,
        "-o",
        pictures.to_str().unwrap(),
    ]);
    let shown = check(explain, 0, ("columns and rank differ", "picture-1.png")).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in [
        "1.  columns",
        "2.  down",
        "added /result/倍率",
        "the bot  goes on, and takes the document",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let saved = fs::read(pictures.join("picture-1.png")).unwrap();
    assert_eq!(image::load_from_memory(&saved).unwrap().width(), 40);
    // Each service was asked for real, and once.
    assert_eq!(
        (services[0].asked(), services[1].asked(), poster.asked()),
        (1, 1, 1)
    );
    assert_eq!(services[0].request().body, posted.as_bytes());

    let refused = koigate(&["explain", "onMessage", "-c", config]);
    check(refused, 3, ("the reject of guard", "")).await;
    let json = koigate(&["explain", "onMessage", "--json", "-c", config]);
    let json = check(json, 3, ("\"verdict\": \"reject\"", "")).await;
    let read: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(read["calls"][0]["status"], 403);
    fs::remove_dir_all(folder).unwrap();
}

/// What a backend was sent is shown, in JSON whole, and saved to the byte; who was not asked was sent nothing.
#[tokio::test]
async fn explain_shows_what_each_backend_was_sent() {
    let whole = backend("whole").starts();
    let stranger = backend("stranger")
        .set("hide = ['/config', '/slaveRequest/proxies']")
        .starts();
    let elsewhere = backend("elsewhere")
        .set("when = [{ at = '/message/text', eq = 'x' }]")
        .starts();
    let setup = gateway()
        .backends([&whole, &stranger, &elsewhere])
        .chain("onResult", "[['whole', 'stranger', 'elsewhere']]");
    let folder = written("sent", &setup.text());
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (config, document, out) = (at("koigate.toml"), at("hook.json"), at("out"));
    let posted = DOCUMENT.replace(CANARY, "of the bot");
    fs::write(&document, &posted).unwrap();
    let asked = ["explain", "onResult", "-c", &config, "-d", &document];

    let shown = check(koigate(&asked), 0, ("sent", "")).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    let expected = [
        format!("      sent {} B, as posted\n", posted.len()),
        "      sent 110 B: {\"message\": {\"text\": \"/test\"}, \"slaveRequest\": {\"items\": []}, "
            .to_owned(),
        "\n      hidden /config /slaveRequest/proxies\n".to_owned(),
    ];
    for part in expected {
        assert!(shown.contains(&part), "{part}: {shown}");
    }
    assert_eq!(shown.matches("sent ").count(), 2, "{shown}");
    assert!(!shown.contains("of the bot"), "{shown}");

    let saving = koigate(&[&asked[..], &["--json", "-o", &out]].concat());
    let json = check(saving, 0, ("of the bot", "sent-2-stranger.json")).await;
    let read: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(read["document"], posted);
    for (place, asked) in [&whole, &stranger].into_iter().enumerate() {
        let body = asked.requests().pop().unwrap().body;
        assert_eq!(read["calls"][place]["sent"].as_str().unwrap().as_bytes(), body);
        assert_eq!(read["calls"][place]["sent_bytes"], body.len());
        let saved = format!("out/sent-{}-{}.json", place + 1, asked.name);
        assert_eq!(fs::read(folder.join(&saved)).unwrap(), body, "{saved}");
        let mode = fs::metadata(folder.join(&saved)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{saved}");
    }
    assert_eq!(read["calls"][2]["sent"], Value::Null);
    assert!(!folder.join("out/sent-3-elsewhere.json").exists());
    fs::remove_dir_all(folder).unwrap();
}

/// The gateway would not take it either.
#[tokio::test]
async fn explain_takes_no_document_larger_than_a_hook_may_be() {
    let service = backend("service").set("on_failure = 'continue'").starts();
    let setup = gateway()
        .server("max_body = '1KiB'")
        .backends([&service])
        .chain("onMessage", "['service']");
    let folder = written("large", &setup.text());
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (config, document) = (at("koigate.toml"), at("hook.json"));
    let too_large = ("", "is larger than server.max_body");
    for (length, code, said) in [(1024, 0, ("as posted", "")), (1025, 1, too_large)] {
        fs::write(&document, vec![b' '; length]).unwrap();
        let explain = koigate(&["explain", "onMessage", "-c", &config, "-d", &document]);
        check(explain, code, said).await;
    }
    assert_eq!(service.asked(), 1);
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn explain_takes_a_document_from_standard_input() {
    let services = services();
    let setup = gateway().backends(&services).chain("rank", "['columns']");
    let folder = written("stdin", &setup.text());
    let config = folder.join("koigate.toml");
    let config = config.to_str().unwrap();
    let mut child = koigate(&["explain", "rank", "--config", config, "--document", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(payload("onResult", 3).dumps().as_bytes())
        .await
        .unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(services[0].request().hook(), "rank");

    let no_sample = koigate(&["explain", "rank", "-c", config]);
    check(no_sample, 1, ("", "name the document of rank with --document")).await;
    let no_chain = koigate(&["explain", "onMessage", "-c", config]);
    check(
        no_chain,
        1,
        ("", "no chain is configured for onMessage: there is rank"),
    )
    .await;
    let no_file = koigate(&["explain", "rank", "-c", config, "-d", "nowhere.json"]);
    check(no_file, 1, ("", "can't read nowhere.json")).await;
    fs::remove_dir_all(folder).unwrap();
}
