//! The side that faces the bot: which hook a request is, and what the gateway itself answers.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::Signal;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::reply::{no_content, status};
use crate::support::wire::{Response, Wire};

/// A backend that refuses with the name of the hook that it was asked about.
fn says_which() -> Backend {
    backend("which")
        .replies_with(|request| status(418).typed("text/plain").with(request.hook().to_owned()))
        .starts()
}

/// What Koigate itself says: a short text that a person can read and that gives nothing away.
fn is_ours(response: &Response, expected: u16) {
    assert_eq!(response.status, expected, "{response:?}");
    let text = std::str::from_utf8(&response.body).expect("UTF-8");
    assert!((1..200).contains(&text.len()), "{response:?}");
    for secret in ["127.0.0.1", "localhost", "http:", "backend"] {
        assert!(!text.contains(secret), "{text}");
    }
    let label = response.header("content-type").map(str::to_ascii_lowercase);
    assert_eq!(label.as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!(response.header("content-length"), Some(&*text.len().to_string()));
}

// === which hook ===

#[tokio::test]
async fn the_kind_of_a_hook() {
    let which = says_which();
    let gateway = gateway()
        .asks(&which)
        .chain("own-name", "['which']")
        .starts()
        .await;
    let (message, send, result) = (
        payload("onMessage", 0),
        payload("onPreSend", 3),
        payload("onResult", 3),
    );
    let (message, send, result) = (message.dumps(), send.dumps(), result.dumps());
    for (path, body, kind) in [
        ("/onMessage", &*result, "onMessage"),
        ("/onPreSend", &*message, "onPreSend"),
        ("/onResult", "not JSON", "onResult"),
        ("/own-name", "", "own-name"),
        ("/onResult?hook=onMessage", &*message, "onResult"),
        ("/?hook=onPreSend", &*result, "onPreSend"),
        ("/?a=b&hook=onResult", "[]", "onResult"),
        ("/", &*message, "onMessage"),
        ("/", &*send, "onPreSend"),
        ("/", &*result, "onResult"),
        ("/?token=x", &*result, "onResult"),
        ("/", "{}", "onMessage"),
        ("/", r#"{"slaveRequest": {"proxies": [1]}}"#, "onPreSend"),
        ("/", r#"{"slaveRequest": {"items": [1]}}"#, "onPreSend"),
        ("/", r#"{"slaveRequest": {"task": {"url": "x"}}}"#, "onPreSend"),
        ("/", r#"{"slaveRequest": {"Nodes": [1]}}"#, "onPreSend"),
        (
            "/",
            r#"{"slaveRequest": {"items": [], "proxies": [], "task": {"url": ""}}}"#,
            "onMessage",
        ),
        ("/", r#"{"result": {"a": NaN}}"#, "onResult"),
        ("/", r#"{"result": {}, "slaveRequest": {}}"#, "onMessage"),
    ] {
        let response = gateway.koipy().posts(path, body).await;
        assert_eq!(
            (response.status, &*response.text()),
            (418, kind),
            "{path} {body:.60}"
        );
        let old = gateway.koipy().old().posts(path, body).await;
        assert_eq!(old.text(), kind, "{path} {body:.60} without a Content-Type");
    }
    for body in ["", "[]", "1", "null", "{", "\u{0}"] {
        is_ours(&gateway.koipy().posts("/", body).await, 422);
    }
}

#[tokio::test]
async fn a_kind_without_a_chain_is_a_204() {
    let which = says_which();
    let gateway = gateway()
        .backends([&which])
        .chain("onResult", "['which']")
        .starts()
        .await;
    for path in ["/onMessage", "/?hook=onPreSend", "/"] {
        let response = gateway.koipy().posts(path, "{}").await;
        assert_eq!((response.status, response.body.len()), (204, 0), "{path}");
        assert!(response.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn hooks_live_under_the_prefix() {
    let which = says_which();
    let gateway = gateway().server("path = '/koi/x'").asks(&which).starts().await;
    for (path, expected) in [
        ("/koi/x/onResult", Some("onResult")),
        ("/koi/x", Some("onMessage")),
        ("/koi/x?hook=onPreSend", Some("onPreSend")),
        ("/onResult", None),
        ("/koi/onResult", None),
        ("/koi/xonResult", None),
        ("/", None),
    ] {
        let response = gateway.koipy().posts(path, "{}").await;
        match expected {
            Some(kind) => assert_eq!(response.text(), kind, "{path}"),
            None => is_ours(&response, 404),
        }
    }
}

// === what Koigate refuses ===

#[tokio::test]
async fn an_unknown_path_or_method_is_refused() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    for path in [
        "/nothing",
        "/onmessage",
        "/onMessage/x",
        "/favicon.ico",
        "/onMessage%20",
    ] {
        is_ours(&gateway.koipy().posts(path, "{}").await, 404);
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "post"] {
        let request = format!("{method} /onMessage HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let response = gateway.answers(request).await;
        is_ours(&response, 405);
        assert_eq!(response.header("allow"), Some("POST"), "{method}");
    }
    assert_eq!(which.asked(), 0);
    gateway
        .counts("koigate_request_rejections_total reason=path", 5.0)
        .await;
    gateway
        .counts("koigate_request_rejections_total reason=method", 6.0)
        .await;
}

#[tokio::test]
async fn a_body_over_max_body_is_refused() {
    let which = says_which();
    let gateway = gateway().server("max_body = '1KiB'").asks(&which).starts().await;
    let fits = gateway.koipy().posts("/onMessage", vec![b' '; 1_024]).await;
    assert_eq!(fits.status, 418);
    let announced = "POST /onMessage HTTP/1.1\r\nHost: x\r\nContent-Length: 1025\r\n\r\n";
    is_ours(&gateway.answers(announced).await, 413);
    let mut chunked = "POST /onMessage HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for _ in 0..3 {
        chunked += &format!("200\r\n{}\r\n", "x".repeat(0x200));
    }
    // The rest is never sent, and the answer doesn't wait for it.
    is_ours(&gateway.answers(chunked).await, 413);
    let expecting = announced.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let response = gateway.answers(expecting).await;
    is_ours(&response, 413);
    assert!(
        response.interim.is_empty(),
        "nothing was asked for: {:?}",
        response.interim
    );
    assert_eq!(which.asked(), 1);
    gateway
        .counts("koigate_request_rejections_total reason=too_large", 3.0)
        .await;
    assert_eq!(
        gateway.koipy().posts("/onMessage", "{}").await.status,
        418,
        "the next hook is unharmed"
    );
}

#[tokio::test]
async fn more_than_max_in_flight_is_refused_at_once() {
    let hangs = backend("hangs").replies(no_content().after(800)).starts();
    let gateway = gateway().server("max_in_flight = 2").asks(&hangs).starts().await;
    let bot = gateway.koipy();
    let running = async { join_all((0..2).map(|_| bot.posts("/onMessage", "{}"))).await };
    let refused = async {
        hangs.was_asked(2).await;
        let begun = Instant::now();
        let response = bot.posts("/onMessage", "{}").await;
        assert!(begun.elapsed() < Duration::from_millis(500), "at once");
        response
    };
    let (running, refused) = tokio::join!(running, refused);
    is_ours(&refused, 503);
    assert!(running.iter().all(|response| response.status == 204));
    gateway
        .counts("koigate_request_rejections_total reason=overloaded", 1.0)
        .await;
    assert_eq!(bot.posts("/onMessage", "{}").await.status, 204, "it recovers");
    assert_eq!(hangs.asked(), 3);
}

#[tokio::test]
async fn a_hook_that_comes_round_is_refused() {
    let which = says_which();
    let inner = gateway().asks(&which).starts().await;
    let round = backend("round")
        .at(&format!("http://{}/{{hook}}", inner.hooks))
        .starts();
    let outer = gateway().asks(&round).starts().await;
    let response = outer.koipy().posts("/onMessage", "{}").await;
    assert_eq!(response.status, 508, "{response:?}");
    assert!(response.text().chars().count() > 3);
    let marked =
        "POST /onMessage HTTP/1.1\r\nHost: x\r\nX-Koigate-Hook: onMessage\r\nContent-Length: 2\r\n\r\n{}";
    is_ours(&inner.answers(marked).await, 508);
    assert_eq!(which.asked(), 0);
}

#[tokio::test]
async fn broken_http_is_a_400_and_a_closed_connection() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    let huge = format!(
        "POST /onMessage HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(300_000)
    );
    let post = |fields: &str| format!("POST /onMessage HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{{}}");
    for broken in [
        "garbage\r\n\r\n".to_owned(),
        post("Content-Length: x"),
        post("Content-Length: -1"),
        post("Content-Length: 2\r\nContent-Length: 3"),
        post("Content-Length: 2\r\nTransfer-Encoding: chunked"),
        post("Transfer-Encoding: gzip"),
        post("Transfer-Encoding: chunked").replace("{}", "zz\r\n"),
        post("no colon"),
        huge,
    ] {
        let mut wire = gateway.connect().await;
        // A large head may be refused, and its connection closed, while it is still written.
        let _ = wire.write(&broken).await;
        let rest = String::from_utf8_lossy(&wire.closed().await).into_owned();
        let shown: String = broken.chars().skip(38).take(60).collect();
        assert!(
            rest.starts_with("HTTP/1.1 400 ") || broken.len() > 200_000,
            "{shown:?}: {rest:?}"
        );
        assert_eq!(
            rest.matches("HTTP/1.1").count(),
            rest.len().min(1),
            "one answer: {rest:?}"
        );
    }
    assert_eq!(which.asked(), 0, "no backend is called");
    assert_eq!(
        gateway.koipy().posts("/onMessage", "{}").await.status,
        418,
        "the next hook is unharmed"
    );
    assert!(
        gateway
            .metrics()
            .await
            .value("koigate_request_rejections_total reason=bad_request")
            >= 7.0
    );
}

// === how a request may arrive ===

#[tokio::test]
async fn a_hundred_continue_comes_once() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    let mut wire = gateway.connect().await;
    let head = "POST /onMessage HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    wire.write(head).await.unwrap();
    let interim = crate::support::wire::bounded("an interim response", wire.head())
        .await
        .unwrap()
        .unwrap();
    assert!(interim.line.starts_with("HTTP/1.1 100"), "{interim:?}");
    wire.write("{}").await.unwrap();
    let response = wire.answered().await;
    assert_eq!((response.interim.len(), response.status), (0, 418));
    // A caller that does not wait gets its answer as well.
    wire.write(format!("{head}{{}}")).await.unwrap();
    assert_eq!(wire.answered().await.status, 418);
}

#[tokio::test]
async fn a_chunked_body_reaches_backends_whole() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    let head = "POST /onResult HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = "5;ext=1\r\n{\"a\":\r\n4\r\n \"b\"\r\n1\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let response = gateway.answers(format!("{head}{chunks}")).await;
    assert_eq!(response.text(), "onResult");
    let request = which.request();
    assert_eq!(&request.body[..], br#"{"a": "b"}"#);
    assert_eq!(request.head.value("content-length"), Some("10"));
    assert_eq!(request.head.value("transfer-encoding"), None);
}

#[tokio::test]
async fn a_request_may_arrive_byte_by_byte() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    let mut wire = gateway.connect().await;
    let body = payload("onMessage", 0).dumps();
    wire.drip(gateway.koipy().request("/", body.as_bytes()), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(wire.answered().await.text(), "onMessage");
    assert_eq!(which.request().body, body);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    let mut wire = gateway.connect().await;
    let bot = gateway.koipy();
    let hooks = ["onMessage", "onResult", "onPreSend", "onMessage"];
    let requests: Vec<u8> = hooks
        .iter()
        .flat_map(|hook| bot.request(&format!("/{hook}"), b"{}"))
        .collect();
    wire.write(requests).await.unwrap();
    for hook in hooks {
        assert_eq!(wire.answered().await.text(), hook);
    }
    // And many more on the same connection, one after the other.
    for _ in 0..200 {
        wire.write(bot.request("/onResult", b"{}")).await.unwrap();
        assert_eq!(wire.answered().await.text(), "onResult");
    }
    assert_eq!(which.opened(), 1);
}

#[tokio::test]
async fn a_connection_ends_when_its_caller_says_so() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    for head in [
        "POST /onResult HTTP/1.1\r\nHost: x\r\nConnection: close",
        "POST /onResult HTTP/1.0",
    ] {
        let mut wire = gateway.connect().await;
        wire.write(format!("{head}\r\nContent-Length: 2\r\n\r\n{{}}"))
            .await
            .unwrap();
        assert_eq!(wire.answered().await.text(), "onResult", "{head}");
        assert!(wire.closed().await.is_empty(), "{head}");
    }
}

// === the process ===

/// A hook in flight when the signal comes is answered, and the process ends well when it is.
async fn finishes(signal: Signal) {
    let slow = backend("slow")
        .replies(status(451).with("done").after(600))
        .starts();
    let gateway = gateway().asks(&slow).starts().await;
    let (bot, hooks) = (gateway.koipy(), gateway.hooks);
    let signalled = async {
        slow.was_asked(3).await;
        gateway.signal(signal);
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Nobody listens any more, or it is refused at once; either way it isn't left hanging.
        let late = tokio::net::TcpStream::connect(hooks).await;
        late.is_ok()
    };
    let answers = join_all((0..3).map(|_| bot.posts("/onMessage", "{}")));
    let (answers, still_accepts) = tokio::join!(answers, signalled);
    let ended = gateway.ends().await;
    assert!(
        answers
            .iter()
            .all(|answer| (answer.status, &*answer.text()) == (451, "done")),
        "{answers:?}"
    );
    assert!(!still_accepts, "the listener closes at once without a lame_duck");
    assert!(
        ended.took < Duration::from_secs(2),
        "at once when the last is done: {:?}",
        ended.took
    );
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight() {
    finishes(Signal::TERM).await;
}

#[tokio::test]
async fn sigint_finishes_what_is_in_flight() {
    finishes(Signal::INT).await;
}

#[tokio::test]
async fn an_idle_gateway_ends_at_once() {
    let which = says_which();
    let gateway = gateway().asks(&which).starts().await;
    let mut idle = gateway.connect().await;
    idle.write(gateway.koipy().request("/onResult", b"{}"))
        .await
        .unwrap();
    idle.answered().await;
    let fresh: Wire = gateway.connect().await;
    let stopped = gateway.stops().await;
    assert!(stopped.took < Duration::from_secs(2), "{:?}", stopped.took);
    drop((idle, fresh));
}

#[tokio::test]
async fn a_port_in_use_is_an_error_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let which = says_which();
    let listen = format!("listen = '{}'", taken.local_addr().unwrap());
    let begun = Instant::now();
    let (code, log) = gateway().server(&listen).asks(&which).fails().await;
    assert_eq!(code, Some(1), "{log:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(
        log.iter()
            .any(|line| line.contains("in use") || line.contains("listen")),
        "{log:?}"
    );
}

#[tokio::test]
async fn a_bad_configuration_is_an_error_with_its_place() {
    let (code, log) = gateway().server("max_bodi = '1KiB'").fails().await;
    assert_eq!(code, Some(1), "{log:?}");
    let text = log.join("\n");
    assert!(
        text.contains("max_bodi") && text.contains("max_body") && text.contains(":3:"),
        "{text}"
    );
}

#[tokio::test]
async fn it_listens_on_every_address() {
    let which = says_which();
    let listen = "listen = ['127.0.0.1:0', '127.0.0.1:0']";
    let gateway: Gateway = gateway().server(listen).asks(&which).starts().await;
    let lines = gateway.log();
    let hooks: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("listening") && line.contains("hooks"))
        .collect();
    assert_eq!(hooks.len(), 2, "{lines:?}");
    for line in hooks {
        let address = crate::support::gateway::address_in(line).unwrap();
        let response = crate::support::koipy::Koipy::at(address)
            .posts("/onResult", "{}")
            .await;
        assert_eq!(response.text(), "onResult", "{line}");
    }
}
