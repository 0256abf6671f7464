//! What lives beside one backend of a plan: connections, and how many calls are running.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::plan::Backend;
use prometheus::IntGauge;

use crate::metrics::Metrics;
use crate::outbound::{Connections, Connector, Upstream};

/// One backend as it lives.
pub struct LiveBackend {
    /// What was configured.
    pub backend: Arc<Backend>,
    /// The way to it.
    pub upstream: Upstream,
    in_flight: AtomicUsize,
    gauge: IntGauge,
}

/// One of a backend's `max_in_flight` places, given back when dropped.
pub struct Place {
    live: Arc<LiveBackend>,
}

// === impl LiveBackend ===

impl LiveBackend {
    /// Without connections, its series at 0.
    pub fn new(backend: Arc<Backend>, connector: Connector, metrics: &Metrics) -> Self {
        let label = [&*backend.name];
        let connections = Connections {
            opened: metrics.connections_opened.with_label_values(&label),
            reused: metrics.connections_reused.with_label_values(&label),
        };
        let gauge = metrics.backend_in_flight.with_label_values(&label);
        let upstream = Upstream::new(&backend, connector, connections);
        Self {
            backend,
            upstream,
            in_flight: AtomicUsize::new(0),
            gauge,
        }
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
