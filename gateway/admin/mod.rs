//! The operator's door: metrics and health.

use koigate_core::answer::Answer;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::sync::watch;

use crate::inbound::{Admitted, Door, Head, Request, Response};
use crate::server::Phase;

/// No route takes a body; what is sent along by mistake is read and dropped.
const MAX_BODY: usize = 64 * 1024;

/// The door behind the admin address.
#[derive(Debug)]
pub struct AdminDoor {
    registry: Registry,
    phase: watch::Receiver<Phase>,
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/metrics`: every series of the registry as Prometheus text.
    Metrics,
    /// `/healthz`: 200 while the process can answer at all.
    Health,
    /// `/readyz`: 200 while hooks are accepted, 503 before that and while draining.
    Ready,
}

// === impl AdminDoor ===

impl AdminDoor {
    /// Shows what this registry holds and what phase the process is in.
    pub fn new(registry: Registry, phase: watch::Receiver<Phase>) -> Self {
        Self { registry, phase }
    }

    fn metrics(&self) -> Response {
        let mut body = Vec::new();
        let encoder = TextEncoder::new();
        if let Err(error) = encoder.encode(&self.registry.gather(), &mut body) {
            tracing::error!(%error, "metrics can't be written");
            return Response::text(500, "metrics can't be written\n");
        }
        Answer {
            status: 200,
            content_type: Some(prometheus::TEXT_FORMAT.into()),
            content_disposition: None,
            body: body.into(),
        }
        .into()
    }

    fn ready(&self) -> Response {
        match *self.phase.borrow() {
            Phase::Starting => Response::text(503, "starting\n"),
            Phase::Ready => Response::text(200, "ready\n"),
            Phase::Draining => Response::text(503, "draining\n"),
        }
    }
}

impl Door for AdminDoor {
    type Pass = Route;

    fn admit(&self, head: &Head) -> Result<Admitted<Route>, Box<Response>> {
        let pass = match head.path() {
            "/metrics" => Route::Metrics,
            "/healthz" => Route::Health,
            "/readyz" => Route::Ready,
            _ => return Err(Response::text(404, "nothing here\n").into()),
        };
        if !matches!(head.method(), "GET" | "HEAD") {
            return Err(Response::text(405, "only GET and HEAD\n")
                .with("Allow", "GET, HEAD")
                .into());
        }
        Ok(Admitted {
            pass,
            max_body: MAX_BODY,
        })
    }

    async fn serve(&self, route: Route, _request: Request) -> Response {
        match route {
            Route::Metrics => self.metrics(),
            Route::Health => Response::text(200, "alive\n"),
            Route::Ready => self.ready(),
        }
    }
}

#[cfg(test)]
mod tests;
