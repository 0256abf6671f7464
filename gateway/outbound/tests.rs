//! Calls over real loopback sockets, against backends that behave in every way that one can.

mod dial;
mod fake;
mod faults;
mod pieces;
mod pool;
mod reuse;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use koigate_core::guards::Guards;
use koigate_core::hook::HookName;
use koigate_core::plan::{Backend, BackendTls, Header, OnFailure, Queue, Scheme, StatusSet, Target};
use koigate_core::secret::Secret;

use super::*;

/// The `timeout` of a call in these tests, unless one says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// A backend at this address, with limits that suit a test.
pub(super) fn backend(address: SocketAddr) -> Backend {
    Backend {
        name: "fake".into(),
        replicas: vec![Target {
            scheme: Scheme::Http,
            host: address.ip().to_string(),
            port: address.port(),
            authority: address.to_string(),
            path: "/{hook}?from=koigate".to_owned(),
        }],
        timeout: PATIENCE,
        connect_timeout: Duration::from_secs(1),
        on_failure: OnFailure::Continue,
        failure_statuses: StatusSet::default(),
        headers: Vec::new(),
        max_reply: 1024 * 1024,
        max_in_flight: 8,
        retries: 0,
        breaker: None,
        health: None,
        tls: BackendTls::default(),
        queue: Queue::default(),
        always_finish: false,
        when: Vec::new(),
        sign: Vec::new(),
        guards: Guards::default(),
    }
}

fn connections() -> Connections {
    let counter = |name| IntCounter::new(name, "for a test").unwrap();
    Connections {
        opened: counter("opened"),
        reused: counter("reused"),
    }
}

fn upstream(backend: &Backend) -> Upstream {
    Upstream::new(
        backend,
        &backend.replicas[0],
        &Connector::new().unwrap(),
        connections(),
        Arc::default(),
    )
}

fn template(backend: &Backend) -> Template {
    Template::new(
        backend,
        &backend.replicas[0],
        &HookName::new("onMessage").unwrap(),
    )
}

fn request(template: &Template, body: impl Into<Bytes>) -> Request<'_> {
    Request {
        template,
        request_id: "request-1",
        idempotency_key: "key-1",
        verdict: None,
        traceparent: b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        signature: None,
        body: body.into(),
    }
}

/// Asks once, with this much time.
async fn ask_within(upstream: &Upstream, body: impl Into<Bytes>, time: Duration) -> Result<Reply, Failure> {
    let template = template(&backend(SocketAddr::from(([127, 0, 0, 1], 80))));
    let now = Instant::now();
    upstream
        .exchange(&request(&template, body), now, now + time)
        .await
}

/// Asks once, with a document of a few bytes.
async fn ask(upstream: &Upstream) -> Result<Reply, Failure> {
    ask_within(upstream, "{}", PATIENCE).await
}

#[test]
fn a_request_to_the_byte() {
    let mut backend = backend(SocketAddr::from(([127, 0, 0, 1], 8081)));
    backend.headers = vec![
        Header {
            name: "Authorization".to_owned(),
            value: Secret::new("Bearer canary"),
        },
        Header {
            name: "user-agent".to_owned(),
            value: Secret::new("mine/1"),
        },
    ];
    let template = template(&backend);
    let expected = concat!(
        "POST /onMessage?from=koigate HTTP/1.1\r\n",
        "Host: 127.0.0.1:8081\r\n",
        "Content-Type: application/json\r\n",
        "Accept-Encoding: identity\r\n",
        "X-Koigate-Hook: onMessage\r\n",
        "Authorization: Bearer canary\r\n",
        "user-agent: mine/1\r\n",
        "Content-Length: 2\r\n",
        "X-Request-Id: request-1\r\n",
        "Idempotency-Key: key-1\r\n",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        "\r\n",
    );
    let mut output = Vec::new();
    request(&template, "{}").write_head(&mut output);
    assert_eq!(String::from_utf8_lossy(&output), expected);

    // An observer is told how the hook ended, behind the rest.
    let notice = Request {
        verdict: Some("reject"),
        ..request(&template, "{}")
    };
    output.clear();
    notice.write_head(&mut output);
    let expected = expected.replace("-01\r\n", "-01\r\nX-Koigate-Verdict: reject\r\n");
    assert_eq!(String::from_utf8_lossy(&output), expected);
}

#[test]
fn user_agent_names_the_version() {
    let template = template(&backend(SocketAddr::from(([127, 0, 0, 1], 8081))));
    let mut output = Vec::new();
    request(&template, "").write_head(&mut output);
    let line = concat!("\r\nUser-Agent: koigate/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(String::from_utf8_lossy(&output).contains(line));
}

#[test]
fn a_call_is_small() {
    let backend = backend(SocketAddr::from(([127, 0, 0, 1], 8081)));
    let (upstream, template) = (upstream(&backend), template(&backend));
    let request = request(&template, "");
    let call = movable(upstream.exchange(&request, Instant::now(), Instant::now()));
    // Every hook makes several at once, and each is moved when it is made.
    assert!(size_of_val(&call) <= 1024, "{} bytes", size_of_val(&call));
}

/// A hook, and its calls with it, is handed over to the thread that serves it.
fn movable<T: Send>(call: T) -> T {
    call
}
