//! The bytes of bodies and replies that are held at once, of all hooks together (`server.max_buffered`).
//!
//! Whoever takes bytes in asks for their room as they come, never for what was announced, and is told at once
//! whether there is any: nothing waits for room, so nothing can wait for itself. The room then goes with the
//! bytes ([`Held::around`]) and is given back when the last that shares them lets go, be that the hook, a call
//! that lingers, or an answer that is being written.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// The room of one process for what is buffered.
#[derive(Debug)]
pub struct Room {
    most: AtomicUsize,
    held: AtomicUsize,
}

/// Some of the room, given back when dropped. It may hold more than there is ([`Held::insist`]).
#[derive(Debug)]
pub struct Held {
    /// None where nobody counts.
    room: Option<Arc<Room>>,
    bytes: usize,
}

/// There is no room for that at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("max_buffered bytes are held already")]
pub struct Full;

/// Bytes, and the room that they take, which is given back once their memory is.
struct Counted<B: AsRef<[u8]>> {
    /// Until it is dropped.
    bytes: Option<B>,
    _held: Held,
}

/// Larger pieces of memory come from the system each time, without a page that anybody has written to: jemalloc's
/// `oversize_threshold` in `.cargo/config.toml`.
const FRESH: usize = 4 * 1024 * 1024;

/// For how many more bytes to make room where so many have come and so many more are announced: for up to 256 KiB at
/// once; of more for 64 KiB at the start, then for three times what has come, and for all of them once an eighth of the
/// whole is there. So memory follows what has really come. Pages of fresh memory that nothing is written to are not
/// resident: of that there is at once room for all, up to 1,024 times what has come, since believing whoever announces
/// most would let a few of them take the whole address space.
///
/// Each step leaves its memory behind: with one at 1 MiB, three echoes of 2 MB over 4 connections took 63 to 65 MiB; with
/// none after the first 64 KiB 52 to 59, and an eighth less of CPU time.
pub fn growth(come: usize, announced: usize) -> usize {
    const FIRST: usize = 64 * 1024;
    const AT_ONCE: usize = 256 * 1024;
    if announced <= AT_ONCE {
        return announced;
    }
    if come < FIRST {
        return FIRST;
    }
    let whole = come.saturating_add(announced);
    let (is_fresh, is_begun) = (whole > FRESH, come >= whole / 8);
    match (is_fresh, is_begun) {
        (true, _) => announced.min(come.saturating_mul(1024)),
        (false, true) => announced,
        (false, false) => announced.min(come.saturating_mul(3)),
    }
}

/// Frees memory of so many bytes, large pieces one after the other. jemalloc gives such a piece back to the system as it
/// is freed, but not while another thread is about that: then it stays resident until the next one is freed, while
/// others have its room: up to 130 MiB, with 200 hooks of 8 MB that are each answered with 32 MB.
pub fn free<T>(bytes: usize, free: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    thread_local!(static IS_OURS: Cell<bool> = const { Cell::new(false) });
    // The size that it is rounded up to is what counts. What is counted may hold on to what is counted.
    if bytes <= FRESH / 8 * 7 || IS_OURS.get() {
        return free();
    }
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    IS_OURS.set(true);
    let freed = free();
    IS_OURS.set(false);
    drop(turn);
    freed
}

// === impl Room ===

impl Room {
    /// From here on this is the most, in bytes. What is held already stays.
    pub fn limit_to(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// How many bytes are held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// No room yet, and more of it on request.
    pub fn open(self: &Arc<Self>) -> Held {
        Held {
            room: Some(Arc::clone(self)),
            bytes: 0,
        }
    }
}

impl Default for Room {
    /// Without a limit until there is one.
    fn default() -> Self {
        Self {
            most: AtomicUsize::new(usize::MAX),
            held: AtomicUsize::new(0),
        }
    }
}

// === impl Held ===

impl Held {
    /// For whoever is bounded otherwise.
    pub fn uncounted() -> Self {
        Self { room: None, bytes: 0 }
    }

    /// Holds so many bytes in all, unless it holds as many already.
    ///
    /// # Errors
    ///
    /// There is no room for them; it holds what it has held.
    pub fn cover(&mut self, bytes: usize) -> Result<(), Full> {
        let Some(room) = &self.room else {
            return Ok(());
        };
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        // The sum can't overflow: what is held is in memory, or was about to be.
        let held = room.held.fetch_add(more, Ordering::Relaxed) + more;
        if held > room.most.load(Ordering::Relaxed) {
            room.held.fetch_sub(more, Ordering::Relaxed);
            return Err(Full);
        }
        self.bytes += more;
        Ok(())
    }

    /// The same for what is there already: others find the less room.
    pub fn insist(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        if let (Some(room), 1..) = (&self.room, more) {
            room.held.fetch_add(more, Ordering::Relaxed);
            self.bytes += more;
        }
    }

    /// Ties the room to these bytes; what it holds beyond their number is given back.
    pub fn around(mut self, bytes: impl AsRef<[u8]> + Into<Bytes> + Send + 'static) -> Bytes {
        if self.bytes == 0 {
            return bytes.into();
        }
        self.shrink_to(bytes.as_ref().len());
        Bytes::from_owner(Counted {
            bytes: Some(bytes),
            _held: self,
        })
    }

