//! The admin side as an operator's tools see it: `/metrics` read back into numbers.

use std::collections::BTreeMap;

/// One reading of `/metrics`.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    series: BTreeMap<Series, f64>,
    /// The text as it was served.
    pub(crate) text: String,
}

/// A name and its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
}

impl Metrics {
    /// Reads the Prometheus text format.
    pub(crate) fn read(text: String) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line
                .rsplit_once(' ')
                .unwrap_or_else(|| panic!("no sample: {line}"));
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            (Series::served(series), value)
        });
        Self {
            series: series.collect(),
            text,
        }
    }

    /// The value of one series, written as `name label=value label=value`.
    pub(crate) fn find(&self, series: &str) -> Option<f64> {
        self.series.get(&Series::asked_for(series)).copied()
    }

    /// The value of one series, which has to be there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.find(series)
            .unwrap_or_else(|| panic!("no series {series} in\n{}", self.text))
    }

    /// Every metric of ours that has a series.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.series.keys().map(|series| series.name.as_str()).collect();
        names.retain(|name| name.starts_with("koigate_"));
        for name in &mut names {
            for part in ["_bucket", "_sum", "_count"] {
                *name = name.strip_suffix(part).unwrap_or(name);
            }
        }
        names.dedup();
        names
    }

    /// The lines that name this label's value and are not 0.
    pub(crate) fn text_about(&self, value: &str) -> String {
        let value = format!("\"{value}\"");
        let about = self
            .text
            .lines()
            .filter(|line| line.contains(&value) && !line.ends_with(" 0"));
        about.collect::<Vec<_>>().join("\n")
    }

    /// The sum over every series of this name that has these labels, written as in [`Metrics::find`].
    pub(crate) fn sum(&self, series: &str) -> f64 {
        let asked = Series::asked_for(series);
        let alike = self.series.iter().filter(|(series, _)| {
            series.name == asked.name && asked.labels.iter().all(|(k, v)| series.labels.get(k) == Some(v))
        });
        alike.map(|(_, value)| value).sum()
    }
}

impl Series {
    /// `name{a="b",c="d"}`; no label of ours holds a comma or a quote.
    fn served(text: &str) -> Self {
        let (name, labels) = match text.split_once('{') {
            Some((name, labels)) => (name, labels.trim_end_matches('}')),
            None => (text, ""),
        };
        let labels = labels.split(',').filter_map(|label| label.split_once('='));
        Self {
            name: name.to_owned(),
            labels: labels
                .map(|(k, v)| (k.to_owned(), v.trim_matches('"').to_owned()))
                .collect(),
        }
    }

    /// `name a=b c=d`.
    fn asked_for(text: &str) -> Self {
        let mut words = text.split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        let labels = words.map(|word| word.split_once('=').expect("label=value"));
        Self {
            name,
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn reads_prometheus_text() {
        let text = "# HELP a b\n# TYPE a counter\na{hook=\"x\",verdict=\"y\"} 3\na{hook=\"x\",verdict=\"z\"} 4\nb 0.5\n";
        let metrics = Metrics::read(text.into());
        assert_eq!(metrics.value("a verdict=y hook=x"), 3.0);
        assert_eq!(metrics.sum("a hook=x"), 7.0);
        assert_eq!(metrics.value("b"), 0.5);
        assert_eq!(metrics.find("a hook=x"), None);
    }
}
