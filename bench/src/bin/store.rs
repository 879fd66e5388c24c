//! `make bench-store`: bytes per sample, and samples per second of processor time, to write and to read.
#![expect(clippy::print_stdout, reason = "figures are for people")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use mayfly_bench::compaction::{self, Day, World};
use mayfly_bench::datasets::{self, Dataset};
use mayfly_bench::measure::{cpu_time, timed};
use model::{Clock, Matcher, NeededLabels, Selection};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use peak_alloc::PeakAlloc;
use store::{Answer, Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Samples carry their own time; nothing here needs to pass.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now_us(&self) -> i64 {
        1_760_010_000_000_000
    }
}

/// What a data set is asked for, and what is too much: the benchmark fails then. Times only are reported.
struct Aims {
    metric: &'static str,
    /// B/sample.
    size_max: f64,
    /// Of the file's bytes, to select the metric.
    part_max: f64,
}

const SCRAPE_LIKE: Aims = Aims { metric: "node_metric_042_total", size_max: 2.2, part_max: 0.02 };
const SHORT_LIVED: Aims = Aims { metric: "lambda_invocations_total", size_max: 9.5, part_max: 0.5 };

/// While a segment is made, as a multiple of what its rows take in memory, these included.
const MEMORY_MAX: f64 = 3.0;

/// To select a metric: two listings, the end of the file, the names, and runs of pages.
const REQUESTS_MAX: u64 = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    println!("| data set | what | figure |\n|---|---|---|");
    let wanted = std::env::args().nth(1);
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if is_wanted("scrape-like") {
        bench("scrape-like", datasets::scrape_like, SCRAPE_LIKE).await.context("scrape-like")?;
    }
    if is_wanted("short-lived") {
        bench("short-lived", datasets::short_lived, SHORT_LIVED).await.context("short-lived")?;
    }
    if is_wanted("compaction") {
        compaction(compaction::DAY).await.context("compaction")?;
    }
    if is_wanted("held") {
        held().await.context("held")?;
    }
    if is_wanted("values") {
        values().await.context("values")?;
    }
    Ok(())
}

/// While a day is compacted, however large it is: what a Lambda function of 512 MiB has, less what the program itself takes.
const COMPACTION_BYTES_MAX: usize = 448 << 20;

/// Bytes written by compaction for each byte of segments.
const AMPLIFICATION_MAX: f64 = 4.0;

/// A day of pushes from segments to a run and a frame, and queries over segments and over the day.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn compaction(day: Day) -> anyhow::Result<()> {
    let row = |what: &str, figure: String| println!("| compaction | {what} | {figure} |");
    let world = World::new().await?;
    let mut uncompacted = 0;
    for segments in [1_000, 3_000, day.segments] {
        world.push_until(day, &mut uncompacted, segments).await?;
        let (series, usage, time) =
            world.query(&[("__name__", "batch_metric_03"), ("job", "batch-7")]).await?;
        row(
            &format!("query over {segments} segments, cold"),
            format!("{series} series, {} requests, {:.0} ms", usage.requests, time.as_secs_f64() * 1e3),
        );
    }
    let hot = world.bytes_of("hot").await?;
    world.clock.advance_ms(3_600_000);
    let took = world.compact(&MEMORY).await?;
    let rows = day.segments * day.pushes_per_segment * (day.series_per_push + 1);
    row(
        "pushes, segments, rows",
        format!("{}, {}, {rows}", day.segments * day.pushes_per_segment, day.segments),
    );
    let cpu = took.cpu.as_secs_f64();
    row(
        "processor time",
        format!(
            "{cpu:.1} s: {:.2} M rows/s of segments, {:.2} M rows/s read",
            rows as f64 / cpu / 1e6,
            took.progress.rows as f64 / cpu / 1e6
        ),
    );
    row("memory at the most", format!("{} MiB", took.peak_bytes >> 20));
    let counts = took.counts;
    row(
        "requests",
        format!("{} GET, {} PUT, {} LIST, {} HEAD", counts.gets, counts.puts, counts.lists, counts.heads),
    );
    let amplification = took.progress.written_bytes as f64 / hot as f64;
    row(
        "written",
        format!(
            "{:.1} MB for {:.1} MB of segments: {amplification:.2} times",
            took.progress.written_bytes as f64 / 1e6,
            hot as f64 / 1e6
        ),
    );
    row("runs and frames made", format!("{} and {}", took.progress.runs, took.progress.frames));
    anyhow::ensure!(
        took.peak_bytes <= COMPACTION_BYTES_MAX,
        "more than {COMPACTION_BYTES_MAX} bytes of memory"
    );
    anyhow::ensure!(
        amplification <= AMPLIFICATION_MAX,
        "more than {AMPLIFICATION_MAX} times the segments written"
    );
    let (series, usage, time) = world.query(&[("__name__", "batch_metric_03"), ("job", "batch-7")]).await?;
    row(
        "query over the compacted day, cold",
        format!("{series} series, {} requests, {:.0} ms", usage.requests, time.as_secs_f64() * 1e3),
    );
    world.close()
}

