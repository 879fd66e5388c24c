//! Where files are asked again and again it is kept which series they have. The answers stay those of reading them whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use mayfly_store::{Deleter, Deletion, Reader, ReaderSettings, SampleBatch, Writer, WriterSettings};
use model::MatchOp::{Equal, Regex};
use model::{Histogram, Labels, Matcher, NeededLabels, Samples, Selection};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use testkit::ManualClock;

use crate::same::selections;
use crate::world::{SAMPLES, T0, reader, reader_with, selection, streams, write};

/// After so many questions lists are kept.
const QUESTIONS: usize = 10;

/// A reader that has been asked often.
async fn asked(store: &Arc<dyn ObjectStore>, settings: ReaderSettings) -> Reader {
    let reader = reader_with(store, ReaderSettings { whole_bytes_max: 0, ..settings });
    for _ in 0..QUESTIONS {
        reader.select(&selection(&[("__name__", Regex, "metric_[0-9]+")])).await.expect("reads");
    }
    reader
}

async fn check(whole: &Reader, listed: &Reader, selection: &Selection) {
    let expect = whole.select(selection).await.expect("reads").found;
    assert!(listed.select(selection).await.expect("reads").found == expect, "{selection:?}");
    let labels: BTreeSet<_> = expect.iter().map(|series| series.labels.clone()).collect();
    let one = std::slice::from_ref(selection);
    // what is asked for once more may be kept from before
    for _ in 0..2 {
        let found = listed.series(one, &NeededLabels::All).await.expect("reads").found;
        assert!(found.iter().eq(&labels), "{selection:?}");
        for name in ["job", "region", "__name__"] {
            let values: BTreeSet<_> = labels.iter().filter_map(|labels| labels.get(name)).collect();
            let found = listed.label_values(name, one).await.expect("reads").found;
            assert!(found.iter().map(|value| &**value).eq(values), "{name} of {selection:?}: {found:?}");
        }
        let names: BTreeSet<_> = labels.iter().flat_map(|l| l.iter().map(|label| &*label.name)).collect();
        let found = listed.label_names(one).await.expect("reads").found;
        assert!(found.iter().map(|name| &**name).eq(names), "{selection:?}: {found:?}");
    }
}

#[tokio::test]
async fn the_answer_is_that_of_reading_all_of_it() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let whole = reader(&store, u64::MAX, 64 << 20);
    let listed = asked(&store, ReaderSettings::default()).await;
    let in_spans = asked(&store, ReaderSettings { batch_rows: 2_000, ..ReaderSettings::default() }).await;
    for selection in selections() {
        check(&whole, &listed, &selection).await;
        check(&whole, &in_spans, &selection).await;
    }
    let one = selection(&[("__name__", Equal, "metric_3"), ("instance", Equal, "0000000000000000")]);
    let narrow = Selection { start_ms: T0 + 100_000, end_ms: T0 + 101_000, ..one };
    let rows = listed.select(&narrow).await.expect("reads").usage.rows;
    let without = reader(&store, 0, 0).select(&narrow).await.expect("reads").usage.rows;
    // both with the head and all of the pushes that they match
    assert!(rows < without + 2 * 64, "{rows} and {without}");
}

/// Floats and native histograms, and series that have both.
async fn write_histograms(store: &Arc<dyn ObjectStore>) {
    let mut batch = SampleBatch::default();
    for series in 0..40 {
        let mut samples = Samples::default();
        for at in 0..SAMPLES {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let value = at as f64;
            samples.push(T0 + at * 1_000, value);
        }
        let is_histogram = |at: usize| series % 4 == 1 || (series % 4 == 2 && at.is_multiple_of(3));
        if series % 4 != 0 {
            let histograms = samples.values.iter().enumerate().map(|(at, count)| {
                let histogram = Histogram { count: *count, zero_count: *count, ..Histogram::default() };
                is_histogram(at).then(|| Arc::new(histogram))
            });
            samples.histograms = histograms.collect();
        }
        let labels = [("__name__", format!("metric_{}", series % 5)), ("job", format!("job-{series}"))];
        batch.series.push((Labels::from_pairs(labels), samples));
    }
    let clock = Arc::new(ManualClock::at_ms(T0));
    let writer = Writer::start(Arc::clone(store), streams().1, clock, WriterSettings::of_writer(1));
    writer.push(batch).await.expect("written");
}

