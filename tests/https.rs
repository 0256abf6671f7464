//! Callers over TLS: whom they see, who they have to be, and what becomes of those who say something else, or nothing.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion};

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, Setup, gateway};
use crate::support::tls::{Authority, Identity, caller, caller_of_version, caller_showing, secured};
use crate::support::wire::{Wire, bounded};

const HOOK: &str = "POST /onMessage HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
const BAD: &str = "koigate_request_rejections_total reason=bad_request";

/// A backend that refuses everything, so that its word shows that a hook came through.
fn guard() -> Backend {
    backend("guard").rejects(403, "asked").starts()
}

/// A gateway that shows this and asks this backend.
fn showing(identity: &Identity, guard: &Backend) -> Setup {
    gateway()
        .server(&format!("tls = {{ {} }}", identity.keys()))
        .asks(guard)
}

/// The answer to a hook from this caller; nothing where it is not let in.
async fn asks(gateway: &Gateway, caller: ClientConfig) -> Option<u16> {
    let mut wire = Wire::new(secured(gateway.hooks, caller).await.ok()?);
    wire.write(HOOK).await.ok()?;
    Some(wire.response().await.ok()?.status)
}

fn speaking(mut caller: ClientConfig, protocols: &[&str]) -> ClientConfig {
    let protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec());
    caller.alpn_protocols = protocols.collect();
    caller
}

#[tokio::test]
async fn callers_speak_tls_and_see_the_certificate_of_the_day() {
    let (old, new) = (Authority::new(), Authority::new());
    let identity = Identity::of(&old);
    let guard = guard();
    let gateway = showing(&identity, &guard).starts().await;
    let mut kept = Wire::new(secured(gateway.hooks, caller(&old)).await.unwrap());
    kept.write(HOOK).await.unwrap();
    assert_eq!(kept.answered().await.text(), "asked");
    assert_eq!(
        asks(&gateway, caller(&new)).await,
        None,
        "a stranger's root says nothing"
    );
    gateway.counts(BAD, 1.0).await;

    // The watch sees the files change; who is connected stays so.
    identity.becomes_one_of(&new);
    let exchanged = async {
        while asks(&gateway, caller(&new)).await.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    bounded("the new certificate", exchanged).await;
    kept.write(HOOK).await.unwrap();
    assert_eq!(kept.answered().await.text(), "asked");
    assert_eq!(asks(&gateway, caller(&old)).await, None);
}

#[tokio::test]
async fn versions_and_protocols() {
    let authority = Authority::new();
    let (identity, guard) = (Identity::of(&authority), guard());
    let gateway = showing(&identity, &guard).starts().await;
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let caller = speaking(caller_of_version(&authority, version), &["h2", "http/1.1"]);
        let stream = secured(gateway.hooks, caller).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(expected));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    for (protocols, expected) in [
        (&[][..], Some(403)),
        (&["http/1.1"], Some(403)),
        (&["h2"], None),
        (&["http/1.0"], None),
    ] {
        let caller = speaking(caller(&authority), protocols);
        assert_eq!(asks(&gateway, caller).await, expected, "{protocols:?}");
    }
    gateway.counts(BAD, 2.0).await;
}

#[tokio::test]
async fn who_speaks_in_the_clear_is_told() {
    let authority = Authority::new();
    let (identity, guard) = (Identity::of(&authority), guard());
    let gateway = showing(&identity, &guard).starts().await;
    for input in [HOOK, "GET / HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "\0"] {
        let mut wire = gateway.connect().await;
        wire.write(input).await.unwrap();
        let answer = wire.answered().await;
        assert_eq!(answer.status, 400, "{input:?}");
        assert!(answer.text().contains("HTTPS"), "{answer:?}");
        assert!(wire.closed().await.is_empty());
    }
    assert_eq!(guard.asked(), 0);
    gateway.counts(BAD, 4.0).await;
    assert_eq!(asks(&gateway, caller(&authority)).await, Some(403));
}

