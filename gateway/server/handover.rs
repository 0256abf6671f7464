//! How listening sockets pass from one process to the next, as both sides say it.
//!
//! Pingora has descriptor passing of its own (pingora-core 0.9.1, `server/transfer_fd`), which stands in the way of
//! what an upgrade is to be: who receives polls once a second and logs an error each time, panics where the path can't
//! be bound, gets descriptors that nobody owns, and never says that it has them; who sends shuts down five seconds
//! later whatever has become of them. Names are cut at 2048 bytes and can hold no space, and a 33rd socket is lost. So
//! the conversation is ours, over the same system call:
//!
//! ```text
//! the running process                    its successor, once its configuration is found good
//!   waits at the meeting place        <-   connects
//!   a word for each socket, with it   ->   finds those that it is configured for, binds the others
//!   the last word                     ->
//!                                     <-   ready
//!   yours                             ->   accepts
//!   accepts no more, and drains
//! ```
//!
//! Until it has said *yours* the running process serves as before, and whatever becomes of the other is no more than a
//! line in its log.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// A socket that is handed over.
#[derive(Debug)]
pub(super) struct Offer {
    /// What is listened on for.
    pub(super) side: String,
    /// The address or path as configured.
    pub(super) asked: String,
    /// Whether its file goes with whoever listens, and not with the service manager.
    pub(super) file: Keeper,
    pub(super) descriptor: OwnedFd,
}

/// Who takes a Unix socket's file away at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Keeper {
    /// Whoever listens last.
    Listener,
    /// Whoever has bound it for us.
    ServiceManager,
}

/// What is said. Another version may be at the other end, so words are added, never changed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// Comes with a descriptor.
    Socket {
        side: String,
        asked: String,
        file: Keeper,
    },
    /// Those were all.
    Last,
    /// The successor can begin at once.
    Ready,
    /// From here on it is the successor who accepts.
    Yours,
}

/// One side of the conversation.
pub(super) struct Conversation(OwnedFd);

/// How long either side waits for a word of the other: a start takes a fraction of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than a word takes: the longest holds a path of 107 bytes.
const MAX_WORD: usize = 4 * 1024;

// === impl Conversation ===

impl Conversation {
    /// Over a connected socket that keeps messages apart and waits.
    pub(super) fn over(socket: OwnedFd) -> io::Result<Self> {
        for direction in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&socket, direction, Some(PATIENCE))?;
        }
        Ok(Self(socket))
    }

    /// The running process's part. Once it returns the sockets are the successor's.
    ///
    /// # Errors
    ///
    /// The successor has not got ready.
    pub(super) fn hand_over(&self, offers: Vec<Offer>) -> io::Result<()> {
        for offer in offers {
            let Offer {
                side,
                asked,
                file,
                descriptor,
            } = offer;
            self.say(&Word::Socket { side, asked, file }, Some(descriptor.as_fd()))?;
        }
        self.say(&Word::Last, None)?;
        match self.hear()? {
            (Word::Ready, None) => self.say(&Word::Yours, None),
            _ => Err(unexpected()),
        }
    }

    /// The successor's first part: what it is offered.
    ///
    /// # Errors
    ///
    /// The running process breaks off, or offers what can't be understood.
    pub(super) fn receive(&self) -> io::Result<Vec<Offer>> {
        let mut offers = Vec::new();
        loop {
            match self.hear()? {
                (Word::Socket { side, asked, file }, Some(descriptor)) => offers.push(Offer {
                    side,
                    asked,
                    file,
                    descriptor,
                }),
                (Word::Last, None) => return Ok(offers),
                _ => return Err(unexpected()),
            }
        }
    }

    /// The successor's last part. Once it returns the sockets are its own.
    ///
    /// # Errors
    ///
    /// The running process has broken off: it goes on itself, or it has ended.
    pub(super) fn take_over(&self) -> io::Result<()> {
        self.say(&Word::Ready, None)?;
        match self.hear()? {
            (Word::Yours, None) => Ok(()),
            _ => Err(unexpected()),
        }
    }

    fn say(&self, word: &Word, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let bytes = serde_json::to_vec(word)?;
        let descriptors = descriptor.as_slice();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let words = [IoSlice::new(&bytes)];
        sendmsg(&self.0, &words, &mut beside, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn hear(&self) -> io::Result<(Word, Option<OwnedFd>)> {
        let mut bytes = vec![0; MAX_WORD];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut words = [IoSliceMut::new(&mut bytes)];
        let heard = recvmsg(&self.0, &mut words, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        let descriptor = beside.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        if heard.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let word = serde_json::from_slice(bytes.get(..heard.bytes).unwrap_or_default())?;
        Ok((word, descriptor))
    }
}

fn unexpected() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the other process speaks of something else",
    )
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn both() -> (Conversation, Conversation) {
        let (flags, kind) = (SocketFlags::CLOEXEC, SocketType::SEQPACKET);
        let (one, other) = socketpair(AddressFamily::UNIX, kind, flags, None).unwrap();
        (
            Conversation::over(one).unwrap(),
            Conversation::over(other).unwrap(),
        )
    }

    fn offer(asked: &str, listener: &TcpListener) -> Offer {
        Offer {
            side: "hooks".to_owned(),
            asked: asked.to_owned(),
            file: Keeper::Listener,
            descriptor: listener.try_clone().unwrap().into(),
        }
    }

    #[test]
    fn sockets_pass_in_order_with_their_names_and_work() {
        let listeners: Vec<_> = (0..40)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let name = |place: usize| format!("unix:/a path of {place}/{}", "x".repeat(80));
        let offers = (0..).zip(&listeners).map(|(place, one)| offer(&name(place), one));
        let offers = offers.collect();
        let addresses: Vec<_> = listeners.iter().map(|one| one.local_addr().unwrap()).collect();
        let (running, successor) = both();
        let hands = std::thread::spawn(move || running.hand_over(offers));
        let received = successor.receive().unwrap();
        drop(listeners);
        successor.take_over().unwrap();
        hands.join().unwrap().unwrap();
        assert_eq!(received.len(), 40);
        for ((place, offer), address) in (0..).zip(received).zip(addresses) {
            assert_eq!((&*offer.side, offer.asked), ("hooks", name(place)));
            let listener = TcpListener::from(offer.descriptor);
            assert_eq!(listener.local_addr().unwrap(), address);
            let _caller = TcpStream::connect(address).unwrap();
            listener.accept().unwrap();
        }
    }

    #[test]
    fn nothing_is_handed_over_to_one_that_goes_or_says_something_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let check = |successor: fn(Conversation)| {
            let (running, other) = both();
            let offers = vec![offer("127.0.0.1:0", &listener)];
            let hands = std::thread::spawn(move || running.hand_over(offers));
            successor(other);
            assert!(hands.join().unwrap().is_err());
        };
        check(drop);
        check(|successor| drop(successor.receive()));
        check(|successor| {
            successor.say(&Word::Last, None).unwrap();
            let _ = successor.receive();
        });
        check(|successor| {
            sendmsg(
                &successor.0,
                &[IoSlice::new(b"{")],
                &mut SendAncillaryBuffer::default(),
                SendFlags::NOSIGNAL,
            )
            .unwrap();
            let _ = successor.receive();
        });
    }

    #[test]
    fn nothing_is_taken_over_from_one_that_has_ended() {
        let (running, successor) = both();
        running.say(&Word::Last, None).unwrap();
        assert!(successor.receive().unwrap().is_empty());
        drop(running);
        assert!(successor.take_over().is_err());
    }
}
