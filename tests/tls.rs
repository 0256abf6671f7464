//! Backends behind TLS: the roots of the system decide, and the certificate has to be the host's.

use crate::support::backend::backend;
use crate::support::gateway::gateway;
use crate::support::payload::payload;
use crate::support::reply::{no_content, reject};
use crate::support::script::script;
use crate::support::tls::{Authority, Validity};

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
