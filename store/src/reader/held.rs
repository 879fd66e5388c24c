//! What pushed groups hold, without values and part by part, for who counts and compares it.

use std::collections::HashMap;
use std::sync::Arc;

use model::{GroupKey, Labels, MetricType};

use super::gather::{Gathered, Identity};
use super::request::{Request, everything};
use super::spans::Spans;
use super::{Answer, ReadError, Reader};
use crate::compute::compute;
use crate::fold::{PUSH_TIME_FAMILY, SeriesEvents, fold};
use crate::segment::Span;

/// Rows of a span are held with their labels, so there are fewer of them than where values are asked for.
const SHARE_OF_BATCH: usize = 16;

/// Some of the series that a group holds of a metric family. A family may come in several parts, as may a group.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldPart {
    /// The group's key.
    pub group: GroupKey,
    /// The family's name.
    pub family: Arc<str>,
    /// Its type, as the group last pushed it with one of these series.
    pub r#type: MetricType,
    /// The labels of the series, metric names included.
    pub series: Vec<Labels>,
    /// Of the part with the group's push time, which every group has that is there: when it expires, in µs.
    pub until_us: Option<i64>,
}

/// What groups hold, in batches, in no order.
#[derive(Debug)]
pub struct HeldStream<'a> {
    spans: Spans<'a>,
    at_ms: i64,
}

impl Reader {
    /// What every group holds at `at_ms`, as a stream: in all, the series of [`Reader::live_groups`], and of groups that
    /// are gone perhaps the time of their last failure. Nothing is asked of the store before the first batch is.
    pub fn held(&self, at_ms: i64) -> HeldStream<'_> {
        let request = Request { values: false, ..Request::all_pushed(at_ms) };
        let rows_max = self.settings.batch_rows.div_ceil(SHARE_OF_BATCH);
        HeldStream { spans: Spans::new(self, request, rows_max), at_ms }
    }
}

impl HeldStream<'_> {
    /// The next batch; `None` when there are no more.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do. The stream is over then.
    pub async fn next(&mut self) -> Option<Result<Vec<HeldPart>, ReadError>> {
        let streams = match self.spans.next().await? {
            Ok(streams) => streams,
            Err(error) => return Some(Err(error)),
        };
        let at_ms = self.at_ms;
        let parts = compute(move || {
            let span: &Span = &streams.span;
            Gathered::within(&streams.pushes, &everything(at_ms), &streams.labels, span).into_parts(at_ms)
        });
        Some(parts.await.inspect_err(|_| self.spans.end()).map_err(ReadError::from))
    }

    /// What it went without and what it took so far.
    pub fn finish(self) -> Answer<()> {
        self.spans.finish()
    }
}

impl Gathered {
    /// What groups hold at `at_ms` of the series that were gathered.
    fn into_parts(self, at_ms: i64) -> Vec<HeldPart> {
        let mut parts: HashMap<(GroupKey, Arc<str>), (i64, HeldPart)> = HashMap::new();
        for (Identity { labels, .. }, events) in self.series {
            for (group, of_group) in events {
                let Some((stamp, kind)) = of_group.last() else { continue };
                let (family, r#type) = (Arc::clone(&kind.family), kind.r#type);
                let steps = fold(SeriesEvents::of(group, of_group), &self.ends, at_ms, at_ms);
                if steps.at(at_ms).is_none() {
                    continue;
                }
                let until_us = (*family == *PUSH_TIME_FAMILY)
                    .then(|| self.ends.of(group, &family).after(stamp).map(|end| end.at_us))
                    .flatten();
                let (pushed_us, part) = parts.entry((group, Arc::clone(&family))).or_insert_with(|| {
                    (stamp.at_us, HeldPart { group, family, r#type, series: Vec::new(), until_us })
                });
                if stamp.at_us > *pushed_us {
                    (*pushed_us, part.r#type) = (stamp.at_us, r#type);
                }
                part.series.push(labels.clone());
            }
        }
        parts.into_values().map(|(_, part)| part).collect()
    }
}
