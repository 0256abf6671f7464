//! Accepting: connections from a socket that is listened on, each to be made a stream where it is to be served.
//!
//! Pingora's own loop (pingora-core 0.9.1, `services/listening.rs`) makes the stream on the runtime that accepts, where
//! its news come in from then on; and where the system has no descriptor left (`ENFILE`) or no memory it asks again
//! without a pause.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use koigate_core::plan::Listen;
use pingora::protocols::l4::stream::Stream as Connected;
use pingora::protocols::{GetSocketDigest as _, SocketDigest, Stream};
use rustix::io::Errno;
use tokio::net;
use tokio::time::{Instant, sleep};

/// How long nobody is accepted where the system has no room for another connection: whoever waits goes on waiting.
const PAUSE: Duration = Duration::from_millis(100);

/// How often that is said.
const SAID: Duration = Duration::from_secs(10);

/// What accepts from one socket.
pub(super) struct Acceptor {
    listener: Listener,
    /// When it was last said that there is no room.
    said: Option<Instant>,
}

enum Listener {
    Tcp(net::TcpListener),
    Unix(net::UnixListener),
}

/// A connection that belongs to no runtime yet.
pub(super) enum Arrival {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Those who have connected to this socket, which does not block, and were not accepted yet. It listens no more then.
pub(super) fn arrivals(listening: OwnedFd, at: &Listen) -> Vec<Arrival> {
    match at {
        Listen::Tcp(_) => {
            let listener = TcpListener::from(listening);
            let waiting = std::iter::from_fn(|| listener.accept().ok());
            waiting.map(|(stream, _)| Arrival::Tcp(stream)).collect()
        }
        Listen::Unix(_) => {
            let listener = UnixListener::from(listening);
            let waiting = std::iter::from_fn(|| listener.accept().ok());
            waiting.map(|(stream, _)| Arrival::Unix(stream)).collect()
        }
    }
}

/// Whether the fault is that of one connection, which has left or whose network has (accept(2)): the next may be accepted.
fn is_its_own(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::INTR
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH
        )
    )
}

// === impl Acceptor ===

impl Acceptor {
    /// For a socket that does not block.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn new(listening: OwnedFd, at: &Listen) -> io::Result<Self> {
        let listener = match at {
            Listen::Tcp(_) => Listener::Tcp(net::TcpListener::from_std(listening.into())?),
            Listen::Unix(_) => Listener::Unix(net::UnixListener::from_std(listening.into())?),
        };
        Ok(Self { listener, said: None })
    }

    /// The next connection. Nothing is lost if this is dropped.
    pub(super) async fn next(&mut self) -> Arrival {
        loop {
            match self.listener.accept().await {
                Ok(arrival) => return arrival,
                Err(error) if is_its_own(&error) => {}
                Err(error) => self.pause(&error).await,
            }
        }
    }

    async fn pause(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.said.is_none_or(|said| now - said >= SAID) {
            self.said = Some(now);
            tracing::error!(%error, "nobody can be accepted: whoever connects has to wait");
        }
        sleep(PAUSE).await;
    }
}

// === impl Listener ===

impl Listener {
    async fn accept(&self) -> io::Result<Arrival> {
        Ok(match self {
            Self::Tcp(listener) => Arrival::Tcp(listener.accept().await?.0.into_std()?),
            Self::Unix(listener) => Arrival::Unix(listener.accept().await?.0.into_std()?),
        })
    }
}

// === impl Arrival ===

impl Arrival {
    /// As Pingora's own listener makes it, and without buffers: the session reads into its own and writes an answer in
    /// one piece. Its news come to the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn stream(self) -> io::Result<Stream> {
        let (mut stream, descriptor) = match self {
            Self::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let descriptor = stream.as_raw_fd();
                (Connected::from(net::TcpStream::from_std(stream)?), descriptor)
            }
            Self::Unix(stream) => {
                stream.set_nonblocking(true)?;
                let descriptor = stream.as_raw_fd();
                (Connected::from(net::UnixStream::from_std(stream)?), descriptor)
            }
        };
        stream.set_socket_digest(SocketDigest::from_raw_fd(descriptor));
        Ok(Box::new(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// accept(2): "treat them like EAGAIN by retrying".
    #[test]
    fn what_befalls_one_connection_keeps_nobody_waiting() {
        for (errno, expected) in [
            (Errno::CONNABORTED, true),
            (Errno::HOSTUNREACH, true),
            (Errno::INTR, true),
            (Errno::PROTO, true),
            (Errno::MFILE, false),
            (Errno::NFILE, false),
            (Errno::NOBUFS, false),
            (Errno::NOMEM, false),
            (Errno::PERM, false),
            (Errno::BADF, false),
        ] {
            assert_eq!(is_its_own(&errno.into()), expected, "{errno}");
        }
        assert!(!is_its_own(&io::Error::other("no number")));
    }
}