#[tokio::test]
async fn callers_may_have_to_show_a_certificate() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (identity, guard) = (Identity::of(&servers), guard());
    let (known, unknown) = (Identity::of(&clients), Identity::of(&strangers));
    let tls = format!(
        "tls = {{ {}, client_ca = {:?} }}",
        identity.keys(),
        clients.file()
    );
    let gateway = gateway().server(&tls).asks(&guard).starts().await;
    for (caller, expected) in [
        (caller_showing(&servers, &known), Some(403)),
        (caller_showing(&servers, &unknown), None),
        (caller(&servers), None),
    ] {
        assert_eq!(asks(&gateway, caller).await, expected);
    }
    assert_eq!(guard.asked(), 1);
    gateway.counts(BAD, 2.0).await;
}

/// How long it takes until a caller that begins with these bytes, and says no more, is closed.
async fn closed_after(gateway: &Gateway, bytes: &[u8]) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(gateway.hooks).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    let _ = bounded("the end", stream.read_to_end(&mut heard)).await;
    assert_eq!(heard, b"");
    begun.elapsed()
}

#[tokio::test]
async fn a_handshake_that_stalls_is_ended() {
    let authority = Authority::new();
    let (identity, guard) = (Identity::of(&authority), guard());
    let gateway = showing(&identity, &guard).starts().await;
    // A record of 512 bytes is announced and does not come.
    let stalled = closed_after(&gateway, &[22, 3, 1, 2, 0, 1]);
    let silent = closed_after(&gateway, &[]);
    let without_a_head = async {
        let begun = Instant::now();
        let mut wire = Wire::new(secured(gateway.hooks, caller(&authority)).await.unwrap());
        assert!(wire.closed().await.is_empty());
        begun.elapsed()
    };
    let (stalled, silent, without_a_head) = tokio::join!(stalled, silent, without_a_head);
    for took in [stalled, silent, without_a_head] {
        assert!((4_900..6_000).contains(&took.as_millis()), "{took:?}");
    }
    // Who never said a word has done nothing bad.
    gateway.counts(BAD, 1.0).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_holds_up_no_stop() {
    let authority = Authority::new();
    let (identity, guard) = (Identity::of(&authority), guard());
    let gateway = showing(&identity, &guard).starts().await;
    let _silent = gateway.connect().await;
    sleep(Duration::from_millis(50)).await;
    let stopped = gateway.stops().await;
    assert!(stopped.took < Duration::from_secs(2), "{:?}", stopped.took);
}

#[tokio::test]
async fn who_finds_no_seat_costs_no_handshake() {
    let authority = Authority::new();
    let (identity, guard) = (Identity::of(&authority), guard());
    let setup = showing(&identity, &guard).server("max_connections = 1");
    let gateway = setup.starts().await;
    let seated = secured(gateway.hooks, caller(&authority)).await.unwrap();
    assert_eq!(asks(&gateway, caller(&authority)).await, None);
    gateway
        .counts("koigate_request_rejections_total reason=overloaded", 1.0)
        .await;
    drop(seated);
    let recovers = async {
        while asks(&gateway, caller(&authority)).await != Some(403) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    bounded("a seat", recovers).await;
}

#[tokio::test]
async fn a_reload_turns_it_on_for_new_connections() {
    let authority = Authority::new();
    let (identity, guard) = (Identity::of(&authority), guard());
    let plain = gateway().asks(&guard);
    let gateway = plain.starts().await;
    let mut kept = gateway.connect().await;
    kept.write(HOOK).await.unwrap();
    assert_eq!(kept.answered().await.status, 403);
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    let secured_text = text.replace("[server]", &format!("[server]\ntls = {{ {} }}", identity.keys()));
    gateway.rewrites(&secured_text);
    gateway.logs(&["reloaded", "server: tls"]).await;
    let status = gateway.admin("/status").await.text();
    assert!(status.contains("\"tls\": true"), "{status}");
    assert_eq!(asks(&gateway, caller(&authority)).await, Some(403));
    kept.write(HOOK).await.unwrap();
    assert_eq!(kept.answered().await.status, 403);
    gateway.rewrites(&text);
    let plain_again = async {
        while asks(&gateway, caller(&authority)).await.is_some() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    bounded("HTTP in the clear", plain_again).await;
    assert_eq!(gateway.koipy().posts("/onMessage", "{}").await.status, 403);
}
