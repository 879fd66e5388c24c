//! What a query took, for those who ask with `stats`.

use std::fmt::Write;

use super::json;
use crate::engine::Usage;

/// Points in time of one query, in microseconds, and what it used.
#[derive(Clone, Debug)]
pub(super) struct Stats {
    pub(super) arrived_us: i64,
    /// When it got its place.
    pub(super) entered_us: i64,
    /// When its data were in memory.
    pub(super) loaded_us: i64,
    pub(super) evaluated_us: i64,
    pub(super) usage: Usage,
    /// Whether to tell what was looked at for each time.
    pub(super) per_step: bool,
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
        let Usage { samples_most, looked_at, read, .. } = &self.usage;
        let looked_at = self.samples("totalQueryableSamples", looked_at);
        let read = self.samples("samplesRead", read);
        data.pop();
        // a string takes all that is written
        let _ = write!(
            data,
            r#","stats":{{"timings":{{"evalTotalTime":{both_s},"resultSortTime":0,"queryPreparationTime":{prepare_s},"innerEvalTime":{evaluate_s},"execQueueTime":{queue_s},"execTotalTime":{total_s}}},"samples":{{{looked_at},{read},"peakSamples":{samples_most}}}}}}}"#
        );
    }

    /// How many samples in all, and before that how many for each time, if that is to be told.
    fn samples(&self, name: &str, counts: &[(i64, u64)]) -> String {
        let mut told = String::new();
        if self.per_step {
            let _ = write!(told, r#""{name}PerStep":["#);
            for (place, (at_ms, samples)) in counts.iter().enumerate() {
                told.push_str(if place > 0 { ",[" } else { "[" });
                json::time(&mut told, *at_ms);
                let _ = write!(told, ",{samples}]");
            }
            told.push_str("],");
        }
        let in_all = counts.iter().fold(0_u64, |sum, (_, samples)| sum.saturating_add(*samples));
        let _ = write!(told, r#""{name}":{in_all}"#);
        told
    }
}
