//! Read in parts or whole, the answer is the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::MatchOp::{Equal, NotEqual, NotRegex, Regex};
use model::{NeededLabels, Selection};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::world::{SAMPLES, T0, reader, selection, write};

/// Selections of all kinds.
pub(crate) fn selections() -> Vec<Selection> {
    let mut selections = vec![
        selection(&[]),
        selection(&[("__name__", Equal, "metric_3")]),
        selection(&[("__name__", Equal, "no_such_metric")]),
        selection(&[("__name__", Regex, "metric_[25]"), ("job", Equal, "job-2")]),
        selection(&[("__name__", NotEqual, "metric_1"), ("instance", Equal, "0000000000000000")]),
        selection(&[("Zone", Equal, "z1"), ("job", NotEqual, "job-1")]),
        selection(&[("Zone", NotRegex, "z[01]"), ("region", Equal, ""), ("__name__", Equal, "metric_0")]),
        selection(&[("no_such_label", Equal, ""), ("region", Regex, "e.|us"), ("job", Equal, "job-4")]),
        selection(&[("no_such_label", NotEqual, "")]),
        selection(&[("__name__", Equal, "push_time_seconds")]),
        selection(&[("__value__", Equal, "1")]),
    ];
    let narrow = |start_ms, end_ms| Selection {
        start_ms: T0 + start_ms,
        end_ms: T0 + end_ms,
        ..selection(&[("__name__", Equal, "metric_6")])
    };
    selections.extend([
        narrow(10_000, 12_000),
        narrow(-10_000, -1),
        narrow(SAMPLES * 1_000, SAMPLES * 2_000),
        narrow(59_000, 59_000),
    ]);
    selections
}

#[tokio::test]
async fn the_answer_is_that_of_reading_all_of_it() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let whole = reader(&store, u64::MAX, 64 << 20);
    let cached = reader(&store, 0, 64 << 20);
    let uncached = reader(&store, 0, 0);
    let mut found = 0;
    for selection in selections() {
        let expect = whole.select(&selection).await.expect("reads").found;
        found += expect.len();
        for parts in [&uncached, &cached, &cached] {
            assert!(parts.select(&selection).await.expect("reads").found == expect, "{selection:?}");
        }
        let labels: BTreeSet<_> = expect.iter().map(|series| series.labels.clone()).collect();
        let one = std::slice::from_ref(&selection);
        let of_series = uncached.series(one, &NeededLabels::All).await.expect("reads").found;
        assert!(of_series.iter().eq(&labels), "{selection:?}");
        for name in ["job", "Zone", "region", "__name__", "nothing"] {
            let values: BTreeSet<_> = labels.iter().filter_map(|labels| labels.get(name)).collect();
            let found = uncached.label_values(name, one).await.expect("reads").found;
            assert!(found.iter().map(|value| &**value).eq(values), "{name} of {selection:?}");
        }
        let names: BTreeSet<_> = labels.iter().flat_map(|l| l.iter().map(|label| &*label.name)).collect();
        let found = uncached.label_names(one).await.expect("reads").found;
        assert!(found.iter().map(|name| &**name).eq(names), "{selection:?}");
    }
    assert!(found > 9_000, "{found} series: so the selections are good for something");
}

#[tokio::test]
async fn series_stay_apart_without_the_labels_that_nobody_needs() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    let needed = NeededLabels::These(["__name__", "job"].map(Into::into).into());
    for selection in selections() {
        let all = reader(&store, 0, 0).select(&selection).await.expect("reads").found;
        let mut expect: Vec<String> = all
            .iter()
            .map(|series| {
                let kept = series.labels.iter().filter(|label| needed.includes(&label.name)).cloned();
                let labels = model::Labels::from_sorted(kept.collect());
                format!("{labels} {:?} {:?}", series.samples, series.steps)
            })
            .collect();
        expect.sort();
        for whole_bytes_max in [0, u64::MAX] {
            let reader = reader(&store, whole_bytes_max, 0);
            let found = reader.select_labels(&selection, &needed).await.expect("reads").found;
            let is_all = found.iter().any(|series| series.labels.get("instance").is_some());
            if is_all {
                // failure times of groups need all labels
                assert!(found == all, "{selection:?}");
                continue;
            }
            let show = |s: &model::Series| format!("{} {:?} {:?}", s.labels, s.samples, s.steps);
            let mut found: Vec<String> = found.iter().map(show).collect();
            found.sort();
            assert!(found == expect, "{selection:?}");
        }
    }
}
