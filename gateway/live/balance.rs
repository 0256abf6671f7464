//! The replicas of one backend as they live: which is asked, and what its tries and checks have shown.

use std::sync::{Arc, PoisonError};

use koigate_core::failure::Failure;
use koigate_core::health::{Checked, Choice, Replicas, Seat, Sign, Turn};
use koigate_core::plan::Backend;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::clock;
use crate::sync::{Mutex, MutexGuard};

/// The replicas of one backend. The log names them by their number in the configuration, from 1: their addresses
/// don't belong there.
pub(super) struct Balance {
    backend: Arc<str>,
    replicas: Mutex<Replicas>,
}

/// A replica that was chosen for one try. Whatever becomes of that, the balance gets to know: dropped, it has shown
/// nothing, unless time had run out.
pub(super) struct Chosen {
    balance: Arc<Balance>,
    choice: Choice,
    cut: Option<Instant>,
    sign: Sign,
}

// === impl Balance ===

impl Balance {
    pub(super) fn new(backend: &Backend) -> Arc<Self> {
        Arc::new(Self::of(backend, Replicas::new(backend.replicas.len())))
    }

    /// For a backend whose replicas were these, where they were any.
    pub(super) fn keep(&self, backend: &Backend, were: impl Iterator<Item = Option<usize>>) -> Arc<Self> {
        Arc::new(Self::of(backend, self.state().keep(clock::now(), were)))
    }

    fn of(backend: &Backend, replicas: Replicas) -> Self {
        Self {
            backend: backend.name.clone(),
            replicas: Mutex::new(replicas),
        }
    }

    /// Chooses the replica for one try of a call that has already tried these. If that is dropped at `cut` or later,
    /// the replica has failed.
    pub(super) fn choose(self: &Arc<Self>, tried: &[usize], cut: Option<Instant>) -> Option<Chosen> {
        let choice = self.state().choose(clock::now(), tried)?;
        Some(Chosen {
            balance: self.clone(),
            choice,
            cut,
            sign: Sign::Unknown,
        })
    }

    /// Takes in what an active check of this replica has brought: the status, or none.
    pub(super) fn checked(&self, index: usize, brought: Result<u16, Failure>) {
        let sign = match &brought {
            Ok(500..) => Sign::Sick,
            Ok(_) => Sign::Well,
            Err(failure) => Sign::of_failure(failure.kind),
        };
        let turn = self.state().checked(index, sign);
        let (backend, replica) = (&*self.backend, index + 1);
        match turn {
            None => {}
            Some(Checked::Up) => info!(backend, replica, "replica up: its check passes"),
            Some(Checked::Down) => {
                let why =
                    brought.map_or_else(|failure| failure.to_string(), |status| format!("status {status}"));
                warn!(backend, replica, why, "replica down: its checks fail");
            }
        }
    }

    /// How each stands, in configured order.
    pub(super) fn seats(&self) -> Vec<Seat> {
        self.state().seats().collect()
    }

    fn end(&self, choice: &Choice, sign: Sign) {
        let turn = self.state().end(clock::now(), choice, sign);
        let (backend, replica) = (&*self.backend, choice.index + 1);
        match turn {
            None => {}
            Some(Turn::Opened(span)) => {
                let seconds = span.as_secs_f64();
                warn!(backend, replica, seconds, "replica ejected: its calls fail");
            }
            Some(Turn::Prolonged(span)) => {
                let seconds = span.as_secs_f64();
                debug!(backend, replica, seconds, "replica still ejected: a trial failed");
            }
            Some(Turn::Closed) => info!(backend, replica, "replica back: a call succeeded"),
        }
    }

    fn state(&self) -> MutexGuard<'_, Replicas> {
        // Nothing that runs under the lock leaves it half done.
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Chosen ===

impl Chosen {
    /// Which of the replicas, in configured order.
    pub(super) fn index(&self) -> usize {
        self.choice.index
    }

    /// Whether it is only to show whether it is well again, while another is.
    pub(super) fn is_trial(&self) -> bool {
        self.choice.is_trial
    }

    /// Its try has shown this.
    pub(super) fn end(mut self, sign: Sign) {
        self.sign = sign;
        self.cut = None;
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        if self.cut.is_some_and(|cut| cut <= Instant::now()) {
            self.sign = Sign::Sick;
        }
        self.balance.end(&self.choice, self.sign);
    }
}
