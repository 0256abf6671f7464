//! TLS: certificates are checked for the URL's host, whatever it is, against the roots that count for the backend,
//! and nothing switches that off; what a backend is shown is its own alone.

use std::sync::Mutex;
use std::time::Duration;

use koigate_core::failure::FailureKind;
use koigate_core::plan::{Certificates, Identity};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::fake::{Act, Fake, say, timed};
use super::*;

/// An authority of our own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// A server's side of TLS with a certificate of this authority.
    fn certify(&self, params: &CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server(certificate, &key)
    }

    /// The same for `localhost`, where callers have to show a certificate of `clients`.
    fn certify_and_ask(&self, clients: &Self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = certificate_for("localhost")
            .signed_by(&key, &self.issuer)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(clients.certificate.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        let builder =
            ServerConfig::builder_with_protocol_versions(&[version]).with_client_cert_verifier(verifier);
        speaking(
            builder
                .with_single_cert(vec![certificate.into()], secret(&key))
                .unwrap(),
        )
    }

    /// What a client shows.
    fn identify(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: pem(&certificate),
            key: Secret::new(key.serialize_pem()),
        }
    }

    /// Trust in this authority alone.
    fn trust(&self) -> BackendTls {
        BackendTls {
            ca: Some(pem(&self.certificate)),
            identity: None,
        }
    }
}

fn pem(certificate: &rcgen::Certificate) -> Certificates {
    Certificates(certificate.pem().into_bytes().into())
}

fn secret(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

fn server(certificate: impl Into<CertificateDer<'static>>, key: &KeyPair) -> ServerConfig {
    let builder = ServerConfig::builder().with_no_client_auth();
    speaking(
        builder
            .with_single_cert(vec![certificate.into()], secret(key))
            .unwrap(),
    )
}

fn speaking(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn certificate_for(host: &str) -> CertificateParams {
    CertificateParams::new(vec![host.to_owned()]).unwrap()
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    params
}

/// Serves every connection this reply to each request it hears, and ends it as TLS has it, or just so.
async fn serve(config: ServerConfig, reply: &'static str, end: End) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let (_, session) = stream.get_ref();
                assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
                let mut heard = Vec::new();
                while stream.read_buf(&mut heard).await.is_ok_and(|length| length > 0) {
                    if !heard.ends_with(b"{}") {
                        continue;
                    }
                    heard.clear();
                    stream.write_all(reply.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                    match end {
                        End::Keep => {}
                        End::Notify => return drop(stream.shutdown().await),
                        End::Drop => return,
                    }
                }
            });
        }
    });
    address
}

