//! A day of pushes, compacted: on a folder, so that what is stored does not count as memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use model::{
    Change, Clock, GroupKey, Labels, Matcher, MetricType, NeededLabels, Push, PushedFamily, PushedSeries,
    Selection,
};
use object_store::ObjectStore;
use object_store::path::Path;
use objects::{Counts, Instrumented};
use peak_alloc::PeakAlloc;
use store::{
    CompactSettings, Compactor, Progress, Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant,
    Writer, WriterSettings,
};
use testkit::ManualClock;

use crate::measure::cpu_time;

/// How much is pushed.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    /// Segments, evenly over the day.
    pub segments: u64,
    /// Pushes of each.
    pub pushes_per_segment: u64,
    /// Series of each.
    pub series_per_push: u64,
    /// Groups that take turns.
    pub groups: u64,
}

/// 1,000,000 pushes of 10 series in 10,000 segments.
pub const DAY: Day = Day { segments: 10_000, pushes_per_segment: 100, series_per_push: 10, groups: 1_000 };

const START_MS: i64 = 1_795_392_000_000 / 86_400_000 * 86_400_000;
const DAY_MS: i64 = 86_400_000;

/// A store of pushes and its clock.
pub struct World {
    /// Counts what is asked of it.
    pub store: Arc<Instrumented>,
    /// Moved by what is pushed.
    pub clock: Arc<ManualClock>,
    writers: AtomicU64,
    folder: tempfile::TempDir,
}

/// What a compaction took.
#[derive(Clone, Debug)]
pub struct Took {
    /// What was done.
    pub progress: Progress,
    /// Requests and bytes.
    pub counts: Counts,
    /// Processor time.
    pub cpu: Duration,
    /// Memory at the most, beyond what was there before.
    pub peak_bytes: usize,
}

fn stream() -> Stream {
    Stream::pushes(&Path::default(), &Tenant::default())
}

impl World {
    /// When a day of pushes is over.
    pub const END_MS: i64 = START_MS + DAY_MS;

