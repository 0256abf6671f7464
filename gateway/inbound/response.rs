//! A response as bytes.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pingora::http::StatusCode;

use super::door::Response;
use super::head::Persistence;

/// Bodies up to this size are copied behind their head: one buffer is cheaper than a vectored write.
const COPIED: usize = 16 * 1024;

/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// Whether the response's body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyPart {
    /// It is.
    Sent,
    /// The request was a `HEAD`: only its length is told.
    Told,
}

impl BodyPart {
    /// What a request that begins so wants of its answer, a refusal included (RFC 9110 section 9.3.2). The request
    /// may be anything; one empty line may stand before it (RFC 9112 section 2.2).
    pub(super) fn of_answer_to(request: &[u8]) -> Self {
        let line = request.strip_prefix(b"\r\n").unwrap_or(request);
        if line.starts_with(b"HEAD ") {
            Self::Told
        } else {
            Self::Sent
        }
    }
}

/// Writes the head, and a small body behind it, into `out`; gives back a body that is to be written after it.
pub(super) fn encode(
    out: &mut Vec<u8>,
    response: Response,
    persistence: Persistence,
    part: BodyPart,
) -> Bytes {
    let answer = response.answer;
    out.clear();
    status_line(out, answer.status);
    field(out, b"Date", &http_date());
    if let Some(value) = &answer.content_type {
        field(out, b"Content-Type", value);
    }
    if let Some(value) = &answer.content_disposition {
        field(out, b"Content-Disposition", value);
    }
    for (name, value) in &response.headers {
        field(out, name.as_bytes(), value.as_bytes());
    }
    // RFC 9110 section 8.6: a 204 has no Content-Length, and neither has it a body.
    let bodiless = matches!(answer.status, 204 | 304);
    if !bodiless {
        let mut length = itoa::Buffer::new();
        field(
            out,
            b"Content-Length",
            length.format(answer.body.len()).as_bytes(),
        );
    }
    match persistence {
        // What HTTP/1.1 does anyway.
        Persistence::KeepAlive => {}
        Persistence::KeepAliveAsked => field(out, b"Connection", b"keep-alive"),
        Persistence::Close => field(out, b"Connection", b"close"),
    }
    out.extend_from_slice(b"\r\n");
    if bodiless || part == BodyPart::Told {
        return Bytes::new();
    }
    if answer.body.len() > COPIED {
        return answer.body;
    }
    out.extend_from_slice(&answer.body);
    Bytes::new()
}

fn status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    // The reason may be empty, the space before it not (RFC 9112 section 4).
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    out.extend_from_slice(reason.unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Leaves out a field whose value is none (RFC 9110 section 5.5): no backend's word may write into our head, and a
/// caller's HTTP client may refuse the whole answer for one control character.
fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    // Every byte is looked at, since then the compiler looks at many at once.
    let is_none = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if value.iter().fold(false, |found, byte| found | is_none(byte)) {
        return;
    }
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The time as `Date` has it (RFC 9110 section 5.6.7), written once a second and thread.
fn http_date() -> [u8; 29] {
    thread_local! {
        static LAST: Cell<(u64, [u8; 29])> = const { Cell::new((u64::MAX, [b' '; 29])) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // A clock may be set to anything; the format ends with the year 9999.
    let second = second.min(LAST_SECOND);
    LAST.with(|last| {
        let (written, date) = last.get();
        if written == second {
            return date;
        }
        let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        let date = <[u8; 29]>::try_from(text.as_bytes()).unwrap_or(date);
        last.set((second, date));
        date
    })
}

#[cfg(test)]
mod tests {
    use koigate_core::answer::Answer;

    use super::*;

    #[test]
    fn a_value_that_is_none_is_left_out() {
        for (value, is_written) in [
            (&b"text/plain"[..], true),
            (b"text/plain;\tcharset=utf-8", true),
            (b"text/plain; a=\xe9", true),
            (b"", true),
            (b"text/plain\r\nSet-Cookie: a=b", false),
            (b"text/plain\n", false),
            (b"text/\0plain", false),
            (b"text/\x1bplain", false),
            (b"text/plain\x7f", false),
        ] {
            let mut answer = Answer::text(200, "hello");
            answer.content_type = Some(Bytes::copy_from_slice(value));
            let mut out = Vec::new();
            encode(&mut out, answer.into(), Persistence::KeepAlive, BodyPart::Sent);
            let line = [b"\r\nContent-Type: ", value, b"\r\n"].concat();
            let mut found = out.windows(line.len());
            assert_eq!(found.any(|it| it == line), is_written, "{}", value.escape_ascii());
            assert_eq!(out.windows(12).any(|it| it == b"Content-Type"), is_written);
            assert!(out.ends_with(b"\r\n\r\nhello"));
        }
    }
}
