//! Whether a histogram starts anew after another.

use std::collections::BTreeMap;

use model::CounterReset;

use super::Native;

impl Native {
    #[expect(clippy::float_cmp, reason = "both come from the same bounds")]
    pub(crate) fn starts_anew_after(&self, before: &Self) -> bool {
        match self.hint {
            CounterReset::Reset => return true,
            CounterReset::NotReset => return false,
            CounterReset::Unknown | CounterReset::Gauge => {}
        }
        if self.count < before.count || self.is_custom() != before.is_custom() {
            return true;
        }
        let (mut now, mut before) = (self.clone(), before.clone());
        if now.is_custom() {
            let common: Vec<f64> =
                now.bounds.iter().copied().filter(|bound| before.bounds.contains(bound)).collect();
            now.rebound(&common);
            before.rebound(&common);
        } else {
            if now.schema > before.schema || now.zero_threshold < before.zero_threshold {
                return true;
            }
            before.widen_zero_bucket(now.zero_threshold);
            if before.zero_threshold != now.zero_threshold || now.zero < before.zero {
                return true;
            }
            before.coarsen(now.schema);
        }
        let fell = |now: &BTreeMap<i32, f64>, before: &BTreeMap<i32, f64>| {
            before.iter().any(|(index, count)| now.get(index).copied().unwrap_or(0.0) < *count)
        };
        fell(&now.positive, &before.positive) || fell(&now.negative, &before.negative)
    }
}
