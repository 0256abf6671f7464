//! One caller's connection: the stream, and what has arrived on it and is not used yet.
//!
//! Every wait here has its deadline, and every buffer grows with what has arrived, never with what was
//! announced. Each method may be dropped at its await: nothing that has arrived is lost by that.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::{self, MaybeUninit};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use crate::alarm::Alarm;
use crate::buffered::{free, growth};
use crate::http1::{STRETCH, TURN};

/// A first read's room: a hook of 12 nodes with its head, and place to spare.
const BLOCK: usize = 8 * 1024;
/// Bytes that may wait behind a request that is being served, give or take a read. A caller who has sent more
/// is not read any further until its turn comes.
const MAX_AHEAD: usize = 16 * 1024;
/// A block larger than this is given back once its body has been taken, not kept with the connection.
const KEPT: usize = 16 * 1024;

/// A caller that takes no byte of its answer for so long has gone. What TLS holds back, the last 64 KiB at most, has
/// the time of the whole answer instead.
const WRITE_STALL: Duration = Duration::from_secs(10);
/// What a whole answer may take from the first wait on, besides a second for every [`WRITE_PACE`] bytes of it.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// The least pace of a large answer, in bytes a second.
const WRITE_PACE: usize = 256 * 1024;

/// How long a connection that is being closed is still read, so that the caller can read its answer.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// And how many bytes.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// The stream of one connection, and what has arrived on it.
pub(super) struct Caller {
    stream: Stream,
    arrived: BytesMut,
    /// How many bytes in the same piece of memory, or in one before, have been taken or skipped.
    used: usize,
    peer: Option<SocketAddr>,
    /// Rings when a request has been waited for too long.
    alarm: Option<Alarm>,
    /// How many bytes have been read and written in this turn.
    moved: usize,
}

/// Why nothing more comes from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// It has closed the connection, or the connection broke.
    Left,
    /// Its time is up.
    Late,
}

/// Who is at the other end; nobody can say over a Unix socket.
pub(super) fn peer(stream: &Stream) -> Option<SocketAddr> {
    let digest = stream.get_socket_digest()?;
    digest.peer_addr()?.as_inet().copied()
}

