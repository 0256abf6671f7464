//! The supervisor: listeners, stopping, draining. The only place that knows the process.
//!
//! Pingora accepts connections and owns the sockets; what it would do with the process is ours, since its own
//! `Server` binds late and for long, sleeps its grace period in full and is ended by a stray signal. An address in
//! use is an error before anything has begun, port 0 tells which port it became, and stopping takes as long as the
//! last request and no longer.
//!
//! ```text
//! signals   what asks the process to stop
//! group     listeners that start and stop together
//! socket    one that is listened on; unix: one with a path
//! ```

mod group;
mod signals;
mod socket;
mod unix;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use koigate_core::plan::Listen;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::group::{Group, Open};
pub use self::signals::{Hangups, Stop, Stops};
use crate::inbound::Door;

/// How long the admin side's connections may take once the callers are gone.
const ADMIN_PARTING: Duration = Duration::from_millis(100);

/// Listeners and what stands behind them, from binding to the end of the process.
pub struct Supervisor {
    /// Stops accepting after the signal.
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
    /// Told to stop: after the lame duck nobody is let in any more, and what is in flight finishes.
    Draining,
}

/// How long the process takes to leave once it is told to stop (gateway.md section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// How long callers are still let in, each answer being the last of its connection, so that whoever balances
    /// between gateways can notice.
    pub lame_duck: Duration,
    /// How long what is in flight may take after that.
    pub drain: Duration,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was accepted has been answered.
    Drained,
    /// Time ran out, or a second signal came, while requests were under way. They end with the runtime.
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

    /// Accepts until it is told to stop, then lets what is in flight finish: for as long as `parting` says then, or
    /// until it is told a second time. Runs on the runtime it is called on.
    pub async fn run(self, mut stops: Stops, parting: impl Fn() -> Parting) -> Ended {
        let mut callers = self.callers.start();
        let mut operators = self.operators.start();
        self.phase.send_replace(Phase::Ready);
        let stop = stops.next().await;
        self.phase.send_replace(Phase::Draining);
        let ended = leave(&mut callers, parting().after(stop), &mut stops).await;
        // An operator that stays connected is no reason to stay.
        let _ = timeout(ADMIN_PARTING, async {
            operators.close().await;
            operators.gone().await;
        })
        .await;
        ended
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

async fn leave(callers: &mut Open, parting: Parting, stops: &mut Stops) -> Ended {
    tokio::select! {
        biased;
        drained = drain(callers, parting) => if drained { return Ended::Drained },
        _ = stops.next() => tracing::warn!("told to stop once more"),
    }
    let connections = callers.cut().await;
    tracing::warn!(connections, "ending with requests under way");
    Ended::CutShort
}

/// Whether all of it was done in time.
async fn drain(callers: &mut Open, Parting { lame_duck, drain }: Parting) -> bool {
    callers.announce_leave();
    if !lame_duck.is_zero() {
        tracing::info!(?lame_duck, "stopping: callers are still let in for a while");
        sleep(lame_duck).await;
    }
    tracing::info!(at_most = ?drain, "stopping: hooks in flight finish first");
    callers.close().await;
    timeout(drain, callers.gone()).await.is_ok()
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

// === impl Parting ===

impl Parting {
    /// At once for newcomers, half a minute for what is in flight.
    pub const USUAL: Self = Self {
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(30),
    };

    /// What of it applies when the process is asked like this.
    fn after(self, stop: Stop) -> Self {
        match stop {
            Stop::Terminate => self,
            Stop::Interrupt => Self {
                lame_duck: Duration::ZERO,
                ..self
            },
        }
    }
}
