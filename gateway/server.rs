//! The supervisor: listeners, stopping, draining. The only place that knows the process.
//!
//! What Pingora's own `Server` would do with the process is ours, since it binds late and for long, sleeps its grace
//! period in full and is ended by a stray signal. An address in use is an error before anything has begun, port 0 tells
//! which port it became, and stopping takes as long as the last request and no longer.
//!
//! ```text
//! signals      what asks the process to stop
//! group        listeners that start and stop together
//! accept       who connects to them
//! socket       one that is listened on; unix: one with a path
//! inherited    those that another process has bound
//! succession   from whom, and to whom they go: upgrades
//!   meeting    where the two processes find each other
//!   handover   what they say
//! notify       what a service manager is told
//! ```

mod accept;
mod group;
mod handover;
mod inherited;
mod meeting;
pub(crate) mod notify;
mod signals;
mod socket;
mod succession;
mod unix;

use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use koigate_core::plan::Listen;
use rustix::process::Pid;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use self::group::{Group, Open};
use self::handover::Offer;
use self::inherited::Inherited;
pub use self::signals::{Hangups, Stop, Stops, Strays};
use self::succession::Successors;
pub use self::succession::{Succession, SuccessionError};
use crate::inbound::Door;
use crate::workers::Workers;

/// How long the admin side's connections may take once the callers are gone.
const ADMIN_PARTING: Duration = Duration::from_millis(100);

