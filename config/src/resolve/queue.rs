//! What may wait until an observer is told.

use std::ops::RangeInclusive;
use std::time::Duration;

use koigate_core::plan::Queue;

use super::quantity::{self, PERMITS};
use crate::file::{self, Table};
use crate::place::Placed;
use crate::report::Findings;

/// Less than a second is no restart, and what is a day old nobody counts any more.
const GIVE_UP: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

/// A backend's queue, key by key over the inherited one.
pub(super) fn resolve(
    written: Option<&Placed<Table<file::Queue>>>,
    inherited: Queue,
    findings: &mut Findings,
) -> Queue {
    let Some(Table(written)) = written.map(|written| &written.value) else {
        return inherited;
    };
    Queue {
        length: quantity::number(written.length.as_ref(), inherited.length, PERMITS, findings),
        memory: quantity::size(written.memory.as_ref(), inherited.memory, findings),
        give_up: quantity::duration_within(GIVE_UP, written.give_up.as_ref(), inherited.give_up, findings),
    }
}
