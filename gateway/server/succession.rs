//! What a process takes over from another when it begins, and how it finds its own successor.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use koigate_core::plan::Listen;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::Pid;
use tokio::net::UnixListener;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::handover::{Conversation, Keeper, Offer};
use super::inherited::{Given, Inherited};
use super::unix::{self, SocketFile};
use super::{meeting, notify};

/// What a process has from others, and where it waits for the next.
pub struct Succession {
    pub(super) inherited: Inherited,
    predecessor: Option<Predecessor>,
    meeting: Option<io::Result<PathBuf>>,
}

/// Why a process can't come in the place of another, or use what it was given.
#[derive(Debug, thiserror::Error)]
pub enum SuccessionError {
    /// What the service manager has passed can't be listened on.
    #[error("can't listen on what was passed by the service manager")]
    Passed(#[source] io::Error),
    /// The service manager listens where the configuration does not.
    #[error(
        "the service manager has passed a socket at {0}, which is neither in server.listen nor admin.listen"
    )]
    Unclaimed(String),
    /// There is no place to meet.
    #[error("can't look for the gateway that runs")]
    NoPlace(#[source] io::Error),
    /// Nobody waits there.
    #[error("no gateway runs this configuration as this user: nobody waits at {}", .0.display())]
    Nobody(PathBuf, #[source] io::Error),
    /// It has broken off.
    #[error("the gateway that runs does not hand over its sockets")]
    Refused(#[source] io::Error),
}

/// The process that has the sockets until it says otherwise.
struct Predecessor(Conversation);

/// Where this process waits for its successor.
pub(super) struct Successors {
    /// One that keeps messages apart (`SOCK_SEQPACKET`), which makes no difference to accepting.
    socket: UnixListener,
    file: SocketFile,
    at: Listen,
}

/// What the meeting place is among the sockets that are handed over.
const SIDE: &str = "upgrade";
/// How long a place is left alone where nobody could be let in: the process may be out of descriptors.
const PAUSE: Duration = Duration::from_secs(1);

// === impl Succession ===

impl Succession {
    /// Begins with what the service manager passes, if there is one. A gateway that is to come in its place finds it by
    /// its configuration. To be called before there is another thread.
    ///
    /// # Errors
    ///
    /// What is passed can't be listened on.
    pub fn by_service_manager(configuration: &Path) -> Result<Self, SuccessionError> {
        let inherited = Inherited::from_service_manager().map_err(SuccessionError::Passed)?;
        Ok(Self {
            inherited,
            predecessor: None,
            meeting: Some(meeting::place(configuration)),
        })
    }

    /// Begins in the place of the process that runs this configuration. That one goes on until this one is ready.
    ///
    /// # Errors
    ///
    /// There is none, or it hands nothing over.
    pub fn upgrade(configuration: &Path) -> Result<Self, SuccessionError> {
        let place = meeting::place(configuration).map_err(SuccessionError::NoPlace)?;
        let nobody = |error| SuccessionError::Nobody(place.clone(), error);
        let predecessor = Conversation::over(reach(&place).map_err(nobody)?).map_err(nobody)?;
        let offers = predecessor.receive().map_err(SuccessionError::Refused)?;
        Ok(Self {
            inherited: Inherited::from_predecessor(offers).map_err(SuccessionError::Refused)?,
            predecessor: Some(Predecessor(predecessor)),
            meeting: Some(Ok(place)),
        })
    }

    /// Once all is bound: takes over, where there is a process to take over from, and waits for a successor.
    ///
    /// # Errors
    ///
    /// Something was passed that nobody asked for, or the predecessor has gone meanwhile.
    pub(super) fn settle(&mut self) -> Result<Option<Successors>, SuccessionError> {
        // What has been said of it before went nowhere: the log begins after the sockets are taken.
        let successors = match self.meeting.take() {
            Some(place) => place.and_then(|place| self.wait_at(&place)).map(Some),
            None => Ok(None),
        };
        let successors = successors.unwrap_or_else(|error| {
            tracing::warn!(%error, "no other process can take over from this one");
            None
        });
        let Some(Predecessor(predecessor)) = &self.predecessor else {
            return match self.inherited.unclaimed() {
                Some(unclaimed) => Err(SuccessionError::Unclaimed(unclaimed)),
                None => Ok(successors),
            };
        };
        predecessor.take_over().map_err(SuccessionError::Refused)?;
        for given in self.inherited.rest() {
            forget(&given);
        }
        Ok(successors)
    }

    /// Tells whoever started the process that it is there.
    pub(super) fn announce(&self) {
        match self.predecessor {
            Some(_) => notify::ready_in_the_place_of_another(),
            None => notify::ready(),
        }
    }

    fn wait_at(&mut self, place: &Path) -> io::Result<Successors> {
        let at = Listen::Unix(place.to_owned());
        let (socket, file) = match self.inherited.claim(SIDE, &at) {
            Some(given) => (given.descriptor, SocketFile::at(place)?),
            None => unix::listen_as(place, SocketType::SEQPACKET, 0o600)?,
        };
        let socket = UnixListener::from_std(socket.into())?;
        Ok(Successors { socket, file, at })
    }
}

fn reach(place: &Path) -> io::Result<OwnedFd> {
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let socket = socket_with(AddressFamily::UNIX, kind, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(place)?)?;
    Ok(socket)
}

/// Nobody listens on it any more, so its file goes.
fn forget(given: &Given) {
    let address = &given.at;
    tracing::info!(%address, "not listened on any more");
    if let (Listen::Unix(path), Keeper::Listener) = (&given.at, given.file) {
        // Whoever has it by now keeps it.
        let _ = SocketFile::at(path).map(drop);
    }
}

// === impl Successors ===

impl Successors {
    /// Waits for one, and hands everything over to it: who it is. Until then the sockets are still this process's,
    /// whatever becomes of those who come and don't get ready.
    pub(super) async fn next(&self, offers: impl Fn() -> io::Result<Vec<Offer>>) -> Pid {
        loop {
            match self.handed_over(&offers).await {
                Ok(successor) => return successor,
                Err(error) => {
                    tracing::warn!(%error, "a successor has not taken over: this process goes on");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn handed_over(&self, offers: &impl Fn() -> io::Result<Vec<Offer>>) -> io::Result<Pid> {
        let caller = self.accept().await?;
        let successor = socket_peercred(&caller)?.pid;
        tracing::info!(
            successor = successor.as_raw_nonzero(),
            "another process asks for the sockets"
        );
        let mut offers = offers()?;
        offers.push(Offer {
            side: SIDE.to_owned(),
            asked: self.at.to_string(),
            file: Keeper::Listener,
            descriptor: self.socket.as_fd().try_clone_to_owned()?,
        });
        let hand_over = move || Conversation::over(caller)?.hand_over(offers);
        spawn_blocking(hand_over).await.map_err(io::Error::other)??;
        Ok(successor)
    }

    async fn accept(&self) -> io::Result<OwnedFd> {
        let (caller, _) = self.socket.accept().await?;
        let caller = caller.into_std()?;
        // The conversation has a thread of its own, and waits.
        caller.set_nonblocking(false)?;
        Ok(caller.into())
    }

    /// The place is the successor's now.
    pub(super) fn leave(self) {
        self.file.leave();
    }
}
