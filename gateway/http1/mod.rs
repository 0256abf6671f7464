//! The framing of HTTP/1 messages (RFC 9112) as bytes to state, without sockets: where a head ends and where a
//! body ends. Both directions stand on it; what a head says, and which bodies are too large, is theirs.

mod body;
mod chunked;
mod head;

pub use body::{BodyFraming, BodyReader, Step, Truncated};
pub use chunked::{BadChunk, MAX_DROPPED};
pub use head::HeadScan;
