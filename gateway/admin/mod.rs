//! The operator's door: metrics, health, what runs, what happened, and another configuration on request.

mod access;
mod reload;
pub mod status;

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use jiff::Timestamp;
use koigate_core::answer::Answer;
use prometheus::{Encoder, TextEncoder};
use serde::Serialize;
use tokio::sync::watch;

use self::access::Denied;
use self::reload::Form;
use self::status::{Listening, Status};
use crate::buffered::Held;
use crate::inbound::{Admitted, Capacity, Door, Head, Refusal, Request, Response};
use crate::live::{Reloader, Trigger};
use crate::metrics::{Metrics, amount};
use crate::serve::InFlight;
use crate::server::Phase;
use crate::traces::Traces;
use crate::version::{REVISION, VERSION};

/// No route takes a body; what is sent along by mistake is read and dropped.
const MAX_BODY: usize = 64 * 1024;

/// More than operators, scrapers and probes need; idle strangers leave the hooks their descriptors.
const CAPACITY: Capacity = Capacity {
    connections: 256,
    per_address: 256,
};

/// What the path of a trace begins with.
const TRACES: &str = "/traces/";

/// What the path of a shadow begins with.
const SHADOWS: &str = "/shadows/";

/// The door behind the admin address.
pub struct AdminDoor {
    metrics: Arc<Metrics>,
    reloader: Arc<Reloader>,
    traces: Arc<Traces>,
    in_flight: InFlight,
    phase: watch::Receiver<Phase>,
    started_at: Timestamp,
    /// The same moment on a clock that nobody sets.
    begun: Instant,
    listening: OnceLock<Listening>,
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
    /// `/status`: what runs, and how, as JSON.
    Status,
    /// `/traces`: the last hooks in a line each, the latest first, as JSON.
    Traces,
    /// `/traces/{id}`: all that is remembered of one hook, as JSON.
    Trace,
    /// `/shadows/{backend}`: what a shadow would have done with the last hooks, as JSON.
    Shadow,
    /// `POST /reload`: reads the configuration again.
    Reload,
}

// === impl AdminDoor ===

impl AdminDoor {
    /// Shows what these count and run, and what phase the process is in; its time begins now.
    pub fn new(
        metrics: Arc<Metrics>,
        reloader: Arc<Reloader>,
        traces: Arc<Traces>,
        in_flight: InFlight,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            metrics,
            reloader,
            traces,
            in_flight,
            phase,
            started_at: status::time(SystemTime::now()),
            begun: Instant::now(),
            listening: OnceLock::new(),
        }
    }

    /// Where the process listens, which is known once all is bound. `/status` names no address before that.
    pub fn show_listening(&self, listening: Listening) {
        let _ = self.listening.set(listening);
    }

    fn metrics(&self) -> Response {
        let running = self.reloader.running();
        for live in running.backends() {
            live.show();
        }
        self.metrics.hooks_in_flight.set(amount(self.in_flight.count()));
        for (gauge, room) in [
            (&self.metrics.buffered_bytes, running.room()),
            (&self.metrics.buffered_beside_bytes, running.beside()),
        ] {
            gauge.set(amount(room.held()));
        }
        let mut body = Vec::new();
        let encoder = TextEncoder::new();
        if let Err(error) = encoder.encode(&self.metrics.registry.gather(), &mut body) {
            tracing::error!(%error, "metrics can't be written");
            return Response::text(500, "metrics can't be written\n");
        }
        typed(200, prometheus::TEXT_FORMAT, body)
    }

    fn ready(&self) -> Response {
        let phase = *self.phase.borrow();
        let status = if phase == Phase::Ready { 200 } else { 503 };
        Response::text(status, &format!("{}\n", phase.as_str()))
    }

    fn status(&self) -> Status {
        // What runs first: a reload in between is then told of, and not yet seen, never the other way round.
        let running = self.reloader.running();
        Status {
            version: VERSION.to_owned(),
            revision: REVISION.map(str::to_owned),
            phase: self.phase.borrow().as_str().to_owned(),
            started_at: self.started_at,
            uptime_seconds: self.begun.elapsed().as_secs(),
            configuration: self.reloader.standing().into(),
            hooks_in_flight: amount(self.in_flight.count()),
            listening: Listening {
                tls: running.plan.server.tls.is_some(),
                ..self.listening.get().cloned().unwrap_or_default()
            },
            hooks: status::hooks(&running.plan),
            shadows: status::beside(&running.plan, |chain| &chain.shadows),
            observers: status::beside(&running.plan, |chain| &chain.observers),
            backends: status::backends(&running),
        }
    }

    fn summaries(&self) -> Response {
        let limits = &self.reloader.running().plan.admin.traces;
        json(200, &self.traces.summaries(limits))
    }

    fn trace(&self, path: &str) -> Response {
        let id = path.strip_prefix(TRACES).unwrap_or_default();
        let limits = &self.reloader.running().plan.admin.traces;
        match self.traces.find(id, limits) {
            Some(trace) => json(200, &trace),
            None => Response::text(404, "no such hook is remembered\n"),
        }
    }

    fn shadow(&self, path: &str) -> Response {
        let name = path.strip_prefix(SHADOWS).unwrap_or_default();
        let plan = self.reloader.running().plan.clone();
        let report = self.traces.report(name, &plan.admin.traces);
        // One that is none any more is still remembered.
        if report.hooks.is_empty() && !plan.shadows().any(|backend| *backend.name == *name) {
            return Response::text(404, "no such shadow\n");
        }
        json(200, &report)
    }

    async fn reload(&self, head: &Head) -> Response {
        let result = self.reloader.reload(Trigger::Request).await;
        reload::answer(result, Form::accepted(head))
    }

    fn enter(&self, head: &Head) -> Result<Route, Box<Response>> {
        let route = Route::of(head.path());
        if !route.is_some_and(Route::is_probe) {
            self.check(head)?;
        }
        let route = route.ok_or_else(|| Response::text(404, "nothing here\n"))?;
        match (route, head.method()) {
            (Route::Reload, "POST") => Ok(route),
            (Route::Reload, _) => Err(Response::text(405, "only POST\n").with("Allow", "POST").into()),
            (_, "GET" | "HEAD") => Ok(route),
            _ => Err(Response::text(405, "only GET and HEAD\n")
                .with("Allow", "GET, HEAD")
                .into()),
        }
    }

    /// Whether whoever asks may, by the plan that runs now: a reload changes the tokens.
    fn check(&self, head: &Head) -> Result<(), Denied> {
        let running = self.reloader.running();
        access::check(head, running.plan.admin.auth.as_ref()).inspect_err(|reason| {
            // No louder: whoever reaches the address could fill the log.
            tracing::debug!(%reason, "operator refused");
        })
    }
}

