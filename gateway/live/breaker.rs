//! The breaker of one backend as it lives, and the calls that it has let in.

use std::sync::{Arc, PoisonError};

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::health::{Breaker, Entry, Phase, Sign, Turn};
use koigate_core::judge::Judgement;
use koigate_core::plan::{self, Backend};
use koigate_core::reply::Reply;
use koigate_core::verdict::{Class, classify};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::clock;
use crate::calls::Watch;
use crate::sync::{Mutex, MutexGuard};

/// The breaker of one backend.
pub(super) struct LiveBreaker {
    /// For the log.
    backend: Arc<str>,
    breaker: Mutex<Breaker>,
}

/// A call that was let in. Whatever becomes of it, the breaker gets to know: dropped, it has shown nothing, unless
/// time had run out.
pub struct Admitted {
    breaker: Arc<LiveBreaker>,
    entry: Entry,
    cut: Option<Instant>,
    sign: Sign,
}

// === impl LiveBreaker ===

impl LiveBreaker {
    pub(super) fn new(backend: &Backend, rule: plan::Breaker) -> Arc<Self> {
        Arc::new(Self {
            backend: backend.name.clone(),
            breaker: Mutex::new(Breaker::new(rule)),
        })
    }

    /// Whether it was made for this rule.
    pub(super) fn has(&self, rule: plan::Breaker) -> bool {
        self.state().rule() == rule
    }

    /// How it stands.
    pub(super) fn phase(&self) -> Phase {
        self.state().phase()
    }

    /// Lets a call in. If that is dropped at `cut` or later, the backend has failed.
    ///
    /// # Errors
    ///
    /// [`FailureKind::BreakerOpen`], at once.
    pub(super) fn admit(self: &Arc<Self>, cut: Option<Instant>) -> Result<Box<Admitted>, Failure> {
        match self.state().admit(clock::now()) {
            Some(entry) => Ok(Box::new(Admitted {
                breaker: self.clone(),
                entry,
                cut,
                sign: Sign::Unknown,
            })),
            None => Err(Failure::new(FailureKind::BreakerOpen, "the breaker is open")),
        }
    }

    fn end(&self, entry: &Entry, sign: Sign) {
        let turn = self.state().end(clock::now(), entry, sign);
        let backend = &*self.backend;
        match turn {
            None => {}
            Some(Turn::Opened(span)) => {
                warn!(
                    backend,
                    seconds = span.as_secs_f64(),
                    "breaker open: too many failures in a row"
                );
            }
            Some(Turn::Prolonged(span)) => {
                debug!(
                    backend,
                    seconds = span.as_secs_f64(),
                    "breaker still open: the trial call failed"
                );
            }
            Some(Turn::Closed) => info!(backend, "breaker closed: the trial call succeeded"),
        }
    }

    fn state(&self) -> MutexGuard<'_, Breaker> {
        // Nothing that runs under the lock leaves it half done.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Admitted ===

impl Admitted {
    /// Takes in what the call has brought. Given back where that has to be judged first: whether a JSON reply is one.
    pub(super) fn hears(
        mut self: Box<Self>,
        brought: &Result<Reply, Failure>,
        backend: &Backend,
    ) -> Option<Box<Self>> {
        let statuses = &backend.failure_statuses;
        if let Ok(reply) = brought
            && classify(reply, statuses) == Ok(Class::Json)
        {
            return Some(self);
        }
        self.ends(Sign::of(brought, statuses));
        None
    }

    /// The call has shown this.
    pub(super) fn ends(&mut self, sign: Sign) {
        self.sign = sign;
        self.cut = None;
    }
}

impl Watch for Box<Admitted> {
    fn judged(mut self, judgement: &Judgement) {
        self.ends(match judgement {
            Judgement::Failed { failure, .. } => Sign::of_failure(failure.kind),
            _ => Sign::Well,
        });
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.cut.is_some_and(|cut| cut <= Instant::now()) {
            self.sign = Sign::Sick;
        }
        self.breaker.end(&self.entry, self.sign);
    }
}