/// Many series that are held, and days on which little is pushed, or nothing.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn held() -> anyhow::Result<()> {
    const SERIES: u64 = 10_000_000;
    let row = |what: &str, figure: String| println!("| held | {what} | {figure} |");
    let world = World::new().await?;
    // each push to a group of its own
    let day =
        Day { segments: 2_000, pushes_per_segment: 10, series_per_push: SERIES / 20_000, groups: 20_000 };
    world.push_until(day, &mut 0, day.segments).await?;
    world.clock.advance_ms(3_600_000);
    let took = world.compact(&MEMORY).await?;
    row(
        "the first day",
        format!(
            "{SERIES} series, {:.1} MB written, {} MiB of memory",
            took.progress.written_bytes as f64 / 1e6,
            took.peak_bytes >> 20
        ),
    );
    world.clock.advance_ms(86_400_000);
    let took = world.compact(&MEMORY).await?;
    row(
        "a day without pushes",
        format!(
            "{} bytes written, {} requests",
            took.counts.bytes_put,
            took.counts.puts + took.counts.gets + took.counts.lists
        ),
    );
    // the manifest, for the lease and for the sweep
    anyhow::ensure!(took.counts.bytes_put <= 1 << 20, "more than 1 MiB for nothing");
    let one = Day { segments: 1, pushes_per_segment: 1, series_per_push: 10, groups: 1 };
    world.push_until(one, &mut 0, 1).await?;
    world.clock.advance_ms(3_600_000);
    let took = world.compact(&MEMORY).await?;
    row(
        "a day with one push",
        format!(
            "{} bytes written, {:.1} MB read, {:.1} s, {} MiB of memory",
            took.counts.bytes_put,
            took.counts.bytes_got as f64 / 1e6,
            took.cpu.as_secs_f64(),
            took.peak_bytes >> 20
        ),
    );
    anyhow::ensure!(
        took.peak_bytes <= COMPACTION_BYTES_MAX,
        "more than {COMPACTION_BYTES_MAX} bytes of memory"
    );
    world.close()
}

