//! Where notices wait for one observer.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use koigate_core::hook::HookName;
use koigate_core::observer::Sees;
use koigate_core::outcome::HookVerdict;
use koigate_core::plan;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::ids::Ids;

/// What a notice is known by: there is one for a hook and an observer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The hook's id.
    pub hook: Arc<str>,
    /// The observer's name.
    pub observer: String,
}

/// What one observer is still to be told of one hook. Plain data, so that it can be kept anywhere.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What it is known by.
    pub key: Key,
    /// The hook's kind.
    pub hook: HookName,
    /// The hook's ids.
    pub ids: Ids,
    /// How the hook ended.
    pub verdict: HookVerdict,
    /// What is sent.
    pub body: Bytes,
    /// Where in that the document begins; it ends before the last byte.
    pub document: usize,
    /// What the observer might see when that was made.
    pub sees: Arc<Sees>,
    /// Since when it waits.
    pub since: Instant,
}

/// There is no room for another notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub struct Overflow;

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many notices.
    pub notices: usize,
    /// The bytes that they hold, about.
    pub bytes: usize,
}

/// The notices of one observer, from when they were taken in until they are settled: in order, and each at least once.
///
/// One that keeps them on a disk can stand here too: what was pushed is there until it is settled, whoever dies
/// meanwhile, and pushing a key that is still there again changes nothing.
pub trait Queue: Send + Sync + 'static {
    /// Takes a notice in, behind the others. One whose key is there already is that one.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    fn push(&self, notice: Notice) -> impl Future<Output = Result<(), Overflow>> + Send;

    /// The first that is not settled, which stays the first until it is. Waits for one; dropped meanwhile, nothing is
    /// lost.
    fn first(&self) -> impl Future<Output = Notice> + Send;

    /// The notice with this key is done with.
    fn settle(&self, key: &Key) -> impl Future<Output = ()> + Send;

    /// From here on these are the limits. What waits already stays.
    fn limit_to(&self, limits: plan::Queue);

    /// Whether a notice of so many bytes would find room now: nothing has to be made that would be dropped.
    fn has_room(&self, bytes: usize) -> bool;

    /// What waits.
    fn waiting(&self) -> Waiting;
}

/// A queue in memory, which ends with the process.
#[derive(Debug)]
pub struct InMemory {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug)]
struct State {
    notices: VecDeque<Notice>,
    /// The hooks of which they are.
    known: HashSet<Arc<str>>,
    bytes: usize,
    limits: plan::Queue,
}

/// What a notice holds beside its body, about.
const BESIDE: usize = 512;

// === impl InMemory ===

