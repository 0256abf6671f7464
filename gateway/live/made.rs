//! The documents that are made for the calls of one hook: views, and what earlier stages have left.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::buffered::{Full, Held, Room};

/// What is smaller doesn't count: `max_in_flight` bounds it well enough, and it costs most hooks nothing.
pub(super) const COUNTED: usize = 16 * 1024;

/// The room that the documents sent for one hook take. Those that share their bytes take it once, and keep it until
/// the hook and its last call are over.
pub(super) struct Made {
    room: Arc<Room>,
    known: Mutex<Known>,
}

/// Where documents begin that have their room.
struct Known {
    /// What the stages have made so far, at first what was posted: its room goes with its bytes.
    whole: usize,
    /// What was made of it for single backends.
    views: Vec<(usize, Held)>,
}

// === impl Made ===

impl Made {
    /// For a hook that was posted with this document.
    pub(super) fn new(room: Arc<Room>, posted: &Bytes) -> Self {
        let known = Known {
            whole: begin(posted),
            views: Vec::new(),
        };
        Self {
            room,
            known: Mutex::new(known),
        }
    }

    /// Counts what a backend is about to be sent.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub(super) fn cover(&self, sent: &Bytes) -> Result<(), Full> {
        if sent.len() < COUNTED {
            return Ok(());
        }
        let mut known = self.known();
        if known.has(sent) {
            return Ok(());
        }
        let mut held = self.room.open();
        held.cover(sent.len())?;
        known.views.push((begin(sent), held));
        Ok(())
    }

    /// Room for what is about to be made.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(super) fn hold(&self, bytes: usize) -> Result<Held, Full> {
        if bytes < COUNTED {
            return Ok(Held::uncounted());
        }
        let mut held = self.room.open();
        held.cover(bytes)?;
        Ok(held)
    }

    /// This has been made in room of its own, and takes the place of what was there before.
    pub(super) fn keep(&self, made: &Bytes) {
        self.known().whole = begin(made);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing that runs under the lock leaves it half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Known ===

impl Known {
    fn has(&self, bytes: &Bytes) -> bool {
        let begin = begin(bytes);
        self.whole == begin || self.views.iter().any(|(it, _)| *it == begin)
    }
}

/// Where bytes begin in memory tells whether they are shared. One that has gone may have left its place to another:
/// that takes its room over too.
fn begin(bytes: &Bytes) -> usize {
    bytes.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_bytes_count_once_and_until_the_hook_is_over() {
        let document = |byte| Bytes::from(vec![byte; COUNTED]);
        let room = Arc::new(Room::default());
        room.limit_to(2 * COUNTED);
        let (posted, view, merged, late) = (document(1), document(2), document(3), document(4));
        let made = Made::new(room.clone(), &posted);
        for (sent, held) in [
            (&posted, 0),
            (&view, 1),
            (&view, 1),
            (&merged, 2),
            (&posted, 2),
            (&view, 2),
        ] {
            assert_eq!(made.cover(sent), Ok(()));
            assert_eq!(room.held(), held * COUNTED);
        }
        assert_eq!(made.cover(&late), Err(Full));
        assert_eq!(made.cover(&late.slice(1..)), Ok(()), "a small one doesn't count");
        drop(made);
        assert_eq!(room.held(), 0);
    }

    #[test]
    fn what_is_made_has_its_room_before() {
        let room = Arc::new(Room::default());
        room.limit_to(4 * COUNTED);
        let posted = Bytes::from(vec![1; COUNTED]);
        let made = Made::new(room.clone(), &posted);
        let held = made.hold(3 * COUNTED).unwrap();
        assert!(made.hold(2 * COUNTED).is_err() && made.hold(COUNTED - 1).is_ok());
        let merged = held.around(Bytes::from(vec![2; 2 * COUNTED]));
        made.keep(&merged);
        assert_eq!((made.cover(&merged), room.held()), (Ok(()), 2 * COUNTED));
        drop(made);
        assert_eq!(room.held(), 2 * COUNTED, "it goes with the bytes");
        drop(merged);
        assert_eq!(room.held(), 0);
    }
}
