//! Series as a stream, so that no more is in memory than a span takes.

use model::{NeededLabels, Selection, Series};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::fetch::Usage;
use super::files::{Plan, Streams};
use super::gather::{Gathered, Identified, Pushes};
use super::known::Lists;
use super::request::{Asks, Request};
use super::spans::Spans;
use super::{Answer, ReadError, Reader, View, expired, failure, kept, samples};
use crate::compute::compute;
use crate::segment::Span;

/// The series of a selection, in batches. A batch holds all series of a span of metric names and fingerprints, each with
/// all of its samples and steps, in order of labels; the next batch those of the span behind it.
#[derive(Debug)]
pub struct SeriesStream<'a> {
    spans: Spans<'a>,
    selection: Selection,
    shown: Shown,
}

/// What a stream has shown beside series, for who puts together answers about several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Made of the names and the fingerprints of all series that it gave, whatever labels they came with and in whatever order.
    pub identities: u128,
    /// Whether they came with all labels although fewer were asked for.
    pub all_labels: bool,
    /// Whether some were pushed and may be sums of what was pushed: how such a sum is added up depends on the time that is asked for.
    pub has_sums: bool,
    /// Whether it had to be listed again what there is.
    pub was_listed_again: bool,
}

impl Reader {
    /// The series that match, each with what it held within the selection's time and the labels that are needed, as a
    /// stream. Nothing is asked of the store before the first batch is.
    pub fn stream(&self, selection: &Selection, needed: &NeededLabels) -> SeriesStream<'_> {
        self.stream_of(selection, needed, true)
    }

    /// The same, with values or just with when series held some.
    pub(super) fn stream_of(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        values: bool,
    ) -> SeriesStream<'_> {
        let request = Request::of(selection, needed, values);
        SeriesStream {
            spans: Spans::new(self, request, self.settings.batch_rows),
            selection: selection.clone(),
            shown: Shown::default(),
        }
    }
}

impl View {
    /// The same as [`Reader::stream`], among what is listed, which it is at the first question.
    pub fn stream(&self, selection: &Selection, needed: &NeededLabels) -> SeriesStream<'_> {
        let request = Request::of(selection, needed, true);
        let (spans, shown) = (Spans::in_view(self, request), Shown::default());
        SeriesStream { spans, selection: selection.clone(), shown }
    }
}

impl Request {
    /// What is read for the series of a selection.
    pub(super) fn of(selection: &Selection, needed: &NeededLabels, values: bool) -> Self {
        let push_times = failure::also_needed(selection);
        let expired = expired::needed(selection);
        // what is added about groups has no fingerprint but that of its labels
        let is_about_groups = push_times.is_some() || expired.is_some();
        Self {
            matching: [selection].into_iter().chain(&push_times).chain(&expired).cloned().collect(),
            labels: if is_about_groups { NeededLabels::All } else { needed.clone() },
            values,
            // a push holds until something ends it, so what began long ago counts; a sample does not
            pushed_from_ms: i64::MIN,
            start_ms: selection.start_ms,
            end_ms: selection.end_ms,
            asks: Asks::Series,
            whole_name: None,
            by_list: Some(&Lists),
        }
    }
}

impl SeriesStream<'_> {
    /// The next batch, which is never empty; `None` when there are no more.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do. The stream is over then.
    pub async fn next(&mut self) -> Option<Result<Vec<Series>, ReadError>> {
        let batch = self.next_identified().await?;
        Some(batch.map(|batch| batch.into_iter().map(|identified| identified.series).collect()))
    }

    pub(super) async fn next_identified(&mut self) -> Option<Result<Vec<Identified>, ReadError>> {
        loop {
            let streams = match self.spans.next().await? {
                Ok(streams) => streams,
                Err(error) => return Some(Err(error)),
            };
            let found = series_of(streams, &self.selection).await;
            if let (Ok(batch), Some(plan)) = (&found, self.spans.plan()) {
                self.shown.take(batch, plan);
            }
            match found {
                Ok(batch) if batch.is_empty() => {}
                batch => return Some(batch.inspect_err(|_| self.spans.end())),
            }
        }
    }

    /// What it went without and what it took so far; of the whole answer, when there are no more batches.
    pub fn finish(self) -> Answer<()> {
        self.spans.finish()
    }

    /// What it took so far.
    pub fn usage(&self) -> Usage {
        self.spans.usage()
    }

    /// What it has shown so far.
    pub fn shown(&self) -> Shown {
        Shown { was_listed_again: !self.spans.is_of_one_listing(), ..self.shown }
    }
}

impl Shown {
    fn take(&mut self, batch: &[Identified], plan: &Plan) {
        self.all_labels |= plan.all_labels;
        for Identified { series, fingerprint } in batch {
            let identity =
                xxh3_128_with_seed(series.labels.metric_name().as_bytes(), fingerprint.cast_unsigned());
            self.identities = self.identities.wrapping_add(identity);
            self.has_sums |= plan.aggregates && !series.steps.is_empty();
        }
    }
}

/// What was read of a span, as series; put together here if that is little work.
pub(super) async fn series_of(streams: Streams, selection: &Selection) -> Result<Vec<Identified>, ReadError> {
    if streams.are_little(selection) {
        return Ok(series(&streams, selection));
    }
    let selection = selection.clone();
    Ok(compute(move || series(&streams, &selection)).await?)
}

/// The same, where it is called.
fn series(streams: &Streams, selection: &Selection) -> Vec<Identified> {
    let Streams { pushes, samples, labels, span, kept_from } = streams;
    let of_pushes = kept::seen(selection, kept_from.pushes_ms);
    let of_samples = kept::seen(selection, kept_from.samples_ms);
    let mut stepped = of_pushes.map(|seen| pushed(pushes, &seen, labels, span)).unwrap_or_default();
    kept::hide(&mut stepped, kept_from.pushes_ms);
    let sampled = of_samples.map(|seen| samples::gather(samples, &seen, labels, span));
    join(stepped, sampled.unwrap_or_default())
}

/// The pushed series of a span that match, with what is added about groups.
pub(crate) fn pushed(
    pushes: &Pushes,
    selection: &Selection,
    labels: &NeededLabels,
    span: &Span,
) -> Vec<Identified> {
    let Selection { start_ms, end_ms, .. } = *selection;
    let mut stepped = Gathered::within(pushes, selection, labels, span).into_series(start_ms, end_ms);
    if let Some(push_times) = failure::also_needed(selection) {
        let groups = Gathered::within(pushes, &push_times, labels, span).into_series(start_ms, end_ms);
        failure::add_zeros(&mut stepped, &groups);
    }
    if let Some(push_times) = expired::needed(selection) {
        let groups = Gathered::within(pushes, &push_times, labels, span);
        stepped.extend(groups.into_expired(start_ms, end_ms));
    }
    stepped
}

/// One list of both, in order of labels and fingerprints. A series that was pushed and has samples too is one series.
pub(super) fn join(stepped: Vec<Identified>, sampled: Vec<Identified>) -> Vec<Identified> {
    // either is in order by itself
    if stepped.is_empty() {
        return sampled;
    }
    let mut all = stepped;
    all.extend(sampled);
    sort(&mut all);
    all.dedup_by(|later, earlier| {
        let same = later.fingerprint == earlier.fingerprint && later.series.labels == earlier.series.labels;
        if same {
            // the sort is stable: what has steps stands before what has samples
            earlier.series.samples = std::mem::take(&mut later.series.samples);
        }
        same
    });
    all
}

/// In order of labels and fingerprints.
pub(super) fn sort(series: &mut [Identified]) {
    series.sort_by(samples::order);
}
