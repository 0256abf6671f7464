//! What lives beside one backend of a plan: connections, and how many calls are running.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::plan::{Backend, Target};
use prometheus::IntGauge;

use super::Ground;
use crate::outbound::{Connections, Signer, Upstream};

/// One backend as it lives.
pub struct LiveBackend {
    /// What was configured.
    pub backend: Arc<Backend>,
    /// The ways to its replicas, in configured order. Each outlives reloads that leave it unchanged.
    pub upstreams: Vec<Arc<Upstream>>,
    /// What signs its calls, where they are signed.
    pub(super) signer: Option<Arc<Signer>>,
    /// It outlives every reload that keeps the name, so that calls of the plan before count too.
    in_flight: Arc<AtomicUsize>,
    gauge: IntGauge,
}

/// One of a backend's `max_in_flight` places, given back when dropped.
pub struct Place {
    live: Arc<LiveBackend>,
}

// === impl LiveBackend ===

impl LiveBackend {
    /// Brings a backend to life, with what has lived under its name, if anything has.
    pub fn new(backend: Arc<Backend>, lived: Option<&Self>, ground: &Ground) -> Self {
        let label = [&*backend.name];
        let metrics = &ground.metrics;
        let open = |target: &Target| {
            let connections = Connections {
                opened: metrics.connections_opened.with_label_values(&label),
                reused: metrics.connections_reused.with_label_values(&label),
            };
            Arc::new(Upstream::new(
                &backend,
                target,
                ground.connector.clone(),
                connections,
            ))
        };
        let kept = |target: &Target| {
            let lived = lived?;
            let ways = lived.backend.replicas.iter().zip(&lived.upstreams);
            let mut same =
                ways.filter(|(was, _)| Upstream::is_same_way((&lived.backend, was), (&backend, target)));
            same.next().map(|(_, upstream)| upstream.clone())
        };
        let upstreams = backend
            .replicas
            .iter()
            .map(|target| kept(target).unwrap_or_else(|| open(target)))
            .collect();
        Self {
            upstreams,
            signer: Signer::new(&backend).map(Arc::new),
            in_flight: lived.map(|lived| lived.in_flight.clone()).unwrap_or_default(),
            gauge: metrics.backend_in_flight.with_label_values(&label),
            backend,
        }
    }

    /// How many calls are running.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place for one call.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Overloaded`], at once: nothing queues in front of a backend.
    pub fn enter(self: &Arc<Self>) -> Result<Place, Failure> {
        let taken = self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.gauge.inc();
        // From here on dropping it gives the place back.
        let place = Place { live: self.clone() };
        if taken < self.backend.max_in_flight {
            Ok(place)
        } else {
            Err(Failure::new(
                FailureKind::Overloaded,
                "max_in_flight calls are running already",
            ))
        }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.live.gauge.dec();
        self.live.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
