//! What one hook is known by: its id, and the W3C trace that its calls belong to.

use std::sync::Arc;

/// The ids of one hook. Each stage of it has a clone.
#[derive(Debug, Clone)]
pub struct Ids {
    /// `X-Request-Id` and `Idempotency-Key`: 32 hexadecimal digits. Random, so that it is the same for a retry of
    /// one hook and no other.
    pub request: Arc<str>,
    trace: [u8; 32],
    flags: Flags,
}

/// The flags of a trace, two hexadecimal digits.
type Flags = [u8; 2];

/// A trace that begins here says "sampled": whether a backend records it is the backend's to decide.
const SAMPLED: Flags = *b"01";

/// Length of a `traceparent` of version 00.
pub const TRACEPARENT: usize = 55;

impl Ids {
    /// Fresh ids; a valid `traceparent` of the caller is continued (W3C Trace Context section 3.2).
    pub fn new(traceparent: Option<&[u8]>) -> Self {
        let request = hex(fastrand::u128(1..).to_be_bytes());
        let (trace, flags) = traceparent.and_then(parse).unwrap_or((request, SAMPLED));
        Self {
            request: str::from_utf8(&request).unwrap_or_default().into(),
            trace,
            flags,
        }
    }

    /// The `traceparent` of one call: the hook's trace, a span of its own.
    pub fn traceparent(&self) -> [u8; TRACEPARENT] {
        let span: [u8; 16] = hex(fastrand::u64(1..).to_be_bytes());
        let mut text = [b'-'; TRACEPARENT];
        for (at, field) in [
            (0, b"00".as_slice()),
            (3, &self.trace),
            (36, &span),
            (53, &self.flags),
        ] {
            if let Some(place) = text.get_mut(at..at + field.len()) {
                place.copy_from_slice(field);
            }
        }
        text
    }
}

/// Two digits a byte. Each call has a span, and a formatter takes more than ten times as many instructions.
fn hex<const BYTES: usize, const DIGITS: usize>(bytes: [u8; BYTES]) -> [u8; DIGITS] {
    const { assert!(DIGITS == 8 * (BYTES / 4)) };
    let mut text = [0; DIGITS];
    let (numbers, _) = bytes.as_chunks();
    let (places, _) = text.as_chunks_mut();
    for (place, number) in places.iter_mut().zip(numbers) {
        *place = digits(u32::from_be_bytes(*number));
    }
    text
}

/// The eight digits of a number, all at once.
fn digits(number: u32) -> [u8; 8] {
    // A digit a byte.
    let pairs = u64::from(number);
    let pairs = (pairs | pairs << 16) & 0x0000_ffff_0000_ffff;
    let pairs = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let values = (pairs | pairs << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in each byte of more than nine.
    let letters = ((values + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    let above = u64::from(b'a' - b'0' - 10);
    (values + u64::from_be_bytes([b'0'; 8]) + letters * above).to_be_bytes()
}

/// Trace id and flags of a valid header. A version above 00 may have more fields behind those of 00; `ff` is
/// forbidden, and so are ids of all zeros.
fn parse(header: &[u8]) -> Option<([u8; 32], Flags)> {
    let text = std::str::from_utf8(header).ok()?;
    let (head, rest) = text.split_at_checked(TRACEPARENT)?;
    let mut fields = head.split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let ends = rest.is_empty() || (version != "00" && rest.starts_with('-'));
    let good = fields.next().is_none()
        && ends
        && is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && is_hex(span, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|b| b != b'0')
        && span.bytes().any(|b| b != b'0');
    let found = (
        trace.as_bytes().try_into().ok()?,
        flags.as_bytes().try_into().ok()?,
    );
    good.then_some(found)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn traceparent(ids: &Ids) -> String {
        String::from_utf8(ids.traceparent().to_vec()).unwrap()
    }

    #[test]
    fn traceparent_is_continued_only_where_valid() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-00");
        for (header, continued) in [
            (good.clone(), true),
            (format!("01-{TRACE}-00f067aa0ba902b7-01-more"), true),
            (format!("01-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("{good}-more"), false),
            (format!("ff-{TRACE}-00f067aa0ba902b7-01"), false),
            (format!("01-{TRACE}-00f067aa0ba902b7-01more"), false),
            (good.to_uppercase(), false),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), false),
            (String::new(), false),
            ("00-".repeat(30), false),
            ("节点".repeat(20), false),
        ] {
            let ids = Ids::new(Some(header.as_bytes()));
            assert_eq!(traceparent(&ids).contains(TRACE), continued, "{header:?}");
        }
    }

    #[test]
    fn each_call_has_a_span_of_its_own_and_the_callers_flags() {
        let ids = Ids::new(Some(format!("00-{TRACE}-00f067aa0ba902b7-00").as_bytes()));
        let (one, two) = (traceparent(&ids), traceparent(&ids));
        assert_ne!(one, two);
        assert!(
            one.starts_with("00-4bf92f") && one.ends_with("-00") && one.len() == TRACEPARENT,
            "{one}"
        );
        assert!(!one.contains("00f067aa0ba902b7"), "{one}");
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_formatter(number in any::<u128>()) {
            let digits: [u8; 32] = hex(number.to_be_bytes());
            prop_assert_eq!(str::from_utf8(&digits).unwrap_or_default(), format!("{number:032x}"));
        }
    }

    #[test]
    fn fresh_ids_are_valid_and_differ() {
        let (one, two) = (Ids::new(None), Ids::new(None));
        assert_ne!(one.request, two.request);
        assert!(is_hex(&one.request, 32));
        assert!(parse(&one.traceparent()).is_some());
    }
}
