//! Heavy judgement off the thread: comparing and merging large documents, and every picture sheet.
//!
//! A runtime thread serves hundreds of hooks; one that compares eight megabytes holds all of them up. Small work
//! stays where it is, since the way to another thread and back costs more than the work.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::task::spawn_blocking;

/// Work that goes through this many bytes or more leaves the thread. A comparison of 256 KiB takes some 100 µs,
/// which is what a neighbour may wait.
pub const HEAVY: usize = 256 * 1024;

/// The priority of heavy work, as the system counts: a tenth of a processor where hooks want all of it. With theirs,
/// merges of 8 MB take the 99th percentile of small hooks to 1.7 times what the same merges in another process do; with
/// this one to 1.1 times (`tests/bench/run --only neighbours`, two cores).
const BEHIND: i32 = 10;

/// How long a thread waits for more heavy work before it ends. Work goes to those that wait in turn, so that with
/// Tokio's 10 s the look at the configuration's files every 2 s would keep five of them for good after one busy moment.
pub const SPARE: Duration = Duration::from_secs(1);

/// Runs `work`, which goes through about `weight` bytes: here, or off the thread where that is heavy. A panic in
/// it is a panic here.
pub async fn offload<T: Send + 'static>(weight: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if weight < HEAVY {
        return work();
    }
    let behind = move || {
        step_behind();
        work()
    };
    match spawn_blocking(behind).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only a runtime that is shutting down cancels a blocking task, and it drops us next.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Has this thread give way to those of the hooks, for good: whoever takes heavy work never serves hooks themselves.
fn step_behind() {
    thread_local! {
        static STEPPED: Cell<bool> = const { Cell::new(false) };
    }
    // A thread of those beside the hooks is further behind already.
    if !STEPPED.replace(true) && getpriority_process(None).is_ok_and(|nice| nice < BEHIND) {
        // Where the system allows it to nobody, heavy work has the priority of the hooks.
        let _ = setpriority_process(None, BEHIND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn heavy_work_leaves_the_thread_and_light_work_stays() {
        let here = std::thread::current().id();
        let place = || (std::thread::current().id(), getpriority_process(None).unwrap());
        let (light, priority) = offload(HEAVY - 1, place).await;
        assert_eq!((light, priority), (here, getpriority_process(None).unwrap()));
        let (heavy, priority) = offload(HEAVY, place).await;
        assert_ne!(heavy, here);
        assert_eq!(priority, BEHIND);
    }

    #[tokio::test]
    async fn a_panic_comes_back() {
        let caught = tokio::spawn(offload(HEAVY, || panic!("broken"))).await;
        assert!(caught.unwrap_err().is_panic());
    }
}