impl Door for AdminDoor {
    type Pass = Route;

    fn capacity(&self) -> Capacity {
        CAPACITY
    }

    fn admit(&self, head: &Head) -> Result<Admitted<Route>, Box<Response>> {
        let pass = self.enter(head).map_err(|response| private(*response))?;
        Ok(Admitted {
            pass,
            max_body: MAX_BODY,
            held: Held::uncounted(),
        })
    }

    async fn serve(&self, route: Route, request: Request) -> Response {
        private(match route {
            Route::Metrics => self.metrics(),
            Route::Health => Response::text(200, "alive\n"),
            Route::Ready => self.ready(),
            Route::Status => json(200, &self.status()),
            Route::Traces => self.summaries(),
            Route::Trace => self.trace(request.head.path()),
            Route::Shadow => self.shadow(request.head.path()),
            Route::Reload => self.reload(&request.head).await,
        })
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        private(match refusal {
            Refusal::TooLarge => Response::text(413, "nothing here takes so large a body\n"),
            other => other.into(),
        })
    }
}

// === impl Route ===

impl Route {
    /// What lives at this path. Paths are compared as they come, so that each has one spelling.
    fn of(path: &str) -> Option<Self> {
        match path {
            "/metrics" => Some(Self::Metrics),
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Ready),
            "/status" => Some(Self::Status),
            "/reload" => Some(Self::Reload),
            "/traces" => Some(Self::Traces),
            _ if path.starts_with(TRACES) => Some(Self::Trace),
            _ if path.starts_with(SHADOWS) => Some(Self::Shadow),
            _ => None,
        }
    }

    /// Whether anybody may ask: what probes the process for an orchestrator carries no token and calls it by any
    /// name, and learns one word.
    fn is_probe(self) -> bool {
        matches!(self, Self::Health | Self::Ready)
    }
}

// === helpers ===

/// The same, for who has asked alone: nobody keeps it, guesses its type or shows it in a frame.
fn private(response: Response) -> Response {
    response
        .with("Cache-Control", "no-store")
        .with("X-Content-Type-Options", "nosniff")
        .with("Content-Security-Policy", "frame-ancestors 'none'")
}

/// An answer in JSON, for people with curl too.
fn json(status: u16, content: &impl Serialize) -> Response {
    match serde_json::to_vec_pretty(content) {
        Ok(mut body) => {
            body.push(b'\n');
            typed(status, "application/json", body)
        }
        Err(error) => {
            tracing::error!(%error, "an answer can't be written");
            Response::text(500, "the answer can't be written\n")
        }
    }
}

fn typed(status: u16, content_type: &'static str, body: Vec<u8>) -> Response {
    Answer {
        status,
        content_type: Some(content_type.into()),
        content_disposition: None,
        body: body.into(),
    }
    .into()
}

#[cfg(test)]
mod tests;
