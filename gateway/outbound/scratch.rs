//! A thread's memory for what goes out and comes in, used by all connections in turn.
//!
//! With memory of its own for each connection 64 callers of three services had 2 MiB of it, and copying requests there
//! was 2 % of a hook's time.

use std::cell::Cell;

thread_local! {
    static REQUEST: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static REPLY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Memory to put a request together in, empty at first.
pub(super) fn request<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    // Taken out meanwhile: whoever came here while it is in use would get memory of its own.
    let mut memory = REQUEST.take();
    memory.clear();
    let worked = work(&mut memory);
    REQUEST.set(memory);
    worked
}

/// Memory of this many bytes for what comes of a reply; what was in it before is still there.
pub(super) fn reply<T>(length: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut memory = REPLY.take();
    if memory.len() < length {
        memory.resize(length, 0);
    }
    let worked = work(memory.get_mut(..length).unwrap_or_default());
    REPLY.set(memory);
    worked
}
