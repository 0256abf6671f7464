//! The threads that serve callers. Each has a runtime of its own, and asks the system itself for its connections' news.
//!
//! In one runtime for all threads one of them asks and the others sleep until it tells them. While that one has been
//! woken and waits for its processor nobody hears anything, be another processor idle: with two, which load and services
//! shared, for a twelfth of their time, now for a hundredth. Hooks of three calls are 1.18 times as many, and take 0.89 of
//! the CPU time.
//!
//! In return what begins on a thread stays there, as in nginx and Envoy, and none helps another. A connection begins on
//! the thread that serves the fewest, and what would hold that up leaves it: work that takes long for threads that do
//! nothing else ([`offload`](crate::offload)), and for a thread beside each ([`in_bulk`]) requests that announce a large
//! body, all of them, and large replies and answers to others. That one, and its heavy work, give way where somebody else
//! wants the processor. Requests in chunks, of which nobody knows how many will come, stay where they are, and go in
//! stretches.

use std::cell::{Cell, OnceCell};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::offload::{Elsewhere, SPARE};
use crate::priority::{self, give_way};

/// Connections that may wait for their threads to look at them; others wait to be accepted, without a descriptor.
const NEWCOMERS: usize = 256;

/// How long nobody more is handed over then.
const BREATH: Duration = Duration::from_millis(1);

/// Threads for heavy work, of all threads here together; and the system's resolver, which waits there.
const BLOCKING: usize = 512;

/// The fewest of them that one has.
const LEAST_BLOCKING: usize = 8;

/// By how much less the threads for bulk, and their heavy work, are preferred, as a step of the nice value: beside one
/// that is 5 lower they get a quarter of a processor. Of hooks of 3 KB beside merges of 8 MB the 99th percentile was 4.5
/// ms with it and 5.2 without (4.2 by themselves, and 19 when the same threads had both); with 10 it is the same, and
/// with 19 merges of 2 MB take longer.
const BULK_STEP: i32 = 5;

/// After how many steps a thread for bulk looks for what is new from other threads, and after how many for news of its
/// connections, both where more is to be done. Tokio's 31 and 61 are meant for steps of microseconds, and here each may
/// move a megabyte.
const BULK_INTERVALS: (u32, u32) = (2, 4);

/// The places for bulk are beyond this, which is more than there may be threads.
const BULK_PLACES: usize = 1 << 16;

/// How long the threads may take to end. What goes on after that ends with the process.
const PATIENCE: Duration = Duration::from_secs(1);

/// Threads that serve callers, with one beside each for their bulk. Dropping it ends them, and what they still serve; it waits for that, a second at most.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    /// A thread beside each, with what is large.
    bulk: Vec<Worker>,
    /// How many nobody has looked at yet.
    newcomers: Arc<AtomicUsize>,
    /// Each thread reports when it serves no more, and when it has let go of what it has served.
    reports: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// How many it serves.
    served: Arc<AtomicUsize>,
    /// Dropped for it to serve no more.
    end: Option<oneshot::Sender<Infallible>>,
    /// Dropped for it to let go: not before the others serve no more, which may use what is its own.
    hold: Option<Sender<Infallible>>,
}

/// One more of those who are counted there, until it is dropped.
struct Counted(Arc<AtomicUsize>);

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(0) };
    /// Where this thread's bulk goes.
    static BULK: OnceCell<Handle> = const { OnceCell::new() };
}

/// Which of the workers this thread is, from 1 on, or for the bulk of which of them it is ([`is_for_bulk`]); 0 for any
/// other thread.
pub fn place() -> usize {
    PLACE.get()
}

/// Whether a thread at that place is for bulk: whoever waits for it may wait for long.
pub fn is_for_bulk(place: usize) -> bool {
    place > BULK_PLACES
}

/// The place for the bulk of whoever is at that place.
pub(crate) fn bulk_of(place: usize) -> usize {
    BULK_PLACES + place
}

/// Has the thread beside this one serve what is large, so that small hooks need not wait for it in turn; or this one, if
/// there is none beside it. A panic in that is a panic here, and dropped, it ends there.
///
/// What it hears of, and was begun on this thread, tells this one first, which wakes the other.
///
/// Not an `async fn`: whoever waits would carry the work as well.
pub fn in_bulk<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send {
    Elsewhere(BULK.with(|bulk| match bulk.get() {
        Some(bulk) => bulk.spawn(work),
        None => tokio::spawn(work),
    }))
}

/// Has this thread be at that place, which is for tests.
#[cfg(test)]
pub(crate) fn stand_at(place: usize) {
    PLACE.set(place);
}

