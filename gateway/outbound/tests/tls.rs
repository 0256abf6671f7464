//! TLS: certificates are checked for the URL's host, whatever it is, and nothing switches that off.

use std::path::PathBuf;
use std::time::Duration;

use koigate_core::failure::FailureKind;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::fake::{Act, Fake, say, timed};
use super::*;

/// An authority of our own, and where its certificate is.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    /// Its file is named after the test that asks for it.
    fn new(test: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, test);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = std::env::temp_dir().join(format!("koigate-{}-{test}.pem", std::process::id()));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// A server's side of TLS with a certificate of this authority.
    fn certify(&self, params: &CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server(certificate, &key)
    }

    fn trust(&self) -> Trust {
        Trust::File(self.file.clone())
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn server(certificate: rcgen::Certificate, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn certificate_for(host: &str) -> CertificateParams {
    CertificateParams::new(vec![host.to_owned()]).unwrap()
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

fn https(address: SocketAddr, host: &str, trust: Trust) -> Upstream {
    let mut backend = backend(address);
    backend.replicas[0].scheme = Scheme::Https;
    backend.replicas[0].host = host.to_owned();
    Upstream::new(
        &backend,
        &backend.replicas[0],
        Connector::new(trust).unwrap(),
        connections(),
        Arc::default(),
    )
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
        let expected = Failure::new(FailureKind::Connect, "TLS: the certificate is not for this host");
        assert_eq!(failure, expected, "{certified} for {host}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_not_good() {
    let authority = Authority::new("expired");
    let mut params = certificate_for("localhost");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 2, 1);
    let address = serve(authority.certify(&params), OK, End::Keep).await;
    let failure = ask(&https(address, "localhost", authority.trust()))
        .await
        .unwrap_err();
    assert_eq!(
        failure,
        Failure::new(FailureKind::Connect, "TLS: the certificate has expired")
    );
}

#[tokio::test]
async fn a_certificate_of_nobody_is_not_good() {
    let expected = Failure::new(
        FailureKind::Connect,
        "TLS: the certificate's issuer is not trusted",
    );
    let authority = Authority::new("nobody");
    let key = KeyPair::generate().unwrap();
    let own = certificate_for("localhost").self_signed(&key).unwrap();
    let address = serve(server(own, &key), OK, End::Keep).await;
    for trust in [authority.trust(), Trust::System] {
        assert_eq!(
            ask(&https(address, "localhost", trust)).await.unwrap_err(),
            expected
        );
    }
    let address = serve(authority.certify(&certificate_for("localhost")), OK, End::Keep).await;
    let other = Authority::new("somebody");
    for trust in [other.trust(), Trust::System] {
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
    let mut backend = backend(address);
    backend.replicas[0].scheme = Scheme::Https;
    backend.replicas[0].host = String::new();
    let connector = Connector::new(authority.trust()).unwrap();
    let dialer = super::super::dial::Dialer::new(&backend, &backend.replicas[0], connector);
    let within = Instant::now() + PATIENCE;
    assert_eq!(
        dialer.try_all(&[address], within).await.unwrap_err().kind,
        FailureKind::Connect
    );
}

#[tokio::test]
async fn a_handshake_that_stalls_or_is_none() {
    let silent = Fake::start(vec![vec![Act::Hang]]).await;
    let (took, outcome) = timed(ask(&https(silent.address, "localhost", Trust::System))).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::Connect);
    assert!(
        (400..1200).contains(&took.as_millis()),
        "within connect_timeout: {took:?}"
    );

    let plain = Fake::start(vec![vec![say("HTTP/1.1 400 Bad Request\r\n\r\n"), Act::Hang]]).await;
    let failure = ask(&https(plain.address, "localhost", Trust::System))
        .await
        .unwrap_err();
    assert_eq!(
        failure,
        Failure::new(FailureKind::Connect, "TLS: the handshake failed")
    );
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

#[test]
fn roots_that_can_not_be_read() {
    let missing = Trust::File(std::env::temp_dir().join("koigate-no-such-file.pem"));
    assert!(Connector::new(missing).is_err());
}
