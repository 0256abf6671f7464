//! The framing of HTTP/1 messages (RFC 9112) as bytes to state, without sockets: where a head ends and where a
//! body ends. Both directions stand on it; what a head says, and which bodies are too large, is theirs.

mod body;
mod chunked;
mod head;

/// How many bytes are read or written at once, at most. The system copies them in one go, and lets nobody else have the
/// processor meanwhile: of megabytes for a millisecond.
pub const STRETCH: usize = 256 * 1024;

/// What is read or written for one hook in one turn; then whoever else the thread serves has theirs.
pub const TURN: usize = 4 * STRETCH;

pub use body::{BodyFraming, BodyReader, Step, Truncated};
pub use chunked::{BadChunk, MAX_DROPPED};
pub use head::HeadScan;
