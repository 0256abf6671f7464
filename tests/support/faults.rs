//! The table of faults: what a backend may do to a gateway, and what has to be seen of it.
//!
//! Each row says it once for every suite: `faults.rs` asks all of them under both policies, and the soak draws
//! from those that are the reply alone. Bodies hold a private word, which the gateway of the tests listens for in
//! every line of the log, whatever fails.

use bytes::Bytes;

use super::backend::{Backend, Told, at_first};
use super::reply::{json_body, reject, status, text};
use super::script::{Script, script};

/// One way in which a backend is broken or odd.
pub(crate) struct Fault {
    /// How a failed test names it.
    pub(crate) what: &'static str,
    /// What comes of it.
    pub(crate) seen: Seen,
    pub(crate) does: Does,
}

/// What the gateway makes of a backend that behaves so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A failure of this kind: the backend's policy decides.
    Failure(&'static str),
    /// An answer all the same, with this status and body.
    Answer(u16, Bytes, Connection),
}

/// What becomes of the connection that brought an odd reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    Kept,
    Dropped,
}

/// What the backend does.
pub(crate) enum Does {
    /// It takes connections and requests as it should, and replies so.
    Replies(Script),
    /// It is told more than a reply.
    Told(Box<dyn Fn(Told) -> Backend + Send + Sync>),
}

impl Fault {
    /// A backend that behaves so.
    pub(crate) fn befalls(&self, told: Told) -> Backend {
        match &self.does {
            Does::Replies(script) => told.replies(script.clone()).starts(),
            Does::Told(told_more) => told_more(told),
        }
    }
}

fn fault(
    what: &'static str,
    kind: &'static str,
    told: impl Fn(Told) -> Told + Send + Sync + 'static,
) -> Fault {
    Fault {
        what,
        seen: Seen::Failure(kind),
        does: Does::Told(Box::new(move |name| told(name).starts())),
    }
}

/// A fault that is the reply alone.
fn replies(what: &'static str, kind: &'static str, script: impl Into<Script>) -> Fault {
    Fault {
        what,
        seen: Seen::Failure(kind),
        does: Does::Replies(script.into()),
    }
}

/// A reply that is odd and yet an answer.
fn odd(
    what: &'static str,
    (status, body): (u16, &[u8]),
    connection: Connection,
    script: impl Into<Script>,
) -> Fault {
    Fault {
        what,
        seen: Seen::Answer(status, Bytes::copy_from_slice(body), connection),
        does: Does::Replies(script.into()),
    }
}

/// Nobody there, or nobody who speaks the same.
pub(crate) fn never_connects() -> Vec<Fault> {
    vec![
        Fault {
            what: "a closed port",
            seen: Seen::Failure("connect"),
            does: Does::Told(Box::new(Told::never_listens)),
        },
        fault("a name that does not resolve", "connect", |told| {
            told.at("http://nothing.invalid/")
        }),
        fault("TLS at a plain port", "connect", |told| {
            told.at("https://{address}/").greets(reject(400, "no"))
        }),
        fault("a TLS handshake that stalls", "connect", |told| {
            told.at("https://{address}/").greets(script().stalls())
        }),
        fault("TLS at a port that closes", "connect", |told| {
            told.at("https://{address}/").greets(script().closes())
        }),
    ]
}

/// Replies that do not come, or do not end.
pub(crate) fn never_ends() -> Vec<Fault> {
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    let sends = |rest: &str| script().sends(format!("{ok}{rest}"));
    vec![
        replies("never answers", "timeout", script().stalls()),
        fault("never reads", "timeout", |told| {
            told.greets(script().waits(2_500).closes())
        }),
        replies("a head by drips", "timeout", script().drips(ok, 200)),
        replies(
            "a body by drips",
            "timeout",
            sends("Content-Length: 90\r\n\r\n").drips("x".repeat(90), 200),
        ),
        replies(
            "chunks by drips",
            "timeout",
            sends("Transfer-Encoding: chunked\r\n\r\n").floods("1\r\nx\r\n", 200),
        ),
        replies(
            "endless interim responses",
            "timeout",
            script().floods("HTTP/1.1 102 Processing\r\n\r\n", 50),
        ),
        replies("half a head", "timeout", script().sends(ok).stalls()),
        replies(
            "half a body",
            "timeout",
            sends("Content-Length: 9\r\n\r\npr1vate").stalls(),
        ),
    ]
}

