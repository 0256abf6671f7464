//! How many are connected, in all and from each address.
//!
//! A connection takes its seat when it has been accepted, before a byte of it is read, and gives it back when it
//! ends, whatever ends it. Nothing waits for a seat.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most callers that are told that there is no seat and still listened to, at once. The connections of others
/// are closed behind those words, so that a crowd at the door holds nothing.
const DOORSTEP: usize = 64;

/// How many connections may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// In all.
    pub connections: usize,
    /// Of one source address. Who comes over a Unix socket has none, and counts in all only.
    pub per_address: usize,
}

/// Who is connected to one door.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    // Held for a few instructions at each end of a connection.
    counts: Mutex<Counts>,
}

/// The place of one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    row: Row,
}

#[derive(Debug, Default)]
struct Counts {
    seated: usize,
    /// Only addresses that have a seat.
    by_address: HashMap<IpAddr, usize>,
    on_the_doorstep: usize,
}

/// Where a seat is.
#[derive(Debug)]
enum Row {
    Inside(Option<IpAddr>),
    Doorstep,
}

// === impl Capacity ===

impl Capacity {
    /// As many as the system has descriptors for.
    pub const UNLIMITED: Self = Self {
        connections: usize::MAX,
        per_address: usize::MAX,
    };
}

// === impl Crowd ===

impl Crowd {
    /// A seat for a connection from here, if there is one. The capacity may be another each time.
    pub(super) fn enter(self: &Arc<Self>, peer: Option<SocketAddr>, capacity: Capacity) -> Option<Seat> {
        let address = peer.map(|peer| peer.ip().to_canonical());
        let mut counts = self.counts();
        let beside = address.map_or(0, |address| counts.of(address));
        if counts.seated >= capacity.connections || beside >= capacity.per_address {
            return None;
        }
        counts.seated += 1;
        if let Some(address) = address {
            counts.by_address.insert(address, beside + 1);
        }
        Some(self.seat(Row::Inside(address)))
    }

    /// A place for somebody who is told that there is no seat, if there is one.
    pub(super) fn wait_outside(self: &Arc<Self>) -> Option<Seat> {
        let mut counts = self.counts();
        if counts.on_the_doorstep >= DOORSTEP {
            return None;
        }
        counts.on_the_doorstep += 1;
        Some(self.seat(Row::Doorstep))
    }

    fn seat(self: &Arc<Self>, row: Row) -> Seat {
        Seat {
            crowd: Arc::clone(self),
            row,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing between two changes that belong together can panic.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Counts ===

impl Counts {
    fn of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or(0)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        let Row::Inside(address) = self.row else {
            counts.on_the_doorstep -= 1;
            return;
        };
        counts.seated -= 1;
        let Some(address) = address else { return };
        match counts.of(address) {
            0 | 1 => counts.by_address.remove(&address),
            beside => counts.by_address.insert(address, beside - 1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_and_given_back() {
        let crowd = Arc::new(Crowd::default());
        let capacity = Capacity {
            connections: 4,
            per_address: 2,
        };
        let enter = |peer: Option<&str>| crowd.enter(peer.map(|peer| peer.parse().unwrap()), capacity);
        let (one, one_again) = (enter(Some("192.0.2.1:1")), enter(Some("[::ffff:192.0.2.1]:2")));
        assert!(one.is_some() && one_again.is_some());
        assert!(enter(Some("192.0.2.1:3")).is_none(), "two of one address");
        let (other, local) = (enter(Some("[2001:db8::1]:1")), enter(None));
        assert!(other.is_some() && local.is_some());
        assert!(enter(None).is_none(), "four in all");
        drop(one);
        let one = enter(Some("192.0.2.1:3"));
        assert!(one.is_some());
        assert!(enter(Some("192.0.2.2:1")).is_none());
        drop((one, one_again, other, local));
        let counts = crowd.counts();
        assert_eq!((counts.seated, counts.by_address.len()), (0, 0));
    }

    #[test]
    fn a_smaller_capacity_keeps_who_is_there() {
        let crowd = Arc::new(Crowd::default());
        let of = |connections| Capacity {
            connections,
            ..Capacity::UNLIMITED
        };
        let seats: Vec<_> = (0..3).filter_map(|_| crowd.enter(None, of(3))).collect();
        assert_eq!(seats.len(), 3);
        assert!(crowd.enter(None, of(1)).is_none());
        drop(seats);
        assert!(crowd.enter(None, of(1)).is_some());
    }

    #[test]
    fn the_doorstep_is_small_and_beside_the_seats() {
        let crowd = Arc::new(Crowd::default());
        let waiting: Vec<_> = (0..DOORSTEP).filter_map(|_| crowd.wait_outside()).collect();
        assert_eq!(waiting.len(), DOORSTEP);
        assert!(crowd.wait_outside().is_none());
        assert!(crowd.enter(None, Capacity::UNLIMITED).is_some());
        drop(waiting);
        assert!(crowd.wait_outside().is_some());
    }
}
