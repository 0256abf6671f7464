//! What a backend does on the wire, step by step: any bytes, at any pace, with any end.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::wire::Wire;

/// Steps that a backend plays on one connection. Where they don't end it, it stays open for the next request.
///
/// Reads as a sentence: `script().sends("HTTP/1.1 200 OK\r\nConte").waits(50).resets()`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Send(Bytes),
    Drip(Bytes, Duration),
    Flood(Bytes, Duration),
    Wait(Duration),
    ReadHead,
    Stall,
    HalfClose,
    Close,
    Reset,
}

/// What a script leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The connection is open for the next request.
    Open,
    /// It is to be closed.
    Close,
    /// It is to be reset.
    Reset,
}

/// A script without steps.
pub(crate) fn script() -> Script {
    Script::default()
}

impl Script {
    /// Sends these bytes at once.
    pub(crate) fn sends(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Send(bytes.into()))
    }

    /// Sends one byte every so many milliseconds.
    pub(crate) fn drips(self, bytes: impl Into<Bytes>, ms: u64) -> Self {
        self.then(Step::Drip(bytes.into(), Duration::from_millis(ms)))
    }

    /// Sends these bytes again and again, every so many milliseconds, until the other side is gone.
    pub(crate) fn floods(self, bytes: impl Into<Bytes>, ms: u64) -> Self {
        self.then(Step::Flood(bytes.into(), Duration::from_millis(ms)))
    }

    /// Does nothing for so many milliseconds.
    pub(crate) fn waits(self, ms: u64) -> Self {
        self.then(Step::Wait(Duration::from_millis(ms)))
    }

    /// Reads a request's head and leaves its body unread.
    pub(crate) fn reads_the_head(self) -> Self {
        self.then(Step::ReadHead)
    }

    /// Says nothing more until the other side closes.
    pub(crate) fn stalls(self) -> Self {
        self.then(Step::Stall)
    }

    /// Ends its own direction and waits for the other side to close.
    pub(crate) fn half_closes(self) -> Self {
        self.then(Step::HalfClose)
    }

    /// Closes the connection.
    pub(crate) fn closes(self) -> Self {
        self.then(Step::Close)
    }

    /// Resets the connection.
    pub(crate) fn resets(self) -> Self {
        self.then(Step::Reset)
    }

    /// The same after so many milliseconds.
    pub(crate) fn after(mut self, ms: u64) -> Self {
        self.0.insert(0, Step::Wait(Duration::from_millis(ms)));
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Plays the steps. An error means that the other side has gone.
    pub(crate) async fn play(&self, wire: &mut Wire) -> io::Result<Ending> {
        for step in &self.0 {
            match step {
                Step::Send(bytes) => wire.write(bytes).await?,
                Step::Drip(bytes, pause) => wire.drip(bytes, *pause).await?,
                Step::Flood(bytes, pause) => loop {
                    wire.write(bytes).await?;
                    sleep(*pause).await;
                },
                Step::Wait(pause) => sleep(*pause).await,
                Step::ReadHead => drop(wire.head().await?),
                Step::HalfClose => {
                    wire.finish().await?;
                    wire.rest().await;
                    return Ok(Ending::Close);
                }
                Step::Stall => {
                    wire.rest().await;
                    return Ok(Ending::Close);
                }
                Step::Close => return Ok(Ending::Close),
                Step::Reset => return Ok(Ending::Reset),
            }
        }
        Ok(Ending::Open)
    }
}
