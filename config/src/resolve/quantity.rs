//! Durations, sizes and numbers, each within bounds. What lies outside is refused rather than bent: a limit that
//! isn't what the file says would surprise somebody later.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::file::{DurationText, SizeText};
use crate::place::Placed;
use crate::problem::ValueProblem;
use crate::report::Findings;
use crate::units;

/// Every timeout and deadline: one of zero would fail every call, and nobody waits an hour for a test.
const DURATIONS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);

/// Bodies: no hook of the bot's fits into less, and offsets into a document have 32 bits.
const SIZES: RangeInclusive<usize> = 1024..=1 << 30;

/// Permits: nothing is served with none.
pub(super) const PERMITS: RangeInclusive<usize> = 1..=1_000_000;

/// Threads; 0 is one per core.
pub(super) const THREADS: RangeInclusive<usize> = 0..=1024;

/// The duration that is written, or the default where none is, or where it is wrong and noted.
pub(super) fn duration(
    written: Option<&Placed<DurationText>>,
    default: Duration,
    findings: &mut Findings,
) -> Duration {
    duration_within(DURATIONS, written, default, findings)
}

/// The same with other bounds.
pub(super) fn duration_within(
    bounds: RangeInclusive<Duration>,
    written: Option<&Placed<DurationText>>,
    default: Duration,
    findings: &mut Findings,
) -> Duration {
    let Some(Placed {
        value: DurationText(text),
        span,
    }) = written
    else {
        return default;
    };
    match units::parse_duration(text) {
        Some(duration) if bounds.contains(&duration) => return duration,
        Some(_) => {
            let (least, most) = bounds.into_inner();
            findings.note(span, ValueProblem::DurationBounds { least, most });
        }
        None => {
            let nearest = units::nearest_duration(text);
            findings.note(span, ValueProblem::NotADuration { nearest });
        }
    }
    default
}

/// The size that is written, or the default where none is, or where it is wrong and noted.
pub(super) fn size(written: Option<&Placed<SizeText>>, default: usize, findings: &mut Findings) -> usize {
    size_within(SIZES, written, default, findings)
}

/// The same with other bounds.
pub(super) fn size_within(
    bounds: RangeInclusive<usize>,
    written: Option<&Placed<SizeText>>,
    default: usize,
    findings: &mut Findings,
) -> usize {
    let Some(Placed {
        value: SizeText(text),
        span,
    }) = written
    else {
        return default;
    };
    match units::parse_size(text) {
        Some(bytes) if bounds.contains(&bytes) => return bytes,
        Some(_) => {
            let (least, most) = bounds.into_inner();
            findings.note(span, ValueProblem::SizeBounds { least, most });
        }
        None => {
            let nearest = units::nearest_size(text);
            findings.note(span, ValueProblem::NotASize { nearest });
        }
    }
    default
}

/// The number that is written, or the default where none is, or where it is wrong and noted.
pub(super) fn number(
    written: Option<&Placed<i64>>,
    default: usize,
    bounds: RangeInclusive<usize>,
    findings: &mut Findings,
) -> usize {
    let Some(Placed { value, span }) = written else {
        return default;
    };
    match usize::try_from(*value) {
        Ok(number) if bounds.contains(&number) => number,
        _ => {
            let (least, most) = bounds.into_inner();
            findings.note(span, ValueProblem::NumberBounds { least, most });
            default
        }
    }
}