/// Connections that end before the reply does: a part of a body is never used.
pub(crate) fn ends_early() -> Vec<Fault> {
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: pr1vate\r\n";
    let sends = |rest: &str| script().sends(format!("{ok}{rest}"));
    vec![
        replies("a reset before a byte", "reset", script().resets()),
        replies("an end before a byte", "reset", script().closes()),
        replies("a half-close before a byte", "reset", script().half_closes()),
        replies(
            "an end within the head",
            "reset",
            script().sends("HTTP/1.1 200 OK\r\nConte").closes(),
        ),
        replies(
            "a reset within the head",
            "reset",
            script().sends("HTTP/1.1 200 OK\r\nConte").waits(30).resets(),
        ),
        replies(
            "an end within the body",
            "reset",
            sends("Content-Length: 99\r\n\r\n{\"pr1vate\"").closes(),
        ),
        replies(
            "a reset within the body",
            "reset",
            sends("Content-Length: 99\r\n\r\n{\"pr1vate\"").waits(30).resets(),
        ),
        replies(
            "a length too long",
            "reset",
            sends("Content-Length: 9\r\n\r\n{\"a\": 1}").closes(),
        ),
        replies(
            "chunks cut short",
            "reset",
            sends("Transfer-Encoding: chunked\r\n\r\n8\r\n{\"a\": 1}\r\n").closes(),
        ),
        replies(
            "a chunk cut short",
            "reset",
            sends("Transfer-Encoding: chunked\r\n\r\n8\r\n{\"a\"").closes(),
        ),
        replies(
            "an interim response alone",
            "reset",
            script().sends("HTTP/1.1 100 Continue\r\n\r\n").closes(),
        ),
    ]
}

