//! The time that judgement is told.

use std::sync::LazyLock;

use koigate_core::health::Moment;
use tokio::time::Instant;

/// Now, on the process's own clock: nobody sets it, and reloads don't begin it anew.
pub(super) fn now() -> Moment {
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    // Taken first, since the first to ask makes the epoch.
    let epoch = *EPOCH;
    Moment(Instant::now().saturating_duration_since(epoch))
}
