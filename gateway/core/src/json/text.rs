//! Strings by what they hold: the content between the quotes as code points, however it was escaped.
//!
//! Halves of surrogate pairs that stand alone are code points like any other here (`0xD800` to
//! `0xDFFF`): Python reads and writes them. Nothing allocates but [`decode`].

use std::borrow::Cow;
use std::cmp::Ordering;

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
/// backslash, a control character or the end. Eight bytes at a time.
#[inline]
pub(super) fn plain(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is zero, perhaps of bytes above one too: the lowest is right.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let hits = (quote | backslash | control) & HIGH;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while !matches!(byte(bytes, at), 0..0x20 | b'"' | b'\\') {
        at += 1;
    }
    at
}

/// The code points of a checked string's content.
#[derive(Debug, Clone)]
pub(super) struct Points<'a> {
    content: &'a [u8],
    at: usize,
}

impl<'a> Points<'a> {
    pub(super) fn of(content: &'a [u8]) -> Self {
        Self { content, at: 0 }
    }

    /// The code point that an escape stands for, and the offset behind it.
    fn escape(&self) -> (u32, usize) {
        let simple = |c: u8| (u32::from(c), self.at + 2);
        match byte(self.content, self.at + 1) {
            b'b' => simple(8),
            b'f' => simple(12),
            b'n' => simple(b'\n'),
            b'r' => simple(b'\r'),
            b't' => simple(b'\t'),
            b'u' => self.unit(),
            other => simple(other),
        }
    }

    /// A `\u` escape: with the one behind it where the two are a pair.
    fn unit(&self) -> (u32, usize) {
        let (first, end) = (hex(self.content, self.at + 2), self.at + 6);
        if (0xD800..0xDC00).contains(&first) && slice(self.content, end, end + 2) == b"\\u" {
            let second = hex(self.content, end + 2);
            if (0xDC00..0xE000).contains(&second) {
                return (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), end + 6);
            }
        }
        (first, end)
    }

    /// A character of more than one byte; the content is known to be UTF-8.
    fn multibyte(&self, lead: u8) -> (u32, usize) {
        let tail = |n: usize| u32::from(byte(self.content, self.at + n) & 0x3F);
        let lead = u32::from(lead);
        match lead {
            0xF0.. => {
                let point = (lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
                (point, self.at + 4)
            }
            0xE0.. => ((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), self.at + 3),
            _ => ((lead & 0x1F) << 6 | tail(1), self.at + 2),
        }
    }
}

impl Iterator for Points<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let (point, end) = match *self.content.get(self.at)? {
            b'\\' => self.escape(),
            ascii @ 0..0x80 => (u32::from(ascii), self.at + 1),
            lead => self.multibyte(lead),
        };
        self.at = end;
        Some(point)
    }
}

fn hex(bytes: &[u8], at: usize) -> u32 {
    slice(bytes, at, at + 4).iter().fold(0, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
        };
        number << 4 | u32::from(value)
    })
}

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
    let mut reply = Points::of(reply);
    Points::of(base).all(|point| match reply.next() {
        Some(other) => point == other || (is_surrogate(point) && other == REPLACEMENT),
        None => false,
    }) && reply.next().is_none()
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

/// The content as Rust's text; halves of surrogate pairs, which it can't hold, become U+FFFD.
pub(super) fn decode(content: &[u8]) -> Cow<'_, str> {
    if !escaped(content) {
        return String::from_utf8_lossy(content);
    }
    let character = |point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
    Points::of(content).map(character).collect()
}

fn escaped(content: &[u8]) -> bool {
    memchr::memchr(b'\\', content).is_some()
}
