//! The one response that the bot gets.

use bytes::Bytes;

use crate::disposition;
use crate::reply::Reply;

/// The one response that the bot gets, as far as core decides it: the edge adds its own headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code, 200 to 599.
    pub status: u16,
    /// The value of `Content-Type`; without one the bot takes the body of a 200 for a file. One line.
    pub content_type: Option<Bytes>,
    /// The value of `Content-Disposition`. One line.
    pub content_disposition: Option<Bytes>,
    /// The body.
    pub body: Bytes,
}

// === impl Answer ===

impl Answer {
    /// Go on; there is nothing to say.
    pub fn no_content() -> Self {
        Self {
            status: 204,
            content_type: None,
            content_disposition: None,
            body: Bytes::new(),
        }
    }

    /// A text of the gateway's own.
    pub fn text(status: u16, text: &str) -> Self {
        let body = Bytes::copy_from_slice(text.as_bytes());
        Self::labelled(status, "text/plain; charset=utf-8", body)
    }

    /// A document.
    pub fn json(document: Bytes) -> Self {
        Self::labelled(200, "application/json", document)
    }

    /// A backend's 200, unchanged: only its file name is made safe.
    pub fn from_reply(reply: &Reply) -> Self {
        Self {
            status: reply.status,
            content_type: reply.content_type.as_ref().map(one_line),
            content_disposition: reply.content_disposition.as_ref().map(disposition::rebuilt),
            body: reply.body.clone(),
        }
    }

    /// A backend's reject, unchanged, whatever its body is. A status that HTTP doesn't have, 600 to 999,
    /// leaves as 502: it may be more than the caller's HTTP client takes.
    pub fn from_reject(reply: &Reply) -> Self {
        Self {
            status: if reply.status < 600 { reply.status } else { 502 },
            content_type: reply.content_type.as_ref().map(one_line),
            content_disposition: reply.content_disposition.as_ref().map(one_line),
            body: reply.body.clone(),
        }
    }

    /// A body with a label of the gateway's own.
    fn labelled(status: u16, content_type: &'static str, body: Bytes) -> Self {
        Self {
            status,
            content_type: Some(Bytes::from_static(content_type.as_bytes())),
            content_disposition: None,
            body,
        }
    }
}

/// The value with a blank for each control character. The reader of a reply lets none through; an answer
/// that can't be split does not rest on that.
fn one_line(value: &Bytes) -> Bytes {
    if value.iter().any(u8::is_ascii_control) {
        return value
            .iter()
            .map(|&b| if b.is_ascii_control() { b' ' } else { b })
            .collect();
    }
    value.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16) -> Reply {
        Reply {
            status,
            content_type: Some(Bytes::from_static(b"Image/PNG;x=\"\xe8\x8a\x82\"")),
            content_disposition: Some(Bytes::from_static(b"attachment; filename=\"../a.png\"")),
            body: Bytes::from_static(b"\xff\0"),
        }
    }

    #[test]
    fn rejects_pass_unchanged() {
        let check = |status, expected| {
            let answer = Answer::from_reject(&reply(status));
            assert_eq!(answer.status, expected);
            assert_eq!(answer.content_type, reply(status).content_type);
            assert_eq!(answer.content_disposition, reply(status).content_disposition);
            assert_eq!(answer.body, reply(status).body);
        };
        check(401, 401);
        check(403, 403);
        check(599, 599);
        check(600, 502);
        check(999, 502);
    }

    #[test]
    fn replies_pass_with_a_safe_file_name() {
        let answer = Answer::from_reply(&reply(200));
        assert_eq!(
            answer.content_disposition.unwrap(),
            "attachment; filename=\"a.png\""
        );
        assert_eq!(answer.content_type, reply(200).content_type);
        assert_eq!(answer.body, reply(200).body);
    }

    #[test]
    fn no_header_can_be_split() {
        let split = Some(Bytes::from_static(b"a\r\nb: c\0"));
        let reply = Reply {
            content_type: split.clone(),
            content_disposition: split,
            ..reply(200)
        };
        for answer in [Answer::from_reply(&reply), Answer::from_reject(&reply)] {
            assert_eq!(answer.content_type.unwrap(), "a  b: c ");
            let disposition = answer.content_disposition.unwrap();
            assert!(!disposition.iter().any(u8::is_ascii_control), "{disposition:?}");
        }
    }
}
