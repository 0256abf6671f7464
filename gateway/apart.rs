//! A thread apart from those of the hooks, for what goes on beside them.
//!
//! On the threads of the hooks whoever sends 32 MB for nothing would be in the way of all that these threads serve,
//! however little may be held of it: each turn of theirs would be longer by what is read of such a reply. On a thread
//! of their own the calls share that one with each other, and the system sees to it that the hooks get theirs.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::offload::SPARE;

/// Comparisons at once; and the system's resolver, which waits there for names that it knows nothing of.
const BLOCKING: usize = 4;

/// Begun when it is first needed: most gateways have nobody to call beside a hook. It ends with the process, which
/// waits for nothing that goes on here.
static APART: OnceLock<Option<Runtime>> = OnceLock::new();

/// Runs this beside the hooks. Where the system gives no thread it runs among them.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    match APART.get_or_init(begin) {
        Some(runtime) => drop(runtime.spawn(work)),
        None => drop(tokio::spawn(work)),
    }
}

fn begin() -> Option<Runtime> {
    let mut builder = Builder::new_multi_thread();
    let builder = builder
        .worker_threads(1)
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(SPARE);
    match builder.thread_name("beside").enable_all().build() {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            tracing::warn!(%error, "no thread for what goes on beside the hooks: it is in their way");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_another_thread_and_always_the_same() {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (tell, told) = oneshot::channel();
            spawn(async move {
                let current = thread::current();
                let _ = tell.send((current.id(), current.name().map(str::to_owned)));
            });
            seen.push(told.await.unwrap());
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0].1.as_deref(), Some("beside"));
        assert_ne!(seen[0].0, thread::current().id());
    }
}
