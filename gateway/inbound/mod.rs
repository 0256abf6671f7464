//! The caller's side: from the bytes of a connection to a [`Request`], from a [`Response`] to bytes.
//!
//! Pingora owns the sockets of connections (and TLS over them); the framing of HTTP/1.1 is ours, so that a
//! head has one deadline, one size and one strict check on its raw bytes, a body is counted while it is
//! read, and an answer leaves in one write.
//!
//! ```text
//! Front (Pingora's ServerApp)  a connection's stream comes in
//!   leave                      how connections are brought to their end
//!   crowd                      how many are connected, and how many may be
//!   session                    the loop of one connection: head, admit, body, serve, answer
//!     head                     raw bytes -> Head, or the reason why not
//!     body                     its bytes, bounded in size and time
//!     caller                   the stream and what has arrived on it; every wait has its deadline
//!     response                 Response -> bytes
//!   Door                       what stands behind the listener: hooks, admin, a mock
//! ```

mod body;
mod caller;
mod crowd;
mod door;
mod front;
mod handshake;
pub mod head;
mod leave;
mod response;
mod session;
#[cfg(test)]
mod tests;

pub use crowd::Capacity;
pub use door::{Admitted, Connection, Door, Refusal, Request, Response};
pub use front::Front;
pub use head::{BadRequest, Head, Version};
pub use leave::Leave;
