//! A segment in several, so that no file is too large.

use std::ops::Range;

use super::{Placing, Segment, SeriesRows};

impl Segment {
    /// Segments of at most so many rows that follow each other in the order of series and, within a series that is cut, of
    /// time. What the head says stands in the first.
    pub(crate) fn split(self, rows_max: usize) -> Vec<Self> {
        let rows_max = rows_max.max(1);
        if self.rows.len() <= rows_max {
            return vec![self];
        }
        let starts = (0..self.rows.len()).step_by(rows_max);
        let mut parts: Vec<Self> =
            starts.map(|start| self.part(start..self.rows.len().min(start + rows_max))).collect();
        if let Some(first) = parts.first_mut() {
            (first.clears, first.pushes) = (self.clears, self.pushes);
            (first.expiries, first.descriptions) = (self.expiries, self.descriptions);
        }
        parts
    }

    /// What it says of a time and later.
    pub(crate) fn since(&self, from_us: i64) -> Self {
        let is_later = |at_us: i64| at_us >= from_us;
        let mut later = Self {
            writer: self.writer,
            aggregates: self.aggregates,
            clears: self.clears.iter().filter(|clear| is_later(clear.stamp.at_us)).cloned().collect(),
            pushes: self.pushes.iter().filter(|push| is_later(push.stamp.at_us)).copied().collect(),
            expiries: self.expiries.iter().filter(|expiry| is_later(expiry.at_us)).copied().collect(),
            descriptions: self.descriptions.iter().filter(|d| is_later(d.stamp.at_us)).cloned().collect(),
            ..Self::default()
        };
        for SeriesRows { labels, fingerprint, held, range } in &self.series {
            for row in range.clone().filter(|row| is_later(self.rows.at_us[*row])) {
                let (value, start_us) = (self.rows.value(row), self.rows.start_us(row));
                let placing = Placing {
                    at_us: self.rows.at_us[row],
                    value: &value,
                    start_us,
                    told: self.rows.told(row),
                };
                later.add(labels, *fingerprint, held.clone(), placing);
            }
        }
        later
    }

    /// Some of the rows.
    fn part(&self, rows: Range<usize>) -> Self {
        let first = self.series.partition_point(|series| series.range.end <= rows.start);
        let series = self.series[first..].iter().take_while(|series| series.range.start < rows.end);
        let within = |at: usize| at.clamp(rows.start, rows.end) - rows.start;
        let series = series.map(|series| SeriesRows {
            range: within(series.range.start)..within(series.range.end),
            ..series.clone()
        });
        Self {
            writer: self.writer,
            aggregates: self.aggregates,
            series: series.collect(),
            rows: self.rows.slice(rows),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Labels, Samples};

    use super::*;

    #[test]
    fn parts_follow_each_other() {
        let series = ["a", "b", "c"].map(|name| {
            let mut samples = Samples::default();
            (0..4).for_each(|at_ms| samples.push(at_ms, 1.5));
            (Labels::from_pairs([("__name__", name)]), samples)
        });
        let whole = Segment::from_samples(1, &series);
        assert_eq!(whole.clone().split(12), std::slice::from_ref(&whole));
        let told: Vec<Vec<(String, Vec<i64>)>> = whole
            .split(5)
            .iter()
            .map(|part| {
                let told = part.series.iter().map(|series| {
                    (series.labels.metric_name().to_owned(), part.rows.at_us[series.range.clone()].to_vec())
                });
                told.collect()
            })
            .collect();
        let series =
            |name: &str, ats_ms: Range<i64>| (name.to_owned(), ats_ms.map(|ms| ms * 1_000).collect());
        assert_eq!(
            told,
            [
                vec![series("a", 0..4), series("b", 0..1)],
                vec![series("b", 1..4), series("c", 0..2)],
                vec![series("c", 2..4)],
            ]
        );
    }
}
