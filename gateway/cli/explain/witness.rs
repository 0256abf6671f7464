//! Sees what each backend of a chain is really sent: what leaves is kept on its way out, and nothing is worked out a
//! second time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use koigate::calls::{Caller, Lost};
use koigate_core::failure::Failure;
use koigate_core::plan::BackendId;
use koigate_core::reply::Reply;
use tokio::time::Instant;

/// Passes every question on, and keeps it.
pub(super) struct Witness<C> {
    caller: C,
    /// A chain asks no backend twice.
    sent: Mutex<BTreeMap<BackendId, Bytes>>,
}

// === impl Witness ===

impl<C> Witness<C> {
    /// Stands before this caller.
    pub(super) fn new(caller: C) -> Self {
        Self {
            caller,
            sent: Mutex::default(),
        }
    }

    /// What each backend has been sent so far. Who has not been asked is not in it.
    pub(super) fn sent(&self) -> BTreeMap<BackendId, Bytes> {
        self.kept().clone()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<BackendId, Bytes>> {
        // Nothing that runs under the lock leaves it half done.
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Caller> Caller for Witness<C> {
    type Watch = C::Watch;

    async fn call(
        &self,
        backend: BackendId,
        body: Bytes,
        started: Instant,
        lost: &Lost,
    ) -> (Result<Reply, Failure>, C::Watch) {
        self.kept().insert(backend, body.clone());
        self.caller.call(backend, body, started, lost).await
    }
}
