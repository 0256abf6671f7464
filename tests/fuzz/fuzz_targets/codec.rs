//! Where the decoder and hyper both read a reply out of any bytes, they read the same; how the bytes are cut
//! means nothing to the decoder, nor does a head that it remembers; and no reply is larger than it may be.
//!
//! The first two bytes of an input say how the rest is cut. Differences that are meant, each one strictness or
//! tolerance of only one side, and so of no matter here:
//!
//! | bytes | the decoder | hyper |
//! | --- | --- | --- |
//! | a status from 600 to 999, 1xx many times | to 100 times | reads on |
//! | 101 | refuses | hands the connection over |
//! | several equal `Content-Length` | refuses | takes them for one |
//! | a length beside chunks; `Transfer-Encoding: gzip, chunked` | chunks; refuses | chunks |
//! | `Content-Encoding` | undoes it or refuses | leaves it to others |
//! | more than 100 header lines | takes up to 256 | refuses |
#![no_main]

use std::io::Read;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use koigate::outbound::h1::{Decoder, LastHead, Progress, Whole};
use koigate_core::failure::Failure;
use koigate_fuzz::take_cuts;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The largest reply, in bytes.
const MAX_REPLY: usize = 20_000;

fuzz_target!(|input: &[u8]| {
    let Some((cuts, input)) = take_cuts(input) else {
        return;
    };
    // A coding that is both broken and too large is either, as it is noticed.
    let fresh = || Decoder::new(MAX_REPLY, None);
    let decoded = decode(fresh(), &[input.len()], input).ok();
    assert_eq!(decode(fresh(), &cuts, input).ok(), decoded, "cut");
    let mut last = LastHead::default();
    for after in ["nothing", "the same"] {
        let remembers = fresh().after(&mut last);
        assert_eq!(decode(remembers, &cuts, input).ok(), decoded, "after {after}");
    }
    assert_eq!(decode_in_place(input).ok(), decoded, "in place");
    assert_eq!(decode_in_turns(&cuts, input).ok(), decoded, "in turns");
    let Some(Some(whole)) = decoded else { return };
    assert!((200..1000).contains(&whole.reply.status));
    assert!(whole.reply.body.len() <= MAX_REPLY);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let Some(theirs) = runtime.block_on(ask_hyper(input)) else {
        return;
    };
    assert_eq!(whole.reply.status, theirs.status);
    if let Some(body) = theirs.decoded() {
        assert_eq!(whole.reply.body, body);
    }
});

/// The reply in these bytes, after which the connection ends; none after interim answers without end.
fn decode(mut decoder: Decoder<'_>, cuts: &[usize], mut input: &[u8]) -> Result<Option<Whole>, Failure> {
    for &cut in cuts.iter().chain([&usize::MAX]) {
        let (piece, rest) = input.split_at(cut.min(input.len()));
        input = rest;
        match decoder.feed(piece)? {
            Progress::More => {}
            Progress::Whole(whole) => return Ok(Some(as_seen_later(whole, input))),
            Progress::Endless => return Ok(None),
        }
    }
    decoder.close().map(Some)
}

/// The same through the space that the decoder offers.
fn decode_in_place(mut input: &[u8]) -> Result<Option<Whole>, Failure> {
    let mut decoder = Decoder::new(MAX_REPLY, None);
    loop {
        let progress = if let Some(mut space) = decoder.space(0) {
            let length = space.remaining_mut().min(input.len()).min(1000);
            if length == 0 {
                return decoder.close().map(Some);
            }
            let (piece, rest) = input.split_at(length);
            input = rest;
            space.put_slice(piece);
            decoder.filled(length)?
        } else {
            let Some((piece, rest)) = input.split_at_checked(1) else {
                return decoder.close().map(Some);
            };
            input = rest;
            decoder.feed(piece)?
        };
        match progress {
            Progress::More => {}
            Progress::Whole(whole) => return Ok(Some(as_seen_later(whole, input))),
            Progress::Endless => return Ok(None),
        }
    }
}

/// The same where one goes on with the body at each cut that another has begun.
fn decode_in_turns(cuts: &[usize], mut input: &[u8]) -> Result<Option<Whole>, Failure> {
    let mut decoder = Decoder::new(MAX_REPLY, None);
    for &cut in cuts.iter().chain([&usize::MAX]) {
        let (piece, rest) = input.split_at(cut.min(input.len()));
        input = rest;
        match decoder.feed(piece)? {
            Progress::More => {}
            Progress::Whole(whole) => return Ok(Some(as_seen_later(whole, input))),
            Progress::Endless => return Ok(None),
        }
        if decoder.is_large(1) {
            decoder = decoder.take_body().expect("a large body is one");
        }
    }
    decoder.close().map(Some)
}

/// A connection with more to read is not used again.
fn as_seen_later(mut whole: Whole, rest: &[u8]) -> Whole {
    if !rest.is_empty() {
        whole.then = koigate::outbound::h1::Then::Close;
    }
    whole
}

/// What hyper reads.
struct Theirs {
    status: u16,
    codings: Vec<Vec<u8>>,
    body: Bytes,
}

impl Theirs {
    /// The body without its coding; nothing where that is not for the second opinion to say.
    fn decoded(&self) -> Option<Vec<u8>> {
        let coding = match self.codings.as_slice() {
            [] => return Some(self.body.to_vec()),
            [coding] => coding.to_ascii_lowercase(),
            _ => return None,
        };
        let body = &*self.body;
        let mut decoded = Vec::new();
        let read = match coding.as_slice() {
            b"" | b"identity" => return Some(body.to_vec()),
            _ if body.is_empty() => return Some(Vec::new()),
            b"gzip" | b"x-gzip" => MultiGzDecoder::new(body).read_to_end(&mut decoded),
            b"deflate" if body[0] & 0x0f == 8 => ZlibDecoder::new(body).read_to_end(&mut decoded),
            b"deflate" => DeflateDecoder::new(body).read_to_end(&mut decoded),
            _ => return None,
        };
        read.is_ok().then_some(decoded)
    }
}

/// What hyper reads out of these bytes, if it reads a reply.
async fn ask_hyper(input: &[u8]) -> Option<Theirs> {
    let (stream, backend) = tokio::io::duplex(64 * 1024);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let (mut reading, mut writing) = tokio::io::split(backend);
    let call = async {
        let request = hyper::Request::post("/")
            .header("host", "a")
            .body(Full::new(Bytes::from_static(b"{}")));
        let response = sender.send_request(request.ok()?).await.ok()?;
        let (parts, body) = response.into_parts();
        let codings = parts.headers.get_all("content-encoding");
        Some(Theirs {
            status: parts.status.as_u16(),
            codings: codings.iter().map(|value| value.as_bytes().to_vec()).collect(),
            body: body.collect().await.ok()?.to_bytes(),
        })
    };
    let answer = async {
        // A reply before the request is none to hyper.
        let mut request = [0; 16 * 1024];
        let _ = reading.read(&mut request).await;
        let _ = writing.write_all(input).await;
        let _ = writing.shutdown().await;
    };
    let connected = tokio::time::timeout(Duration::from_secs(1), connection);
    let (theirs, _, _) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(1), call),
        connected,
        answer
    );
    theirs.ok()?
}
