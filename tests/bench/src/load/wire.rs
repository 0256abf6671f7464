//! As much of HTTP/1.1 as load and services need of each other: one message at a time, its body counted, not kept.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;

/// How much is read at once.
pub(crate) const READ: usize = 256 * 1024;

/// What arrives on one connection.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The message's head, once it is whole; what there is of it before.
    head: Vec<u8>,
    body: Option<Body>,
}

/// What is left of a body.
#[derive(Debug)]
enum Body {
    /// So many bytes.
    Bytes(usize),
    /// Chunks, of which these were the last bytes.
    Chunks(Vec<u8>),
}

/// What becomes of a connection that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The message goes on.
    Part,
    /// It is whole.
    Whole,
    /// The other side has closed the connection.
    End,
}

/// What leaves on one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Option<Arc<[u8]>>,
    sent: usize,
}

// === impl Inbox ===

impl Inbox {
    /// Makes room for the next message.
    pub(crate) fn clear(&mut self) {
        self.head.clear();
        self.body = None;
    }

    /// Reads what there is, up to the end of a message.
    ///
    /// # Errors
    ///
    /// The connection breaks, or what comes is no message.
    pub(crate) fn read(&mut self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Heard> {
        loop {
            match stream.read(buffer) {
                Ok(0) => return Ok(Heard::End),
                Ok(length) => {
                    if self.take(buffer.get(..length).unwrap_or_default())? {
                        return Ok(Heard::Whole);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Heard::Part),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes bytes; says whether the message is whole.
    fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if self.body.is_some() {
            return self.take_body(bytes);
        }
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(end) = memchr::memmem::find(&self.head, b"\r\n\r\n").map(|at| at + 4) else {
            return Ok(false);
        };
        self.head.truncate(end);
        self.body = Some(self.announced()?);
        self.take_body(bytes.get(end - before..).unwrap_or_default())
    }

    fn take_body(&mut self, bytes: &[u8]) -> io::Result<bool> {
        match &mut self.body {
            Some(Body::Bytes(left)) => match left.checked_sub(bytes.len()) {
                Some(rest) => {
                    *left = rest;
                    Ok(rest == 0)
                }
                None => Err(broken("more than was announced")),
            },
            Some(Body::Chunks(last)) => {
                last.extend_from_slice(bytes);
                last.drain(..last.len().saturating_sub(END.len()));
                Ok(last == END || last == END.get(2..).unwrap_or_default())
            }
            None => Ok(false),
        }
    }

    /// The body that the head announces.
    fn announced(&self) -> io::Result<Body> {
        if let Some(length) = self.header("content-length") {
            let length = length.parse().map_err(|_| broken("a length that is none"))?;
            return Ok(Body::Bytes(length));
        }
        match self.header("transfer-encoding") {
            Some(_) => Ok(Body::Chunks(Vec::new())),
            None if self.status() == Some(204) || self.status().is_none() => Ok(Body::Bytes(0)),
            None => Err(broken("a body of no length")),
        }
    }

    /// The value of a header of the message.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = str::from_utf8(&self.head).ok()?;
        let headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut named = headers.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }

    /// An answer's status; none of a request.
    pub(crate) fn status(&self) -> Option<u16> {
        let rest = self.head.strip_prefix(b"HTTP/1.1 ")?;
        str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
    }

    /// A request's path.
    pub(crate) fn path(&self) -> &str {
        let head = str::from_utf8(&self.head).unwrap_or_default();
        head.split(' ').nth(1).unwrap_or_default()
    }
}

/// The end of a body in chunks.
const END: &[u8] = b"\r\n0\r\n\r\n";

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

// === impl Outbox ===

impl Outbox {
    /// Sends these bytes, as far as that goes; [`Outbox::go_on`] sends the rest.
    pub(crate) fn send(&mut self, stream: &mut TcpStream, bytes: Arc<[u8]>) -> io::Result<()> {
        self.bytes = Some(bytes);
        self.sent = 0;
        self.go_on(stream)
    }

    /// Sends on.
    pub(crate) fn go_on(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while let Some(bytes) = &self.bytes {
            let rest = bytes.get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                self.bytes = None;
                return Ok(());
            }
            match stream.write(rest) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether everything has been sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_none()
    }
}
