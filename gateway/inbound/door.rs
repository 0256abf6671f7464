//! What stands behind a listener, and the request and response that pass through it.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use koigate_core::answer::Answer;
use koigate_core::texts;

use super::crowd::Capacity;
use super::head::Head;
use crate::buffered::Held;
use crate::tls::Speech;

/// What stands behind a listener.
///
/// One connection's requests come one after another; many connections come at once.
pub trait Door: Send + Sync + 'static {
    /// What [`Door::admit`] hands to [`Door::serve`]: a permit, a plan. Dropped if the body never comes whole.
    type Pass: Send + 'static;

    /// How many connections may be open at once. It is asked for each new one: over it the connection gets a
    /// [`Refusal::Overloaded`] and is closed.
    fn capacity(&self) -> Capacity {
        Capacity::UNLIMITED
    }

    /// What callers over TCP have to speak. It is asked for each new connection that has a seat.
    fn speech(&self) -> Speech {
        Speech::Plain
    }

    /// Decides on the head alone, before the body is read and before `100 Continue`.
    ///
    /// # Errors
    ///
    /// The response that refuses the request. The session closes the connection after it, unless the whole
    /// request had arrived already.
    fn admit(&self, head: &Head) -> Result<Admitted<Self::Pass>, Box<Response>>;

    /// Answers the whole request. The future is dropped where it stands when the caller leaves before it is
    /// done, so whatever must outlive it lives elsewhere.
    fn serve(&self, pass: Self::Pass, request: Request) -> impl Future<Output = Response> + Send;

    /// The answer where the edge itself refuses a request ([`Refusal::BadRequest`], [`Refusal::TooLarge`],
    /// [`Refusal::Overloaded`]), and the place to count that. The connection is closed after it; a caller who ran out of time is
    /// counted here too, but gets no answer.
    fn refuse(&self, refusal: Refusal) -> Response {
        refusal.into()
    }
}

/// A request that may come in.
#[derive(Debug)]
pub struct Admitted<P> {
    /// What [`Door::serve`] gets.
    pub pass: P,
    /// The largest body that is read for it, in bytes; a larger one is refused with 413.
    pub max_body: usize,
    /// Where the body counts while it is held; where that is full the request is refused with 503.
    pub held: Held,
}

/// A whole request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its head.
    pub head: Head,
    /// Its body, without any transfer coding; empty where there is none.
    pub body: Bytes,
    /// The same bytes for whoever counts them otherwise than as held, where they hold no more than twice their length.
    pub uncounted: Option<Bytes>,
}

/// What the caller gets.
#[derive(Debug)]
pub struct Response {
    /// Status, what it carries, and the headers that say what that is.
    pub answer: Answer,
    /// Further headers, in this order. `Date`, `Content-Length` and `Connection` are the session's own.
    /// One whose value is no field value (RFC 9110 section 5.5) is left out.
    pub headers: Vec<(&'static str, String)>,
    /// Whether more may be asked on this connection.
    pub connection: Connection,
    /// What is done once it has left.
    pub afterwards: Afterwards,
}

/// What is done once an answer has left, or its caller has: when this is dropped. By default nothing.
#[derive(Default)]
pub struct Afterwards(Option<Box<dyn FnOnce() + Send>>);

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The next request may come, if the caller wants that too.
    KeepAlive,
    /// The answer says `Connection: close`, and the connection is.
    Close,
}

/// Why a request gets no further than the door. The names are the `reason` label of
/// `koigate_request_rejections_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// No valid token: 401.
    Auth,
    /// From an address that may not: 403.
    Source,
    /// Not a method for this path: 405.
    Method,
    /// Nothing lives at this path: 404.
    Path,
    /// The body is larger than `max_body`: 413.
    TooLarge,
    /// Too much at once: 503.
    Overloaded,
    /// Broken HTTP, or too slow: 400.
    BadRequest,
}

// === impl Response ===

impl Response {
    /// A short text for a person.
    pub fn text(status: u16, text: &str) -> Self {
        Answer::text(status, text).into()
    }

    /// 401 with a text, and how a token may be shown.
    pub fn unauthorized(text: &str) -> Self {
        // RFC 9110 section 11.6.1 asks for it. A line for each: Chrome reads only the first challenge of a line.
        Self::text(401, text)
            .with("WWW-Authenticate", "Bearer realm=\"koigate\"")
            .with("WWW-Authenticate", "Basic realm=\"koigate\", charset=\"UTF-8\"")
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, and this is done once it has left. It takes the place of what was to be done.
    #[must_use]
    pub fn and_then(mut self, deed: impl FnOnce() + Send + 'static) -> Self {
        self.afterwards = Afterwards(Some(Box::new(deed)));
        self
    }

    /// The same, and the connection is closed after it.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.connection = Connection::Close;
        self
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            headers: Vec::new(),
            connection: Connection::KeepAlive,
            afterwards: Afterwards::default(),
        }
    }
}

// === impl Afterwards ===

impl Drop for Afterwards {
    fn drop(&mut self) {
        if let Some(deed) = self.0.take() {
            // The answer has left: a fault in here is none of the connection's, and where one was the reason for the drop
            // a second one would end the process.
            let _ = catch_unwind(AssertUnwindSafe(deed));
        }
    }
}

impl fmt::Debug for Afterwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Afterwards(..)"
        } else {
            "Afterwards"
        })
    }
}

// === impl Refusal ===

impl Refusal {
    /// Every refusal, in the order of the contract.
    pub const ALL: [Self; 7] = [
        Self::Auth,
        Self::Source,
        Self::Method,
        Self::Path,
        Self::TooLarge,
        Self::Overloaded,
        Self::BadRequest,
    ];

    /// The word used in metrics and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Source => "source",
            Self::Method => "method",
            Self::Path => "path",
            Self::TooLarge => "too_large",
            Self::Overloaded => "overloaded",
            Self::BadRequest => "bad_request",
        }
    }
}

impl From<Refusal> for Box<Response> {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.into())
    }
}

impl From<Refusal> for Response {
    /// How a hook is refused; [`Refusal::Method`] names `POST`. A stranger's connection is closed.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Auth => Self::unauthorized(texts::UNAUTHORIZED).closing(),
            Refusal::Source => Self::text(403, texts::FORBIDDEN).closing(),
            Refusal::Method => Self::text(405, texts::METHOD).with("Allow", "POST"),
            Refusal::Path => Self::text(404, texts::NOT_FOUND),
            Refusal::TooLarge => Self::text(413, texts::BODY_TOO_LARGE),
            Refusal::Overloaded => Self::text(503, texts::OVERLOADED),
            Refusal::BadRequest => Self::text(400, texts::BAD_REQUEST).closing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_afterwards_breaks_nothing_else() {
        let response = Response::text(200, "").and_then(|| panic!("broken"));
        drop(response);
        let unwinding = catch_unwind(|| {
            let _response = Response::text(200, "").and_then(|| panic!("broken"));
            panic!("the connection's own");
        });
        assert!(unwinding.is_err());
    }
}
