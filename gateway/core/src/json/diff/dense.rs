//! Two texts that are the same but for the spaces behind commas and colons, which one of them has and the other hasn't:
//! Python's spelling and most others'.

use crate::json::lanes::{LANES, Lanes};
use crate::json::scan::slice;

/// How many bytes are looked at together.
const BLOCK: usize = 4 * LANES;

/// A block, and as much behind it as is read with its last byte.
type Window = [u8; BLOCK + LANES];

/// From the beginning of a token in both on: how far two texts are the same, if `spaced` has one space behind each
/// comma and each colon, and `dense` has none. It ends behind such a space.
///
/// Where the spaces of a block are is found out at once, so that no comparison has to wait for the one before, nor
/// be guessed: several times as fast as from token to token.
pub(super) fn same_text(spaced: &[u8], mut s: usize, dense: &[u8], mut d: usize) -> (usize, usize) {
    while let (Some(ours), Some(theirs)) = (window(spaced, s), window(dense, d)) {
        let mut ahead = Ahead {
            from: 0,
            to: 0,
            gaps: gaps(ours),
        };
        // How many there are differs from block to block, and a loop that ends now here, now there is guessed wrong:
        // four at a time are a third faster, and what is left of the block is the next one's.
        while ahead.gaps & ahead.gaps.wrapping_sub(1) != 0
            && let Some(four) = ahead.four(ours, theirs)
        {
            ahead = four;
        }
        if ahead.from == 0 {
            while ahead.gaps != 0 {
                let (next, is_same) = ahead.next(ours, theirs);
                if !is_same && !ahead.is_long_same(next, ours, theirs) {
                    return (s + ahead.from, d + ahead.to);
                }
                ahead = next;
            }
        }
        if ahead.from == 0 {
            break;
        }
        (s, d) = (s + ahead.from, d + ahead.to);
    }
    (s, d)
}

/// How far a block has been found the same: in it, in the other's, and the gaps behind that.
#[derive(Clone, Copy)]
struct Ahead {
    from: usize,
    to: usize,
    gaps: u64,
}

impl Ahead {
    /// Behind the next gap, and whether up to there, a lane at most, all is the same.
    #[inline(always)]
    fn next(self, ours: &Window, theirs: &Window) -> (Self, bool) {
        let gap = self.gaps.trailing_zeros() as usize;
        let len = gap.wrapping_sub(self.from);
        let next = Self {
            from: gap + 1,
            to: self.to.wrapping_add(len),
            gaps: self.gaps & self.gaps.wrapping_sub(1),
        };
        // Both are offsets into the block: so there is always a lane of bytes, and nothing to check.
        let is_same = match (
            Lanes::at(ours, self.from % BLOCK),
            Lanes::at(theirs, self.to % BLOCK),
        ) {
            (Some(ours), Some(theirs)) => {
                let unlike = ours.unlike(theirs) | 1 << LANES;
                unlike.trailing_zeros() as usize >= len
            }
            _ => false,
        };
        (next, is_same)
    }

    #[inline(always)]
    fn four(self, ours: &Window, theirs: &Window) -> Option<Self> {
        let (one, is_one) = self.next(ours, theirs);
        let (two, is_two) = one.next(ours, theirs);
        let (three, is_three) = two.next(ours, theirs);
        let (four, is_four) = three.next(ours, theirs);
        (three.gaps != 0 && is_one & is_two & is_three & is_four).then_some(four)
    }

    /// Whether all is the same up to what is next, however far that is.
    fn is_long_same(self, next: Self, ours: &Window, theirs: &Window) -> bool {
        slice(ours, self.from, next.from - 1) == slice(theirs, self.to, next.to)
    }
}

#[inline(always)]
fn window(bytes: &[u8], at: usize) -> Option<&Window> {
    bytes.get(at..)?.first_chunk()
}

/// Where in a block, which begins with a token, a space follows a comma or a colon, one bit a byte; up to the first
/// that follows anything else, or whatever might be the end of a string and isn't.
#[inline(always)]
fn gaps(window: &Window) -> u64 {
    let (spaces, commas, quotes) = (all(window, b' '), all(window, b','), all(window, b'"'));
    if quotes == 0 {
        // A list of numbers, as most of a document is.
        return before(spaces & !(commas << 1)) & spaces;
    }
    let (colons, slashes) = (all(window, b':'), all(window, b'\\'));
    let unclear = slashes & ((quotes | slashes) >> 1 | 1 << (BLOCK - 1));
    let gaps = spaces & !inside(quotes) & before(unclear);
    before(gaps & !((commas | colons) << 1)) & gaps
}

/// Where in a block this byte stands.
#[inline(always)]
fn all(window: &Window, byte: u8) -> u64 {
    let lanes = |start| Lanes::at(window, start).map_or(0, |lanes| u64::from(lanes.equal_to(byte)) << start);
    lanes(0) | lanes(LANES) | lanes(2 * LANES) | lanes(3 * LANES)
}

/// All bits below the lowest of these.
#[inline(always)]
fn before(bits: u64) -> u64 {
    bits.wrapping_sub(1) & !bits
}

/// The bits from the first of these to the second, from the third to the fourth, and so on, but for the last of each.
#[inline(always)]
fn inside(quotes: u64) -> u64 {
    [1, 2, 4, 8, 16, 32]
        .iter()
        .fold(quotes, |bits, by| bits ^ bits << by)
}
