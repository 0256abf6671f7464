//! What a reply means: the protocol's table.

use crate::attachment::AttachmentKind;
use crate::failure::{Failure, FailureKind};
use crate::plan::StatusSet;
use crate::reply::{Media, Reply};

/// What a reply says to do. A [`Failure`] stands beside it, not in it: a service that broke has said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Go on; nothing is carried.
    Continue,
    /// Go on, with a document. Whether it parses and what it changes is found out by comparing it.
    Json,
    /// Go on, with an attachment.
    Attachment(AttachmentKind),
    /// Don't go on, and show the body to the user.
    Reject,
    /// Go on as if nothing had been said.
    Ignored,
}

/// What a reply means, read from the top:
///
/// | reply | class |
/// | --- | --- |
/// | a status of the backend's `failure_statuses` | failed (`status`) |
/// | 204 | continue |
/// | 200 with an empty body, `null` or `{}`, whatever its label; JSON of white space alone | continue |
/// | 200 with any other body | by its [`Media`]: JSON, or an attachment |
/// | above 400 | reject |
/// | any other, 400 included | ignored |
///
/// JSON that is no object or broken is still [`Class::Json`] here. A text that happens to be JSON (`5`, `true`) is
/// a text: only with a JSON label does it carry nothing.
///
/// # Errors
///
/// [`FailureKind::Status`] where `failure_statuses` has the status.
pub fn classify(reply: &Reply, failure_statuses: &StatusSet) -> Result<Class, Failure> {
    match reply.status {
        status if failure_statuses.contains(status) => {
            Err(Failure::new(FailureKind::Status, format!("status {status}")))
        }
        204 => Ok(Class::Continue),
        200 => Ok(carried(reply)),
        401.. => Ok(Class::Reject),
        _ => Ok(Class::Ignored),
    }
}

/// What a 200 carries.
fn carried(reply: &Reply) -> Class {
    match reply.media() {
        _ if reply.body.is_empty() || is_void(&reply.body) => Class::Continue,
        Media::Json if is_blank(&reply.body) => Class::Continue,
        Media::Json => Class::Json,
        Media::Image => Class::Attachment(AttachmentKind::Image),
        Media::Text => Class::Attachment(AttachmentKind::Text),
        Media::File => Class::Attachment(AttachmentKind::File),
        Media::Other => Class::Attachment(AttachmentKind::Other),
    }
}

/// Whether a body is what a service without anything to say returns: `null` or `{}`, be its label JSON or the
/// default of its framework.
fn is_void(body: &[u8]) -> bool {
    match body.trim_ascii() {
        b"null" => true,
        [b'{', inside @ .., b'}'] => is_blank(inside),
        _ => false,
    }
}

/// Whether a JSON body is none: a byte order mark and JSON's white space at most.
fn is_blank(body: &[u8]) -> bool {
    body.strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .iter()
        .all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn reply(status: u16, content_type: &'static str, body: &'static str) -> Reply {
        Reply {
            status,
            content_type: (content_type != "-").then(|| Bytes::from_static(content_type.as_bytes())),
            content_disposition: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn the_protocols_table() {
        let check = |status, content_type, body, expected| {
            let class = classify(&reply(status, content_type, body), &StatusSet::default());
            assert_eq!(class, Ok(expected), "{status} {content_type} {body:?}");
        };
        check(204, "-", "", Class::Continue);
        check(204, "application/json", "{\"a\":1}", Class::Continue);

        check(200, "application/json", "{\"a\":1}", Class::Json);
        check(200, "Application/Json; charset=utf-8", "{", Class::Json);
        check(200, "application/json", "[]", Class::Json);
        check(200, "text/plain", "5", Class::Attachment(AttachmentKind::Text));
        check(200, "text/plain", "{}.", Class::Attachment(AttachmentKind::Text));
        check(200, "image/png", "x", Class::Attachment(AttachmentKind::Image));
        check(200, "text/plain", " ", Class::Attachment(AttachmentKind::Text));
        check(200, "-", "\n", Class::Attachment(AttachmentKind::File));
        check(200, "text/html", "ok", Class::Attachment(AttachmentKind::Other));

        for empty in [
            "application/json",
            "image/png",
            "text/plain",
            "text/html",
            "application/octet-stream",
            "-",
        ] {
            check(200, empty, "", Class::Continue);
        }
        for void in ["null", "{}", " {}\n", "{ }"] {
            for label in ["application/json", "text/html", "text/plain", "image/png", "-"] {
                check(200, label, void, Class::Continue);
            }
        }
        check(200, "application/json", " \t\r\n", Class::Continue);
        check(200, "application/json", "\u{feff} ", Class::Continue);
        check(200, "application/json", "\u{a0}", Class::Json);

        for ignored in [201, 202, 203, 205, 206, 299, 300, 301, 302, 304, 307, 399, 400] {
            check(ignored, "application/json", "{\"a\":1}", Class::Ignored);
        }
        for reject in [401, 403, 404, 409, 418, 422, 499, 500, 503, 599, 600, 999] {
            check(reject, "text/plain", "no", Class::Reject);
            check(reject, "-", "", Class::Reject);
        }
    }

    #[test]
    fn failure_statuses_come_first() {
        let statuses = StatusSet(vec![500..=599, 404..=404, 200..=200]);
        for status in [200, 404, 500, 599] {
            let failure = classify(&reply(status, "-", ""), &statuses).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Status);
            assert_eq!(failure.detail, format!("status {status}"));
        }
        for (status, class) in [
            (403, Class::Reject),
            (204, Class::Continue),
            (400, Class::Ignored),
        ] {
            assert_eq!(classify(&reply(status, "-", ""), &statuses), Ok(class));
        }
    }
}
