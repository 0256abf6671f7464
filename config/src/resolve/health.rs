//! How it is told whether a backend is well: its breaker, and what its replicas are asked in between.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use koigate_core::plan::{Breaker, Health};

use super::{quantity, url};
use crate::file::{self, Switch};
use crate::place::Placed;
use crate::problem::HealthProblem;
use crate::report::Findings;

const FAILURES: usize = 5;
const COOL_OFF: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(5);

/// None opens it before it has failed, and a thousand in a row is a breaker that never opens.
const FAILURES_IN_A_ROW: RangeInclusive<usize> = 1..=1000;

/// More often than that a check is a load of its own.
const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// A backend's breaker: its own, or the inherited one where it says nothing.
pub(super) fn breaker(
    written: Option<&Placed<Switch<file::Breaker>>>,
    inherited: Option<Breaker>,
    findings: &mut Findings,
) -> Option<Breaker> {
    let written = match written.map(|written| &written.value) {
        None => return inherited,
        Some(Switch::Off) => return None,
        Some(Switch::On(written)) => written,
    };
    let failures = quantity::number(written.failures.as_ref(), FAILURES, FAILURES_IN_A_ROW, findings);
    let failures = u32::try_from(failures).ok().and_then(NonZeroU32::new);
    Some(Breaker {
        // The bounds are those of the type.
        failures: failures.unwrap_or(NonZeroU32::MIN),
        cool_off: quantity::duration(written.cool_off.as_ref(), COOL_OFF, findings),
    })
}

/// A backend's active check: its own, or the inherited one where it says nothing.
pub(super) fn health(
    written: Option<&Placed<Switch<file::Health>>>,
    inherited: Option<&Health>,
    findings: &mut Findings,
) -> Option<Health> {
    let written = match written.map(|written| &written.value) {
        None => return inherited.cloned(),
        Some(Switch::Off) => return None,
        Some(Switch::On(written)) => written,
    };
    Some(Health {
        path: path(written.path.as_ref(), findings),
        interval: quantity::duration_within(INTERVALS, written.interval.as_ref(), INTERVAL, findings),
    })
}

fn path(written: Option<&Placed<String>>, findings: &mut Findings) -> String {
    let Some(written) = written else {
        return "/".to_owned();
    };
    url::path(&written.value).unwrap_or_else(|| {
        findings.note(&written.span, HealthProblem::NotAPath);
        String::new()
    })
}
