//! A plan, per backend what lives beside it, and how another plan takes its place.

mod backend;
mod balance;
mod breaker;
mod caller;
mod changes;
mod checks;
mod clock;
mod configuration;
mod made;
#[cfg(test)]
#[cfg(feature = "model")]
mod model;
mod reload;
mod tries;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use koigate_core::hook::HookName;
use koigate_core::plan::{BackendId, Chain, Plan, Role};

pub use self::backend::LiveBackend;
pub use self::breaker::Admitted;
pub use self::caller::HookCaller;
pub use self::changes::Changes;
pub use self::configuration::Configuration;
pub use self::reload::{LastReload, Reloader, Standing, Trigger};
pub use self::watch::watch;
use crate::buffered::Room;
use crate::metrics::{HookMeters, Metrics, NoticeCounts, ShadowCounts};
use crate::observers::Lane;
use crate::outbound::{Connector, Template};
use crate::tls::Speech;

/// The plan that hooks run on, swapped as one value. A hook keeps the one that it began with.
pub struct Running {
    /// What was configured.
    pub plan: Arc<Plan>,
    /// By [`BackendId`].
    backends: Vec<Arc<LiveBackend>>,
    /// Every kind of hook that can arrive, with a chain or without.
    hooks: BTreeMap<HookName, Arc<LiveHook>>,
    /// Made once for each certificate, so that sessions are resumed across reloads that leave it as it is.
    speech: Speech,
    room: Arc<Room>,
    /// The room of what goes on beside the hooks.
    beside: Arc<Room>,
}

/// What goes on beside the hooks may hold besides what they may: this part of `server.max_buffered`.
pub const SHARE_BESIDE: usize = 8;

/// What plans are brought to life with, the same for all plans of a process.
pub struct Ground {
    /// What opens connections.
    pub connector: Connector,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The room for bodies and replies. Each plan has its own limit for it, and the last one brought to life counts.
    pub room: Arc<Room>,
}

/// One kind of hook: what it runs, and what its running moves.
pub struct LiveHook {
    /// What it runs; `None` where nothing is configured, and 204 is the answer.
    pub chain: Option<Arc<Chain>>,
    /// What it counts.
    pub meters: HookMeters,
    /// How the requests to each replica of each of its backends begin.
    templates: BTreeMap<BackendId, Vec<Template>>,
}

// === impl Running ===

impl Running {
    /// Brings a plan to life. What lives beside the backends of the plan before goes on where they are unchanged.
    pub fn new(plan: Plan, before: Option<&Self>, ground: &Ground) -> Self {
        ground.room.limit_to(plan.server.max_buffered);
        let beside = before.map(|running| running.beside.clone()).unwrap_or_default();
        beside.limit_to(plan.server.max_buffered / SHARE_BESIDE);
        let plan = Arc::new(plan);
        let backends = (0..)
            .zip(&plan.backends)
            .map(|(index, backend)| {
                let lived = before.and_then(|running| running.named(&backend.name));
                let role = plan.role(BackendId(index));
                let room = match role {
                    Role::Voter => &ground.room,
                    Role::Shadow | Role::Observer => &beside,
                };
                Arc::new(LiveBackend::new((backend.clone(), role), lived, ground, room))
            })
            .collect();
        let hooks = ground
            .metrics
            .meters(&plan)
            .into_iter()
            .map(|(name, meters)| {
                let hook = LiveHook::new(&plan, &name, meters);
                (name, Arc::new(hook))
            })
            .collect();
        let same = before.filter(|running| running.plan.server.tls == plan.server.tls);
        Self {
            speech: match same {
                Some(running) => running.speech.clone(),
                None => Speech::new(plan.server.tls.as_ref()),
            },
            plan,
            backends,
            hooks,
            room: ground.room.clone(),
            beside,
        }
    }

    /// What callers over TCP have to speak.
    pub fn speech(&self) -> &Speech {
        &self.speech
    }

    /// The room for bodies and replies.
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// The room for what shadows are sent and reply, and observers reply, apart from that of the hooks.
    pub fn beside(&self) -> &Arc<Room> {
        &self.beside
    }

    /// Every backend, in the order of the file.
    pub fn backends(&self) -> &[Arc<LiveBackend>] {
        &self.backends
    }

    /// What this backend would have done so far; none where it is no shadow.
    pub fn shadow_counts(&self, id: BackendId) -> Option<ShadowCounts> {
        let mut counts = ShadowCounts::default();
        for hook in self.hooks.values() {
            hook.meters.add_shadow(id, &mut counts);
        }
        self.plan.is_shadow(id).then_some(counts)
    }

    /// How the notices to this backend have ended so far; none where it is no observer.
    pub fn notice_counts(&self, id: BackendId) -> Option<NoticeCounts> {
        let mut counts = NoticeCounts::default();
        for hook in self.hooks.values() {
            hook.meters.add_notices(id, &mut counts);
        }
        (self.plan.role(id) == Role::Observer).then_some(counts)
    }

    /// Begins to check the backends that are to be checked and to tell the observers what they are to be told, or goes
    /// on.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn begin(self: &Arc<Self>) {
        for live in &self.backends {
            live.begin_checks();
            if let Some(lane) = live.lane() {
                lane.go_by(self, live.backend.queue);
            }
        }
    }

    /// Returns once the observers have been told all that they were to be told.
    pub async fn finish_telling(&self) {
        let lanes = self.backends.iter().filter_map(|live| live.lane());
        join_all(lanes.map(|lane| lane.finish())).await;
    }

    /// Says what the observers will never be told, since the process ends.
    pub fn stop_telling(&self) {
        let lanes = self.backends.iter().filter_map(|live| live.lane());
        lanes.for_each(|lane| lane.count_stopped());
    }

    /// The way of what this observer is told.
    pub fn lane(&self, id: BackendId) -> Option<&Arc<Lane>> {
        self.backend(id)?.lane()
    }

    /// The kind of hook of this name, if one can arrive.
    pub fn hook(&self, name: &HookName) -> Option<&Arc<LiveHook>> {
        self.hooks.get(name)
    }

    fn backend(&self, id: BackendId) -> Option<&Arc<LiveBackend>> {
        self.backends.get(id.0)
    }

    fn named(&self, name: &str) -> Option<&LiveBackend> {
        let mut backends = self.backends.iter();
        backends
            .find(|live| *live.backend.name == *name)
            .map(|live| &**live)
    }
}

// === impl LiveHook ===

impl LiveHook {
    fn new(plan: &Plan, name: &HookName, meters: HookMeters) -> Self {
        let chain = plan.chains.get(name).cloned();
        let templates = chain
            .iter()
            .flat_map(|chain| chain.called())
            .filter_map(|id| {
                let backend = plan.backend(id)?;
                let replicas = backend.replicas.iter();
                Some((
                    id,
                    replicas
                        .map(|target| Template::new(backend, target, name))
                        .collect(),
                ))
            })
            .collect();
        Self {
            chain,
            meters,
            templates,
        }
    }
}
