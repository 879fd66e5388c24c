//! Segments or runs of samples become runs, one for each day of their time.

use std::collections::BTreeMap;

use model::Stamp;

use super::head::last_descriptions;
use super::rounds::Round;
use super::{FileLimits, Filling};
use crate::layout::Day;
use crate::segment::{Placing, Segment, SeriesRows, Told};

/// Merges samples. Inputs are given in the order in which they were written: of samples of one series with the same time, the
/// one of the later input counts.
#[derive(Debug)]
pub(crate) struct SampleMerge {
    days: BTreeMap<Day, Filling>,
    limits: FileLimits,
    /// How many rows are in no run.
    pub(crate) rows_dropped: u64,
}

impl SampleMerge {
    /// What the `heads` of inputs say of families goes with the run of the day on which it was told.
    pub(crate) fn new(limits: FileLimits, heads: &[Segment], told: Day) -> Self {
        let mut descriptions = last_descriptions(heads, |_| true);
        for description in &mut descriptions {
            // a run has no writer, and which of two was told last is settled
            description.stamp = Stamp { writer: 0, ..description.stamp };
        }
        let mut days = BTreeMap::new();
        if !descriptions.is_empty() {
            let head = Segment { descriptions, ..Segment::default() };
            days.insert(told, Filling::new(head, limits));
        }
        Self { days, limits, rows_dropped: 0 }
    }

    /// Merges some rows, and gives the files that are full.
    pub(crate) fn take(&mut self, round: &Round) -> Vec<(Day, Segment)> {
        for of_series in round.series().chunk_by(|(_, _, a), (_, _, b)| a.order() == b.order()) {
            self.merge(of_series);
        }
        let full = self
            .days
            .iter_mut()
            .flat_map(|(day, files)| files.take_full().into_iter().map(|file| (*day, file)));
        full.collect()
    }

    fn merge(&mut self, of_series: &[(usize, &Segment, &SeriesRows)]) {
        let rows = of_series.iter().flat_map(|(index, input, series)| {
            series.range.clone().map(|row| (input.rows.at_us[row], *index, *input, row))
        });
        let mut rows: Vec<(i64, usize, &Segment, usize)> = rows.collect();
        let all = rows.len();
        if !rows.is_sorted_by(|a, b| a.0 < b.0) {
            // the later written first, so that it is the one that stays
            rows.sort_by_key(|(at_us, index, _, row)| (*at_us, std::cmp::Reverse((*index, *row))));
            rows.dedup_by_key(|(at_us, ..)| *at_us);
        }
        self.rows_dropped += (all - rows.len()) as u64;
        let SeriesRows { labels, fingerprint, .. } = of_series[0].2;
        let day_of = |row: &(i64, usize, &Segment, usize)| Day::of(row.0);
        for of_day in rows.chunk_by(|a, b| day_of(a) == day_of(b)) {
            let limits = self.limits;
            let new = || Filling::new(Segment::default(), limits);
            let files = self.days.entry(day_of(&of_day[0])).or_insert_with(new);
            for (place, (at_us, _, input, row)) in of_day.iter().enumerate() {
                let (value, start_us) = (input.rows.value(*row), input.rows.start_us(*row));
                let placing = Placing { at_us: *at_us, value: &value, start_us, told: Told::default() };
                files.add((labels, *fingerprint, place > 0), || None, placing);
            }
            self.make_room();
        }
    }

    /// Many days together take no more memory than two files.
    fn make_room(&mut self) {
        let bytes: usize = self.days.values().map(Filling::bytes).sum();
        if bytes < self.limits.bytes_max.saturating_mul(2) {
            return;
        }
        // of several the first
        if let Some(largest) = self.days.values_mut().rev().max_by_key(|files| files.bytes()) {
            largest.cut();
        }
    }

    /// The last files.
    pub(crate) fn finish(self) -> Vec<(Day, Segment)> {
        let files = |(day, files): (Day, Filling)| files.finish().into_iter().map(move |file| (day, file));
        self.days.into_iter().flat_map(files).collect()
    }
}
