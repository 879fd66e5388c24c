//! What a group wants to hold of a family.

use std::collections::HashSet;
use std::sync::Arc;

use model::{Labels, MetricType};
use store::HeldPart;
use wire::Family;
use xxhash_rust::xxh3::Xxh3;

use crate::scrape::tells_of_family;

/// A family of a push: its name and type, and a hash of the labels of each of its metrics, in their order. A histogram or
/// summary is one metric, however many series it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(super) name: Arc<str>,
    pub(super) r#type: MetricType,
    pub(super) metrics: Vec<u64>,
}

impl Claim {
    /// What a family of a push holds. Its metrics have the labels of their group, in order of names. `seed` keeps clients
    /// from choosing labels that collide with those of others.
    pub(crate) fn of_pushed(family: &Family, seed: u64) -> Self {
        let hash = |metric: &wire::Metric| {
            let labels = metric.labels.iter().map(|(name, value)| (&**name, &**value));
            hash(seed, &family.name, labels)
        };
        Self {
            name: Arc::clone(&family.name),
            r#type: family.r#type,
            metrics: family.metrics.iter().map(hash).collect(),
        }
    }

    /// What the store says that a group holds of a family.
    pub(super) fn of_stored(part: &HeldPart, seed: u64) -> Self {
        let HeldPart { family, r#type, .. } = part;
        let of_series = |labels: &Labels| {
            let bound = match (r#type, labels.metric_name().strip_prefix(&**family)) {
                (MetricType::Histogram | MetricType::GaugeHistogram, Some("_bucket")) => "le",
                (MetricType::Summary, Some("")) => "quantile",
                _ => "",
            };
            let labels = labels.iter().map(|label| (&*label.name, &*label.value));
            hash(seed, family, labels.filter(|(name, _)| !tells_of_family(name) && *name != bound))
        };
        let metrics: HashSet<u64> = part.series.iter().map(of_series).collect();
        Self { name: Arc::clone(family), r#type: *r#type, metrics: metrics.into_iter().collect() }
    }
}

/// Of a family's name and labels in order of names. Labels with an empty value do not count.
fn hash<'a>(seed: u64, family: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    // no byte of UTF-8
    const END: &[u8] = &[0xff];
    let mut hasher = Xxh3::with_seed(seed);
    let mut add = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(END);
    };
    add(family);
    for (name, value) in labels.filter(|(_, value)| !value.is_empty()) {
        add(name);
        add(value);
    }
    hasher.digest()
}
