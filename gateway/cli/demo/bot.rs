//! A bot of a few lines: posts a document as koipy does, and reads the one answer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use koigate_core::answer::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What the bot got for one hook.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The answer.
    pub(crate) answer: Answer,
    /// What each backend said, by the answer's `Server-Timing`.
    pub(crate) calls: Vec<Call>,
    /// From connecting to the last byte.
    pub(crate) took: Duration,
}

/// One entry of `Server-Timing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The backend.
    pub(crate) backend: String,
    /// How its call ended.
    pub(crate) verdict: String,
    /// How long it took, in milliseconds, as the gateway spells it.
    pub(crate) milliseconds: String,
}

/// Why the bot got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BotError {
    /// The connection failed, or the answer did not come in time.
    #[error("no answer from the gateway")]
    Connection(#[from] io::Error),
    /// What came is no HTTP answer.
    #[error("the gateway's answer is broken HTTP")]
    Broken,
}

/// The bot's patience.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer it reads, in bytes.
const MOST: u64 = 64 << 20;
/// The most header lines it reads.
const HEADERS: usize = 32;

/// Posts a document, and reads the answer.
///
/// # Errors
///
/// No answer, or a broken one.
pub(crate) async fn post(gateway: SocketAddr, document: &[u8]) -> Result<Heard, BotError> {
    let begun = Instant::now();
    let bytes = timeout(PATIENCE, exchange(gateway, document))
        .await
        .map_err(io::Error::from)??;
    let (answer, calls) = read(&bytes).ok_or(BotError::Broken)?;
    Ok(Heard {
        answer,
        calls,
        took: begun.elapsed(),
    })
}

/// One request on a connection of its own, so that the answer ends where the connection does.
async fn exchange(gateway: SocketAddr, document: &[u8]) -> io::Result<Bytes> {
    let mut stream = TcpStream::connect(gateway).await?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {gateway}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        document.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(document).await?;
    let mut bytes = Vec::new();
    stream.take(MOST).read_to_end(&mut bytes).await?;
    Ok(bytes.into())
}

fn read(bytes: &Bytes) -> Option<(Answer, Vec<Call>)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else {
        return None;
    };
    let mut answer = Answer {
        status: head.code?,
        content_type: None,
        content_disposition: None,
        body: bytes.slice(length..),
    };
    let mut calls = Vec::new();
    for header in head.headers.iter() {
        let value = Bytes::copy_from_slice(header.value);
        match header.name.to_ascii_lowercase().as_str() {
            "content-type" => answer.content_type = Some(value),
            "content-disposition" => answer.content_disposition = Some(value),
            "content-length" if !is_length(&value, answer.body.len()) => return None,
            "server-timing" => calls = timings(std::str::from_utf8(&value).ok()?),
            _ => {}
        }
    }
    Some((answer, calls))
}

/// Whether an answer that says this length is whole.
fn is_length(value: &[u8], length: usize) -> bool {
    value == length.to_string().as_bytes()
}

/// `blacklist;desc="continue";dur=1.2, poster;desc="failed";dur=5000.0`.
fn timings(value: &str) -> Vec<Call> {
    let call = |entry: &str| {
        let mut parts = entry.trim().split(';');
        let backend = parts.next()?.to_owned();
        let mut call = Call {
            backend,
            verdict: String::new(),
            milliseconds: String::new(),
        };
        for part in parts {
            match part.split_once('=')? {
                ("desc", verdict) => call.verdict = verdict.trim_matches('"').to_owned(),
                ("dur", milliseconds) => call.milliseconds = milliseconds.to_owned(),
                _ => {}
            }
        }
        Some(call)
    };
    value.split(',').filter_map(call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &'static str) -> Option<(Answer, Vec<Call>)> {
        read(&Bytes::from_static(bytes.as_bytes()))
    }

    #[test]
    fn an_answer_with_timings() {
        let (answer, calls) = heard(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\
             Server-Timing: blacklist;desc=\"reject\";dur=1.2, poster;desc=\"cancelled\";dur=0.8\r\n\r\nno",
        )
        .unwrap();
        assert_eq!((answer.status, &answer.body[..]), (403, &b"no"[..]));
        assert_eq!(answer.content_type.as_deref(), Some(&b"text/plain"[..]));
        let call = |backend: &str, verdict: &str, milliseconds: &str| Call {
            backend: backend.to_owned(),
            verdict: verdict.to_owned(),
            milliseconds: milliseconds.to_owned(),
        };
        assert_eq!(
            calls,
            [
                call("blacklist", "reject", "1.2"),
                call("poster", "cancelled", "0.8")
            ]
        );
    }

    #[test]
    fn what_is_cut_or_no_http_is_broken() {
        assert!(heard("HTTP/1.1 204 No Content\r\n\r\n").is_some());
        for broken in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 2",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1",
            "SSH-2.0",
        ] {
            assert!(heard(broken).is_none(), "{broken:?}");
        }
    }
}
