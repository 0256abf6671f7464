//! Replies: HTTP/1 (RFC 9112) from bytes to state. No sockets, no clock; how the bytes are cut means nothing.
//!
//! What comes back is a [`Reply`] or who is at fault. Strict where two readers could disagree about where a
//! reply ends (a second `Content-Length`, a `Transfer-Encoding` other than `chunked`), tolerant of what real
//! services send: no reason phrase, HTTP/1.0, bodies until close, bodies where none belongs, bytes after a
//! body. Only what ends cleanly lets the connection be used again.

mod content;
mod head;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;

use bytes::buf::Limit;
use koigate_core::failure::{Failure, FailureKind};
use koigate_core::reply::Reply;

use self::content::Content;
use self::head::{HeadReader, ReplyHead};
use crate::buffered::{Full, Held, Room};
use crate::http1::{BodyReader, Step};

pub use self::head::{LastHead, MAX_HEAD, MAX_LINES};

/// The most interim answers (1xx) before a reply that are read. More mean nothing to anybody: they are left
/// unread, so that they cost no time either, and the call ends at its timeout.
pub const MAX_INTERIM: u32 = 100;

/// Reads one reply.
#[derive(Debug)]
pub struct Decoder<'a> {
    state: State,
    max_reply: usize,
    /// Where the body counts, if anywhere.
    room: Option<&'a Arc<Room>>,
    /// The head before on the same connection, where that is remembered.
    last: Option<&'a mut LastHead>,
    interim: u32,
}

#[derive(Debug)]
enum State {
    /// A head, or an interim one before it.
    Head(HeadReader),
    /// The body after the head.
    Body(Receiving),
    /// The reply has been handed out, or failed.
    Over,
}

/// A reply whose body is on its way.
#[derive(Debug)]
struct Receiving {
    head: ReplyHead,
    reader: BodyReader,
    content: Content,
}

/// How far the bytes so far have led.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not to the end of the reply.
    More,
    /// To more than [`MAX_INTERIM`] interim answers: there is no use in reading on.
    Endless,
    /// To the end.
    Whole(Whole),
}

/// A whole reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    /// What the backend said.
    pub reply: Reply,
    /// What becomes of the connection.
    pub then: Then,
}

/// What becomes of a connection after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Both sides are at the start of the next exchange.
    Reuse,
    /// The backend said so, or it can't be told where the next reply would begin.
    Close,
}

// === impl Decoder ===

impl<'a> Decoder<'a> {
    /// At the first byte of a reply whose body is at most `max_reply` bytes, as it comes and once decoded. It counts
    /// in `room`, where there is one, for as long as anybody has it.
    pub fn new(max_reply: usize, room: Option<&'a Arc<Room>>) -> Self {
        Self {
            state: State::Head(HeadReader::default()),
            max_reply,
            room,
            last: None,
            interim: 0,
        }
    }

    /// The same on a connection whose last head was this. Where the reply's is another, that takes its place.
    #[must_use]
    pub fn after(self, last: &'a mut LastHead) -> Self {
        Self {
            last: Some(last),
            ..self
        }
    }

    /// Takes the next bytes in.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Protocol`] for what is no HTTP/1 reply or a head over [`MAX_HEAD`] or [`MAX_LINES`],
    /// [`FailureKind::TooLarge`] for a body over `max_reply`, announced or found out, [`FailureKind::Overloaded`]
    /// where all hooks together hold too much already. The connection is of no use then.
    pub fn feed(&mut self, mut input: &[u8]) -> Result<Progress, Failure> {
        while let State::Head(reader) = &mut self.state {
            if self.interim > MAX_INTERIM {
                return Ok(Progress::Endless);
            }
            let taken = match &mut self.last {
                Some(last) => reader.take_after(last, input),
                None => reader.take(input),
            };
            let Some((head, rest)) = taken? else {
                return Ok(Progress::More);
            };
            input = rest;
            self.begin(head)?;
        }
        self.body(input)
    }

    /// Takes the end of the connection in.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Reset`] unless the body is one that ends so; and whatever its end reveals.
    pub fn close(&mut self) -> Result<Whole, Failure> {
        match &mut self.state {
            State::Head(_) => Err(reset("the connection ended before the reply's header")),
            State::Over => Err(reset("the connection ended")),
            State::Body(receiving) => {
                receiving
                    .reader
                    .close()
                    .map_err(|_| reset("the connection ended inside the reply's body"))?;
                self.finish(Then::Close)
            }
        }
    }

