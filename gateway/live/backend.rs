//! What lives beside one backend of a plan: connections, and how many calls are running.

use std::sync::{Arc, PoisonError};

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::health::{Budget, Phase, Seat};
use koigate_core::plan::{Backend, Role, Target};
use prometheus::IntGauge;
use tokio::time::Instant;

use super::Ground;
use super::balance::{Balance, Chosen};
use super::breaker::{Admitted, LiveBreaker};
use super::checks::Checks;
use crate::buffered::Room;
use crate::metrics::amount;
use crate::observers::Lane;
use crate::outbound::{Connections, Signer, Upstream};
use crate::sync::{AtomicUsize, Mutex, Ordering};

/// One backend as it lives.
pub struct LiveBackend {
    /// What was configured.
    pub backend: Arc<Backend>,
    /// The ways to its replicas, in configured order. Each outlives reloads that leave it unchanged.
    pub upstreams: Vec<Arc<Upstream>>,
    /// What signs its calls, where they are signed.
    pub(super) signer: Option<Arc<Signer>>,
    /// It outlives every reload that keeps the name, so that calls of the plan before count too.
    in_flight: Arc<AtomicUsize>,
    /// Where one is configured. It outlives reloads that leave it and the replicas unchanged.
    breaker: Option<Arc<LiveBreaker>>,
    /// Where there is something to choose or to check. What is known of a replica outlives reloads that keep it.
    balance: Option<Arc<Balance>>,
    /// Where calls may be made again. It outlives every reload that keeps the name.
    budget: Option<Arc<Mutex<Budget>>>,
    /// Where some are configured. They go on over reloads that leave all of it unchanged.
    checks: Option<Arc<Checks>>,
    /// Where it is an observer. It outlives every reload that keeps it one.
    lane: Option<Arc<Lane>>,
    gauges: Gauges,
}

/// One of a backend's `max_in_flight` places, given back when dropped.
pub struct Place<'a> {
    in_flight: &'a AtomicUsize,
}

/// What is shown of one backend in `/metrics`.
struct Gauges {
    in_flight: IntGauge,
    up: IntGauge,
    breaker_open: IntGauge,
    /// Of an observer.
    waiting: Option<IntGauge>,
}

// === impl LiveBackend ===

impl LiveBackend {
    /// Brings a backend to life, with what has lived under its name, if anything has. Its replies count in the room of
    /// its role.
    pub fn new(
        (backend, role): (Arc<Backend>, Role),
        lived: Option<&Self>,
        ground: &Ground,
        room: &Arc<Room>,
    ) -> Self {
        let upstreams: Vec<_> = backend
            .replicas
            .iter()
            .map(|target| way((&backend, target), lived, ground, room))
            .collect();
        let balance = balance(&backend, lived);
        let checks = backend.health.as_ref().zip(balance.as_ref());
        let checks = checks.map(|(health, balance)| {
            let kept = lived.and_then(|lived| lived.checks_of(&backend, &upstreams, balance));
            kept.unwrap_or_else(|| Checks::new(&backend, health, &upstreams, balance))
        });
        let budget = lived.and_then(|lived| lived.budget.clone());
        let live = Self {
            signer: Signer::new(&backend).map(Arc::new),
            in_flight: lived.map(|lived| lived.in_flight.clone()).unwrap_or_default(),
            breaker: breaker(&backend, lived),
            budget: (backend.retries > 0).then(|| budget.unwrap_or_default()),
            lane: (role == Role::Observer).then(|| lane(&backend, lived)),
            gauges: Gauges::new(&backend, role, ground),
            upstreams,
            balance,
            checks,
            backend,
        };
        live.show();
        live
    }

    /// Begins to check it, where that is configured, or goes on.
    pub fn begin_checks(&self) {
        if let Some(checks) = &self.checks {
            checks.begin();
        }
    }

