//! The hooks' door: one hook from bytes to bytes.
//!
//! Permits, the plan, dispatch, metrics, the log line and the answer's headers meet here; a panic becomes an
//! answer here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt;
use koigate_core::answer::Answer;
use koigate_core::hook::{Hook, HookName, infer};
use koigate_core::multipart::Form;
use koigate_core::outcome::{HookVerdict, Outcome};
use koigate_core::plan::{Auth, Chain, Plan};
use koigate_core::tally::{Detail, Tally, answer_for_broken};
use koigate_core::texts;
use koigate_core::view::Base;
use tokio::time::Instant;

use crate::aside::{Begun, Beside};
use crate::auth;
use crate::dispatch::{Done, dispatch};
use crate::ids::Ids;
use crate::inbound::{Admitted, Capacity, Door, Head, Refusal, Request, Response};
use crate::journal;
use crate::live::{HookCaller, LiveHook, Running};
use crate::metrics::Metrics;
use crate::milliseconds::push_milliseconds;
use crate::observers::{Account, Tidings};
use crate::offload::offload;
use crate::outbound::HOOK_HEADER;
use crate::route::{Kind, route};
use crate::tls::Speech;
use crate::traces::{Answered, Finished, LARGEST_DOCUMENT, Traces};

/// The door behind which hooks are answered.
pub struct Hooks {
    running: Arc<ArcSwap<Running>>,
    metrics: Arc<Metrics>,
    traces: Arc<Traces>,
    in_flight: InFlight,
}

/// How many hooks are being answered; a clone tells of the same hooks.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

/// What an admitted hook holds until it is answered: the plan that it began with, and its place among
/// `max_in_flight`.
pub struct Pass {
    running: Arc<Running>,
    kind: Kind,
    permit: Permit,
}

/// One of `server.max_in_flight` places, given back when dropped.
struct Permit {
    in_flight: InFlight,
}

/// One hook on its way.
struct Served {
    running: Arc<Running>,
    name: HookName,
    hook: Arc<LiveHook>,
    ids: Ids,
    traces: Arc<Traces>,
    /// What is kept of what was posted; `None` where it has to be copied for that.
    remembered: Option<Bytes>,
    /// When its last byte had come.
    arrived: Instant,
}

// === impl Hooks ===

impl Hooks {
    /// A door that answers by whatever plan stands in `running` when a hook's head has come.
    /// What becomes of hooks is kept in `traces`.
    pub fn new(running: Arc<ArcSwap<Running>>, metrics: Arc<Metrics>, traces: Arc<Traces>) -> Self {
        Self {
            running,
            metrics,
            traces,
            in_flight: InFlight::default(),
        }
    }

    /// How many hooks are being answered behind this door.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    fn enter(&self, most: usize) -> Option<Permit> {
        let taken = self.in_flight.0.fetch_add(1, Ordering::AcqRel);
        // From here on dropping it gives the place back.
        let permit = Permit {
            in_flight: self.in_flight.clone(),
        };
        (taken < most).then_some(permit)
    }
}

impl Door for Hooks {
    type Pass = Pass;

    fn capacity(&self) -> Capacity {
        let running = self.running.load();
        let server = &running.plan.server;
        Capacity {
            connections: server.max_connections,
            per_address: server.max_connections_per_address,
        }
    }

    fn speech(&self) -> Speech {
        self.running.load().speech().clone()
    }

    fn admit(&self, head: &Head) -> Result<Admitted<Pass>, Box<Response>> {
        let running = self.running.load_full();
        let server = &running.plan.server;
        let kind = place(&running.plan, head).map_err(|refusal| Box::new(self.refuse(refusal)))?;
        if head.header(HOOK_HEADER).is_some() {
            self.metrics.count_refusal(Refusal::BadRequest);
            return Err(Box::new(identified(Response::text(508, texts::LOOP))));
        }
        let Some(permit) = self.enter(server.max_in_flight) else {
            return Err(Box::new(self.refuse(Refusal::Overloaded)));
        };
        let (max_body, held) = (server.max_body, running.room().open());
        Ok(Admitted {
            pass: Pass {
                running,
                kind,
                permit,
            },
            max_body,
            held,
        })
    }

