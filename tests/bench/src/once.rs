//! One piece of work, once, to count its instructions: `koigate-once NAME`. See `instructions`.

use koigate_bench::tree::Spelling;
use koigate_bench::{bytes, document, judge, with_column};

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("merge") => merge(),
        _ => {
            eprintln!("usage: koigate-once merge");
            std::process::exit(2);
        }
    }
}

/// Three whole documents come back, each with one column more: two from Python, one from Node.
fn merge() {
    let sent = document(320, 100);
    let base = bytes(&sent, Spelling::PYTHON);
    let replies = [
        bytes(&with_column(&sent, "A"), Spelling::PYTHON),
        bytes(&with_column(&sent, "B"), Spelling::NODE),
        bytes(&with_column(&sent, "C"), Spelling::FLASK),
    ];
    std::hint::black_box(judge(&base, &replies));
}
