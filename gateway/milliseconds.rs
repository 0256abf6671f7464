//! Times as people read them, in milliseconds.

use std::time::Duration;

/// Writes a time in milliseconds to the end of `text`, rounded to a tenth, which is as much as a reader can use: `12.3`.
///
/// In integers of one word: each hook has a handful of them, and as a floating-point number each takes 700 instructions
/// more.
pub fn push_milliseconds(text: &mut String, time: Duration) {
    let tenths = tenths(time);
    text.push_str(itoa::Buffer::new().format(tenths / 10));
    text.push('.');
    text.push_str(itoa::Buffer::new().format(tenths % 10));
}

/// The same as a number.
pub fn to_a_tenth(time: Duration) -> f64 {
    tenths(time) as f64 / 10.0
}

/// A time in milliseconds, rounded to a hundredth: what traces and observers are told.
pub fn to_a_hundredth(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

/// Up to some fifty million years.
fn tenths(time: Duration) -> u64 {
    let rest = (time.subsec_nanos() + 50_000) / 100_000;
    time.as_secs()
        .saturating_mul(10_000)
        .saturating_add(u64::from(rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(time: Duration) -> String {
        let mut text = String::from("dur=");
        push_milliseconds(&mut text, time);
        text.split_off("dur=".len())
    }

    #[test]
    fn tenths_are_rounded() {
        for (nanoseconds, text) in [
            (0, "0.0"),
            (49_999, "0.0"),
            (50_000, "0.1"),
            (149_999, "0.1"),
            (950_000, "1.0"),
            (12_345_678, "12.3"),
            (999_949_999, "999.9"),
            (3_600_000_000_000, "3600000.0"),
        ] {
            assert_eq!(
                pushed(Duration::from_nanos(nanoseconds)),
                text,
                "{nanoseconds} ns"
            );
        }
        assert_eq!(pushed(Duration::MAX), "1844674407370955161.5");
    }

    proptest! {
        #[test]
        fn text_and_number_agree(nanoseconds in 0..u64::MAX) {
            let time = Duration::from_nanos(nanoseconds);
            let text = pushed(time);
            prop_assert_eq!(&text, &format!("{:.1}", to_a_tenth(time)));

            // In integers: past some months a number's own last bit is more than what would be allowed for.
            let tenths: u64 = text.replace('.', "").parse()?;
            let off = (u128::from(tenths) * 100_000).abs_diff(u128::from(nanoseconds));
            prop_assert!(off <= 50_000, "{} is {} ns off", text, off);
        }
    }
}
