//! TLS on both sides. Backends: the roots of the system decide, and the certificate has to be the host's.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::backend::backend;
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::reply::{no_content, reject};
use crate::support::script::script;
use crate::support::tls::{Authority, Identity, Validity, secured};

/// Asks one backend that shows such a certificate, from a gateway that trusts `known`: the kind of the failure.
async fn check(url: &str, names: &[&str], validity: Validity, trust: Trust) -> Option<&'static str> {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let served = match trust {
        Trust::Known => &authority,
        Trust::Stranger => &stranger,
    };
    let served = served.vouches_for(names, validity);
    let secured = backend("secured")
        .at(url)
        .secured(served)
        .rejects(403, "asked")
        .starts();
    let gateway = gateway()
        .with_env("SSL_CERT_FILE", authority.file())
        .asks(&secured)
        .starts()
        .await;
    let after = gateway.koipy().fires("onMessage", &payload("onMessage", 0)).await;
    gateway.counts("koigate_hooks_total hook=onMessage", 1.0).await;
    let failed = gateway
        .metrics()
        .await
        .value("koigate_backend_failures_total hook=onMessage backend=secured kind=connect");
    assert_eq!(
        secured.asked() == 0,
        failed > 0.0,
        "no byte of a hook leaves before the certificate is good"
    );
    assert_eq!(after.response.status == 403, secured.asked() == 1);
    (failed > 0.0).then_some("connect")
}

#[derive(Clone, Copy, Debug)]
enum Trust {
    Known,
    Stranger,
}

#[tokio::test]
async fn certificates_are_checked_for_the_host_of_the_url() {
    let (name, address) = ("https://localhost:{port}/", "https://127.0.0.1:{port}/");
    for (url, names, validity, trust, expected) in [
        (name, &["localhost"][..], Validity::Good, Trust::Known, None),
        (address, &["127.0.0.1"], Validity::Good, Trust::Known, None),
        (
            name,
            &["other.example", "localhost"],
            Validity::Good,
            Trust::Known,
            None,
        ),
        (
            name,
            &["other.example"],
            Validity::Good,
            Trust::Known,
            Some("connect"),
        ),
        (
            address,
            &["localhost"],
            Validity::Good,
            Trust::Known,
            Some("connect"),
        ),
        (
            name,
            &["127.0.0.1"],
            Validity::Good,
            Trust::Known,
            Some("connect"),
        ),
        (
            name,
            &["localhost"],
            Validity::Expired,
            Trust::Known,
            Some("connect"),
        ),
        (
            name,
            &["localhost"],
            Validity::Good,
            Trust::Stranger,
            Some("connect"),
        ),
        (
            address,
            &["127.0.0.1"],
            Validity::Good,
            Trust::Stranger,
            Some("connect"),
        ),
    ] {
        let failed = check(url, names, validity, trust).await;
        assert_eq!(failed, expected, "{url} {names:?} {validity:?} {trust:?}");
    }
}

#[tokio::test]
async fn tls_connections_are_kept_and_replaced() {
    let authority = Authority::new();
    let served = authority.vouches_for(&["localhost"], Validity::Good);
    let secured = backend("secured").at("https://localhost:{port}/").secured(served);
    let secured = secured.replies_with(|request| match request.earlier {
        0..3 => no_content().into(),
        _ => script().closes(),
    });
    let secured = secured.on("onResult", reject(403, "no")).starts();
    let gateway = gateway()
        .with_env("SSL_CERT_FILE", authority.file())
        .asks(&secured)
        .starts()
        .await;
    for _ in 0..5 {
        assert_eq!(gateway.koipy().posts("/onMessage", "{}").await.status, 204);
    }
    assert_eq!((secured.opened(), secured.asked()), (2, 6));
    let document = payload("onResult", 2_000);
    assert_eq!(
        gateway.koipy().fires("onResult", &document).await.response.status,
        403
    );
    assert_eq!(secured.requests()[6].body, document.dumps(), "large bodies too");
    gateway.counts("koigate_backend_failures_total", 0.0).await;
}

/// What a hook over this connection is answered with, as it leaves.
async fn fires_over(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    let hook = "POST /onMessage HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    stream.write_all(hook.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn callers_speak_tls_and_see_the_certificate_of_the_day() {
    let (old, new) = (Authority::new(), Authority::new());
    let identity = Identity::of(&old);
    let guard = backend("guard").rejects(403, "asked").starts();
    let gateway = gateway().server(&identity.line()).asks(&guard).starts().await;
    let address = gateway.hooks;

    let mut kept = secured(address, &old).await.unwrap();
    assert_eq!(kept.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(fires_over(&mut kept).await.starts_with("HTTP/1.1 403 "));
    assert!(
        secured(address, &new).await.is_err(),
        "a stranger's root says nothing"
    );

    // Who speaks HTTP in the clear is neither heard nor answered.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"POST /onMessage HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        .await
        .unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    assert_eq!(guard.asked(), 1);

    // The watch sees the files change; who is connected stays so.
    identity.becomes_one_of(&new);
    let exchanged = async {
        while secured(address, &new).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), exchanged).await.unwrap();
    assert!(fires_over(&mut kept).await.starts_with("HTTP/1.1 403 "));
    assert!(secured(address, &old).await.is_err());
}
