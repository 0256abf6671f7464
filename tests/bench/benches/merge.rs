//! What the judgement of one stage costs, in units of one `serde_json` parse of one echo: run `cargo bench -p
//! koigate-bench --bench merge`. What it prints behind each size is how many such units each line takes, by the least
//! time of both, so that a busy machine does little harm.
//!
//! Three echoes come back with a column more each, as the services of one language spell them or those of three; one
//! reply is nothing but a column; three disagree about one. Beside that: what kind of hook a document is, what one
//! comparison costs, what is hidden from a backend, and a sheet of three tables, which is no JSON at all.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use koigate_bench::documents::Size;
use koigate_bench::tree::{Spelling, Tree};
use koigate_bench::{bytes, judge, pictures, text, with_column};
use koigate_core::guards::{Guards, Sight};
use koigate_core::hook::infer;
use koigate_core::json::Document;
use koigate_core::json::diff::{Echoes, diff};
use koigate_core::pointer::Pointer;
use koigate_core::sheet::draw;
use koigate_core::view::{Base, View};

/// A group, and the least time that each of its lines took.
struct Lines<'a> {
    group: BenchmarkGroup<'a, WallTime>,
    least: Vec<(&'static str, Duration)>,
}

impl Lines<'_> {
    fn measure<T>(&mut self, name: &'static str, mut work: impl FnMut() -> T) {
        let mut least = Duration::MAX;
        self.group.bench_function(name, |bench| {
            bench.iter_custom(|times| {
                let begin = Instant::now();
                for _ in 0..times {
                    black_box(work());
                }
                let took = begin.elapsed();
                least = least.min(took.div_f64(times as f64));
                took
            });
        });
        // Where the command line names other lines there is nothing to tell of this one.
        if least < Duration::MAX {
            self.least.push((name, least));
        }
    }

    fn tell(self, size: &str) {
        self.group.finish();
        let unit = self.least.iter().find(|(name, _)| *name == UNIT);
        if let Some((_, unit)) = unit {
            println!("\n{size}, in units of one parse by serde_json ({unit:.2?})");
            for (name, least) in &self.least {
                let units = least.as_secs_f64() / unit.as_secs_f64();
                println!("  {name:<16} {units:>7.3}");
            }
            println!();
        }
    }
}

/// The line that the others are measured by.
const UNIT: &str = "unit";

/// What three services answer to one document.
fn replies(sent: &Tree) -> [(&'static str, Vec<Bytes>); 8] {
    let echoes = |spellings: [Spelling; 3], columns: [&str; 3]| -> Vec<Bytes> {
        let each = std::iter::zip(spellings, columns);
        each.map(|(how, column)| bytes(&with_column(sent, column), how))
            .collect()
    };
    let alike = |how| echoes([how; 3], ["A", "B", "C"]);
    let column = ("New", Tree::Array(vec![text("ok"); 300]));
    let patch = Tree::object([("result", Tree::object([column]))]);
    let mixed = [Spelling::PYTHON, Spelling::NODE, Spelling::FLASK];
    [
        ("merge/python", alike(Spelling::PYTHON)),
        ("merge/node", alike(Spelling::NODE)),
        ("merge/sorted", alike(Spelling::FLASK)),
        ("merge/go", alike(Spelling::GO)),
        ("merge/orjson", alike(Spelling::ORJSON)),
        ("merge/mixed", echoes(mixed, ["A", "B", "C"])),
        ("merge/conflict", echoes([Spelling::PYTHON; 3], ["类型"; 3])),
        ("merge/patch", vec![bytes(&patch, Spelling::PYTHON)]),
    ]
}

fn merge(criterion: &mut Criterion) {
    for size in [Size::K200, Size::M2] {
        let sent = size.document();
        let base = bytes(&sent, Spelling::PYTHON);
        let mut group = criterion.benchmark_group(size.name);
        group
            .throughput(Throughput::Bytes(base.len() as u64))
            .sample_size(20);
        let least = Vec::new();
        let mut lines = Lines { group, least };
        lines.measure(UNIT, || serde_json::from_slice::<serde_json::Value>(&base));
        around(&mut lines, &sent, &base);
        for (name, replies) in replies(&sent) {
            lines.measure(name, || judge(&base, &replies));
        }
        lines.tell(size.name);
    }
}

/// What is done to a document but for merging.
#[allow(clippy::expect_used, reason = "a benchmark that measures errors should stop")]
fn around(lines: &mut Lines<'_>, sent: &Tree, base: &Bytes) {
    let document = Document::parse(base.clone()).expect("the base is JSON");
    lines.measure("parse", || Document::parse(base.clone()));
    lines.measure("infer", || infer(&document));
    for (name, how) in [
        ("diff/python", Spelling::PYTHON),
        ("diff/node", Spelling::NODE),
        ("diff/sorted", Spelling::FLASK),
    ] {
        let reply = bytes(&with_column(sent, "A"), how);
        lines.measure(name, || diff(&document, reply.clone(), &mut Echoes::default()));
    }
    let config = Pointer::parse("/config").expect("a pointer");
    let guards = Guards {
        sight: Sight::Hide(vec![config]),
        ..Guards::default()
    };
    let whole = Arc::new(Base::parsed(document));
    lines.measure("hide", || View::new(&whole, &guards));
    let tables = pictures::three_tables();
    lines.measure("sheet", || draw(&tables, &AtomicBool::new(false)));
}

criterion_group!(benches, merge);
criterion_main!(benches);
