//! The caller's side: from the bytes of a connection to a [`Request`], from a [`Response`] to bytes.
//!
//! Pingora accepts connections and owns their sockets (and TLS); the framing of HTTP/1.1 is ours, so that a
//! head has one deadline, one size and one strict check on its raw bytes, a body is counted while it is
//! read, and an answer leaves in one write.
//!
//! ```text
//! Front (Pingora's ServerApp)  a connection's stream comes in
//!   session                    the loop of one connection: head, admit, body, serve, answer
//!     head                     raw bytes -> Head, or the reason why not
//!     caller                   the stream and what has arrived on it; every wait has its deadline
//!     response                 Response -> bytes
//!   Door                       what stands behind the listener: hooks, admin, a mock
//! ```

mod caller;
mod door;
mod head;
mod response;
mod session;
#[cfg(test)]
mod tests;

pub use door::{Admitted, Connection, Door, Refusal, Request, Response};
pub use head::{BadRequest, Head, Version};
pub use session::Front;
