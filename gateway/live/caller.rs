//! The calls of one hook to living backends.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use koigate_core::failure::{Failure, FailureKind};
use koigate_core::plan::BackendId;
use koigate_core::reply::Reply;
use tokio::time::Instant;

use super::{LiveHook, Running};
use crate::calls::Caller;
use crate::ids::Ids;
use crate::offload::offload;
use crate::outbound::{Request, Signature, Signer};

/// Puts the questions of one hook to the backends of the plan that it runs on.
pub struct HookCaller {
    running: Arc<Running>,
    hook: Arc<LiveHook>,
    ids: Ids,
}

impl HookCaller {
    /// For a hook of this kind with these ids.
    pub fn new(running: Arc<Running>, hook: Arc<LiveHook>, ids: Ids) -> Self {
        Self { running, hook, ids }
    }
}

impl Caller for HookCaller {
    async fn call(self: Arc<Self>, id: BackendId, body: Bytes) -> Result<Reply, Failure> {
        let (Some(live), Some(templates)) = (self.running.backend(id), self.hook.templates.get(&id)) else {
            // A chain names only backends of its own plan.
            return Err(Failure::new(FailureKind::Connect, "no such backend"));
        };
        let (Some(upstream), Some(template)) = (live.upstreams.first(), templates.first()) else {
            return Err(Failure::new(FailureKind::Connect, "no such backend"));
        };
        let _place = live.enter()?;
        let deadline = Instant::now() + live.backend.timeout;
        let signature = match &live.signer {
            None => None,
            // Boxed, since few calls are signed and the others would carry it.
            Some(signer) => {
                Some(Box::pin(sign(signer.clone(), self.ids.request.clone(), body.clone())).await)
            }
        };
        let request = Request {
            template,
            request_id: &self.ids.request,
            idempotency_key: &self.ids.request,
            traceparent: &self.ids.traceparent(),
            signature,
            body,
        };
        upstream.exchange(&request, deadline).await
    }
}

/// Signs what is sent for the hook with this id.
async fn sign(signer: Arc<Signer>, request_id: String, body: Bytes) -> Signature {
    let weight = signer.weight(&body);
    offload(weight, move || signer.sign(&request_id, SystemTime::now(), &body)).await
}
