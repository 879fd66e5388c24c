//! Exemplars as they lie in their stream: as samples of series of their own, of which the labels are those of the series and, with
//! [`PREFIX`] before their names, those of the exemplar. So all that merges, deletes and drops samples does it to exemplars, and an
//! exemplar that comes twice is there once.

use model::{Exemplar, Label, Labels, Samples};

use crate::entry::SampleBatch;

/// Before the names of an exemplar's own labels.
const PREFIX: &str = "__exemplar__";

/// So many are an entry: an entry is bounded in bytes, and an exemplar has all labels of its series.
const PER_ENTRY: usize = 1 << 13;

/// An exemplar on its way into the store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewExemplar {
    /// All labels of the series.
    pub series: Labels,
    /// The exemplar. Its time is that of the push that it came with, if it has none of its own.
    pub exemplar: Exemplar,
    /// The stamp of the push that it came with, in milliseconds; `None`: it was not pushed.
    pub pushed_ms: Option<i64>,
}

impl SampleBatch {
    /// What the stream of exemplars takes. What it cannot hold is left out: labels of series that look like an exemplar's.
    pub fn of_exemplars(exemplars: impl IntoIterator<Item = NewExemplar>) -> Self {
        Self::of(exemplars.into_iter().filter_map(row).collect())
    }

    /// The same of however many, as entries that a writer takes; none of them is empty.
    pub fn entries_of_exemplars(
        exemplars: impl IntoIterator<Item = NewExemplar>,
    ) -> impl Iterator<Item = Self> {
        let mut exemplars = exemplars.into_iter().peekable();
        let entries = std::iter::from_fn(move || {
            exemplars.peek()?;
            Some(Self::of_exemplars(exemplars.by_ref().take(PER_ENTRY)))
        });
        entries.filter(|entry| !entry.is_empty())
    }
}

fn row(NewExemplar { series, exemplar, pushed_ms }: NewExemplar) -> Option<(Labels, Samples)> {
    if series.iter().any(|label| label.name.starts_with(PREFIX)) {
        return None;
    }
    let Exemplar { labels, value, at_ms } = exemplar;
    let mut builder = series.to_builder();
    for Label { name, value } in &labels {
        builder.set(format!("{PREFIX}{name}"), value.clone());
    }
    let mut samples = Samples::default();
    samples.push(at_ms, value);
    samples.start_ms.extend(pushed_ms);
    Some((builder.build(), samples))
}

/// The labels of the series, and those of the exemplar.
pub(crate) fn parted(row: &Labels) -> (Labels, Labels) {
    let (mut series, mut own) = (Vec::with_capacity(row.len()), Vec::new());
    for label in row {
        match label.name.strip_prefix(PREFIX) {
            Some(name) => own.push(Label { name: name.into(), value: label.value.clone() }),
            None => series.push(label.clone()),
        }
    }
    (Labels::from_sorted(series), Labels::from_sorted(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_apart_again() {
        let check = |series: &[(&str, &str)], own: &[(&str, &str)]| {
            let series = Labels::from_pairs(series.iter().copied());
            let labels = Labels::from_pairs(own.iter().copied());
            let exemplar = Exemplar { labels: labels.clone(), value: 1.5, at_ms: 7 };
            let new = NewExemplar { series: series.clone(), exemplar, pushed_ms: None };
            let batch = SampleBatch::of_exemplars([new]);
            assert_eq!(parted(&batch.series[0].0), (series, labels));
        };
        check(
            &[("__name__", "a_total"), ("job", "x")],
            &[("trace_id", "t"), ("__name__", "n"), ("job", "y")],
        );
        check(&[("__name__", "a_total")], &[]);
    }

    #[test]
    fn what_looks_like_an_exemplar_is_no_series() {
        let series = Labels::from_pairs([("__name__", "m"), ("__exemplar__a", "b")]);
        let exemplar = Exemplar { labels: Labels::empty(), value: 1.0, at_ms: 0 };
        assert!(SampleBatch::of_exemplars([NewExemplar { series, exemplar, pushed_ms: None }]).is_empty());
    }
}
