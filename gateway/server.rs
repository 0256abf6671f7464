//! The supervisor: listeners, stopping, draining. The only place that knows the process.
//!
//! Pingora accepts connections, owns the sockets and (later) hands them to a successor; what it would do with
//! the process is ours, since its own `Server` binds late and for long, sleeps its grace period in full and
//! is ended by a stray signal. An address in use is an error before anything has begun, port 0 tells which
//! port it became, and stopping takes as long as the last request and no longer.
//!
//! The watch channel that tells everyone to stop also counts who is still there: Pingora clones its receiver
//! into every accept loop and every connection, from the moment of accepting, so that *nobody holds one any
//! more* is *everything is answered*.

mod unix;

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use koigate_core::plan::Listen;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::server::{Fds, ListenFds};
use pingora::services::Service;
use pingora::services::listening;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use self::unix::SocketFile;
use crate::inbound::{Door, Front};

/// How long hooks in flight may take after a signal to stop.
const DRAIN_TIME: Duration = Duration::from_secs(30);
/// How long the admin side's connections may take after that.
const ADMIN_PARTING: Duration = Duration::from_millis(100);

/// Listeners and what stands behind them, from binding to the end of the process.
pub struct Supervisor {
    /// Stops accepting at the signal.
    callers: Group,
    /// Goes on until the callers are gone, so that an operator can watch that.
    operators: Group,
    phase: watch::Sender<Phase>,
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Bound, but not accepting yet.
    Starting,
    /// Accepting.
    Ready,
    /// Told to stop: what is in flight finishes.
    Draining,
}

/// What asks the process to stop: first gently, then at once.
pub struct Stops(Source);

/// What asks the process to read its configuration again.
pub struct Hangups(Option<Signal>);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was accepted has been answered.
    Drained,
    /// Time ran out, or a second signal came, while connections were still open. They end with the runtime.
    CutShort,
}

/// An address or a Unix socket that can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}")]
pub struct BindError {
    /// The address as configured.
    pub address: Listen,
    /// Why not.
    #[source]
    pub source: io::Error,
}

enum Source {
    Signals { terminate: Signal, interrupt: Signal },
    Told(mpsc::UnboundedReceiver<()>),
}

/// Listeners that start and stop together.
struct Group {
    services: Vec<Listening>,
    /// Bound, not yet in Pingora's hands; the name is how it asks for them.
    sockets: Vec<(String, OwnedFd)>,
    stop: watch::Sender<bool>,
}

/// What accepts for one door, and the files of its Unix sockets: they go with it.
struct Listening {
    service: Box<dyn Service>,
    files: Vec<SocketFile>,
}

/// A socket that is bound.
struct Bound {
    socket: OwnedFd,
    /// Where, with the port that 0 became.
    at: Listen,
    file: Option<SocketFile>,
}

// === impl Supervisor ===

impl Supervisor {
    /// Nothing listens yet.
    pub fn new() -> Self {
        Self {
            callers: Group::new(),
            operators: Group::new(),
            phase: watch::Sender::new(Phase::Starting),
        }
    }

    /// Binds these addresses for callers, who are no longer let in once the process is to stop. Gives the
    /// addresses as they are, with the port that 0 became; connections wait in them until [`Self::run`].
    ///
    /// # Errors
    ///
    /// The first address that can't be bound.
    pub fn listen<D: Door>(
        &mut self,
        name: &str,
        addresses: &[SocketAddr],
        door: Arc<D>,
    ) -> Result<Vec<SocketAddr>, BindError> {
        self.callers.bind_addresses(name, addresses, door)
    }

    /// The same, on Unix sockets too. Those are open to the user and the group of this process (mode 0660); one that
    /// nobody listens on is replaced, and each is removed when it is no longer listened on.
    ///
    /// # Errors
    ///
    /// The first place that can't be bound: also a socket that is in use, or a path where something else stands.
    pub fn listen_at<D: Door>(
        &mut self,
        name: &str,
        places: &[Listen],
        door: Arc<D>,
    ) -> Result<Vec<Listen>, BindError> {
        self.callers.bind(name, places, door)
    }

    /// The same for operators, who are let in until the last caller has gone.
    ///
    /// # Errors
    ///
    /// The first address that can't be bound.
    pub fn listen_to_the_end<D: Door>(
        &mut self,
        name: &str,
        addresses: &[SocketAddr],
        door: Arc<D>,
    ) -> Result<Vec<SocketAddr>, BindError> {
        self.operators.bind_addresses(name, addresses, door)
    }

