//! Certificates made for one test, so that none expires in the repository and no key stands in it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use super::wire::Stream;

/// A certificate authority that nobody knows unless told.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

/// Whether a certificate is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Good,
    Expired,
}

impl Authority {
    /// A new one, its certificate in a file of its own.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("authority-{}-{count}.pem", std::process::id());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, certificate.pem()).expect("cargo's folder for temporary files");
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// The file for `SSL_CERT_FILE`.
    pub(crate) fn file(&self) -> &str {
        self.file.to_str().expect("a path of ours")
    }

    /// What serves TLS with a certificate for these names and addresses.
    pub(crate) fn vouches_for(&self, names: &[&str], validity: Validity) -> TlsAcceptor {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if validity == Validity::Expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key of ours");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A certificate with its key, in files of their own; what stands there may be exchanged.
pub(crate) struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

impl Identity {
    /// For `localhost`, of this authority.
    pub(crate) fn of(authority: &Authority) -> Self {
        let identity = Self {
            cert: authority.file.with_extension("cert"),
            key: authority.file.with_extension("key"),
        };
        identity.becomes_one_of(authority);
        identity
    }

    /// A new one takes its place.
    pub(crate) fn becomes_one_of(&self, authority: &Authority) {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority.issuer).expect("a certificate");
        fs::write(&self.cert, certificate.pem()).expect("cargo's folder for temporary files");
        fs::write(&self.key, key.serialize_pem()).expect("cargo's folder for temporary files");
    }

    /// The line of `[server]` that names both.
    pub(crate) fn line(&self) -> String {
        format!("tls = {{ cert = {:?}, key = {:?} }}", self.cert, self.key)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.cert);
        let _ = fs::remove_file(&self.key);
    }
}

/// A connection to `localhost` there, of a caller who trusts nobody but this authority.
pub(crate) async fn secured(
    address: SocketAddr,
    authority: &Authority,
) -> io::Result<client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&authority.file).expect("its file") {
        roots.add(certificate.expect("a certificate")).expect("a root");
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let host = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(host, TcpStream::connect(address).await?)
        .await
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

impl Stream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}
