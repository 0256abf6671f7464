//! Our side towards callers: what they have to speak, and the handshake.

use std::error::Error;
use std::io;
use std::sync::Arc;

use koigate_core::plan::ServerTls;
use pingora::protocols::Stream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use super::stream::Secured;
use super::{HTTP_1_1, Unusable, chain, key, provider, roots};

/// What callers over TCP have to speak.
#[derive(Clone)]
pub enum Speech {
    /// HTTP in the clear.
    Plain,
    /// TLS, with this certificate and these sessions.
    Tls(TlsAcceptor),
    /// Nothing would do: TLS is configured and can't be used. HTTP in the clear never takes its place.
    Refused,
}

// === impl Speech ===

impl Speech {
    /// As the plan says. With an authority for callers only those are let in that show a certificate of it.
    pub(crate) fn new(tls: Option<&ServerTls>) -> Self {
        match tls.map(acceptor) {
            None => Self::Plain,
            Some(Ok(acceptor)) => Self::Tls(acceptor),
            Some(Err(error)) => {
                let error = &error as &dyn Error;
                tracing::error!(error, "server.tls can't be used: every connection is closed");
                Self::Refused
            }
        }
    }
}

fn acceptor(tls: &ServerTls) -> Result<TlsAcceptor, Unusable> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &tls.client_ca {
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider());
            builder.with_client_cert_verifier(verifier.build()?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain(&tls.identity.chain)?, key(&tls.identity)?)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Shakes hands with a caller.
///
/// # Errors
///
/// Whatever goes wrong, the caller's opinion of our certificate included.
pub(crate) async fn accept(acceptor: &TlsAcceptor, stream: Stream) -> io::Result<Stream> {
    let stream = acceptor.accept(stream).await?;
    Ok(Box::new(Secured::new(stream)))
}
