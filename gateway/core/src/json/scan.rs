//! The one pass that tells JSON from what is not: Python's JSON on bytes, iterative, at most
//! [`MAX_DEPTH`] levels.
//!
//! Everything here reads bytes nobody has checked yet, except that they are UTF-8 (see
//! [`utf8`], which comes first). What these functions let through may be read with [`super::read`],
//! which checks nothing.

use super::SyntaxError;
use super::lanes::{LANES, Lanes};
use super::{list, text};

/// The most containers around a value, the value itself included if it is one.
pub(crate) const MAX_DEPTH: usize = 128;

type Scanned<T> = Result<T, SyntaxError>;

/// Told where containers open and close, in order of appearance.
pub(super) trait Containers {
    /// A container begins at this offset.
    fn opened(&mut self, at: usize);
    /// The innermost open container ends before this offset.
    fn closed(&mut self, end: usize);
}

impl Containers for () {
    fn opened(&mut self, _at: usize) {}
    fn closed(&mut self, _end: usize) {}
}

/// What stands at a place inside a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<T> {
    /// The next element, or the key of the next member, begins here.
    Child(T),
    /// The container's closing bracket stands here.
    Close(T),
}

/// The byte at an offset; 0, which begins no token, behind the end.
#[inline(always)]
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The bytes of a span; none where the span isn't inside.
#[inline(always)]
pub(super) fn slice(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to).unwrap_or_default()
}

/// The bracket that closes what `{` or `[` opened.
fn closing(open: u8) -> u8 {
    // In ASCII `}` is `{` + 2, and `]` is `[` + 2.
    open + 2
}

/// Checks that the bytes are UTF-8, as everything else here takes for granted.
pub(super) fn utf8(bytes: &[u8]) -> Scanned<()> {
    if simdutf8::basic::from_utf8(bytes).is_ok() {
        return Ok(());
    }
    let at = std::str::from_utf8(bytes).map_or_else(|broken| broken.valid_up_to(), str::len);
    Err(SyntaxError::NotUtf8 { at })
}

/// Checks a whole document: white space, one value, white space. Returns the value's span.
pub(super) fn document<C: Containers>(bytes: &[u8], containers: &mut C) -> Scanned<(usize, usize)> {
    utf8(bytes)?;
    let start = space(bytes, 0);
    let end = value(bytes, start, 0, containers)?;
    finish(bytes, end)?;
    Ok((start, end))
}

/// Checks that nothing but white space follows.
pub(super) fn finish(bytes: &[u8], end: usize) -> Scanned<()> {
    let at = space(bytes, end);
    if at == bytes.len() {
        Ok(())
    } else {
        Err(malformed(at))
    }
}

/// Checks the value that begins at `at` inside `level` containers, and returns its end.
pub(super) fn value<C: Containers>(
    bytes: &[u8],
    mut at: usize,
    level: usize,
    containers: &mut C,
) -> Scanned<usize> {
    let mut nest = Nest::inside(level);
    loop {
        let mut end = match byte(bytes, at) {
            open @ (b'{' | b'[') => {
                nest.open(open, at)?;
                containers.opened(at);
                let inner = space(bytes, at + 1);
                if byte(bytes, inner) != closing(open) {
                    at = if open == b'{' {
                        member(bytes, inner)?
                    } else {
                        inner
                    };
                    continue;
                }
                nest.close();
                containers.closed(inner + 1);
                inner + 1
            }
            _ => scalar(bytes, at, nest.innermost)?,
        };
        loop {
            if nest.depth == level {
                return Ok(end);
            }
            let next = space(bytes, end);
            let found = byte(bytes, next);
            if found == b',' {
                let next = space(bytes, next + 1);
                at = if nest.innermost == b'{' {
                    member(bytes, next)?
                } else {
                    next
                };
                break;
            }
            if found != closing(nest.innermost) {
                return Err(malformed(next));
            }
            nest.close();
            end = next + 1;
            containers.closed(end);
        }
    }
}

/// Checks the key that should begin at `at`, and returns where its value does.
#[inline]
fn member(bytes: &[u8], at: usize) -> Scanned<usize> {
    let end = key(bytes, at)?;
    colon(bytes, end)
}

/// Checks the key that should begin at `at`, and returns its end.
#[inline]
pub(super) fn key(bytes: &[u8], at: usize) -> Scanned<usize> {
    if byte(bytes, at) == b'"' {
        string(bytes, at)
    } else {
        Err(malformed(at))
    }
}

/// Steps over the colon that should follow a key's end, to the value.
#[inline]
pub(super) fn colon(bytes: &[u8], end: usize) -> Scanned<usize> {
    let at = space(bytes, end);
    if byte(bytes, at) == b':' {
        Ok(space(bytes, at + 1))
    } else {
        Err(malformed(at))
    }
}

/// Steps into the container that opens at `at`.
pub(super) fn first(bytes: &[u8], at: usize) -> Step<usize> {
    let inner = space(bytes, at + 1);
    if byte(bytes, inner) == closing(byte(bytes, at)) {
        Step::Close(inner)
    } else {
        Step::Child(inner)
    }
}

/// Steps on behind a child that ended at `end`, in a container that `open` opened.
#[inline]
pub(super) fn following(bytes: &[u8], end: usize, open: u8) -> Scanned<Step<usize>> {
    let next = space(bytes, end);
    match byte(bytes, next) {
        b',' => Ok(Step::Child(space(bytes, next + 1))),
        close if close == closing(open) => Ok(Step::Close(next)),
        _ => Err(malformed(next)),
    }
}

/// The offset of the first byte that isn't white space.
#[inline(always)]
pub(super) fn space(bytes: &[u8], at: usize) -> usize {
    match byte(bytes, at) {
        b' ' if byte(bytes, at + 1) > b' ' => at + 1,
        0..=b' ' => more_space(bytes, at),
        _ => at,
    }
}

