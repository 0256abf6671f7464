//! The head of a reply: what it says that matters here, and nothing else of it.

use std::mem::MaybeUninit;

use bytes::Bytes;
use httparse::{ParserConfig, Response, Status};
use koigate_core::failure::Failure;

use super::{Then, protocol};
use crate::http1::{BodyFraming, HeadScan};

/// The largest head, in bytes, status line and empty line included.
pub const MAX_HEAD: usize = 64 * 1024;

/// The most header lines of a head.
pub const MAX_LINES: usize = 256;

/// The largest head that a connection remembers, in bytes.
const REMEMBERED: usize = 1024;

/// The part of a status line that can be wrong: version, status, and what delimits it (`HTTP/1.1 200` and one).
const STATUS_PREFIX: usize = 13;

const NO_REPLY: &str = "not an HTTP/1 reply";

/// Collects a head, unless it comes in one piece.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    scan: HeadScan,
    /// What came so far of a head that comes in pieces.
    partial: Vec<u8>,
    /// Whether a whole [`STATUS_PREFIX`] has been judged.
    judged: bool,
}

/// The last head of a connection that came in one piece, if one did. Most backends say the same again and again, and to
/// read the heads of three replies was a twentieth of a hook's instructions.
#[derive(Debug, Default)]
pub struct LastHead(Option<Box<Known>>);

/// A head, as it came and as it was read.
#[derive(Debug)]
struct Known {
    bytes: Vec<u8>,
    head: ReplyHead,
}

/// What matters of a head.
#[derive(Debug, Clone)]
pub(super) struct ReplyHead {
    /// 100 to 999.
    pub(super) status: u16,
    pub(super) content_type: Option<Bytes>,
    pub(super) content_disposition: Option<Bytes>,
    pub(super) coding: Coding,
    pub(super) framing: BodyFraming,
    /// What the head says of the connection.
    pub(super) then: Then,
}

/// What was done to a body before it was sent, RFC 9110 section 8.4.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Coding {
    /// Nothing.
    #[default]
    Identity,
    /// The gzip format.
    Gzip,
    /// The zlib format, or, as some servers have it, bare DEFLATE.
    Deflate,
}

/// The header lines that matter, as they are read.
#[derive(Default)]
struct Fields<'a> {
    content_type: Option<&'a [u8]>,
    content_disposition: Option<&'a [u8]>,
    coding: Option<Coding>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

// === impl HeadReader ===

impl HeadReader {
    /// Takes the next bytes in: the head and what follows it, once it is whole.
    pub(super) fn take<'a>(&mut self, input: &'a [u8]) -> Result<Option<(ReplyHead, &'a [u8])>, Failure> {
        if self.partial.is_empty() {
            let whole = self.scan.end(input).and_then(|end| input.split_at_checked(end));
            if let Some((head, rest)) = whole {
                return ReplyHead::parse(head).map(|head| Some((head, rest)));
            }
        }
        self.partial.extend_from_slice(input);
        let Some(end) = self.scan.end(&self.partial) else {
            return self.judge().map(|()| None);
        };
        // The end lies in what is new, or it would have been found before.
        let after = self.partial.len().saturating_sub(end);
        let (_, rest) = input.split_at(input.len().saturating_sub(after));
        self.partial.truncate(end);
        ReplyHead::parse(&self.partial).map(|head| Some((head, rest)))
    }

    /// The same where `last` is the head before on this connection, and becomes this one.
    pub(super) fn take_after<'a>(
        &mut self,
        last: &mut LastHead,
        input: &'a [u8],
    ) -> Result<Option<(ReplyHead, &'a [u8])>, Failure> {
        let begins = self.partial.is_empty();
        if begins && let Some(again) = last.begins(input) {
            return Ok(Some(again));
        }
        let taken = self.take(input)?;
        if begins && let Some((head, rest)) = &taken {
            last.remember(input.get(..input.len() - rest.len()).unwrap_or_default(), head);
        }
        Ok(taken)
    }

    /// Refuses what can't become a head any more, so that garbage is not waited for.
    fn judge(&mut self) -> Result<(), Failure> {
        if !self.judged {
            judge_status(&self.partial)?;
            self.judged = self.partial.len() >= STATUS_PREFIX;
        }
        judge_size(&self.partial)
    }
}

/// Refuses bytes that begin no status line. The answer depends on the first [`STATUS_PREFIX`] bytes alone, so
/// it is the same however many have come.
fn judge_status(head: &[u8]) -> Result<(), Failure> {
    let prefix = head.get(..STATUS_PREFIX).unwrap_or(head);
    let mut response = Response::new(&mut []);
    let parsed = response.parse(prefix);
    if parsed.is_err() || response.code.is_some_and(|status| status < 100) {
        return Err(protocol(NO_REPLY));
    }
    Ok(())
}

fn judge_size(head: &[u8]) -> Result<(), Failure> {
    if head.len() > MAX_HEAD {
        return Err(protocol("a header over 64 KiB"));
    }
    Ok(())
}

// === impl ReplyHead ===

