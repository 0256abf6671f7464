//! A request's body: bounded in size and in time, and with what all others hold. Never more than what has arrived
//! is kept or counted for it: to announce much is cheap.

use std::mem;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::caller::Caller;
use super::head::{BadRequest, Framing, Head};
use super::session::{Broken, SOME};
use crate::buffered::Held;
use crate::http1::{BodyFraming, BodyReader, Step};

/// How long each further [`WINDOW_BYTES`] of a body may take, or its end.
const WINDOW: Duration = Duration::from_secs(5);
/// The least that comes meanwhile: 1 KiB a second.
const WINDOW_BYTES: usize = 5 * 1024;

/// A body that has come whole.
pub(super) struct Body {
    /// It, counted for as long as anybody has it.
    pub(super) bytes: Bytes,
    /// The same bytes for whoever counts them otherwise, where what they are part of is no more than twice as large.
    pub(super) uncounted: Option<Bytes>,
}

/// How fast a body has to come. What comes early buys no time for later: a caller that stalls is found out.
struct Pace {
    due: Instant,
    /// What has to be there by then.
    next: usize,
}

/// Reads the body that this head begins, of at most `max_body` bytes, and says `100 Continue` before it if asked.
/// It is held in `held` for as long as anybody has it.
///
/// # Errors
///
/// Why there is none. Where the next request would begin is not known then.
pub(super) async fn read(
    caller: &mut Caller,
    head: &Head,
    max_body: usize,
    held: Held,
) -> Result<Body, Broken> {
    let announced = match head.framing() {
        Framing::Length(0) => return Ok(Body::counted(Bytes::new())),
        Framing::Length(length) => Some(
            usize::try_from(length)
                .ok()
                .filter(|&length| length <= max_body)
                .ok_or(Broken::TooLarge)?,
        ),
        Framing::Chunked => None,
    };
    if head.expects_continue() {
        caller.write(&b"HTTP/1.1 100 Continue\r\n\r\n"[..]).await?;
    }
    let mut held = held;
    let body = match announced {
        Some(length) => of_length(caller, length, &mut held).await,
        None => in_chunks(caller, max_body, &mut held).await.map(Body::counted),
    };
    if body.is_err() {
        // Before its room goes: others would have made use of that already.
        caller.forget();
    }
    body
}

async fn of_length(caller: &mut Caller, length: usize, held: &mut Held) -> Result<Body, Broken> {
    let mut pace = None;
    loop {
        let arrived = caller.arrived().len();
        held.cover(arrived.min(length))?;
        if arrived >= length {
            // A small body may be a part of a block with many requests, or with a large head.
            let is_most = caller.block() / 2 <= length;
            let bytes = caller.take(length);
            return Ok(Body {
                uncounted: is_most.then(|| bytes.clone()),
                bytes: mem::replace(held, Held::uncounted()).around(bytes),
            });
        }
        // Most bodies come with their head, and nobody has to look at a clock for them.
        let deadline = pace.get_or_insert_with(Pace::begin).deadline(arrived);
        caller.more(length - arrived, deadline).await?;
    }
}

async fn in_chunks(caller: &mut Caller, max_body: usize, held: &mut Held) -> Result<Bytes, Broken> {
    let mut pace = Pace::begin();
    let mut reader = BodyReader::new(BodyFraming::Chunked);
    let mut body = BytesMut::new();
    loop {
        match reader.step(caller.arrived()).map_err(|_| BadRequest::Chunk)? {
            Step::Content { content, rest } => {
                if content.len() > max_body - body.len() {
                    return Err(Broken::TooLarge);
                }
                held.cover(body.len() + content.len())?;
                body.extend_from_slice(content);
                let used = caller.arrived().len() - rest.len();
                caller.skip(used);
            }
            Step::End { rest } => {
                let used = caller.arrived().len() - rest.len();
                caller.skip(used);
                return Ok(mem::replace(held, Held::uncounted()).around(body));
            }
            Step::More => {
                caller.skip(usize::MAX);
                caller.more(SOME, pace.deadline(body.len())).await?;
            }
        }
    }
}

// === impl Body ===

impl Body {
    fn counted(bytes: Bytes) -> Self {
        Self {
            bytes,
            uncounted: None,
        }
    }
}

// === impl Pace ===

impl Pace {
    fn begin() -> Self {
        Self {
            due: Instant::now() + WINDOW,
            next: WINDOW_BYTES,
        }
    }

    /// By when more has to come, so many bytes of the body being there.
    fn deadline(&mut self, arrived: usize) -> Instant {
        if arrived >= self.next {
            *self = Self {
                due: Instant::now() + WINDOW,
                next: arrived + WINDOW_BYTES,
            };
        }
        self.due
    }
}