impl InMemory {
    /// An empty one.
    pub fn new(limits: plan::Queue) -> Self {
        Self {
            state: Mutex::new(State {
                notices: VecDeque::new(),
                known: HashSet::new(),
                bytes: 0,
                limits,
            }),
            arrived: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn front(&self) -> Option<Notice> {
        self.state().notices.front().cloned()
    }
}

impl Queue for InMemory {
    async fn push(&self, notice: Notice) -> Result<(), Overflow> {
        let mut state = self.state();
        if state.known.contains(&notice.key.hook) {
            return Ok(());
        }
        if !state.has_room(notice.body.len()) {
            return Err(Overflow);
        }
        state.bytes += weight(&notice);
        state.known.insert(notice.key.hook.clone());
        state.notices.push_back(notice);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    async fn first(&self) -> Notice {
        loop {
            // A permit of an earlier notice only makes this look once more.
            let arrived = self.arrived.notified();
            if let Some(notice) = self.front() {
                return notice;
            }
            arrived.await;
        }
    }

    async fn settle(&self, key: &Key) {
        let mut state = self.state();
        // The first, for whoever goes by `first`.
        let place = state.notices.iter().position(|notice| notice.key == *key);
        if let Some(notice) = place.and_then(|place| state.notices.remove(place)) {
            state.bytes -= weight(&notice);
            state.known.remove(&notice.key.hook);
        }
    }

    fn limit_to(&self, limits: plan::Queue) {
        self.state().limits = limits;
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.state().has_room(bytes)
    }

    fn waiting(&self) -> Waiting {
        let state = self.state();
        Waiting {
            notices: state.notices.len(),
            bytes: state.bytes,
        }
    }
}

// === impl State ===

impl State {
    /// An empty queue takes one of any size: it is bounded as the hook was, and would never be told otherwise.
    fn has_room(&self, bytes: usize) -> bool {
        self.notices.is_empty()
            || self.notices.len() < self.limits.length && self.bytes + bytes + BESIDE <= self.limits.memory
    }
}

fn weight(notice: &Notice) -> usize {
    notice.body.len() + BESIDE
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn notice(hook: &str, bytes: usize) -> Notice {
        Notice {
            key: Key {
                hook: hook.into(),
                observer: "stats".to_owned(),
            },
            hook: HookName::new("onResult").unwrap(),
            ids: Ids::new(None),
            verdict: HookVerdict::Continue,
            body: vec![b'x'; bytes].into(),
            document: 0,
            sees: Arc::default(),
            since: Instant::now(),
        }
    }

    fn queue(length: usize, memory: usize) -> InMemory {
        InMemory::new(plan::Queue {
            length,
            memory,
            give_up: Duration::from_secs(1),
        })
    }

    async fn first(queue: &InMemory) -> String {
        queue.first().await.key.hook.to_string()
    }

    #[tokio::test]
    async fn what_was_pushed_first_is_first_until_it_is_settled() {
        let queue = queue(10, 1 << 20);
        for hook in ["a", "b", "c"] {
            queue.push(notice(hook, 1)).await.unwrap();
        }
        assert_eq!(
            (first(&queue).await, first(&queue).await),
            ("a".into(), "a".into())
        );
        queue.settle(&notice("a", 1).key).await;
        assert_eq!(first(&queue).await, "b");
        queue.settle(&notice("c", 1).key).await;
        queue.settle(&notice("b", 1).key).await;
        assert_eq!(queue.waiting(), Waiting::default());
        assert!(
            queue.first().now_or_never().is_none(),
            "nothing is first where nothing waits"
        );
    }

    #[tokio::test]
    async fn a_key_that_waits_is_taken_in_once() {
        let queue = queue(10, 1 << 20);
        for _ in 0..2 {
            queue.push(notice("a", 1)).await.unwrap();
        }
        assert_eq!(queue.waiting().notices, 1);
        queue.settle(&notice("a", 1).key).await;
        queue.push(notice("a", 1)).await.unwrap();
        assert_eq!(
            queue.waiting().notices,
            1,
            "it was settled, so that this is another"
        );
    }

    #[tokio::test]
    async fn it_is_bounded_in_number_and_in_bytes() {
        let few = queue(2, 1 << 20);
        let small = queue(100, 10_000);
        for (queue, bytes, fits) in [(&few, 1, 2), (&small, 2_000, 3)] {
            for index in 0..fits {
                assert!(queue.has_room(bytes));
                assert_eq!(queue.push(notice(&index.to_string(), bytes)).await, Ok(()));
            }
            assert!(!queue.has_room(bytes));
            assert_eq!(queue.push(notice("late", bytes)).await, Err(Overflow));
            queue.settle(&notice("0", bytes).key).await;
            assert_eq!(queue.push(notice("late", bytes)).await, Ok(()));
        }
        assert!(small.has_room(1_000), "a smaller one fits still");
    }

    #[tokio::test]
    async fn an_empty_one_takes_any_size_and_new_limits_leave_what_waits() {
        let queue = queue(3, 1_000);
        assert_eq!(queue.push(notice("large", 5_000)).await, Ok(()));
        assert_eq!(queue.push(notice("next", 1)).await, Err(Overflow));
        queue.limit_to(plan::Queue {
            length: 2,
            memory: 20_000,
            give_up: Duration::from_secs(1),
        });
        assert_eq!(queue.push(notice("next", 1)).await, Ok(()));
        assert_eq!(queue.push(notice("last", 1)).await, Err(Overflow));
        queue.limit_to(plan::Queue {
            length: 1,
            memory: 1,
            give_up: Duration::from_secs(1),
        });
        assert_eq!(queue.waiting().notices, 2);
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let queue = queue(3, 1_000);
        let (woken, pushed) = tokio::join!(queue.first(), queue.push(notice("a", 1)));
        assert_eq!((&*woken.key.hook, pushed), ("a", Ok(())));
    }
}
