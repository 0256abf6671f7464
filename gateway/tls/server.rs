//! Our side towards callers: what they have to speak, and the handshake.

use std::io;
use std::sync::Arc;

use koigate_core::plan::ServerTls;
use pingora::protocols::Stream;
use pingora::protocols::l4::stream::Stream as Transport;
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
    /// Nothing would do: TLS is configured and can't be used. It is never replaced by HTTP in the clear.
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
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "server.tls can't be used: every connection is closed"
                );
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
pub(crate) async fn accept(acceptor: &TlsAcceptor, transport: Transport) -> io::Result<Stream> {
    let stream = acceptor.accept(transport).await?;
    Ok(Box::new(Secured::new(stream)))
}
