//! What goes on beside a hook: its shadows, in nobody's way (gateway.md section 7).
//!
//! They run in a task of their own that no hook waits for, on a thread apart from those of the hooks ([`apart`]), and
//! on limits of their own: their backends' places, breakers and connections, and room for bodies apart from that of
//! the hooks ([`Running::beside`]). They hold a copy of what
//! was posted, so that the hook's own bytes go when the hook does. Where the hooks have taken half of their room, or
//! the shadows all of theirs, they are left out and counted.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use koigate_core::hook::HookName;
use koigate_core::judge::Judgement;
use koigate_core::plan::{Chain, Plan};
use koigate_core::shadow::{Finding, Gist, Happened, Opened, Shadows, Would};
use koigate_core::tally::Requests;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::apart;
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
        apart::spawn(begun.follow(chain, (posted.clone(), held), told));
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
        let (mut calls, mut ended) = self.start(&shadows, opened);
        let Ok(happened) = meanwhile(&mut told, &mut calls, &mut ended).await else {
            return;
        };
        let base = shadows.base().clone();
        let weight = Gist::weight(&base, &happened);
        let gist = offload(weight, move || Gist::of(&base, &happened));
        let gist = Arc::new(meanwhile(gist, &mut calls, &mut ended).await);
        let mut held = self.running.beside().open();
        held.insist(gist.held());
        loop {
            let next = match ended.pop_front() {
                Some(one) => Some(one),
                None => calls.next().await,
            };
            let Some(one) = next else { break };
            meanwhile(self.find(&shadows, one, &gist), &mut calls, &mut ended).await;
        }
    }

    /// Starts the calls; those that are not made have ended.
    fn start(
        &self,
        shadows: &Shadows,
        opened: Opened,
    ) -> (
        calls::Calls<HookCaller, impl Future<Output = Option<Ended>> + Send + 'static + use<>>,
        VecDeque<Ended>,
    ) {
        let Opened { requests, unasked } = opened;
        let deadline = all_over(&requests);
        let caller = Arc::new(HookCaller::beside(
            self.running.clone(),
            self.hook.clone(),
            self.ids.clone(),
            shadows.base().bytes(),
            deadline,
        ));
        let calls = calls::start(&caller, requests, Instant::now(), deadline);
        (calls, not_made(unasked).collect())
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
            id = &*self.ids.request,
            hook = self.name.as_str(),
            backend = call.name(&self.running.plan),
            verdict = call.verdict.as_str(),
            would,
            "shadow"
        );
        let limits = &self.running.plan.admin.traces;
        if limits.keep > 0 {
            let shadowed = Shadowed {
                id: self.ids.request.to_string(),
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

/// Waits for something while the calls go on: one that nobody polls may come to its timeout with its reply at hand.
/// Those that end meanwhile are laid aside.
async fn meanwhile<T, C, F>(
    work: impl Future<Output = T>,
    calls: &mut calls::Calls<C, F>,
    ended: &mut VecDeque<Ended>,
) -> T
where
    F: Future<Output = Option<Ended>> + Send + 'static,
{
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(one) = calls.next() => ended.push_back(one),
        }
    }
}

/// When the calls that are about to be made of shadows have ended, whatever their backends do.
pub fn all_over(requests: &Requests) -> Instant {
    let backends = requests
        .asked
        .iter()
        .filter_map(|request| requests.plan.backend(request.id));
    let timeouts = backends.map(|backend| backend.timeout);
    Instant::now() + timeouts.max().unwrap_or_default() + SLACK
}

/// The calls that are not made, as such that have ended.
pub fn not_made(unasked: Vec<(usize, Judgement)>) -> impl Iterator<Item = Ended> {
    unasked.into_iter().map(|(slot, judgement)| Ended {
        slot,
        judgement,
        took: Duration::ZERO,
    })
}

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

#[cfg(test)]
mod tests {
    use koigate_config::Process;
    use koigate_core::failure::Failure;
    use koigate_core::plan::BackendId;
    use koigate_core::reply::Reply;
    use tokio::time::sleep;

    use super::*;
    use crate::calls::{Caller, Lost};

    const TEXT: &str = "[backends.a]\nurl = 'http://127.0.0.1:9/'\n[backends.b]\nurl = 'http://127.0.0.1:9/'\n\
        timeout = '1s'\n[hooks.onMessage]\nchain = ['a']\nshadow = ['b']\n";

    /// Answers after half a second.
    struct Late;

    impl Caller for Late {
        type Watch = ();

        async fn call(&self, _: BackendId, _: Bytes, _: Instant, _: &Lost) -> (Result<Reply, Failure>, ()) {
            sleep(Duration::from_millis(500)).await;
            let reply = Reply {
                status: 204,
                content_type: None,
                content_disposition: None,
                body: Bytes::new(),
            };
            (Ok(reply), ())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_go_on_while_something_is_worked_out() {
        let plan = Arc::new(koigate_config::parse(TEXT, "test", &Process).unwrap().plan);
        let chain = plan.chains.values().next().unwrap();
        let (_, Opened { requests, .. }) = Shadows::open(&plan, chain, Bytes::from_static(b"{}"));
        let deadline = all_over(&requests);
        assert_eq!(deadline - Instant::now(), Duration::from_secs(1) + SLACK);
        let mut calls = calls::start(&Arc::new(Late), requests, Instant::now(), deadline);
        let mut ended = VecDeque::new();
        meanwhile(sleep(Duration::from_secs(3)), &mut calls, &mut ended).await;
        let took: Vec<Duration> = ended.iter().map(|one| one.took).collect();
        assert_eq!(took, [Duration::from_millis(500)]);
    }
}
