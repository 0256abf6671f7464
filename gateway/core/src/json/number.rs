//! Numbers by meaning: two are the same if their nearest 64-bit floats are.
//!
//! So `1.0` is `1`, an ID that JavaScript rounded is the ID, and `1e999` is `Infinity`. `NaN` is `NaN`
//! here: the question is whether somebody changed a value, not whether it is ordered. Where an operator compares a
//! value with one of the configuration, nobody has rounded it, and IDs are told apart to the last digit ([`equal`]).

/// Whether two checked numbers (`NaN` and the infinities among them) are the same.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let (a, b) = (nearest(a), nearest(b));
    a == b || (a.is_nan() && b.is_nan())
}

/// Whether two checked numbers are equal: integers, which may be IDs, to the last digit, all others by the nearest
/// float. Nobody has rounded them, so that there is nothing to forgive.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a == b,
        _ => same(a, b),
    }
}

/// The digits and sign of a checked number that is spelled as an integer. There is one spelling for each, but for
/// zero.
fn integer(raw: &[u8]) -> Option<&[u8]> {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    let is_integer = digits.iter().all(u8::is_ascii_digit);
    is_integer.then_some(if digits == b"0" { digits } else { raw })
}

/// Whether JSON as others write it has no spelling for this number.
pub(super) fn is_unspellable(raw: &[u8]) -> bool {
    !nearest(raw).is_finite()
}

/// The nearest 64-bit float. Rust reads JSON's grammar and Python's three words alike.
fn nearest(raw: &[u8]) -> f64 {
    // A checked number is ASCII and parses; were it ever otherwise, it would be equal to nothing finite.
    str::from_utf8(raw)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(f64::NAN)
}
