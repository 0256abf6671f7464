//! TLS at the door: told from HTTP in the clear by its first byte, and done within the time of a first head.

use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::session::stopped;
use crate::tls;

/// The first byte of everything that begins with a TLS handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// Why there is no TLS with somebody who has connected.
pub(super) enum Unsecured {
    /// It has left, or never said anything.
    Gone,
    /// It speaks something else, HTTP in the clear most likely; nothing of that has been read yet.
    Clear(Stream),
    /// There was a handshake, and it failed or came to no end.
    Failed,
}

/// Waits for a handshake, unless the process is to stop, and takes part in it; until `due` at the latest.
pub(super) async fn shake(
    mut stream: Stream,
    acceptor: &TlsAcceptor,
    due: Instant,
    stop: &ShutdownWatch,
) -> Result<Stream, Unsecured> {
    if !begins_with_handshake(&mut stream, due, &mut stop.clone()).await? {
        return Err(Unsecured::Clear(stream));
    }
    let reason = match timeout_at(due, tls::accept(acceptor, stream)).await {
        Ok(Ok(secured)) => return Ok(secured),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "not done in time".to_owned(),
    };
    tracing::debug!(reason, "TLS handshake with a caller failed");
    Err(Unsecured::Failed)
}

async fn begins_with_handshake(
    stream: &mut Stream,
    due: Instant,
    stop: &mut ShutdownWatch,
) -> Result<bool, Unsecured> {
    let mut first = [0];
    let peeked = tokio::select! {
        biased;
        peeked = timeout_at(due, stream.try_peek(&mut first)) => peeked,
        () = stopped(stop) => return Err(Unsecured::Gone),
    };
    match peeked {
        Ok(Ok(_)) => Ok(first == [HANDSHAKE]),
        Ok(Err(_)) | Err(_) => Err(Unsecured::Gone),
    }
}
