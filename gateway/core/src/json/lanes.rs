//! Sixteen bytes at a time: where among them something stands, as one bit a byte, the first byte lowest.

use wide::u8x16;

/// How many bytes.
pub(super) const LANES: usize = 16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct Lanes(u8x16);

impl Lanes {
    /// The bytes from `at` on; none if there aren't as many.
    #[inline(always)]
    pub(super) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let chunk = bytes.get(at..)?.first_chunk::<LANES>()?;
        Some(Self(u8x16::new(*chunk)))
    }

    /// Where this ASCII byte stands.
    #[inline(always)]
    pub(super) fn equal_to(self, byte: u8) -> u32 {
        bits(self.0.cmp_eq(splat(byte)))
    }

    /// Where the two differ.
    #[inline(always)]
    pub(super) fn unlike(self, other: Self) -> u32 {
        !bits(self.0.cmp_eq(other.0)) & 0xFFFF
    }

    /// Where no digit stands.
    #[inline(always)]
    pub(super) fn no_digits(self) -> u32 {
        let value = self.0 - splat(b'0');
        bits(value.max(splat(10)).cmp_eq(value))
    }

    /// Where a string ends, or is not what it looks like: quotes, backslashes and control characters.
    #[inline(always)]
    pub(super) fn no_plain_text(self) -> u32 {
        let control = self.0.min(splat(0x1F)).cmp_eq(self.0);
        bits(self.0.cmp_eq(splat(b'"')) | self.0.cmp_eq(splat(b'\\')) | control)
    }
}

#[inline(always)]
fn splat(byte: u8) -> u8x16 {
    u8x16::splat(byte)
}

#[inline(always)]
fn bits(lanes: u8x16) -> u32 {
    lanes.move_mask().cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::{LANES, Lanes};

    #[test]
    fn each_byte_in_each_lane() {
        let bit = |yes: bool, lane: usize| u32::from(yes) << lane;
        for byte in 0..=255_u8 {
            for lane in 0..LANES {
                let mut bytes = [b'0'; LANES];
                bytes[lane] = byte;
                let lanes = Lanes::at(&bytes, 0).unwrap();
                let zeros = Lanes::at(&[b'0'; LANES], 0).unwrap();
                assert_eq!(lanes.no_digits(), bit(!byte.is_ascii_digit(), lane), "{byte}");
                assert_eq!(
                    lanes.no_plain_text(),
                    bit(byte < 0x20 || b"\"\\".contains(&byte), lane),
                    "{byte}"
                );
                assert_eq!(lanes.unlike(zeros), bit(byte != b'0', lane), "{byte}");
                assert_eq!(lanes.equal_to(b','), bit(byte == b',', lane), "{byte}");
            }
        }
        assert!(Lanes::at(&[0; LANES], 1).is_none());
    }
}