impl ReplyHead {
    /// Whether this is an interim head (1xx), after which another follows.
    pub(super) fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// Reads a whole head.
    fn parse(head: &[u8]) -> Result<Self, Failure> {
        if head.len() > MAX_HEAD {
            judge_status(head)?;
            judge_size(head)?;
        }
        let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
        let mut response = Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut response, head, &mut lines);
        match parsed {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err(protocol(NO_REPLY)),
            Err(error) => {
                // First what is known first of a head that comes in pieces.
                judge_status(head)?;
                return Err(protocol(match error {
                    httparse::Error::TooManyHeaders => "a header over 256 lines",
                    _ => "a malformed header",
                }));
            }
        }
        let (Some(version), Some(status)) = (response.version, response.code) else {
            return Err(protocol(NO_REPLY));
        };
        if status < 100 {
            return Err(protocol(NO_REPLY));
        }
        if status == 101 {
            return Err(protocol("another protocol that nobody asked for"));
        }
        let mut fields = Fields::default();
        for line in response.headers.iter() {
            fields.note(line.name, line.value)?;
        }
        Ok(fields.into_head(status, version))
    }
}

// === impl LastHead ===

impl LastHead {
    /// This head and what follows it, if these bytes begin with it.
    fn begins<'a>(&self, input: &'a [u8]) -> Option<(ReplyHead, &'a [u8])> {
        let known = self.0.as_ref()?;
        let rest = input.strip_prefix(&*known.bytes)?;
        Some((known.head.clone(), rest))
    }

    fn remember(&mut self, bytes: &[u8], head: &ReplyHead) {
        // No other follows on a connection that ends, and an interim head would take the place of the one after it.
        if head.then == Then::Close || head.is_interim() || bytes.len() > REMEMBERED {
            return;
        }
        let head = head.clone();
        match &mut self.0 {
            Some(known) => {
                known.bytes.clear();
                known.bytes.extend_from_slice(bytes);
                known.head = head;
            }
            None => {
                let bytes = bytes.to_vec();
                self.0 = Some(Box::new(Known { bytes, head }));
            }
        }
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// Takes one line in. Of a line that should be there once and is repeated the first counts, but what frames
    /// the body must be there once.
    fn note(&mut self, name: &str, value: &'a [u8]) -> Result<(), Failure> {
        if name.eq_ignore_ascii_case("content-length") {
            return self.note_length(value);
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return self.note_transfer(value);
        }
        if name.eq_ignore_ascii_case("content-encoding") {
            return self.note_coding(value);
        }
        if name.eq_ignore_ascii_case("connection") {
            self.note_connection(value);
        } else if name.eq_ignore_ascii_case("content-type") {
            self.content_type.get_or_insert(value);
        } else if name.eq_ignore_ascii_case("content-disposition") {
            self.content_disposition.get_or_insert(value);
        }
        Ok(())
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), Failure> {
        let length = decimal(value).ok_or_else(|| protocol("a malformed Content-Length"))?;
        match self.length.replace(length) {
            Some(_) => Err(protocol("a second Content-Length")),
            None => Ok(()),
        }
    }

    fn note_transfer(&mut self, value: &[u8]) -> Result<(), Failure> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(protocol("a Transfer-Encoding other than chunked"));
        }
        self.chunked = true;
        Ok(())
    }

    fn note_coding(&mut self, value: &[u8]) -> Result<(), Failure> {
        let coding = Coding::named(value).filter(|_| self.coding.is_none());
        self.coding = Some(coding.ok_or_else(|| protocol("a Content-Encoding that nobody asked for"))?);
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn into_head(self, status: u16, version: u8) -> ReplyHead {
        let framing = self.framing(status);
        ReplyHead {
            status,
            framing,
            then: self.then(version, framing),
            content_type: self.content_type.map(Bytes::copy_from_slice),
            content_disposition: self.content_disposition.map(Bytes::copy_from_slice),
            coding: self.coding.unwrap_or_default(),
        }
    }

    /// RFC 9112 section 6.3, as far as it speaks of responses to a POST.
    fn framing(&self, status: u16) -> BodyFraming {
        match (status, self.length) {
            (100..=199 | 204 | 304, _) => BodyFraming::Length(0),
            _ if self.chunked => BodyFraming::Chunked,
            (_, Some(length)) => BodyFraming::Length(length),
            (_, None) => BodyFraming::UntilClose,
        }
    }

    /// Whether another exchange may follow: HTTP/1.1 unless it says close, HTTP/1.0 if it says keep-alive, and
    /// never where the head announces what can't be there (a body with a 204) or announces it twice (a length
    /// beside chunks, RFC 9112 section 6.1).
    fn then(&self, version: u8, framing: BodyFraming) -> Then {
        let announced = match framing {
            BodyFraming::Length(length) => !self.chunked && self.length.unwrap_or(0) == length,
            BodyFraming::Chunked => self.length.is_none() && version == 1,
            BodyFraming::UntilClose => false,
        };
        let persistent = !self.close && (version == 1 || self.keep_alive);
        if announced && persistent {
            Then::Reuse
        } else {
            Then::Close
        }
    }
}

// === impl Coding ===

impl Coding {
    fn named(name: &[u8]) -> Option<Self> {
        match name.to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Some(Self::Identity),
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// A number of one or more digits that fits 64 bits; no sign, no list.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_come_again_is_remembered() {
        let large = format!("HTTP/1.1 204 \r\nA: {}\r\n\r\n", "x".repeat(REMEMBERED));
        for (head, is_remembered) in [
            ("HTTP/1.1 204 \r\n\r\n", true),
            ("HTTP/1.1 204 \r\nConnection: close\r\n\r\n", false),
            ("HTTP/1.1 100 \r\n\r\n", false),
            (large.as_str(), false),
        ] {
            let mut last = LastHead::default();
            let taken = HeadReader::default().take_after(&mut last, head.as_bytes());
            assert!(taken.unwrap().is_some(), "{head}");
            assert_eq!(last.begins(head.as_bytes()).is_some(), is_remembered, "{head}");
        }
    }
}