    /// Where the next bytes may be put straight into the body, past [`Decoder::feed`]: `None` unless that many
    /// are known to belong there, and they are more than `threshold`. Say [`Decoder::filled`] after it.
    pub fn space(&mut self, threshold: usize) -> Option<Limit<&mut Vec<u8>>> {
        let State::Body(receiving) = &mut self.state else {
            return None;
        };
        let remaining = usize::try_from(receiving.reader.remaining()?).ok()?;
        if remaining <= threshold {
            return None;
        }
        receiving.content.space(remaining)
    }

    /// Whether so many bytes of the body are here already, or are known to be missing.
    pub fn is_large(&self, least: usize) -> bool {
        let State::Body(receiving) = &self.state else {
            return false;
        };
        let missing = receiving.reader.remaining().unwrap_or(0);
        receiving.content.len() >= least || usize::try_from(missing).is_ok_and(|missing| missing >= least)
    }

    /// What goes on with this body elsewhere, where there is one; here it is over.
    pub fn take_body(&mut self) -> Option<Decoder<'static>> {
        let state = mem::replace(&mut self.state, State::Over);
        matches!(state, State::Body(_)).then_some(Decoder {
            state,
            max_reply: self.max_reply,
            // It has its room, and its head is behind it.
            room: None,
            last: None,
            interim: self.interim,
        })
    }

    /// Counts what has been put into [`Decoder::space`], in bytes.
    ///
    /// # Errors
    ///
    /// As [`Decoder::feed`].
    pub fn filled(&mut self, length: usize) -> Result<Progress, Failure> {
        if let State::Body(receiving) = &mut self.state {
            receiving.reader.skip(length);
            receiving.content.count()?;
        }
        self.body(&[])
    }

    /// Takes a head in: an interim one is counted, any other begins the body.
    fn begin(&mut self, head: ReplyHead) -> Result<(), Failure> {
        if head.is_interim() {
            self.interim += 1;
            self.state = State::Head(HeadReader::default());
            return Ok(());
        }
        let reader = BodyReader::new(head.framing);
        // Nothing of an empty body counts, and most replies are empty: all threads would write to the room for them.
        let room = self.room.filter(|_| reader.remaining() != Some(0));
        let held = room.map_or_else(Held::uncounted, Room::open);
        let content = Content::new(head.coding, reader.remaining(), self.max_reply)?.held_in(held);
        self.state = State::Body(Receiving {
            head,
            reader,
            content,
        });
        Ok(())
    }

    /// Takes bytes of the body in.
    fn body(&mut self, mut input: &[u8]) -> Result<Progress, Failure> {
        let State::Body(receiving) = &mut self.state else {
            return Ok(Progress::More);
        };
        loop {
            let step = receiving.reader.step(input);
            match step.map_err(|_| protocol("a malformed chunk"))? {
                Step::Content { content, rest } => {
                    receiving.content.push(content)?;
                    input = rest;
                }
                Step::More => return Ok(Progress::More),
                Step::End { rest: [] } => return self.finish(Then::Reuse).map(Progress::Whole),
                Step::End { .. } => return self.finish(Then::Close).map(Progress::Whole),
            }
        }
    }

    /// Hands the whole reply out; the connection is used again if its head and its end both allow it.
    fn finish(&mut self, end: Then) -> Result<Whole, Failure> {
        let State::Body(receiving) = mem::replace(&mut self.state, State::Over) else {
            return Err(protocol("a reply that is over"));
        };
        let Receiving { head, content, .. } = receiving;
        Ok(Whole {
            then: match end {
                Then::Reuse => head.then,
                Then::Close => Then::Close,
            },
            reply: Reply {
                status: head.status,
                content_type: head.content_type,
                content_disposition: head.content_disposition,
                body: content.finish()?,
            },
        })
    }
}

// === failures ===

fn protocol(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Protocol, detail)
}

fn reset(detail: &'static str) -> Failure {
    Failure::new(FailureKind::Reset, detail)
}

fn overloaded(full: Full) -> Failure {
    Failure::new(FailureKind::Overloaded, full.to_string())
}

fn too_large() -> Failure {
    Failure::new(FailureKind::TooLarge, "the reply is larger than max_reply")
}