    async fn serve(&self, pass: Pass, mut request: Request) -> Response {
        let arrived = Instant::now();
        let Pass {
            running,
            kind,
            permit,
        } = pass;
        let remembered = remembered(&mut request);
        let base = Arc::new(Base::new(request.body));
        let name = match kind {
            Kind::Named(name) => Some(name),
            Kind::Inferred => kind_of(base.clone()).await,
        };
        let found = name.and_then(|name| Some((running.hook(&name)?.clone(), name)));
        let Some((hook, name)) = found else {
            self.metrics.count_refusal(Refusal::BadRequest);
            return identified(Response::text(422, texts::NO_KIND));
        };
        let ids = Ids::new(request.head.header("traceparent"));
        let served = Served {
            running,
            name,
            hook,
            ids,
            traces: self.traces.clone(),
            remembered,
            arrived,
        };
        let response = served.answer(base, form(&request.head)).await;
        drop(permit);
        response
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        self.metrics.count_refusal(refusal);
        identified(refusal.into())
    }
}

/// The kind of the hook that somebody may send. The order matters: a stranger learns nothing of what lives where.
fn place(plan: &Plan, head: &Head) -> Result<Kind, Refusal> {
    let server = &plan.server;
    if !auth::is_allowed(head.peer(), &server.allow) {
        return Err(Refusal::Source);
    }
    let has_token = |auth: &Auth| auth::is_in_query(head, auth) || auth::is_in_header(head, auth);
    if !server.auth.as_ref().is_none_or(has_token) {
        return Err(Refusal::Auth);
    }
    route(plan, head)
}

/// A refusal with an id of its own: every answer has one.
fn identified(response: Response) -> Response {
    response.with("X-Request-Id", &*Ids::new(None).request)
}

/// The kind of a hook whose URL doesn't say it.
async fn kind_of(base: Arc<Base>) -> Option<HookName> {
    let name = offload(base.bytes().len(), move || base.document().and_then(infer)).await?;
    HookName::new(name)
}

/// What was posted, as traces may keep it: as it came where that is possible, since a copy of 40 KB took 6 us of 82.
fn remembered(request: &mut Request) -> Option<Bytes> {
    let uncounted = request.uncounted.take();
    uncounted.filter(|bytes| bytes.len() <= LARGEST_DOCUMENT)
}

/// Whether the caller asks for every part by itself (gateway.md section 5).
fn form(head: &Head) -> Form {
    Form::accepted(head.values("accept"))
}

// === impl Served ===

impl Served {
    async fn answer(self, base: Arc<Base>, form: Form) -> Response {
        let Some(chain) = &self.hook.chain else {
            self.count_verdict(HookVerdict::Continue);
            return self.response(Answer::no_content(), None);
        };
        let document = base.bytes().clone();
        let dispatched = self.dispatched(chain, base, form);
        match AssertUnwindSafe(dispatched).catch_unwind().await {
            Ok(done) => self.close(done, &document),
            Err(_) => self.broken(chain, document),
        }
    }

    /// Asks the chain. Whatever may panic for a hook is in here.
    async fn dispatched(&self, chain: &Arc<Chain>, base: Arc<Base>, form: Form) -> Done {
        let beside = self.begin_beside(chain, base.bytes());
        let deadline = self.arrived + chain.deadline;
        let caller = Arc::new(HookCaller::new(
            self.running.clone(),
            self.hook.clone(),
            self.ids.clone(),
            base.bytes(),
            deadline,
        ));
        let hook = Hook {
            name: self.name.clone(),
            base,
        };
        let tally = Tally::new(self.running.plan.clone(), chain.clone(), hook).with_detail(self.detail());
        let done = dispatch(&caller, tally, deadline, form).await;
        if let (Some(beside), Some(happened)) = (beside, &done.happened) {
            beside.tell(happened.clone());
        }
        done
    }

