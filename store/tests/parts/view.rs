//! What a view has prepared is what a reader answers.

use std::sync::Arc;

use mayfly_store::{Reader, ReaderSettings, SampleBatch, View, Writer, WriterSettings};
use model::MatchOp::{Equal, Regex};
use model::{
    Change, GroupKey, Labels, MetricType, NeededLabels, Push, PushedFamily, PushedSeries, Samples, Selection,
    Series,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use testkit::ManualClock;

use crate::same::selections;
use crate::world::{SAMPLES, T0, reader_with, selection, streams, write, write_groups};

/// Everything that is asked of some metrics by many, like the rules of a group.
fn asked() -> Vec<Selection> {
    let mut all = selections();
    for job in 0..6 {
        let job = format!("job-{job}");
        for zone in ["z0", "z1", ""] {
            all.push(selection(&[
                ("__name__", Equal, "metric_4"),
                ("job", Equal, &job),
                ("Zone", Equal, zone),
            ]));
        }
    }
    all.push(selection(&[("__name__", Equal, "metric_2"), ("job", Equal, "job-3")]));
    all.push(selection(&[("__name__", Equal, "metric_2"), ("job", Regex, "job-[12]")]));
    all.push(selection(&[("__name__", Equal, "runs_bucket"), ("le", Equal, "1")]));
    let failed = [("__name__", Equal, "push_failure_time_seconds")];
    let expired = [("__name__", Equal, "push_expired_time_seconds")];
    all.extend([selection(&failed), selection(&expired)]);
    let some = all.iter().filter(|selection| selection.metric_name().is_some()).step_by(3);
    let later = some.map(|s| Selection { start_ms: T0 + 20_000, end_ms: T0 + 30_000, ..s.clone() });
    let later: Vec<_> = later.collect();
    [all, later].concat()
}

fn needed() -> [NeededLabels; 2] {
    [NeededLabels::All, NeededLabels::These(["__name__", "job"].map(Into::into).into())]
}

async fn answer(view: &View, selection: &Selection, needed: &NeededLabels) -> Vec<Series> {
    let mut stream = view.stream(selection, needed);
    let mut all = Vec::new();
    while let Some(batch) = stream.next().await {
        all.extend(batch.expect("reads"));
    }
    all
}

async fn check(store: &Arc<dyn ObjectStore>, settings: &ReaderSettings) {
    let reader = Arc::new(reader_with(store, settings.clone()));
    let asked: Vec<_> = asked().into_iter().filter(|selection| selection.metric_name().is_some()).collect();
    let mut found_in_memory = 0;
    for needed in needed() {
        let mut expected = Vec::new();
        for selection in &asked {
            expected.push(reader.select_labels(selection, &needed).await.expect("reads").found);
        }
        // what was kept by the first is used by the second
        for _ in 0..2 {
            let view = View::new(Arc::clone(&reader));
            let prepared = Arc::new(view.prepare(asked.iter().map(|s| (s.clone(), needed.clone()))).await);
            for (selection, expect) in asked.iter().zip(&expected) {
                if let Some(found) = view.find(&prepared, selection, &needed).await.expect("reads") {
                    assert!(found.series == *expect, "{selection:?} with {needed:?}");
                    found_in_memory += usize::from(!expect.is_empty());
                }
            }
            let (selection, expect) = (&asked[0], &expected[0]);
            assert!(answer(&view, selection, &needed).await == *expect, "{selection:?} with {needed:?}");
        }
    }
    assert!(found_in_memory > 50, "{found_in_memory}");
}

/// Runs that add up.
async fn write_histogram(store: &Arc<dyn ObjectStore>) {
    let clock = Arc::new(ManualClock::at_ms(T0));
    let writer = Writer::start(Arc::clone(store), streams().0, clock, WriterSettings::of_writer(9));
    for (job, bounds) in [("job-1", ["1", "+Inf"]), ("job-2", ["2", "+Inf"])] {
        let bucket = |le: &&str| {
            let labels = [("__name__", "runs_bucket"), ("job", job), ("le", le)];
            PushedSeries::float(Labels::from_pairs(labels), 1.0)
        };
        let family = PushedFamily {
            name: "runs".into(),
            r#type: MetricType::Histogram,
            series: bounds.iter().map(bucket).collect(),
            ..PushedFamily::default()
        };
        let group = GroupKey::of(&Labels::from_pairs([("job", job)]));
        writer.push(Push::new(group, Change::Merge, vec![family])).await.expect("written");
    }
}

#[tokio::test]
async fn the_answer_is_that_of_the_reader() {
    let plain: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&plain).await;
    let grouped: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&grouped).await;
    write_groups(&grouped).await;
    let adding_up: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&adding_up).await;
    write_histogram(&adding_up).await;
    let kept = 256 << 20;
    for (store, whole_bytes_max, cache_bytes_max) in [
        (&plain, 0, 0),
        (&plain, 0, kept),
        (&grouped, 0, kept),
        (&grouped, u64::MAX, kept),
        (&adding_up, 0, kept),
    ] {
        let settings = ReaderSettings { whole_bytes_max, cache_bytes_max, ..ReaderSettings::default() };
        check(store, &settings).await;
    }
}

