//! The outer ring: the real program as a child process, real sockets, a bot that acts on answers as koipy does
//! and backends that can be told anything. One file a topic; `support` holds what they are written with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what is written for tests alone is a test too"
)]

mod support;

mod activation;
mod admin;
mod answers;
mod backends;
mod callers;
mod chains;
mod commands;
mod conditions;
mod deploy;
mod docs;
mod edges;
mod faults;
mod guards;
mod heavy;
mod https;
mod isolation;
mod limits;
mod logs;
mod metrics;
mod observers;
mod oddities;
mod operator;
mod reload;
mod requests;
mod shadows;
mod signing;
mod soak;
mod sockets;
mod starting;
mod stopping;
mod strictness;
mod survive;
mod tables;
mod threads;
mod timing;
mod tls;
mod traces;
mod upgrading;
mod verdicts;
