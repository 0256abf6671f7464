//! The loop of one connection: head, admit, body, serve, answer; then the next request.
//!
//! Requests that arrive together are answered one after another, in order. Whatever goes wrong ends in one of
//! three ways: the caller gets an answer that says `Connection: close`, the connection is just closed (it has
//! left, or its time is up and an answer would be acted upon), or the request is answered as usual.

use std::mem;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use futures_util::FutureExt;
use koigate_core::texts;
use tokio::time::Instant;

use super::body;
use super::caller::{Caller, Lost};
use super::crowd::Seat;
use super::door::{Admitted, Connection, Door, Refusal, Request, Response};
use super::head::{self, BadRequest, Framing, Head, Persistence, Scan};
use super::leave::{Leave, LeaveWatch, closing};
use super::response::{self, BodyPart};
use crate::buffered::Full;
use crate::offload::HEAVY;
use crate::workers::in_bulk;

/// How long a connection may wait for another request to begin.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// How long a head may take that has begun; the first of a connection has begun with it.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a caller for whom there is no seat may take to begin its request.
const WORD_TIME: Duration = Duration::from_millis(100);
/// What a read asks for while nobody knows how much is to come; what the connection keeps stays as small.
pub(super) const SOME: usize = 8 * 1024;
/// A body of so many bytes, and an answer, is one for the thread that has the bulk: the same as what leaves the thread once it is here.
const LARGE: u64 = HEAVY as u64;

/// One connection.
pub(super) struct Session<D> {
    door: Arc<D>,
    caller: Caller,
    /// Tells when the connection is to end.
    leave: LeaveWatch,
    /// Waits for that. Kept, since every wait of its own is entered into a list that all connections share.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// By when the head of the first request has to be whole.
    fresh: Option<Instant>,
    /// The head of the response at hand, kept for its allocation.
    out: Vec<u8>,
    /// What the request at hand wants of its answer's body.
    part: BodyPart,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody waits for anything.
    Gone,
    /// The caller has its last answer, and may still be sending.
    Answered,
}

/// A request that has been let in, before its body.
struct Entry<P> {
    head: Head,
    admitted: Admitted<P>,
}

/// What of a turn is large, with all that comes after it.
enum Large<P> {
    /// The request's body.
    Body(Entry<P>),
    /// The answer's.
    Answer(Response, Persistence),
}

/// Why a request comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Lost(Lost),
    Bad(BadRequest),
    TooLarge,
    /// There is no room for more of its body.
    Overloaded,
}

// === impl Session ===

impl<D: Door> Session<D> {
    /// `due` is by when the first head has to be whole.
    pub(super) fn new(door: Arc<D>, caller: Caller, leave: LeaveWatch, due: Instant) -> Self {
        Self {
            door,
            caller,
            closing: Box::pin(closing(leave.clone())),
            leave,
            fresh: Some(due),
            out: Vec::new(),
            part: BodyPart::Sent,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let ended = match self.turn().await {
                Ok(None) => Ok(()),
                Ok(Some(large)) => {
                    let ended;
                    (self, ended) = in_bulk(self.large(large)).await;
                    ended
                }
                Err(end) => Err(end),
            };
            match ended {
                Ok(()) => {}
                Err(End::Gone) => return,
                Err(End::Answered) => return self.linger().await,
            }
        }
    }

    /// Tells a caller for whom there is no seat. Where there is no place for that either, the connection just ends.
    pub(super) async fn turn_back(mut self, place: Option<&Seat>) {
        let response = self.door.refuse(Refusal::Overloaded).closing();
        if place.is_none() {
            return;
        }
        // Most have said already what they want, and a HEAD gets no body. Who says nothing is told all the same.
        if self.caller.begin(Instant::now() + WORD_TIME).await == Err(Lost::Left) {
            return;
        }
        self.part = BodyPart::of_answer_to(self.caller.arrived());
        if self.answer(response, Persistence::Close).await == Err(End::Answered) {
            self.linger().await;
        }
    }

    /// Tells a caller that it has to speak TLS, which it does not.
    pub(super) async fn ask_for_tls(mut self) {
        let _ = self.door.refuse(Refusal::BadRequest);
        let response = Response::text(400, texts::TLS_ONLY).closing();
        if self.answer(response, Persistence::Close).await == Err(End::Answered) {
            self.linger().await;
        }
    }

    /// One request, from its first byte to the last of its answer, or to the first of a large body.
    async fn turn(&mut self) -> Result<Option<Box<Large<D::Pass>>>, End> {
        self.begun().await?;
        let head = match self.head().await {
            Ok(head) => head,
            Err(broken) => return Err(self.refuse(broken).await),
        };
        let entry = match self.admit(&head) {
            Ok(admitted) => Entry { head, admitted },
            Err(response) => return self.turn_away(&head, *response).await.map(|()| None),
        };
        // Who sends chunks does not say how many.
        if matches!(entry.head.framing(), Framing::Length(length) if length >= LARGE) {
            return Ok(Some(Box::new(Large::Body(entry))));
        }
        let (response, persistence) = self.response(entry).await?;
        if response.answer.body.len() as u64 >= LARGE {
            return Ok(Some(Box::new(Large::Answer(response, persistence))));
        }
        self.answer(response, persistence).await.map(|()| None)
    }

    /// The rest of a turn from what is large on.
    async fn large(mut self, large: Box<Large<D::Pass>>) -> (Self, Result<(), End>) {
        let response = match *large {
            Large::Body(entry) => self.response(entry).await,
            Large::Answer(response, persistence) => Ok((response, persistence)),
        };
        let turn = match response {
            Ok((response, persistence)) => self.answer(response, persistence).await,
            Err(end) => Err(end),
        };
        (self, turn)
    }

