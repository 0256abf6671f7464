//! The breaker: after some failures in a row nobody is asked for a while; then one call tries, and what becomes of it
//! decides for all.

use std::time::Duration;

use super::{Moment, Sign};
use crate::plan;

/// How often the cool-off doubles at most: to 16 times the configured one.
const MOST_TIMES: u32 = 16;

/// A breaker. Who is let in has an [`Entry`], and gives it back with what it has seen.
///
/// | is | failure | success | dropped |
/// | --- | --- | --- | --- |
/// | closed | one more in a row; open after `failures` of them | none in a row | - |
/// | open | | | |
/// | on trial | open, for twice as long | closed | open, its cool-off over: the next call tries |
///
/// There is one trial call at a time. Calls that were let in before the state last changed are out of date, and say
/// nothing any more: a burst of calls that fail together opens it once.
#[derive(Debug, Clone)]
pub struct Breaker {
    rule: plan::Breaker,
    state: State,
    /// Counts the changes of state, so that entries of an earlier one are known.
    era: u64,
}

/// A call that was let in. There is one for each, to be given back to [`Breaker::end`].
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// `None` where its end decides nothing.
    era: Option<u64>,
}

/// How a breaker stands, to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everybody is let in.
    Closed,
    /// Nobody is.
    Open,
    /// Nobody but the trial call that is out.
    Trial,
}

/// What an end has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has opened, for so long.
    Opened(Duration),
    /// It stays open, for so long: the trial failed.
    Prolonged(Duration),
    /// It has closed.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { in_a_row: u32 },
    Open { until: Moment, times: u32 },
    Trial { times: u32 },
}

// === impl Breaker ===

impl Breaker {
    /// A closed one.
    pub fn new(rule: plan::Breaker) -> Self {
        Self {
            rule,
            state: State::Closed { in_a_row: 0 },
            era: 0,
        }
    }

    /// Lets a call in, or `None`. The first call after the cool-off is the trial.
    pub fn admit(&mut self, now: Moment) -> Option<Entry> {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until, times } if until <= now => self.turn(State::Trial { times }),
            State::Open { .. } | State::Trial { .. } => return None,
        }
        Some(Entry { era: Some(self.era) })
    }

    /// Takes an entry back, with what its call has shown. To be called once for each, whatever became of the call.
    pub fn end(&mut self, now: Moment, entry: &Entry, sign: Sign) -> Option<Turn> {
        if !self.is_of_now(entry) {
            return None;
        }
        match (self.state, sign) {
            (State::Closed { .. }, Sign::Well) => {
                self.state = State::Closed { in_a_row: 0 };
                None
            }
            (State::Closed { in_a_row }, Sign::Sick | Sign::Gone) => self.count(now, in_a_row + 1),
            (State::Open { .. } | State::Trial { .. }, Sign::Well) => {
                self.turn(State::Closed { in_a_row: 0 });
                Some(Turn::Closed)
            }
            (State::Trial { times }, Sign::Sick | Sign::Gone) => {
                let span = self.open(now, (times * 2).min(MOST_TIMES));
                Some(Turn::Prolonged(span))
            }
            (State::Trial { times }, Sign::Unknown) => {
                self.turn(State::Open { until: now, times });
                None
            }
            (State::Closed { .. } | State::Open { .. }, _) => None,
        }
    }

    /// What it was made for.
    pub fn rule(&self) -> plan::Breaker {
        self.rule
    }

    /// How it stands.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Closed { .. } => Phase::Closed,
            State::Open { .. } => Phase::Open,
            State::Trial { .. } => Phase::Trial,
        }
    }

    /// Whether the next call is let in as the trial.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        matches!(self.state, State::Open { until, .. } if until <= now)
    }

    /// Lets a call in that is made all the same. While it is open, a success of that closes it, and a failure is
    /// nothing new. While a trial is out, that alone decides.
    pub(super) fn force(&mut self, now: Moment) -> Entry {
        self.admit(now).unwrap_or(Entry {
            era: match self.state {
                State::Trial { .. } => None,
                State::Closed { .. } | State::Open { .. } => Some(self.era),
            },
        })
    }

    /// Opens at once where it is closed: there is nothing to wait for.
    pub(super) fn trip(&mut self, now: Moment, entry: &Entry) -> Option<Turn> {
        match self.state {
            State::Closed { .. } if self.is_of_now(entry) => self.count(now, u32::MAX),
            _ => self.end(now, entry, Sign::Gone),
        }
    }

    /// Closes it: there is news that counts for more than what the calls have shown. `None` where it is closed.
    pub(super) fn reset(&mut self) -> Option<Turn> {
        if self.phase() == Phase::Closed {
            return None;
        }
        self.turn(State::Closed { in_a_row: 0 });
        Some(Turn::Closed)
    }

    /// The same without the calls that are out: nobody will give their entries back to this one.
    pub(super) fn without_calls(&self, now: Moment) -> Self {
        let mut alone = self.clone();
        if let State::Trial { times } = alone.state {
            alone.turn(State::Open { until: now, times });
        }
        alone.era += 1;
        alone
    }

    /// Whether the state is still the one that this call was let in by.
    fn is_of_now(&self, entry: &Entry) -> bool {
        entry.era == Some(self.era)
    }

    fn count(&mut self, now: Moment, in_a_row: u32) -> Option<Turn> {
        if in_a_row < self.rule.failures.get() {
            self.state = State::Closed { in_a_row };
            return None;
        }
        let span = self.open(now, 1);
        Some(Turn::Opened(span))
    }

    fn open(&mut self, now: Moment, times: u32) -> Duration {
        let span = self.rule.cool_off.saturating_mul(times);
        let until = now.after(span);
        self.turn(State::Open { until, times });
        span
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

// === impl Phase ===

impl Phase {
    /// The word that `/status` shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::Trial => "trial",
        }
    }
}
