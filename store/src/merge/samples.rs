//! Segments or runs of samples become runs, one for each day of their time.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Value;

use crate::layout::Day;
use crate::segment::{Placing, Segment, SeriesRows, Told};

/// Merges samples. Inputs are given in the order in which they were written: of samples of one series with the same time, the
/// one of the later input counts. Returns the runs and how many rows are in none of them.
pub(crate) fn merge_samples(inputs: &[Arc<Segment>]) -> (BTreeMap<Day, Segment>, u64) {
    let mut series: Vec<(usize, &Segment, &SeriesRows)> = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        series.extend(input.series.iter().map(|series| (index, &**input, series)));
    }
    series.sort_by(|(a_index, _, a), (b_index, _, b)| a.order().cmp(&b.order()).then(a_index.cmp(b_index)));
    let (mut days, mut rows_dropped) = (BTreeMap::new(), 0);
    for of_series in series.chunk_by(|(_, _, a), (_, _, b)| a.order() == b.order()) {
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
        rows_dropped += (all - rows.len()) as u64;
        let SeriesRows { labels, fingerprint, .. } = of_series[0].2;
        for (at_us, _, input, row) in rows {
            let value: Value = input.rows.value(row);
            let start_us = input.rows.start_us(row);
            let placing = Placing { at_us, value: &value, start_us, told: Told::default() };
            days.entry(Day::of(at_us)).or_insert_with(Segment::default).add(
                labels,
                *fingerprint,
                None,
                placing,
            );
        }
    }
    (days, rows_dropped)
}
