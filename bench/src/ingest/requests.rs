//! Samples as the remote write requests of a sender with several connections.

use model::Labels;
use testkit::remote_write::{request_v1, series_v1};

use crate::datasets::Dataset;

/// As many as Prometheus puts into one request.
const SAMPLES_PER_REQUEST: usize = 2_000;

/// A data set in order of time: for each connection the bodies in the order in which they are to be sent. All of a series goes over one
/// connection; bodies are of version 1.0, which all programs take.
///
/// # Errors
/// If a request is too large to compress.
pub fn requests(dataset: &Dataset, connections: usize) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
    let mut of_connections = vec![Vec::new(); connections];
    for (series, (_, samples)) in dataset.iter().enumerate() {
        let sent = &mut of_connections[series % connections];
        let floats = samples.timestamps_ms.iter().zip(&samples.values);
        sent.extend(floats.map(|(&at_ms, &value)| (at_ms, series, value)));
    }
    let bodies = of_connections.into_iter().map(|mut sent| {
        sent.sort_unstable_by_key(|&(at_ms, series, _)| (at_ms, series));
        sent.chunks(SAMPLES_PER_REQUEST).map(|samples| body(dataset, samples)).collect()
    });
    bodies.collect()
}

fn body(dataset: &Dataset, samples: &[(i64, usize, f64)]) -> anyhow::Result<Vec<u8>> {
    let series = samples
        .iter()
        .map(|&(at_ms, series, value)| series_v1(&pairs(&dataset[series].0), &[(at_ms, value)]));
    Ok(snap::raw::Encoder::new().compress_vec(&request_v1(series))?)
}

fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels.iter().map(|label| (&*label.name, &*label.value)).collect()
}
