//! HTTP/1 messages as they stand on the wire.
//!
//! A client or server library would hide what these tests are about: order and spelling of headers, interim
//! responses, the byte at which a message ends and how the connection ends. So the tests read with their own
//! few lines, and share no code with the program.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long anything in these tests may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a request that asks for the connection to be closed, and gives back all that comes: over whatever leads to
/// the gateway.
pub(crate) async fn whole_answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    bounded("an answer", stream.read_to_string(&mut answer))
        .await
        .unwrap();
    answer
}

/// A connection, plain or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket below, to reset it.
    fn socket(&self) -> &TcpStream;
}

/// One end of a connection: what was read of it beyond the last message waits in `unread`.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

/// The first line and the header fields of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The request or status line.
    pub(crate) line: String,
    /// Names as spelled, values without the space around them.
    pub(crate) fields: Vec<(String, String)>,
}

/// A whole response, as a caller of the gateway sees it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// The interim responses before it.
    pub(crate) interim: Vec<u16>,
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

/// Fails the test with these words if it takes longer than [`PATIENCE`].
pub(crate) async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: still not done after {PATIENCE:?}"),
    }
}

// === impl Wire ===

impl Wire {
    /// Takes over a connection.
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            unread: Vec::new(),
        }
    }

    /// Connects to the gateway, or to whatever listens there.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = bounded("connecting", TcpStream::connect(address))
            .await
            .expect("somebody listens");
        stream.set_nodelay(true).expect("a connected socket");
        Self::new(stream)
    }

    /// Writes and flushes.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Writes a byte at a time, with this pause between them.
    pub(crate) async fn drip(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> io::Result<()> {
        for byte in bytes.as_ref() {
            self.write([*byte]).await?;
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Says that nothing more will be written.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub(crate) fn reset(self) {
        // A failure means that the peer was faster, which is the same end.
        let _ = self.stream.socket().set_zero_linger();
    }

    /// Reads the next head; `None` where the peer closes before its first byte.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return Head::parse(&head).map(Some);
            }
            match self.fill().await? {
                0 if self.unread.is_empty() => return Ok(None),
                0 => return Err(cut("a head")),
                _ => {}
            }
        }
    }

    /// Reads a body of this length.
    pub(crate) async fn exactly(&mut self, length: usize) -> io::Result<Bytes> {
        while self.unread.len() < length {
            if self.fill().await? == 0 {
                return Err(cut("a body"));
            }
        }
        Ok(self.unread.drain(..length).collect::<Vec<u8>>().into())
    }

    /// Reads what is left until the peer closes; a reset is an end as well.
    pub(crate) async fn rest(&mut self) -> Bytes {
        while matches!(self.fill().await, Ok(1..)) {}
        std::mem::take(&mut self.unread).into()
    }

    /// Reads the body that this head announces, whoever sent it.
    pub(crate) async fn body(&mut self, head: &Head) -> io::Result<Bytes> {
        if head.value("transfer-encoding").is_some() {
            return self.chunks().await;
        }
        match head.value("content-length") {
            Some(length) => self.exactly(length.parse().map_err(io::Error::other)?).await,
            None => Ok(Bytes::new()),
        }
    }

    async fn chunks(&mut self) -> io::Result<Bytes> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body.into());
            }
            body.extend(self.exactly(size).await?);
            self.exactly(2).await?;
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.fill().await? == 0 {
                return Err(cut("a line"));
            }
        }
    }

    /// Reads a response to anything but a HEAD.
    pub(crate) async fn response(&mut self) -> io::Result<Response> {
        let mut interim = Vec::new();
        loop {
            let head = self.head().await?.ok_or_else(|| cut("a response"))?;
            let status = head.status();
            if (100..200).contains(&status) {
                interim.push(status);
                continue;
            }
            let body = match status {
                204 | 304 => Bytes::new(),
                _ => self.body(&head).await?,
            };
            return Ok(Response {
                interim,
                status,
                head,
                body,
            });
        }
    }

    /// Reads a response, which has to come.
    pub(crate) async fn answered(&mut self) -> Response {
        bounded("waiting for an answer", self.response())
            .await
            .expect("an answer")
    }

    /// Waits until the peer ends the connection; what it still sent is given back.
    pub(crate) async fn closed(&mut self) -> Bytes {
        bounded("waiting for the end of the connection", self.rest()).await
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.stream.read_buf(&mut self.unread).await
    }
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

// === impl Head ===

impl Head {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let fields = lines
            .map(|field| match field.split_once(':') {
                Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
                None => Err(io::Error::other(format!("no header field: {field:?}"))),
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { line, fields })
    }

    /// The value of the only field of this name, whatever its case. Panics where there are two.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert_eq!(values.next(), None, "two {name} in {self:?}");
        value
    }

    /// The second word of the line: a response's status, 0 where there is none.
    fn status(&self) -> u16 {
        let status = self.line.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.unwrap_or_default()
    }
}

// === impl Response ===

impl Response {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.value(name)
    }

    /// The body as the bot shows it: UTF-8, whatever is none replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.text().chars().take(400).collect();
        write!(f, "{:?} {:?} {shown:?}", self.interim, self.head)
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn cut(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("the connection ended within {what}"),
    )
}
