//! Heavy judgement off the thread: comparing and merging large documents, and every picture sheet.
//!
//! A runtime thread serves hundreds of hooks; one that compares eight megabytes holds all of them up. Small work
//! stays where it is, since the way to another thread and back costs more than the work.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

/// Work that goes through this many bytes or more leaves the thread: as much as a document of 256 KiB and three echoes
/// of it. Comparing so much takes 20 to 300 us, parsing it 450. With 256 KiB here, three echoes of 200 KB took 880 us of
/// CPU and not 680, and the p99 of small hooks beside them was no better: 1.6 to 2.0 ms, and 1.4 to 1.8.
pub const HEAVY: usize = 1024 * 1024;

/// How long a thread waits for more heavy work before it ends. Work goes to those that wait in turn, so that with
/// Tokio's 10 s the look at the configuration's files every 2 s would keep five of them for good after one busy moment.
pub const SPARE: Duration = Duration::from_secs(1);

/// Whether work that goes through about so many bytes leaves the thread. Where light work makes something large, it is
/// better asked for than offloaded: that moves what is made into a future and out of it.
pub fn is_heavy(weight: usize) -> bool {
    weight >= HEAVY
}

/// Runs `work`, which goes through about `weight` bytes: here and now, or off the thread where that is heavy. A panic in
/// it is a panic here.
///
/// Not an `async fn`: light work is done before there is a future, which would carry all that is worked on.
pub fn offload<T: Send + 'static>(
    weight: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> + Send {
    let done = if is_heavy(weight) {
        Err(Elsewhere(spawn_blocking(work)))
    } else {
        Ok(work())
    };
    async {
        match done {
            Ok(done) => done,
            Err(elsewhere) => elsewhere.await,
        }
    }
}

/// What goes on on another thread, for whoever waits for it here. A panic in it is a panic here; dropped, it ends there
/// where it waits next, or does not begin.
#[derive(Debug)]
#[must_use = "dropped, it ends"]
pub(crate) struct Elsewhere<T>(pub(crate) JoinHandle<T>);

impl<T> Future for Elsewhere<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.0).poll(context)) {
            Ok(done) => Poll::Ready(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Only a runtime that is shutting down cancels what is waited for, and it drops us next.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Elsewhere<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn heavy_work_leaves_the_thread_and_light_work_stays() {
        let here = std::thread::current().id();
        let light = offload(HEAVY - 1, || std::thread::current().id()).await;
        let heavy = offload(HEAVY, || std::thread::current().id()).await;
        assert_eq!(light, here);
        assert_ne!(heavy, here);
    }

    #[tokio::test]
    async fn a_panic_comes_back() {
        let caught = tokio::spawn(offload(HEAVY, || panic!("broken"))).await;
        assert!(caught.unwrap_err().is_panic());
    }
}
