//! The calls of one hook to living backends.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use koigate_core::failure::{Failure, FailureKind};
use koigate_core::outcome::HookVerdict;
use koigate_core::plan::BackendId;
use koigate_core::reply::Reply;
use tokio::time::Instant;

use super::backend::Place;
use super::breaker::Admitted;
use super::made::Made;
use super::tries::Tries;
use super::{LiveBackend, LiveHook, Running};
use crate::buffered::{Full, Held};
use crate::calls::{Caller, Lost};
use crate::ids::Ids;
use crate::offload::offload;
use crate::outbound::{Request, Signature, Signer, Template};

/// Puts the questions of one hook to the backends of the plan that it runs on.
pub struct HookCaller {
    running: Arc<Running>,
    hook: Arc<LiveHook>,
    ids: Ids,
    deadline: Instant,
    made: Made,
    /// What an observer is told before anything else.
    verdict: Option<HookVerdict>,
}

/// One backend that is about to be asked.
struct Callee<'a> {
    live: &'a LiveBackend,
    /// How requests to its first replica begin; there is always one.
    template: &'a Template,
    /// The same for each.
    templates: &'a [Template],
    admitted: Option<Box<Admitted>>,
    _place: Place<'a>,
}

// === impl HookCaller ===

impl HookCaller {
    /// For a hook of this kind with these ids that was posted with this document and is answered by then.
    pub fn new(
        running: Arc<Running>,
        hook: Arc<LiveHook>,
        ids: Ids,
        posted: &Bytes,
        deadline: Instant,
    ) -> Self {
        let made = Made::new(running.room().clone(), posted);
        Self::holding(made, running, hook, ids, deadline)
    }

    /// The same for a hook's shadows, which are sent this and have room of their own.
    pub fn beside(
        running: Arc<Running>,
        hook: Arc<LiveHook>,
        ids: Ids,
        posted: &Bytes,
        deadline: Instant,
    ) -> Self {
        let made = Made::new(running.beside().clone(), posted);
        Self::holding(made, running, hook, ids, deadline)
    }

    /// The same for an observer, which is sent this: bytes that count in its own queue.
    pub fn telling(
        running: Arc<Running>,
        hook: Arc<LiveHook>,
        ids: Ids,
        (notice, verdict): (&Bytes, HookVerdict),
        deadline: Instant,
    ) -> Self {
        Self {
            verdict: Some(verdict),
            ..Self::beside(running, hook, ids, notice, deadline)
        }
    }

    fn holding(made: Made, running: Arc<Running>, hook: Arc<LiveHook>, ids: Ids, deadline: Instant) -> Self {
        Self {
            running,
            hook,
            ids,
            deadline,
            made,
            verdict: None,
        }
    }

    /// Finds room for what is sent, passes the breaker and takes a place.
    ///
    /// # Errors
    ///
    /// [`FailureKind::BreakerOpen`] or [`FailureKind::Overloaded`], at once.
    fn enter(&self, id: BackendId, body: &Bytes) -> Result<Callee<'_>, Failure> {
        self.made.cover(body).map_err(overloaded)?;
        let templates = self.hook.templates.get(&id);
        let template = templates.and_then(|templates| templates.first());
        let (Some(live), Some(templates), Some(template)) = (self.running.backend(id), templates, template)
        else {
            // A chain names only backends of its own plan, and each has a replica.
            return Err(Failure::new(FailureKind::Connect, "no such backend"));
        };
        Ok(Callee {
            live,
            template,
            templates,
            admitted: live.admit(|| self.cut(live))?,
            _place: live.enter()?,
        })
    }

    /// When dropping a call that begins now means that its backend has failed: at the hook's deadline, if the call
    /// has had at least half of the time that it can ever have. One that began late because others were slow says
    /// nothing of its own backend.
    fn cut(&self, live: &LiveBackend) -> Option<Instant> {
        let most = self.hook.chain.as_ref()?.deadline.min(live.backend.timeout);
        (Instant::now() + most / 2 <= self.deadline).then_some(self.deadline)
    }
}

impl Caller for HookCaller {
    // Boxed, since few backends have a breaker and the calls of all would carry it.
    type Watch = Option<Box<Admitted>>;

    async fn call(
        &self,
        id: BackendId,
        body: Bytes,
        started: Instant,
        lost: &Lost,
    ) -> (Result<Reply, Failure>, Self::Watch) {
        let callee = match self.enter(id, &body) {
            Ok(callee) => callee,
            Err(failure) => return (Err(failure), None),
        };
        let live = callee.live;
        let deadline = started + live.backend.timeout;
        let signature = match &live.signer {
            None => None,
            // Boxed, since few calls are signed and the others would carry it.
            Some(signer) => {
                Some(Box::pin(sign(signer.clone(), self.ids.request.clone(), body.clone())).await)
            }
        };
        let request = Request {
            template: callee.template,
            request_id: &self.ids.request,
            idempotency_key: &self.ids.request,
            traceparent: &self.ids.traceparent(),
            verdict: self.verdict.map(HookVerdict::as_str),
            signature,
            body,
        };
        let brought = if let Some(way) = live.only_way() {
            // Signing may have taken a while.
            let now = request.signature.as_ref().map_or(started, |_| Instant::now());
            way.exchange(&request, now, deadline).await
        } else {
            let tries = || Tries {
                live,
                templates: callee.templates,
                lost,
                deadline,
                until: deadline.min(self.deadline),
                cut: self.cut(live),
                meters: (&self.hook.meters, id),
            };
            // Boxed, since most backends are one process that is asked once.
            Box::pin(tries().run(&request)).await
        };
        let hears = |admitted: Box<Admitted>| admitted.hears(&brought, &live.backend);
        let watch = callee.admitted.and_then(hears);
        (brought, watch)
    }

    fn hold(&self, bytes: usize) -> Result<Held, Full> {
        self.made.hold(bytes)
    }

    fn keep(&self, made: &Bytes) {
        self.made.keep(made);
    }
}

fn overloaded(full: Full) -> Failure {
    Failure::new(FailureKind::Overloaded, full.to_string())
}

/// Signs what is sent for the hook with this id.
async fn sign(signer: Arc<Signer>, request_id: Arc<str>, body: Bytes) -> Signature {
    let weight = signer.weight(&body);
    offload(weight, move || signer.sign(&request_id, SystemTime::now(), &body)).await
}
