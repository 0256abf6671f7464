//! One exchange over one connection. Request and reply progress together, inside the caller's task: a backend
//! that answers before it has read everything is heard, and nothing is spawned.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use koigate_core::failure::{Failure, FailureKind};
use koigate_core::reply::Reply;
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::h1::{Decoder, Progress, Then, Whole};
use super::request::{Check, Request};
use super::timed_out;
use crate::alarm::Alarm;
use crate::http1::{STRETCH, TURN};
use crate::tls;

/// What a connection reads at once, in bytes: enough for most replies, little enough to keep while it is idle.
const INPUT: usize = 8 * 1024;

/// What it reads at once while a large reply comes.
const LARGE_INPUT: usize = 64 * 1024;

/// Bodies up to this size are copied behind their head, in bytes: two buffers in one system call take a quarter of a
/// microsecond more than one does.
const COPIED: usize = 8 * 1024;

/// A connection to a backend, at the start of an exchange. Dropping it closes it, at any time.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    input: Vec<u8>,
    /// The head of the request, and a small body behind it, so that every call writes to the same memory.
    head: Vec<u8>,
    opened: Instant,
    /// Rings when the exchange at hand has taken too long.
    alarm: Option<Alarm>,
}

/// Why an exchange brought no reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The connection was closed before the first byte of a reply: if it is an old one, it was closed before
    /// the request came.
    Unheard,
    /// Anything else.
    Failed(Failure),
}

/// An exchange on its way.
struct Exchange<'a> {
    stream: &'a mut Stream,
    sending: Sending<'a>,
    input: &'a mut Vec<u8>,
    decoder: Decoder,
    heard: Heard,
}

/// What has been heard of the reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Not a byte.
    Nothing,
    /// Some of it.
    Something,
    /// Interim answers without end: nothing more is read, and the caller's timer ends it.
    Enough,
}

/// What is to be sent: first `head`, then `body`, in one write if the socket takes it.
struct Sending<'a> {
    head: &'a [u8],
    body: &'a [u8],
    state: Sent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Some of it is left.
    No,
    /// All of it has been handed to the system.
    Yes,
    /// The other side takes no more. It may have answered all the same.
    Refused,
}

// === impl Connection ===

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: vec![0; INPUT],
            head: Vec::new(),
            opened: Instant::now(),
            alarm: None,
        }
    }

    /// When it was opened.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// Sends a request and reads its reply. The connection may be used again if the reply says [`Then::Reuse`].
    ///
    /// At the deadline it has failed. Whoever drops this drops the connection.
    pub(super) async fn exchange(
        &mut self,
        request: &Request<'_>,
        decoder: Decoder,
        deadline: Instant,
    ) -> Result<(Reply, Then), Broken> {
        self.head.clear();
        request.write_head(&mut self.head);
        let mut body: &[u8] = &request.body;
        if body.len() <= COPIED {
            self.head.extend_from_slice(body);
            body = &[];
        }
        self.converse(body, decoder, deadline).await
    }

    /// Asks what an active check asks: the status. The connection is of no use afterwards.
    pub(super) async fn check(
        mut self,
        check: &Check,
        decoder: Decoder,
        deadline: Instant,
    ) -> Result<u16, Broken> {
        self.head.extend_from_slice(check.head());
        let (reply, _) = self.converse(&[], decoder, deadline).await?;
        Ok(reply.status)
    }

    /// Sends the head and this body, and reads the reply. No function that awaits: each would make a call larger.
    fn converse<'a>(
        &'a mut self,
        body: &'a [u8],
        decoder: Decoder,
        deadline: Instant,
    ) -> impl Future<Output = Result<(Reply, Then), Broken>> + 'a {
        let alarm = self.alarm.get_or_insert_with(|| Alarm::at(deadline));
        alarm.set(deadline);
        let mut exchange = Exchange {
            stream: &mut self.stream,
            sending: Sending {
                head: &self.head,
                body,
                state: Sent::No,
            },
            input: &mut self.input,
            decoder,
            heard: Heard::Nothing,
        };
        poll_fn(move |cx| match exchange.poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => alarm.poll(cx).map(|()| Err(Broken::Failed(timed_out()))),
        })
    }

    /// Whether the other side has kept quiet: an idle connection that has something to read has been closed, or
    /// holds what would be taken for the next reply. Asks the system only if the runtime knows of news.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut scratch = [0; 1];
        let mut cx = Context::from_waker(Waker::noop());
        let read = Pin::new(&mut self.stream).poll_read(&mut cx, &mut ReadBuf::new(&mut scratch));
        read.is_pending()
    }

    /// Gives back what a large exchange took, before the connection is laid aside.
    pub(super) fn shrink(&mut self) {
        self.input.truncate(INPUT);
        self.input.shrink_to(INPUT);
        self.head.clear();
        self.head.shrink_to(INPUT);
    }
}

