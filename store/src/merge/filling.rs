//! Files that fill up one after the other, so that no more than one of them is in memory.

use model::{Labels, Value};

use crate::segment::{Held, Placing, Segment};

/// How large files become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileLimits {
    pub(crate) rows_max: usize,
    /// About how much memory the rows of a file take.
    pub(crate) bytes_max: usize,
}

/// Rows on their way into files that follow each other in order of series and, within a series that is cut, of time.
#[derive(Debug)]
pub(crate) struct Filling {
    now: Segment,
    /// About how much memory it takes.
    bytes: usize,
    limits: FileLimits,
    full: Vec<Segment>,
    is_first: bool,
}

/// Of a row about so much is in memory.
const ROW_BYTES: usize = 24;

/// And of a series, without and for each of its labels.
const SERIES_BYTES: usize = 140;
const LABEL_BYTES: usize = 64;

impl Filling {
    /// Files of which the first has this head.
    pub(crate) fn new(head: Segment, limits: FileLimits) -> Self {
        Self { now: head, bytes: 0, limits, full: Vec::new(), is_first: true }
    }

    /// Adds a row behind the last one. `goes_on`: it is of the same series and kind as that one.
    pub(crate) fn add(
        &mut self,
        (labels, fingerprint, goes_on): (&Labels, i64, bool),
        held: impl FnOnce() -> Option<Held>,
        placing: Placing<'_>,
    ) {
        if self.now.rows.len() >= self.limits.rows_max.max(1) || self.bytes >= self.limits.bytes_max {
            self.cut();
        }
        self.bytes += ROW_BYTES + histogram_bytes(placing.value);
        if goes_on && !self.now.series.is_empty() {
            self.now.add_more(placing);
        } else {
            self.bytes += SERIES_BYTES + labels.len() * LABEL_BYTES;
            self.now.add(labels, fingerprint, held(), placing);
        }
    }

    /// About how much memory the file takes that is not full yet.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Begins another file.
    pub(crate) fn cut(&mut self) {
        let next = Segment { aggregates: self.now.aggregates, ..Segment::default() };
        self.full.push(std::mem::replace(&mut self.now, next));
        (self.bytes, self.is_first) = (0, false);
    }

    /// The files that are full.
    pub(crate) fn take_full(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.full)
    }

    /// The files that were not taken. The first is there even if it has no row.
    pub(crate) fn finish(mut self) -> Vec<Segment> {
        if self.is_first || self.now.rows.len() > 0 {
            self.full.push(self.now);
        }
        self.full
    }
}

fn histogram_bytes(value: &Value) -> usize {
    match value {
        Value::Float(_) => 0,
        Value::Histogram(h) => 200 + 8 * (h.positive_counts.len() + h.negative_counts.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Told;

    /// The series of each file, and at which times they have rows.
    fn files(rows_max: usize, bytes_max: usize) -> Vec<Vec<(String, Vec<i64>)>> {
        let head = Segment { aggregates: true, ..Segment::default() };
        let mut filling = Filling::new(head, FileLimits { rows_max, bytes_max });
        for name in ["a", "b", "c"] {
            let labels = Labels::from_pairs([("__name__", name)]);
            for at_us in 0..4 {
                let value = Value::Float(1.5);
                let placing = Placing { at_us, value: &value, start_us: None, told: Told::default() };
                filling.add((&labels, 7, at_us > 0), || None, placing);
            }
        }
        let file = |file: Segment| {
            assert!(file.aggregates);
            let series = file.series.iter().map(|series| {
                (series.labels.metric_name().to_owned(), file.rows.at_us[series.range.clone()].to_vec())
            });
            series.collect()
        };
        let full = filling.take_full();
        full.into_iter().chain(filling.finish()).map(file).collect()
    }

    #[test]
    fn files_follow_each_other() {
        let series = |name: &str, ats_us: std::ops::Range<i64>| (name.to_owned(), ats_us.collect::<Vec<_>>());
        let whole = vec![series("a", 0..4), series("b", 0..4), series("c", 0..4)];
        assert_eq!(files(12, usize::MAX), [whole]);
        let parts = [
            vec![series("a", 0..4), series("b", 0..1)],
            vec![series("b", 1..4), series("c", 0..2)],
            vec![series("c", 2..4)],
        ];
        assert_eq!(files(5, usize::MAX), parts);
        // a file is cut by its memory too
        let of_one = SERIES_BYTES + LABEL_BYTES + 4 * ROW_BYTES;
        assert_eq!(files(12, of_one), ["a", "b", "c"].map(|name| vec![series(name, 0..4)]));
    }
}
