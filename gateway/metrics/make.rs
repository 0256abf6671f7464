//! How each kind of metric is made, and put into the registry.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Upper bounds of the histograms, in seconds: from a loopback service that says 204 to the longest deadline.
const BUCKETS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Puts a metric where `/metrics` is written from.
///
/// # Errors
///
/// Another has its name.
pub(super) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// One way to make every kind of metric.
pub(super) trait Make: Sized {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

impl Make for IntCounterVec {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Make for IntGaugeVec {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Make for IntGauge {
    fn make(name: &str, help: &str, _labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(name, help)
    }
}

impl Make for HistogramVec {
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()), labels)
    }
}
