//! What was read of a selection. Each batch is in order of labels; all of them are brought into one order when they are evaluated, by
//! the threads that compute: many series take long.

use std::thread;

use model::Series;

/// Fewer series are sorted by one thread.
const SHARED_SERIES_MIN: usize = 1 << 13;

/// Batches of series.
#[derive(Debug, Default)]
pub(super) struct Batches {
    series: Vec<Series>,
    are_several: bool,
}

impl Batches {
    pub(super) fn take(&mut self, batch: Vec<Series>) {
        if self.series.is_empty() {
            self.series = batch;
        } else {
            self.are_several = true;
            self.series.extend(batch);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// In order of the batches.
    pub(super) fn series(&self) -> &[Series] {
        &self.series
    }

    /// In order of labels; what has the same labels stays in order of the batches. Blocks the thread.
    pub(super) fn in_order(self, threads: usize) -> Vec<Series> {
        if !self.are_several {
            return self.series;
        }
        let by_labels = |a: &usize, b: &usize| self.series[*a].labels.cmp(&self.series[*b].labels);
        // places are moved more easily than series
        let mut order: Vec<usize> = (0..self.series.len()).collect();
        if threads > 1 && order.len() >= SHARED_SERIES_MIN {
            let part = order.len().div_ceil(threads);
            thread::scope(|scope| {
                for part in order.chunks_mut(part) {
                    scope.spawn(move || part.sort_by(by_labels));
                }
            });
        }
        // parts that are in order are merged
        order.sort_by(by_labels);
        let mut series: Vec<Option<Series>> = self.series.into_iter().map(Some).collect();
        order.into_iter().filter_map(|place| series[place].take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    #[test]
    fn threads_make_no_difference() {
        let count = 2 * SHARED_SERIES_MIN;
        // with the same labels now and then, told apart by their values
        let series = |place: usize| {
            let labels = Labels::from_pairs([("place", format!("{:05}", place * 7_919 % (count / 2)))]);
            let mut series = Series { labels, ..Series::default() };
            series.samples.timestamps_ms.push(i64::try_from(place).expect("small"));
            series.samples.values.push(0.0);
            series
        };
        let in_order = |threads| {
            let mut batches = Batches::default();
            for batch in [0..count / 3, count / 3..count / 2, count / 2..count] {
                let mut batch: Vec<Series> = batch.map(series).collect();
                batch.sort_by(|a, b| a.labels.cmp(&b.labels));
                batches.take(batch);
            }
            batches.in_order(threads)
        };
        let alone = in_order(1);
        assert!(alone.is_sorted_by(|a, b| a.labels <= b.labels));
        for threads in [2, 3, 8] {
            assert_eq!(in_order(threads), alone);
        }
    }
}