    /// Gives back what it holds beyond so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        if let (Some(room), 1..) = (&self.room, less) {
            room.held.fetch_sub(less, Ordering::Relaxed);
            self.bytes -= less;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

// === impl Counted ===

impl<B: AsRef<[u8]>> AsRef<[u8]> for Counted<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref().map_or(&[], |bytes| bytes.as_ref())
    }
}

impl<B: AsRef<[u8]>> Drop for Counted<B> {
    fn drop(&mut self) {
        let bytes = self.bytes.take();
        let length = bytes.as_ref().map_or(0, |bytes| bytes.as_ref().len());
        free(length, || drop(bytes));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn room(most: usize) -> Arc<Room> {
        let room = Arc::new(Room::default());
        room.limit_to(most);
        room
    }

    #[test]
    fn room_is_taken_as_bytes_come_and_given_back() {
        let room = room(100);
        let (mut one, mut two) = (room.open(), room.open());
        assert_eq!(one.cover(60), Ok(()));
        assert_eq!(one.cover(30), Ok(()), "it holds more already");
        assert_eq!(two.cover(41), Err(Full));
        assert_eq!((room.held(), two.cover(40)), (60, Ok(())));
        assert_eq!(one.cover(61), Err(Full));
        drop(two);
        assert_eq!(one.cover(100), Ok(()));
        drop(one);
        assert_eq!(room.held(), 0);
    }

    #[test]
    fn room_goes_with_the_bytes() {
        let room = room(100);
        let mut held = room.open();
        held.cover(80).unwrap();
        let bytes = held.around(vec![7; 50]);
        assert_eq!((room.held(), &bytes[..]), (50, &[7; 50][..]));
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(room.held(), 50, "a part holds the whole");
        drop(part);
        assert_eq!(room.held(), 0);
    }

    #[test]
    fn what_is_there_already_is_counted_beyond_the_limit() {
        let room = room(100);
        let mut made = room.open();
        made.insist(150);
        assert_eq!((room.held(), room.open().cover(1)), (150, Err(Full)));
        let bytes = made.around(vec![0; 150]);
        drop(bytes);
        assert_eq!((room.held(), room.open().cover(100)), (0, Ok(())));
    }

    #[test]
    fn memory_is_made_for_what_is_announced_once_some_of_it_has_come() {
        for (come, announced, room) in [
            (0, 0, 0),
            (0, 100, 100),
            (0, 256 << 10, 256 << 10),
            (0, 257 << 10, 64 << 10),
            (8 << 10, 256 << 10, 256 << 10),
            (8 << 10, 1 << 20, 64 << 10),
            (64 << 10, 448 << 10, 448 << 10),
            (64 << 10, 1 << 20, 192 << 10),
            (64 << 10, 2 << 20, 192 << 10),
            (256 << 10, 1792 << 10, 1792 << 10),
            (256 << 10, 3 << 20, 768 << 10),
            (1 << 20, 3 << 20, 3 << 20),
            (64 << 10, 8 << 20, 8 << 20),
            (64 << 10, 1 << 30, 64 << 20),
            (1 << 20, 2 << 20, 2 << 20),
            (1 << 20, 1 << 30, 1 << 30),
            (1, usize::MAX, 64 << 10),
            (usize::MAX, usize::MAX, usize::MAX),
        ] {
            assert_eq!(
                growth(come, announced),
                room,
                "{announced} announced, {come} come"
            );
        }
    }

    #[test]
    fn large_pieces_are_freed_one_after_the_other() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let frees = |bytes| {
            free(bytes, || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                now.fetch_sub(1, Ordering::SeqCst);
            });
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| frees(FRESH));
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
        // Neither a small one nor what a large one holds on to waits for that.
        free(FRESH, || {
            std::thread::scope(|scope| scope.spawn(|| frees(1024)).join().unwrap());
            frees(FRESH);
        });
    }

    #[test]
    fn what_is_counted_may_be_counted_again() {
        let room = room(4 * FRESH);
        let around = |bytes: Bytes| {
            let mut held = room.open();
            held.cover(bytes.len()).unwrap();
            held.around(bytes)
        };
        let twice = around(around(vec![0; FRESH].into()));
        assert_eq!(room.held(), 2 * FRESH);
        drop(twice);
        assert_eq!(room.held(), 0);
    }

    #[test]
    fn another_limit_counts_at_once_and_takes_nothing_away() {
        let room = room(100);
        let mut held = room.open();
        held.cover(100).unwrap();
        room.limit_to(50);
        assert_eq!((held.cover(100), held.cover(101)), (Ok(()), Err(Full)));
        room.limit_to(200);
        assert_eq!(held.cover(200), Ok(()));
    }

    #[test]
    fn who_is_not_counted_is_not_bounded() {
        let mut held = Held::uncounted();
        assert_eq!(held.cover(usize::MAX), Ok(()));
        assert_eq!(held.around(vec![1, 2]), vec![1, 2]);
    }

    #[test]
    fn many_at_once_never_hold_more_than_there_is() {
        let room = room(1000);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for round in 0..2000 {
                        let mut held = room.open();
                        if held.cover(100 + round % 300).is_ok() {
                            drop(held.around(vec![0; 100]));
                        }
                    }
                });
            }
        });
        assert_eq!(room.held(), 0);
    }
}
