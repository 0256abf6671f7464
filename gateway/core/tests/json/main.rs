//! The heart of the product, tried from outside: a public conformance suite, `serde_json` and a slow
//! reference beside it, and the properties that must hold for any document.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong here should fail the test"
)]
#![allow(
    unreachable_pub,
    reason = "the trees are shared with the benchmarks, where they can be reached"
)]

mod conformance;
mod dice;
mod hostile;
mod oracle;
mod parse;
mod properties;
mod tree;
