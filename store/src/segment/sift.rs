//! Takes rows out of a segment.

use std::ops::Range;

use model::Value;

use super::rows::{NO_START_US, Row, Rows};
use super::{Lost, Segment, SeriesRows, Told};

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Goes,
    /// Its value goes. What it ended stays ended, also what a frame says that this one builds on: a row that ends where it begins
    /// says so, one for all that follow each other.
    Ends,
}

impl Segment {
    /// Series and rows without those that go, and no head; `None`: all rows stay. `judge` is asked for each series, and where it
    /// has an answer for each row.
    pub(crate) fn sift<J: Fn(usize) -> Fate>(
        &self,
        judge: impl Fn(&SeriesRows) -> Option<J>,
    ) -> Option<Self> {
        let mut left: Option<Self> = None;
        // series before this are there already
        let mut taken = 0;
        for (index, series) in self.series.iter().enumerate() {
            let Some(fate) = judge(series) else { continue };
            let left = left.get_or_insert_default();
            left.take_over(self, taken..index);
            left.take_judged(self, series, fate);
            taken = index + 1;
        }
        if let Some(left) = &mut left {
            left.take_over(self, taken..self.series.len());
        }
        left
    }

    /// Adds series of another as they are.
    fn take_over(&mut self, other: &Self, series: Range<usize>) {
        for of_range in other.series[series].chunk_by(|a, b| a.range.end == b.range.start) {
            let (Some(first), Some(last)) = (of_range.first(), of_range.last()) else { continue };
            let (from, to) = (first.range.start, self.rows.len());
            self.rows.append(other.rows.slice(from..last.range.end));
            self.series.extend(of_range.iter().map(|series| SeriesRows {
                range: series.range.start - from + to..series.range.end - from + to,
                ..series.clone()
            }));
        }
    }

    fn take_judged(&mut self, other: &Self, series: &SeriesRows, fate: impl Fn(usize) -> Fate) {
        let (first, mut was_ended) = (self.rows.len(), false);
        for row in series.range.clone() {
            let fate = fate(row);
            match fate {
                Fate::Stays => self.rows.append(other.rows.slice(row..row + 1)),
                Fate::Ends if !was_ended => self.rows.push(end_of(&other.rows, row)),
                Fate::Ends | Fate::Goes => {}
            }
            was_ended = fate == Fate::Ends || was_ended && fate == Fate::Goes;
        }
        let range = first..self.rows.len();
        if !range.is_empty() {
            self.series.push(SeriesRows { range, ..series.clone() });
        }
    }
}

/// In the place of a row, that something ended then.
fn end_of(rows: &Rows, row: usize) -> Row<'static> {
    const NOTHING: &Value = &Value::Float(0.0);
    let (at_us, writer) = (rows.at_us[row], rows.writer(row));
    let since_us = rows.since_us(row).map(|_| at_us);
    let told = Told { until_us: Some(at_us), writer, since_us, lost: Lost::Float(0.0) };
    Row { at_us, value: NOTHING, start_us: NO_START_US, told }
}
