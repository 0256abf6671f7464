//! Who is called beside a chain or after it, and what may wait for them.

use std::time::Duration;

use super::{BackendId, Chain};

/// What a backend is to the hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It stands in chains, or nowhere.
    Voter,
    /// It is asked beside them, and has no vote.
    Shadow,
    /// It is told of them.
    Observer,
}

/// What may wait for one observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// The most notices.
    pub length: usize,
    /// What they may hold in memory, about, in bytes.
    pub memory: usize,
    /// For how long one is tried while the observer is not well.
    pub give_up: Duration,
}

// === impl Queue ===

impl Default for Queue {
    /// What waits where nothing is configured.
    fn default() -> Self {
        Self {
            length: 1000,
            memory: 16 << 20,
            give_up: Duration::from_secs(3600),
        }
    }
}

// === impl Chain ===

impl Chain {
    /// Everybody who is called for it: the stages' backends in configured order, then the shadows and the observers.
    pub fn called(&self) -> impl Iterator<Item = BackendId> + '_ {
        let asked = self.stages.iter().flat_map(|stage| &stage.backends);
        asked.chain(&self.shadows).chain(&self.observers).copied()
    }

    /// What this backend is beside the stages, if it is something.
    pub(super) fn role(&self, id: BackendId) -> Option<Role> {
        if self.shadows.contains(&id) {
            Some(Role::Shadow)
        } else {
            self.observers.contains(&id).then_some(Role::Observer)
        }
    }

    /// Whether somebody wants to know what has become of a hook: a shadow or an observer.
    pub fn is_watched(&self) -> bool {
        !(self.shadows.is_empty() && self.observers.is_empty())
    }
}
