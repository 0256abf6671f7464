//! Futures that run inside one task, a few of them: the calls of one stage.
//!
//! Like `FuturesUnordered`, of which a hook of three calls took 1,700 instructions more: that one is made for thousands of
//! futures and links those that are to be polled, here each is looked at.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// Futures that are polled only when they have been woken, in the order in which they were.
pub(super) struct Set<F> {
    members: Vec<Member<F>>,
    news: Arc<News>,
}

/// How long a member is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// To its end.
    Long,
    /// Until [`Set::cut`].
    Short,
}

struct Member<F> {
    /// `None` once it has ended, and while it is polled: one that panics is not polled again.
    future: Option<Pin<Box<F>>>,
    stay: Stay,
    bell: Arc<Bell>,
    /// Rings it.
    waker: Waker,
}

/// Tells one member's news to the task.
struct Bell {
    has_rung: AtomicBool,
    /// When: the number of the ring among all of the set.
    turn: AtomicUsize,
    news: Arc<News>,
}

/// What the members tell the task.
#[derive(Default)]
struct News {
    task: AtomicWaker,
    /// How often one of them has rung.
    rings: AtomicUsize,
}

// === impl Set ===

impl<F: Future> Set<F> {
    /// None yet, with room for so many.
    pub(super) fn with_capacity(members: usize) -> Self {
        Self {
            members: Vec::with_capacity(members),
            news: Arc::default(),
        }
    }

    /// One more, which is polled the next time. Boxed, since it must not be moved any more.
    pub(super) fn push(&mut self, future: Pin<Box<F>>, stay: Stay) {
        let bell = Arc::new(Bell {
            has_rung: AtomicBool::new(true),
            turn: AtomicUsize::new(self.news.next_turn()),
            news: self.news.clone(),
        });
        self.members.push(Member {
            future: Some(future),
            stay,
            waker: bell.clone().into(),
            bell,
        });
    }

    /// Whether all have ended.
    pub(super) fn is_empty(&self) -> bool {
        self.members.iter().all(|member| member.future.is_none())
    }

    /// Drops those whose stay is short.
    pub(super) fn cut(&mut self) {
        self.members.retain(|member| member.stay == Stay::Long);
    }

    /// What the next one to end brings; `None` when all have ended. Whoever gets something has to ask again: only
    /// `Pending` says that the task will be woken. One that panics has ended.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        // Before the bells are looked at: one that rings from here on wakes the task.
        self.news.task.register(context.waker());
        // And has its turn the next time, so that this comes to an end.
        let last = self.news.rings.load(Ordering::Relaxed);
        while let Some(member) = self.earliest(last) {
            if let Poll::Ready(output) = member.poll() {
                return Poll::Ready(Some(output));
            }
        }
        Poll::Pending
    }

    /// Of those that have rung up to this turn the one that did so first.
    fn earliest(&mut self, last: usize) -> Option<&mut Member<F>> {
        let turns = self.members.iter_mut().filter_map(|member| {
            let turn = member.turn()?;
            (turn <= last).then_some((turn, member))
        });
        turns.min_by_key(|(turn, _)| *turn).map(|(_, member)| member)
    }
}

impl<F> Drop for Set<F> {
    fn drop(&mut self) {
        // A timer that goes on may know a bell, and nobody is to wake the task for that, or hold on to it.
        self.news.task.take();
    }
}

// === impl Member ===

impl<F: Future> Member<F> {
    /// When it rang, if it did since it was polled.
    fn turn(&self) -> Option<usize> {
        let waits = self.future.is_some() && self.bell.has_rung.load(Ordering::Relaxed);
        waits.then(|| self.bell.turn.load(Ordering::Relaxed))
    }

