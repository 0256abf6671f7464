//! TLS at the door: told from HTTP in the clear by its first byte, and done within the time of a first head.

use pingora::protocols::Stream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::leave::{LeaveWatch, closing};
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

/// Waits for a handshake and takes part in it, until `due` at the latest. Where connections are to go, one that
/// comes to no end holds nobody up: no request has come of it yet.
pub(super) async fn shake(
    stream: Stream,
    acceptor: &TlsAcceptor,
    due: Instant,
    leave: &LeaveWatch,
) -> Result<Stream, Unsecured> {
    tokio::select! {
        biased;
        shaken = shaken(stream, acceptor, due) => shaken,
        () = closing(leave.clone()) => Err(Unsecured::Gone),
    }
}

async fn shaken(mut stream: Stream, acceptor: &TlsAcceptor, due: Instant) -> Result<Stream, Unsecured> {
    if !begins_with_handshake(&mut stream, due).await? {
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

async fn begins_with_handshake(stream: &mut Stream, due: Instant) -> Result<bool, Unsecured> {
    let mut first = [0];
    match timeout_at(due, stream.try_peek(&mut first)).await {
        Ok(Ok(_)) => Ok(first == [HANDSHAKE]),
        Ok(Err(_)) | Err(_) => Err(Unsecured::Gone),
    }
}
