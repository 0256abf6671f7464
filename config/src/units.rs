//! Durations and sizes as they are written, both ways. What is written is exact: `"1m30s"`, `"32MiB"`.

use std::time::Duration;

/// The units of a duration in milliseconds, from the largest; one text uses each at most once, in this order.
const DURATIONS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The units of a size in bytes, from the largest.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a duration: `"500ms"`, `"5s"`, `"1m30s"`, `"2h"`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = DURATIONS.iter();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (word, next) = after.split_at_checked(end)?;
        // What was passed over can't come any more, so the units descend.
        let (_, millis) = units.find(|(unit, _)| *unit == word)?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
        rest = next;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// Reads a size: `"512B"`, `"64KiB"`, `"32MiB"`, `"1GiB"`.
pub(crate) fn parse_size(text: &str) -> Option<usize> {
    let (number, word) = split_number(text)?;
    let (_, bytes) = SIZES.iter().find(|(unit, _)| *unit == word)?;
    usize::try_from(number.checked_mul(*bytes)?).ok()
}

/// Writes a duration so that [`parse_duration`] reads it back, to the millisecond.
pub(crate) fn duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, millis) in DURATIONS {
        if left >= millis {
            text += &format!("{}{unit}", left / millis);
            left %= millis;
        }
    }
    text
}

/// Writes a size in the largest unit that divides it.
pub(crate) fn size(bytes: usize) -> String {
    let bytes = bytes as u64;
    SIZES
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(
            || format!("{bytes}B"),
            |(name, unit)| format!("{}{name}", bytes / unit),
        )
}

/// What was probably meant by a text that is no duration: a bare number is seconds, and neither case nor white
/// space was meant.
pub(crate) fn nearest_duration(text: &str) -> Option<String> {
    let plain = squeeze(text).to_lowercase();
    let words = plain
        .replace("hours", "h")
        .replace("hour", "h")
        .replace("minutes", "m")
        .replace("minute", "m")
        .replace("min", "m")
        .replace("seconds", "s")
        .replace("second", "s")
        .replace("sec", "s");
    [words.clone(), format!("{words}s")]
        .iter()
        .find_map(|text| parse_duration(text))
        .map(duration)
}

/// What was probably meant by a text that is no size: `MB` and `m` are `MiB`, a bare number is bytes.
pub(crate) fn nearest_size(text: &str) -> Option<String> {
    let plain = squeeze(text).to_lowercase();
    let (number, word) = split_number(&plain)?;
    let unit = match word {
        "" | "b" | "byte" | "bytes" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("1m30s", Some(90_000)),
            ("2h", Some(7_200_000)),
            ("1h1m1s1ms", Some(3_661_001)),
            ("0s", Some(0)),
            ("90s", Some(90_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("5 s", None),
            ("5S", None),
            ("1.5s", None),
            ("-5s", None),
            ("+5s", None),
            ("30s1m", None),
            ("1s1s", None),
            ("5d", None),
            ("1m 30s", None),
            ("５s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(
                parse_duration(text),
                millis.map(Duration::from_millis),
                "{text:?}"
            );
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0B", Some(0)),
            ("512B", Some(512)),
            ("64KiB", Some(65_536)),
            ("32MiB", Some(33_554_432)),
            ("1GiB", Some(1_073_741_824)),
            ("", None),
            ("32", None),
            ("32MB", None),
            ("32mib", None),
            ("32 MiB", None),
            ("1.5MiB", None),
            ("MiB", None),
            ("1MiB1KiB", None),
            ("18446744073709551615GiB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for millis in [1, 999, 1_000, 1_001, 60_000, 90_500, 3_600_000, 86_399_999] {
            let length = Duration::from_millis(millis);
            assert_eq!(parse_duration(&duration(length)), Some(length));
        }
        for bytes in [1, 1_023, 1_024, 1_025, 1 << 20, 33_554_432, 1 << 30] {
            assert_eq!(parse_size(&size(bytes)), Some(bytes));
        }
    }

    #[test]
    fn what_was_meant() {
        for (text, meant) in [
            ("5", Some("5s")),
            ("5 s", Some("5s")),
            ("90 seconds", Some("1m30s")),
            ("1 Min", Some("1m")),
            ("soon", None),
            ("1.5s", None),
        ] {
            assert_eq!(nearest_duration(text).as_deref(), meant, "{text:?}");
        }
        for (text, meant) in [
            ("32MB", Some("32MiB")),
            ("32 mib", Some("32MiB")),
            ("1g", Some("1GiB")),
            ("4096", Some("4096B")),
            ("big", None),
            ("1.5MiB", None),
        ] {
            assert_eq!(nearest_size(text).as_deref(), meant, "{text:?}");
        }
    }
}
