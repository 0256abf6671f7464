//! Backends behind TLS: the roots of the system decide, or those of the backend's own `ca`; the certificate has to be
//! the host's; and a backend may want to see one of ours.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::backend::{Backend, backend};
use crate::support::gateway::{Gateway, gateway};
use crate::support::payload::payload;
use crate::support::reply::{no_content, reject};
use crate::support::script::script;
use crate::support::tls::{Authority, Identity, Validity};
use crate::support::wire::bounded;

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

/// Asks once: what the user reads, if the hook is refused.
async fn refusal(gateway: &Gateway) -> Option<String> {
    let response = gateway.koipy().posts("/onMessage", "{}").await;
    (response.status != 204).then(|| response.text())
}

/// A backend of this authority that refuses with `asked` whoever may ask.
fn backend_of(authority: &Authority, lines: &str) -> Backend {
    backend("secured")
        .at("https://localhost:{port}/")
        .secured(authority.vouches_for(&["localhost"], Validity::Good))
        .set(lines)
        .rejects(403, "asked")
        .starts()
}

#[tokio::test]
async fn a_ca_takes_the_place_of_the_systems_roots() {
    let (system, own) = (Authority::new(), Authority::new());
    for (served, ca, expected) in [
        (&own, Some(&own), Some("asked")),
        (&system, Some(&own), None),
        (&system, None, Some("asked")),
        (&own, None, None),
    ] {
        let lines = ca.map(|ca| format!("tls = {{ ca = {:?} }}", ca.file()));
        let secured = backend_of(served, &lines.unwrap_or_default());
        let gateway = gateway()
            .with_env("SSL_CERT_FILE", system.file())
            .log("level = 'debug'")
            .asks(&secured)
            .starts()
            .await;
        assert_eq!(refusal(&gateway).await.as_deref(), expected);
        if expected.is_none() {
            let series = "koigate_backend_failures_total hook=onMessage backend=secured kind=connect";
            gateway.counts(series, 1.0).await;
        }
    }
}

#[tokio::test]
async fn a_backend_may_want_a_certificate() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (ours, others) = (Identity::of(&clients), Identity::of(&strangers));
    for (shown, words) in [
        (Some(&ours), None),
        (None, Some("a client certificate is wanted")),
        (Some(&others), Some("our certificate is refused")),
    ] {
        let shown = shown.map(|identity| format!(", {}", identity.keys()));
        let tls = format!("ca = {:?}{}", servers.file(), shown.unwrap_or_default());
        let secured = backend("secured")
            .at("https://localhost:{port}/")
            .secured(servers.vouches_and_asks_for(&[&clients]))
            .set(&format!(
                "tls = {{ {tls} }}\non_failure = 'reject'\nfailure_message = 'broken'"
            ))
            .rejects(403, "asked")
            .starts();
        let gateway = gateway().asks(&secured).starts().await;
        let expected = if words.is_some() { "broken" } else { "asked" };
        assert_eq!(refusal(&gateway).await.as_deref(), Some(expected), "{words:?}");
        if let Some(words) = words {
            gateway.logs(&["call failed", "kind=\"connect\"", words]).await;
            assert_eq!(secured.asked(), 0);
        }
    }
}

#[tokio::test]
async fn exchanged_files_are_another_way() {
    let (servers, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let ours = Identity::of(&old);
    let secured = backend("secured")
        .at("https://localhost:{port}/")
        .secured(servers.vouches_and_asks_for(&[&old, &new]))
        .set(&format!("tls = {{ ca = {:?}, {} }}", servers.file(), ours.keys()))
        .starts();
    let gateway = gateway().asks(&secured).starts().await;
    for _ in 0..2 {
        assert_eq!(refusal(&gateway).await, None);
    }
    assert_eq!(secured.opened(), 1);
    ours.becomes_one_of(&new);
    let exchanged = async {
        while secured.opened() == 1 {
            assert_eq!(refusal(&gateway).await, None);
            sleep(Duration::from_millis(50)).await;
        }
    };
    bounded("another connection", exchanged).await;
    gateway.counts("koigate_backend_failures_total", 0.0).await;
}
