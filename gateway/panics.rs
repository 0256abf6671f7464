//! Panics: faults of the program, each contained where it happens, and all of them logged and counted.
//!
//! The standard library's own report goes straight to standard error: it blocks where nobody reads that, is no line
//! of the log, and shows the panic's words, in which may stand a piece of a document. So the place alone is logged;
//! whoever contains the panic says what it was part of.

use std::panic::{PanicHookInfo, set_hook};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// From here on every panic of the process is a line of its log, and is counted.
pub fn watch() {
    set_hook(Box::new(note));
}

/// How many there have been since then.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

fn note(panic: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(%place, "panic: a fault of the program's own");
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, take_hook};

    use koigate_core::plan::{LogFormat, LogLevel};

    use super::*;
    use crate::logging::tests::written;

    #[test]
    fn its_place_is_logged_and_not_its_words() {
        let before = count();
        let log = written(LogFormat::Text, LogLevel::Info, || {
            // Other tests keep theirs, but for this moment.
            let others = take_hook();
            watch();
            let panicked = catch_unwind(|| panic!("canary-51f4"));
            set_hook(others);
            assert!(panicked.is_err());
        });
        assert!(count() > before);
        assert!(log.contains("gateway/panics.rs:"), "{log}");
        assert!(!log.contains("canary"), "{log}");
    }
}
