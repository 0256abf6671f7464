//! A control beside a long measurement: one request after the other, and how long each took.
//!
//! One that asks a backend itself, with no gateway between, tells what the machine is to blame for.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::koipy::Koipy;

/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_millis(100);
/// What takes as long is a stall.
const STALL: Duration = Duration::from_millis(500);

/// Asks until it is dropped.
pub(crate) struct Control {
    seen: Arc<Mutex<Seen>>,
    asking: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// The longest answer since somebody asked for it.
    longest: Duration,
    /// From when to when answers have stalled.
    stalls: Vec<(Instant, Instant)>,
}

impl Control {
    /// Fires this hook at whoever is there, again and again.
    pub(crate) fn fires(bot: Koipy, hook: &'static str) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let noted = Arc::clone(&seen);
        let asking = tokio::spawn(async move {
            loop {
                sleep(PAUSE).await;
                let begun = Instant::now();
                let answer = bot.posts(&format!("/{hook}"), "{}").await;
                assert_eq!(answer.status, 204, "{answer:?}");
                let mut seen = noted.lock().expect("nobody panics while it holds this");
                seen.notes(begun, Instant::now());
            }
        });
        Self { seen, asking }
    }

    /// The longest answer since this was last asked for.
    pub(crate) fn longest(&self) -> Duration {
        std::mem::take(&mut self.locked().longest)
    }

    /// Whether anything stalled within this time.
    pub(crate) fn has_stalled(&self, from: Instant, to: Instant) -> bool {
        let seen = self.locked();
        seen.stalls.iter().any(|stall| stall.0 < to && stall.1 > from)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Seen> {
        assert!(!self.asking.is_finished(), "the control goes on");
        self.seen.lock().expect("nobody panics while it holds this")
    }
}

impl Seen {
    fn notes(&mut self, begun: Instant, ended: Instant) {
        let took = ended - begun;
        self.longest = self.longest.max(took);
        if took >= STALL {
            self.stalls.push((begun, ended));
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::backend;
    use super::super::reply::no_content;
    use super::*;

    #[tokio::test]
    async fn notes_what_takes_long() {
        let slow = backend("slow").replies(no_content().after(600)).starts();
        let begun = Instant::now();
        let control = Control::fires(Koipy::at(slow.address), "onMessage");
        slow.was_asked(2).await;
        assert!(control.has_stalled(begun, Instant::now()));
        assert!(!control.has_stalled(begun - STALL, begun));
        assert!(control.longest() >= STALL);
        assert_eq!(control.longest(), Duration::ZERO);
    }
}
