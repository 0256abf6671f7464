//! The shadows of a hook that is explained: called beside its chain as the gateway does it, and here waited for.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use koigate::aside::{all_over, not_made};
use koigate::calls::{self, Ended};
use koigate::ids::Ids;
use koigate::live::{HookCaller, LiveHook, Running};
use koigate_core::plan::{BackendId, Chain};
use koigate_core::shadow::{Finding, Gist, Happened, Opened, Shadows};
use tokio::time::Instant;

use super::witness::Witness;

/// What the shadows of a hook have brought.
pub(super) struct Brought {
    shadows: Shadows,
    /// In configured order.
    ended: Vec<Ended>,
    sent: BTreeMap<BackendId, Bytes>,
}

/// What one shadow would have done.
pub(super) struct Found {
    pub(super) finding: Finding,
    /// What it was sent, if it was asked.
    pub(super) sent: Option<Bytes>,
}

/// Calls the shadows of a hook about what was posted, and waits until all calls have ended.
pub(super) async fn ask(
    running: Arc<Running>,
    (hook, chain): (Arc<LiveHook>, Arc<Chain>),
    ids: Ids,
    posted: Bytes,
) -> Brought {
    let (shadows, opened) = Shadows::open(&running.plan, &chain, posted.clone());
    let Opened { requests, unasked } = opened;
    let deadline = all_over(&requests);
    let asks = HookCaller::beside(running, hook, ids, &posted, deadline);
    let caller = Arc::new(Witness::new(asks));
    let mut ended: Vec<Ended> = not_made(unasked).collect();
    let mut calls = calls::start(&caller, requests, Instant::now(), deadline);
    while let Some(one) = calls.next().await {
        ended.push(one);
    }
    ended.sort_by_key(|one| one.slot);
    Brought {
        shadows,
        ended,
        sent: caller.sent(),
    }
}

// === impl Brought ===

impl Brought {
    /// What each would have done with a hook of which that has become.
    pub(super) fn against(&self, happened: &Happened) -> Vec<Found> {
        let gist = Gist::of(self.shadows.base(), happened);
        let ended = self.ended.iter();
        let found = ended.filter_map(|one| {
            let finding = self.shadows.find((one.slot, &one.judgement), one.took, &gist)?;
            let sent = self.sent.get(&finding.call.backend).cloned();
            Some(Found { finding, sent })
        });
        found.collect()
    }
}
