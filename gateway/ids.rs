//! What one hook is known by: its id, and the W3C trace that its calls belong to.

use std::sync::Arc;

/// The ids of one hook. Each stage of it has a clone.
#[derive(Debug, Clone)]
pub struct Ids {
    /// `X-Request-Id` and `Idempotency-Key`: 32 hexadecimal digits. Random, so that it is the same for a retry of
    /// one hook and no other.
    pub request: Arc<str>,
    trace: Arc<str>,
    flags: Flags,
}

/// The flags of a trace, two hexadecimal digits.
type Flags = [u8; 2];

/// A trace that begins here says "sampled": whether a backend records it is the backend's to decide.
const SAMPLED: Flags = *b"01";

/// Length of a `traceparent` of version 00.
const TRACEPARENT: usize = 55;

impl Ids {
    /// Fresh ids; a valid `traceparent` of the caller is continued (W3C Trace Context section 3.2).
    pub fn new(traceparent: Option<&[u8]>) -> Self {
        let number = fastrand::u128(1..);
        let mut request = String::with_capacity(32);
        push_hex(&mut request, (number >> 64) as u64);
        push_hex(&mut request, number as u64);
        let request: Arc<str> = request.into();
        let (trace, flags) = match traceparent.and_then(parse) {
            Some((trace, flags)) => (trace.into(), flags),
            None => (request.clone(), SAMPLED),
        };
        Self {
            request,
            trace,
            flags,
        }
    }

    /// The `traceparent` of one call: the hook's trace, a span of its own.
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(TRACEPARENT);
        text.extend(["00-", &self.trace, "-"]);
        push_hex(&mut text, fastrand::u64(1..));
        text.push('-');
        text.extend(self.flags.map(char::from));
        text
    }
}

/// Its sixteen digits. Each call has a span, and a formatter takes more than ten times as many instructions.
fn push_hex(text: &mut String, number: u64) {
    for half in [(number >> 32) as u32, number as u32] {
        text.push_str(str::from_utf8(&digits(half)).unwrap_or_default());
    }
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
fn parse(header: &[u8]) -> Option<(&str, Flags)> {
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
    Some((trace, flags.as_bytes().try_into().ok()?)).filter(|_| good)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

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
            assert_eq!(ids.traceparent().contains(TRACE), continued, "{header:?}");
        }
    }

    #[test]
    fn each_call_has_a_span_of_its_own_and_the_callers_flags() {
        let ids = Ids::new(Some(format!("00-{TRACE}-00f067aa0ba902b7-00").as_bytes()));
        let (one, two) = (ids.traceparent(), ids.traceparent());
        assert_ne!(one, two);
        assert!(
            one.starts_with("00-4bf92f") && one.ends_with("-00") && one.len() == TRACEPARENT,
            "{one}"
        );
        assert!(!one.contains("00f067aa0ba902b7"), "{one}");
    }

    #[test]
    fn numbers_as_hexadecimal_digits() {
        let mut text = String::from("00-");
        push_hex(&mut text, 0x0123_4567_89ab_cdef);
        assert_eq!(text, "00-0123456789abcdef");
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_formatter(number in any::<u32>()) {
            let digits = digits(number);
            prop_assert_eq!(str::from_utf8(&digits).unwrap_or_default(), format!("{number:08x}"));
        }
    }

    #[test]
    fn fresh_ids_are_valid_and_differ() {
        let (one, two) = (Ids::new(None), Ids::new(None));
        assert_ne!(one.request, two.request);
        assert!(is_hex(&one.request, 32));
        assert!(parse(one.traceparent().as_bytes()).is_some());
    }
}
