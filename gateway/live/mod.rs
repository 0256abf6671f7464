//! A plan, and per backend what lives beside it.

mod backend;
mod caller;

use std::collections::BTreeMap;
use std::sync::Arc;

use koigate_core::hook::HookName;
use koigate_core::plan::{BackendId, Chain, Plan};

pub use self::backend::LiveBackend;
pub use self::caller::HookCaller;
use crate::metrics::{HookMeters, Metrics};
use crate::outbound::{Connector, Template};

/// The plan that hooks run on, swapped as one value. A hook keeps the one that it began with.
pub struct Running {
    /// What was configured.
    pub plan: Arc<Plan>,
    /// By [`BackendId`].
    backends: Vec<Arc<LiveBackend>>,
    /// Every kind of hook that can arrive, with a chain or without.
    hooks: BTreeMap<HookName, Arc<LiveHook>>,
}

/// One kind of hook: what it runs, and what its running moves.
pub struct LiveHook {
    /// What it runs; `None` where nothing is configured, and 204 is the answer.
    pub chain: Option<Arc<Chain>>,
    /// What it counts.
    pub meters: HookMeters,
    /// How the requests to each of its backends begin.
    templates: BTreeMap<BackendId, Template>,
}

// === impl Running ===

impl Running {
    /// Brings a plan to life; its backends begin without connections.
    pub fn new(plan: Plan, connector: &Connector, metrics: &Metrics) -> Self {
        let plan = Arc::new(plan);
        let backends = plan
            .backends
            .iter()
            .map(|backend| Arc::new(LiveBackend::new(backend.clone(), connector.clone(), metrics)))
            .collect();
        let hooks = metrics
            .meters(&plan)
            .into_iter()
            .map(|(name, meters)| {
                let hook = LiveHook::new(&plan, &name, meters);
                (name, Arc::new(hook))
            })
            .collect();
        Self {
            plan,
            backends,
            hooks,
        }
    }

    /// The kind of hook of this name, if one can arrive.
    pub fn hook(&self, name: &HookName) -> Option<&Arc<LiveHook>> {
        self.hooks.get(name)
    }

    fn backend(&self, id: BackendId) -> Option<&Arc<LiveBackend>> {
        self.backends.get(id.0)
    }
}

// === impl LiveHook ===

impl LiveHook {
    fn new(plan: &Plan, name: &HookName, meters: HookMeters) -> Self {
        let chain = plan.chains.get(name).cloned();
        let templates = chain
            .iter()
            .flat_map(|chain| &chain.stages)
            .flat_map(|stage| &stage.backends)
            .filter_map(|&id| Some((id, Template::new(plan.backend(id)?, name))))
            .collect();
        Self {
            chain,
            meters,
            templates,
        }
    }
}
