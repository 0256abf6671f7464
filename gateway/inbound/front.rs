//! Where Pingora hands a connection over.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;

use super::caller::Caller;
use super::crowd::Crowd;
use super::door::Door;
use super::session::Session;

/// A listener's side of Pingora: each connection becomes a session in front of one [`Door`].
#[derive(Debug)]
pub struct Front<D> {
    door: Arc<D>,
    crowd: Arc<Crowd>,
}

// === impl Front ===

impl<D: Door> Front<D> {
    /// In front of this door. Whatever is listened on through it counts as one crowd.
    pub fn new(door: Arc<D>) -> Self {
        Self {
            door,
            crowd: Arc::default(),
        }
    }
}

#[async_trait]
impl<D: Door> ServerApp for Front<D> {
    async fn process_new(self: &Arc<Self>, stream: Stream, stop: &ShutdownWatch) -> Option<Stream> {
        let caller = Caller::new(stream);
        let seat = self.crowd.enter(caller.peer(), self.door.capacity());
        let session = Session::new(self.door.as_ref(), caller, stop.clone());
        // Either place is given back when this returns, or is dropped.
        match seat {
            Some(_seat) => session.run().await,
            None => session.turn_back(self.crowd.wait_outside().as_ref()).await,
        }
        None
    }
}
