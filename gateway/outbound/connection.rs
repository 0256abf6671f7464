//! One exchange over one connection. Request and reply progress together, inside the caller's task: a backend
//! that answers before it has read everything is heard, and nothing is spawned.

use std::io::{self, IoSlice};
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use koigate_core::failure::{Failure, FailureKind};
use koigate_core::reply::Reply;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::h1::{Decoder, LastHead, Progress, Then, Whole};
use super::request::{Check, Request};
use super::wire::Wire;
use super::{scratch, timed_out};
use crate::alarm::Alarm;
use crate::http1::{STRETCH, TURN};
use crate::offload::HEAVY;
use crate::tls;
use crate::workers::{is_for_bulk, place};

/// What is read at once, in bytes: enough for most replies.
const INPUT: usize = 8 * 1024;

/// What is read at once while a large reply comes.
const LARGE_INPUT: usize = 64 * 1024;

/// A reply of so many bytes is one for the thread that has the bulk: the same as what leaves the thread once it is here.
const LARGE: usize = HEAVY;

/// Bodies up to this size are copied behind their head, in bytes: two buffers in one system call take a quarter of a
/// microsecond more than one does.
const COPIED: usize = 8 * 1024;

/// A connection to a backend, at the start of an exchange. Dropping it closes it, at any time.
#[derive(Debug)]
pub(super) struct Connection {
    wire: Wire,
    opened: Instant,
    /// The thread that its news come to ([`place`]).
    place: usize,
    /// The head of a reply before.
    last: LastHead,
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

/// How far an exchange has come.
pub(super) enum Came {
    /// To its end.
    Whole(Reply, Then),
    /// To where a large body begins, which this reads: [`Connection::listen`].
    Large(Box<Decoder<'static>>),
}

/// An exchange that ends where a large body begins.
struct Begin<'a, W>(Exchange<'a, W>);

/// An exchange on its way.
struct Exchange<'a, W> {
    wire: &'a mut Wire,
    /// Rings at the deadline.
    alarm: &'a mut Alarm,
    sending: Sending<'a, W>,
    /// How much is read at once, in bytes.
    input: usize,
    decoder: Decoder<'a>,
    heard: Heard,
    /// Of a body that is as large as this the rest is left, in bytes.
    most: usize,
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

/// What is to be sent: first a head, then `body`, in one write if the socket takes it.
struct Sending<'a, W> {
    /// Writes the head; `None` once it has.
    head: Option<W>,
    /// What the socket has not taken of the head, and of a body that was copied behind it.
    left: Bytes,
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
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            opened: Instant::now(),
            place: place(),
            last: LastHead::default(),
            alarm: None,
        }
    }

    /// When it was opened.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// The thread that its news come to.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Whether whoever is at that place may use it. What speaks TLS can't move: it is used from afar, each reply waking
    /// two threads, which costs less than a handshake; but not by small hooks from a thread for bulk, which has no time.
    pub(super) fn is_for(&self, place: usize) -> bool {
        matches!(self.wire, Wire::Plain(_)) || is_for_bulk(place) || !is_for_bulk(self.place)
    }

    /// The same idle connection for this thread, which is at that place. `None` where there are news already, of which
    /// the thread before may have had no time to hear, or the system refuses.
    pub(super) fn moved_to(self, place: usize) -> Option<Self> {
        self.moved(place, |socket| {
            let news = socket.peek(&mut [0]);
            news.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        })
    }

    /// The same connection for this thread, whatever has come. `None` where the system refuses.
    pub(super) fn brought_here(self) -> Option<Self> {
        self.moved(place(), |_| true)
    }

    /// The same with its news coming to the thread at that place, if it can move.
    fn moved(mut self, place: usize, may: impl FnOnce(&std::net::TcpStream) -> bool) -> Option<Self> {
        match self.wire {
            Wire::Plain(socket) if self.place != place => {
                let socket = socket.into_std().ok()?;
                may(&socket).then_some(())?;
                self.wire = Wire::Plain(TcpStream::from_std(socket).ok()?);
                self.place = place;
                // That one rings by the other thread's clock.
                self.alarm = None;
            }
            Wire::Plain(_) => {}
            // Whoever had it last may be elsewhere.
            Wire::Layered(_) => self.alarm = None,
        }
        Some(self)
    }

    /// Sends a request and reads its reply, of a large one the beginning, unless this thread is for bulk. The connection
    /// may be used again if the reply says [`Then::Reuse`].
    ///
    /// At the deadline it has failed. Whoever drops this drops the connection.
    pub(super) fn exchange<'a>(
        &'a mut self,
        request: &'a Request<'a>,
        decoder: Decoder<'a>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Came, Broken>> + 'a {
        let head = |output: &mut Vec<u8>| request.write_head(output);
        let mut exchange = self.converse(head, &request.body, decoder, deadline);
        if !is_for_bulk(place()) {
            exchange.most = LARGE;
        }
        Begin(exchange)
    }

    /// Reads on in a reply that has begun; the rest is as with [`Connection::exchange`].
    pub(super) fn listen<'a>(
        &'a mut self,
        decoder: Decoder<'a>,
        deadline: Instant,
    ) -> impl Future<Output = Result<(Reply, Then), Broken>> + 'a {
        let mut exchange = self.converse(|_: &mut Vec<u8>| {}, &[], decoder, deadline);
        exchange.sending.state = Sent::Yes;
        exchange.heard = Heard::Something;
        exchange
    }

    /// Asks what an active check asks: the status. The connection is of no use afterwards.
    pub(super) async fn check(
        mut self,
        check: &Check,
        decoder: Decoder<'_>,
        deadline: Instant,
    ) -> Result<u16, Broken> {
        let head = |output: &mut Vec<u8>| output.extend_from_slice(check.head());
        let (reply, _) = self.converse(head, &[], decoder, deadline).await?;
        Ok(reply.status)
    }

    /// Sends the head that this writes and the body, and reads the reply. No function that awaits: each would make a
    /// call larger, and copy what it is made of once more.
    fn converse<'a, W: FnOnce(&mut Vec<u8>) + Unpin>(
        &'a mut self,
        head: W,
        body: &'a [u8],
        decoder: Decoder<'a>,
        deadline: Instant,
    ) -> Exchange<'a, W> {
        let alarm = self.alarm.get_or_insert_with(|| Alarm::at(deadline));
        alarm.set(deadline);
        Exchange {
            wire: &mut self.wire,
            alarm,
            sending: Sending {
                head: Some(head),
                left: Bytes::new(),
                body,
                state: Sent::No,
            },
            input: INPUT,
            decoder: decoder.after(&mut self.last),
            heard: Heard::Nothing,
            most: usize::MAX,
        }
    }

    /// Whether the other side has kept quiet: an idle connection that has something to read has been closed, or
    /// holds what would be taken for the next reply. Asks the system only if the runtime knows of news.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.wire.is_quiet()
    }
}

