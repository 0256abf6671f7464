//! TLS, towards callers and towards backends: from what a plan holds to what shakes hands.
//!
//! Pingora has both sides, but a side of it is made once from the paths of files (callers), or anew for each
//! connection where a backend has roots or a certificate of its own, so that no session is ever resumed
//! (pingora-core 0.9.1, `listeners/tls/rustls`, `connectors/tls/rustls`); and of an error it keeps the text alone.
//! Here a side is made once for each plan from the bytes that were read with it, and errors keep their type. What
//! comes out is one of Pingora's streams all the same.
//!
//! TLS 1.2 and 1.3, and HTTP/1.1 alone within them. Nothing here can switch a check of a certificate off.

mod client;
mod server;
mod stream;

use std::sync::Arc;

use koigate_core::plan::{Certificates, Identity};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer};
use tokio_rustls::rustls::server::VerifierBuilderError;
use tokio_rustls::rustls::{self, RootCertStore};

pub(crate) use self::client::{Client, refusal, rejection};
pub use self::server::Speech;
pub(crate) use self::server::accept;

/// The one protocol that is spoken within TLS (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// What is configured for TLS can't be used. Reading a configuration finds that out first, so nobody should see this.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// Certificates or a key are not what they were when they were read.
    #[error("not a certificate or key in PEM")]
    Pem(#[from] pem::Error),
    /// A certificate that is none, or a key that is not the certificate's.
    #[error("the certificate or its key can't be used")]
    Certificate(#[from] rustls::Error),
    /// The authority of callers' certificates.
    #[error("callers' certificates can't be checked")]
    Authority(#[from] VerifierBuilderError),
    /// There is nothing to check a backend's certificate for.
    #[error("the host is neither a name nor an address")]
    Host(#[from] InvalidDnsNameError),
}

/// What signs and encrypts, named here so that nothing depends on a default of the process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Trust in these certificates, and in no others.
fn roots(certificates: &Certificates) -> Result<Arc<RootCertStore>, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(certificates)? {
        roots.add(certificate)?;
    }
    Ok(Arc::new(roots))
}

fn chain(certificates: &Certificates) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(&certificates.0).collect()
}

fn key(identity: &Identity) -> Result<PrivateKeyDer<'static>, pem::Error> {
    PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes())
}
