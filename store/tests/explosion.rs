//! Labels that have far more names, or far more values, than anybody can have wanted: what holds them stays readable.

use std::sync::Arc;

use mayfly_store::{
    Answer, CompactSettings, Compactor, Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer,
    WriterSettings,
};
use model::{
    Change, GroupKey, Labels, Matcher, MetricType, Push, PushedFamily, PushedSeries, Selection, Series,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use testkit::ManualClock;

/// The beginning of a UTC day, long after now.
const START_MS: i64 = 1_921_622_400_000;
const DAY_MS: i64 = 86_400_000;

/// Distinct names of labels in a day.
const NAMES: usize = 5_000;

/// Distinct values of one label in a day: as many per push as one segment holds of many more (`make bench-store` has 2,000,000).
const VALUES: usize = 20_000;

const PUSHES: usize = 10;

fn stream() -> Stream {
    Stream::pushes(&Path::default(), &Tenant::default())
}

/// A part of what a day pushes.
fn push(part: usize) -> Push {
    let series = |labels: Labels, value: usize| {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        PushedSeries::float(labels, value as f64)
    };
    let family = |name: &str, series: Vec<PushedSeries>| PushedFamily {
        name: name.into(),
        r#type: MetricType::Gauge,
        series,
        ..PushedFamily::default()
    };
    let names = (0..NAMES).filter(|index| index % PUSHES == part).map(|index| {
        let label = (format!("name_{index}"), "x".to_owned());
        let labels =
            [("__name__".to_owned(), "of_names".to_owned()), ("job".to_owned(), "j".to_owned()), label];
        series(Labels::from_pairs(labels), index)
    });
    let values = (0..VALUES).filter(|index| index % PUSHES == part).map(|index| {
        let labels =
            [("__name__", "of_values".to_owned()), ("job", "j".to_owned()), ("id", format!("v{index}"))];
        series(Labels::from_pairs(labels), index)
    });
    let group = GroupKey::of(&Labels::from_pairs([("job", "j")]));
    // what the earlier parts have pushed stays
    Push::new(
        group,
        Change::Merge,
        vec![family("of_names", names.collect()), family("of_values", values.collect())],
    )
}

async fn select(reader: &Reader, matchers: &[(&str, &str)], at_ms: i64) -> Vec<Series> {
    let matchers = matchers.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect();
    let selection = Selection { matchers, start_ms: at_ms, end_ms: at_ms };
    let Answer { found, left_out, .. } = reader.select(&selection).await.expect("reads");
    assert_eq!(left_out, []);
    found
}

#[tokio::test]
async fn many_names_and_many_values_stay_readable() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let clock = Arc::new(ManualClock::at_ms(START_MS));
    for part in 0..PUSHES {
        let settings = WriterSettings::of_writer(part as u64 + 1);
        let writer = Writer::start(Arc::clone(&store), stream(), Arc::clone(&clock) as _, settings);
        writer.push(push(part)).await.expect("is stored");
        writer.close().await;
        clock.advance_ms(DAY_MS / PUSHES as i64);
    }
    clock.advance_ms(DAY_MS / 2);
    let settings = CompactSettings { file_bytes_max: 1 << 20, ..CompactSettings::of_holder(1) };
    let compactor = Compactor::of_pushes(Arc::clone(&store), stream(), settings, Arc::clone(&clock) as _);
    // before and after
    for frames in [0, 1] {
        if frames > 0 {
            let progress = compactor.tick().await.expect("ticks");
            assert_eq!(
                (progress.segments, progress.frames, progress.is_behind),
                (PUSHES as u64, frames, false)
            );
        }
        // by the run, and by the frame at its end
        for at_ms in [START_MS + DAY_MS - 1, START_MS + DAY_MS + 1] {
            let samples: Source<SampleBatch> =
                Source::new(Stream::samples(&Path::default(), &Tenant::default()), None);
            let pushes = Source::new(stream(), None);
            let reader = Reader::new(Arc::clone(&store), pushes, samples, ReaderSettings::default());
            assert_eq!(select(&reader, &[("__name__", "of_names")], at_ms).await.len(), NAMES);
            assert_eq!(select(&reader, &[("__name__", "of_values")], at_ms).await.len(), VALUES);
            for index in [0, 1_234, NAMES - 1] {
                let name = format!("name_{index}");
                let found = select(&reader, &[("__name__", "of_names"), (&name, "x")], at_ms).await;
                let values: Vec<_> = found.iter().map(|series| series.steps.values.clone()).collect();
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let expect = vec![vec![index as f64]];
                assert_eq!(values, expect, "{name} at {at_ms}");
                let value = format!("v{index}");
                let found = select(&reader, &[("__name__", "of_values"), ("id", &value)], at_ms).await;
                assert_eq!(found.len(), 1, "{value} at {at_ms}");
            }
            let names = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
            let names = reader.label_names(&[names]).await.expect("reads").found;
            assert_eq!(names.len(), NAMES + 3);
        }
    }
}
