//! Classic histograms: a series per bucket.

use std::collections::BTreeMap;

use model::Labels;

use super::{Element, Moment, Result, Sample, Vector};

impl Moment<'_> {
    /// Applies `of` to the buckets of each histogram: ascending bounds, equal ones joined, with the counts up to them.
    pub(super) fn each_classic(&self, vector: &Vector, of: impl Fn(&[(f64, f64)]) -> f64) -> Result<Vector> {
        let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for element in vector {
            let Some(value) = element.float() else { continue };
            let Some(bound) = element.labels.get("le").and_then(|le| le.parse::<f64>().ok()) else {
                continue;
            };
            let histogram = element.labels.to_builder().remove("le").build();
            histograms.entry(histogram).or_default().push((bound, value));
        }
        let mut result = Vec::new();
        for (labels, mut buckets) in histograms {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let element = Element { labels, drops_name: false, value: Sample::Float(0.0) };
            result.push(self.renamed(element, Sample::Float(of(&buckets))));
        }
        Ok(result)
    }
}

/// The share of observations between two values.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &[(f64, f64)]) -> f64 {
    let Some((f64::INFINITY, total)) = buckets.last().copied() else { return f64::NAN };
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (below(upper, buckets).min(total) - below(lower, buckets).min(total)) / total
}

/// How many observations lie below a value, evenly spread inside of their buckets.
fn below(value: f64, buckets: &[(f64, f64)]) -> f64 {
    let mut start = if buckets[0].0 <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut before = 0.0;
    for &(bound, upto) in buckets {
        if start >= value {
            return before;
        }
        if value < bound {
            return match start == f64::NEG_INFINITY {
                true => upto,
                false => before + (upto - before) * (value - start) / (bound - start),
            };
        }
        (start, before) = (bound, upto);
    }
    before
}

pub(super) fn quantile(phi: f64, buckets: &[(f64, f64)]) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let Some((f64::INFINITY, _)) = buckets.last() else { return f64::NAN };
    let mut raised: Vec<(f64, f64)> = Vec::new();
    for (bound, upto) in buckets {
        // counts never fall with the bound; a tiny difference is none
        let upto = match raised.last() {
            Some((_, before))
                if upto < before || (before - upto).abs() <= 1e-12 * (before.abs() + upto.abs()) =>
            {
                *before
            }
            _ => *upto,
        };
        raised.push((*bound, upto));
    }
    let total = raised[raised.len() - 1].1;
    if raised.len() < 2 || total == 0.0 || total.is_nan() {
        return f64::NAN;
    }
    let rank = phi * total;
    let place = raised.iter().position(|(_, upto)| *upto >= rank).unwrap_or(raised.len() - 1);
    if place == raised.len() - 1 {
        return raised[raised.len() - 2].0;
    }
    let (end, upto) = raised[place];
    let (start, below) = match place {
        0 if end <= 0.0 => return end,
        0 => (0.0, 0.0),
        _ => raised[place - 1],
    };
    start + (end - start) * ((rank - below) / (upto - below))
}
