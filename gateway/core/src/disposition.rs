//! `Content-Disposition` (RFC 6266): which file name it means, and a value that is safe to pass on.
//!
//! The name ends up in a person's download folder, and the header in front of parsers that know little more
//! than `filename="..."`. So a name loses its path and everything that is no character, and the header is
//! written anew, unless it was plain to begin with.

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::{Encoding, WINDOWS_1252};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::parameters::{self, Spelling};

/// The longest file name, in bytes: what common file systems take.
const MAX_NAME: usize = 255;

/// The longest extension that survives when a name is cut, in bytes.
const MAX_EXTENSION: usize = 16;

/// The longest value that passes as it came, in bytes.
const MAX_VALUE: usize = 2048;

/// What RFC 8187 wants encoded: everything but `attr-char`.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Whether the value says `attachment`.
pub(crate) fn is_attachment(value: &[u8]) -> bool {
    parameters::split(value).0.eq_ignore_ascii_case(b"attachment")
}

/// The file name that a value means, made safe: `filename*` before `filename`.
pub(crate) fn file_name(value: &[u8]) -> Option<String> {
    Names::read(value).best().and_then(safe_name)
}

/// The value as it may leave: as it came where it is plain ASCII and its names are safe, else written anew
/// from its type and its name. The result has no control characters, and no name over 255 bytes.
pub(crate) fn rebuilt(value: &Bytes) -> Bytes {
    let names = Names::read(value);
    let is_printable = value.iter().all(|b| matches!(b, b' '..=b'~'));
    if value.len() <= MAX_VALUE && is_printable && names.are_plain() && names.are_all_of(value) {
        return value.clone();
    }
    // RFC 6266 section 4.2: a type that nobody knows is an attachment.
    let inline = parameters::split(value).0.eq_ignore_ascii_case(b"inline");
    let kind = if inline { "inline" } else { "attachment" };
    match names.best().and_then(safe_name) {
        Some(name) => format!("{kind}; {}", spelled(&name)).into(),
        None => Bytes::from_static(kind.as_bytes()),
    }
}

/// The file names that one value gives.
struct Names {
    /// `filename`, the first one.
    plain: Option<String>,
    /// `filename*`, the first one that could be decoded.
    extended: Option<String>,
    /// How many parameters give one.
    given: usize,
    /// Whether every parameter keeps to the grammar and no name is given twice or undecodable.
    spelling: Spelling,
}

// === impl Names ===

impl Names {
    fn read(value: &[u8]) -> Self {
        let mut names = Self {
            plain: None,
            extended: None,
            given: 0,
            spelling: Spelling::Exact,
        };
        for parameter in parameters::split(value).1 {
            names.given += usize::from(parameter.is("filename") || parameter.is("filename*"));
            let clean = if parameter.is("filename") {
                fill(&mut names.plain, Some(plain_text(&parameter.value)))
            } else if parameter.is("filename*") {
                fill(&mut names.extended, extended_text(&parameter.value))
            } else {
                true
            };
            if !clean || parameter.spelling == Spelling::Loose {
                names.spelling = Spelling::Loose;
            }
        }
        names
    }

    /// The name that counts, not yet safe.
    fn best(&self) -> Option<&str> {
        self.extended.as_deref().or(self.plain.as_deref())
    }

    /// Whether every reader, however simple, finds a safe name in this value.
    fn are_plain(&self) -> bool {
        let safe = |name: &String| safe_name(name).as_ref() == Some(name);
        self.spelling == Spelling::Exact
            && self
                .plain
                .as_ref()
                .is_none_or(|name| safe(name) && !name.contains('"'))
            && self.extended.as_ref().is_none_or(safe)
    }

    /// Whether the word stands nowhere else in the value. A reader that only looks for `filename=` would find a
    /// name in `x-filename="../a"`, or between the quotes of `x="filename=../a"`.
    fn are_all_of(&self, value: &[u8]) -> bool {
        let word = b"filename";
        let found = value
            .windows(word.len())
            .filter(|it| it.eq_ignore_ascii_case(word));
        found.count() == self.given
    }
}

/// Fills an empty place with a name; false where there was none to fill in, or the place was taken.
fn fill(place: &mut Option<String>, name: Option<String>) -> bool {
    let clean = place.is_none() && name.is_some();
    if clean {
        *place = name;
    }
    clean
}

/// A `filename` as text: UTF-8 if it is valid, as most services send it, else Latin-1, as it once was.
fn plain_text(value: &[u8]) -> String {
    match str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(value).0.into_owned(),
    }
}

/// A `filename*` as text: `charset'language'percent-encoded` (RFC 8187). None where it is broken, so that
/// `filename` counts.
fn extended_text(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |&b| b == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let encoding = Encoding::for_label_no_replacement(charset)?;
    let decoded: Cow<'_, [u8]> = percent_decode(encoded).into();
    let text = encoding.decode_without_bom_handling_and_without_replacement(&decoded)?;
    Some(text.into_owned())
}

// === safe names ===

/// The name without path, control characters, blanks at its ends and dots at its end, cut to
/// [`MAX_NAME`] bytes; none if nothing is left. Doing it twice changes nothing more.
fn safe_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last.chars().filter(|&c| !is_invisible(c)).collect();
    let name = cut(visible.trim().trim_end_matches(is_trailing));
    let name = name.trim_end_matches(is_trailing);
    (!name.is_empty()).then(|| name.to_owned())
}

/// What may not end a name: Windows drops it in silence, and `..` is no name.
fn is_trailing(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// Control characters, line separators, and the marks that turn the direction of writing, with which
/// `gpj.exe` shows as `exe.jpg`.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The name within [`MAX_NAME`] bytes, cut before its extension if it has a usual one.
fn cut(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_NAME {
        return Cow::Borrowed(name);
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) => {
            let stem = prefix(stem, MAX_NAME - 1 - extension.len());
            Cow::Owned(format!("{stem}.{extension}"))
        }
        _ => Cow::Borrowed(prefix(name, MAX_NAME)),
    }
}

fn is_extension(text: &str) -> bool {
    (1..=MAX_EXTENSION).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The longest beginning of at most so many bytes.
fn prefix(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes).rev().find(|&at| text.is_char_boundary(at));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// A safe name as parameters: quoted ASCII for every reader, and RFC 8187 where that isn't the whole name.
fn spelled(name: &str) -> String {
    let ascii: String = name.chars().map(ascii_stand_in).collect();
    if ascii == name {
        return format!("filename=\"{name}\"");
    }
    let encoded = utf8_percent_encode(name, NOT_ATTR_CHAR);
    format!("filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// What stands for a character between quotes: escapes would be one more thing that simple readers get wrong.
fn ascii_stand_in(c: char) -> char {
    match c {
        '"' => '\'',
        ' '..='~' => c,
        _ => '_',
    }
}

#[cfg(test)]
#[path = "disposition/tests.rs"]
mod tests;