async fn readable(cache_bytes_max: usize) -> Arc<Reader> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let settings = ReaderSettings { whole_bytes_max: 0, cache_bytes_max, ..ReaderSettings::default() };
    Arc::new(reader_with(&store, settings))
}

fn of_metric_4() -> Selection {
    selection(&[("__name__", Equal, "metric_4"), ("job", Equal, "job-1")])
}

#[tokio::test]
async fn what_is_decoded_is_kept_if_it_is_a_small_part_of_what_may_be() {
    let prepare = async |reader: &Arc<Reader>| {
        let view = View::new(Arc::clone(reader));
        view.prepare([(of_metric_4(), NeededLabels::All)]).await;
        (reader.stats().names_decoded(), reader.stats().names_cached())
    };
    let roomy = readable(256 << 20).await;
    let (decoded, cached) = prepare(&roomy).await;
    assert!(decoded > 0 && cached == 0, "{decoded} {cached}");
    assert_eq!(prepare(&roomy).await, (decoded, decoded), "the second time all of it is there");
    let narrow = readable(64 << 10).await;
    assert_eq!(prepare(&narrow).await, (0, 0), "of the little that may be kept, everything is a large part");
}

#[tokio::test]
async fn what_is_more_than_may_be_read_at_once_is_not_prepared() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let settings =
        |batch_rows| ReaderSettings { whole_bytes_max: 0, batch_rows, ..ReaderSettings::default() };
    for (batch_rows, is_prepared) in [(1 << 20, true), (1_000, false)] {
        let view = View::new(Arc::new(reader_with(&store, settings(batch_rows))));
        let prepared = Arc::new(view.prepare([(of_metric_4(), NeededLabels::All)]).await);
        let found = view.find(&prepared, &of_metric_4(), &NeededLabels::All).await.expect("reads");
        assert_eq!(found.is_some(), is_prepared);
        assert!(!answer(&view, &of_metric_4(), &NeededLabels::All).await.is_empty());
    }
}

#[tokio::test]
async fn metrics_share_the_rows_that_may_be_read_at_once() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let metrics = ["metric_2", "metric_4"].map(|name| selection(&[("__name__", Equal, name)]));
    let prepared = async |batch_rows, asked: &[Selection]| {
        let settings = ReaderSettings { whole_bytes_max: 0, batch_rows, ..ReaderSettings::default() };
        let view = View::new(Arc::new(reader_with(&store, settings)));
        let asked = asked.iter().map(|selection| (selection.clone(), NeededLabels::All));
        let prepared = Arc::new(view.prepare(asked).await);
        let mut count = 0;
        for selection in &metrics {
            let found = view.find(&prepared, selection, &NeededLabels::All).await.expect("reads");
            count += usize::from(found.is_some());
        }
        count
    };
    let mut batch_rows = 1_000;
    while prepared(batch_rows, &metrics[..1]).await + prepared(batch_rows, &metrics[1..]).await < 2 {
        batch_rows *= 2;
    }
    assert_eq!(prepared(batch_rows, &metrics).await, 1, "{batch_rows} rows");
    assert_eq!(prepared(4 * batch_rows, &metrics).await, 2);
}

#[tokio::test]
async fn what_is_added_is_seen_and_counts_last() {
    let reader = readable(64 << 20).await;
    let view = View::new(Arc::clone(&reader));
    let of_job = of_metric_4();
    let prepared = Arc::new(view.prepare([(of_job.clone(), NeededLabels::All)]).await);
    let found = async || {
        let found =
            view.find(&prepared, &of_job, &NeededLabels::All).await.expect("reads").expect("is prepared");
        assert_eq!(found.series, answer(&view, &of_job, &NeededLabels::All).await);
        found.series
    };
    let before = found().await;
    let known = before.iter().find(|series| !series.samples.is_empty()).expect("has samples").labels.clone();
    let new = Labels::from_pairs([("__name__", "metric_4"), ("job", "job-1"), ("new", "yes")]);
    let add = |labels: &Labels, at_ms, value| {
        let mut samples = Samples::default();
        samples.push(at_ms, value);
        view.add(SampleBatch::of(vec![(labels.clone(), samples)]));
    };
    let last_ms = T0 + (SAMPLES - 1) * 1_000;
    for (value, more_ms) in [(1.0, 0), (2.0, 0), (3.0, 1_000)] {
        add(&known, last_ms + more_ms, value);
    }
    add(&new, last_ms, 4.0);
    let after = found().await;
    assert_eq!(after.len(), before.len() + 1);
    let values = |labels: &Labels, count: usize| {
        let series = after.iter().find(|series| series.labels == *labels).expect("is there");
        series.samples.values[series.samples.len() - count..].to_vec()
    };
    assert_eq!((values(&known, 2), values(&new, 1)), (vec![2.0, 3.0], vec![4.0]));
    assert!(!reader.select(&of_job).await.expect("reads").found.iter().any(|series| series.labels == new));
}
