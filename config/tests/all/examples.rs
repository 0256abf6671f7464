//! The examples that are shipped: each is read, has nothing to be warned of, and does what it says.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Fixed;
use crate::tls;
use koigate_config::{Loaded, describe, load};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every file beside the others, by name.
fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder("examples")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// What a machine has that runs one of them: the file itself, and the secrets that it names.
fn loaded(path: &Path) -> Loaded {
    let (cert, key, day) = tls::identity();
    let live = "/etc/letsencrypt/live/gateway.example";
    let sources = Fixed::default()
        .day(day)
        .variable("KOIGATE_TOKEN", "0123456789abcdef0123456789abcdef")
        .variable("BLACKLIST_TOKEN", "Bearer x")
        .file(&format!("{live}/fullchain.pem"), cert)
        .file(&format!("{live}/privkey.pem"), key)
        .file(path.to_str().unwrap(), fs::read(path).unwrap());
    load(path, &sources).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn each_is_without_a_flaw() {
    let examples = examples();
    assert!(examples.len() >= 6, "{examples:?}");
    for path in examples {
        let loaded = loaded(&path);
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        for backend in &loaded.plan.backends {
            // A crash is a refusal by the protocol's letter, which nobody who copies an example means.
            let name = &backend.name;
            assert!(
                backend.failure_statuses.contains(500),
                "{}: {name}",
                path.display()
            );
        }
    }
}

#[test]
fn each_says_in_both_languages_what_it_is_for() {
    for path in examples() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        assert!(first.starts_with("# ") && first.contains(is_chinese), "{first}");
        assert!(
            first.split(' ').filter(|word| word.is_ascii()).count() > 4,
            "{first}"
        );
    }
}

/// `KOIGATE_WRITE=1 cargo test -p koigate-config examples` writes anew what `check` prints of them.
#[test]
fn each_does_what_is_written_down() {
    for path in examples() {
        let plan = loaded(&path).plan;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let written = folder("tests/all/examples").join(format!("{name}.txt"));
        let described = describe(&plan);
        if std::env::var_os("KOIGATE_WRITE").is_some() {
            fs::write(&written, &described).unwrap();
        }
        let expected = fs::read_to_string(&written).unwrap_or_default();
        assert_eq!(described, expected, "{}", written.display());
    }
}
