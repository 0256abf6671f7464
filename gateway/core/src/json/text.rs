//! Strings by what they hold: the content between the quotes as code points, however it was escaped.
//!
//! Halves of surrogate pairs that stand alone are code points like any other here (`0xD800` to
//! `0xDFFF`): Python reads and writes them. Nothing allocates but [`decode`].

use std::borrow::Cow;
use std::cmp::Ordering;

use super::lanes::{LANES, Lanes};
use super::scan::{byte, slice};

/// What a serialiser writes that can't spell half a surrogate pair.
const REPLACEMENT: u32 = 0xFFFD;

/// What is the same letter in two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    /// Outside `/result`: `-` and `_` are one, as for koipy, and so is what a serialiser can't spell.
    Dashes,
    /// Below `/result`, where keys are users' columns: half a surrogate pair and U+FFFD, which is what some
    /// serialisers make of it.
    Columns,
    /// Only what is the same.
    Exact,
}

/// The offset of the first byte from `at` on that isn't an ordinary character of a string: a quote, a
/// backslash, a control character or the end.
#[inline(always)]
pub(super) fn plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(lanes) = Lanes::at(bytes, at) {
        let found = lanes.no_plain_text();
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += LANES;
    }
    while !matches!(byte(bytes, at), 0..0x20 | b'"' | b'\\') {
        at += 1;
    }
    at
}

/// How many bytes two strings have in common from these offsets on, up to whatever isn't an ordinary character.
#[inline(always)]
pub(super) fn same_plain(a: &[u8], at: usize, b: &[u8], bt: usize) -> usize {
    let mut same = 0;
    while let (Some(ours), Some(theirs)) = (Lanes::at(a, at + same), Lanes::at(b, bt + same)) {
        let found = ours.unlike(theirs) | ours.no_plain_text();
        if found != 0 {
            return same + found.trailing_zeros() as usize;
        }
        same += LANES;
    }
    while !matches!(byte(a, at + same), 0..0x20 | b'"' | b'\\') && byte(a, at + same) == byte(b, bt + same) {
        same += 1;
    }
    same
}

/// Steps over characters that one of two strings escapes, and the other doesn't; nobody has checked either's escapes.
/// None if there is no such character, or it is another one. U+FFFD, which also stands for broken escapes, is none here.
#[inline(always)]
pub(super) fn same_escaped(
    escaped: &[u8],
    mut at: usize,
    raw: &[u8],
    mut raw_at: usize,
) -> Option<(usize, usize)> {
    let begin = at;
    while let (b'\\', 0x80..) = (byte(escaped, at), byte(raw, raw_at)) {
        // Three bytes of UTF-8, as most of what is escaped: without this it takes twice as long.
        let three = escaped
            .get(at + 2..)
            .and_then(<[u8]>::first_chunk)
            .map(hex_digits);
        if let (Some(point @ (0x800..0xD800 | 0xE000..REPLACEMENT)), b'u') = (three, byte(escaped, at + 1)) {
            let tail = |shift: u32| 0x80 | (point >> shift & 0x3F) as u8;
            if raw.get(raw_at..).and_then(<[u8]>::first_chunk)
                != Some(&[0xE0 | (point >> 12) as u8, tail(6), tail(0)])
            {
                return None;
            }
            (at, raw_at) = (at + 6, raw_at + 3);
            continue;
        }
        let ((ours, end), (theirs, raw_end)) = (point(escaped, at), point(raw, raw_at));
        if ours != theirs || ours == REPLACEMENT {
            return None;
        }
        (at, raw_at) = (end, raw_end);
    }
    (at > begin).then_some((at, raw_at))
}

/// The code points of a checked string's content.
#[derive(Debug, Clone)]
struct Points<'a> {
    content: &'a [u8],
    at: usize,
}

impl<'a> Points<'a> {
    fn of(content: &'a [u8]) -> Self {
        Self { content, at: 0 }
    }
}

impl Iterator for Points<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.at >= self.content.len() {
            return None;
        }
        let (point, end) = point(self.content, self.at);
        self.at = end;
        Some(point)
    }
}

/// The code point that begins at `at`, and the offset behind it.
#[inline(always)]
fn point(content: &[u8], at: usize) -> (u32, usize) {
    let tail = |n: usize| u32::from(byte(content, at + n) & 0x3F);
    match u32::from(byte(content, at)) {
        0x5C => escape(content, at),
        ascii @ 0..0x80 => (ascii, at + 1),
        lead @ 0xF0.. => (
            (lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3),
            at + 4,
        ),
        lead @ 0xE0.. => ((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), at + 3),
        lead => ((lead & 0x1F) << 6 | tail(1), at + 2),
    }
}

