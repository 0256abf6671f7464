//! Sockets that are listened on: bound at once or not at all, or taken from whoever has bound them.

use std::fs::{self, Permissions};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use koigate_core::plan::Listen;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::protocols::l4::stream::Stream as Connected;
use pingora::protocols::{GetSocketDigest as _, SocketDigest, Stream};
use rustix::process::geteuid;

use super::handover::{Keeper, Offer};
use super::inherited::Given;
use super::unix::{self, SocketFile};

/// A socket that is bound.
pub(super) struct Socket {
    /// Its file, where it has one that is ours. Dropped first: where nobody listens any more another gateway may have
    /// put its own there.
    file: Option<SocketFile>,
    descriptor: OwnedFd,
    /// Where, with the port that 0 became.
    at: Listen,
    /// Where, as configured.
    asked: Listen,
    /// The mode of its file.
    mode: u32,
}

// === impl Socket ===

impl Socket {
    /// Binds like Pingora (an address may be in its last minute of use by a predecessor, the backlog is set when it
    /// takes the socket over), but at once: Pingora waits 30 seconds for an address that is in use (pingora-core 0.9.1,
    /// `listeners/l4.rs`), where a start should fail.
    pub(super) fn bind(place: &Listen) -> io::Result<Self> {
        match place {
            Listen::Tcp(address) => {
                let socket = TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                let at = socket.local_addr()?.into();
                Ok(Self::new(socket.into(), at, place))
            }
            Listen::Unix(path) => {
                let (descriptor, file) = unix::listen_at(path)?;
                Ok(Self {
                    file: Some(file),
                    ..Self::new(descriptor, place.clone(), place)
                })
            }
        }
    }

    /// Takes one that another process has bound.
    pub(super) fn inherit(given: Given, place: &Listen) -> io::Result<Self> {
        let Given {
            descriptor, at, file, ..
        } = given;
        let mut socket = Self::new(descriptor, at, place);
        if let Listen::Unix(path) = &socket.at {
            socket.mode = changeable_mode(path)?;
            socket.file = match file {
                Keeper::Listener => Some(SocketFile::at(path)?),
                Keeper::ServiceManager => None,
            };
        }
        Ok(socket)
    }

    fn new(descriptor: OwnedFd, at: Listen, asked: &Listen) -> Self {
        Self {
            file: None,
            descriptor,
            at,
            asked: asked.clone(),
            mode: unix::MODE,
        }
    }

    /// Where it is, with the port that 0 became.
    pub(super) fn at(&self) -> &Listen {
        &self.at
    }

    /// What another process needs to go on with it.
    pub(super) fn offer(&self, side: &str) -> io::Result<Offer> {
        Ok(Offer {
            side: side.to_owned(),
            asked: self.asked.to_string(),
            file: match self.file {
                None if matches!(self.at, Listen::Unix(_)) => Keeper::ServiceManager,
                None | Some(_) => Keeper::Listener,
            },
            descriptor: self.another()?,
        })
    }

    /// Leaves it to the other process.
    pub(super) fn leave(self) {
        if let Some(file) = self.file {
            file.leave();
        }
    }

    /// One more descriptor of the same socket.
    pub(super) fn another(&self) -> io::Result<OwnedFd> {
        self.descriptor.try_clone()
    }

    /// What Pingora calls it: its address or path.
    pub(super) fn name(&self) -> String {
        match &self.at {
            Listen::Tcp(address) => address.to_string(),
            Listen::Unix(path) => path.display().to_string(),
        }
    }

    /// How Pingora is to listen on it. Without buffers of its own: the session reads into its own and writes an answer
    /// in one piece.
    pub(super) fn endpoint(&self) -> ListenerConfig {
        let config = match &self.at {
            Listen::Tcp(_) => ListenerConfig::tcp(self.name()),
            // It sets the mode again when it takes the socket over, to 0666 unless told.
            Listen::Unix(_) => {
                ListenerConfig::uds(self.name()).permissions(Permissions::from_mode(self.mode))
            }
        };
        config.l4_buffer(L4BufferSettings::unbuffered())
    }

    /// Ends listening, and gives those who had connected and were not accepted yet: a closed listener resets them.
    ///
    /// Between the last of them and the end nothing awaits, so only who connects within those few instructions is lost.
    pub(super) fn close(self) -> Vec<Stream> {
        let Self {
            file, descriptor, at, ..
        } = self;
        // From here on nobody finds a Unix socket any more.
        drop(file);
        match at {
            Listen::Tcp(_) => {
                let listener = TcpListener::from(descriptor);
                let waiting = std::iter::from_fn(|| listener.accept().ok());
                waiting.filter_map(|(stream, _)| from_tcp(stream).ok()).collect()
            }
            Listen::Unix(_) => {
                let listener = UnixListener::from(descriptor);
                let waiting = std::iter::from_fn(|| listener.accept().ok());
                waiting.filter_map(|(stream, _)| from_unix(stream).ok()).collect()
            }
        }
    }
}

/// The mode of a socket's file. Pingora sets it once more when it takes the socket over, and can't go on where it may
/// not (pingora-core 0.9.1, `listeners/l4.rs`).
fn changeable_mode(path: &Path) -> io::Result<u32> {
    let (found, own) = (fs::metadata(path)?, geteuid());
    if found.uid() == own.as_raw() || own.is_root() {
        return Ok(found.mode() & 0o777);
    }
    let words = "its file is not this user's: systemd gives it away with SocketUser=";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, words))
}

/// As Pingora's own listener makes them.
fn from_tcp(stream: TcpStream) -> io::Result<Stream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    let mut stream = Connected::from(tokio::net::TcpStream::from_std(stream)?);
    stream.set_socket_digest(digest);
    Ok(Box::new(stream))
}

fn from_unix(stream: UnixStream) -> io::Result<Stream> {
    stream.set_nonblocking(true)?;
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    let mut stream = Connected::from(tokio::net::UnixStream::from_std(stream)?);
    stream.set_socket_digest(digest);
    Ok(Box::new(stream))
}
