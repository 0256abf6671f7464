//! A timer that is set far more often than it rings.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is kept, and set anew for each wait. As long as it is set to later times the runtime's timers are not
/// touched: it wakes once at a time that it was set to before, and goes on. With a timer of its own for each wait a hook
/// of three calls took 2,500 instructions more, of 50,000.
#[derive(Debug)]
pub struct Alarm {
    /// Ends when it is due, or before.
    sleep: Pin<Box<Sleep>>,
    due: Instant,
}

impl Alarm {
    /// Rings at this moment.
    pub fn at(due: Instant) -> Self {
        Self {
            sleep: Box::pin(sleep_until(due)),
            due,
        }
    }

    /// It rings at this moment instead, whether it has rung or not.
    pub fn set(&mut self, due: Instant) {
        self.due = due;
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
    }

    /// Whether it rings. Else the task is woken when it does; it may be woken before, even when it has stopped waiting.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            if self.due <= self.sleep.deadline() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::timeout;

    use super::*;

    /// How many milliseconds pass until it rings; `None` for longer than `patience`.
    async fn rings(alarm: &mut Alarm, patience: u64) -> Option<u128> {
        let begun = Instant::now();
        let ring = poll_fn(|context| alarm.poll(context));
        let rung = timeout(Duration::from_millis(patience), ring).await;
        rung.ok().map(|()| begun.elapsed().as_millis())
    }

    fn after(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_it_was_set_to_last() {
        let mut alarm = Alarm::at(after(100));
        assert_eq!(rings(&mut alarm, 40).await, None);
        alarm.set(after(100));
        assert_eq!(rings(&mut alarm, 1_000).await, Some(100), "later");
        assert_eq!(rings(&mut alarm, 1_000).await, Some(0), "until it is set");
        alarm.set(after(70));
        assert_eq!(rings(&mut alarm, 1_000).await, Some(70), "after it has rung");
        alarm.set(after(500));
        alarm.set(after(20));
        assert_eq!(rings(&mut alarm, 1_000).await, Some(20), "sooner");
        alarm.set(after(0));
        assert_eq!(rings(&mut alarm, 1_000).await, Some(0));
    }

    proptest! {
        /// Whatever it was set to, and however long one waited for that.
        #[test]
        fn it_rings_like_a_timer_of_its_own(waits in prop::collection::vec((0..1_000_u64, 1..1_000_u64), 1..20)) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let mut alarm = Alarm::at(after(0));
                for (due, patience) in waits {
                    let at = after(due);
                    alarm.set(at);
                    let own = timeout(Duration::from_millis(patience), sleep_until(at)).await;
                    let rung = own.is_ok().then_some(0);
                    prop_assert_eq!(rings(&mut alarm, 1).await.filter(|_| rung.is_some()), rung);
                }
                Ok(())
            })?;
        }
    }
}