// === impl Begin ===

impl<W: FnOnce(&mut Vec<u8>) + Unpin> Future for Begin<'_, W> {
    type Output = Result<Came, Broken>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = &mut self.get_mut().0;
        let came = Pin::new(&mut *exchange).poll(cx);
        if came.is_pending()
            && exchange.has_enough()
            && let Some(body) = exchange.decoder.take_body()
        {
            return Poll::Ready(Ok(Came::Large(Box::new(body))));
        }
        came.map_ok(|(reply, then)| Came::Whole(reply, then))
    }
}

// === impl Exchange ===

impl<W: FnOnce(&mut Vec<u8>) + Unpin> Future for Exchange<'_, W> {
    type Output = Result<(Reply, Then), Broken>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = self.get_mut();
        match exchange.go_on(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => exchange.alarm.poll(cx).map(|()| Err(Broken::Failed(timed_out()))),
        }
    }
}

impl<W: FnOnce(&mut Vec<u8>)> Exchange<'_, W> {
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Reply, Then), Broken>> {
        let mut moved = self.sending.poll(self.wire, cx);
        while self.heard != Heard::Enough {
            if moved >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.poll_read(cx, &mut moved)) {
                // Whoever wants no more takes what there is.
                Ok(Progress::More) if self.has_enough() => return Poll::Pending,
                Ok(Progress::More) => {}
                Ok(Progress::Endless) => self.heard = Heard::Enough,
                Ok(Progress::Whole(whole)) => return Poll::Ready(Ok(self.done(whole))),
                Err(broken) => return Poll::Ready(Err(broken)),
            }
        }
        Poll::Pending
    }

    /// Whether the rest of the reply is left, for which nothing may be left of the request.
    fn has_enough(&self) -> bool {
        self.sending.state == Sent::Yes && self.decoder.is_large(self.most)
    }

    /// Reads once, adds to `moved` how much, and takes in what came.
    fn poll_read(&mut self, cx: &mut Context<'_>, moved: &mut usize) -> Poll<Result<Progress, Broken>> {
        if let Some(mut space) = self.decoder.space(self.input) {
            space.set_limit(space.limit().min(STRETCH));
            let reading = pin!(self.wire.read_buf(&mut space));
            let length = ready!(reading.poll(cx));
            *moved += length.as_ref().unwrap_or(&0);
            return Poll::Ready(match length {
                Ok(0) => self.close(),
                Ok(length) => self.decoder.filled(length).map_err(Broken::Failed),
                Err(error) => Err(self.broken(&error)),
            });
        }
        scratch::reply(self.input, |input| {
            let mut input = ReadBuf::new(input);
            let outcome = ready!(Pin::new(&mut *self.wire).poll_read(cx, &mut input));
            let input = input.filled();
            *moved += input.len();
            Poll::Ready(match (outcome, input) {
                (Err(error), _) => Err(self.broken(&error)),
                (Ok(()), []) => self.close(),
                (Ok(()), input) => self.feed(input),
            })
        })
    }

    /// Takes in what has come.
    fn feed(&mut self, input: &[u8]) -> Result<Progress, Broken> {
        self.heard = Heard::Something;
        let progress = self.decoder.feed(input).map_err(Broken::Failed)?;
        if input.len() == self.input && self.input < LARGE_INPUT {
            self.input *= 2;
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

impl<W: FnOnce(&mut Vec<u8>)> Sending<'_, W> {
    /// Sends as much as the socket takes, or a turn's worth, and says how much that was. An error here decides nothing:
    /// the answer may be there already, and if it is not, reading will say so.
    fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> usize {
        let mut moved = 0;
        if self.state == Sent::No {
            match self.poll_write(wire, cx, &mut moved) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.state = Sent::Yes,
                Poll::Ready(Err(_)) => self.state = Sent::Refused,
            }
        }
        moved
    }

    fn poll_write(
        &mut self,
        wire: &mut Wire,
        cx: &mut Context<'_>,
        moved: &mut usize,
    ) -> Poll<io::Result<()>> {
        let Self { left, body, .. } = self;
        let Some(write_head) = self.head.take() else {
            let mut head = &**left;
            let written = poll_pieces(wire, (&mut head, body), cx, moved);
            let taken = left.len() - head.len();
            left.advance(taken);
            return written;
        };
        scratch::request(|memory| {
            write_head(memory);
            if body.len() <= COPIED {
                memory.extend_from_slice(mem::take(body));
            }
            let mut head = memory.as_slice();
            let written = poll_pieces(wire, (&mut head, body), cx, moved);
            *left = Bytes::copy_from_slice(head);
            written
        })
    }
}

/// Sends what the socket takes of two pieces, or a turn's worth, and leaves the rest of them.
fn poll_pieces(
    wire: &mut Wire,
    (head, body): (&mut &[u8], &mut &[u8]),
    cx: &mut Context<'_>,
    moved: &mut usize,
) -> Poll<io::Result<()>> {
    let mut wire = Pin::new(wire);
    while !(head.is_empty() && body.is_empty()) {
        if *moved >= TURN {
            return Poll::Pending;
        }
        let stretch = body.get(..STRETCH).unwrap_or(body);
        let length = ready!(match (*head, stretch) {
            (head, []) => wire.as_mut().poll_write(cx, head),
            ([], body) => wire.as_mut().poll_write(cx, body),
            (head, body) => {
                let both = [IoSlice::new(head), IoSlice::new(body)];
                wire.as_mut().poll_write_vectored(cx, &both)
            }
        })?;
        if length == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        *moved += length;
        let of_head = length.min(head.len());
        head.advance(of_head);
        body.advance(length - of_head);
    }
    // TLS holds back what the socket did not take.
    wire.poll_flush(cx)
}
