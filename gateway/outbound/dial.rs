//! New connections: names, every address in turn, TLS, all within `connect_timeout`. Dialling itself is
//! Pingora's; this turns its errors into failures.

use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::plan::{Backend, Scheme, Target};
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::protocols::Stream;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use tokio::time::{Instant, timeout};

use super::names::Names;

/// What the certificates of backends are checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The roots of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
    /// The certificates of a PEM file, and no others.
    File(PathBuf),
}

/// What opens connections, for all backends of a process: it holds the trusted roots and TLS sessions.
#[derive(Clone)]
pub struct Connector(Arc<TransportConnector>);

/// The trusted roots can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the trusted root certificates can't be read (see SSL_CERT_FILE and SSL_CERT_DIR)")]
pub struct UnreadableRoots;

/// Dials one backend.
pub(super) struct Dialer {
    connector: Connector,
    target: Target,
    connect_timeout: Duration,
    names: Names,
    /// Which address answered last. Trying it first, one that is dead costs its share of the time once.
    preferred: AtomicUsize,
}

// === impl Connector ===

impl Connector {
    /// Reads the trusted roots.
    ///
    /// # Errors
    ///
    /// There are some and they can't be read. None at all is no error: then no `https` backend is trusted.
    pub fn new(trust: Trust) -> Result<Self, UnreadableRoots> {
        let read = || {
            let Trust::File(path) = trust else {
                return TransportConnector::new(None);
            };
            let mut options = ConnectorOptions::new(0);
            options.ca_file = Some(path.to_string_lossy().into_owned());
            TransportConnector::new(Some(options))
        };
        // Pingora has no other way to say that it can't read them than to panic.
        let connector = catch_unwind(read).map_err(|_| UnreadableRoots)?;
        Ok(Self(Arc::new(connector)))
    }
}

// === impl Dialer ===

impl Dialer {
    pub(super) fn new(backend: &Backend, target: &Target, connector: Connector) -> Self {
        Self {
            connector,
            target: target.clone(),
            connect_timeout: backend.connect_timeout,
            names: Names::new(&target.host, target.port),
            preferred: AtomicUsize::new(0),
        }
    }

    /// Opens a connection: TCP without delay, and TLS where the URL says so.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Connect`], after `connect_timeout` at the latest, with what the last address said.
    pub(super) async fn dial(&self) -> Result<Stream, Failure> {
        let end = Instant::now() + self.connect_timeout;
        let addresses = match timeout(self.connect_timeout, self.names.addresses()).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(_)) => return Err(connect("the name does not resolve")),
            Err(_) => return Err(connect("the name does not resolve in time")),
        };
        let outcome = self.try_all(&addresses, end).await;
        if outcome.is_err() {
            self.names.forget();
        }
        outcome
    }

    /// Tries each address once, beginning with the one that answered last. Each gets an equal share of the time
    /// that is left, so that one which drops everything doesn't take it all.
    pub(super) async fn try_all(&self, addresses: &[SocketAddr], end: Instant) -> Result<Stream, Failure> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failure = connect("the name has no address");
        for (left, turn) in (1..=addresses.len()).rev().zip(first..) {
            let index = turn % addresses.len();
            let Some(&address) = addresses.get(index) else {
                continue;
            };
            let remaining = end.saturating_duration_since(Instant::now());
            let share = remaining / u32::try_from(left).unwrap_or(u32::MAX);
            match timeout(share, self.try_one(address)).await {
                Ok(Ok(stream)) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(stream);
                }
                Ok(Err(refused)) => failure = refused,
                Err(_) => failure = connect("no connection in time"),
            }
        }
        Err(failure)
    }

    /// Opens a connection to one address. The certificate is checked for the URL's host; of one like
    /// `a_b.example.com` Pingora checks it for `a-b.example.com`, which the same wildcards cover.
    async fn try_one(&self, address: SocketAddr) -> Result<Stream, Failure> {
        let tls = self.target.scheme == Scheme::Https;
        // An empty name would switch the check off without a word.
        if tls && self.target.host.is_empty() {
            return Err(connect("no host to check the certificate for"));
        }
        // A socket address resolves to itself, so nothing blocks here.
        let peer = HttpPeer::new(address, tls, self.target.host.clone());
        self.connector
            .0
            .new_stream(&peer)
            .await
            .map_err(|error| failure(&error))
    }
}

/// What Pingora's error means, in words that name no address.
fn failure(error: &Error) -> Failure {
    connect(match error.etype() {
        ErrorType::ConnectRefused => "connection refused",
        ErrorType::ConnectNoRoute => "no route to the host",
        ErrorType::ConnectTimedout => "no connection in time",
        ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert => refusal(&error.to_string()),
        _ => "can't connect",
    })
}

/// Why a TLS handshake failed. Pingora keeps of the cause only its text.
fn refusal(text: &str) -> &'static str {
    const REASONS: [(&str, &str); 5] = [
        ("UnknownIssuer", "TLS: the certificate's issuer is not trusted"),
        ("BadSignature", "TLS: the certificate's issuer is not trusted"),
        ("xpired", "TLS: the certificate has expired"),
        ("not valid for", "TLS: the certificate is not for this host"),
        ("NotValidForName", "TLS: the certificate is not for this host"),
    ];
    let reason = REASONS.iter().find(|(mark, _)| text.contains(mark));
    reason.map_or("TLS: the handshake failed", |(_, words)| words)
}

fn connect(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Connect, detail)
}
