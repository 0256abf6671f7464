//! The known name that was probably meant.

/// The name that differs least from this one, if it differs little: by a third of its letters, case aside. Of
/// several the first.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let meant = name.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|candidate| {
            let spelt = candidate.to_lowercase().replace('-', "_");
            (strsim::osa_distance(&meant, &spelt), candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn names() {
        let known = ["timeout", "url", "on_failure", "connect_timeout"];
        for (name, meant) in [
            ("timout", Some("timeout")),
            ("time_out", Some("timeout")),
            ("ulr", Some("url")),
            ("uri", Some("url")),
            ("onFailure", Some("on_failure")),
            ("on-failure", Some("on_failure")),
            ("retries", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }
}