    /// Brings `/metrics` up to date with what changes by itself.
    pub fn show(&self) {
        if let (Some(gauge), Some(lane)) = (&self.gauges.waiting, &self.lane) {
            let notices = lane.waiting().notices;
            gauge.set(amount(notices));
        }
        self.gauges.in_flight.set(amount(self.in_flight()));
        self.gauges.up.set(i64::from(self.is_up()));
        let is_open = self.breaker().is_some_and(|phase| phase != Phase::Closed);
        self.gauges.breaker_open.set(i64::from(is_open));
    }

    /// The way of what it is told, where it is an observer.
    pub fn lane(&self) -> Option<&Arc<Lane>> {
        self.lane.as_ref()
    }

    /// Whether no check says otherwise of at least one replica.
    pub fn is_up(&self) -> bool {
        let balance = self.balance.as_ref();
        balance.is_none_or(|balance| balance.seats().iter().any(|seat| seat.is_up))
    }

    /// How its breaker stands, where it has one.
    pub fn breaker(&self) -> Option<Phase> {
        self.breaker.as_ref().map(|breaker| breaker.phase())
    }

    /// How each replica stands, in configured order.
    pub fn seats(&self) -> Vec<Seat> {
        match &self.balance {
            Some(balance) if self.upstreams.len() > 1 => balance.seats(),
            // Nobody chooses, so that nobody counts either.
            _ => vec![Seat {
                in_flight: self.in_flight(),
                is_up: self.is_up(),
                is_ejected: false,
            }],
        }
    }

    /// The way of a backend with one replica, which is asked once a call.
    pub(super) fn only_way(&self) -> Option<&Upstream> {
        match &*self.upstreams {
            [only] if self.budget.is_none() => Some(only),
            _ => None,
        }
    }

    /// Passes the breaker, where there is one. If that is dropped at `cut()` or later, the backend has failed.
    ///
    /// # Errors
    ///
    /// [`FailureKind::BreakerOpen`], at once.
    pub(super) fn admit(
        &self,
        cut: impl FnOnce() -> Option<Instant>,
    ) -> Result<Option<Box<Admitted>>, Failure> {
        let breaker = self.breaker.as_ref();
        breaker.map(|breaker| breaker.admit(cut())).transpose()
    }

    /// Chooses a replica, where there is something to choose; see [`Balance::choose`].
    pub(super) fn choose(&self, tried: &[usize], cut: Option<Instant>) -> Option<Chosen> {
        match &self.balance {
            Some(balance) if self.upstreams.len() > 1 => balance.choose(tried, cut),
            _ => None,
        }
    }

    /// Pays for a call into the budget of retries, where there is one.
    pub(super) fn pay_in(&self) {
        if let Some(budget) = &self.budget {
            budget.lock().unwrap_or_else(PoisonError::into_inner).deposit();
        }
    }

    /// Whether the budget allows a call to be made again; it is paid for then.
    pub(super) fn pay_for_retry(&self) -> bool {
        let budget = self.budget.as_ref();
        budget.is_some_and(|budget| budget.lock().unwrap_or_else(PoisonError::into_inner).withdraw())
    }

    /// The checks that go on for this backend, if all that they are made of is the same.
    fn checks_of(
        &self,
        backend: &Backend,
        upstreams: &[Arc<Upstream>],
        balance: &Arc<Balance>,
    ) -> Option<Arc<Checks>> {
        let was = &self.backend;
        let asks = |backend: &Backend| (backend.health.clone(), backend.timeout, backend.headers.clone());
        let is_same = asks(was) == asks(backend)
            && was.replicas == backend.replicas
            && self.balance.as_ref().is_some_and(|was| Arc::ptr_eq(was, balance))
            && self
                .upstreams
                .iter()
                .zip(upstreams)
                .all(|(was, is)| Arc::ptr_eq(was, is));
        self.checks.clone().filter(|_| is_same)
    }

    /// How many calls are running.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place for one call.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Overloaded`], at once: nothing queues in front of a backend.
    pub fn enter(&self) -> Result<Place<'_>, Failure> {
        let taken = self.in_flight.fetch_add(1, Ordering::AcqRel);
        // From here on dropping it gives the place back.
        let place = Place {
            in_flight: &self.in_flight,
        };
        if taken < self.backend.max_in_flight {
            Ok(place)
        } else {
            Err(Failure::new(
                FailureKind::Overloaded,
                "max_in_flight calls are running already",
            ))
        }
    }
}

