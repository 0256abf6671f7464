//! Listeners that start and stop together.
//!
//! The watch channel that says when to stop accepting also counts who is still there: every accept loop and every
//! connection, from the moment of accepting, has a receiver of its own, so that *nobody holds one any more* is
//! *everything is answered*.

use std::io;
use std::sync::Arc;

use koigate_core::plan::Listen;
use pingora::apps::ServerApp as _;
use pingora::server::ShutdownWatch;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::BindError;
use super::accept::{Acceptor, Arrival};
use super::handover::Offer;
use super::inherited::Inherited;
use super::socket::Socket;
use crate::inbound::{Door, Front, Leave};
use crate::workers::Workers;

/// Listeners that are bound, and what is to accept on them.
pub(super) struct Group {
    listening: Vec<Listening>,
    stop: watch::Sender<bool>,
    leave: watch::Sender<Leave>,
}

/// Listeners that accept.
pub(super) struct Open {
    accepting: Vec<Accepting>,
    workers: Option<Arc<Workers>>,
    /// Turns true when nobody is let in any more.
    stop: watch::Sender<bool>,
    leave: watch::Sender<Leave>,
}

/// What is to accept for one door.
struct Listening {
    side: String,
    sockets: Vec<Socket>,
    acceptors: Vec<Acceptor>,
    serve: Serve,
}

/// What accepts for one door.
struct Accepting {
    side: String,
    /// They end when nobody is accepted any more.
    loops: JoinSet<()>,
    sockets: Vec<Socket>,
    serve: Serve,
}

/// Serves a connection, on one of the workers where there are some.
type Serve = Arc<dyn Fn(Arrival, ShutdownWatch, Option<&Workers>) + Send + Sync>;

// === impl Group ===

impl Group {
    pub(super) fn new() -> Self {
        Self {
            listening: Vec::new(),
            stop: watch::Sender::new(false),
            leave: watch::Sender::new(Leave::Staying),
        }
    }

    /// Has these places in front of the door, bound or inherited, and gives them with the ports that 0 became.
    pub(super) fn listen<D: Door>(
        &mut self,
        side: &str,
        places: &[Listen],
        door: Arc<D>,
        inherited: &mut Inherited,
    ) -> Result<Vec<Listen>, BindError> {
        let front = Front::new(door, self.leave.subscribe());
        let (mut sockets, mut acceptors) = (Vec::new(), Vec::new());
        for place in places {
            let failed = |source| BindError {
                address: place.clone(),
                source,
            };
            let socket = match inherited.claim(side, place) {
                Some(given) => Socket::inherit(given, place),
                None => Socket::bind(place),
            };
            let socket = socket.map_err(failed)?;
            acceptors.push(socket.acceptor().map_err(failed)?);
            sockets.push(socket);
        }
        let bound = sockets.iter().map(|socket| socket.at().clone()).collect();
        self.listening.push(Listening {
            side: side.to_owned(),
            sockets,
            acceptors,
            serve: serve(front),
        });
        Ok(bound)
    }

    /// Starts accepting. Whoever connects is served by the workers, or on this runtime where there are none.
    pub(super) fn start(self, workers: Option<Arc<Workers>>) -> Open {
        let accept = |listening: Listening| listening.accept(&self.stop, workers.as_ref());
        Open {
            accepting: self.listening.into_iter().map(accept).collect(),
            workers,
            stop: self.stop,
            leave: self.leave,
        }
    }
}

fn serve<D: Door>(front: Front<D>) -> Serve {
    let front = Arc::new(front);
    Arc::new(move |arrival, stop, workers| {
        let front = front.clone();
        let serve = async move {
            match arrival.stream() {
                Ok(stream) => drop(front.process_new(stream, &stop).await),
                Err(error) => tracing::error!(%error, "a connection can't be served"),
            }
        };
        match workers {
            Some(workers) => workers.serve(serve),
            None => drop(tokio::spawn(serve)),
        }
    })
}

// === impl Listening ===

impl Listening {
    fn accept(self, stop: &watch::Sender<bool>, workers: Option<&Arc<Workers>>) -> Accepting {
        let mut loops = JoinSet::new();
        for acceptor in self.acceptors {
            let (serve, stop, workers) = (self.serve.clone(), stop.subscribe(), workers.cloned());
            loops.spawn(accept(acceptor, serve, stop, workers));
        }
        Accepting {
            side: self.side,
            loops,
            sockets: self.sockets,
            serve: self.serve,
        }
    }
}

/// Accepts until it is told to stop.
async fn accept(
    mut acceptor: Acceptor,
    serve: Serve,
    mut stop: ShutdownWatch,
    workers: Option<Arc<Workers>>,
) {
    loop {
        let arrival = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            arrival = next(&mut acceptor, workers.as_deref()) => arrival,
        };
        serve(arrival, stop.clone(), workers.as_deref());
    }
}

/// The next connection, once the workers can look at it.
async fn next(acceptor: &mut Acceptor, workers: Option<&Workers>) -> Arrival {
    if let Some(workers) = workers {
        workers.keep_up().await;
    }
    acceptor.next().await
}

// === impl Open ===

impl Open {
    /// From here on each answer is the last of its connection. Callers are still let in.
    pub(super) fn announce_leave(&self) {
        self.leave.send_replace(Leave::LastAnswers);
    }

    /// What another process needs to go on in the place of this one.
    pub(super) fn offers(&self) -> io::Result<Vec<Offer>> {
        let offers = |accepting: &'_ Accepting| -> Vec<_> {
            let sockets = accepting.sockets.iter();
            sockets.map(|socket| socket.offer(&accepting.side)).collect()
        };
        self.accepting.iter().flat_map(offers).collect()
    }

    /// Leaves accepting to the other process. Whoever is connected already, and was not accepted yet, is its caller.
    pub(super) async fn leave(&mut self) {
        self.stop.send_replace(true);
        while let Some(accepting) = self.next_stopped().await {
            accepting.sockets.into_iter().for_each(Socket::leave);
        }
    }

    /// Lets those go who have no request under way.
    pub(super) fn part(&self) {
        self.leave.send_replace(Leave::Closing);
    }

    /// Lets nobody in any more, and lets those go who have no request under way. Whoever is connected already and was
    /// not accepted yet is served.
    pub(super) async fn close(&mut self) {
        self.stop.send_replace(true);
        while let Some(accepting) = self.next_stopped().await {
            for arrival in accepting.sockets.into_iter().flat_map(Socket::close) {
                (accepting.serve)(arrival, self.stop.subscribe(), self.workers.as_deref());
            }
        }
        self.part();
    }

    /// Returns when nobody is connected any more.
    pub(super) async fn gone(&self) {
        self.stop.closed().await;
    }

    /// Lets nobody in any more, and says how many are still connected. They end with
    /// their runtimes.
    pub(super) async fn cut(&mut self) -> usize {
        self.stop.send_replace(true);
        while self.next_stopped().await.is_some() {}
        self.stop.receiver_count()
    }

    /// The next listener that has been told to accept no more, once it doesn't. Nothing is lost if this is dropped:
    /// one that still accepts would be counted among the connections.
    async fn next_stopped(&mut self) -> Option<Accepting> {
        let accepting = self.accepting.last_mut()?;
        // One that panicked does not accept either.
        while accepting.loops.join_next().await.is_some() {}
        self.accepting.pop()
    }
}
