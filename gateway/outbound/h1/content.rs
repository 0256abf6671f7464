//! The content of a reply's body: collected within a bound, and freed from a content coding on the way, so that
//! a small body that would become a huge one is noticed before it has.

use std::mem;

use bytes::buf::Limit;
use bytes::{BufMut as _, Bytes};
use flate2::{Decompress, FlushDecompress, Status};
use koigate_core::failure::Failure;

use super::head::Coding;
use super::{overloaded, protocol, too_large};
use crate::buffered::{Held, free, growth};

/// The least room that a decoder is given at once, in bytes.
const INFLATE_ROOM: usize = 16 * 1024;

/// The window of any DEFLATE stream, as a power of two.
const WINDOW_BITS: u8 = 15;

/// The content of a body so far.
#[derive(Debug)]
pub(super) struct Content {
    body: Vec<u8>,
    limit: usize,
    decoding: Decoding,
    /// Where the body counts.
    held: Held,
}

#[derive(Debug)]
enum Decoding {
    None,
    /// With how many coded bytes have come, since they may come to nothing without end.
    Inflate(Box<Inflate>, usize),
}

/// Undoes `gzip` or `deflate`.
#[derive(Debug)]
struct Inflate {
    coding: Coding,
    /// Made at the first byte: of an empty body nothing has to be undone, and `deflate` is two formats.
    stream: Option<Decompress>,
    /// Whether the stream has ended; more may follow it only in gzip.
    ended: bool,
}

// === impl Content ===

impl Content {
    /// For a body under this coding, of `announced` bytes if that is known, and at most `limit`.
    pub(super) fn new(coding: Coding, announced: Option<u64>, limit: usize) -> Result<Self, Failure> {
        let announced = usize::try_from(announced.unwrap_or(0)).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(too_large());
        }
        let (decoding, capacity) = match coding {
            Coding::Identity => (Decoding::None, growth(0, announced)),
            Coding::Gzip | Coding::Deflate => (Decoding::Inflate(Box::new(Inflate::new(coding)), 0), 0),
        };
        Ok(Self {
            body: Vec::with_capacity(capacity),
            limit,
            decoding,
            held: Held::uncounted(),
        })
    }

    /// The same, and the body counts there.
    pub(super) fn held_in(mut self, held: Held) -> Self {
        self.held = held;
        self
    }

    /// How many bytes of it are here.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// Takes the next bytes of the body in.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.decoding {
            Decoding::None => {
                if bytes.len() > self.limit - self.body.len() {
                    return Err(too_large());
                }
                self.held
                    .cover(self.body.len() + bytes.len())
                    .map_err(overloaded)?;
                self.body.extend_from_slice(bytes);
                Ok(())
            }
            Decoding::Inflate(inflate, coded) => {
                *coded = coded.saturating_add(bytes.len());
                if *coded > self.limit {
                    return Err(too_large());
                }
                inflate.push(bytes, &mut self.body, (self.limit, &mut self.held))
            }
        }
    }

    /// Counts what has been put into [`Content::space`].
    pub(super) fn count(&mut self) -> Result<(), Failure> {
        self.held.cover(self.body.len()).map_err(overloaded)
    }

    /// Room for some of the `remaining` bytes, if they can go into the body as they come. It ends exactly where the
    /// body does.
    pub(super) fn space(&mut self, remaining: usize) -> Option<Limit<&mut Vec<u8>>> {
        if let Decoding::Inflate(..) = self.decoding {
            return None;
        }
        if self.body.len() == self.body.capacity() {
            self.body.reserve_exact(growth(self.body.len(), remaining));
        }
        let room = self.body.capacity() - self.body.len();
        Some((&mut self.body).limit(room.min(remaining)))
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> Result<Bytes, Failure> {
        if let Decoding::Inflate(inflate, _) = &self.decoding {
            inflate.finish()?;
        }
        // A body may be held for as long as its hook; what growing left over need not be.
        let mut body = mem::take(&mut self.body);
        if body.capacity() > body.len() {
            free(body.capacity(), || body.shrink_to_fit());
        }
        let held = mem::replace(&mut self.held, Held::uncounted());
        Ok(held.around(body))
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        // Of a reply that comes to nothing. Its room goes after it.
        let body = mem::take(&mut self.body);
        free(body.capacity(), || drop(body));
    }
}

// === impl Inflate ===

impl Inflate {
    fn new(coding: Coding) -> Self {
        Self {
            coding,
            stream: None,
            ended: false,
        }
    }

    /// Decodes all of `input` onto the end of `body`.
    fn push(
        &mut self,
        mut input: &[u8],
        body: &mut Vec<u8>,
        (limit, held): (usize, &mut Held),
    ) -> Result<(), Failure> {
        let Some(&first) = input.first() else {
            return Ok(());
        };
        let coding = self.coding;
        let stream = self.stream.get_or_insert_with(|| start(coding, first));
        loop {
            if self.ended && !input.is_empty() {
                next_member(coding, stream)?;
                self.ended = false;
            }
            body.reserve(INFLATE_ROOM);
            let before = stream.total_in();
            let status = stream.decompress_vec(input, body, FlushDecompress::None);
            let status = status.map_err(|_| broken())?;
            let used = usize::try_from(stream.total_in() - before).unwrap_or(usize::MAX);
            input = input.get(used..).unwrap_or_default();
            if body.len() > limit {
                return Err(too_large());
            }
            held.cover(body.len()).map_err(overloaded)?;
            self.ended = status == Status::StreamEnd;
            // Room left over means that the decoder has nothing more to give.
            if input.is_empty() && (self.ended || body.len() < body.capacity()) {
                return Ok(());
            }
        }
    }

    /// Refuses a stream that was cut short. No byte at all is an empty body.
    fn finish(&self) -> Result<(), Failure> {
        if self.stream.is_some() && !self.ended {
            return Err(broken());
        }
        Ok(())
    }
}

/// The decoder of a coding for a stream that begins with this byte.
fn start(coding: Coding, first: u8) -> Decompress {
    if coding == Coding::Gzip {
        return Decompress::new_gzip(WINDOW_BITS);
    }
    // zlib's first byte says method 8 in its low half (RFC 1950). A bare DEFLATE stream with these bits begins
    // with a stored block whose padding is not zero, which no encoder writes.
    Decompress::new(first & 0x0f == 8)
}

/// gzip may have several members (RFC 1952 section 2.2), zlib and DEFLATE end once.
fn next_member(coding: Coding, stream: &mut Decompress) -> Result<(), Failure> {
    if coding != Coding::Gzip {
        return Err(broken());
    }
    // `true` keeps the header that the decoder was made for.
    stream.reset(true);
    Ok(())
}

fn broken() -> Failure {
    protocol("a Content-Encoding that can't be undone")
}
