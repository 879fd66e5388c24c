//! Several segments put into one order, and nothing more: for what is too much to be merged at once.

use std::cmp::Reverse;

use super::{FileLimits, Filling};
use crate::segment::{Placing, Segment, SeriesRows, Told};

/// Files with all rows of some segments. Stamps keep their writers; of samples of one series with the same time, the one of the
/// later segment stays.
pub(crate) fn sorted(inputs: &[Segment], of_samples: bool, limits: FileLimits) -> Vec<Segment> {
    let aggregates = inputs.iter().any(|input| input.aggregates);
    let mut files = Filling::new(Segment { aggregates, ..Segment::default() }, limits);
    let series = inputs.iter().enumerate();
    let series =
        series.flat_map(|(index, input)| input.series.iter().map(move |series| (index, input, series)));
    let mut series: Vec<(usize, &Segment, &SeriesRows)> = series.collect();
    series.sort_by(|(_, _, a), (_, _, b)| a.order().cmp(&b.order()));
    for of_series in series.chunk_by(|(_, _, a), (_, _, b)| a.order() == b.order()) {
        let rows = of_series.iter().flat_map(|(index, input, series)| {
            series.range.clone().map(|row| (input.stamp(row), *index, *input, *series, row))
        });
        let mut rows: Vec<(_, usize, &Segment, &SeriesRows, usize)> = rows.collect();
        if of_samples {
            rows.sort_by_key(|(stamp, index, _, _, row)| (stamp.at_us, Reverse((*index, *row))));
            rows.dedup_by_key(|(stamp, ..)| stamp.at_us);
        } else {
            rows.sort_by_key(|(stamp, ..)| *stamp);
        }
        let mut last: Option<&SeriesRows> = None;
        for (stamp, _, input, series, row) in rows {
            let goes_on = last.is_some_and(|last| last.held == series.held);
            let writer = (!of_samples).then_some(stamp.writer);
            let told = Told { writer, ..input.rows.told(row) };
            let (value, start_us) = (input.rows.value(row), input.rows.start_us(row));
            let placing = Placing { at_us: stamp.at_us, value: &value, start_us, told };
            files.add((&series.labels, series.fingerprint, goes_on), || series.held.clone(), placing);
            last = Some(series);
        }
    }
    files.finish()
}
