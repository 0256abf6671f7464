//! Where a body ends, by any of HTTP/1's three ways to say so.

use super::chunked::{BadChunk, Chunked};

/// How a message says where its body ends, RFC 9112 section 6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// After so many bytes; none for a message without a body.
    Length(u64),
    /// By the chunked coding.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// Reads one body out of the bytes after a head.
#[derive(Debug)]
pub struct BodyReader(State);

#[derive(Debug)]
enum State {
    /// So many bytes are to come.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

/// What the front of some input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Content, then what has not been looked at yet.
    Content {
        /// Never empty.
        content: &'a [u8],
        /// The input after it.
        rest: &'a [u8],
    },
    /// All of it was used, and the body is not whole.
    More,
    /// The body is whole, and this is what follows it.
    End {
        /// The input after the body: nothing, or the start of something else.
        rest: &'a [u8],
    },
}

/// The connection ended before the body was whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body ended early")]
pub struct Truncated;

impl BodyReader {
    /// At the first byte of a body that is framed like this.
    pub fn new(framing: BodyFraming) -> Self {
        Self(match framing {
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Chunked(Chunked::new()),
            BodyFraming::UntilClose => State::UntilClose,
        })
    }

    /// Takes the next step through the input. Call it again with what is left until it says [`Step::More`] or
    /// [`Step::End`]; a body of no bytes ends with the first call, which takes no input.
    ///
    /// # Errors
    ///
    /// The chunked coding is broken; nothing after it can be trusted.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, BadChunk> {
        match &mut self.0 {
            State::Length(0) => Ok(Step::End { rest: input }),
            State::Chunked(chunked) => chunked.step(input),
            _ if input.is_empty() => Ok(Step::More),
            State::Length(remaining) => {
                let length = usize::try_from(*remaining).unwrap_or(usize::MAX).min(input.len());
                let (content, rest) = input.split_at(length);
                *remaining -= length as u64;
                Ok(Step::Content { content, rest })
            }
            State::UntilClose => Ok(Step::Content {
                content: input,
                rest: &[],
            }),
        }
    }

    /// Takes the end of the connection in: whether the body is whole with that.
    ///
    /// # Errors
    ///
    /// It is not; a partial body must never be used.
    pub fn close(&mut self) -> Result<(), Truncated> {
        match self.step(&[]) {
            Ok(Step::End { .. }) => Ok(()),
            _ if matches!(self.0, State::UntilClose) => Ok(()),
            _ => Err(Truncated),
        }
    }

    /// How many bytes are still to come, where the message has said so.
    pub fn remaining(&self) -> Option<u64> {
        match self.0 {
            State::Length(remaining) => Some(remaining),
            State::Chunked(_) | State::UntilClose => None,
        }
    }

    /// Counts content that has been read past this reader, straight into its place: at most
    /// [`BodyReader::remaining`] bytes.
    pub fn skip(&mut self, length: usize) {
        if let State::Length(remaining) = &mut self.0 {
            *remaining = remaining.saturating_sub(length as u64);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
