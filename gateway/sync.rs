//! What threads share here is made of: locks and counters.
//!
//! They are the standard library's. Under the feature `model` they are those of shuttle, whose scheduler decides at
//! each of them which thread goes on, so that the tests of `live/model.rs` go through interleavings by the thousand:
//! `cargo test --lib --features model model`.

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(not(feature = "model"))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(feature = "model")]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(feature = "model")]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
