//! What guards cost, beside one parse of the document: run `cargo bench -p koigate-bench --bench guards`. Hiding the
//! bot's configuration must cost less than `parse` of the same size.

use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use koigate_bench::documents::Size;
use koigate_bench::tree::Spelling;
use koigate_bench::{bytes, with_column};
use koigate_core::guards::{Guards, Keys, Sight};
use koigate_core::json::Document;
use koigate_core::pointer::Pointer;
use koigate_core::view::{Base, View};

fn places(texts: &[&str]) -> Vec<Pointer> {
    let parsed: Vec<_> = texts.iter().flat_map(|text| Pointer::parse(text)).collect();
    assert_eq!(parsed.len(), texts.len());
    parsed
}

/// The guards that are measured, by name.
fn guarded() -> [(&'static str, Guards); 5] {
    let none = Guards::default;
    let hide = |texts: &[&str]| Guards {
        sight: Sight::Hide(places(texts)),
        ..none()
    };
    [
        ("hide/config", hide(&["/config"])),
        (
            "hide/passwords",
            hide(&["/config", "/slaveRequest/proxies/*/password"]),
        ),
        (
            "show/names",
            Guards {
                sight: Sight::Show(places(&["/result/节点名称"])),
                ..none()
            },
        ),
        (
            "keys/snake",
            Guards {
                keys: Keys::Snake,
                ..none()
            },
        ),
        (
            "may_change/result",
            Guards {
                may_change: Some(places(&["/result"])),
                ..none()
            },
        ),
    ]
}

/// A base that has been parsed, as it is after another backend's view of it.
fn parsed(bytes: &Bytes) -> Arc<Base> {
    let base = Arc::new(Base::new(bytes.clone()));
    assert!(base.document().is_some());
    base
}

fn guards(criterion: &mut Criterion) {
    for size in [Size::K200, Size::M2] {
        let sent = size.document();
        let whole = bytes(&sent, Spelling::PYTHON);
        let base = parsed(&whole);
        let reply = bytes(&with_column(&sent, "A"), Spelling::PYTHON);
        let mut group = criterion.benchmark_group(format!("guards/{}", size.name));
        group
            .throughput(Throughput::Bytes(whole.len() as u64))
            .sample_size(30);
        group.bench_function("parse", |bench| bench.iter(|| Document::parse(whole.clone())));
        for (name, guards) in guarded() {
            group.bench_function(format!("view/{name}"), |bench| {
                bench.iter(|| View::new(&base, &guards));
            });
            let view = || View::new(&base, &guards);
            group.bench_function(format!("compare/{name}"), |bench| {
                let compare = |view: Option<View>| view.map(|view| view.compare(reply.clone(), &guards));
                bench.iter_batched(view, compare, BatchSize::LargeInput);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, guards);
criterion_main!(benches);
