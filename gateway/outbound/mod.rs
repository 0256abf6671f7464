//! Calls: one exchange with one backend.
//!
//! Sockets are Tokio's, and TLS is rustls' over Pingora's stream. The pool of connections and the codec ([`h1`]) are ours,
//! since a hook asks many small questions and what one of them costs decides how many a gateway can ask: head and body
//! leave in one write, and a connection of the thread's own is taken and laid aside without a system call, a task or an
//! allocation.
//!
//! An exchange runs inside the caller's task and holds everything it has opened: dropping it closes the
//! connection. Only after a whole reply that says so does a connection go back to the pool.

mod connection;
mod dial;
pub mod h1;
mod names;
mod pool;
mod request;
mod scratch;
mod sign;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::plan::{Backend, Target};
use koigate_core::reply::Reply;
use prometheus::IntCounter;
use tokio::time::{Instant, timeout_at};

use self::connection::{Broken, Came, Connection};
use self::dial::Dialer;
use self::h1::{Decoder, Then};
use self::pool::Pool;
use crate::buffered::Room;
use crate::workers::in_bulk;

pub use self::dial::{Connector, UnreadableRoots};
pub use self::names::REMEMBERED;
pub use self::pool::{IDLE, LIFE};
pub use self::request::{Check, HOOK_HEADER, Request, Template, VERDICT_HEADER};
pub use self::sign::{Signature, Signer};

/// The largest answer to an active check, in bytes: a page for people at most.
pub const MAX_CHECK: usize = 1024 * 1024;

/// One replica of a backend, as it lives: its pool, and the way to it. It outlives reloads that leave the backend
/// unchanged.
pub struct Upstream {
    dialer: Dialer,
    pool: Arc<Pool>,
    max_reply: usize,
    connections: Connections,
    /// Where replies count.
    room: Arc<Room>,
}

/// Where connections are counted, for one backend.
#[derive(Debug, Clone)]
pub struct Connections {
    /// `koigate_connections_opened_total`.
    pub opened: IntCounter,
    /// `koigate_connections_reused_total`.
    pub reused: IntCounter,
}

impl Upstream {
    /// For calls to `backend`, to this replica of it. It holds at most `max_in_flight` idle connections; its replies
    /// count in `room`.
    pub fn new(
        backend: &Backend,
        target: &Target,
        connector: &Connector,
        connections: Connections,
        room: Arc<Room>,
    ) -> Self {
        Self {
            dialer: Dialer::new(backend, target, connector),
            pool: Pool::new(backend.max_in_flight),
            max_reply: backend.max_reply,
            connections,
            room,
        }
    }

    /// Whether its replies count in this room.
    pub fn counts_in(&self, room: &Arc<Room>) -> bool {
        Arc::ptr_eq(&self.room, room)
    }

    /// Whether the same connections serve both: a reload that leaves this unchanged keeps them. The path is part
    /// of each request, not of the way; what is trusted and shown is: no connection outlives its certificates.
    pub fn is_same_way(one: (&Backend, &Target), other: (&Backend, &Target)) -> bool {
        let way = |(backend, target): (&Backend, &Target)| {
            let limits = (backend.max_reply, backend.max_in_flight);
            (
                target.scheme,
                target.host.clone(),
                target.port,
                backend.connect_timeout,
                limits,
            )
        };
        way(one) == way(other) && one.0.tls == other.0.tls
    }

    /// Asks the backend once and reads the whole reply.
    ///
    /// `now` is when it begins, and `deadline` the end of everything, connecting included: the caller's smaller of the
    /// backend's `timeout` and what remains of the hook. If a connection from the pool turns out to be closed before the
    /// first byte of a reply, the question is asked once more, on a fresh connection: to all appearance it was closed
    /// before the question came. Nothing else is tried again.
    ///
    /// # Errors
    ///
    /// A failure of kind connect, timeout, reset, protocol, too large or overloaded. The connection is closed then.
    pub async fn exchange(
        &self,
        request: &Request<'_>,
        now: Instant,
        deadline: Instant,
    ) -> Result<Reply, Failure> {
        // A call that can't be waited for must not be made: callbacks have side effects.
        if deadline <= now {
            return Err(timed_out());
        }
        if let Some(connection) = self.pool.take(now) {
            match self.ask_over(connection, request, deadline).await {
                // Others in the pool may have been closed as well: the second time is on a fresh one.
                Err(Broken::Unheard) => {}
                outcome => {
                    self.connections.reused.inc();
                    return outcome.map_err(Failure::from);
                }
            }
        }
        // Boxed, since dialling makes a large future: most calls never dial, and each would carry it.
        let connection = Box::pin(self.dial(deadline)).await?;
        self.connections.opened.inc();
        let outcome = self.ask_over(connection, request, deadline).await;
        outcome.map_err(Failure::from)
    }

    /// Asks a replica whether it is well: the status of its answer. It has a connection of its own, so that it tells
    /// whether new ones are accepted, and takes none from the calls.
    ///
    /// # Errors
    ///
    /// A failure of kind connect, timeout, reset, protocol, or too large for an answer over [`MAX_CHECK`].
    pub async fn check(&self, check: &Check, deadline: Instant) -> Result<u16, Failure> {
        let connection = self.dial(deadline).await?;
        let decoder = Decoder::new(MAX_CHECK, None);
        let status = connection.check(check, decoder, deadline).await;
        status.map_err(Failure::from)
    }

    /// How many connections are laid aside.
    pub fn idle(&self) -> usize {
        self.pool.len()
    }

    async fn dial(&self, deadline: Instant) -> Result<Connection, Failure> {
        match timeout_at(deadline, self.dialer.dial()).await {
            Ok(wire) => Ok(Connection::new(wire?)),
            Err(_) => Err(timed_out()),
        }
    }

    async fn ask_over(
        &self,
        mut connection: Connection,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<Reply, Broken> {
        let decoder = Decoder::new(self.max_reply, Some(&self.room));
        match connection.exchange(request, decoder, deadline).await? {
            Came::Whole(reply, then) => {
                if then == Then::Reuse {
                    self.pool.put(connection);
                }
                Ok(reply)
            }
            Came::Large(body) => self.large(connection, body, deadline).await,
        }
    }

    /// Reads on in a large reply, beside the thread that serves small hooks. Few replies are, so that nobody else
    /// carries it.
    fn large(
        &self,
        connection: Connection,
        body: Box<Decoder<'static>>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Reply, Broken>> + Send + use<> {
        let pool = self.pool.clone();
        in_bulk(async move {
            let mut connection = connection.brought_here().ok_or_else(unmoved)?;
            let (reply, then) = connection.listen(*body, deadline).await?;
            if then == Then::Reuse {
                pool.put(connection);
            }
            Ok(reply)
        })
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Unheard => Self::new(FailureKind::Reset, "the connection ended without a reply"),
            Broken::Failed(failure) => failure,
        }
    }
}

fn unmoved() -> Broken {
    let detail = "another thread could not read the reply";
    Broken::Failed(Failure::new(FailureKind::Reset, detail))
}

fn timed_out() -> Failure {
    Failure::new(FailureKind::Timeout, "no whole reply in time")
}
