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

/// What the last byte of the block before was, each 0 or 1.
struct Last {
    digit: u64,
    point: u64,
    comma: u64,
    space: u64,
    /// A zero that begins a number.
    zero: u64,
    /// A digit behind a point.
    fraction: u64,
}

/// From the first number of a list, or one further on: the offset of the last number before which everything is
/// plain and sound; the number's own if there is nothing to skip.
///
/// Blocks follow each other at a fixed distance, and what one needs of the one before is a bit of each kind: so that
/// several are looked at at the same time. Beginning each where a number does takes half as long again.
#[inline]
pub(super) fn skip_numbers(bytes: &[u8], at: usize) -> usize {
    let (mut block, mut number, mut last) = (at, at, Last::BEFORE);
    while let Some(kinds) = Kinds::of(bytes, block) {
        let (starts, bad) = kinds.check(&mut last);
        let starts = starts & bad.wrapping_sub(1) & !bad;
        if starts != 0 {
            number = block + starts.ilog2() as usize;
        }
        if bad != 0 {
            break;
        }
        block += BLOCK;
    }
    number
}

impl Last {
    /// What a number may follow.
    const BEFORE: Self = Self {
        digit: 0,
        point: 0,
        comma: 0,
        space: 1,
        zero: 0,
        fraction: 0,
    };
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

    /// Where numbers begin, and where anything is not as plain as it should be: before the first such place all is
    /// sound, and behind it nothing here means anything.
    #[inline(always)]
    fn check(self, last: &mut Last) -> (u64, u64) {
        let Self {
            digits,
            zeros,
            points,
            commas,
            spaces,
        } = self;
        let after_digit = digits << 1 | last.digit;
        let after_point = points << 1 | last.point;
        let after_comma = commas << 1 | last.comma;
        let after_space = spaces << 1 | last.space;
        let starts = digits & (after_comma | after_space);
        let zero_starts = zeros & starts;
        // Adding its first digit to a run of digits carries to the byte behind the run: no second point.
        let (sum, over) = digits.overflowing_add(after_point & digits);
        let (sum, again) = sum.overflowing_add(last.fraction);
        let bad = !(digits | points | commas | spaces)
            | (commas | points) & !after_digit
            | after_comma & !(digits | spaces)
            | spaces & !after_comma
            | (after_space | after_point) & !digits
            | digits & (zero_starts << 1 | last.zero)
            | points & sum & !digits;
        *last = Last {
            digit: digits >> 63,
            point: points >> 63,
            comma: commas >> 63,
            space: spaces >> 63,
            zero: zero_starts >> 63,
            fraction: u64::from(over | again),
        };
        (starts, bad)
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
        check("1,2 ,3", 2);
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
