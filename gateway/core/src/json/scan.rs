//! The one pass that tells JSON from what is not: Python's JSON on bytes, iterative, at most
//! [`MAX_DEPTH`] levels.
//!
//! Everything here reads bytes nobody has checked yet, except that they are UTF-8 (see
//! [`utf8`], which comes first). What these functions let through may be read with [`super::read`],
//! which checks nothing.

use super::SyntaxError;
use super::text;

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
                        key(bytes, inner)?.value
                    } else {
                        inner
                    };
                    continue;
                }
                nest.close();
                containers.closed(inner + 1);
                inner + 1
            }
            _ => scalar(bytes, at)?,
        };
        loop {
            let Some(open) = nest.innermost() else {
                return Ok(end);
            };
            let next = space(bytes, end);
            match byte(bytes, next) {
                b',' => {
                    let next = space(bytes, next + 1);
                    at = if open == b'{' {
                        key(bytes, next)?.value
                    } else {
                        next
                    };
                    break;
                }
                close if close == closing(open) => {
                    nest.close();
                    end = next + 1;
                    containers.closed(end);
                }
                _ => return Err(malformed(next)),
            }
        }
    }
}

/// Where a member's key ends (behind its closing quote) and its value begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// The offset behind the key's closing quote.
    pub(super) end: usize,
    /// The offset of the value's first byte.
    pub(super) value: usize,
}

/// Checks the key that should begin at `at`, and the colon and white space behind it.
#[inline]
pub(super) fn key(bytes: &[u8], at: usize) -> Scanned<Key> {
    if byte(bytes, at) != b'"' {
        return Err(malformed(at));
    }
    let end = string(bytes, at)?;
    let colon = space(bytes, end);
    if byte(bytes, colon) != b':' {
        return Err(malformed(colon));
    }
    let value = space(bytes, colon + 1);
    Ok(Key { end, value })
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
pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(byte(bytes, at), b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

/// Checks a value that is no container.
#[inline]
fn scalar(bytes: &[u8], at: usize) -> Scanned<usize> {
    match byte(bytes, at) {
        b'"' => string(bytes, at),
        b'-' | b'0'..=b'9' => number(bytes, at),
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

/// Checks a number: RFC 8259's, of any length, and Python's `-Infinity`.
#[inline]
pub(super) fn number(bytes: &[u8], at: usize) -> Scanned<usize> {
    let whole = at + usize::from(byte(bytes, at) == b'-');
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

#[inline(always)]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while byte(bytes, at).is_ascii_digit() {
        at += 1;
    }
    at
}

fn some_digits(bytes: &[u8], at: usize) -> Scanned<usize> {
    let end = digits(bytes, at);
    if end > at { Ok(end) } else { Err(malformed(at)) }
}

/// Checks the string whose opening quote stands at `at`: no raw control character, no unknown escape.
/// Halves of surrogate pairs may stand alone.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize) -> Scanned<usize> {
    let mut at = at + 1;
    loop {
        at = text::plain(bytes, at);
        match byte(bytes, at) {
            b'"' => return Ok(at + 1),
            b'\\' => at = escape(bytes, at)?,
            _ => return Err(malformed(at)),
        }
    }
}

fn escape(bytes: &[u8], at: usize) -> Scanned<usize> {
    match byte(bytes, at + 1) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => {
            let hex = slice(bytes, at + 2, at + 6);
            if hex.len() == 4 && hex.iter().all(u8::is_ascii_hexdigit) {
                Ok(at + 6)
            } else {
                Err(malformed(at))
            }
        }
        _ => Err(malformed(at)),
    }
}

/// No token of JSON can stand here.
pub(super) fn malformed(at: usize) -> SyntaxError {
    SyntaxError::Malformed { at }
}

/// The containers around the place being read: one bit a level says which kind.
struct Nest {
    objects: u128,
    depth: usize,
    floor: usize,
}

impl Nest {
    fn inside(level: usize) -> Self {
        Self {
            objects: 0,
            depth: level,
            floor: level,
        }
    }

    fn open(&mut self, open: u8, at: usize) -> Scanned<()> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::TooDeep { at });
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(open == b'{');
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    /// The bracket that opened the innermost container, none outside of the value that is read.
    #[inline(always)]
    fn innermost(&self) -> Option<u8> {
        (self.depth > self.floor).then_some(if self.objects & 1 == 1 { b'{' } else { b'[' })
    }
}
