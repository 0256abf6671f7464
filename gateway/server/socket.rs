//! Sockets that are listened on: bound at once or not at all, or taken from whoever has bound them.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use koigate_core::plan::Listen;
use rustix::net::listen;

use super::accept::{Acceptor, Arrival, arrivals};
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
}

// === impl Socket ===

impl Socket {
    /// Binds like Pingora (an address may be in its last minute of use by a predecessor), but at once: Pingora waits 30
    /// seconds for an address that is in use (pingora-core 0.9.1, `listeners/l4.rs`), where a start should fail.
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

    /// What accepts from it, on the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn acceptor(&self) -> io::Result<Acceptor> {
        // Whoever has bound it may have asked for fewer.
        listen(&self.descriptor, unix::BACKLOG)?;
        Acceptor::new(self.another()?, &self.at)
    }

    /// Ends listening, and gives those who had connected and were not accepted yet: a closed listener resets them.
    ///
    /// Between the last of them and the end nothing awaits, so only who connects within those few instructions is lost.
    pub(super) fn close(self) -> Vec<Arrival> {
        let Self {
            file, descriptor, at, ..
        } = self;
        // From here on nobody finds a Unix socket any more.
        drop(file);
        arrivals(descriptor, &at)
    }
}