#[derive(Clone, Copy)]
enum End {
    /// The connection is kept.
    Keep,
    /// It is closed with a notice.
    Notify,
    /// It is closed without one, as somebody on the way could close it.
    Drop,
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn https(address: SocketAddr, host: &str, tls: BackendTls) -> Upstream {
    let mut backend = backend(address);
    backend.replicas[0].scheme = Scheme::Https;
    backend.replicas[0].host = host.to_owned();
    backend.tls = tls;
    upstream(&backend)
}

fn refused(words: &'static str) -> Failure {
    Failure::new(FailureKind::Connect, words)
}

#[tokio::test]
async fn a_certificate_for_the_host_is_good() {
    let authority = Authority::new("good");
    for host in ["localhost", "127.0.0.1"] {
        let address = serve(authority.certify(&certificate_for(host)), OK, End::Keep).await;
        let upstream = https(address, host, authority.trust());
        for _ in 0..3 {
            assert_eq!(ask(&upstream).await.unwrap().body, "hello");
        }
        let counted = (
            upstream.connections.opened.get(),
            upstream.connections.reused.get(),
        );
        assert_eq!(counted, (1, 2), "{host}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not() {
    let authority = Authority::new("other-host");
    for (certified, host) in [
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("other.example", "localhost"),
        ("127.0.0.2", "127.0.0.1"),
    ] {
        let address = serve(authority.certify(&certificate_for(certified)), OK, End::Keep).await;
        let failure = ask(&https(address, host, authority.trust())).await.unwrap_err();
        let expected = refused("TLS: the certificate is not for this host");
        assert_eq!(failure, expected, "{certified} for {host}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_good() {
    let authority = Authority::new("not-good");
    let good = certificate_for("localhost");
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = good.clone();
        change(&mut params);
        params
    };
    let early = changed(|params| {
        (params.not_before, params.not_after) = (date_time_ymd(2900, 1, 1), date_time_ymd(2900, 2, 1));
    });
    let client = changed(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let authority_itself = changed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    for (params, words) in [
        (expired(good.clone()), "TLS: the certificate has expired"),
        (early, "TLS: the certificate is not valid yet"),
        (client, "TLS: the certificate is not one for servers"),
        (
            authority_itself,
            "TLS: the certificate is an authority's, not a server's",
        ),
    ] {
        let address = serve(authority.certify(&params), OK, End::Keep).await;
        let outcome = ask(&https(address, "localhost", authority.trust())).await;
        assert_eq!(outcome.unwrap_err(), refused(words));
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_is_not_good() {
    let expected = refused("TLS: the certificate's issuer is not trusted");
    let authority = Authority::new("nobody");
    let key = KeyPair::generate().unwrap();
    let own = certificate_for("localhost").self_signed(&key).unwrap();
    let address = serve(server(own, &key), OK, End::Keep).await;
    for trust in [authority.trust(), BackendTls::default()] {
        assert_eq!(
            ask(&https(address, "localhost", trust)).await.unwrap_err(),
            expected
        );
    }
    let address = serve(authority.certify(&certificate_for("localhost")), OK, End::Keep).await;
    let other = Authority::new("somebody");
    for trust in [other.trust(), BackendTls::default()] {
        assert_eq!(
            ask(&https(address, "localhost", trust)).await.unwrap_err(),
            expected
        );
    }
}

#[tokio::test]
async fn no_host_is_no_way_around_the_check() {
    let authority = Authority::new("no-host");
    let address = serve(authority.certify(&certificate_for("localhost")), OK, End::Keep).await;
    let upstream = https(address, "", authority.trust());
    let within = Instant::now() + PATIENCE;
    assert_eq!(
        upstream
            .dialer
            .try_all(&[address], within)
            .await
            .unwrap_err()
            .kind,
        FailureKind::Connect
    );
}

#[tokio::test]
async fn a_name_with_an_underscore_is_checked_as_it_stands() {
    let authority = Authority::new("underscore");
    for (certified, words) in [
        ("a_b.koigate.example", None),
        ("*.koigate.example", None),
        (
            "a-b.koigate.example",
            Some("TLS: the certificate is not for this host"),
        ),
    ] {
        let address = serve(authority.certify(&certificate_for(certified)), OK, End::Keep).await;
        let upstream = https(address, "a_b.koigate.example", authority.trust());
        let outcome = upstream
            .dialer
            .try_all(&[address], Instant::now() + PATIENCE)
            .await;
        assert_eq!(outcome.err(), words.map(refused), "{certified}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_where_it_is_named() {
    let key = KeyPair::generate().unwrap();
    let own = certificate_for("localhost").self_signed(&key).unwrap();
    let tls = BackendTls {
        ca: Some(pem(&own)),
        identity: None,
    };
    let address = serve(server(own, &key), OK, End::Keep).await;
    assert_eq!(
        ask(&https(address, "localhost", tls)).await.unwrap().body,
        "hello"
    );
}

#[tokio::test]
async fn a_backend_that_wants_a_certificate() {
    let (servers, clients, strangers) = (
        Authority::new("servers"),
        Authority::new("clients"),
        Authority::new("strangers"),
    );
    let us = CertificateParams::new(Vec::new()).unwrap();
    for version in [&TLS12, &TLS13] {
        for (identity, words) in [
            (Some(clients.identify(&us)), None),
            (None, Some("TLS: a client certificate is wanted")),
            (
                Some(strangers.identify(&us)),
                Some("TLS: our certificate is refused"),
            ),
            (
                Some(clients.identify(&expired(us.clone()))),
                Some("TLS: our certificate is refused"),
            ),
        ] {
            let address = serve(servers.certify_and_ask(&clients, version), OK, End::Keep).await;
            let tls = BackendTls {
                identity,
                ..servers.trust()
            };
            let outcome = ask(&https(address, "localhost", tls)).await;
            assert_eq!(outcome.err(), words.map(refused), "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_key_of_another_certificate_lets_nothing_out() {
    let authority = Authority::new("mixed-up");
    let us = CertificateParams::new(Vec::new()).unwrap();
    let mixed_up = Identity {
        key: authority.identify(&us).key,
        ..authority.identify(&us)
    };
    let tls = BackendTls {
        identity: Some(mixed_up),
        ..authority.trust()
    };
    let address = serve(authority.certify(&certificate_for("localhost")), OK, End::Keep).await;
    let failure = ask(&https(address, "localhost", tls)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connect);
}

/// How each handshake went, of a backend that closes after every reply.
async fn handshakes(config: ServerConfig) -> (SocketAddr, Arc<Mutex<Vec<HandshakeKind>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let seen = kinds.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            seen.lock().unwrap().extend(stream.get_ref().1.handshake_kind());
            let mut heard = Vec::new();
            while !heard.ends_with(b"{}") {
                stream.read_buf(&mut heard).await.unwrap();
            }
            let reply = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(reply.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    (address, kinds)
}

#[tokio::test]
async fn a_session_is_resumed_by_its_own_way_alone() {
    use HandshakeKind::{Full, Resumed};
    let authority = Authority::new("sessions");
    let us = CertificateParams::new(Vec::new()).unwrap();
    for version in [&TLS12, &TLS13] {
        let (address, kinds) = handshakes(authority.certify_and_ask(&authority, version)).await;
        let way = |identity: &Identity| {
            let tls = BackendTls {
                identity: Some(identity.clone()),
                ..authority.trust()
            };
            https(address, "localhost", tls)
        };
        let (one, other) = (authority.identify(&us), authority.identify(&us));
        let (first, second) = (way(&one), way(&other));
        for upstream in [&first, &first, &second, &first] {
            ask(upstream).await.unwrap();
        }
        let kinds = kinds.lock().unwrap().clone();
        assert_eq!(kinds, [Full, Resumed, Full, Resumed], "{version:?}");
    }
}

#[test]
fn another_certificate_is_another_way() {
    let (authority, other) = (Authority::new("ways"), Authority::new("ways"));
    let us = CertificateParams::new(Vec::new()).unwrap();
    let with = |tls: &BackendTls| Backend {
        tls: tls.clone(),
        ..backend(SocketAddr::from(([127, 0, 0, 1], 1)))
    };
    let identified = |authority: &Authority| BackendTls {
        identity: Some(authority.identify(&us)),
        ..authority.trust()
    };
    let one = identified(&authority);
    for (before, after, same) in [
        (&one, &one, true),
        (&one, &identified(&authority), false),
        (&one, &authority.trust(), false),
        (&authority.trust(), &other.trust(), false),
        (&authority.trust(), &BackendTls::default(), false),
        (&authority.trust(), &authority.trust(), true),
    ] {
        let (before, after) = (with(before), with(after));
        let (was, is) = ((&before, &before.replicas[0]), (&after, &after.replicas[0]));
        assert_eq!(Upstream::is_same_way(was, is), same);
    }
}

#[tokio::test]
async fn a_handshake_that_stalls_or_is_none() {
    let silent = Fake::start(vec![vec![Act::Hang]]).await;
    let (took, outcome) = timed(ask(&https(silent.address, "localhost", BackendTls::default()))).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Connect);
    assert!(
        (400..1200).contains(&took.as_millis()),
        "within connect_timeout: {took:?}"
    );

    let plain = Fake::start(vec![vec![say("HTTP/1.1 400 Bad Request\r\n\r\n"), Act::Hang]]).await;
    let failure = ask(&https(plain.address, "localhost", BackendTls::default()))
        .await
        .unwrap_err();
    assert_eq!(failure, refused("TLS: it is not spoken there"));
}

#[tokio::test]
async fn a_body_until_close_needs_the_notice() {
    let authority = Authority::new("notice");
    let reply = "HTTP/1.1 200 OK\r\n\r\nhello";
    let address = serve(
        authority.certify(&certificate_for("localhost")),
        reply,
        End::Notify,
    )
    .await;
    let upstream = https(address, "localhost", authority.trust());
    assert_eq!(ask(&upstream).await.unwrap().body, "hello");
    let address = serve(authority.certify(&certificate_for("localhost")), reply, End::Drop).await;
    let upstream = https(address, "localhost", authority.trust());
    assert_eq!(
        ask(&upstream).await.unwrap_err().kind,
        FailureKind::Reset,
        "it may have been cut short"
    );
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_used() {
    let authority = Authority::new("idle");
    for end in [End::Notify, End::Drop] {
        let address = serve(authority.certify(&certificate_for("localhost")), OK, end).await;
        let upstream = https(address, "localhost", authority.trust());
        for _ in 0..2 {
            assert_eq!(ask(&upstream).await.unwrap().body, "hello");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(upstream.connections.opened.get(), 2);
    }
}
