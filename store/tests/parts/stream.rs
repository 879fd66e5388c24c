//! Series as a stream: the batches together are the answer, in order, and an answer that is too large is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use mayfly_store::{HeldPart, LiveGroup, ReadErrorKind, Reader, ReaderSettings};
use model::{GroupKey, Labels, MetricType, NeededLabels, Selection, Series};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::same::selections;
use crate::world::{T0, reader_with, selection, write, write_groups};

fn settings(whole_bytes_max: u64, batch_rows: usize) -> ReaderSettings {
    ReaderSettings { whole_bytes_max, batch_rows, cache_bytes_max: 0, ..ReaderSettings::default() }
}

async fn batches(reader: &Reader, selection: &Selection, needed: &NeededLabels) -> Vec<Vec<Series>> {
    let mut stream = reader.stream(selection, needed);
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        batches.push(batch.expect("reads"));
    }
    assert_eq!(stream.finish().left_out, []);
    batches
}

#[tokio::test]
async fn batches_together_are_the_answer() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let at_once = reader_with(&store, settings(u64::MAX, usize::MAX));
    let by_job = NeededLabels::These(["__name__", "job"].map(Into::into).into());
    let mut most = 0;
    for selection in selections() {
        for (needed, whole_bytes_max, batch_rows) in
            [(&NeededLabels::All, 0, 5_000), (&by_job, 0, 5_000), (&NeededLabels::All, u64::MAX, 1)]
        {
            let expect = at_once.select_labels(&selection, needed).await.expect("reads").found;
            let of_few = reader_with(&store, settings(whole_bytes_max, batch_rows));
            let found = of_few.select_labels(&selection, needed).await.expect("reads").found;
            assert!(found == expect, "{selection:?} {needed:?} {batch_rows}");
            let batches = batches(&of_few, &selection, needed).await;
            most = most.max(batches.len());
            assert!(batches.iter().all(|batch| !batch.is_empty()));
            assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), expect.len());
            let name = |series: &Series| series.labels.metric_name().to_owned();
            let names = |batch: &Vec<Series>| batch.iter().map(name).collect::<Vec<String>>();
            let follows = |pair: &[Vec<Series>]| names(&pair[0]).iter().max() <= names(&pair[1]).iter().min();
            assert!(batches.windows(2).all(follows), "{selection:?}");
        }
    }
    assert!(most >= 8, "{most} batches");
}

#[tokio::test]
async fn one_metric_is_cut_where_its_pages_are_and_most_pages_are_read_once() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let one = selection(&[("__name__", model::MatchOp::Equal, "metric_3")]);
    let at_once = reader_with(&store, settings(0, usize::MAX));
    let in_batches = reader_with(&store, settings(0, 1));
    let mut stream = in_batches.stream(&one, &NeededLabels::All);
    while let Some(batch) = stream.next().await {
        batch.expect("reads");
    }
    let (of_stream, of_all) = (stream.finish().usage, at_once.select(&one).await.expect("reads").usage);
    // names, fingerprints and heads are read for each batch, and values for those that have some of their page
    assert!(of_stream.bytes < 4 * of_all.bytes, "{of_stream:?} {of_all:?}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_by_the_name_of_the_limit() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let everything = selection(&[]);
    let of =
        |answer_bytes_max| reader_with(&store, ReaderSettings { answer_bytes_max, ..settings(0, 5_000) });
    let found = of(64 << 20).select(&everything).await.expect("reads").found;
    let bytes: usize = found.iter().map(|series| 16 * series.samples.len()).sum();
    let error = of(bytes).select(&everything).await.expect_err("too much");
    assert_eq!(error.kind(), ReadErrorKind::Limit);
    assert!(error.to_string().contains("which is answer_bytes_max: ask for fewer series"), "{error}");
    // who takes batches, or labels alone, needs no more than those
    assert!(batches(&of(1), &everything, &NeededLabels::All).await.len() > 1);
    let labels = of(1).series(&[everything], &NeededLabels::All).await.expect("reads").found;
    assert!(labels.iter().eq(found.iter().map(|series| &series.labels).collect::<BTreeSet<&Labels>>()));
}

/// A series of a group with its family, the family's type, and when the group expires where that is told.
type Held = (u128, String, String, Labels, Option<i64>);

fn of_groups(groups: &[LiveGroup]) -> BTreeSet<Held> {
    let of_group = |group: &LiveGroup| {
        let (key, until_us) = (group.key, group.until_us);
        let families = group.families.iter().map(|family| {
            let until_us = until_us.filter(|_| *family.name == *"push_time_seconds");
            family
                .series
                .iter()
                .map(move |(labels, _)| held(key, &family.name, family.metadata.r#type, labels, until_us))
        });
        families.flatten().collect::<Vec<Held>>()
    };
    groups.iter().flat_map(of_group).collect()
}

fn held(group: GroupKey, family: &str, r#type: MetricType, labels: &Labels, until_us: Option<i64>) -> Held {
    (group.0, family.to_owned(), format!("{:?}", r#type), labels.clone(), until_us)
}

#[tokio::test]
async fn parts_of_groups_together_are_the_groups() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write_groups(&store).await;
    for (at_ms, groups) in [(T0 - 1_000, 0), (T0 + 2_500, 3), (T0 + 10_000, 3), (T0 + 90_000, 2)] {
        let whole = reader_with(&store, settings(u64::MAX, usize::MAX)).live_groups(at_ms).await;
        let whole = whole.expect("reads").found;
        assert_eq!(whole.len(), groups, "{at_ms}");
        let reader = reader_with(&store, settings(0, 16));
        let (mut parts, mut found, mut batches) = (reader.held(at_ms), BTreeSet::new(), 0);
        while let Some(batch) = parts.next().await {
            batches += 1;
            for HeldPart { group, family, r#type, series, until_us } in batch.expect("reads") {
                for labels in &series {
                    assert!(found.insert(held(group, &family, r#type, labels, until_us)), "{labels}");
                }
            }
        }
        assert_eq!(parts.finish().left_out, []);
        let expect = of_groups(&whole);
        assert!(found == expect, "{at_ms}: {} and {}", found.len(), expect.len());
        assert!(groups == 0 || batches > 2, "{batches} batches");
    }
}