/// Listeners and what stands behind them, from binding to the end of the process.
pub struct Supervisor {
    /// Stops accepting after the signal.
    callers: Group,
    /// Goes on until the callers are gone, so that an operator can watch that.
    operators: Group,
    phase: watch::Sender<Phase>,
    succession: Option<Succession>,
    successors: Option<Successors>,
    /// Who serves the callers.
    workers: Option<Arc<Workers>>,
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Bound, but not accepting yet.
    Starting,
    /// Accepting.
    Ready,
    /// Told to stop, or another process has taken over: after the lame duck nobody is let in any more, and what is in
    /// flight finishes.
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

/// Why the process leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Told(Stop),
    /// This process has taken over.
    Succeeded(Pid),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was accepted has been answered.
    Drained,
    /// Time ran out, or a second signal came, while requests were under way. They end with their
    /// runtimes.
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
            succession: None,
            successors: None,
            workers: None,
        }
    }

    /// The same with what other processes have left: what it is to listen on it takes from there, and tells the
    /// service manager how it fares.
    pub fn in_succession(succession: Succession) -> Self {
        Self {
            succession: Some(succession),
            ..Self::new()
        }
    }

    /// The same, and callers are served by these. Operators, and without workers the callers too, are served on the
    /// runtime that [`Self::run`] runs on.
    #[must_use]
    pub fn with_workers(self, workers: Arc<Workers>) -> Self {
        Self {
            workers: Some(workers),
            ..self
        }
    }

    /// Binds these addresses for callers, who are no longer let in once the process is to stop. Gives the
    /// addresses as they are, with the port that 0 became; connections wait in them until [`Self::run`].
    ///
    /// # Errors
    ///
    /// The first address that can't be bound.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, like its siblings.
    pub fn listen<D: Door>(
        &mut self,
        name: &str,
        addresses: &[SocketAddr],
        door: Arc<D>,
    ) -> Result<Vec<SocketAddr>, BindError> {
        let bound = self.listen_at(name, &places(addresses), door)?;
        Ok(bound.iter().filter_map(Listen::address).collect())
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
        let inherited = inherited(&mut self.succession);
        self.callers
            .listen(name, places, door, inherited.unwrap_or(&mut Inherited::default()))
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
        let inherited = inherited(&mut self.succession);
        let bound = self.operators.listen(
            name,
            &places(addresses),
            door,
            inherited.unwrap_or(&mut Inherited::default()),
        )?;
        Ok(bound.iter().filter_map(Listen::address).collect())
    }

    /// Once all is bound that is to be: takes over from the process that ran before, where there is one, and waits for
    /// one that is to take over. From here on [`Self::run`] has to follow.
    ///
    /// # Errors
    ///
    /// A socket was passed that nobody has asked for, or the process before goes on by itself.
    pub fn settle(&mut self) -> Result<(), SuccessionError> {
        if let Some(succession) = &mut self.succession {
            self.successors = succession.settle()?;
        }
        Ok(())
    }

    /// The phase as it changes.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Accepts until it is told to stop or another process has taken over, then lets what is in flight finish: for as
    /// long as `parting` says then, or until it is told a second time. Runs on the runtime that everything was bound on.
    pub async fn run(self, stops: Stops, parting: impl Fn() -> Parting) -> Ended {
        self.run_then(stops, parting, ready(())).await
    }

    /// The same, and what of that time the callers leave is for the `rest`, which none of them waits for.
    pub async fn run_then(
        self,
        mut stops: Stops,
        parting: impl Fn() -> Parting,
        rest: impl Future<Output = ()>,
    ) -> Ended {
        let mut callers = self.callers.start(self.workers);
        let mut operators = self.operators.start(None);
        self.phase.send_replace(Phase::Ready);
        if let Some(succession) = &self.succession {
            succession.announce();
        }
        let cause = tokio::select! {
            stop = stops.next() => Cause::Told(stop),
            successor = succeeded(self.successors.as_ref(), &callers, &operators) => Cause::Succeeded(successor),
        };
        self.phase.send_replace(Phase::Draining);
        if let (Cause::Told(_), Some(_)) = (cause, &self.succession) {
            notify::stopping();
        }
        if let (Cause::Succeeded(successor), Some(successors)) = (cause, self.successors) {
            notify::succeeded_by(successor);
            successors.leave();
            operators.leave().await;
        }
        let parting = parting().after(cause);
        let ended = leave((&mut callers, rest), cause, parting, &mut stops).await;
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

fn places(addresses: &[SocketAddr]) -> Vec<Listen> {
    addresses.iter().copied().map(Listen::Tcp).collect()
}

fn inherited(succession: &mut Option<Succession>) -> Option<&mut Inherited> {
    succession.as_mut().map(|succession| &mut succession.inherited)
}

/// Waits until another process has the sockets.
async fn succeeded(successors: Option<&Successors>, callers: &Open, operators: &Open) -> Pid {
    let Some(successors) = successors else {
        return std::future::pending().await;
    };
    let offers = || -> io::Result<Vec<Offer>> {
        let (mut offers, more) = (callers.offers()?, operators.offers()?);
        offers.extend(more);
        Ok(offers)
    };
    successors.next(offers).await
}

async fn leave(
    (callers, rest): (&mut Open, impl Future<Output = ()>),
    cause: Cause,
    parting: Parting,
    stops: &mut Stops,
) -> Ended {
    let until = tokio::select! {
        biased;
        until = drain(callers, cause, parting) => until,
        _ = stops.next() => {
            tracing::warn!("told to stop once more");
            None
        }
    };
    if let Some(until) = until {
        tokio::select! {
            biased;
            // What has not been done by then never will be.
            _ = timeout_at(until, rest) => {}
            _ = stops.next() => tracing::warn!("told to stop once more"),
        }
        return Ended::Drained;
    }
    let connections = callers.cut().await;
    tracing::warn!(connections, "ending with requests under way");
    Ended::CutShort
}

/// By when the rest has to be done, if all callers are gone by then.
async fn drain(callers: &mut Open, cause: Cause, Parting { lame_duck, drain }: Parting) -> Option<Instant> {
    callers.announce_leave();
    if let Cause::Succeeded(successor) = cause {
        let successor = successor.as_raw_nonzero();
        tracing::info!(successor, at_most = ?drain, "another process accepts from here on: hooks in flight finish");
        callers.leave().await;
    }
    if !lame_duck.is_zero() {
        tracing::info!(?lame_duck, "stopping: callers may stay for a while");
        sleep(lame_duck).await;
    }
    tracing::info!(at_most = ?drain, "stopping: hooks in flight finish first");
    callers.close().await;
    let until = Instant::now() + drain;
    timeout_at(until, callers.gone()).await.is_ok().then_some(until)
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

    /// What of it applies when the process leaves for this.
    fn after(self, cause: Cause) -> Self {
        match cause {
            Cause::Told(Stop::Terminate) | Cause::Succeeded(_) => self,
            Cause::Told(Stop::Interrupt) => Self {
                lame_duck: Duration::ZERO,
                ..self
            },
        }
    }
}
