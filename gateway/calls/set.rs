//! Futures that run inside one task, a few of them: the calls of one stage.
//!
//! Like `FuturesUnordered`, of which a hook of three calls took 1,700 instructions more: that one is made for thousands of
//! futures and links those that are to be polled, here each is looked at.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

use crate::sync::{AtomicBool, Ordering};

/// Futures that are polled only when they have been woken.
pub(super) struct Set<F> {
    members: Vec<Member<F>>,
    /// How many have not ended.
    running: usize,
    task: Arc<AtomicWaker>,
}

struct Member<F> {
    /// `None` once it has ended.
    future: Option<Pin<Box<F>>>,
    bell: Arc<Bell>,
    /// Rings it.
    waker: Waker,
}

/// Tells one member's news to the task.
struct Bell {
    has_rung: AtomicBool,
    task: Arc<AtomicWaker>,
}

// === impl Set ===

impl<F: Future> Set<F> {
    /// None yet, with room for so many.
    pub(super) fn with_capacity(members: usize) -> Self {
        Self {
            members: Vec::with_capacity(members),
            running: 0,
            task: Arc::default(),
        }
    }

    /// One more, which is polled the next time. Boxed, since it must not be moved any more.
    pub(super) fn push(&mut self, future: Pin<Box<F>>) {
        let bell = Arc::new(Bell {
            has_rung: AtomicBool::new(true),
            task: self.task.clone(),
        });
        self.members.push(Member {
            future: Some(future),
            waker: bell.clone().into(),
            bell,
        });
        self.running += 1;
    }

    /// Whether all have ended.
    pub(super) fn is_empty(&self) -> bool {
        self.running == 0
    }

    /// What the next one to end brings; `None` when all have ended. Whoever gets something has to ask again: only
    /// `Pending` says that the task will be woken.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if self.running == 0 {
            return Poll::Ready(None);
        }
        // Before the bells are looked at: one that rings from here on wakes the task.
        self.task.register(context.waker());
        for member in &mut self.members {
            if let Poll::Ready(output) = member.poll() {
                self.running -= 1;
                return Poll::Ready(Some(output));
            }
        }
        Poll::Pending
    }
}

// === impl Member ===

impl<F: Future> Member<F> {
    fn poll(&mut self) -> Poll<F::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        // Before it is polled: news that come meanwhile are for the next time.
        if !self.bell.has_rung.load(Ordering::Relaxed) || !self.bell.has_rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
        if polled.is_ready() {
            self.future = None;
        }
        polled
    }
}

// === impl Bell ===

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Where it has rung before and nobody has looked yet, the task has been woken.
        if !self.has_rung.swap(true, Ordering::AcqRel) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use futures_util::StreamExt as _;
    use futures_util::stream::FuturesUnordered;
    use proptest::prelude::*;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// Comes to its end after these waits, and says so.
    async fn waits(name: usize, waits: Vec<u64>) -> usize {
        for wait in waits {
            match wait {
                // Wakes itself.
                0 => tokio::task::yield_now().await,
                wait => sleep(Duration::from_millis(wait)).await,
            }
        }
        name
    }

    /// When which of them has ended.
    async fn of_set(members: Vec<Vec<u64>>) -> Vec<(usize, Duration)> {
        let begun = Instant::now();
        let mut set = Set::with_capacity(1);
        for (name, member) in members.into_iter().enumerate() {
            set.push(Box::pin(waits(name, member)));
        }
        let mut ended = Vec::new();
        while let Some(name) = poll_fn(|context| set.poll_next(context)).await {
            ended.push((name, begun.elapsed()));
        }
        assert!(set.is_empty());
        ended
    }

    async fn of_theirs(members: Vec<Vec<u64>>) -> Vec<(usize, Duration)> {
        let begun = Instant::now();
        let members = members.into_iter().enumerate();
        let mut set: FuturesUnordered<_> = members.map(|(name, member)| waits(name, member)).collect();
        let mut ended = Vec::new();
        while let Some(name) = set.next().await {
            ended.push((name, begun.elapsed()));
        }
        ended
    }

    proptest! {
        /// All end, when they do in the library's set.
        #[test]
        fn they_end_as_in_the_librarys(
            members in prop::collection::vec(prop::collection::vec(0..50_u64, 0..5), 0..30),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time().start_paused(true).build().unwrap();
            let (mut ours, mut theirs) = runtime.block_on(async {
                (of_set(members.clone()).await, of_theirs(members).await)
            });
            prop_assert!(ours.is_sorted_by_key(|(_, at)| *at));
            ours.sort_unstable();
            theirs.sort_unstable();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn only_who_is_woken_is_polled() {
        let mut set = Set::with_capacity(3);
        let polls = std::cell::Cell::new([0; 3]);
        let wakers = std::cell::RefCell::new(Vec::new());
        for name in 0..3 {
            let (polls, wakers) = (&polls, &wakers);
            set.push(Box::pin(poll_fn(move |context| {
                let mut counted = polls.get();
                counted[name] += 1;
                polls.set(counted);
                wakers.borrow_mut().push(context.waker().clone());
                if counted[name] > 1 {
                    Poll::Ready(name)
                } else {
                    Poll::Pending
                }
            })));
        }
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(set.poll_next(&mut context), Poll::Pending);
        assert_eq!(set.poll_next(&mut context), Poll::Pending);
        assert_eq!(polls.get(), [1; 3]);
        wakers.borrow()[1].wake_by_ref();
        assert_eq!(set.poll_next(&mut context), Poll::Ready(Some(1)));
        assert_eq!(polls.get(), [1, 2, 1]);
        // Whoever has ended may be woken as often as one likes.
        wakers.borrow()[1].wake_by_ref();
        assert_eq!(set.poll_next(&mut context), Poll::Pending);
        assert_eq!(polls.get(), [1, 2, 1]);
        wakers.borrow()[0].wake_by_ref();
        wakers.borrow()[2].wake_by_ref();
        assert_eq!(set.poll_next(&mut context), Poll::Ready(Some(0)));
        assert_eq!(set.poll_next(&mut context), Poll::Ready(Some(2)));
        assert_eq!(set.poll_next(&mut context), Poll::Ready(None));
    }
}

/// Every interleaving of a task that polls with others that wake.
#[cfg(all(test, feature = "model"))]
mod model {
    use shuttle::sync::atomic::{AtomicUsize, Ordering};
    use shuttle::{future, thread};

    use super::*;

    /// Brings its value once somebody else has.
    struct Awaited {
        value: Arc<AtomicUsize>,
        waker: Arc<AtomicWaker>,
    }

    impl Future for Awaited {
        type Output = usize;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<usize> {
            self.waker.register(context.waker());
            match self.value.load(Ordering::SeqCst) {
                0 => Poll::Pending,
                value => Poll::Ready(value),
            }
        }
    }

    #[test]
    fn no_wake_is_lost() {
        let run = || {
            let mut set = Set::with_capacity(3);
            let mut threads = Vec::new();
            for number in 1..=3 {
                let (value, waker) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicWaker::new()));
                set.push(Box::pin(Awaited {
                    value: value.clone(),
                    waker: waker.clone(),
                }));
                threads.push(thread::spawn(move || {
                    // Once for nothing.
                    waker.wake();
                    value.store(number, Ordering::SeqCst);
                    waker.wake();
                }));
            }
            let sum = future::block_on(async {
                let mut sum = 0;
                while let Some(value) = std::future::poll_fn(|context| set.poll_next(context)).await {
                    sum += value;
                }
                sum
            });
            assert_eq!(sum, 6);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        };
        shuttle::check_random(run, 20_000);
    }
}
