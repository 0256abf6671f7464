//! Where a head ends.

use std::ops::Range;

use super::{BadRequest, within_limit};

/// Finds where a head ends.
#[derive(Debug, Default)]
pub struct Scan {
    /// Where the request line begins: 0, or 2 after the one empty line that may precede it.
    start: usize,
    /// Where the line being read begins.
    line: usize,
    /// Up to where there is nothing new.
    seen: usize,
    /// Lines that have ended since `start`.
    lines: usize,
}

// === impl Scan ===

impl Scan {
    /// Looks at what has arrived since it last looked; `bytes` is everything from the first byte on.
    /// Gives the range of the whole head once its empty line is there.
    ///
    /// # Errors
    ///
    /// No further byte can make a request of these.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<Range<usize>>, BadRequest> {
        if !bytes.first().is_none_or(|&first| begins_head(first)) {
            return Err(BadRequest::NotHttp);
        }
        while let Some(at) = memchr::memchr(b'\n', bytes.get(self.seen..).unwrap_or_default()) {
            let end = self.seen + at + 1;
            let line = bytes
                .get(self.line..end)
                .and_then(|line| line.strip_suffix(b"\r\n"))
                .ok_or(BadRequest::BareLineFeed)?;
            self.seen = end;
            self.line = end;
            if self.ends_at(line)? {
                return within_limit(end).map(|()| Some(self.start..end));
            }
        }
        self.seen = bytes.len();
        within_limit(bytes.len()).map(|()| None)
    }

    /// Whether this line is the empty one after the headers.
    fn ends_at(&mut self, line: &[u8]) -> Result<bool, BadRequest> {
        if line.is_empty() && self.lines == 0 && self.start == 0 {
            // RFC 9112 section 2.2: one empty line before the request line is to be ignored.
            self.start = self.line;
            return Ok(false);
        }
        if self.lines == 0 && !(line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")) {
            return Err(BadRequest::Version);
        }
        self.lines += 1;
        Ok(line.is_empty())
    }
}

fn begins_head(first: u8) -> bool {
    first == b'\r' || first == b'\n' || is_token(first)
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
