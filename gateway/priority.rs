//! The priority of single threads: who gives way to whom where there are more of them than processors.

use std::sync::Once;

use rustix::process::setpriority_process;

/// The lowest priority that there is, as a nice value (setpriority(2)): whoever has it gets a processor that nobody else
/// wants, and of one that others want a seventieth.
pub const LOWEST: i32 = 19;

/// Gives this thread alone a lower priority than those of nice value 0 have: that value, up to [`LOWEST`]. What it
/// starts begins with the same.
///
/// Where the system refuses, which is logged once, it keeps what it has.
pub fn give_way(nice: i32) {
    // Linux counts threads here, not processes.
    if let Err(error) = setpriority_process(None, nice) {
        // Threads come and go; once is enough.
        static SAID: Once = Once::new();
        SAID.call_once(|| tracing::warn!(%error, "what could wait has the priority of the hooks"));
    }
}

#[cfg(test)]
pub(crate) fn of_this_thread() -> i32 {
    rustix::process::getpriority_process(None).unwrap()
}
