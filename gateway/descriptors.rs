//! How many files and sockets the process may have open.

use koigate_core::plan::Server;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::workers;

/// What is open besides connections of callers and to backends: listeners, the log, the watch, what is being read.
const OTHERS: u64 = 64;

/// What a thread that serves callers hears of its connections by, and the one beside it: two of epoll each, one to be
/// woken by, one for signals.
const OF_A_THREAD: u64 = 2 * 4;

/// Raises the limit as far as the process may by itself: the usual 1024 is a courtesy to programs that use
/// `select`, and fewer than `server.max_connections`. Warns where that is still too few for them.
pub fn raise(server: &Server) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays");
            limit.current
        }
    };
    // `None` is no limit.
    if let Some(limit) = current.filter(|limit| *limit < wanted(server)) {
        tracing::warn!(
            limit,
            max_connections = server.max_connections,
            "fewer files may be open than callers may be connected: raise the limit (LimitNOFILE), or lower server.max_connections"
        );
    }
}

/// One for every caller, and what is open besides.
fn wanted(server: &Server) -> u64 {
    let threads = u64::try_from(workers::count(server.threads)).unwrap_or(u64::MAX);
    let others = threads.saturating_mul(OF_A_THREAD).saturating_add(OTHERS);
    u64::try_from(server.max_connections).map_or(u64::MAX, |callers| callers.saturating_add(others))
}