fn more_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(byte(bytes, at), b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

/// Checks a value that is no container.
#[inline(always)]
fn scalar(bytes: &[u8], at: usize, innermost: u8) -> Scanned<usize> {
    match byte(bytes, at) {
        b'"' => string(bytes, at),
        b'-' | b'0'..=b'9' => numbers(bytes, at, innermost),
        b't' => word(bytes, at, b"true"),
        b'f' => word(bytes, at, b"false"),
        b'n' => word(bytes, at, b"null"),
        b'N' => word(bytes, at, b"NaN"),
        b'I' => word(bytes, at, b"Infinity"),
        _ => Err(malformed(at)),
    }
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> Scanned<usize> {
    let end = at + word.len();
    if slice(bytes, at, end) == word {
        Ok(end)
    } else {
        Err(malformed(at))
    }
}

/// Checks a number; in an array those that follow it too. Returns the end of the last.
#[inline(always)]
fn numbers(bytes: &[u8], mut at: usize, innermost: u8) -> Scanned<usize> {
    loop {
        if innermost == b'[' {
            at = list::skip_numbers(bytes, at);
        }
        let end = number(bytes, at)?;
        if innermost != b'[' || byte(bytes, end) != b',' {
            return Ok(end);
        }
        at = space(bytes, end + 1);
        if !byte(bytes, at).is_ascii_digit() {
            return Ok(end);
        }
    }
}

/// Checks a number: RFC 8259's, of any length, and Python's `-Infinity`.
#[inline(always)]
pub(super) fn number(bytes: &[u8], at: usize) -> Scanned<usize> {
    let whole = at + usize::from(byte(bytes, at) == b'-');
    match short_number(bytes, whole) {
        Some(end) => Ok(end),
        None => long_number(bytes, at, whole),
    }
}

/// The end of a number of at most 15 bytes without an exponent; most are. None if it isn't one, or may not be.
#[inline(always)]
fn short_number(bytes: &[u8], at: usize) -> Option<usize> {
    let no_digit = Lanes::at(bytes, at)?.no_digits();
    let whole = no_digit.trailing_zeros() as usize;
    let mut end = whole;
    if byte(bytes, at + whole) == b'.' {
        end = (no_digit & no_digit.wrapping_sub(1)).trailing_zeros() as usize;
        if end == whole + 1 {
            return None;
        }
    }
    let is_number = whole == 1 || (whole > 1 && byte(bytes, at) != b'0');
    (is_number && end < LANES && !matches!(byte(bytes, at + end), b'e' | b'E')).then_some(at + end)
}

/// A number of any kind.
fn long_number(bytes: &[u8], at: usize, whole: usize) -> Scanned<usize> {
    let mut end = match byte(bytes, whole) {
        b'0' => whole + 1,
        b'1'..=b'9' => digits(bytes, whole + 1),
        b'I' if whole > at => return word(bytes, whole, b"Infinity"),
        _ => return Err(malformed(whole)),
    };
    if byte(bytes, end) == b'.' {
        end = some_digits(bytes, end + 1)?;
    }
    if matches!(byte(bytes, end), b'e' | b'E') {
        let sign = usize::from(matches!(byte(bytes, end + 1), b'+' | b'-'));
        end = some_digits(bytes, end + 1 + sign)?;
    }
    Ok(end)
}

/// The offset of the first byte from `at` on that is no digit.
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while let Some(lanes) = Lanes::at(bytes, at) {
        let found = lanes.no_digits();
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += LANES;
    }
    while byte(bytes, at).is_ascii_digit() {
        at += 1;
    }
    at
}

fn some_digits(bytes: &[u8], at: usize) -> Scanned<usize> {
    if !byte(bytes, at).is_ascii_digit() {
        return Err(malformed(at));
    }
    Ok(digits(bytes, at + 1))
}

/// Checks the string whose opening quote stands at `at`: no raw control character, no unknown escape.
/// Halves of surrogate pairs may stand alone.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize) -> Scanned<usize> {
    let mut at = at + 1;
    loop {
        at = text::plain(bytes, at);
        if byte(bytes, at) == b'"' {
            return Ok(at + 1);
        }
        // What follows an escape is often another one.
        at = escape(bytes, at)?;
        while byte(bytes, at) == b'\\' {
            at = escape(bytes, at)?;
        }
    }
}

/// Checks the escape that should begin at `at`.
#[inline(always)]
fn escape(bytes: &[u8], at: usize) -> Scanned<usize> {
    let escaped = byte(bytes, at + 1);
    if byte(bytes, at) == b'\\' && escaped == b'u' && text::hex(bytes, at + 2).is_some() {
        return Ok(at + 6);
    }
    match (byte(bytes, at), escaped) {
        (b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        _ => Err(malformed(at)),
    }
}

/// No token of JSON can stand here.
#[cold]
pub(super) fn malformed(at: usize) -> SyntaxError {
    SyntaxError::Malformed { at }
}

/// The containers around the place being read.
struct Nest {
    /// The bracket that opened the innermost; it means nothing outside of the value that is read.
    innermost: u8,
    /// Which of them are objects, one bit a level, the innermost lowest.
    objects: u128,
    depth: usize,
}

impl Nest {
    fn inside(level: usize) -> Self {
        Self {
            innermost: 0,
            objects: 0,
            depth: level,
        }
    }

    #[inline(always)]
    fn open(&mut self, open: u8, at: usize) -> Scanned<()> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::TooDeep { at });
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(open == b'{');
        self.innermost = open;
        Ok(())
    }

    #[inline(always)]
    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
        self.innermost = if self.objects & 1 == 1 { b'{' } else { b'[' };
    }
}
