//! Pushed series as Prometheus would have them that scraped a Pushgateway.

use model::{Series, stale_nan};

/// The series with samples in the place of steps: at every multiple of the interval up to `until_ms` the value that holds
/// then, and a stale marker where nothing holds any more.
pub fn scraped(series: &[Series], interval_ms: i64, until_ms: i64) -> Vec<Series> {
    let of = |series: &Series| {
        let Some(&first_ms) = series.steps.from_ms.first() else { return series.clone() };
        let mut samples = model::Samples::default();
        let mut held = false;
        let first = first_ms.div_euclid(interval_ms) * interval_ms;
        let scrapes = std::iter::successors(Some(first), |at_ms| Some(at_ms + interval_ms));
        for at_ms in scrapes.take_while(|at_ms| *at_ms <= until_ms) {
            match series.steps.at(at_ms) {
                Some(step) => samples.push(at_ms, series.steps.values[step]),
                None if held => samples.push(at_ms, stale_nan()),
                None => {}
            }
            held = series.steps.at(at_ms).is_some();
        }
        Series { labels: series.labels.clone(), samples, ..Series::default() }
    };
    series.iter().map(of).filter(|series| !series.samples.is_empty()).collect()
}