/// A day with very many values of one label.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn values() -> anyhow::Result<()> {
    const VALUES: u64 = 2_000_000;
    let row = |what: &str, figure: String| println!("| values | {what} | {figure} |");
    let world = World::new().await?;
    world.push_values(200, VALUES).await?;
    world.clock.advance_ms(3_600_000);
    let took = world.compact(&MEMORY).await?;
    row(
        "the day compacted",
        format!(
            "{VALUES} values, {:.1} MB written, {:.1} s, {} MiB of memory",
            took.progress.written_bytes as f64 / 1e6,
            took.cpu.as_secs_f64(),
            took.peak_bytes >> 20
        ),
    );
    anyhow::ensure!(
        took.peak_bytes <= COMPACTION_BYTES_MAX,
        "more than {COMPACTION_BYTES_MAX} bytes of memory"
    );
    let held = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let (found, usage, time) = world.query(&[("__name__", "of_values"), ("id", "v1234567")]).await?;
    let peak = MEMORY.peak_usage() - held;
    row(
        "one value, cold",
        format!(
            "{found} series, {} requests, {:.1} MB, {:.0} ms, {} MiB of memory",
            usage.requests,
            usage.bytes as f64 / 1e6,
            time.as_secs_f64() * 1e3,
            peak >> 20
        ),
    );
    anyhow::ensure!(found == 1, "{found} series have one value");
    anyhow::ensure!(peak <= COMPACTION_BYTES_MAX, "more than {COMPACTION_BYTES_MAX} bytes of memory");
    MEMORY.reset_peak_usage();
    let (found, cpu) = world.count_values("id").await?;
    let peak = MEMORY.peak_usage() - held;
    row("all values, cold", format!("{found}, {:.1} s, {} MiB of memory", cpu.as_secs_f64(), peak >> 20));
    anyhow::ensure!(found as u64 == VALUES, "{found} values of {VALUES}");
    anyhow::ensure!(peak <= COMPACTION_BYTES_MAX, "more than {COMPACTION_BYTES_MAX} bytes of memory");
    world.close()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn bench(name: &str, dataset: fn() -> Dataset, aims: Aims) -> anyhow::Result<()> {
    let before = MEMORY.current_usage();
    let dataset = dataset();
    let held = MEMORY.current_usage() - before;
    let row = |what: &str, figure: String| println!("| {name} | {what} | {figure} |");
    let samples: usize = dataset.iter().map(|(_, samples)| samples.len()).sum();
    row("series, samples", format!("{}, {samples}", dataset.len()));
    let per_second = |time: Duration| format!("{:.1} M samples/s", samples as f64 / time.as_secs_f64() / 1e6);

    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let stream = Stream::samples(&Path::default(), &Tenant::default());
    let settings = WriterSettings::of_writer(1);
    let writer = Writer::start(Arc::clone(&store), stream.clone(), Arc::new(Stopped), settings);
    MEMORY.reset_peak_usage();
    let start = cpu_time();
    writer.push(SampleBatch::of(dataset)).await?;
    row("write: sort, encode, put", per_second(cpu_time() - start));
    let most = MEMORY.peak_usage() - before;
    let memory = most as f64 / held as f64;
    row(
        "memory while writing",
        format!("{memory:.2} times the {:.1} B/sample of the rows", held as f64 / samples as f64),
    );
    anyhow::ensure!(memory <= MEMORY_MAX, "more than {MEMORY_MAX} times the memory of the rows");
    let object = store.list(None).next().await.context("nothing was written")??;
    let size = object.size as f64 / samples as f64;
    row("size", format!("{size:.2} B/sample"));
    anyhow::ensure!(size <= aims.size_max, "more than {} B/sample", aims.size_max);

    let bytes = store.get(&object.location).await?.bytes().await?;
    let columns = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())?;
    let mut sizes: Vec<(i64, String)> = Vec::new();
    for column in 0..columns.parquet_schema().num_columns() {
        let groups = columns.metadata().row_groups().iter();
        let size: i64 = groups.map(|group| group.column(column).compressed_size()).sum();
        sizes.push((size, columns.parquet_schema().column(column).path().string()));
    }
    sizes.sort();
    let largest = sizes.iter().rev().take(6);
    let largest = largest.map(|(size, name)| format!("{name} {:.2}", *size as f64 / samples as f64));
    row("largest columns, B/sample", largest.collect::<Vec<_>>().join(", "));

    let mask = ProjectionMask::columns(columns.parquet_schema(), ["__ts__", "__value__"]);
    let reader = columns.with_projection(mask).with_batch_size(1 << 16).build()?;
    let (rows, time) = timed(|| reader.map(|batch| batch.map_or(0, |batch| batch.num_rows())).sum::<usize>());
    anyhow::ensure!(rows == samples, "read {rows} rows of {samples}");
    row("decode time and value", per_second(time));

    let selection = Selection {
        matchers: vec![Matcher::equal("__name__", aims.metric)],
        start_ms: 0,
        end_ms: i64::MAX / 1_000_000,
    };
    let pushes = Stream::pushes(&Path::default(), &Tenant::default());
    let settings = ReaderSettings { cache_bytes_max: 0, ..ReaderSettings::default() };
    let reader = Reader::new(store, Source::new(pushes, None), Source::new(stream, None), settings);
    let by_job = NeededLabels::These(BTreeSet::from(["__name__", "job"].map(Into::into)));
    let instances = sizes.iter().find(|(_, name)| name == "instance").map_or(0, |(size, _)| *size);
    for (what, needed) in [("all labels", &NeededLabels::All), ("for sum by (job)", &by_job)] {
        let start = cpu_time();
        let Answer { found, usage, .. } = reader.select_labels(&selection, needed).await?;
        let time = cpu_time() - start;
        let part = usage.bytes as f64 / object.size as f64;
        row(
            &format!("select one metric, cold, {what}"),
            format!(
                "{} series in {:.0} ms, {} requests, {:.2} % of the bytes",
                found.len(),
                time.as_secs_f64() * 1e3,
                usage.requests,
                part * 100.0
            ),
        );
        anyhow::ensure!(part <= aims.part_max, "{what}: more than {} of the bytes", aims.part_max);
        anyhow::ensure!(usage.requests <= REQUESTS_MAX, "{what}: more than {REQUESTS_MAX} requests");
        if *needed == by_job {
            let left = object.size.saturating_sub(instances.cast_unsigned());
            anyhow::ensure!(usage.bytes <= left, "the instances were read too");
        }
    }
    Ok(())
}
