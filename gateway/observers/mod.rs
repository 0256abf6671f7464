//! Observers: told what has become of a hook once its answer has left (gateway.md section 7).
//!
//! ```text
//! answer has left ─> Tidings ─> lane's intake ─> pack: what this observer may see ─> queue ─> deliver ─> observer
//! ```
//!
//! Each observer has a [`Lane`] of its own, which lives as long as some plan has the observer, reloads included. What
//! reaches the intake is in the order in which the answers left, and stays in it: one notice is delivered after the
//! other, and the next one not before that one is done with. A notice that was taken in is delivered at least once,
//! unless [`Told`](koigate_core::observer::Told) says why not; nothing of that is waited for by any hook, or
//! done on a thread of theirs. The bytes that wait are copies and bounded by the queue's own limits, so that the hooks'
//! room is theirs.

mod account;
mod lane;
mod queue;

use std::sync::Arc;

use koigate_core::hook::HookName;
use koigate_core::outcome::HookVerdict;
use koigate_core::plan::Plan;
use koigate_core::view::Base;

pub use self::account::Account;
pub use self::lane::Lane;
pub use self::queue::{InMemory, Key, Notice, Overflow, Queue, Waiting};
use crate::ids::Ids;
use crate::live::{LiveHook, Running};

/// What has become of one hook, to be told to each of its observers once the answer has left.
pub struct Tidings {
    /// What it ran on.
    pub running: Arc<Running>,
    /// What it is.
    pub hook: Arc<LiveHook>,
    /// Its name.
    pub name: HookName,
    /// Its ids, which the observers are sent too.
    pub ids: Ids,
    /// How it ended.
    pub verdict: HookVerdict,
    /// What is told of it beside the document.
    pub account: Account,
    /// The document as the chain has left it.
    pub document: Arc<Base>,
}

impl Tidings {
    /// Puts it into the lane of each observer. Never waits: what there is no room for is dropped and counted.
    pub fn tell(self) {
        let Some(chain) = self.hook.chain.clone() else {
            return;
        };
        let tidings = Arc::new(self);
        for &observer in &chain.observers {
            if let Some(lane) = tidings.running.lane(observer) {
                lane.take(observer, &tidings);
            }
        }
    }

    fn plan(&self) -> &Plan {
        &self.running.plan
    }
}
