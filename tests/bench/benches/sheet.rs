//! Drawing a sheet: pictures as services draw them, tables and photos, from files to one PNG.

use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use koigate_bench::pictures::{photo, table, three_tables};
use koigate_core::sheet::draw;

fn sheet(criterion: &mut Criterion) {
    let cases = [
        ("three_tables", three_tables()),
        (
            "thirty_tables",
            (0..30).map(|nth| table(3 + nth % 5, 8 + nth * 3 % 17)).collect(),
        ),
        (
            "scaled_down",
            vec![table(40, 100), table(40, 100), table(40, 100), table(40, 100)],
        ),
        ("two_photos", vec![photo(1_600, 1_200), photo(1_600, 1_200)]),
        (
            "photos_over_10_mb",
            vec![photo(4_000, 2_500), photo(4_000, 2_500)],
        ),
    ];
    let mut group = criterion.benchmark_group("sheet");
    group.sample_size(10);
    for (name, pictures) in cases {
        let size: usize = pictures.iter().map(Bytes::len).sum();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bench| {
            bench.iter(|| draw(&pictures, &AtomicBool::new(false)));
        });
    }
    group.finish();
}

criterion_group!(benches, sheet);
criterion_main!(benches);
