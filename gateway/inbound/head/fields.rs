//! What the headers say about the connection: whose it is, how the body ends, whether more may come.

use super::{BadRequest, Framing, Persistence, Version, is_host};

/// What the headers say about the connection, read in one pass.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    pub(super) expects_continue: bool,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn read(headers: &[httparse::Header<'a>]) -> Result<Self, BadRequest> {
        let mut fields = Self::default();
        for header in headers {
            fields.take(header.name, header.value)?;
        }
        Ok(fields)
    }

    fn take(&mut self, name: &str, value: &'a [u8]) -> Result<(), BadRequest> {
        // The length tells most names apart without a look at them.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => self.take_host(value),
            14 if name.eq_ignore_ascii_case("content-length") => self.take_length(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.take_coding(value),
            10 if name.eq_ignore_ascii_case("connection") => {
                self.take_connection(value);
                Ok(())
            }
            6 if name.eq_ignore_ascii_case("expect") => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn take_host(&mut self, value: &'a [u8]) -> Result<(), BadRequest> {
        if self.host.is_some() || !value.iter().copied().all(is_host) {
            return Err(BadRequest::Host);
        }
        self.host = Some(value);
        Ok(())
    }

    /// RFC 9112 section 6.3 lets a list of equal lengths pass as one; two readers may not agree on that.
    fn take_length(&mut self, value: &[u8]) -> Result<(), BadRequest> {
        if self.length.is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(BadRequest::ContentLength);
        }
        // More digits than 64 bits hold are well-formed, and too large for any `max_body`.
        let length = value.iter().try_fold(0_u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        self.length = Some(length.unwrap_or(u64::MAX));
        Ok(())
    }

    fn take_coding(&mut self, value: &[u8]) -> Result<(), BadRequest> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(BadRequest::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn take_connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// RFC 9112 section 3.2.
    pub(super) fn check_host(&self, version: Version) -> Result<(), BadRequest> {
        if self.host.is_none() && version == Version::Http11 {
            return Err(BadRequest::Host);
        }
        Ok(())
    }

    /// RFC 9112 section 6.1: a server may refuse what has both, and must not trust chunks on HTTP/1.0.
    pub(super) fn framing(&self, version: Version) -> Result<Framing, BadRequest> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(BadRequest::TwoFramings),
            (None, true) if version == Version::Http10 => Err(BadRequest::TransferEncoding),
            (None, true) => Ok(Framing::Chunked),
            (length, false) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }

    /// RFC 9112 section 9.3.
    pub(super) fn persistence(&self, version: Version) -> Persistence {
        match version {
            _ if self.close => Persistence::Close,
            Version::Http11 => Persistence::KeepAlive,
            Version::Http10 if self.keep_alive => Persistence::KeepAliveAsked,
            Version::Http10 => Persistence::Close,
        }
    }
}
