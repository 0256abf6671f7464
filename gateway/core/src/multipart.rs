//! Several replies in one answer, for callers that ask for it: `multipart/mixed` (RFC 2046 section 5.1).

use std::collections::BTreeSet;

use bytes::Bytes;
use memchr::memmem;

use crate::answer::Answer;
use crate::parameters;

/// What comes before the number in a boundary.
const BOUNDARY: &str = "koigate-";

/// The digits of the number in a boundary.
const DIGITS: usize = 8;

/// Whether a caller takes several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One body of one kind, as koipy does.
    Single,
    /// `multipart/mixed`.
    Multipart,
}

// === impl Form ===

impl Form {
    /// What the values of a request's `Accept` headers ask for: [`Form::Multipart`] where `multipart/mixed`
    /// is named with a quality above 0. A wildcard does not name it: every HTTP client sends `*/*`. A comma
    /// in quotes separates too, since no parameter that matters here has one.
    pub fn accepted<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut ranges = values.into_iter().flat_map(|value| value.split(|&b| b == b','));
        if ranges.any(is_multipart) {
            Self::Multipart
        } else {
            Self::Single
        }
    }
}

/// Whether one range of `Accept` is `multipart/mixed` and not refused.
fn is_multipart(range: &[u8]) -> bool {
    let (media_type, parameters) = parameters::split(range);
    media_type.eq_ignore_ascii_case(b"multipart/mixed")
        && !parameters
            .find("q")
            .is_some_and(|quality| is_zero(&quality.value))
}

/// Whether a quality (RFC 9110 section 12.4.2) refuses: `0`, `0.` or `0.000`.
fn is_zero(quality: &[u8]) -> bool {
    match quality {
        [b'0'] => true,
        [b'0', b'.', decimals @ ..] => decimals.iter().all(|&b| b == b'0'),
        _ => false,
    }
}

// === writing ===

/// One answer of many parts, each with its own headers and its body unchanged. A part without
/// `Content-Type` stays without: to the bot that means a file. `most` is what [`most`] says.
pub(crate) fn mixed(parts: &[Answer], most: usize) -> Answer {
    let boundary = boundary(parts);
    let mut body = Vec::with_capacity(most);
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        push_header(&mut body, "Content-Type", part.content_type.as_ref());
        push_header(
            &mut body,
            "Content-Disposition",
            part.content_disposition.as_ref(),
        );
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&part.body);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Answer {
        status: 200,
        content_type: Some(format!("multipart/mixed; boundary={boundary}").into()),
        content_disposition: None,
        body: body.into(),
    }
}

fn push_header(out: &mut Vec<u8>, name: &str, value: Option<&Bytes>) {
    if let Some(value) = value {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// How many bytes the body of these parts has at most.
pub(crate) fn most(parts: &[Answer]) -> usize {
    let around =
        BOUNDARY.len() + DIGITS + "--\r\nContent-Type: \r\nContent-Disposition: \r\n\r\n\r\n--\r\n".len();
    let inside = |part: &Answer| contents(part).map(<[u8]>::len).sum::<usize>() + around;
    parts.iter().map(inside).sum::<usize>() + around
}

/// The first boundary of the row that occurs in no part: each part is looked through once.
fn boundary(parts: &[Answer]) -> String {
    let finder = memmem::Finder::new(BOUNDARY);
    let taken: BTreeSet<u32> = parts
        .iter()
        .flat_map(contents)
        .flat_map(|bytes| {
            finder
                .find_iter(bytes)
                .filter_map(move |at| number(bytes, at + BOUNDARY.len()))
        })
        .collect();
    // There are fewer numbers in the parts than numbers.
    let free = (0..=u32::MAX)
        .find(|number| !taken.contains(number))
        .unwrap_or(u32::MAX);
    format!("{BOUNDARY}{free:0DIGITS$x}")
}

/// The number of a boundary, where one stands there.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at.checked_add(DIGITS)?)?;
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// Everything of a part that ends up in the body.
fn contents(part: &Answer) -> impl Iterator<Item = &[u8]> {
    [
        part.content_type.as_deref(),
        part.content_disposition.as_deref(),
        Some(&*part.body),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_gets_parts() {
        let check = |values: &[&str], expected| {
            let form = Form::accepted(values.iter().map(|value| value.as_bytes()));
            assert_eq!(form, expected, "{values:?}");
        };
        check(&[], Form::Single);
        check(&["*/*"], Form::Single);
        check(&["multipart/*"], Form::Single);
        check(&["multipart/mixed"], Form::Multipart);
        check(&["Multipart/Mixed;q=0.1, */*"], Form::Multipart);
        check(
            &["application/json", "text/html, multipart/mixed ; x=y; Q=1"],
            Form::Multipart,
        );
        check(&["multipart/mixed;q=0"], Form::Single);
        check(&["multipart/mixed; q=0.000, */*"], Form::Single);
        check(&["multipart/mixed; x=1; q=0."], Form::Single);
        check(&["multipart/mixed; q=0.001"], Form::Multipart);
        check(&["multipart/mixed; q=nonsense"], Form::Multipart);
        check(&["multipart/mixed2", "xmultipart/mixed", ",,;"], Form::Single);
    }

    fn part(content_type: Option<&'static str>, body: &'static [u8]) -> Answer {
        Answer {
            status: 200,
            content_type: content_type.map(|value| Bytes::from_static(value.as_bytes())),
            content_disposition: None,
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn parts_are_written_as_rfc_2046_has_them() {
        let named = Answer {
            content_disposition: Some(Bytes::from_static(b"attachment; filename=\"a\"")),
            ..part(None, b"\0\r\n")
        };
        let answer = {
            let parts = [part(Some("application/json"), b"{}"), named];
            mixed(&parts, most(&parts))
        };
        assert_eq!(
            answer.content_type.unwrap(),
            "multipart/mixed; boundary=koigate-00000000"
        );
        assert_eq!(
            answer.body,
            "--koigate-00000000\r\nContent-Type: application/json\r\n\r\n{}\r\n\
             --koigate-00000000\r\nContent-Disposition: attachment; filename=\"a\"\r\n\r\n\0\r\n\r\n\
             --koigate-00000000--\r\n"
        );
    }

    #[test]
    fn a_boundary_occurs_in_no_part() {
        let check = |bodies: &[&'static str], expected: &str| {
            let parts: Vec<_> = bodies.iter().map(|body| part(None, body.as_bytes())).collect();
            assert_eq!(boundary(&parts), expected, "{bodies:?}");
        };
        check(&["koigate-"], "koigate-00000000");
        check(&["koigate-00000000", "x koigate-00000001-"], "koigate-00000002");
        check(&["koigate-koigate-00000000koigate-00000002"], "koigate-00000001");
        let label = part(Some("a; b=koigate-00000000"), b"");
        assert_eq!(boundary(&[label]), "koigate-00000001");
    }
}