/// Replies that are no HTTP.
pub(crate) fn breaks_http() -> Vec<Fault> {
    let sends = |wire: &str| script().sends(wire.to_owned()).stalls();
    let ok = |rest: &str| sends(&format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{rest}"));
    let long = format!("X-Long: {}\r\n\r\n", "x".repeat(70_000));
    let many = (0..300).map(|n| format!("X-{n}: x\r\n")).collect::<String>() + "\r\n";
    vec![
        replies("garbage", "protocol", sends("pr1vate garbage\r\n\r\n")),
        replies(
            "binary garbage",
            "protocol",
            script()
                .sends(b"\x16\x03\x01\x00\xff\r\n\r\n".as_slice())
                .stalls(),
        ),
        replies("status 99", "protocol", sends("HTTP/1.1 99 pr1vate\r\n\r\n")),
        replies("status 1000", "protocol", sends("HTTP/1.1 1000 High\r\n\r\n")),
        replies("status abc", "protocol", sends("HTTP/1.1 pr1vate OK\r\n\r\n")),
        replies("HTTP/3", "protocol", sends("HTTP/3.0 200 OK\r\n\r\n")),
        replies(
            "101 unasked",
            "protocol",
            sends("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        ),
        replies(
            "two lengths",
            "protocol",
            ok("Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
        ),
        replies("a negative length", "protocol", ok("Content-Length: -1\r\n\r\nx")),
        replies(
            "a length of letters",
            "protocol",
            ok("Content-Length: pr1vate\r\n\r\nx"),
        ),
        replies(
            "a bad chunk size",
            "protocol",
            ok("Transfer-Encoding: chunked\r\n\r\npr1vate\r\nx\r\n"),
        ),
        replies(
            "a chunk longer than said",
            "protocol",
            ok("Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n"),
        ),
        replies(
            "a transfer coding",
            "protocol",
            ok("Transfer-Encoding: gzip\r\n\r\nx"),
        ),
        replies(
            "a field without a colon",
            "protocol",
            ok("pr1vate no colon\r\n\r\nx"),
        ),
        replies("a head over 64 KiB", "protocol", ok(&long)),
        replies("300 fields", "protocol", ok(&many)),
    ]
}

/// Replies that are larger than any that is wanted.
pub(crate) fn is_too_much() -> Vec<Fault> {
    let much = Bytes::from(vec![b'x'; 65_537]);
    let block = vec![b'x'; 4_096];
    let chunk = [b"1000\r\n".as_slice(), &block, b"\r\n"].concat();
    vec![
        replies("a long body", "too_large", text("").with(much.clone())),
        replies(
            "a length over max_reply",
            "too_large",
            script()
                .sends("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
                .stalls(),
        ),
        replies(
            "a long body in chunks",
            "too_large",
            text("").with(much).chunked(1_000),
        ),
        replies(
            "endless chunks",
            "too_large",
            script()
                .sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .floods(chunk, 0),
        ),
        replies(
            "an endless body",
            "too_large",
            script().sends("HTTP/1.1 200 OK\r\n\r\n").floods(block, 0),
        ),
        replies(
            "a gzip bomb",
            "too_large",
            text("").with(bomb()).header("Content-Encoding", "gzip"),
        ),
    ]
}

/// 64 MiB of zeros in 64 KB.
fn bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        std::io::Write::write_all(&mut encoder, &vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 65_536 + 1_000, "{}", bomb.len());
    bomb[..bomb.len().min(65_000)].to_vec()
}

/// Replies that say what they are and are something else.
pub(crate) fn says_nothing_readable() -> Vec<Fault> {
    let nested = |open: &str| open.repeat(100_000);
    vec![
        replies("cut JSON", "bad_json", json_body("{\"pr1vate\": ")),
        replies("a trailing comma", "bad_json", json_body("{\"pr1vate\": 1,}")),
        replies("two documents", "bad_json", json_body("{} {\"pr1vate\": 1}")),
        replies(
            "bytes that are no UTF-8",
            "bad_json",
            json_body(b"{\"pr1vate\": \"\xff\"}".as_slice()),
        ),
        replies("a page", "bad_json", json_body("<html>pr1vate</html>")),
        replies("100,000 lists", "bad_json", json_body(nested("["))),
        replies("100,000 objects", "bad_json", json_body(nested("{\"a\":"))),
        fault("a status that is a failure", "status", |told| {
            told.set("failure_statuses = ['5xx']").rejects(503, "pr1vate")
        }),
    ]
}

/// Replies whose HTTP is odd, and which are answers all the same.
pub(crate) fn is_framed_oddly() -> Vec<Fault> {
    use Connection::{Dropped, Kept};
    let body = "{\"addons\":{}, \"x\":1}";
    let (length, same) = (body.len(), (200, body.as_bytes()));
    let plain = || json_body(body);
    let sends = |wire: &str| script().sends(wire.to_owned());
    let ok = |rest: &str| {
        sends(&format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{rest}"
        ))
    };
    vec![
        odd(
            "100 before",
            same,
            Kept,
            plain().behind("HTTP/1.1 100 Continue\r\n\r\n"),
        ),
        odd(
            "103 before",
            same,
            Kept,
            plain().behind("HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"),
        ),
        odd("HTTP/1.0 until close", same, Dropped, plain().until_close()),
        odd("until close", same, Dropped, ok(&format!("\r\n{body}")).closes()),
        odd(
            "no reason phrase",
            same,
            Kept,
            sends(&format!(
                "HTTP/1.1 200\r\ncontent-type:application/json\r\ncontent-length:{length}\r\n\r\n{body}"
            )),
        ),
        odd(
            "an empty reason phrase",
            same,
            Kept,
            sends(&format!(
                "HTTP/1.1 200 \r\nCONTENT-TYPE: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )),
        ),
        odd("one byte a chunk", same, Kept, plain().chunked(1)),
        odd("byte by byte", same, Kept, script().drips(plain().to_wire(), 1)),
    ]
}

/// Replies that bring more than they announce: what was announced is used, and the connection is not.
pub(crate) fn says_too_much() -> Vec<Fault> {
    use Connection::Dropped;
    let sends = |wire: &str| script().sends(wire.to_owned());
    vec![
        odd(
            "bytes after the body",
            (403, b"no"),
            Dropped,
            sends("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno\r\n"),
        ),
        odd(
            "a length too short",
            (403, b"no"),
            Dropped,
            sends("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nnobody"),
        ),
        odd(
            "a 204 with a body",
            (204, b""),
            Dropped,
            sends("HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\nbody"),
        ),
    ]
}

/// Replies that say something odd in flawless HTTP.
pub(crate) fn says_something_odd() -> Vec<Fault> {
    use Connection::{Dropped, Kept};
    vec![
        odd("status 600", (502, b"odd"), Kept, reject(600, "odd")),
        odd("status 999", (502, b"odd"), Kept, reject(999, "odd")),
        odd(
            "a redirect to nowhere",
            (204, b""),
            Kept,
            status(302).header("Location", "http://127.0.0.1:1/"),
        ),
        odd(
            "a refusal in GBK",
            (403, b"\xb2\xbb\xd0\xd0"),
            Kept,
            status(403)
                .typed("text/plain; charset=gbk")
                .with(b"\xb2\xbb\xd0\xd0".as_slice()),
        ),
        odd(
            "a refusal that is no text at all",
            (403, b"\xff\x00\xfe"),
            Kept,
            status(403).typed("text/plain").with(b"\xff\x00\xfe".as_slice()),
        ),
        Fault {
            what: "a kept connection that closes as it is written to",
            seen: Seen::Answer(403, Bytes::from_static(b"no"), Dropped),
            does: Does::Told(Box::new(|told| {
                told.replies_with(at_first(reject(403, "no"), script().closes()))
                    .starts()
            })),
        },
        odd(
            "a picture that is cut short",
            (200, CUT_PNG),
            Kept,
            status(200).typed("image/png").with(CUT_PNG),
        ),
        odd(
            "an SVG",
            (200, b"<svg/>"),
            Kept,
            status(200).typed("image/svg+xml").with(b"<svg/>".as_slice()),
        ),
        odd(
            "a picture of no bytes",
            (204, b""),
            Kept,
            status(200).typed("image/png"),
        ),
    ]
}

/// The first bytes of a PNG.
const CUT_PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0";
