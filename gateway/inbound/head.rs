//! A request's head: where it ends, whether it is one, and what it says.
//!
//! No sockets and no clock: bytes come in, a [`Head`] or the reason against it comes out. [`Scan`] looks at
//! each byte once however the head is cut into reads, and refuses what no further byte could mend; [`check`]
//! then judges the whole. What two readers could understand in two ways is refused, never repaired
//! (RFC 9112 section 11.2).

use std::fmt;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

use bytes::Bytes;

mod fields;
mod scan;
#[cfg(test)]
mod tests;

use fields::Fields;
pub use scan::Scan;

/// The largest head, in bytes, request line and empty line included.
pub const MAX_HEAD: usize = 32 * 1024;
/// The most header lines.
pub const MAX_LINES: usize = 100;

/// The head of a request, checked. Its target and its headers may hold a token, so [`fmt::Debug`] shows neither.
#[derive(Clone)]
pub struct Head {
    /// As it came, from the method to the empty line.
    raw: Bytes,
    method: Span,
    /// `None` where an absolute URI has no path: that is `/`.
    path: Option<Span>,
    query: Option<Span>,
    lines: Vec<Line>,
    version: Version,
    framing: Framing,
    persistence: Persistence,
    expects_continue: bool,
    peer: Option<SocketAddr>,
}

/// The minor version of HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; 0 where nothing is said.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// Whether the caller wants to ask more on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// It may.
    KeepAlive,
    /// It is an HTTP/1.0 caller that asked for it, and has to be told.
    KeepAliveAsked,
    /// It won't.
    Close,
}

/// Why these bytes are no request. The words name nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The first byte can't begin a method: TLS, or anything else.
    #[error("not HTTP")]
    NotHttp,
    /// The request line ends in neither `HTTP/1.1` nor `HTTP/1.0`: HTTP/0.9, HTTP/2's preface.
    #[error("not HTTP/1.1 or HTTP/1.0")]
    Version,
    /// A line that ends without a carriage return.
    #[error("bare line feed")]
    BareLineFeed,
    /// Over 32 KiB.
    #[error("head too large")]
    HeadTooLarge,
    /// Over 100 header lines.
    #[error("too many header lines")]
    TooManyLines,
    /// A request line or header line that is none: a control character, a folded line, a space before the colon.
    #[error("malformed head")]
    Syntax,
    /// A target that is neither a path nor an absolute URI, or holds a user or a fragment.
    #[error("malformed target")]
    Target,
    /// No `Host` on HTTP/1.1, more than one, or one that is no host.
    #[error("not exactly one host")]
    Host,
    /// More than one `Content-Length`, or one that is not digits alone.
    #[error("malformed content length")]
    ContentLength,
    /// A `Transfer-Encoding` that is not exactly one `chunked`, or on HTTP/1.0.
    #[error("unsupported transfer encoding")]
    TransferEncoding,
    /// `Content-Length` and `Transfer-Encoding` together.
    #[error("content length beside transfer encoding")]
    TwoFramings,
    /// A chunk that is none.
    #[error("malformed chunk")]
    Chunk,
}

/// A part of the head's bytes. 16 bits hold [`MAX_HEAD`].
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u16,
    end: u16,
}

/// One header line.
#[derive(Debug, Clone, Copy)]
struct Line {
    name: Span,
    value: Span,
}

// === impl Head ===

impl Head {
    /// The method, as it came.
    pub fn method(&self) -> &str {
        self.str(self.method)
    }

    /// The path, as it came: neither decoded nor normalised. `*` for `OPTIONS *`.
    pub fn path(&self) -> &str {
        self.path.map_or("/", |span| self.str(span))
    }

    /// What follows the `?`, as it came.
    pub fn query(&self) -> Option<&str> {
        self.query.map(|span| self.str(span))
    }

