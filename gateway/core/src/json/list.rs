//! Lists of numbers, sixty-four bytes at a time: most of a document is such lists, and one number after
//! another is the slow way, since each has to be found before the next can be.
//!
//! Each kind of byte becomes a word with one bit a byte; what may follow what is then a handful of shifts.
//! Only the plainest numbers are taken here: digits, perhaps a point and digits; a comma between them, and at
//! most one space behind it. Whatever looks like anything else is left to the general way.

use super::lanes::{LANES, Lanes};

/// How many bytes are looked at together.
const BLOCK: usize = 4 * LANES;

/// Where in a block some kinds of bytes stand, the first byte lowest.
#[derive(Default)]
struct Kinds {
    digits: u64,
    zeros: u64,
    points: u64,
    commas: u64,
    spaces: u64,
}

/// From the first number of a list, or one further on: the offset of the last number in the next
/// [`BLOCK`] bytes before which everything is sound; the number's own if there is nothing to skip.
#[inline]
pub(super) fn skip_numbers(bytes: &[u8], mut at: usize) -> usize {
    while let Some(skipped) = Kinds::of(bytes, at).and_then(Kinds::sound_numbers) {
        at += skipped;
    }
    at
}

impl Kinds {
    #[inline(always)]
    fn of(bytes: &[u8], at: usize) -> Option<Self> {
        let block = bytes.get(at..)?.first_chunk::<BLOCK>()?;
        let mut kinds = Self::default();
        for start in [0, LANES, 2 * LANES, 3 * LANES] {
            let lanes = Lanes::at(block, start)?;
            kinds.digits |= u64::from(!lanes.no_digits() & 0xFFFF) << start;
            kinds.zeros |= u64::from(lanes.equal_to(b'0')) << start;
            kinds.points |= u64::from(lanes.equal_to(b'.')) << start;
            kinds.commas |= u64::from(lanes.equal_to(b',')) << start;
            kinds.spaces |= u64::from(lanes.equal_to(b' ')) << start;
        }
        Some(kinds)
    }

    /// How far into the block the last number begins before which all is sound. None if that is the first, or
    /// anything before it is not as plain as it should be.
    #[inline(always)]
    fn sound_numbers(self) -> Option<usize> {
        let Self {
            digits,
            zeros,
            points,
            commas,
            spaces,
        } = self;
        let first = 1;
        let starts = digits & (commas << 1 | spaces << 1 | first);
        // Bits from the first byte on that is of no kind mean nothing.
        let known = (!(digits | points | commas | spaces)).trailing_zeros();
        let within = 1_u64.checked_shl(known).map_or(u64::MAX, |bit| bit - 1);
        let last = 63_u32.checked_sub((starts & within).leading_zeros())?;
        let before = (1_u64 << last) - 1;

        let after_digit = digits << 1;
        let unsound = (commas | points) & !after_digit
            | (commas << 1) & !(digits | spaces)
            | spaces & !(commas << 1)
            | (spaces << 1 | points << 1 | first) & !digits
            | zeros & starts & (digits >> 1);
        // Adding its first digit to a run of digits carries to the byte behind the run: no second point.
        let fractions_end = digits.wrapping_add(points << 1 & digits) & !digits;
        let unsound = unsound | fractions_end & points;
        (last > 0 && unsound & before == 0).then_some(last as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::skip_numbers;
    use crate::json::Document;

    fn check(list: &str, skipped: usize) {
        let padded = format!("{list}{}", "]".repeat(64));
        assert_eq!(skip_numbers(padded.as_bytes(), 0), skipped, "{list}");
    }

    #[test]
    fn plain_numbers_are_skipped() {
        check("1,2,3", 4);
        check("1, 2.5, 30", 8);
        check("0,0.0,10", 6);
        check("1", 0);
        check("12345678901234567890123456789012345678901234567890.5,6", 53);
    }

    #[test]
    fn anything_else_is_left() {
        for list in [
            "01,2", "1.,2", ".5,2", "1..2,3", "1.2.3,4", "1 ,2", "1,  2", "1,,2", ",1", " 1,2", "-1,2",
            "1e5,2",
        ] {
            check(list, 0);
        }
        check("1,-2,3", 0);
        check("1,2,-3,4", 2);
        check("1,2 ,3", 0);
        check("1,2,\n3", 2);
    }

    proptest! {
        /// What is skipped is numbers and commas: it parses as the beginning of a list.
        #[test]
        fn only_what_is_sound_is_skipped(list in "[0-9]([0-9.,]|, |[0-9]{4}|[-e\\]]){0,80}") {
            let padded = format!("{list}{}", "]".repeat(64));
            let skipped = skip_numbers(padded.as_bytes(), 0);
            let (before, rest) = padded.split_at(skipped);
            prop_assert!(rest.starts_with(|c: char| c.is_ascii_digit()));
            let whole = format!("[{before}7]");
            prop_assert!(Document::parse(whole.clone().into()).is_ok(), "{whole}");
        }
    }
}
