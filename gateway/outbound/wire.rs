//! What a connection runs over.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The socket itself, or what speaks TLS over one.
///
/// Pingora's stream looks at the clock where a read has to wait and once more when it has come, and each step through it
/// goes by a table: without it the reads and writes of a hook of three calls take 1,800 instructions and not 3,500.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Layered(Stream),
}

impl Wire {
    /// Whether there is nothing to read, nor an end. Asks the system only if the runtime knows of news.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut scratch = [0; 1];
        match self {
            Self::Plain(socket) => {
                let read = socket.try_read(&mut scratch);
                read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Self::Layered(stream) => {
                let mut context = Context::from_waker(Waker::noop());
                let read = Pin::new(stream).poll_read(&mut context, &mut ReadBuf::new(&mut scratch));
                read.is_pending()
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        input: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, input),
            Self::Layered(stream) => Pin::new(stream).poll_read(context, input),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, output: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, output),
            Self::Layered(stream) => Pin::new(stream).poll_write(context, output),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        output: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(context, output),
            Self::Layered(stream) => Pin::new(stream).poll_write_vectored(context, output),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::Layered(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Layered(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Layered(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
