//! Where a connection is handed over, behind Pingora's interface.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use tokio::sync::watch;
use tokio::time::Instant;

use super::caller::{self, Caller};
use super::crowd::Crowd;
use super::door::{Door, Refusal};
use super::handshake::{Unsecured, shake};
use super::leave::{Leave, LeaveWatch};
use super::session::{HEAD_TIME, Session};
use crate::tls::Speech;

/// A listener's side of Pingora: each connection becomes a session in front of one [`Door`].
#[derive(Debug)]
pub struct Front<D> {
    door: Arc<D>,
    crowd: Arc<Crowd>,
    leave: LeaveWatch,
}

// === impl Front ===

impl<D: Door> Front<D> {
    /// In front of this door. Whatever is listened on through it counts as one crowd, and ends as `leave` says.
    pub fn new(door: Arc<D>, leave: watch::Receiver<Leave>) -> Self {
        Self {
            door,
            crowd: Arc::default(),
            leave,
        }
    }
}

// By hand, since a door needs no clone of its own.
impl<D> Clone for Front<D> {
    fn clone(&self) -> Self {
        Self {
            door: Arc::clone(&self.door),
            crowd: Arc::clone(&self.crowd),
            leave: self.leave.clone(),
        }
    }
}

#[async_trait]
impl<D: Door> ServerApp for Front<D> {
    /// Whoever calls this holds a clone of the watch for as long as it runs, by which the supervisor knows who is still
    /// there.
    async fn process_new(self: &Arc<Self>, stream: Stream, _: &ShutdownWatch) -> Option<Stream> {
        let due = Instant::now() + HEAD_TIME;
        let peer = caller::peer(&stream);
        let seat = self.crowd.enter(peer, self.door.capacity());
        // Who comes over a Unix socket has no address, and nobody listens on the way.
        let speech = peer.map_or(Speech::Plain, |_| self.door.speech());
        let session = |stream| Session::new(self.door.clone(), Caller::new(stream), self.leave.clone(), due);
        // Either place is given back when this returns, or is dropped.
        match (seat, speech) {
            (Some(_seat), Speech::Plain) => session(stream).run().await,
            (Some(_seat), Speech::Tls(acceptor)) => match shake(stream, &acceptor, due, &self.leave).await {
                Ok(secured) => session(secured).run().await,
                Err(Unsecured::Clear(stream)) => session(stream).ask_for_tls().await,
                Err(Unsecured::Failed) => drop(self.door.refuse(Refusal::BadRequest)),
                Err(Unsecured::Gone) => {}
            },
            (None, Speech::Plain) => {
                session(stream)
                    .turn_back(self.crowd.wait_outside().as_ref())
                    .await;
            }
            // Whoever expects TLS could read no answer before the handshake, which is what costs.
            (None, Speech::Tls(_)) => drop(self.door.refuse(Refusal::Overloaded)),
            (_, Speech::Refused) => drop(self.door.refuse(Refusal::BadRequest)),
        }
        None
    }
}