    /// # Errors
    /// If there is no place for it.
    pub async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::TempDir::new()?;
        let url = folder.path().join("store").display().to_string();
        let opened = objects::open(&url, &objects::Options::default()).await?;
        let store = Arc::new(Instrumented::new(opened.store));
        Ok(Self { store, clock: Arc::new(ManualClock::at_ms(START_MS)), writers: AtomicU64::new(1), folder })
    }

    /// Pushes a part of a day: segments from `done` on, which it counts, up to `until`. They come evenly.
    ///
    /// # Errors
    /// If something is not stored.
    pub async fn push_until(&self, day: Day, done: &mut u64, until: u64) -> anyhow::Result<()> {
        let pause_ms = DAY_MS / i64::try_from(day.segments)?;
        for segment in std::mem::replace(done, until)..until {
            let writer = self.writers.fetch_add(1, Ordering::Relaxed);
            let settings = WriterSettings::of_writer(writer);
            let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
            let writer: Writer<Push> = Writer::start(store, stream(), Arc::clone(&self.clock) as _, settings);
            let first = segment * day.pushes_per_segment;
            let pushes =
                (first..first + day.pushes_per_segment).map(|number| writer.submit(push(day, number)));
            let pushes: Vec<_> = pushes.collect::<Result<_, _>>()?;
            for push in pushes {
                push.durable().await?;
            }
            writer.close().await;
            self.clock.advance_ms(pause_ms);
        }
        Ok(())
    }

    /// Pushes so many distinct values of one label to one group, evenly over a day, each in a series of `of_values`.
    ///
    /// # Errors
    /// If something is not stored.
    pub async fn push_values(&self, segments: u64, values: u64) -> anyhow::Result<()> {
        for segment in 0..segments {
            let settings = WriterSettings::of_writer(self.writers.fetch_add(1, Ordering::Relaxed));
            let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
            let writer: Writer<Push> = Writer::start(store, stream(), Arc::clone(&self.clock) as _, settings);
            let numbers = (segment..values).step_by(usize::try_from(segments)?);
            writer.push(values_push(numbers)).await?;
            writer.close().await;
            self.clock.advance_ms(DAY_MS / i64::try_from(segments)?);
        }
        Ok(())
    }

    /// Compacts what is due, as if nobody had done it before.
    ///
    /// # Errors
    /// If a tick fails.
    pub async fn compact(&self, memory: &PeakAlloc) -> anyhow::Result<Took> {
        let (before, held, start) = (self.store.counts(), memory.current_usage(), cpu_time());
        memory.reset_peak_usage();
        let compactor = Compactor::of_pushes(
            Arc::clone(&self.store) as _,
            stream(),
            CompactSettings::of_holder(1),
            Arc::clone(&self.clock) as _,
        );
        let mut done = Progress::default();
        loop {
            let progress = compactor.tick().await?;
            done.add(&progress);
            if !progress.is_behind {
                break;
            }
        }
        Ok(Took {
            progress: done,
            counts: self.store.counts().since(&before),
            cpu: cpu_time() - start,
            peak_bytes: memory.peak_usage().saturating_sub(held),
        })
    }

    /// Selects what has these labels over the day with nothing in memory: how many series, what it took, and how long.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn query(&self, labels: &[(&str, &str)]) -> anyhow::Result<(usize, store::Usage, Duration)> {
        let (reader, selection) = (self.reader(), self.selection(labels));
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let start = Instant::now();
        let answer = reader.select_labels(&selection, &NeededLabels::All).await?;
        anyhow::ensure!(answer.left_out.is_empty(), "something was left out");
        Ok((answer.found.len(), answer.usage, start.elapsed()))
    }

    /// How many values a label has in the day, with nothing in memory, and how long that takes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn count_values(&self, label: &str) -> anyhow::Result<(usize, Duration)> {
        let (reader, start) = (self.reader(), cpu_time());
        let answer = reader.label_values(label, &[self.selection(&[])]).await?;
        Ok((answer.found.len(), cpu_time() - start))
    }

    fn reader(&self) -> Reader {
        let samples: Source<SampleBatch> =
            Source::new(Stream::samples(&Path::default(), &Tenant::default()), None);
        let settings = ReaderSettings { cache_bytes_max: 0, ..ReaderSettings::default() };
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        Reader::new(store, Source::new(stream(), None), samples, settings)
    }

    fn selection(&self, labels: &[(&str, &str)]) -> Selection {
        let matchers = labels.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect();
        Selection { matchers, start_ms: START_MS, end_ms: self.clock.now_ms() }
    }

    /// Bytes of all files in a folder of the stream.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub async fn bytes_of(&self, folder: &str) -> anyhow::Result<u64> {
        use futures::TryStreamExt as _;
        let folder = Path::from(format!("default/pushes/{folder}"));
        let objects: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        Ok(objects.iter().map(|object| object.size).sum())
    }

    /// Ends it.
    ///
    /// # Errors
    /// If its files cannot be deleted.
    pub fn close(self) -> anyhow::Result<()> {
        self.folder.close().context("the folder of the benchmark")
    }
}

#[expect(clippy::cast_precision_loss, reason = "values")]
fn push(day: Day, number: u64) -> Push {
    let job = format!("batch-{}", number % day.groups);
    let grouping = Labels::from_pairs([("job", job.clone())]);
    let family = |index: u64| {
        let name =
            if index == 0 { "push_time_seconds".to_owned() } else { format!("batch_metric_{index:02}") };
        let labels = Labels::from_pairs([("__name__", name.clone()), ("job", job.clone())]);
        let value =
            if index == 0 { number as f64 } else { ((number * 7_919 + index * 31) % 10_007) as f64 / 8.0 };
        let series = vec![PushedSeries::float(labels, value)];
        PushedFamily { name: name.into(), r#type: MetricType::Gauge, series, ..PushedFamily::default() }
    };
    let families = (0..day.series_per_push).map(family).collect();
    Push::new(GroupKey::of(&grouping), Change::ReplaceGroup, families)
}

#[expect(clippy::cast_precision_loss, reason = "values")]
fn values_push(numbers: impl Iterator<Item = u64>) -> Push {
    let series = numbers.map(|number| {
        let labels =
            [("__name__", "of_values".to_owned()), ("job", "j".to_owned()), ("id", format!("v{number}"))];
        PushedSeries::float(Labels::from_pairs(labels), number as f64)
    });
    let family = PushedFamily {
        name: "of_values".into(),
        r#type: MetricType::Gauge,
        series: series.collect(),
        ..PushedFamily::default()
    };
    // what earlier segments have pushed stays
    Push::new(GroupKey::of(&Labels::from_pairs([("job", "j")])), Change::Merge, vec![family])
}
