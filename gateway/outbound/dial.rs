//! New connections: names, every address in turn, TLS, all within `connect_timeout`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::plan::{Backend, Scheme, Target};
use pingora::protocols::l4::stream::Stream as Transport;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::RootCertStore;

use super::names::Names;
use super::wire::Wire;
use crate::tls::{self, Client};

/// What opens connections, for all backends of a process: it holds the roots of the system, or of `SSL_CERT_FILE`
/// and `SSL_CERT_DIR`.
#[derive(Clone)]
pub struct Connector(Arc<RootCertStore>);

/// The trusted roots can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the trusted root certificates can't be read (see SSL_CERT_FILE and SSL_CERT_DIR)")]
pub struct UnreadableRoots(#[source] io::Error);

/// Dials one backend.
pub(super) struct Dialer {
    security: Security,
    connect_timeout: Duration,
    names: Names,
    /// Which address answered last. Trying it first, one that is dead costs its share of the time once.
    preferred: AtomicUsize,
}

/// What is spoken below HTTP.
enum Security {
    Plain,
    Tls(Client),
    /// TLS, and what is configured for it can't be used.
    Unusable,
}

// === impl Connector ===

impl Connector {
    /// Reads the trusted roots. What is no root among them is passed over, as others do.
    ///
    /// # Errors
    ///
    /// There are some and they can't be read. None at all is no error: then no `https` backend is trusted but by
    /// a `ca` of its own.
    pub fn new() -> Result<Self, UnreadableRoots> {
        let found = pingora::tls::load_native_certs().map_err(UnreadableRoots)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found);
        Ok(Self(Arc::new(roots)))
    }
}

// === impl Dialer ===

impl Dialer {
    pub(super) fn new(backend: &Backend, target: &Target, connector: &Connector) -> Self {
        Self {
            security: Security::new(backend, target, connector),
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
    pub(super) async fn dial(&self) -> Result<Wire, Failure> {
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
    pub(super) async fn try_all(&self, addresses: &[SocketAddr], end: Instant) -> Result<Wire, Failure> {
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
                Ok(Ok(wire)) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(wire);
                }
                Ok(Err(refused)) => failure = refused,
                Err(_) => failure = connect("no connection in time"),
            }
        }
        Err(failure)
    }

    /// Opens a connection to one address.
    async fn try_one(&self, address: SocketAddr) -> Result<Wire, Failure> {
        if let Security::Unusable = self.security {
            return Err(connect(
                "TLS: the configured certificates can't be used for this host",
            ));
        }
        let socket = TcpStream::connect(address)
            .await
            .map_err(|error| failure(&error))?;
        // Without it a request would be a little later, and none the worse.
        let _ = socket.set_nodelay(true);
        match &self.security {
            Security::Tls(client) => {
                let secured = client.handshake(Box::new(Transport::from(socket))).await;
                let stream = secured.map_err(|error| connect(tls::refusal(&error)))?;
                Ok(Wire::Layered(stream))
            }
            Security::Plain | Security::Unusable => Ok(Wire::Plain(socket)),
        }
    }
}

// === impl Security ===

impl Security {
    fn new(backend: &Backend, target: &Target, connector: &Connector) -> Self {
        match target.scheme {
            Scheme::Http => Self::Plain,
            Scheme::Https => match Client::new(&target.host, &backend.tls, &connector.0) {
                Ok(client) => Self::Tls(client),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(
                        backend = &*backend.name,
                        error,
                        "TLS can't be used: its calls fail"
                    );
                    Self::Unusable
                }
            },
        }
    }
}

/// Why there is no connection, in words that name no address.
fn failure(error: &io::Error) -> Failure {
    connect(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no route to the host",
        io::ErrorKind::TimedOut => "no connection in time",
        _ => "can't connect",
    })
}

fn connect(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Connect, detail)
}
