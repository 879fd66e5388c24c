//! What labels a series may have, whichever way it comes.

use model::Labels;
use wire::remote_write::{Faults, show_labels};

/// Limits of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelLimits {
    /// Labels of one series, the metric's name among them.
    pub labels_per_series_max: usize,
    /// Bytes of the metric's name.
    pub metric_name_bytes_max: usize,
    /// Bytes of a label's name.
    pub label_name_bytes_max: usize,
    /// Bytes of a label's value.
    pub label_value_bytes_max: usize,
}

impl Default for LabelLimits {
    fn default() -> Self {
        Self {
            labels_per_series_max: 64,
            metric_name_bytes_max: 1 << 10,
            label_name_bytes_max: 1 << 10,
            label_value_bytes_max: 8 << 10,
        }
    }
}

/// A limit that labels exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}{found}{}{max}, which is {limit}", if .what.is_empty() { " labels are more than " } else { " bytes, which is more than " })]
pub(crate) struct LabelExcess {
    /// The setting.
    pub(crate) limit: &'static str,
    /// What has so many bytes; nothing where labels are counted.
    what: &'static str,
    found: usize,
    max: usize,
}

impl LabelLimits {
    /// The one place where labels are checked, with all that they are stored with.
    ///
    /// # Errors
    /// If they exceed a limit.
    pub(crate) fn check(&self, labels: &Labels) -> Result<(), LabelExcess> {
        let count = ("labels_per_series_max", "", labels.len(), self.labels_per_series_max);
        let of_labels = labels.iter().flat_map(|label| {
            let name =
                ("label_name_bytes_max", "a label's name has ", label.name.len(), self.label_name_bytes_max);
            let bytes = label.value.len();
            let value = match &*label.name == Labels::NAME {
                true => {
                    ("metric_name_bytes_max", "the metric's name has ", bytes, self.metric_name_bytes_max)
                }
                false => ("label_value_bytes_max", "a label's value has ", bytes, self.label_value_bytes_max),
            };
            [name, value]
        });
        let exceeded = std::iter::once(count).chain(of_labels).find(|(.., found, max)| found > max);
        exceeded.map_or(Ok(()), |(limit, what, found, max)| Err(LabelExcess { limit, what, found, max }))
    }
}

/// What is wrong with a series or one of its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The setting whose value is exceeded, if that is it.
    pub(crate) limit: Option<&'static str>,
    pub(crate) text: String,
}

impl Fault {
    /// That the labels of a series exceed a limit.
    pub(crate) fn of_labels(excess: LabelExcess, labels: &Labels) -> Self {
        Self { limit: Some(excess.limit), text: format!("{excess}, in series {}", shown(labels)) }
    }

    /// Adds it to others, with more to its text.
    pub(crate) fn add_to(self, faults: &mut Faults, text: impl FnOnce(&str) -> String) {
        faults.add_of(self.limit, || text(&self.text));
    }
}

pub(crate) fn shown(labels: &Labels) -> String {
    show_labels(labels.iter().map(|label| (label.name.as_bytes(), label.value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_reached() {
        let limits = LabelLimits {
            labels_per_series_max: 2,
            metric_name_bytes_max: 3,
            label_name_bytes_max: 8,
            label_value_bytes_max: 5,
        };
        let check = |labels: &[(&str, &str)], expect: &str| {
            let found = limits.check(&Labels::from_pairs(labels.iter().copied()));
            assert_eq!(found.err().map(|excess| excess.to_string()).unwrap_or_default(), expect);
        };
        check(&[("__name__", "abc"), ("12345678", "12345")], "");
        check(
            &[("__name__", "m"), ("a", "1"), ("b", "1")],
            "3 labels are more than 2, which is labels_per_series_max",
        );
        check(
            &[("__name__", "abcd")],
            "the metric's name has 4 bytes, which is more than 3, which is metric_name_bytes_max",
        );
        check(
            &[("__name__", "m"), ("123456789", "1")],
            "a label's name has 9 bytes, which is more than 8, which is label_name_bytes_max",
        );
        check(
            &[("__name__", "m"), ("a", "123456")],
            "a label's value has 6 bytes, which is more than 5, which is label_value_bytes_max",
        );
    }
}
