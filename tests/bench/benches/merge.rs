//! Merging three echoes, in units of one `serde_json` parse of one of them: run `cargo bench -p koigate-bench`
//! and divide by `yardstick` of the same size.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use koigate_bench::tree::{Spelling, Tree};
use koigate_bench::{SIZES, bytes, document, judge, text, with_column};

/// What three services answer to one document.
fn replies(sent: &Tree) -> Vec<(&'static str, Vec<Bytes>)> {
    let echoes = |how: [Spelling; 3], columns: [&str; 3]| {
        let each = std::iter::zip(how, columns);
        each.map(|(how, column)| bytes(&with_column(sent, column), how))
            .collect::<Vec<_>>()
    };
    let patch = Tree::object([(
        "result",
        Tree::object([("New", Tree::Array(vec![text("ok"); 300]))]),
    )]);
    vec![
        ("python", echoes([Spelling::PYTHON; 3], ["A", "B", "C"])),
        ("node", echoes([Spelling::NODE; 3], ["A", "B", "C"])),
        ("sorted", echoes([Spelling::FLASK; 3], ["A", "B", "C"])),
        (
            "mixed",
            echoes(
                [Spelling::PYTHON, Spelling::NODE, Spelling::FLASK],
                ["A", "B", "C"],
            ),
        ),
        (
            "conflict",
            echoes([Spelling::PYTHON; 3], ["类型", "类型", "类型"]),
        ),
        ("patch", vec![bytes(&patch, Spelling::PYTHON)]),
    ]
}

fn merge(criterion: &mut Criterion) {
    for (size, nodes, proxies) in SIZES {
        let sent = document(nodes, proxies);
        let base = bytes(&sent, Spelling::PYTHON);
        let mut group = criterion.benchmark_group(size);
        group
            .throughput(Throughput::Bytes(base.len() as u64))
            .sample_size(20);
        group.bench_function("yardstick", |bench| {
            bench.iter(|| serde_json::from_slice::<serde_json::Value>(&base));
        });
        for (name, replies) in replies(&sent) {
            let id = BenchmarkId::new("merge", name);
            group.bench_with_input(id, &replies, |bench, replies| {
                bench.iter(|| judge(&base, replies));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, merge);
criterion_main!(benches);