    /// The version of the caller's HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where the caller is, where the socket knows.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The value of every header of this name, in any case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        // By bytes: each hook is asked for a few names, and to make every other name text took 1,100 instructions.
        self.lines
            .iter()
            .filter(move |line| self.bytes(line.name).eq_ignore_ascii_case(name.as_bytes()))
            .map(|line| self.bytes(line.value))
    }

    /// Every header, as it came and in its order, without the white space around the value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines
            .iter()
            .map(|line| (self.str(line.name), self.bytes(line.value)))
    }

    /// A head by itself, for the tests of those who judge one.
    #[cfg(test)]
    pub(crate) fn read(raw: Bytes) -> Result<Self, BadRequest> {
        check(raw)
    }

    /// How the end of the body is found.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the caller wants to ask more on this connection.
    pub fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// Whether the caller sends no body before `100 Continue`.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    pub(crate) fn seen_from(mut self, peer: Option<SocketAddr>) -> Self {
        self.peer = peer;
        self
    }

    /// Spans are made from `raw` itself, so none is outside.
    fn bytes(&self, span: Span) -> &[u8] {
        let range = usize::from(span.start)..usize::from(span.end);
        self.raw.get(range).unwrap_or_default()
    }

    /// Only for what httparse has found to be UTF-8.
    fn str(&self, span: Span) -> &str {
        std::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method())
            .field("version", &self.version)
            .field("framing", &self.framing)
            .finish_non_exhaustive()
    }
}

/// Judges a whole head, from the first byte of the request line to the end of the empty line.
///
/// `httparse` refuses what no line may hold (NUL, bare CR, folding, a space before the colon, a version that
/// is not 1.0 or 1.1); [`Scan`] has refused bare line feeds; the rest of the list stands here.
///
/// # Errors
///
/// What is wrong with it: the first thing that is found.
pub fn check(raw: Bytes) -> Result<Head, BadRequest> {
    within_limit(raw.len())?;
    let mut slots = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(&raw, &mut slots)?;
    if status != httparse::Status::Complete(raw.len()) {
        return Err(BadRequest::Syntax);
    }
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(BadRequest::Syntax);
    };
    let version = if minor == 0 {
        Version::Http10
    } else {
        Version::Http11
    };
    let fields = Fields::read(parsed.headers)?;
    fields.check_host(version)?;
    let (path, query) = split_target(target)?;
    Ok(Head {
        method: span(&raw, method.as_bytes()),
        path: path.map(|path| span(&raw, path.as_bytes())),
        query: query.map(|query| span(&raw, query.as_bytes())),
        lines: parsed
            .headers
            .iter()
            .map(|header| Line::new(&raw, header))
            .collect(),
        version,
        framing: fields.framing(version)?,
        persistence: fields.persistence(version),
        expects_continue: fields.expects_continue && version == Version::Http11,
        peer: None,
        raw,
    })
}

// === impl Line ===

impl Line {
    fn new(raw: &[u8], header: &httparse::Header<'_>) -> Self {
        Self {
            name: span(raw, header.name.as_bytes()),
            value: span(raw, header.value),
        }
    }
}

// === impl BadRequest ===

impl From<httparse::Error> for BadRequest {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooManyLines,
            httparse::Error::Version => Self::Version,
            _ => Self::Syntax,
        }
    }
}

/// Path and query of a target (RFC 9112 section 3.2): a path, `*`, or an absolute `http` URI.
fn split_target(target: &str) -> Result<(Option<&str>, Option<&str>), BadRequest> {
    if target.contains('#') {
        return Err(BadRequest::Target);
    }
    let origin = if target.starts_with('/') || target == "*" {
        target
    } else {
        after_authority(target).ok_or(BadRequest::Target)?
    };
    let (path, query) = match origin.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (origin, None),
    };
    Ok(((!path.is_empty()).then_some(path), query))
}

/// What follows scheme and authority. An authority with a user, or none at all, is refused.
fn after_authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, origin) = rest.split_at_checked(end)?;
    let is_host = !authority.is_empty() && authority.bytes().all(is_host);
    is_host.then_some(origin)
}

fn within_limit(length: usize) -> Result<(), BadRequest> {
    if length > MAX_HEAD {
        return Err(BadRequest::HeadTooLarge);
    }
    Ok(())
}

/// Where `part`, a slice of `raw`, stands in it.
fn span(raw: &[u8], part: &[u8]) -> Span {
    let start = (part.as_ptr() as usize).saturating_sub(raw.as_ptr() as usize);
    let clamp = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
    Span {
        start: clamp(start),
        end: clamp(start + part.len()),
    }
}

/// What may stand in `host:port` (RFC 3986 section 3.2.2). A comma may, by the letter; here it would be two hosts.
fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte)
}
