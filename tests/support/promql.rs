//! PromQL as far as it can be held against a scrape: which series an expression asks for.

/// Every metric of an expression is there, with a series that has the labels which are asked of it, summed by and told
/// apart by.
pub(crate) fn assert_asks_for_what_is_there(expression: &str, served: &str) {
    // Each side by itself: what is left out has labels of its own.
    for side in expression.split("unless") {
        assert_asks(side, served);
    }
}

fn assert_asks(expression: &str, served: &str) {
    let selectors = selectors(expression);
    assert!(!selectors.is_empty(), "{expression}");
    let each = |(name, matchers): (String, Vec<String>)| {
        let alternatives = alternatives(&matchers).into_iter();
        alternatives.map(move |matchers| (name.clone(), matchers))
    };
    for (name, matchers) in selectors.into_iter().flat_map(each) {
        let is_one = |line: &str| {
            let labels = line
                .strip_prefix(&name)
                .filter(|rest| rest.starts_with(['{', ' ']));
            let has = |part: &str| labels.is_some_and(|labels| labels.contains(part));
            labels.is_some()
                && matchers.iter().all(|matcher| has(matcher))
                && grouped(expression).all(|label| has(&format!("{label}=\"")))
        };
        assert!(served.lines().any(is_one), "{name} {matchers:?} of {expression}");
    }
}

/// The metrics of ours and of the process, each with the labels that are asked of it.
fn selectors(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest
        .find("koigate_")
        .into_iter()
        .chain(rest.find("process_"))
        .min()
    {
        rest = &rest[at..];
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let matchers = after.strip_prefix('{').and_then(|after| after.split('}').next());
        let matchers = matchers.into_iter().flat_map(|matchers| matchers.split(','));
        let matchers = matchers
            .map(str::trim)
            .filter(|matcher| !is_prometheus_own(matcher));
        found.push((name.to_owned(), matchers.map(str::to_owned).collect()));
        rest = after;
    }
    found
}

/// What is asked of the labels, each word of a `label=~"one|other"` by itself.
fn alternatives(matchers: &[String]) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for matcher in matchers {
        let words = match matcher.split_once("=~") {
            Some((label, words)) => words
                .trim_matches('"')
                .split('|')
                .map(|word| format!("{label}=\"{word}\""))
                .collect(),
            None => vec![matcher.clone()],
        };
        all = words
            .iter()
            .flat_map(|word| {
                all.iter()
                    .map(|before| [&before[..], std::slice::from_ref(word)].concat())
            })
            .collect();
    }
    all
}

/// The labels that an expression sums by, or is told apart by.
fn grouped(expression: &str) -> impl Iterator<Item = &str> {
    let by = ["by (", "on ("].into_iter().find_map(|word| {
        let (_, rest) = expression.split_once(word)?;
        rest.split(')').next()
    });
    let labels = by.into_iter().flat_map(|labels| labels.split(", "));
    labels.filter(|label| !is_prometheus_own(label))
}

/// Prometheus itself says where it scraped what.
fn is_prometheus_own(label: &str) -> bool {
    label.starts_with("job") || label.starts_with("instance")
}
