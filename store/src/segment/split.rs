//! Parts of segments, and segments that come in parts.

use std::ops::Range;

use super::{Placing, Segment, SeriesRows};

impl Segment {
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

    /// Takes the first rows out of it. What the head says stays.
    pub(crate) fn take_first(&mut self, rows: usize) -> Self {
        let all = self.rows.len();
        let rest = match rows {
            0 => return Self { writer: self.writer, aggregates: self.aggregates, ..Self::default() },
            rows if rows >= all => {
                let (series, rows) = (std::mem::take(&mut self.series), std::mem::take(&mut self.rows));
                return Self {
                    writer: self.writer,
                    aggregates: self.aggregates,
                    series,
                    rows,
                    ..Self::default()
                };
            }
            rows => self.part(rows..all),
        };
        let first = self.part(0..rows);
        (self.series, self.rows) = (rest.series, rest.rows);
        first
    }

    /// Takes the head out of it: the rows stay.
    pub(crate) fn take_head(&mut self) -> Self {
        Self {
            writer: self.writer,
            aggregates: self.aggregates,
            clears: std::mem::take(&mut self.clears),
            pushes: std::mem::take(&mut self.pushes),
            expiries: std::mem::take(&mut self.expiries),
            descriptions: std::mem::take(&mut self.descriptions),
            ..Self::default()
        }
    }

    /// Adds the rows of the next part of the same file.
    pub(crate) fn append(&mut self, next: Self) {
        if self.rows.len() == 0 {
            (self.writer, self.aggregates) = (next.writer, next.aggregates);
            (self.series, self.rows) = (next.series, next.rows);
            return;
        }
        let before = self.rows.len();
        self.rows.append(next.rows);
        for SeriesRows { labels, fingerprint, held, range } in next.series {
            let range = range.start + before..range.end + before;
            match self.series.last_mut() {
                Some(last)
                    if last.fingerprint == fingerprint && last.held == held && last.labels == labels =>
                {
                    last.range.end = range.end;
                }
                _ => self.series.push(SeriesRows { labels, fingerprint, held, range }),
            }
        }
    }

    /// Some of the rows.
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
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
    fn parts_come_together_again() {
        let series = ["a", "b", "c"].map(|name| {
            let mut samples = Samples::default();
            (0..4).for_each(|at_ms| samples.push(at_ms, 1.5));
            samples.start_ms = if name == "b" { vec![7; 4] } else { Vec::new() };
            (Labels::from_pairs([("__name__", name)]), samples)
        });
        let whole = Segment::from_samples(1, &series);
        for rows in 0..=13 {
            let mut rest = whole.clone();
            let mut first = rest.take_first(rows);
            assert_eq!((first.rows.len(), rest.rows.len()), (rows.min(12), 12 - rows.min(12)));
            first.append(rest);
            let starts = |segment: &Segment| {
                (0..segment.rows.len()).map(|row| segment.rows.start_us(row)).collect::<Vec<_>>()
            };
            assert_eq!((&first.series, &first.rows.at_us), (&whole.series, &whole.rows.at_us), "{rows}");
            assert_eq!(starts(&first), starts(&whole), "{rows}");
        }
    }
}