    /// What the door says to a request, from its body on, and what the caller wants then of its connection.
    async fn response(&mut self, entry: Entry<D::Pass>) -> Result<(Response, Persistence), End> {
        let Entry { head, admitted } = entry;
        let body = match body::read(&mut self.caller, &head, admitted.max_body, admitted.held).await {
            Ok(body) => body,
            Err(broken) => return Err(self.refuse(broken).await),
        };
        let persistence = head.persistence();
        let request = Request {
            head,
            body: body.bytes,
            uncounted: body.uncounted,
        };
        let response = self.serve(admitted.pass, request).await?;
        Ok((response, persistence))
    }

    /// Waits for the first byte of a request.
    async fn begun(&mut self) -> Result<(), End> {
        if !self.caller.arrived().is_empty() {
            return Ok(());
        }
        let deadline = self.fresh.unwrap_or_else(|| Instant::now() + IDLE_TIME);
        tokio::select! {
            biased;
            begun = self.caller.begin(deadline) => begun.map_err(|_| End::Gone),
            () = &mut self.closing => Err(End::Gone),
        }
    }

    async fn head(&mut self) -> Result<Head, Broken> {
        // Most heads come whole, and nobody has to look at a clock for them.
        let mut deadline = self.fresh.take();
        let mut scan = Scan::default();
        loop {
            // Before it is checked: a HEAD that is refused gets no body either.
            self.part = BodyPart::of_answer_to(self.caller.arrived());
            if let Some(range) = scan.advance(self.caller.arrived())? {
                self.caller.skip(range.start);
                let raw = self.caller.take(range.len());
                return Ok(head::check(raw)?.seen_from(self.caller.peer()));
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + HEAD_TIME);
            self.caller.more(SOME, deadline).await?;
        }
    }

    fn admit(&self, head: &Head) -> Result<Admitted<D::Pass>, Box<Response>> {
        let admit = AssertUnwindSafe(|| self.door.admit(head));
        std::panic::catch_unwind(admit).unwrap_or_else(|_| Err(Box::new(internal_error())))
    }

    /// Asks the door, for as long as the caller waits. A panic in there is this request's alone.
    async fn serve(&mut self, pass: D::Pass, request: Request) -> Result<Response, End> {
        let door = &*self.door;
        let served = AssertUnwindSafe(async move { door.serve(pass, request).await }).catch_unwind();
        let mut served = pin!(served);
        tokio::select! {
            biased;
            response = &mut served => Ok(response.unwrap_or_else(|_| internal_error())),
            () = self.caller.departure() => Err(End::Gone),
        }
    }

    /// Answers a request that is none, or too large, or too much, and ends the connection: where the next request would
    /// begin is not known, or too far away.
    async fn refuse(&mut self, broken: Broken) -> End {
        let refusal = match broken {
            Broken::Lost(Lost::Left) => return End::Gone,
            Broken::Lost(Lost::Late) => {
                // Counted, not answered: the bot would take 408 for a refusal, and a crowd of slow connections
                // would linger.
                let _ = self.door.refuse(Refusal::BadRequest);
                return End::Gone;
            }
            Broken::Bad(reason) => {
                tracing::debug!(%reason, "request refused");
                Refusal::BadRequest
            }
            Broken::TooLarge => Refusal::TooLarge,
            Broken::Overloaded => Refusal::Overloaded,
        };
        // What has come of it counts nowhere any more, and the caller may take its time.
        self.caller.forget();
        let response = self.door.refuse(refusal).closing();
        let answered = self.answer(response, Persistence::Close).await;
        answered.err().unwrap_or(End::Answered)
    }

    /// Answers a request that is not let in. Its body is not waited for; if it isn't here, the connection ends.
    async fn turn_away(&mut self, head: &Head, response: Response) -> Result<(), End> {
        let arrived = self.caller.arrived().len() as u64;
        let persistence = match head.framing() {
            Framing::Length(length) if length <= arrived => {
                self.caller.skip(usize::try_from(length).unwrap_or(usize::MAX));
                head.persistence()
            }
            Framing::Length(_) | Framing::Chunked => Persistence::Close,
        };
        self.answer(response, persistence).await
    }

    /// Lets the caller read its last answer before the connection goes.
    async fn linger(&mut self) {
        tokio::select! {
            () = self.caller.linger() => {}
            // Not the one that is kept: while all are to go its time has begun before this request.
            () = closing(self.leave.clone()) => {}
        }
    }

    async fn answer(&mut self, mut response: Response, wanted: Persistence) -> Result<(), End> {
        let closes = response.connection == Connection::Close || *self.leave.borrow() >= Leave::LastAnswers;
        let persistence = if closes { Persistence::Close } else { wanted };
        let afterwards = mem::take(&mut response.afterwards);
        let body = response::encode(&mut self.out, response, persistence, self.part);
        let written = self.caller.write(self.out.as_slice().chain(body)).await;
        drop(afterwards);
        match (written, persistence) {
            (Err(_), _) => Err(End::Gone),
            (Ok(()), Persistence::Close) => Err(End::Answered),
            (Ok(()), _) => Ok(()),
        }
    }
}

// === impl Broken ===

impl From<Lost> for Broken {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Full> for Broken {
    fn from(_: Full) -> Self {
        Self::Overloaded
    }
}

impl From<BadRequest> for Broken {
    fn from(bad: BadRequest) -> Self {
        Self::Bad(bad)
    }
}

/// What a caller gets when the door broke. The door itself answers its own panics where it can count them.
fn internal_error() -> Response {
    Response::text(500, texts::INTERNAL)
}
