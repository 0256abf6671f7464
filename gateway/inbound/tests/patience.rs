//! How long is waited for whom: over a pipe, with the clock paused.

use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::inbound::Leave;
use crate::inbound::caller::Caller;
use crate::inbound::session::Session;

/// A session on a pipe, and the other end of the pipe.
fn session() -> (DuplexStream, Arc<Porch>, watch::Sender<Leave>) {
    let (caller, stream) = tokio::io::duplex(64 * 1024);
    let porch = Arc::new(Porch::default());
    let leave = watch::Sender::new(Leave::Staying);
    let front = Arc::new(Front::new(Arc::clone(&porch), leave.subscribe()));
    let (_, stopping) = watch::channel(false);
    tokio::spawn(async move { front.process_new(Box::new(stream), &stopping).await });
    (caller, porch, leave)
}

/// When the session ends without a word to a caller that sends these pieces, each so long after the one before.
async fn check(pieces: &[(u64, &[u8])], ends_after: Duration) -> Arc<Porch> {
    let (mut caller, porch, _stop) = session();
    let begun = Instant::now();
    for &(millis, piece) in pieces {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let _ = caller.write_all(piece).await;
    }
    let mut bytes = Vec::new();
    caller.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), "");
    let took = begun.elapsed();
    let late = Duration::from_millis(10);
    assert!(took >= ends_after && took < ends_after + late, "{took:?}");
    porch
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let porch = check(&[], Duration::from_secs(5)).await;
    assert_eq!(porch.refusals(), []);
    let (mut caller, porch, _stop) = session();
    caller.write_all(&request("/echo", "", "x")).await.unwrap();
    assert_eq!(read_response(&mut caller).await, ok("x"));
    let begun = Instant::now();
    assert!(caller.read_u8().await.is_err(), "it ends");
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(60) && took < Duration::from_secs(61),
        "{took:?}"
    );
    assert_eq!(porch.refusals(), []);
}

