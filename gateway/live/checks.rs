//! Active checks: each replica is asked now and then whether it is well, whoever else asks it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use koigate_core::plan::{Backend, Health};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::balance::Balance;
use crate::outbound::{Check, Upstream};

/// The checks of one backend. They end when it is dropped.
pub(super) struct Checks {
    each: Vec<Arc<Replica>>,
    tasks: OnceLock<JoinSet<()>>,
}

/// What the checks of one replica need.
struct Replica {
    index: usize,
    upstream: Arc<Upstream>,
    check: Check,
    interval: Duration,
    /// How long an answer is waited for.
    patience: Duration,
    balance: Arc<Balance>,
}

// === impl Checks ===

impl Checks {
    /// None has begun.
    pub(super) fn new(
        backend: &Backend,
        health: &Health,
        upstreams: &[Arc<Upstream>],
        balance: &Arc<Balance>,
    ) -> Arc<Self> {
        let replicas = backend.replicas.iter().zip(upstreams).enumerate();
        let each = replicas.map(|(index, (target, upstream))| {
            Arc::new(Replica {
                index,
                upstream: upstream.clone(),
                check: Check::new(backend, target, &health.path),
                interval: health.interval,
                patience: health.interval.min(backend.timeout),
                balance: balance.clone(),
            })
        });
        Arc::new(Self {
            each: each.collect(),
            tasks: OnceLock::new(),
        })
    }

    /// Begins, or goes on.
    pub(super) fn begin(&self) {
        self.tasks.get_or_init(|| {
            let replicas = self.each.iter().cloned();
            replicas.map(check_for_ever).collect()
        });
    }
}

/// Not all at once, neither at the start nor later: many backends, and many gateways, may check one machine.
async fn check_for_ever(replica: Arc<Replica>) {
    sleep(replica.interval.mul_f64(fastrand::f64())).await;
    loop {
        let deadline = Instant::now() + replica.patience;
        let brought = replica.upstream.check(&replica.check, deadline).await;
        replica.balance.checked(replica.index, brought);
        sleep(replica.interval.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
    }
}
