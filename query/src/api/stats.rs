//! What a query took, for those who ask with `stats`.

use std::fmt::Write;

use crate::engine::Usage;

/// Points in time of one query, in microseconds, and what it used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stats {
    pub(super) arrived_us: i64,
    /// When it got its place.
    pub(super) entered_us: i64,
    /// When its data were in memory.
    pub(super) loaded_us: i64,
    pub(super) evaluated_us: i64,
    pub(super) usage: Usage,
}

impl Stats {
    /// Adds them to the data of an answer, as its last field.
    pub(super) fn add_to(&self, data: &mut String) {
        let seconds = |from_us: i64, until_us: i64| {
            #[expect(clippy::cast_precision_loss, reason = "queries take far less than 2^53 µs")]
            let seconds = until_us.saturating_sub(from_us).max(0) as f64 / 1e6;
            seconds
        };
        let queue_s = seconds(self.arrived_us, self.entered_us);
        let prepare_s = seconds(self.entered_us, self.loaded_us);
        let evaluate_s = seconds(self.loaded_us, self.evaluated_us);
        let both_s = seconds(self.entered_us, self.evaluated_us);
        let total_s = seconds(self.arrived_us, self.evaluated_us);
        let Usage { samples_read, samples_most } = self.usage;
        data.pop();
        // a string takes all that is written
        let _ = write!(
            data,
            r#","stats":{{"timings":{{"evalTotalTime":{both_s},"resultSortTime":0,"queryPreparationTime":{prepare_s},"innerEvalTime":{evaluate_s},"execQueueTime":{queue_s},"execTotalTime":{total_s}}},"samples":{{"totalQueryableSamples":{samples_read},"samplesRead":{samples_read},"peakSamples":{samples_most}}}}}}}"#
        );
    }
}