    /// The phase as it changes.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Accepts until it is told to stop, then lets what is in flight finish: for 30 seconds at most, or
    /// until it is told a second time. Runs on the runtime it is called on.
    pub async fn run(self, mut stops: Stops) -> Ended {
        let callers = self.callers.start();
        let operators = self.operators.start();
        self.phase.send_replace(Phase::Ready);
        stops.next().await;
        tracing::info!("stopping: hooks in flight finish first");
        self.phase.send_replace(Phase::Draining);
        callers.send_replace(true);
        let ended = drained(&callers, &mut stops).await;
        operators.send_replace(true);
        // An operator that stays connected is no reason to stay.
        let _ = timeout(ADMIN_PARTING, operators.closed()).await;
        ended
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Phase ===

impl Phase {
    /// One word, for `/readyz` and `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

async fn drained(callers: &watch::Sender<bool>, stops: &mut Stops) -> Ended {
    tokio::select! {
        biased;
        () = callers.closed() => Ended::Drained,
        () = sleep(DRAIN_TIME) => Ended::CutShort,
        () = stops.next() => Ended::CutShort,
    }
}

// === impl Group ===

impl Group {
    fn new() -> Self {
        Self {
            services: Vec::new(),
            sockets: Vec::new(),
            stop: watch::Sender::new(false),
        }
    }

    fn bind_addresses<D: Door>(
        &mut self,
        name: &str,
        addresses: &[SocketAddr],
        door: Arc<D>,
    ) -> Result<Vec<SocketAddr>, BindError> {
        let places: Vec<_> = addresses.iter().copied().map(Listen::Tcp).collect();
        let bound = self.bind(name, &places, door)?;
        Ok(bound.iter().filter_map(Listen::address).collect())
    }

    fn bind<D: Door>(
        &mut self,
        name: &str,
        places: &[Listen],
        door: Arc<D>,
    ) -> Result<Vec<Listen>, BindError> {
        let mut service = listening::Service::new(name.to_owned(), Front::new(door));
        let (mut bound, mut files) = (Vec::with_capacity(places.len()), Vec::new());
        for place in places {
            let Bound { socket, at, file } = Bound::new(place).map_err(|source| BindError {
                address: place.clone(),
                source,
            })?;
            service.add_listener(endpoint(&at));
            self.sockets.push((name_of(&at), socket));
            files.extend(file);
            bound.push(at);
        }
        let service = Box::new(service);
        self.services.push(Listening { service, files });
        Ok(bound)
    }

    /// Hands the sockets over and starts accepting.
    fn start(self) -> watch::Sender<bool> {
        let mut fds = Fds::new();
        for (name, socket) in self.sockets {
            fds.add(name, socket.into_raw_fd());
        }
        let fds = ListenFds::new(fds.into());
        for Listening { mut service, files } in self.services {
            let (fds, stop) = (Arc::clone(&fds), self.stop.subscribe());
            tokio::spawn(async move {
                service.start_service(Some(fds), stop, 1).await;
                drop(files);
            });
        }
        self.stop
    }
}

// === impl Bound ===

impl Bound {
    /// Binds like Pingora (an address may be in its last minute of use by a predecessor, the backlog is set when it
    /// takes the socket over), but at once: an address in use is an error, not something to wait for.
    fn new(place: &Listen) -> io::Result<Self> {
        match place {
            Listen::Tcp(address) => {
                let socket = TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                Ok(Self {
                    at: socket.local_addr()?.into(),
                    socket: socket.into(),
                    file: None,
                })
            }
            Listen::Unix(path) => {
                let (socket, file) = unix::listen_at(path)?;
                Ok(Self {
                    at: place.clone(),
                    socket,
                    file: Some(file),
                })
            }
        }
    }
}

/// Without buffers of Pingora's: the session reads into its own and writes an answer in one piece.
fn endpoint(place: &Listen) -> ListenerConfig {
    let config = match place {
        Listen::Tcp(_) => ListenerConfig::tcp(name_of(place)),
        // It sets the mode again when it takes the socket over, to 0666 unless told.
        Listen::Unix(_) => {
            ListenerConfig::uds(name_of(place)).permissions(Permissions::from_mode(unix::MODE))
        }
    };
    config.l4_buffer(L4BufferSettings::unbuffered())
}

/// What Pingora calls a listener: its address or path.
fn name_of(place: &Listen) -> String {
    match place {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => path.display().to_string(),
    }
}

// === impl Stops ===

impl Stops {
    /// `SIGTERM` and `SIGINT`. From here on they no longer end the process by themselves.
    ///
    /// # Errors
    ///
    /// The signals can't be listened to.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn signals() -> io::Result<Self> {
        Ok(Self(Source::Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        }))
    }

    /// Whoever holds the sender, one stop for each message. When the sender is gone, nobody stops it.
    pub fn told() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Source::Told(receiver)))
    }

    /// Waits for the next stop.
    pub async fn next(&mut self) {
        let told = match &mut self.0 {
            Source::Signals { terminate, interrupt } => tokio::select! {
                told = terminate.recv() => told,
                told = interrupt.recv() => told,
            },
            Source::Told(receiver) => receiver.recv().await,
        };
        if told.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

// === impl Hangups ===

impl Hangups {
    /// `SIGHUP`. From here on it no longer ends the process by itself.
    ///
    /// # Errors
    ///
    /// The signal can't be listened to.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn signals() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(|hangups| Self(Some(hangups)))
    }

    /// Nobody asks.
    pub fn never() -> Self {
        Self(None)
    }

    /// Waits for the next one; several that come before it is waited for are one.
    pub async fn next(&mut self) {
        let hung_up = match &mut self.0 {
            Some(hangups) => hangups.recv().await,
            None => None,
        };
        if hung_up.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
