//! Counters that count for the whole process, whoever reads them.

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, MetricFamily};
use prometheus::{IntCounter, Opts};

/// Where a count stands; it never falls.
pub(super) type Count = fn() -> u64;

/// A counter that is kept elsewhere and looked at for each scrape.
#[derive(Debug)]
pub(super) struct Kept {
    /// Has the name and the HELP text, and stays at 0.
    form: IntCounter,
    count: Count,
}

impl Kept {
    /// A counter that shows what `count` gives.
    ///
    /// # Errors
    ///
    /// The name is none.
    pub(super) fn new(name: &str, help: &str, count: Count) -> prometheus::Result<Self> {
        let form = IntCounter::with_opts(Opts::new(name, help))?;
        Ok(Self { form, count })
    }
}

impl Collector for Kept {
    fn desc(&self) -> Vec<&Desc> {
        self.form.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.form.collect();
        for metric in families.iter_mut().flat_map(MetricFamily::mut_metric) {
            let mut counter = Counter::default();
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
            counter.set_value((self.count)() as f64);
            metric.set_counter(counter);
        }
        families
    }
}
