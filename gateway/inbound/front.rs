//! Where Pingora hands a connection over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::protocols::Stream;
use pingora::protocols::l4::stream::Stream as Transport;
use pingora::server::ShutdownWatch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::caller::{self, Caller};
use super::crowd::Crowd;
use super::door::{Door, Refusal};
use super::session::Session;
use crate::tls::{self, Speech};

/// How long a TLS handshake may take, in all.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

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
        let peer = caller::peer(&stream);
        let seat = self.crowd.enter(peer, self.door.capacity());
        // Either place is given back when this returns, or is dropped.
        match (seat, self.door.speech()) {
            (Some(_seat), Speech::Plain) => self.session(stream, stop).run().await,
            (Some(_seat), Speech::Tls(acceptor)) => {
                if let Some(secured) = self.handshake(&acceptor, stream).await {
                    self.session(secured, stop).run().await;
                }
            }
            (None, Speech::Plain) => {
                let session = self.session(stream, stop);
                session.turn_back(self.crowd.wait_outside().as_ref()).await;
            }
            // Whoever expects TLS could read no answer before the handshake, which is what costs.
            (None, Speech::Tls(_)) => drop(self.door.refuse(Refusal::Overloaded)),
            (_, Speech::Refused) => drop(self.door.refuse(Refusal::BadRequest)),
        }
        None
    }
}

impl<D: Door> Front<D> {
    fn session(&self, stream: Stream, stop: &ShutdownWatch) -> Session<'_, D> {
        Session::new(self.door.as_ref(), Caller::new(stream), stop.clone())
    }

    /// Shakes hands, within the time for it. What goes wrong is counted as a bad request, and gets no answer: a caller
    /// that fails here reads none.
    async fn handshake(&self, acceptor: &TlsAcceptor, stream: Stream) -> Option<Stream> {
        // Pingora hands every connection over as a trait object; without TLS of its own it is the transport itself.
        let transport = stream.into_any().downcast::<Transport>().ok()?;
        let shaken = match timeout(HANDSHAKE_TIME, tls::accept(acceptor, *transport)).await {
            Ok(Ok(secured)) => return Some(secured),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no handshake in time".to_owned(),
        };
        tracing::debug!(error = shaken, "no TLS with a caller");
        let _ = self.door.refuse(Refusal::BadRequest);
        None
    }
}
