//! A store with one large segment of samples and one of pushes, and a few small ones.

use std::sync::Arc;

use mayfly_store::{Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};
use model::{
    Change, GroupKey, Labels, MatchOp, Matcher, MetricType, Push, PushedFamily, PushedSeries, Samples,
    Selection,
};
use object_store::ObjectStore;
use object_store::path::Path;
use testkit::ManualClock;

/// The time of the first sample and of the first push.
pub(crate) const T0: i64 = 1_795_391_160_000;

/// Metrics.
const METRICS: usize = 8;

/// Series of each metric, with samples.
const SERIES: usize = 25;

/// Samples of each series, a second apart.
pub(crate) const SAMPLES: i64 = 300;

/// Series of each metric, pushed.
const PUSHED: usize = 1_100;

fn labels(metric: usize, series: usize) -> Labels {
    let mut labels = vec![
        ("__name__", format!("metric_{metric}")),
        ("job", format!("job-{}", series % 5)),
        ("instance", format!("{:016x}", (series as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        ("Zone", format!("z{}", series % 3)),
    ];
    if series.is_multiple_of(2) {
        labels.push(("region", "eu".to_owned()));
    }
    Labels::from_pairs(labels)
}

/// Something that does not compress.
fn value(metric: usize, series: usize, index: i64) -> f64 {
    let seed = (metric * 1_000_000 + series) as u64 ^ (index.cast_unsigned() << 40);
    let mixed = (seed ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    #[expect(clippy::cast_precision_loss, reason = "any value will do")]
    let value = (mixed >> 11) as f64;
    value
}

fn batch() -> SampleBatch {
    let mut batch = SampleBatch::default();
    for metric in 0..METRICS {
        for series in 0..SERIES {
            let mut samples = Samples::default();
            (0..SAMPLES).for_each(|i| samples.push(T0 + i * 1_000, value(metric, series, i)));
            batch.series.push((labels(metric, series), samples));
        }
    }
    batch
}

fn push(job: usize, change: Change, count: usize) -> Push {
    let families = (0..METRICS).map(|metric| {
        let of_job = (0..count).filter(|series| series % 5 == job);
        let series = of_job.map(|s| PushedSeries::float(labels(metric, s), value(metric, s, 7)));
        let name = format!("metric_{metric}").into();
        let series = series.collect();
        PushedFamily { name, r#type: MetricType::Gauge, series, ..PushedFamily::default() }
    });
    let group = GroupKey::of(&Labels::from_pairs([("job", format!("job-{job}"))]));
    Push::new(group, change, families.collect())
}

pub(crate) fn streams() -> (Stream, Stream) {
    let (prefix, tenant) = (Path::default(), Tenant::default());
    (Stream::pushes(&prefix, &tenant), Stream::samples(&prefix, &tenant))
}

/// Writes everything. The large segments have more than 8,192 rows each.
pub(crate) async fn write(store: &Arc<dyn ObjectStore>) {
    let clock = Arc::new(ManualClock::at_ms(T0));
    let (pushes, samples) = streams();
    let writer =
        Writer::start(Arc::clone(store), samples, Arc::clone(&clock) as _, WriterSettings::of_writer(1));
    writer.push(batch()).await.expect("written");
    let writer =
        Writer::start(Arc::clone(store), pushes, Arc::clone(&clock) as _, WriterSettings::of_writer(2));
    let one_of_all = Push {
        families: (0..5).flat_map(|job| push(job, Change::ReplaceGroup, PUSHED).families).collect(),
        ..push(1, Change::ReplaceGroup, 0)
    };
    writer.push(one_of_all).await.expect("written");
    clock.advance_ms(20_000);
    writer.push(push(2, Change::ReplaceGroup, 50)).await.expect("written");
    clock.advance_ms(20_000);
    writer.push(push(2, Change::Delete, 0)).await.expect("written");
}

/// Writes what groups hold with the time of their push, as the gateway adds it: two stay, one expires after a minute and one is
/// deleted.
pub(crate) async fn write_groups(store: &Arc<dyn ObjectStore>) {
    let clock = Arc::new(ManualClock::at_ms(T0));
    let settings = WriterSettings::of_writer(3);
    let writer = Writer::start(Arc::clone(store), streams().0, Arc::clone(&clock) as _, settings);
    for job in 0..4 {
        let mut push = push(job, Change::ReplaceGroup, PUSHED);
        let labels = [("__name__", "push_time_seconds".to_owned()), ("job", format!("job-{job}"))];
        push.families.push(PushedFamily {
            name: "push_time_seconds".into(),
            r#type: MetricType::Gauge,
            series: vec![PushedSeries::float(Labels::from_pairs(labels), 1.0)],
            ..PushedFamily::default()
        });
        push.ttl_us = (job == 1).then_some(60_000_000);
        writer.push(push).await.expect("written");
        clock.advance_ms(1_000);
    }
    writer.push(push(2, Change::Delete, 0)).await.expect("written");
}

/// A reader that reads objects of more bytes than these in parts.
pub(crate) fn reader(store: &Arc<dyn ObjectStore>, whole_bytes_max: u64, cache_bytes_max: usize) -> Reader {
    reader_with(store, ReaderSettings { whole_bytes_max, cache_bytes_max, ..ReaderSettings::default() })
}

/// A reader of everything.
pub(crate) fn reader_with(store: &Arc<dyn ObjectStore>, settings: ReaderSettings) -> Reader {
    let (pushes, samples) = streams();
    Reader::new(Arc::clone(store), Source::new(pushes, None), Source::new(samples, None), settings)
}

/// The series that match, over all times.
pub(crate) fn selection(matchers: &[(&str, MatchOp, &str)]) -> Selection {
    let matcher =
        |(name, op, value): &(&str, MatchOp, &str)| Matcher::new(*name, *op, *value).expect("parses");
    let matchers = matchers.iter().map(matcher).collect();
    Selection { matchers, start_ms: T0, end_ms: T0 + 1_000_000 }
}
