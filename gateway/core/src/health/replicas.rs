//! The replicas of a backend: which one is asked, and which are left out because they are sick.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Breaker, Entry, Moment, Phase, Sign, Turn};
use crate::plan;

/// When a replica is left out, and for how long the first time: after three tries in a row that failed, or at once
/// where nobody listens. Each trial that fails doubles the time, up to 32 s.
const EJECTION: plan::Breaker = plan::Breaker {
    failures: NonZeroU32::MIN.saturating_add(2),
    cool_off: Duration::from_secs(2),
};

/// So many active checks in a row have to fail before it counts: one may have met a pause, or a lost packet.
const CHECKS: u32 = 2;

/// The replicas of one backend.
///
/// A replica is asked while it is *in*: its tries don't fail, and its active checks neither, where there are any. Of
/// those in, the one with the least tries in flight is asked, and where several have as few, each in turn. A replica
/// whose tries failed is given one try when its time is over, and is in again if that succeeds. **Where none is in, all
/// are asked**: refusing for certain is no better than trying.
#[derive(Debug)]
pub struct Replicas {
    all: Vec<Replica>,
    /// Where the search begins, so that ties rotate.
    turn: usize,
}

/// A replica that was chosen, to be given back to [`Replicas::end`].
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which replica.
    pub index: usize,
    /// Whether another is in, and this is to show whether it is well again.
    pub is_trial: bool,
    entry: Entry,
}

/// How a replica stands, to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Tries that are running now.
    pub in_flight: usize,
    /// Whether its checks pass, or nobody checks.
    pub is_up: bool,
    /// Whether it is left out because its tries failed.
    pub is_ejected: bool,
}

/// What a check has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is well again.
    Up,
    /// It no longer is.
    Down,
}

#[derive(Debug)]
struct Replica {
    in_flight: usize,
    ejection: Breaker,
    /// Checks in a row that failed.
    failed_checks: u32,
}

// === impl Replicas ===

impl Replicas {
    /// So many, all of them in.
    pub fn new(count: usize) -> Self {
        Self {
            all: (0..count).map(|_| Replica::new()).collect(),
            turn: 0,
        }
    }

    /// The replicas of another plan: for each the one here that it was, if it was any. What the tries of those have shown
    /// is kept; tries that are out are given back here, not there, and checks begin anew.
    pub fn keep(&self, now: Moment, were: impl Iterator<Item = Option<usize>>) -> Self {
        let kept = |was: Option<usize>| {
            let was = self.all.get(was?)?;
            Some(Replica {
                in_flight: 0,
                ejection: was.ejection.without_calls(now),
                failed_checks: 0,
            })
        };
        Self {
            all: were.map(|was| kept(was).unwrap_or_else(Replica::new)).collect(),
            turn: 0,
        }
    }

    /// Chooses the replica for one try of a call that has already tried these. `None` only where there are none.
    pub fn choose(&mut self, now: Moment, tried: &[usize]) -> Option<Choice> {
        let is_in = |replica: &Replica| replica.is_in();
        let is_due = |replica: &Replica| replica.is_up() && replica.ejection.is_due(now);
        let untried = |index: usize| !tried.contains(&index);
        // A call that is made again is no place for trials.
        let due = match tried {
            [] => self.least(|_, replica| is_due(replica)),
            _ => None,
        };
        let index = due
            .or_else(|| self.least(|index, replica| untried(index) && is_in(replica)))
            .or_else(|| self.least(|_, replica| is_in(replica)))
            .or_else(|| self.least(|index, _| untried(index)))
            .or_else(|| self.least(|_, _| true))?;
        let is_trial = due.is_some() && self.all.iter().any(is_in);
        let replica = self.all.get_mut(index)?;
        replica.in_flight += 1;
        let entry = replica.ejection.force(now);
        self.turn = index + 1;
        Some(Choice {
            index,
            is_trial,
            entry,
        })
    }

    /// Takes a choice back, with what its try has shown. To be called once for each, whatever became of the try.
    /// [`Turn::Opened`] is an ejection, [`Turn::Closed`] a return.
    pub fn end(&mut self, now: Moment, choice: &Choice, sign: Sign) -> Option<Turn> {
        let replica = self.all.get_mut(choice.index)?;
        replica.in_flight = replica.in_flight.saturating_sub(1);
        match sign {
            Sign::Gone => replica.ejection.trip(now, &choice.entry),
            Sign::Well | Sign::Sick | Sign::Unknown => replica.ejection.end(now, &choice.entry, sign),
        }
    }

    /// Takes in what an active check of this replica has shown. One that is up again is in again, whatever its tries
    /// have shown before: it is a new process, or has recovered.
    pub fn checked(&mut self, index: usize, sign: Sign) -> Option<Checked> {
        let replica = self.all.get_mut(index)?;
        let was_up = replica.is_up();
        match sign {
            Sign::Well => replica.failed_checks = 0,
            Sign::Sick | Sign::Gone => replica.failed_checks = replica.failed_checks.saturating_add(1),
            Sign::Unknown => {}
        }
        match (was_up, replica.is_up()) {
            (true, false) => Some(Checked::Down),
            (false, true) => {
                replica.ejection.reset();
                Some(Checked::Up)
            }
            _ => None,
        }
    }

    /// How each stands, in configured order.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        self.all.iter().map(|replica| Seat {
            in_flight: replica.in_flight,
            is_up: replica.is_up(),
            is_ejected: replica.ejection.phase() != Phase::Closed,
        })
    }

    /// The one of these with the least tries in flight, and of several the next in turn.
    fn least(&self, which: impl Fn(usize, &Replica) -> bool) -> Option<usize> {
        let count = self.all.len();
        let turns = (0..count).map(|step| (self.turn + step) % count);
        let these = turns.filter_map(|index| self.all.get(index).map(|replica| (index, replica)));
        // Of equals the first is the least.
        these
            .filter(|(index, replica)| which(*index, replica))
            .min_by_key(|(_, replica)| replica.in_flight)
            .map(|(index, _)| index)
    }
}

// === impl Replica ===

impl Replica {
    fn new() -> Self {
        Self {
            in_flight: 0,
            ejection: Breaker::new(EJECTION),
            failed_checks: 0,
        }
    }

    fn is_up(&self) -> bool {
        self.failed_checks < CHECKS
    }

    fn is_in(&self) -> bool {
        self.is_up() && self.ejection.phase() == Phase::Closed
    }
}
