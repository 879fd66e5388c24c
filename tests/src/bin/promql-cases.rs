//! `promql-cases SEED START_S QUERIES FOLDER`: the same random data for Mayfly and for Prometheus, and queries about them.
//!
//! FOLDER gets `data` (a storage of Mayfly, written by the store's own writer), `data.om` (the same as OpenMetrics, for
//! `promtool tsdb create-blocks-from openmetrics`) and `queries.json`: a list of `{"query", "time"}` or `{"query",
//! "start", "end", "step"}`. The same arguments give the same data and queries.
#![allow(clippy::disallowed_methods, reason = "an edge: a program of the tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use edge::{Ack, Storage, SystemClock};
use model::{Labels, Series};
use oracle::{Data, Dialect, Queries, generate};
use serde_json::{Value, json};
use store::SampleBatch;

/// How long the data are.
const LENGTH_MS: i64 = 60 * 60_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seed, start_s, count, folder] = arguments.as_slice() else {
        anyhow::bail!("usage: promql-cases SEED START_S QUERIES FOLDER");
    };
    let seed: u64 = seed.parse().context("SEED")?;
    let start_ms = start_s.parse::<i64>().context("START_S")? * 1_000;
    let count: usize = count.parse().context("QUERIES")?;
    let folder = Path::new(folder);

    let mut rng = fastrand::Rng::with_seed(seed);
    let data = Data {
        start_ms,
        length_ms: LENGTH_MS,
        stale_markers: false,
        pushed: false,
        native: false,
        infos: false,
    };
    let mut series = generate(&mut rng, data);
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    std::fs::write(folder.join("data.om"), openmetrics(&series)?)?;
    let queries: Vec<Value> = queries(&mut rng, start_ms, count);
    std::fs::write(folder.join("queries.json"), serde_json::to_vec(&queries)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(store(&folder.join("data"), series))
}

async fn store(folder: &Path, series: Vec<Series>) -> anyhow::Result<()> {
    let storage = Storage::open(&folder.display().to_string(), None).await?;
    let writer = storage.sample_writer(Arc::new(SystemClock), Ack::Stored).await?;
    let series = series.into_iter().map(|series| (series.labels, series.samples)).collect();
    writer.push(SampleBatch::of(series)).await?;
    writer.close().await;
    Ok(())
}

/// Every query at one time or at several, in and around the time of the data.
fn queries(rng: &mut fastrand::Rng, start_ms: i64, count: usize) -> Vec<Value> {
    let dialect = Dialect {
        experimental: true,
        extended: false,
        pushed: false,
        native: false,
        start_ms,
        length_ms: LENGTH_MS,
    };
    let mut queries = Queries::new(rng.u64(..), dialect);
    (0..count)
        .map(|number| {
            let query = queries.query();
            let at_ms = start_ms + rng.i64(-60_000..LENGTH_MS + 400_000);
            if number % 2 == 0 {
                return json!({"query": query, "time": seconds(at_ms)});
            }
            let step_ms = *rng.choice(&[13_000, 30_000, 60_000]).unwrap_or(&60_000);
            let end_ms = at_ms + step_ms * rng.i64(0..20);
            json!({"query": query, "start": seconds(at_ms), "end": seconds(end_ms), "step": seconds(step_ms)})
        })
        .collect()
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000))
}

fn openmetrics(series: &[Series]) -> anyhow::Result<String> {
    let mut text = String::new();
    for one in series {
        let name = one.labels.metric_name();
        let labels: Vec<String> = one
            .labels
            .iter()
            .filter(|label| &*label.name != Labels::NAME)
            .map(|label| format!("{}=\"{}\"", label.name, label.value))
            .collect();
        for (time, value) in one.samples.timestamps_ms.iter().zip(&one.samples.values) {
            let value = model::float::shortest(*value);
            writeln!(text, "{name}{{{}}} {value} {}", labels.join(","), seconds(*time))?;
        }
    }
    text.push_str("# EOF\n");
    Ok(text)
}