/// The code point that an escape stands for: two `\u` that are a pair are one.
#[inline(always)]
fn escape(content: &[u8], at: usize) -> (u32, usize) {
    let simple = match byte(content, at + 1) {
        b'u' => return unit(content, at),
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    };
    (u32::from(simple), at + 2)
}

#[inline(always)]
fn unit(content: &[u8], at: usize) -> (u32, usize) {
    let unit = |at| hex(content, at).unwrap_or(REPLACEMENT);
    let (first, end) = (unit(at + 2), at + 6);
    if (0xD800..0xDC00).contains(&first) && slice(content, end, end + 2) == b"\\u" {
        let second = unit(end + 2);
        if (0xDC00..0xE000).contains(&second) {
            return (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), end + 6);
        }
    }
    (first, end)
}

/// The number that four hexadecimal digits at `at` spell.
#[inline(always)]
pub(super) fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let number = hex_digits(bytes.get(at..)?.first_chunk()?);
    (number <= 0xFFFF).then_some(number)
}

/// The number that four hexadecimal digits spell; a larger one than four can if they are none.
#[inline(always)]
fn hex_digits(&[a, b, c, d]: &[u8; 4]) -> u32 {
    let worth = |digit: u8| HEX_DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
    worth(a) << 12 | worth(b) << 8 | worth(c) << 4 | worth(d)
}

/// What a byte is worth that is no hexadecimal digit.
const NO_DIGIT: u32 = 0x10000;

/// What each byte is worth as a hexadecimal digit.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated when it is compiled, where a mistake would not compile"
)]
const HEX_DIGITS: [u32; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut byte = 0;
    while byte < 256 {
        if let Some(digit) = char::to_digit(byte as u8 as char, 16) {
            digits[byte] = digit;
        }
        byte += 1;
    }
    digits
};

fn is_surrogate(point: u32) -> bool {
    (0xD800..0xE000).contains(&point)
}

/// Whether two contents hold the same.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a == b || (escaped(a) || escaped(b)) && Points::of(a).eq(Points::of(b))
}

/// Whether a reply's content is an echo of the base's: the same, or U+FFFD where the base holds half a
/// surrogate pair.
pub(super) fn echoes(base: &[u8], reply: &[u8]) -> bool {
    let (mut b, mut r) = (0, 0);
    while b < base.len() && r < reply.len() {
        let (ours, theirs) = (byte(base, b), byte(reply, r));
        if ours == theirs && ours != b'\\' {
            (b, r) = (b + 1, r + 1);
            continue;
        }
        // Bytes may be the same up to the middle of two characters that aren't.
        if is_continuation(ours) || is_continuation(theirs) {
            return false;
        }
        let ((ours, b_end), (theirs, r_end)) = (point(base, b), point(reply, r));
        if ours != theirs && !(is_surrogate(ours) && theirs == REPLACEMENT) {
            return false;
        }
        (b, r) = (b_end, r_end);
    }
    b == base.len() && r == reply.len()
}

/// Whether a byte of UTF-8 is not the first of its character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// The order of two contents by their code points.
pub(crate) fn order(a: &[u8], b: &[u8]) -> Ordering {
    if escaped(a) || escaped(b) {
        Points::of(a).cmp(Points::of(b))
    } else {
        // UTF-8 sorts as its code points do.
        a.cmp(b)
    }
}

/// The order of two keys, where letters that count as the same are the same.
pub(crate) fn order_alike(a: &[u8], b: &[u8], letters: Letters) -> Ordering {
    let dash = |c: u8| {
        if c == b'-' && letters == Letters::Dashes {
            b'_'
        } else {
            c
        }
    };
    if !escaped(a) && !escaped(b) {
        return a.iter().map(|&c| dash(c)).cmp(b.iter().map(|&c| dash(c)));
    }
    let alike = |point: u32| match u8::try_from(point) {
        Ok(small) => u32::from(dash(small)),
        Err(_) if is_surrogate(point) && letters != Letters::Exact => REPLACEMENT,
        Err(_) => point,
    };
    Points::of(a).map(alike).cmp(Points::of(b).map(alike))
}

/// Whether two keys are the same, where letters that count as the same are.
pub(crate) fn alike(a: &[u8], b: &[u8], letters: Letters) -> bool {
    // Without escapes what is the same is equally long: `-` and `_` are one byte each.
    (a.len() == b.len() || escaped(a) || escaped(b)) && order_alike(a, b, letters).is_eq()
}

/// The content as Rust's text; halves of surrogate pairs, which it can't hold, become U+FFFD.
pub(super) fn decode(content: &[u8]) -> Cow<'_, str> {
    if !escaped(content) {
        return String::from_utf8_lossy(content);
    }
    let character = |point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
    Points::of(content).map(character).collect()
}

/// Whether a content has escapes.
pub(super) fn escaped(content: &[u8]) -> bool {
    memchr::memchr(b'\\', content).is_some()
}
