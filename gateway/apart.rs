//! A thread apart from those of the hooks, for what goes on beside them.
//!
//! On the threads of the hooks whoever sends 32 MB for nothing would be in the way of all that these threads serve,
//! however little may be held of it: each turn of theirs would be longer by what is read of such a reply. On a thread
//! of their own the calls share that one with each other, and since it is of the lowest priority the hooks' threads
//! have a processor whenever they want one.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::offload::SPARE;
use crate::priority::{LOWEST, give_way};

/// Comparisons at once; and the system's resolver, which waits there for names that it knows nothing of.
const BLOCKING: usize = 4;

/// Begun when it is first needed: most gateways have nobody to call beside a hook. It ends with the process, which
/// waits for nothing that goes on here.
static APART: OnceLock<Option<Runtime>> = OnceLock::new();

/// Runs this beside the hooks. Where the system gives no thread it runs on that of whoever asks.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    match APART.get_or_init(begin) {
        Some(runtime) => drop(runtime.spawn(work)),
        None => drop(tokio::spawn(work)),
    }
}

/// With the priority of the hooks, a shadow that answered 200 hooks a second with 32 MB each took their 99th percentile
/// from 2 ms to between 7 and 34 (two cores, which load and flood share); with the lowest one it is what it is beside any
/// other program that reads as much: 3 to 4 (`tests/isolation`).
fn begin() -> Option<Runtime> {
    let mut builder = Builder::new_multi_thread();
    let builder = builder
        .worker_threads(1)
        .max_blocking_threads(BLOCKING)
        .on_thread_start(|| give_way(LOWEST))
        .thread_keep_alive(SPARE);
    match builder.thread_name("beside").enable_all().build() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            tracing::warn!(%error, "no thread for what goes on beside the hooks: it is in the way");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::oneshot;

    use super::*;
    use crate::priority;

    #[tokio::test]
    async fn it_is_another_thread_and_always_the_same() {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (tell, told) = oneshot::channel();
            spawn(async move {
                let current = thread::current();
                assert_eq!(priority::of_this_thread(), LOWEST);
                let _ = tell.send((current.id(), current.name().map(str::to_owned)));
            });
            seen.push(told.await.unwrap());
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0].1.as_deref(), Some("beside"));
        assert_ne!(seen[0].0, thread::current().id());
        assert_ne!(priority::of_this_thread(), LOWEST);
    }
}
