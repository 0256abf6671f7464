//! The threads that serve callers. Each has a runtime of its own, and asks the system itself for its connections' news.
//!
//! In one runtime for all threads one of them asks and the others sleep until it tells them. While that one has been
//! woken and waits for its processor nobody hears anything, be another processor idle: with two, which load and services
//! shared, for a twelfth of their time, now for a hundredth. Hooks of three calls are 1.18 times as many, and take 0.89 of
//! the CPU time. In return a task can't move to a thread that has nothing to do: what would hold a thread up leaves it
//! ([`offload`](crate::offload)), and large bodies go in stretches.
//!
//! Whatever begins on a thread stays there. A connection begins on the one that serves the fewest.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::offload::SPARE;

/// Threads that serve callers. Dropping it ends them, and what they still serve.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// How many it serves.
    served: Arc<AtomicUsize>,
    /// Dropped to end the thread.
    end: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// One that is served, until it is dropped.
struct Served(Arc<AtomicUsize>);

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

/// Which of the workers this thread is, from 1 on; 0 for any other thread.
pub fn place() -> usize {
    PLACE.get()
}

// === impl Workers ===

impl Workers {
    /// So many threads, or one a core for 0.
    ///
    /// # Errors
    ///
    /// The system refuses them.
    pub fn start(threads: usize) -> io::Result<Self> {
        let count = if threads > 0 {
            threads
        } else {
            thread::available_parallelism().map_or(1, NonZero::get)
        };
        let workers = (1..=count).map(Worker::start);
        Ok(Self {
            workers: workers.collect::<io::Result<_>>()?,
        })
    }

    /// Serves this on the thread that serves the fewest, the first of them.
    pub fn serve(&self, work: impl Future<Output = ()> + Send + 'static) {
        let load = |worker: &&Worker| worker.served.load(Ordering::Relaxed);
        if let Some(worker) = self.workers.iter().min_by_key(load) {
            let served = Served::one_more(&worker.served);
            worker.runtime.spawn(async move {
                let _served = served;
                work.await;
            });
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.end = None;
        }
        let threads = self.workers.iter_mut().filter_map(|worker| worker.thread.take());
        for thread in threads {
            // Where it panicked it has ended too.
            let _ = thread.join();
        }
    }
}

// === impl Worker ===

impl Worker {
    fn start(place: usize) -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.thread_keep_alive(SPARE).enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let run = move || {
            PLACE.set(place);
            let _ = runtime.block_on(ended);
            // A picture that is being drawn for nobody any more is not waited for.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name(format!("hooks-{place}")).spawn(run)?;
        Ok(Self {
            runtime: handle,
            served: Arc::default(),
            end: Some(end),
            thread: Some(thread),
        })
    }
}

// === impl Served ===

impl Served {
    fn one_more(served: &Arc<AtomicUsize>) -> Self {
        served.fetch_add(1, Ordering::Relaxed);
        Self(served.clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::mpsc;

    use super::*;

    /// Tells its place where it is dropped.
    struct Tells(mpsc::UnboundedSender<usize>);

    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(place());
        }
    }

    #[tokio::test]
    async fn whoever_serves_the_fewest_gets_the_next() {
        let workers = Workers::start(2).unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut served = Vec::new();
        let mut places = Vec::new();
        for _ in 0..4 {
            let (end, ended) = oneshot::channel::<()>();
            let tell = tell.clone();
            workers.serve(async move {
                tell.send(place()).unwrap();
                let _ = ended.await;
            });
            served.push(end);
            places.push(told.recv().await.unwrap());
        }
        assert_eq!(places, [1, 2, 1, 2]);
        assert_eq!(place(), 0, "no worker");
        // Of one that has ended, and of one that has panicked, another takes the place.
        drop(served.swap_remove(1));
        while workers.workers[1].served.load(Ordering::Relaxed) > 1 {
            tokio::task::yield_now().await;
        }
        let tells = Tells(tell.clone());
        workers.serve(async move {
            let _tells = tells;
            panic!("broken")
        });
        assert_eq!(told.recv().await, Some(2));
        while workers.workers[1].served.load(Ordering::Relaxed) > 1 {
            tokio::task::yield_now().await;
        }
        workers.serve(async move { tell.send(place()).unwrap() });
        assert_eq!(told.recv().await, Some(2));
    }

    #[tokio::test]
    async fn what_is_served_ends_with_them() {
        let workers = Workers::start(2).unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        for _ in 0..3 {
            let tells = Tells(tell.clone());
            workers.serve(async move {
                let _tells = tells;
                pending::<()>().await;
            });
        }
        drop((workers, tell));
        let mut places = Vec::new();
        while let Ok(place) = told.try_recv() {
            places.push(place);
        }
        places.sort_unstable();
        assert_eq!(places, [1, 1, 2], "before the drop returns, on their threads");
    }
}
