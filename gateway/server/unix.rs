//! Unix sockets: bound for the gateway's user and group alone, in the place of what nobody listens on any more and
//! of nothing else, and taken away at the end.
//!
//! Between finding that nobody listens and listening oneself lie a few steps, and two gateways that took them at once
//! could each remove what the other has just bound. So they are taken under a lock on the socket's folder, which leaves
//! no file behind and is gone with a process that dies.
//!
//! Pingora's own binding removes whatever file stands at the path, a socket in use included, and opens the socket to
//! everybody before it narrows it (pingora-core 0.9.1, `listeners/l4.rs`).

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

/// Read and write, which is what connecting needs, for the owner and the group.
pub(super) const MODE: u32 = 0o660;

/// Connections that may wait to be accepted; the system has its own bound (`net.core.somaxconn`).
pub(super) const BACKLOG: i32 = 65_535;

/// How long another process may keep the folder: a bind takes less than a millisecond.
const TURN_TIME: Duration = Duration::from_secs(1);
const TURN_STEP: Duration = Duration::from_millis(2);

/// The file of a bound socket. Dropping it removes the file, if it is still this socket's.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: the path may be somebody else's by then. Nothing where the file is another's to remove.
    identity: Option<(u64, u64)>,
}

/// Binds a socket for connections and listens on it. Nobody can connect before its mode is [`MODE`].
///
/// # Errors
///
/// The system's, and [`io::ErrorKind::AddrInUse`] where somebody listens there, [`io::ErrorKind::AlreadyExists`] where
/// something else than a socket stands there.
pub(super) fn listen_at(path: &Path) -> io::Result<(OwnedFd, SocketFile)> {
    listen_as(path, SocketType::STREAM, MODE)
}

/// The same for a socket of this type and mode.
///
/// # Errors
///
/// The same.
pub(super) fn listen_as(path: &Path, kind: SocketType, mode: u32) -> io::Result<(OwnedFd, SocketFile)> {
    let _turn = turn(path)?;
    clear(path)?;
    let socket = open(kind)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    // From here on whatever goes wrong removes it.
    let file = SocketFile::at(path)?;
    // Until it listens a bound socket refuses everybody, whatever the process's mask has made of its mode.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    listen(&socket, BACKLOG)?;
    Ok((socket, file))
}

/// The turn to exchange what stands at a path, until it is dropped.
fn turn(path: &Path) -> io::Result<File> {
    let folder = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let begun = Instant::now();
    loop {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(folder),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < TURN_TIME => std::thread::sleep(TURN_STEP),
            Err(Errno::WOULDBLOCK) => {
                let words = "somebody holds a lock on its folder";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, words));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Removes the socket of a process that ended without doing so, and nothing else.
fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            let words = "something that is no socket stands there";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
        }
        Ok(_) => {}
    }
    // Without waiting: a listener whose backlog is full is one too.
    match connect(&open(SocketType::STREAM)?, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::ACCESS) => Err(Errno::ACCESS.into()),
        Ok(()) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn open(kind: SocketType) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, kind, flags, None)?)
}

// === impl SocketFile ===

impl SocketFile {
    /// That of the socket that stands there now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: Some(identity(path)?),
        })
    }

    /// Leaves it to another process.
    pub(super) fn leave(mut self) {
        self.identity = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path).ok() == self.identity {
            // Where that fails the next start does it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    use std::sync::Barrier;

    use super::*;

    /// A folder for one test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("koigate-{}-{test}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn path(&self) -> PathBuf {
            self.0.join("a.sock")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn bound_for_owner_and_group_and_gone_at_the_end() {
        let folder = Folder::new("mode");
        let path = folder.path();
        let (_socket, file) = listen_at(&path).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o660);
        UnixStream::connect(&path).unwrap();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_nobody_listens_on_is_replaced() {
        let folder = Folder::new("stale");
        let path = folder.path();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_socket, _file) = listen_at(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn what_somebody_listens_on_is_left_alone() {
        let folder = Folder::new("in-use");
        let path = folder.path();
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // And it still gets its callers.
        let before = listener.accept().unwrap();
        let caller = UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
        drop((before, caller, listener));
        fs::remove_file(&path).unwrap();
        let _datagrams = UnixDatagram::bind(&path).unwrap();
        assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_listener_that_accepts_nobody_is_one() {
        let folder = Folder::new("full");
        let path = folder.path();
        let socket = open(SocketType::STREAM).unwrap();
        bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&socket, 0).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_socket_is_never_removed() {
        let folder = Folder::new("file");
        let path = folder.path();
        let refused = || listen_at(&path).unwrap_err().kind();
        fs::write(&path, "mine").unwrap();
        assert_eq!(refused(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(refused(), io::ErrorKind::AlreadyExists);
        fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert_eq!(refused(), io::ErrorKind::AlreadyExists);
        assert!(fs::symlink_metadata(&path).is_ok());
    }

    #[test]
    fn at_the_end_another_socket_is_left_alone() {
        let folder = Folder::new("another");
        let path = folder.path();
        let (_socket, file) = listen_at(&path).unwrap();
        fs::rename(&path, folder.0.join("old.sock")).unwrap();
        let _another = UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn of_many_at_once_one_has_it() {
        let folder = Folder::new("race");
        let path = folder.path();
        for _ in 0..50 {
            drop(UnixListener::bind(&path).unwrap());
            let start = Barrier::new(4);
            let bound: Vec<_> = std::thread::scope(|scope| {
                let bind = || {
                    start.wait();
                    listen_at(&path)
                };
                let racing: Vec<_> = (0..4).map(|_| scope.spawn(bind)).collect();
                racing.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let (won, lost): (Vec<_>, Vec<_>) = bound.into_iter().partition(Result::is_ok);
            let reasons: Vec<_> = lost.iter().map(|one| one.as_ref().unwrap_err().kind()).collect();
            assert_eq!(reasons, [io::ErrorKind::AddrInUse; 3]);
            UnixStream::connect(&path).unwrap();
            drop(won);
        }
    }

    #[test]
    fn a_folder_that_somebody_keeps_locked() {
        let folder = Folder::new("locked");
        let _turn = turn(&folder.path()).unwrap();
        assert_eq!(
            listen_at(&folder.path()).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }

    #[test]
    fn a_folder_that_is_not_there() {
        let folder = Folder::new("nowhere");
        let path = folder.0.join("missing/a.sock");
        assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
