//! Exemplars of series.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Exemplar, ExemplarSeries, Labels, Matcher, NeededLabels, Selection};

use super::files::Streams;
use super::request::{Asks, Request};
use super::samples::Part;
use super::spans::Spans;
use super::{Answer, ReadError, Reader, kept};
use crate::compute::compute;
use crate::exemplars::parted;

/// An exemplar that came with a push.
#[derive(Clone, Debug, PartialEq)]
pub struct PushedExemplar {
    /// The exemplar.
    pub exemplar: Exemplar,
    /// Whether its time is its own, and not that of the push.
    pub has_time: bool,
}

/// An exemplar as it was read.
struct Found {
    series: Labels,
    exemplar: Exemplar,
    /// The stamp of its push.
    pushed_ms: Option<i64>,
}

impl Reader {
    /// The exemplars within the time of one of the selections, of the series that match it: in order of labels and of time. One that
    /// was pushed again, without a time of its own and with nothing else between, is there once.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn exemplars(
        &self,
        selections: &[Selection],
    ) -> Result<Answer<Vec<ExemplarSeries>>, ReadError> {
        let mut found: BTreeMap<Labels, Vec<(Exemplar, bool)>> = BTreeMap::new();
        let (mut count, max) = (0, self.settings.exemplars_max);
        let answer = self
            .each_exemplar(selections.to_vec(), |Found { series, exemplar, pushed_ms }| {
                count += 1;
                if count > max {
                    return Err(ReadError::TooManyExemplars { max });
                }
                let has_time = pushed_ms != Some(exemplar.at_ms);
                found.entry(series).or_default().push((exemplar, has_time));
                Ok(())
            })
            .await?;
        let series = found
            .into_iter()
            .map(|(labels, exemplars)| ExemplarSeries { labels, exemplars: in_order(exemplars) });
        Ok(answer.map(|()| series.collect()))
    }

    /// The exemplars that came with the last pushes to some series, which are given with the stamps of these pushes, in
    /// milliseconds. Those with times from `from_ms` to `to_ms` are looked through.
    ///
    /// # Errors
    /// As for [`Reader::exemplars`].
    pub async fn pushed_exemplars(
        &self,
        pushed: &HashMap<&Labels, i64>,
        (from_ms, to_ms): (i64, i64),
    ) -> Result<Answer<HashMap<Labels, Vec<PushedExemplar>>>, ReadError> {
        let mut found: HashMap<Labels, Vec<PushedExemplar>> = HashMap::new();
        // what others have sent is not looked at
        let names: BTreeSet<&str> = pushed.keys().map(|series| series.metric_name()).collect();
        let of_name = |name: &str| Selection {
            matchers: vec![Matcher::equal(Labels::NAME, name)],
            start_ms: from_ms,
            end_ms: to_ms,
        };
        let answer = self
            .each_exemplar(
                names.into_iter().map(of_name).collect(),
                |Found { series, exemplar, pushed_ms }| {
                    if pushed_ms.is_some() && pushed.get(&series).copied() == pushed_ms {
                        let has_time = pushed_ms != Some(exemplar.at_ms);
                        found.entry(series).or_default().push(PushedExemplar { exemplar, has_time });
                    }
                    Ok(())
                },
            )
            .await?;
        found.values_mut().for_each(|of_series| of_series.sort_by_key(|pushed| pushed.exemplar.at_ms));
        Ok(answer.map(|()| found))
    }

    /// Shows exemplars, in no order.
    async fn each_exemplar(
        &self,
        selections: Vec<Selection>,
        mut see: impl FnMut(Found) -> Result<(), ReadError> + Send,
    ) -> Result<Answer<()>, ReadError> {
        let times = || selections.iter().map(|selection| (selection.start_ms, selection.end_ms));
        let (Some(start_ms), Some(end_ms)) =
            (times().map(|(start_ms, _)| start_ms).min(), times().map(|(_, end_ms)| end_ms).max())
        else {
            return Ok(Answer::default());
        };
        let request = Request {
            matching: selections.clone(),
            labels: NeededLabels::All,
            values: true,
            pushed_from_ms: i64::MAX,
            start_ms,
            end_ms,
            asks: Asks::Exemplars,
            whole_name: None,
            by_list: None,
        };
        let mut spans = Spans::new(self, request, self.settings.batch_rows);
        while let Some(streams) = spans.next().await {
            let (streams, selections) = (streams?, selections.clone());
            let batch = compute(move || exemplars_of(&streams, &selections)).await;
            for found in batch.inspect_err(|_| spans.end())? {
                see(found).inspect_err(|_| spans.end())?;
            }
        }
        Ok(spans.finish())
    }
}

/// What was read of a span.
fn exemplars_of(streams: &Streams, selections: &[Selection]) -> Vec<Found> {
    let seen = selections.iter().filter_map(|asked| kept::seen(asked, streams.kept_from.samples_ms));
    let seen: Vec<Selection> = seen.collect();
    let mut rows: BTreeMap<(&Labels, i64), (f64, Option<i64>)> = BTreeMap::new();
    for selection in &seen {
        let times_us = selection.start_ms.saturating_mul(1_000)
            ..selection.end_ms.saturating_add(1).saturating_mul(1_000);
        // in the order in which they were written: of the same exemplar the last counts
        for segment in streams.samples.iter().filter_map(Part::segment) {
            for series in segment.matching(selection, &streams.span) {
                for row in series.range.clone().filter(|row| times_us.contains(&segment.rows.at_us[*row])) {
                    let (at_us, start_us) = (segment.rows.at_us[row], segment.rows.start_us(row));
                    rows.insert((&series.labels, at_us), (segment.rows.values[row], start_us));
                }
            }
        }
    }
    let found = rows.into_iter().map(|((labels, at_us), (value, start_us))| {
        let (series, labels) = parted(labels);
        let exemplar = Exemplar { labels, value, at_ms: at_us.div_euclid(1_000) };
        Found { series, exemplar, pushed_ms: start_us.map(|us| us.div_euclid(1_000)) }
    });
    found.collect()
}

/// Exemplars of one series, each with whether it has a time of its own: in order, and without what only says again what was said.
fn in_order(mut exemplars: Vec<(Exemplar, bool)>) -> Vec<Exemplar> {
    exemplars.sort_by(|(a, _), (b, _)| {
        a.at_ms.cmp(&b.at_ms).then(a.value.total_cmp(&b.value)).then_with(|| a.labels.cmp(&b.labels))
    });
    exemplars.dedup_by(|(later, has_time), (earlier, had_time)| {
        let is_same = later.labels == earlier.labels && later.value.to_bits() == earlier.value.to_bits();
        is_same && !*has_time && !*had_time
    });
    exemplars.into_iter().map(|(exemplar, _)| exemplar).collect()
}
