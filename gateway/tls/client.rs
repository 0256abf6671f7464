//! Our side towards a backend: whom it trusts, what it shows, and in which words a handshake failed.

use std::io;
use std::sync::Arc;

use koigate_core::plan::BackendTls;
use pingora::protocols::Stream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, RootCertStore,
};

use super::stream::Secured;
use super::{HTTP_1_1, Unusable, chain, key, provider, roots};

/// The client's side towards one host. Its sessions are resumed by itself alone: what was agreed under one
/// certificate or one trust is never carried over to another.
pub(crate) struct Client {
    connector: TlsConnector,
    /// What the certificate has to be for, a name or an address.
    host: ServerName<'static>,
}

// === impl Client ===

impl Client {
    /// Towards this host, an IPv6 address without brackets. Where the plan names no roots, those of the system count.
    ///
    /// # Errors
    ///
    /// The host is neither a name nor an address, so that there is nothing to check a certificate for, or the
    /// plan's certificates can't be used.
    pub(crate) fn new(host: &str, tls: &BackendTls, system: &Arc<RootCertStore>) -> Result<Self, Unusable> {
        let trusted = match &tls.ca {
            Some(ca) => roots(ca)?,
            None => system.clone(),
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted);
        let mut config = match &tls.identity {
            Some(identity) => builder.with_client_auth_cert(chain(&identity.chain)?, key(identity)?)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            host: ServerName::try_from(host.to_owned())?,
        })
    }

    /// Shakes hands. A backend that wants a certificate may say so only afterwards (TLS 1.3), where
    /// [`rejection`] finds it.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; [`refusal`] has the words for it.
    pub(crate) async fn handshake(&self, transport: Stream) -> io::Result<Stream> {
        let stream = self.connector.connect(self.host.clone(), transport).await?;
        Ok(Box::new(Secured::new(stream)))
    }
}

/// Why a handshake failed, in words that name no address.
pub(crate) fn refusal(error: &io::Error) -> &'static str {
    let Some(error) = cause(error) else {
        return "TLS: the connection ended in the handshake";
    };
    match error {
        Error::InvalidCertificate(error) => fault(error),
        Error::AlertReceived(alert) => rejected(*alert).unwrap_or(match alert {
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
                "TLS: no common version or cipher"
            }
            // What OpenSSL says in TLS 1.2 where a certificate is missing; other servers have other reasons.
            AlertDescription::HandshakeFailure => {
                "TLS: the handshake was refused, maybe for want of a client certificate"
            }
            AlertDescription::NoApplicationProtocol => "TLS: HTTP/1.1 is not spoken there",
            _ => "TLS: the handshake was refused",
        }),
        Error::PeerIncompatible(_) => "TLS: no common version or cipher",
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "TLS: it is not spoken there",
        _ => "TLS: the handshake failed",
    }
}

/// What a backend thinks of our certificate, if that is what broke a connection.
pub(crate) fn rejection(error: &io::Error) -> Option<&'static str> {
    match cause(error)? {
        Error::AlertReceived(alert) => rejected(*alert),
        _ => None,
    }
}

fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// What is wrong with a backend's certificate.
fn fault(error: &CertificateError) -> &'static str {
    use CertificateError as Fault;
    match error {
        Fault::UnknownIssuer | Fault::BadSignature => "TLS: the certificate's issuer is not trusted",
        Fault::Expired | Fault::ExpiredContext { .. } => "TLS: the certificate has expired",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "TLS: the certificate is not valid yet",
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            "TLS: the certificate is not for this host"
        }
        Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => {
            "TLS: the certificate is not one for servers"
        }
        // The verifier's own error is of a crate that rustls keeps to itself.
        Fault::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "TLS: the certificate is an authority's, not a server's"
        }
        _ => "TLS: the certificate can't be used",
    }
}

/// What an alert says about a certificate of ours (RFC 8446 section 6.2).
fn rejected(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            Some("TLS: a client certificate is wanted")
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => Some("TLS: our certificate is refused"),
        _ => None,
    }
}