    /// Begins to call the shadows, where there are some.
    fn begin_beside(&self, chain: &Chain, posted: &Bytes) -> Option<Beside> {
        if chain.shadows.is_empty() {
            return None;
        }
        let begun = Begun {
            running: self.running.clone(),
            hook: self.hook.clone(),
            name: self.name.clone(),
            ids: self.ids.clone(),
            traces: self.traces.clone(),
        };
        Beside::begin(begun, posted)
    }

    /// Whether anybody will want to see more than the log says.
    fn detail(&self) -> Detail {
        match self.running.plan.admin.traces.keep {
            0 => Detail::Counted,
            _ => Detail::Listed,
        }
    }

    fn close(self, done: Done, document: &Bytes) -> Response {
        let Done {
            outcome,
            answer,
            happened,
        } = done;
        let took = self.arrived.elapsed();
        self.hook.meters.count(&outcome, took.as_secs_f64());
        journal::hook(&self.ids.request, &outcome, took);
        let answered = Answered::of(&answer);
        let mut response = self.response(answer, Some(&outcome));
        if let Some(happened) = happened.filter(|_| self.is_observed()) {
            let account = Account::of(&self.ids.request, &outcome, (took, answered.status));
            response = self.told_after(response, (outcome.verdict(), account), happened.document);
        }
        let limits = &self.running.plan.admin.traces;
        if limits.keep > 0 {
            let finished = Finished {
                id: self.ids.request,
                at: SystemTime::now(),
                took,
                document: self.remembered.unwrap_or_else(|| Finished::copied(document)),
                outcome,
                answered,
            };
            self.traces.keep(finished, limits);
        }
        response
    }

    fn is_observed(&self) -> bool {
        self.hook
            .chain
            .as_ref()
            .is_some_and(|chain| !chain.observers.is_empty())
    }

    /// The same response, and once it has left the observers are told.
    fn told_after(
        &self,
        response: Response,
        (verdict, account): (HookVerdict, Account),
        document: Arc<Base>,
    ) -> Response {
        let tidings = Tidings {
            running: self.running.clone(),
            hook: self.hook.clone(),
            name: self.name.clone(),
            ids: self.ids.clone(),
            verdict,
            account,
            document,
        };
        response.and_then(move || tidings.tell())
    }

    /// The panic has been logged with its place and counted; here it gets the hook's id, and the caller an answer.
    fn broken(&self, chain: &Chain, document: Bytes) -> Response {
        self.count_verdict(HookVerdict::Error);
        tracing::error!(
            id = &*self.ids.request,
            hook = self.name.as_str(),
            "a hook's task panicked"
        );
        let answer = answer_for_broken(&self.running.plan, chain);
        let status = answer.status;
        let response = self.response(answer, None);
        if !self.is_observed() {
            return response;
        }
        let (name, took) = (self.name.clone(), self.arrived.elapsed());
        let account = Account::of_broken(&self.ids.request, &name, (took, status));
        self.told_after(
            response,
            (HookVerdict::Error, account),
            Arc::new(Base::new(document)),
        )
    }

    fn count_verdict(&self, verdict: HookVerdict) {
        self.hook
            .meters
            .count_verdict(verdict, self.arrived.elapsed().as_secs_f64());
    }

    fn response(&self, answer: Answer, outcome: Option<&Outcome>) -> Response {
        let response = Response::from(answer).with("X-Request-Id", &*self.ids.request);
        match outcome {
            Some(outcome) if !outcome.calls.is_empty() => {
                response.with("Server-Timing", server_timing(outcome))
            }
            _ => response,
        }
    }
}

/// `Server-Timing` (W3C) with an entry per call: `blacklist;desc="continue";dur=12.3`, in milliseconds.
fn server_timing(outcome: &Outcome) -> String {
    let mut value = String::with_capacity(outcome.calls.len() * 48);
    for call in &outcome.calls {
        if !value.is_empty() {
            value.push_str(", ");
        }
        value.extend([outcome.name(call), ";desc=\"", call.verdict.as_str(), "\";dur="]);
        push_milliseconds(&mut value, call.took);
    }
    value
}

// === impl InFlight ===

impl InFlight {
    /// At this moment.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Permit ===

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