#[tokio::test]
async fn histograms_are_read_by_lists_too() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write_histograms(&store).await;
    let whole = reader(&store, u64::MAX, 64 << 20);
    let listed = asked(&store, ReaderSettings::default()).await;
    for matcher in [("job", Equal, "job-2"), ("__name__", Equal, "metric_3"), ("job", Regex, "job-[12]")] {
        check(&whole, &listed, &selection(&[matcher])).await;
        let narrow = Selection { start_ms: T0 + 50_000, end_ms: T0 + 120_000, ..selection(&[matcher]) };
        check(&whole, &listed, &narrow).await;
    }
}

#[tokio::test]
async fn what_is_deleted_is_in_no_list() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let listed = asked(&store, ReaderSettings::default()).await;
    let everything = [selection(&[])];
    let has_job = async |job: &str| {
        let values = listed.label_values("job", &everything).await.expect("reads").found;
        values.iter().any(|value| **value == *job)
    };
    assert!(has_job("job-2").await && has_job("job-3").await);
    let (pushes, samples) = streams();
    let clock = Arc::new(ManualClock::at_ms(T0 + 600_000));
    let deletion =
        |start_ms| Deletion { matchers: vec![Matcher::equal("job", "job-2")], start_ms, end_ms: None };
    let deleter = Deleter::new(Arc::clone(&store), pushes, samples, clock);
    deleter.delete(&[deletion(Some(T0 + 1_000))]).await.expect("recorded");
    let whole = reader(&store, u64::MAX, 64 << 20);
    let job_2 = selection(&[("job", Equal, "job-2")]);
    let left = whole.select(&job_2).await.expect("reads").found;
    assert!(left.iter().all(|series| series.samples.len() <= 1), "all but the first samples are deleted");
    for selection in [&job_2, &everything[0]] {
        check(&whole, &listed, selection).await;
    }
    let later = Selection { start_ms: T0 + 2_000, ..selection(&[]) };
    check(&whole, &listed, &later).await;
    deleter.delete(&[deletion(None)]).await.expect("recorded");
    assert!(!has_job("job-2").await && has_job("job-3").await);
    let whole = reader(&store, u64::MAX, 64 << 20);
    check(&whole, &listed, &everything[0]).await;
}

#[tokio::test]
async fn names_and_values_are_told_by_dictionaries() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write_histograms(&store).await;
    let whole = reader(&store, u64::MAX, 64 << 20);
    // nothing is kept
    let parts = reader(&store, 0, 0);
    for (start_ms, end_ms) in [(0, i64::MAX), (T0, T0 + 299_000), (T0 + 1_000, T0 + 5_000), (0, T0 - 1)] {
        check(&whole, &parts, &Selection { start_ms, end_ms, ..selection(&[]) }).await;
    }
    let all = [Selection { start_ms: 0, end_ms: i64::MAX, ..selection(&[]) }];
    let names = parts.label_names(&all).await.expect("reads");
    let values = parts.label_values("job", &all).await.expect("reads");
    assert_eq!((names.found.len(), values.found.len()), (2, 40), "and no instance, which is a column");
    assert_eq!((names.usage.rows, values.usage.rows), (0, 0));
    // of values that may be of another time, each has to be seen; of names, each once
    let cut = [Selection { start_ms: 0, end_ms: T0 + 60_000, ..selection(&[]) }];
    assert_eq!(parts.label_values("job", &cut).await.expect("reads").usage.rows, 40 * 61);
    let in_spans = reader_with(
        &store,
        ReaderSettings {
            whole_bytes_max: 0,
            batch_rows: 500,
            cache_bytes_max: 0,
            ..ReaderSettings::default()
        },
    );
    let names = in_spans.label_names(&cut).await.expect("reads");
    assert_eq!(names.found.len(), 2);
    assert!((1..40 * 30).contains(&names.usage.rows), "{:?}", names.usage);
    check(&whole, &in_spans, &cut[0]).await;
}
