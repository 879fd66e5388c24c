//! Native histograms with custom buckets, made of classic ones: what `load_with_nhcb` adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Histogram, Labels, Span};
use query::syntax::{SeriesDescription, SeriesItem};

/// What a classic histogram says at one time.
#[derive(Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// The histograms that classic series describe, by label set and place.
pub(crate) fn of_classic(all: &[SeriesDescription]) -> BTreeMap<Labels, BTreeMap<usize, Arc<Histogram>>> {
    let mut found: BTreeMap<Labels, BTreeMap<usize, Classic>> = BTreeMap::new();
    for series in all {
        let name = series.labels.metric_name();
        let bound = series.labels.get("le").and_then(|bound| bound.parse::<f64>().ok());
        let (base, part) = match name.rsplit_once('_') {
            Some((base, "bucket")) if bound.is_some() => (base, "bucket"),
            Some((base, "count")) => (base, "count"),
            Some((base, "sum")) => (base, "sum"),
            _ => continue,
        };
        let labels = series.labels.to_builder().remove("le").set(Labels::NAME, base).build();
        let places = found.entry(labels).or_default();
        for (place, item) in series.items.iter().enumerate() {
            let SeriesItem::Float(value) = item else { continue };
            let classic = places.entry(place).or_default();
            match (part, bound) {
                ("bucket", Some(bound)) if classic.buckets.iter().all(|(known, _)| *known != bound) => {
                    classic.buckets.push((bound, *value));
                }
                ("count", _) => classic.count = Some(*value),
                ("sum", _) => classic.sum = *value,
                _ => {}
            }
        }
    }
    let convert = |places: BTreeMap<usize, Classic>| {
        places
            .into_iter()
            .filter_map(|(place, classic)| Some((place, Arc::new(classic.convert()?))))
            .collect()
    };
    found.into_iter().map(|(labels, places)| (labels, convert(places))).collect()
}

impl Classic {
    /// `None` if the buckets do not grow, or the count is another one than theirs.
    fn convert(mut self) -> Option<Histogram> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = self.count.or(self.buckets.last().map(|(_, count)| *count))?;
        if self.buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let mut counts = Vec::new();
        for (_, upto) in &self.buckets {
            if *upto < before {
                return None;
            }
            counts.push(upto - before);
            before = *upto;
        }
        (before == count).then(|| Histogram {
            schema: -53,
            count,
            sum: self.sum,
            positive_spans: vec![Span { offset: 0, length: counts.len().try_into().expect("few") }],
            positive_counts: counts,
            custom_bounds: self.buckets[..self.buckets.len() - 1].iter().map(|(bound, _)| *bound).collect(),
            ..Histogram::default()
        })
    }
}
