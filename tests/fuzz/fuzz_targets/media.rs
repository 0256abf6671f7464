//! Labels of replies, of any bytes: what they mean is within its bounds, and what leaves as a header is one line
//! that every reader understands in the same way.
//!
//! Pieces of an input are parted by line feeds, which no header has: `Content-Type`, `Content-Disposition`, `Accept`;
//! the rest is the body.
#![no_main]

use bytes::Bytes;
use koigate_core::answer::Answer;
use koigate_core::multipart::Form;
use koigate_core::reply::{Media, Reply};
use libfuzzer_sys::fuzz_target;

/// The longest `Content-Disposition` that leaves, in bytes.
const MAX_VALUE: usize = 2048;

fuzz_target!(|input: &[u8]| {
    let mut pieces = input.splitn(4, |&byte| byte == b'\n');
    let mut piece = || pieces.next().unwrap_or_default();
    let (content_type, disposition, accept) = (piece(), piece(), piece());
    let reply = Reply {
        status: 200,
        content_type: some(content_type),
        content_disposition: some(disposition),
        body: Bytes::copy_from_slice(piece()),
    };
    check_media(&reply);
    check_text(&reply);
    check_name(&reply);
    check_accept(accept);
    check_answer(&reply);
});

fn some(value: &[u8]) -> Option<Bytes> {
    (!value.is_empty()).then(|| Bytes::copy_from_slice(value))
}

/// What a body is depends on its media type and on whether it is attached, whatever else the labels say.
fn check_media(reply: &Reply) {
    let label = reply.content_type.as_deref().unwrap_or_default();
    let before = label.split(|&byte| byte == b';').next().unwrap_or_default();
    let media = before.trim_ascii().to_ascii_lowercase();
    match reply.media() {
        Media::Json => assert_eq!(media, b"application/json"),
        Media::Image => assert!(media.starts_with(b"image/")),
        Media::Text => assert!([&b"text/plain"[..], b"plain/text"].contains(&&*media)),
        Media::File | Media::Other => assert!(!media.starts_with(b"image/") && media != b"application/json"),
    }
}

/// A text is within three times its bytes; where it is UTF-8 without a charset it is its bytes.
fn check_text(reply: &Reply) {
    let text = reply.text();
    assert!(text.len() <= 3 * reply.body.len() + 3);
    if let (None, Ok(utf8)) = (&reply.content_type, std::str::from_utf8(&reply.body)) {
        // A byte order mark of UTF-16 is no UTF-8.
        assert_eq!(text, utf8.strip_prefix('\u{feff}').unwrap_or(utf8));
    }
}

/// A file name that a folder can hold, and nothing that a person reads another way.
fn check_name(reply: &Reply) {
    let Some(name) = reply.file_name() else { return };
    assert!((1..=255).contains(&name.len()), "{name:?}");
    assert!(!name.contains(['/', '\\', '\u{202e}', '\u{2066}']), "{name:?}");
    assert!(!name.chars().any(char::is_control), "{name:?}");
    assert!(!name.ends_with(['.', ' ']) && !name.starts_with(' '), "{name:?}");
}

/// Whoever takes several parts has named them.
fn check_accept(accept: &[u8]) {
    let asked = Form::accepted([accept]) == Form::Multipart;
    let accept = accept.to_ascii_lowercase();
    assert!(!asked || accept.windows(15).any(|window| window == b"multipart/mixed"));
}

/// The headers of an answer hold one value each, which says the same again, to us and to a reader that knows
/// little more than `filename="..."`.
fn check_answer(reply: &Reply) {
    let answer = Answer::from_reply(reply);
    let reject = Answer::from_reject(&Reply {
        status: 403,
        ..reply.clone()
    });
    for answer in [&answer, &reject] {
        let values = [&answer.content_type, &answer.content_disposition];
        for value in values.into_iter().flatten() {
            hyper::header::HeaderValue::from_bytes(value).expect("a header's value");
        }
        assert_eq!(answer.body, reply.body);
    }
    let again = Reply {
        content_type: answer.content_type.clone(),
        content_disposition: answer.content_disposition.clone(),
        ..reply.clone()
    };
    assert_eq!(again.file_name(), reply.file_name());
    assert_eq!(Answer::from_reply(&again), answer);
    if let Some(value) = &answer.content_disposition {
        check_disposition(value);
    }
}

fn check_disposition(value: &[u8]) {
    assert!(value.len() <= MAX_VALUE);
    let value = std::str::from_utf8(value).expect("plain ASCII");
    assert!(
        value.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{value:?}"
    );
    // The simple reader: from the first `filename="` to the next quote.
    let lower = value.to_ascii_lowercase();
    let Some(at) = lower.find("filename=\"") else {
        return;
    };
    let rest = &value[at + "filename=\"".len()..];
    let name = &rest[..rest.find('"').expect("a closing quote")];
    assert!(!name.contains(['/', '\\']) && name.len() <= 255, "{value:?}");
}
