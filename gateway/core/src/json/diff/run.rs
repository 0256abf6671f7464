//! How far base and reply are the same bytes.

use crate::json::scan::slice;

/// Bytes compared in one go once a difference is to be located.
const STRIDE: usize = 256;

/// A stretch over which base and reply are the same bytes. It is extended on demand and never behind the
/// first difference, so that each byte is compared about once however deep it is nested.
#[derive(Debug, Default)]
pub(super) struct Run {
    base: usize,
    reply: usize,
    len: usize,
    /// Whether the bytes behind the run are known to differ.
    broken: bool,
}

impl Run {
    /// Whether the base from `b` to `end` stands in the reply at `r`, byte for byte.
    #[inline]
    pub(super) fn covers(&mut self, base: &[u8], reply: &[u8], (b, end): (usize, usize), r: usize) -> bool {
        let aligned = b >= self.base && b <= self.base + self.len && r == self.reply + (b - self.base);
        if !aligned {
            *self = Self {
                base: b,
                reply: r,
                len: 0,
                broken: false,
            };
        }
        let known = self.base + self.len;
        if end <= known || self.broken {
            return end <= known;
        }
        let ours = slice(base, known, end);
        let theirs = reply.get(self.reply + self.len..).unwrap_or_default();
        let theirs = theirs.get(..ours.len()).unwrap_or(theirs);
        self.len += common(ours, theirs);
        self.broken = self.base + self.len < end;
        !self.broken
    }
}

/// The length of the longest common beginning.
fn common(a: &[u8], b: &[u8]) -> usize {
    let strides = a.chunks(STRIDE).zip(b.chunks(STRIDE));
    let same = strides
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len())
        .sum::<usize>();
    let (a, b) = (
        a.get(same..).unwrap_or_default(),
        b.get(same..).unwrap_or_default(),
    );
    same + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