// === impl Exchange ===

impl Exchange<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Reply, Then), Broken>> {
        let mut moved = self.sending.poll(self.stream, cx);
        while self.heard != Heard::Enough {
            if moved >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.poll_read(cx, &mut moved)) {
                Ok(Progress::More) => {}
                Ok(Progress::Endless) => self.heard = Heard::Enough,
                Ok(Progress::Whole(whole)) => return Poll::Ready(Ok(self.done(whole))),
                Err(broken) => return Poll::Ready(Err(broken)),
            }
        }
        Poll::Pending
    }

    /// Reads once, adds to `moved` how much, and takes in what came.
    fn poll_read(&mut self, cx: &mut Context<'_>, moved: &mut usize) -> Poll<Result<Progress, Broken>> {
        if let Some(mut space) = self.decoder.space(self.input.len()) {
            space.set_limit(space.limit().min(STRETCH));
            let reading = pin!(self.stream.read_buf(&mut space));
            let length = ready!(reading.poll(cx));
            *moved += length.as_ref().unwrap_or(&0);
            return Poll::Ready(match length {
                Ok(0) => self.close(),
                Ok(length) => self.decoder.filled(length).map_err(Broken::Failed),
                Err(error) => Err(self.broken(&error)),
            });
        }
        let mut input = ReadBuf::new(self.input);
        let outcome = ready!(Pin::new(&mut *self.stream).poll_read(cx, &mut input));
        let length = input.filled().len();
        *moved += length;
        Poll::Ready(match outcome {
            Err(error) => Err(self.broken(&error)),
            Ok(()) if length == 0 => self.close(),
            Ok(()) => self.feed(length),
        })
    }

    /// Takes in the first `length` bytes of the input buffer.
    fn feed(&mut self, length: usize) -> Result<Progress, Broken> {
        self.heard = Heard::Something;
        let input = self.input.get(..length).unwrap_or_default();
        let progress = self.decoder.feed(input).map_err(Broken::Failed)?;
        if length == self.input.len() && length < LARGE_INPUT {
            self.input.resize(length * 2, 0);
        }
        Ok(progress)
    }

    /// Takes in the end of the stream, which is the end of some replies.
    fn close(&mut self) -> Result<Progress, Broken> {
        if self.heard == Heard::Nothing {
            return Err(Broken::Unheard);
        }
        self.decoder.close().map(Progress::Whole).map_err(Broken::Failed)
    }

    /// What an error while reading means.
    fn broken(&self, error: &io::Error) -> Broken {
        if self.heard == Heard::Nothing {
            // A backend may say only after the handshake (TLS 1.3) that it wants a certificate, or another one.
            return match tls::rejection(error) {
                Some(words) => Broken::Failed(Failure::new(FailureKind::Connect, words)),
                None => Broken::Unheard,
            };
        }
        let detail = format!("the connection broke inside the reply: {}", error.kind());
        Broken::Failed(Failure::new(FailureKind::Reset, detail))
    }

    /// A reply that came before the request was sent leaves the rest of the request in the way of the next.
    fn done(&self, whole: Whole) -> (Reply, Then) {
        match self.sending.state {
            Sent::Yes => (whole.reply, whole.then),
            Sent::No | Sent::Refused => (whole.reply, Then::Close),
        }
    }
}

// === impl Sending ===

impl Sending<'_> {
    /// Sends as much as the socket takes, or a turn's worth, and says how much that was. An error here decides nothing:
    /// the answer may be there already, and if it is not, reading will say so.
    fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> usize {
        let mut moved = 0;
        if self.state == Sent::No {
            match self.poll_write(stream, cx, &mut moved) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.state = Sent::Yes,
                Poll::Ready(Err(_)) => self.state = Sent::Refused,
            }
        }
        moved
    }

    fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(stream);
        while !(self.head.is_empty() && self.body.is_empty()) {
            if *moved >= TURN {
                return Poll::Pending;
            }
            let stretch = self.body.get(..STRETCH).unwrap_or(self.body);
            let length = ready!(match (self.head, stretch) {
                (head, []) => stream.as_mut().poll_write(cx, head),
                ([], body) => stream.as_mut().poll_write(cx, body),
                (head, body) => {
                    let both = [IoSlice::new(head), IoSlice::new(body)];
                    stream.as_mut().poll_write_vectored(cx, &both)
                }
            })?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *moved += length;
            self.advance(length);
        }
        // TLS holds back what the socket did not take.
        stream.poll_flush(cx)
    }

    /// Moves past what has been sent.
    fn advance(&mut self, length: usize) {
        let of_head = length.min(self.head.len());
        self.head = self.head.get(of_head..).unwrap_or_default();
        self.body = self.body.get(length - of_head..).unwrap_or_default();
    }
}
