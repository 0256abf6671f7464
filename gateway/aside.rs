//! What goes on beside a hook: its shadows, in nobody's way (gateway.md section 7).
//!
//! They run in a task of their own that no hook waits for, on limits of their own: their backends' places, breakers
//! and connections, and room for bodies apart from that of the hooks ([`Running::beside`]). They hold a copy of what
//! was posted, so that the hook's own bytes go when the hook does. Where the hooks have taken half of their room, or
//! the shadows all of theirs, they are left out and counted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use koigate_core::hook::HookName;
use koigate_core::plan::{Chain, Plan};
use koigate_core::shadow::{Finding, Gist, Happened, Opened, Shadows, Would};
use koigate_core::tally::Requests;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::buffered::{Held, Room};
use crate::calls::{self, Ended};
use crate::ids::Ids;
use crate::live::{HookCaller, LiveHook, Running};
use crate::offload::offload;
use crate::traces::{Shadowed, Traces};

/// Past the longest timeout of a hook's shadows. Calls end by their own; this only bounds the task.
const SLACK: Duration = Duration::from_secs(1);

/// Where a hook tells its shadows what happened. Dropped instead, nobody is left to compare them with.
pub struct Beside(oneshot::Sender<Happened>);

/// A hook, as its shadows are begun for it.
pub struct Begun {
    /// What it runs on.
    pub running: Arc<Running>,
    /// What it is.
    pub hook: Arc<LiveHook>,
    /// Its name.
    pub name: HookName,
    /// Its ids, which the shadows are sent too.
    pub ids: Ids,
    /// Where it is remembered what the shadows would have done.
    pub traces: Arc<Traces>,
}

// === impl Beside ===

impl Beside {
    /// Begins to call a hook's shadows about what was posted, if it has any and there is room for them.
    pub fn begin(begun: Begun, posted: &Bytes) -> Option<Self> {
        let chain = begun.hook.chain.clone()?;
        if chain.shadows.is_empty() {
            return None;
        }
        let Some(held) = begun.room(posted.len()) else {
            for &shadow in &chain.shadows {
                begun.hook.meters.count_dropped_shadow(shadow);
            }
            return None;
        };
        let (sender, told) = oneshot::channel();
        tokio::spawn(begun.follow(chain, (posted.clone(), held), told));
        Some(Self(sender))
    }

    /// Tells what happened.
    pub fn tell(self, happened: Happened) {
        // The task may have ended with the process.
        let _ = self.0.send(happened);
    }
}

// === impl Begun ===

impl Begun {
    /// Room for a copy of what was posted, unless the hooks may need what there is.
    fn room(&self, bytes: usize) -> Option<Held> {
        let most = self.running.plan.server.max_buffered;
        if self.running.room().held() > most / 2 {
            return None;
        }
        let mut held = self.running.beside().open();
        held.cover(bytes).ok()?;
        Some(held)
    }

    /// Calls the shadows and compares each with what happened, once both are known.
    async fn follow(
        self,
        chain: Arc<Chain>,
        (posted, held): (Bytes, Held),
        mut told: oneshot::Receiver<Happened>,
    ) {
        let plan = self.running.plan.clone();
        let posted = offload(posted.len(), move || held.around(Bytes::copy_from_slice(&posted))).await;
        let (shadows, opened) = open(plan, chain, posted).await;
        let (mut calls, mut early) = self.start(&shadows, opened);
        let happened = loop {
            tokio::select! {
                biased;
                happened = &mut told => break happened,
                Some(ended) = calls.next() => early.push(ended),
            }
        };
        let Ok(happened) = happened else { return };
        let base = shadows.base().clone();
        let weight = Gist::weight(&base, &happened);
        let gist = Arc::new(offload(weight, move || Gist::of(&base, &happened)).await);
        let mut held = self.running.beside().open();
        held.insist(gist.held());
        for ended in early {
            self.find(&shadows, ended, &gist).await;
        }
        while let Some(ended) = calls.next().await {
            self.find(&shadows, ended, &gist).await;
        }
    }

    /// Starts the calls; those that are not made have ended.
    fn start(
        &self,
        shadows: &Shadows,
        opened: Opened,
    ) -> (
        calls::Calls<impl Future<Output = Option<Ended>> + Send + 'static + use<>>,
        Vec<Ended>,
    ) {
        let timeouts = opened.asked.iter().map(|request| request.backend.timeout);
        let deadline = Instant::now() + timeouts.max().unwrap_or_default() + SLACK;
        let caller = Arc::new(HookCaller::beside(
            self.running.clone(),
            self.hook.clone(),
            self.ids.clone(),
            shadows.base().bytes(),
            deadline,
        ));
        let asked = opened.asked;
        let unasked = opened.unasked.into_iter().map(|(slot, judgement)| Ended {
            slot,
            judgement,
            took: Duration::ZERO,
        });
        (
            calls::start(&caller, Requests { asked }, deadline),
            unasked.collect(),
        )
    }

    /// Compares one shadow, counts it, and keeps it beside the hook's trace.
    async fn find(&self, shadows: &Arc<Shadows>, ended: Ended, gist: &Arc<Gist>) {
        let weight = shadows.weight(&ended.judgement, gist);
        let held = self.running.beside().clone();
        let backend = shadows.backend(ended.slot);
        let (ours, its) = (shadows.clone(), gist.clone());
        let found = match work(&held, weight) {
            Some(_held) => {
                offload(weight, move || {
                    ours.find((ended.slot, &ended.judgement), ended.took, &its)
                })
                .await
            }
            None => None,
        };
        match (found, backend) {
            (Some(finding), _) => self.note(finding, gist),
            (None, Some(backend)) => self.hook.meters.count_dropped_shadow(backend),
            (None, None) => {}
        }
    }

    fn note(&self, finding: Finding, gist: &Gist) {
        self.hook.meters.count_shadow(&finding);
        let (call, would) = (&finding.call, finding.would.map(Would::as_str));
        tracing::debug!(
            id = self.ids.request,
            hook = self.name.as_str(),
            backend = &*call.name,
            verdict = call.verdict.as_str(),
            would,
            "shadow"
        );
        let limits = &self.running.plan.admin.traces;
        if limits.keep > 0 {
            let shadowed = Shadowed {
                id: self.ids.request.clone(),
                at: SystemTime::now(),
                hook: self.name.clone(),
                happened: gist.verdict(),
                plan: self.running.plan.clone(),
                finding,
            };
            self.traces.keep_shadow(shadowed, limits);
        }
    }
}

// === helpers ===

/// Opens the calls; conditions and guards may have to look into a large document.
async fn open(plan: Arc<Plan>, chain: Arc<Chain>, posted: Bytes) -> (Arc<Shadows>, Opened) {
    let weight = Shadows::opening_weight(&plan, &chain, &posted);
    let (shadows, opened) = offload(weight, move || Shadows::open(&plan, &chain, posted)).await;
    (Arc::new(shadows), opened)
}

/// Room for what a comparison makes, if there is any.
fn work(room: &Arc<Room>, bytes: usize) -> Option<Held> {
    let mut held = room.open();
    held.cover(bytes).ok()?;
    Some(held)
}
