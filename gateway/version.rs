//! Which build this is.

use std::sync::LazyLock;

/// The release, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The revision of the source, if whoever built it said so in the variable `KOIGATE_REVISION`. Nothing is asked
/// of git, so that an unpacked archive builds like a clone.
pub const REVISION: Option<&str> = option_env!("KOIGATE_REVISION");

/// Release and revision as a person reads them: `0.1.0 (4b1f0c2)`, or the release alone.
pub fn full() -> &'static str {
    static FULL: LazyLock<String> = LazyLock::new(|| spell(REVISION));
    &FULL
}

fn spell(revision: Option<&str>) -> String {
    match revision {
        Some(revision) if !revision.is_empty() => format!("{VERSION} ({revision})"),
        _ => VERSION.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_revision_is_not_shown() {
        assert_eq!(spell(None), VERSION);
        assert_eq!(spell(Some("")), VERSION);
        assert_eq!(spell(Some("4b1f0c2")), format!("{VERSION} (4b1f0c2)"));
    }
}
