//! The priority of single threads: who gives way to whom where there are more of them than processors.

use std::sync::Once;

use rustix::process::{getpriority_process, setpriority_process};

/// The lowest priority that there is, as a nice value (setpriority(2)): whoever has it gets a processor that nobody else
/// wants, and of one that others want a seventieth.
pub const LOWEST: i32 = 19;

/// The nice value of this thread: that of the process, as it was started, unless it gives way. 0 where the system does
/// not tell.
pub fn of_this_thread() -> i32 {
    getpriority_process(None).unwrap_or_default()
}

/// Gives this thread alone that nice value, or [`LOWEST`] where it is more. What it starts begins with the same.
///
/// Where the system refuses, which is logged once, it keeps what it has.
pub fn give_way(nice: i32) {
    // Linux counts threads here, not processes.
    if let Err(error) = setpriority_process(None, nice.min(LOWEST)) {
        // Threads come and go; once is enough.
        static SAID: Once = Once::new();
        SAID.call_once(|| tracing::warn!(%error, "what could wait has the priority of the hooks"));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_gives_way_alone_and_what_it_starts_does_too() {
        let usual = of_this_thread();
        let given = thread::spawn(move || {
            give_way(LOWEST.min(usual + 3));
            let own = of_this_thread();
            let begun = thread::spawn(of_this_thread).join().unwrap();
            give_way(LOWEST + 1);
            (own, begun, of_this_thread())
        });
        let more = LOWEST.min(usual + 3);
        assert_eq!(given.join().unwrap(), (more, more, LOWEST));
        assert_eq!(of_this_thread(), usual);
    }
}
