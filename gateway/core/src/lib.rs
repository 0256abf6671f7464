//! What Koigate decides, and nothing else: what a reply means, what a backend really edited, how the
//! edits of many become one document, and which single answer the bot gets.
//!
//! There is no `async`, clock, environment, file, network or log in this crate. Time comes in as an
//! argument, whatever may take long is a plain function that the caller may move off its thread, and
//! everything is deterministic: configured order, never arrival or hash order.
//!
//! The way through it, for one hook:
//!
//! ```text
//! Plan (checked configuration)           hook::infer (which kind is it?)
//!   Tally::new(plan, hook)
//!     per stage:  tally.next_stage() -> what each backend is sent (View)
//!                 judge(reply)       -> Judgement (verdict, edits against the View)
//!                 tally.record(..)   -> settled? first reject wins lives here
//!                 tally.close_stage()-> edits folded into the base, in configured order (merge)
//!   tally.finish() -> Outcome + Draft: the one Answer (or replies still to be joined, or pictures to be drawn: sheet)
//! ```

pub mod answer;
pub mod attachment;
pub mod changes;
pub mod condition;
mod disposition;
pub mod failure;
pub mod guards;
pub mod health;
pub mod hook;
pub mod json;
pub mod judge;
pub mod merge;
pub mod multipart;
pub mod observer;
pub mod outcome;
mod parameters;
pub mod plan;
pub mod pointer;
pub mod reply;
pub mod secret;
pub mod shadow;
pub mod sheet;
mod table;
pub mod tally;
pub mod texts;
pub mod verdict;
pub mod view;