/// How many threads that is: one a core for 0.
pub fn count(threads: usize) -> usize {
    match threads {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    }
}

// === impl Workers ===

impl Workers {
    /// So many threads that serve callers, or one a core for 0.
    ///
    /// # Errors
    ///
    /// The system refuses them.
    pub fn start(threads: usize) -> io::Result<Self> {
        let count = count(threads);
        let (report, reports) = mpsc::channel();
        let blocking = (BLOCKING / (2 * count)).max(LEAST_BLOCKING);
        let start = |place, bulk| Worker::start(place, blocking, report.clone(), bulk);
        let bulk = (1..=count).map(|place| start(bulk_of(place), None));
        let bulk = bulk.collect::<io::Result<Vec<_>>>()?;
        let workers = bulk.iter().zip(1..);
        let workers = workers.map(|(bulk, place)| start(place, Some(bulk.runtime.clone())));
        Ok(Self {
            workers: workers.collect::<io::Result<_>>()?,
            bulk,
            newcomers: Arc::default(),
            reports: Mutex::new(reports),
        })
    }

    /// Serves this on the thread that serves the fewest, the first of them.
    pub fn serve(&self, work: impl Future<Output = ()> + Send + 'static) {
        let load = |worker: &&Worker| worker.served.load(Ordering::Relaxed);
        if let Some(worker) = self.workers.iter().min_by_key(load) {
            let (served, newcomer) = (Counted::at(&worker.served), Counted::at(&self.newcomers));
            worker.runtime.spawn(async move {
                let _served = served;
                drop(newcomer);
                work.await;
            });
        }
    }

    /// Waits while too many have been handed over that no thread has looked at yet.
    pub async fn keep_up(&self) {
        while self.newcomers.load(Ordering::Relaxed) >= NEWCOMERS {
            sleep(BREATH).await;
        }
    }

    fn threads(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.workers.iter_mut().chain(&mut self.bulk)
    }

    /// Waits until each has reported.
    fn hear(&self, until: Instant) -> Result<(), mpsc::RecvTimeoutError> {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in self.workers.iter().chain(&self.bulk) {
            reports.recv_timeout(until.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let until = Instant::now() + PATIENCE;
        self.threads().for_each(|worker| worker.end = None);
        let served = self.hear(until);
        self.threads().for_each(|worker| worker.hold = None);
        if served.and_then(|()| self.hear(until)).is_err() {
            tracing::warn!("a thread is stuck: what it serves ends with the process");
        }
    }
}

// === impl Worker ===

impl Worker {
    /// With the runtime for its bulk, if it is not itself for that.
    fn start(place: usize, blocking: usize, report: Sender<()>, bulk: Option<Handle>) -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        builder.thread_keep_alive(SPARE).max_blocking_threads(blocking);
        let mut name = format!("hooks-{place}");
        let mut nice = None;
        if bulk.is_none() {
            name = format!("bulk-{}", place - BULK_PLACES);
            let lower = priority::of_this_thread().saturating_add(BULK_STEP);
            nice = Some(lower);
            let (new, news) = BULK_INTERVALS;
            builder.global_queue_interval(new).event_interval(news);
            builder.on_thread_start(move || give_way(lower));
        }
        let runtime = builder.enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let (hold, held) = mpsc::channel();
        let run = move || {
            PLACE.set(place);
            if let Some(nice) = nice {
                give_way(nice);
            }
            if let Some(bulk) = bulk {
                let _ = BULK.with(|own| own.set(bulk));
            }
            run(runtime, ended, &held, &report);
        };
        thread::Builder::new().name(name).spawn(run)?;
        Ok(Self {
            runtime: handle,
            served: Arc::default(),
            end: Some(end),
            hold: Some(hold),
        })
    }
}

/// What a thread does, from its first moment to its last.
fn run(
    runtime: Runtime,
    ended: oneshot::Receiver<Infallible>,
    held: &Receiver<Infallible>,
    report: &Sender<()>,
) {
    let _ = runtime.block_on(ended);
    let _ = report.send(());
    let _ = held.recv();
    // A picture that is being drawn for nobody any more is not waited for.
    runtime.shutdown_background();
    let _ = report.send(());
}

// === impl Counted ===

impl Counted {
    fn at(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::offload::{HEAVY, offload};
    use crate::priority::{LOWEST, of_this_thread};

    /// Tells its place where it is dropped.
    struct Tells(tokio::sync::mpsc::UnboundedSender<usize>);

    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(place());
        }
    }

