//! Picture sheets, drawn off the thread and within the hook's deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use koigate_core::answer::{Answer, Drawing};
use koigate_core::attachment::Dropped;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::calls::Caller;

/// How many sheets are drawn at once: one a core, since each keeps one busy and holds the pixels of its pictures.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// Tells the thread that draws to stop, when nobody waits any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Draws a sheet: the answer, and which pictures are not in it. One that isn't ready at the deadline is given up, and so
/// is one for which there is no room then: the first picture passes alone.
pub async fn draw<C: Caller>(caller: &Arc<C>, drawing: Drawing, deadline: Instant) -> (Answer, Vec<Dropped>) {
    let stop = Stop(Arc::default());
    let work = async {
        // The semaphore is never closed.
        let place = PLACES.acquire().await.ok()?;
        let (caller, drawing, stop) = (caller.clone(), drawing.clone(), stop.0.clone());
        let draw = move || {
            let drawn = drawing.draw(&stop, |png| Some(caller.hold(png.len()).ok()?.around(png)));
            drop(place);
            drawn
        };
        spawn_blocking(draw).await.ok()
    };
    match timeout_at(deadline, work).await {
        Ok(Some(drawn)) => drawn,
        // Late, or a decoder that panicked.
        Ok(None) | Err(_) => drawing.given_up(),
    }
}
