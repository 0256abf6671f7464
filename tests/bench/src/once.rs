//! One piece of work, once, to count its instructions: `koigate-once NAME`. See `instructions`.

use std::sync::Arc;

use bytes::Bytes;
use koigate_bench::documents::Size;
use koigate_bench::hook::{self, AtOnce};
use koigate_bench::tree::Spelling;
use koigate_bench::{bytes, judge, with_column};
use koigate_core::reply::Reply;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("merge") => merge(),
        Some("dispatch") => dispatch(),
        _ => {
            eprintln!("usage: koigate-once merge|dispatch");
            std::process::exit(2);
        }
    }
}

/// Three whole documents come back, each with one column more: two from Python, one from Node.
fn merge() {
    let sent = Size::K200.document();
    let base = bytes(&sent, Spelling::PYTHON);
    let replies = [
        bytes(&with_column(&sent, "A"), Spelling::PYTHON),
        bytes(&with_column(&sent, "B"), Spelling::NODE),
        bytes(&with_column(&sent, "C"), Spelling::FLASK),
    ];
    std::hint::black_box(judge(&base, &replies));
}

/// One hook of 3 KB goes to three backends, which all say 204.
fn dispatch() {
    let (plan, chain) = hook::plan(3);
    let caller = Arc::new(AtOnce(Reply {
        status: 204,
        ..Reply::default()
    }));
    // Others hold the plan too, so that no hook takes it down.
    let answer = hook::answered(
        plan.clone(),
        chain.clone(),
        Bytes::from(vec![b' '; 3 * 1024]),
        &caller,
    );
    assert_eq!(answer.status, 204);
}