/// Reads up to a block.
fn poll_block(
    stream: &mut Stream,
    arrived: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<Result<(), Lost>> {
    let mut block = [MaybeUninit::uninit(); BLOCK];
    let mut block = ReadBuf::uninit(&mut block);
    let read = ready!(Pin::new(stream).poll_read(context, &mut block));
    arrived.extend_from_slice(block.filled());
    Poll::Ready(match read {
        Ok(()) if !block.filled().is_empty() => Ok(()),
        _ => Err(Lost::Left),
    })
}

/// Writes what the socket takes. A single piece goes the system's shorter way, which saves a quarter of a microsecond.
fn poll_write(
    stream: &mut Stream,
    bytes: &mut impl Buf,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    // Nobody writes more than a head and a body.
    let mut pieces = [IoSlice::new(&[]); 2];
    let stretch = bytes.take(STRETCH);
    let count = stretch.chunks_vectored(&mut pieces);
    let stream = Pin::new(stream);
    let length = ready!(match pieces.get(..count) {
        Some([piece]) => stream.poll_write(context, piece),
        pieces => stream.poll_write_vectored(context, pieces.unwrap_or_default()),
    })?;
    bytes.advance(length);
    Poll::Ready(Ok(length))
}

/// What comes of a write, which the caller has to take by when `due` says, asked at the time when it has to be waited
/// for. Most answers fit into the socket, and nobody has to look at a clock for them.
async fn taken<T>(
    write: impl Future<Output = io::Result<T>>,
    due: impl FnOnce(Instant) -> Instant,
) -> Result<T, Lost> {
    let mut write = pin!(write);
    let written = match poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await {
        Poll::Ready(written) => written,
        Poll::Pending => {
            let in_time = timeout_at(due(Instant::now()), write).await;
            in_time.map_err(|_| Lost::Late)?
        }
    };
    written.map_err(|_| Lost::Left)
}

// === impl Caller ===

impl Caller {
    pub(super) fn new(stream: Stream) -> Self {
        let peer = peer(&stream);
        Self {
            stream,
            arrived: BytesMut::new(),
            used: 0,
            peer,
            alarm: None,
            moved: 0,
        }
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// What has arrived and is not used yet.
    pub(super) fn arrived(&self) -> &[u8] {
        &self.arrived
    }

    /// How large the piece of memory is at most that they are in, in bytes.
    pub(super) fn block(&self) -> usize {
        self.used + self.arrived.capacity()
    }

    /// Waits for the first bytes of a request. No memory is held for them before they come, since most
    /// connections wait here, and nothing of the request before is.
    pub(super) async fn begin(&mut self, deadline: Instant) -> Result<(), Lost> {
        if self.arrived.is_empty() {
            self.forget();
        }
        let Self {
            stream,
            arrived,
            alarm,
            ..
        } = self;
        let alarm = alarm.get_or_insert_with(|| Alarm::at(deadline));
        alarm.set(deadline);
        poll_fn(|context| match poll_block(stream, arrived, context) {
            Poll::Ready(read) => Poll::Ready(read),
            Poll::Pending => alarm.poll(context).map(|()| Err(Lost::Late)),
        })
        .await
    }

    /// Waits for more, of which `wanted` bytes would be of use now.
    pub(super) async fn more(&mut self, wanted: usize, deadline: Instant) -> Result<(), Lost> {
        match timeout_at(deadline, self.read(wanted)).await {
            Ok(read) => read,
            Err(_) => Err(Lost::Late),
        }
    }

    /// Waits for more, for as long as it takes.
    pub(super) async fn read(&mut self, wanted: usize) -> Result<(), Lost> {
        self.make_room(wanted);
        if self.moved >= TURN {
            self.moved = 0;
            yield_now().await;
        }
        let mut stretch = (&mut self.arrived).limit(STRETCH);
        match self.stream.read_buf(&mut stretch).await {
            Ok(0) | Err(_) => Err(Lost::Left),
            Ok(length) => {
                self.moved += length;
                Ok(())
            }
        }
    }

    /// Waits for up to a block more, without memory for it before it comes.
    async fn read_block(&mut self) -> Result<(), Lost> {
        let Self { stream, arrived, .. } = self;
        poll_fn(|context| poll_block(stream, arrived, context)).await
    }

    /// Returns when the caller has left. Until then it keeps up to [`MAX_AHEAD`] bytes of the next requests.
    ///
    /// The end of the caller's stream is taken for its leaving: a caller that closes its half only and waits
    /// for an answer can't be told from one that has gone, and koipy does not do that.
    pub(super) async fn departure(&mut self) {
        while self.arrived.len() < MAX_AHEAD {
            if self.read_block().await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Takes the first `count` bytes of what has arrived.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        let count = count.min(self.arrived.len());
        self.used += count;
        if count <= KEPT {
            return self.arrived.split_to(count).freeze();
        }
        // Else the rest would hold the whole block for as long as the connection idles.
        let rest = BytesMut::from(self.arrived.get(count..).unwrap_or_default());
        let mut taken = mem::replace(&mut self.arrived, rest);
        self.used = 0;
        taken.truncate(count);
        taken.freeze()
    }

    /// Drops the first `count` bytes of what has arrived.
    pub(super) fn skip(&mut self, count: usize) {
        let count = count.min(self.arrived.len());
        self.used += count;
        self.arrived.advance(count);
    }

    /// Drops all that has arrived, and the memory that it took.
    pub(super) fn forget(&mut self) {
        let (block, arrived) = (self.block(), mem::take(&mut self.arrived));
        free(block, || drop(arrived));
        self.used = 0;
    }

    /// Writes all of it, in one system call where the socket has room.
    pub(super) async fn write(&mut self, mut bytes: impl Buf) -> Result<(), Lost> {
        let pace = Duration::from_secs((bytes.remaining() / WRITE_PACE) as u64);
        let mut last = None;
        let mut last_at = |now| *last.get_or_insert(now + WRITE_TIME + pace);
        while bytes.has_remaining() {
            let write = poll_fn(|context| poll_write(&mut self.stream, &mut bytes, context));
            match taken(write, |now| last_at(now).min(now + WRITE_STALL)).await? {
                0 => return Err(Lost::Left),
                length => self.moved += length,
            }
            if bytes.has_remaining() && self.moved >= TURN {
                self.moved = 0;
                yield_now().await;
            }
        }
        // TLS has some of it still. That the caller takes a part of this can't be seen, so it has the time of the whole.
        taken(self.stream.flush(), last_at).await
    }

    /// Ends our half, then reads on for a while: closing on unread bytes would reset the connection, and the
    /// caller might lose the answer that it has not read yet.
    pub(super) async fn linger(&mut self) {
        let _ = timeout(LINGER_TIME, async {
            if self.stream.shutdown().await.is_err() {
                return;
            }
            let mut dropped = 0;
            while dropped < LINGER_BYTES {
                self.forget();
                if self.read_block().await.is_err() {
                    return;
                }
                dropped += self.arrived.len();
            }
        })
        .await;
    }

    /// Room for some of the bytes that are wanted.
    fn make_room(&mut self, wanted: usize) {
        let room = growth(self.arrived.len(), wanted).max(1);
        let spare = self.arrived.capacity() - self.arrived.len();
        if spare < room.min(BLOCK / 4) {
            // A read that fills all the room says that there may be more: the next one would ask the system in vain.
            self.arrived.reserve(room + 1);
        }
    }
}
