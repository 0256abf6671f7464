//! The idle connections of one backend: last in, first out, so that a quiet time lets the surplus grow old. Each belongs
//! to the thread that hears of it first; that one takes its own before it takes one over from another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use crate::workers::place;

/// How long a connection may be idle: less than common servers keep it (uvicorn: 5 s), so that it is ours to
/// close.
pub const IDLE: Duration = Duration::from_secs(4);

/// How old a connection may become, however busy it is: a service whose name leads elsewhere now is followed.
pub const LIFE: Duration = Duration::from_secs(60);

/// The idle connections of one backend.
#[derive(Debug)]
pub(super) struct Pool {
    /// The most connections it holds.
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those of each thread ([`place`]), the longest idle in front.
    idle: BTreeMap<usize, VecDeque<Idle>>,
    sweeper: Sweeper,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    /// When it is too old.
    until: Instant,
}

/// The one task that closes what has grown old at the bottom, where nobody takes from.
#[derive(Debug, Default, PartialEq, Eq)]
enum Sweeper {
    /// None: the pool is empty, or was when the last one looked.
    #[default]
    None,
    /// It sleeps until the oldest connection is too old.
    Sleeping,
}

impl Pool {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            state: Mutex::default(),
        })
    }

    /// The connection of this thread that was laid aside last, or else one of another, and that has kept quiet since.
    /// Those that have not are closed.
    pub(super) fn take(&self, now: Instant) -> Option<Connection> {
        let place = place();
        loop {
            let idle = self.state().next_for(place)?;
            let mut connection = idle.connection;
            if idle.until > now
                && connection.is_quiet()
                && let Some(connection) = connection.moved_to(place)
            {
                return Some(connection);
            }
        }
    }

    /// Lays a connection aside that is at the start of an exchange; closes it if there are enough, or if it is too old.
    pub(super) fn put(self: &Arc<Self>, connection: Connection) {
        let now = Instant::now();
        if now.saturating_duration_since(connection.opened()) >= LIFE {
            return;
        }
        let until = now + IDLE;
        let mut state = self.state();
        if state.len() >= self.capacity {
            drop(state);
            return;
        }
        let own = state.idle.entry(connection.place()).or_default();
        own.push_back(Idle { connection, until });
        if state.sweeper == Sweeper::None {
            state.sweeper = Sweeper::Sleeping;
            drop(state);
            tokio::spawn(sweep_until_empty(Arc::downgrade(self), until));
        }
    }

    /// How many connections it holds.
    pub(super) fn len(&self) -> usize {
        self.state().len()
    }

    /// Closes what is too old: when the next one will be, or `None` if none is left.
    fn sweep(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let mut old = Vec::new();
        for idle in state.idle.values_mut() {
            let surplus = idle.iter().take_while(|idle| idle.until <= now).count();
            old.extend(idle.drain(..surplus));
        }
        let next = state.next_old();
        drop(state);
        // Closing asks the system, so it is done outside of the lock.
        drop(old);
        next
    }

    /// As [`Pool::sweep`], for the sweeper: with `None` it has left, and the next connection brings a new one.
    fn sweep_or_leave(&self) -> Option<Instant> {
        if let Some(next) = self.sweep() {
            return Some(next);
        }
        let mut state = self.state();
        let next = state.next_old();
        if next.is_none() {
            state.sweeper = Sweeper::None;
        }
        next
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// The next one for this thread: of its own the one that was laid aside last; or, so that few callers need few
    /// connections, of the thread that has most the one that has been idle for longest.
    fn next_for(&mut self, place: usize) -> Option<Idle> {
        if let Some(own) = self.idle.get_mut(&place).and_then(VecDeque::pop_back) {
            return Some(own);
        }
        let is_for =
            |idle: &&mut VecDeque<Idle>| idle.front().is_some_and(|idle| idle.connection.is_for(place));
        let others = self.idle.values_mut().filter(is_for);
        others.max_by_key(|idle| idle.len())?.pop_front()
    }

    fn len(&self) -> usize {
        self.idle.values().map(VecDeque::len).sum()
    }

    /// When the next one will be too old.
    fn next_old(&self) -> Option<Instant> {
        let oldest = self.idle.values().filter_map(VecDeque::front);
        oldest.map(|idle| idle.until).min()
    }
}

/// The sweeper: one task a pool while there is something to close, none while there is not. It doesn't keep the
/// pool alive.
async fn sweep_until_empty(pool: Weak<Pool>, first: Instant) {
    let mut next = first;
    loop {
        sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.sweep_or_leave() {
            Some(until) => next = until,
            None => return,
        }
    }
}
