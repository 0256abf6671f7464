//! Certificates made for one test, so that none expires in the repository and no key stands in it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
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
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = new_file("authority");
        fs::write(&file, certificate.pem()).expect("cargo's folder for temporary files");
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// The file of its certificate.
    pub(crate) fn file(&self) -> &str {
        spelled(&self.file)
    }

    /// What serves TLS with a certificate for these names and addresses.
    pub(crate) fn vouches_for(&self, names: &[&str], validity: Validity) -> TlsAcceptor {
        let (chain, key) = self.certifies(names, validity);
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate and its key");
        TlsAcceptor::from(Arc::new(config))
    }

    /// The same for `localhost`, of a server that wants to see a certificate of these authorities.
    pub(crate) fn vouches_and_asks_for(&self, clients: &[&Self]) -> TlsAcceptor {
        let (chain, key) = self.certifies(&["localhost"], Validity::Good);
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots(clients)));
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier.build().expect("authorities"))
            .with_single_cert(chain, key)
            .expect("a certificate and its key");
        TlsAcceptor::from(Arc::new(config))
    }

    fn certifies(
        &self,
        names: &[&str],
        validity: Validity,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if validity == Validity::Expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key of ours");
        (vec![certificate.into()], key)
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
            cert: new_file("cert"),
            key: new_file("key"),
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

    /// The keys of a table `tls` that name both: `cert = "...", key = "..."`.
    pub(crate) fn keys(&self) -> String {
        format!("cert = {:?}, key = {:?}", self.cert, self.key)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.cert);
        let _ = fs::remove_file(&self.key);
    }
}

/// A caller who trusts nobody but this authority, and shows nothing.
pub(crate) fn caller(authority: &Authority) -> ClientConfig {
    ClientConfig::builder()
        .with_root_certificates(roots(&[authority]))
        .with_no_client_auth()
}

/// The same, speaking this version alone.
pub(crate) fn caller_of_version(
    authority: &Authority,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    ClientConfig::builder_with_protocol_versions(&[version])
        .with_root_certificates(roots(&[authority]))
        .with_no_client_auth()
}

/// The same, showing this.
pub(crate) fn caller_showing(authority: &Authority, identity: &Identity) -> ClientConfig {
    let chain = CertificateDer::pem_file_iter(&identity.cert).expect("its file");
    let chain = chain.collect::<Result<_, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&identity.key).expect("its key");
    ClientConfig::builder()
        .with_root_certificates(roots(&[authority]))
        .with_client_auth_cert(chain, key)
        .expect("a certificate and its key")
}

/// A connection to `localhost` there.
pub(crate) async fn secured(
    address: SocketAddr,
    caller: ClientConfig,
) -> io::Result<client::TlsStream<TcpStream>> {
    let host = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(caller))
        .connect(host, TcpStream::connect(address).await?)
        .await
}

fn roots(authorities: &[&Authority]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        for certificate in CertificateDer::pem_file_iter(&authority.file).expect("its file") {
            roots.add(certificate.expect("a certificate")).expect("a root");
        }
    }
    roots
}

/// A path that no other test uses.
fn new_file(kind: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{kind}-{}-{count}.pem", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn spelled(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
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

impl Stream for client::TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}