#[tokio::test(start_paused = true)]
async fn a_head_has_five_seconds_in_all() {
    let porch = check(&[(0, b"P")], Duration::from_secs(5)).await;
    assert_eq!(porch.refusals(), [Refusal::BadRequest]);
    let drip = b"POST / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n"
        .chunks(1)
        .map(|byte| (900, byte));
    // The first one's time begins with the connection, a later one's with its first byte.
    let pieces: Vec<_> = std::iter::once((4_000, &b"P"[..])).chain(drip).take(7).collect();
    check(&pieces, Duration::from_millis(9_400)).await;
    check(&[(0, b"\r\n")], Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_keeps_its_pace() {
    let head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n";
    let porch = check(&[(4000, head)], Duration::from_secs(9)).await;
    assert_eq!(porch.refusals(), [Refusal::BadRequest]);
    let part = [b'x'; 3 * 1024];
    check(&[(0, head), (1000, &part)], Duration::from_secs(5)).await;
    // What came early buys no time for later.
    let much = [b'x'; 40_000];
    check(&[(0, head), (3000, &much)], Duration::from_secs(8)).await;
    check(
        &[(0, head), (3000, &much), (4000, &part), (500, &part)],
        Duration::from_millis(12_500),
    )
    .await;
    let chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n";
    check(&[(0, chunked), (0, &part[..1024])], Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_that_keeps_its_pace_arrives() {
    let (mut caller, _porch, _stop) = session();
    let body = "x".repeat(20 * 1100);
    let mut input = request("/echo", "", &body);
    let parts = input.split_off(input.len() - body.len());
    caller.write_all(&input).await.unwrap();
    for part in parts.chunks(1100) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        caller.write_all(part).await.unwrap();
    }
    assert_eq!(read_response(&mut caller).await, ok(&body));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_is_given_up() {
    let (mut caller, porch, _stop) = session();
    let begun = Instant::now();
    caller.write_all(&request("/large", "", "")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(porch.served(), 1);
    // What the pipe held is there, and no more comes.
    let mut bytes = Vec::new();
    caller.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes.len(), 64 * 1024);
    assert!(begun.elapsed() < Duration::from_secs(12));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_taken_too_slowly_is_given_up() {
    let (mut caller, _porch, _stop) = session();
    let begun = Instant::now();
    caller.write_all(&request("/large", "", "")).await.unwrap();
    let mut taken = 0;
    let mut buffer = [0; 1024];
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        match caller.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => taken += length,
        }
        if begun.elapsed() > Duration::from_secs(31) {
            break;
        }
    }
    let mut rest = Vec::new();
    caller.read_to_end(&mut rest).await.unwrap();
    assert!(taken + rest.len() < 75_000, "{taken} and {}", rest.len());
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_is_read_on_for_a_while_only() {
    let (mut caller, porch, stop) = session();
    caller.write_all(b"GET /\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut caller).await, refused(Refusal::BadRequest));
    assert_eq!(porch.refusals(), [Refusal::BadRequest]);
    let begun = Instant::now();
    stop.closed().await;
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_millis(2010),
        "{took:?}"
    );
}

/// Also where the request came in the time that idle connections have left, and took longer than that.
#[tokio::test(start_paused = true)]
async fn a_last_answer_can_be_read_while_all_are_to_go() {
    for takes in [1, 40, 100] {
        let (mut caller, porch, leave) = session();
        caller.write_all(&request("/echo", "", "one")).await.unwrap();
        assert_eq!(read_response(&mut caller).await, ok("one"));
        leave.send_replace(Leave::Closing);
        tokio::time::sleep(Duration::from_millis(10)).await;
        caller.write_all(&request("/wait", "", "two")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(takes)).await;
        porch.go.notify_one();
        assert_eq!(read_response(&mut caller).await, last("two"));
        let begun = Instant::now();
        leave.closed().await;
        let read_on = begun.elapsed();
        assert!(
            read_on >= Duration::from_millis(50) && read_on < Duration::from_millis(60),
            "{read_on:?} after {takes} ms"
        );
    }
}

/// TLS takes some of an answer at once and waits with it: that wait is bounded as well.
#[tokio::test(start_paused = true)]
async fn an_answer_over_tls_that_nobody_takes_is_given_up() {
    let (acceptor, connector) = tls();
    let (caller, stream) = tokio::io::duplex(4 * 1024);
    let porch = Arc::new(Porch::default());
    let (leave, watch) = watch::channel(Leave::Staying);
    let door = Arc::clone(&porch);
    let session = tokio::spawn(async move {
        let stream = crate::tls::accept(&acceptor, Box::new(stream)).await.unwrap();
        let due = Instant::now() + Duration::from_secs(5);
        Session::new(door.clone(), Caller::new(stream), watch, due)
            .run()
            .await;
    });
    let name = ServerName::try_from("localhost").unwrap();
    let mut caller = connector.connect(name, caller).await.unwrap();
    let question = request("/echo", "", &"x".repeat(20_000));
    caller.write_all(&question).await.unwrap();
    caller.flush().await.unwrap();
    let begun = Instant::now();
    let ended = timeout(Duration::from_secs(3_600), session).await;
    ended.expect("it ends").unwrap();
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(30) && took < Duration::from_secs(31),
        "{took:?}"
    );
    assert_eq!(porch.served(), 1);
    drop((caller, leave));
}

/// Both ends of a connection to `localhost`, by a certificate made for this.
fn tls() -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let chain = vec![made.cert.der().clone()];
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(chain, key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots);
    let client = client.with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_ahead_is_bounded() {
    let (mut caller, porch, _stop) = session();
    caller.write_all(&request("/wait", "", "first")).await.unwrap();
    let ahead = request("/echo", "", &"s".repeat(MAX_BODY)).repeat(3);
    let mut unsent = &ahead[..];
    while let Ok(sent) = timeout(Duration::from_secs(1), caller.write(unsent)).await {
        unsent = &unsent[sent.unwrap()..];
        assert!(!unsent.is_empty(), "all of it was taken");
    }
    // The pipe's own 64 KiB, and what the session takes in while it serves, with a last read's room.
    assert!(
        ahead.len() - unsent.len() <= (64 + 48) * 1024,
        "{} are unsent",
        unsent.len()
    );
    porch.go.notify_one();
    let (mut answers, mut questions) = tokio::io::split(caller);
    let (rest, ()) = tokio::join!(async { questions.write_all(unsent).await }, async {
        assert_eq!(read_response(&mut answers).await, ok("first"));
        for _ in 0..3 {
            assert_eq!(read_response(&mut answers).await, ok(&"s".repeat(MAX_BODY)));
        }
    });
    rest.unwrap();
}