    /// Whoever does not go by itself.
    fn serve_for_ever(workers: &Workers, tells: Tells) {
        workers.serve(async move {
            let _tells = tells;
            pending::<()>().await;
        });
    }

    #[tokio::test]
    async fn whoever_serves_the_fewest_gets_the_next() {
        let workers = Workers::start(2).unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
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
    async fn bulk_has_threads_of_its_own_that_give_way() {
        let usual = of_this_thread();
        let workers = Workers::start(2).unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let whoever = || {
            (
                place(),
                thread::current().name().map(str::to_owned),
                of_this_thread(),
            )
        };
        for _ in 0..2 {
            let tell = tell.clone();
            workers.serve(async move {
                let heavy = || offload(HEAVY, of_this_thread);
                let bulk = in_bulk(async move { (whoever(), heavy().await) }).await;
                tell.send((whoever(), heavy().await, bulk)).unwrap();
                pending::<()>().await;
            });
            let ((own, name, nice), heavy, ((place, bulk_name, bulk_nice), bulk_heavy)) =
                told.recv().await.unwrap();
            assert_eq!(place, bulk_of(own));
            assert!(is_for_bulk(place) && !is_for_bulk(own));
            assert_eq!(name.unwrap(), format!("hooks-{own}"));
            assert_eq!(bulk_name.unwrap(), format!("bulk-{own}"));
            let lower = LOWEST.min(usual + BULK_STEP);
            assert_eq!((nice, heavy, bulk_nice, bulk_heavy), (usual, usual, lower, lower));
        }
        assert_eq!(
            in_bulk(async { place() }).await,
            0,
            "there is none beside this one"
        );
    }

    #[tokio::test]
    async fn bulk_ends_with_whoever_waits_for_it() {
        let workers = Workers::start(1).unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let tells = Tells(tell.clone());
        let (begin, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        workers.serve(async move {
            let bulk = in_bulk(async move {
                let _tells = tells;
                begin.send(()).unwrap();
                pending::<()>().await;
            });
            let mut bulk = std::pin::pin!(bulk);
            tokio::select! {
                () = &mut bulk => {}
                _ = has_begun.recv() => {}
            }
        });
        assert_eq!(told.recv().await, Some(bulk_of(1)));
        let tells = Tells(tell);
        workers.serve(async move {
            let _tells = tells;
            in_bulk(async { panic!("broken") }).await;
        });
        assert_eq!(told.recv().await, Some(1), "broken as well");
    }

    #[tokio::test]
    async fn what_is_served_ends_with_them() {
        let workers = Workers::start(2).unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..3 {
            serve_for_ever(&workers, Tells(tell.clone()));
        }
        let (begin, has_begun) = oneshot::channel();
        let tells = Tells(tell.clone());
        workers.serve(async move {
            in_bulk(async move {
                let _tells = tells;
                begin.send(()).unwrap();
                pending::<()>().await;
            })
            .await;
        });
        has_begun.await.unwrap();
        drop((workers, tell));
        let mut places = Vec::new();
        while let Ok(place) = told.try_recv() {
            places.push(place);
        }
        places.sort_unstable();
        assert_eq!(
            places,
            [1, 1, 2, bulk_of(2)],
            "before the drop returns, on their threads"
        );
    }

    #[tokio::test]
    async fn one_that_is_stuck_is_not_waited_for() {
        let workers = Workers::start(2).unwrap();
        let (release, stuck) = mpsc::channel::<()>();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..2 {
            serve_for_ever(&workers, Tells(tell.clone()));
        }
        let (begin, has_begun) = oneshot::channel();
        workers.serve(async move {
            begin.send(()).unwrap();
            let _ = stuck.recv();
        });
        has_begun.await.unwrap();
        let begun = Instant::now();
        drop(workers);
        let took = begun.elapsed();
        assert!(took >= PATIENCE && took < 2 * PATIENCE, "{took:?}");
        assert_eq!(told.recv().await, Some(2), "the other has ended");
        drop(release);
        assert_eq!(told.recv().await, Some(1));
    }

    #[tokio::test]
    async fn few_wait_for_a_thread_to_look_at_them() {
        let workers = Workers::start(1).unwrap();
        let (release, stuck) = mpsc::channel::<()>();
        workers.serve(async move {
            let _ = stuck.recv();
        });
        let mut handed_over = 1;
        while tokio::time::timeout(50 * BREATH, workers.keep_up()).await.is_ok() {
            workers.serve(async {});
            handed_over += 1;
            assert!(handed_over <= NEWCOMERS + 1);
        }
        assert!(handed_over >= NEWCOMERS);
        drop(release);
        workers.keep_up().await;
    }
}