// === impl Place ===

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

// === impl Gauges ===

impl Gauges {
    fn new(backend: &Backend, role: Role, ground: &Ground) -> Self {
        let (label, metrics) = ([&*backend.name], &ground.metrics);
        Self {
            in_flight: metrics.backend_in_flight.with_label_values(&label),
            up: metrics.backend_up.with_label_values(&label),
            breaker_open: metrics.backend_breaker_open.with_label_values(&label),
            waiting: (role == Role::Observer).then(|| metrics.observer_waiting.with_label_values(&label)),
        }
    }
}

// === what goes on ===

/// The lane of an observer: the one that it has had, with what waits in it.
fn lane(backend: &Backend, lived: Option<&LiveBackend>) -> Arc<Lane> {
    let kept = lived.and_then(|lived| lived.lane.clone());
    kept.unwrap_or_else(|| Arc::new(Lane::in_memory(backend)))
}

/// The way to a replica: the one that was there, if it is still the same.
fn way(
    (backend, target): (&Backend, &Target),
    lived: Option<&LiveBackend>,
    ground: &Ground,
    room: &Arc<Room>,
) -> Arc<Upstream> {
    let kept = lived.and_then(|lived| {
        let ways = lived.backend.replicas.iter().zip(&lived.upstreams);
        let mut same = ways.filter(|(was, upstream)| {
            // One that was a shadow and is none any more has another room.
            upstream.counts_in(room) && Upstream::is_same_way((&lived.backend, was), (backend, target))
        });
        same.next().map(|(_, upstream)| upstream.clone())
    });
    let open = || {
        let (label, metrics) = ([&*backend.name], &ground.metrics);
        let connections = Connections {
            opened: metrics.connections_opened.with_label_values(&label),
            reused: metrics.connections_reused.with_label_values(&label),
        };
        Arc::new(Upstream::new(
            backend,
            target,
            &ground.connector,
            connections,
            room.clone(),
        ))
    };
    kept.unwrap_or_else(open)
}

/// For each replica where it stood before, if it was there.
fn were(backend: &Backend, lived: &LiveBackend) -> Vec<Option<usize>> {
    let place = |target: &Target| (target.scheme, target.host.clone(), target.port);
    let stood = |target| {
        let mut before = lived.backend.replicas.iter();
        before.position(|was| place(was) == place(target) && lived.backend.tls == backend.tls)
    };
    backend.replicas.iter().map(stood).collect()
}

/// Whether the replicas are those that were there, in the same order.
fn are_the_same(backend: &Backend, lived: &LiveBackend) -> bool {
    let were = were(backend, lived);
    let in_order = were.iter().enumerate().all(|(index, was)| *was == Some(index));
    in_order && were.len() == lived.backend.replicas.len()
}

fn breaker(backend: &Backend, lived: Option<&LiveBackend>) -> Option<Arc<LiveBreaker>> {
    let rule = backend.breaker?;
    let kept = lived
        .filter(|lived| are_the_same(backend, lived))
        .and_then(|lived| lived.breaker.clone())
        .filter(|breaker| breaker.has(rule));
    Some(kept.unwrap_or_else(|| LiveBreaker::new(backend, rule)))
}

fn balance(backend: &Backend, lived: Option<&LiveBackend>) -> Option<Arc<Balance>> {
    if backend.replicas.len() == 1 && backend.health.is_none() {
        return None;
    }
    let Some((lived, known)) = lived.and_then(|lived| Some((lived, lived.balance.as_ref()?))) else {
        return Some(Balance::new(backend));
    };
    // Without checks there is nobody to say that a replica is up again.
    if are_the_same(backend, lived) && lived.backend.health == backend.health {
        return Some(known.clone());
    }
    Some(known.keep(backend, were(backend, lived).into_iter()))
}
