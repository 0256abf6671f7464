//! The configuration as its users meet it: files in, plans or reports out.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod examples;
mod files;
mod keys;
mod overrides;
mod problems;
mod rendering;
mod secrets;
mod support;
mod tls;
