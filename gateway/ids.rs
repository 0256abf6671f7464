//! What one hook is known by: its id, and the W3C trace that its calls belong to.

/// The ids of one hook.
#[derive(Debug, Clone)]
pub struct Ids {
    /// `X-Request-Id` and `Idempotency-Key`: 32 hexadecimal digits. Random, so that it is the same for a retry of
    /// one hook and no other.
    pub request: String,
    trace: String,
    flags: String,
}

/// Length of a `traceparent` of version 00.
const TRACEPARENT: usize = 55;

impl Ids {
    /// Fresh ids; a valid `traceparent` of the caller is continued (W3C Trace Context section 3.2).
    pub fn new(traceparent: Option<&[u8]>) -> Self {
        let mut request = String::with_capacity(32);
        push_hex(&mut request, &fastrand::u128(1..).to_be_bytes());
        match traceparent.and_then(parse) {
            Some((trace, flags)) => Self {
                request,
                trace,
                flags,
            },
            // A trace that begins here says "sampled": whether a backend records it is the backend's to decide.
            None => Self {
                trace: request.clone(),
                request,
                flags: "01".to_owned(),
            },
        }
    }

    /// The `traceparent` of one call: the hook's trace, a span of its own.
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(TRACEPARENT);
        text.extend(["00-", &self.trace, "-"]);
        push_hex(&mut text, &fastrand::u64(1..).to_be_bytes());
        text.extend(["-", &self.flags]);
        text
    }
}

/// Two digits a byte. A formatter takes five times as many instructions, and each call has a span.
fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |nibble: u8| {
        char::from(if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' - 10 + nibble
        })
    };
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}

/// Trace id and flags of a valid header. A version above 00 may have more fields behind those of 00; `ff` is
/// forbidden, and so are ids of all zeros.
fn parse(header: &[u8]) -> Option<(String, String)> {
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
    good.then(|| (trace.to_owned(), flags.to_owned()))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
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
    fn bytes_as_hexadecimal_digits() {
        let all: Vec<u8> = (0..=255).collect();
        let mut text = String::from("00-");
        push_hex(&mut text, &all);
        let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, format!("00-{expected}"));
    }

    #[test]
    fn fresh_ids_are_valid_and_differ() {
        let (one, two) = (Ids::new(None), Ids::new(None));
        assert_ne!(one.request, two.request);
        assert!(is_hex(&one.request, 32));
        assert!(parse(one.traceparent().as_bytes()).is_some());
    }
}