    fn poll(&mut self) -> Poll<F::Output> {
        // Before it is polled: news that come meanwhile are for the next time.
        self.bell.has_rung.swap(false, Ordering::AcqRel);
        let Some(mut future) = self.future.take() else {
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
        if polled.is_pending() {
            self.future = Some(future);
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
            // Whoever looks in between takes it for an earlier one, and polls it all the same.
            self.turn.store(self.news.next_turn(), Ordering::Relaxed);
            self.news.task.wake();
        }
    }
}

// === impl News ===

impl News {
    /// The turn of a bell that rings now.
    fn next_turn(&self) -> usize {
        self.rings.fetch_add(1, Ordering::Relaxed) + 1
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
            set.push(Box::pin(waits(name, member)), Stay::Long);
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
        /// All end, when they do in the library's set, and in the same order.
        #[test]
        fn they_end_as_in_the_librarys(
            members in prop::collection::vec(prop::collection::vec(0..50_u64, 0..5), 0..30),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time().start_paused(true).build().unwrap();
            let (ours, theirs) = runtime.block_on(async {
                (of_set(members.clone()).await, of_theirs(members).await)
            });
            prop_assert!(ours.is_sorted_by_key(|(_, at)| *at));
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn only_who_is_woken_is_polled() {
        let polls = std::cell::Cell::new([0; 3]);
        let wakers = std::cell::RefCell::new(Vec::new());
        let mut set = Set::with_capacity(3);
        for name in 0..3 {
            let (polls, wakers) = (&polls, &wakers);
            set.push(
                Box::pin(poll_fn(move |context| {
                    let mut counted = polls.get();
                    counted[name] += 1;
                    polls.set(counted);
                    wakers.borrow_mut().push(context.waker().clone());
                    if counted[name] > 1 {
                        Poll::Ready(name)
                    } else {
                        Poll::Pending
                    }
                })),
                Stay::Long,
            );
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
        // Not in the order in which they stand there.
        wakers.borrow()[2].wake_by_ref();
        wakers.borrow()[0].wake_by_ref();
        wakers.borrow()[2].wake_by_ref();
        assert_eq!(set.poll_next(&mut context), Poll::Ready(Some(2)));
        assert_eq!(set.poll_next(&mut context), Poll::Ready(Some(0)));
        assert_eq!(set.poll_next(&mut context), Poll::Ready(None));
    }

    #[test]
    fn one_that_wakes_itself_lets_the_others_have_their_turn() {
        let mut set = Set::with_capacity(2);
        set.push(
            Box::pin(async {
                tokio::task::yield_now().await;
                "restless"
            }),
            Stay::Long,
        );
        let polled = poll_once(&mut set);
        assert_eq!(polled, Poll::Pending);
        assert_eq!(poll_once(&mut set), Poll::Ready(Some("restless")));
        assert_eq!(poll_once(&mut set), Poll::Ready(None));
    }

    #[test]
    fn a_cut_leaves_those_who_stay() {
        let mut set = Set::with_capacity(3);
        for stay in [Stay::Short, Stay::Long, Stay::Short] {
            set.push(Box::pin(std::future::ready(stay)), stay);
        }
        set.cut();
        assert_eq!(poll_once(&mut set), Poll::Ready(Some(Stay::Long)));
        assert_eq!(poll_once(&mut set), Poll::Ready(None));
        assert!(set.is_empty());
    }

    #[test]
    fn one_that_panics_has_ended() {
        let mut set = Set::with_capacity(1);
        let panics = poll_fn(|context: &mut Context<'_>| -> Poll<()> {
            // News that come meanwhile don't get it polled again.
            context.waker().wake_by_ref();
            panic!("broken")
        });
        set.push(Box::pin(panics), Stay::Long);
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll_once(&mut set)));
        assert!(polled.is_err());
        assert!(set.is_empty());
        assert_eq!(poll_once(&mut set), Poll::Ready(None));
    }

    #[test]
    fn the_task_is_let_go() {
        struct Task;
        impl Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        let (task, bell) = (Arc::new(Task), std::cell::OnceCell::new());
        let mut set = Set::with_capacity(1);
        let rings = poll_fn(|context| {
            let _ = bell.set(context.waker().clone());
            Poll::<()>::Pending
        });
        set.push(Box::pin(rings), Stay::Long);
        let polled = set.poll_next(&mut Context::from_waker(&Waker::from(task.clone())));
        assert_eq!(polled, Poll::Pending);
        assert_eq!(Arc::strong_count(&task), 2);
        drop(set);
        assert_eq!(Arc::strong_count(&task), 1);
        assert!(bell.get().is_some());
    }

    fn poll_once<F: Future>(set: &mut Set<F>) -> Poll<Option<F::Output>> {
        set.poll_next(&mut Context::from_waker(Waker::noop()))
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
                set.push(
                    Box::pin(Awaited {
                        value: value.clone(),
                        waker: waker.clone(),
                    }),
                    Stay::Long,
                );
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
