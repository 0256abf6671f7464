//! Sockets that this process has not bound itself: from the service manager, which listens before it starts the
//! process (systemd.socket(5)), or from the process in whose place it is to come.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use koigate_core::plan::Listen;
use listenfd::ListenFd;
use rustix::io::ioctl_fionbio;
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{SocketAddrUnix, getsockname};

use super::handover::{Keeper, Offer};

/// Sockets that wait to be claimed.
#[derive(Debug, Default)]
pub(super) struct Inherited(Vec<Given>);

/// One of them.
#[derive(Debug)]
pub(super) struct Given {
    /// Does not block.
    pub(super) descriptor: OwnedFd,
    /// Where it is.
    pub(super) at: Listen,
    pub(super) file: Keeper,
    /// What the giver calls it: a name, or the side.
    name: String,
    /// The address as it was configured where it was bound.
    asked: String,
}

// === impl Inherited ===

impl Inherited {
    /// From the service manager: `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`, which are unset. To be called before
    /// there is another thread.
    ///
    /// # Errors
    ///
    /// One that can't be listened on.
    pub(super) fn from_service_manager() -> io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut given = ListenFd::from_env();
        let sockets = (0..given.len()).map(|place| {
            let name = names.next().unwrap_or_default();
            let socket = take(&mut given, place).and_then(|descriptor| {
                Given::new(descriptor, name.to_owned(), String::new(), Keeper::ServiceManager)
            });
            socket.map_err(|error| {
                let words = format!("the service manager's socket {} {name}: {error}", place + 1);
                io::Error::new(error.kind(), words)
            })
        });
        sockets.collect::<io::Result<_>>().map(Self)
    }

    /// From the process in whose place this one is to come.
    ///
    /// # Errors
    ///
    /// One that can't be listened on.
    pub(super) fn from_predecessor(offers: Vec<Offer>) -> io::Result<Self> {
        let given = |offer: Offer| Given::new(offer.descriptor, offer.side, offer.asked, offer.file);
        offers.into_iter().map(given).collect::<io::Result<_>>().map(Self)
    }

    /// The one for this place of the configuration: at the same address, or, where the system is to choose a port, what
    /// it chose for the same side before.
    pub(super) fn claim(&mut self, side: &str, place: &Listen) -> Option<Given> {
        let asked = place.to_string();
        let is_it = |given: &Given| given.at == *place || (given.name == side && given.asked == asked);
        let found = self.0.iter().position(is_it)?;
        Some(self.0.remove(found))
    }

    /// The first that nobody has claimed, in words, if the service manager gave it.
    pub(super) fn unclaimed(&self) -> Option<String> {
        let given = self.0.first()?;
        let name = Some(&given.name).filter(|name| !name.is_empty());
        Some(match name {
            Some(name) => format!("{} ({name})", given.at),
            None => given.at.to_string(),
        })
    }

    /// Those that nobody has claimed.
    pub(super) fn rest(&mut self) -> Vec<Given> {
        std::mem::take(&mut self.0)
    }
}

fn take(given: &mut ListenFd, place: usize) -> io::Result<OwnedFd> {
    let tcp = given.take_tcp_listener(place);
    if let Ok(Some(listener)) = tcp {
        return Ok(listener.into());
    }
    match given.take_unix_listener(place)? {
        Some(listener) => Ok(listener.into()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

// === impl Given ===

impl Given {
    fn new(descriptor: OwnedFd, name: String, asked: String, file: Keeper) -> io::Result<Self> {
        if !socket_acceptconn(&descriptor)? {
            let words = "nobody listens on it (is it Accept=yes?)";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        ioctl_fionbio(&descriptor, true)?;
        Ok(Self {
            at: place_of(&descriptor)?,
            descriptor,
            file,
            name,
            asked,
        })
    }
}

fn place_of(descriptor: &OwnedFd) -> io::Result<Listen> {
    let address = getsockname(descriptor)?;
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        return Ok(Listen::Tcp(address));
    }
    let address = SocketAddrUnix::try_from(address)?;
    let path = address.path_bytes().map(std::ffi::OsStr::from_bytes);
    let path = path.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no path"))?;
    Ok(Listen::Unix(PathBuf::from(path)))
}
