//! The chunked transfer coding, RFC 9112 section 7.1: sizes and content are read, extensions and trailers are
//! read and dropped.
//!
//! Strict where two readers could disagree about where a message ends: a size is one to sixteen hexadecimal
//! digits, every line ends with carriage return and line feed, and none holds another control character.

use super::body::Step;

/// The most bytes of extensions and trailers together that a body may carry; nobody reads them.
pub const MAX_DROPPED: usize = 16 * 1024;

/// The most digits of a chunk's size: what fits 64 bits.
const MAX_DIGITS: u8 = 16;

/// This is not the chunked coding, or it carries more extensions and trailers than [`MAX_DROPPED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed chunk")]
pub struct BadChunk;

/// Reads one chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// What a chunk's size has come to so far, then how much of its content is to come.
    size: u64,
    /// How many digits of the size were read.
    digits: u8,
    /// How many bytes of extensions and trailers were dropped.
    dropped: usize,
}

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The size, of which at least one digit has to come.
    Size,
    /// White space after the size, before its extension or the end of its line.
    Padding,
    /// What stands between the size and the end of its line.
    Extension,
    /// The line feed after a size.
    SizeFeed,
    /// Content.
    Content,
    /// The carriage return after content.
    ContentReturn,
    /// The line feed after content.
    ContentFeed,
    /// The start of a line after the last chunk: a trailer, or the end.
    TrailerStart,
    /// Inside a trailer.
    Trailer,
    /// The line feed after a trailer.
    TrailerFeed,
    /// The very last line feed.
    LastFeed,
    /// The body is whole.
    End,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self {
            state: State::Size,
            size: 0,
            digits: 0,
            dropped: 0,
        }
    }

    /// Goes on until there is content, the end, or nothing more to read.
    pub(super) fn step<'a>(&mut self, mut input: &'a [u8]) -> Result<Step<'a>, BadChunk> {
        loop {
            if self.state == State::End {
                return Ok(Step::End { rest: input });
            }
            if self.state == State::Content && !input.is_empty() {
                return Ok(self.content(input));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(Step::More);
            };
            self.state = self.next(byte)?;
            input = rest;
        }
    }

    /// The part of the input that is content of the chunk at hand.
    fn content<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let length = usize::try_from(self.size).unwrap_or(usize::MAX).min(input.len());
        let (content, rest) = input.split_at(length);
        self.size -= length as u64;
        if self.size == 0 {
            self.state = State::ContentReturn;
        }
        Step::Content { content, rest }
    }

    /// The state after a byte that is not content.
    fn next(&mut self, byte: u8) -> Result<State, BadChunk> {
        match (self.state, byte) {
            (State::Size, _) => self.size(byte),
            (State::Padding, b' ' | b'\t' | b';' | b'\r') => self.after_digits(byte),
            (State::Extension, b'\r') => Ok(State::SizeFeed),
            (State::Extension, b'\n') => Err(BadChunk),
            (State::Extension, _) => self.drop_one(byte, State::Extension),
            (State::SizeFeed, b'\n') => Ok(self.after_size()),
            (State::ContentReturn, b'\r') => Ok(State::ContentFeed),
            (State::ContentFeed, b'\n') => Ok(State::Size),
            (State::TrailerStart, b'\r') => Ok(State::LastFeed),
            // A line that begins with white space would go on with the one before it (RFC 9112 section 5.2).
            (State::TrailerStart, b'\n' | b' ' | b'\t') | (State::Trailer, b'\n') => Err(BadChunk),
            (State::Trailer, b'\r') => Ok(State::TrailerFeed),
            (State::TrailerStart | State::Trailer, _) => self.drop_one(byte, State::Trailer),
            (State::TrailerFeed, b'\n') => Ok(State::TrailerStart),
            (State::LastFeed, b'\n') => Ok(State::End),
            _ => Err(BadChunk),
        }
    }

    fn size(&mut self, byte: u8) -> Result<State, BadChunk> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            self.digits += 1;
            self.size = self.size << 4 | u64::from(digit);
            return if self.digits > MAX_DIGITS {
                Err(BadChunk)
            } else {
                Ok(State::Size)
            };
        }
        if self.digits == 0 {
            return Err(BadChunk);
        }
        self.after_digits(byte)
    }

    /// What may follow a size. White space is bad but to be read (RFC 9112 section 7.1.1); some servers pad.
    fn after_digits(&mut self, byte: u8) -> Result<State, BadChunk> {
        match byte {
            b'\r' => Ok(State::SizeFeed),
            b' ' | b'\t' => self.drop_one(byte, State::Padding),
            b';' => self.drop_one(byte, State::Extension),
            _ => Err(BadChunk),
        }
    }

    fn after_size(&mut self) -> State {
        self.digits = 0;
        if self.size == 0 {
            State::TrailerStart
        } else {
            State::Content
        }
    }

    /// Reads past a byte of an extension or a trailer, which no more than a header may hold a control character.
    fn drop_one(&mut self, byte: u8, state: State) -> Result<State, BadChunk> {
        self.dropped += 1;
        let is_control = byte.is_ascii_control() && byte != b'\t';
        if is_control || self.dropped > MAX_DROPPED {
            Err(BadChunk)
        } else {
            Ok(state)
        }
    }
}
