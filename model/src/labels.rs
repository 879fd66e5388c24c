//! Label sets.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;
use xxhash_rust::xxh64::xxh64;

/// A label: a name and a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The name.
    pub name: Arc<str>,
    /// The value.
    pub value: Arc<str>,
}

/// By name, then by value. Texts are often shared, and then not looked at.
impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.name, &other.name).then_with(|| order(&self.value, &other.value))
    }
}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn order(a: &Arc<str>, b: &Arc<str>) -> Ordering {
    if Arc::ptr_eq(a, b) { Ordering::Equal } else { a.cmp(b) }
}

/// A label set: sorted by name, each name once, no empty values (an empty value means that the label is absent).
///
/// The metric name is the label `__name__`. Cloning is cheap. The order is that of Prometheus: label by label, name
/// before value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[Label]>);

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Labels {
    /// The name of the label that holds the metric name.
    pub const NAME: &'static str = "__name__";

    /// The empty set.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sorts the pairs and drops empty values; of a name that stands twice, the last value counts.
    pub fn from_pairs<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name, value);
        }
        builder.build()
    }

    /// Takes labels that are known to be sorted by name, unique and not empty; anything else is put in order.
    pub fn from_sorted(labels: Vec<Label>) -> Self {
        let sorted = labels.windows(2).all(|pair| pair[0].name < pair[1].name)
            && labels.iter().all(|label| !label.value.is_empty());
        if sorted {
            Self(labels.into())
        } else {
            Self::from_pairs(labels.into_iter().map(|l| (l.name, l.value)))
        }
    }

    /// The value of a label; `None` if the set lacks it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_shared(name).map(|value| &**value)
    }

    /// Like [`Labels::get`], as the shared string.
    pub fn get_shared(&self, name: &str) -> Option<&Arc<str>> {
        let index = self.0.binary_search_by(|label| (*label.name).cmp(name)).ok()?;
        Some(&self.0[index].value)
    }

    /// The metric name; empty if there is none.
    pub fn metric_name(&self) -> &str {
        // mostly the first
        let first = self.0.first().filter(|label| &*label.name == Self::NAME);
        first.map_or_else(|| self.get(Self::NAME).unwrap_or(""), |label| &label.value)
    }

    /// All labels, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// How many labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A builder that begins with this set.
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder { labels: self.0.to_vec() }
    }

    /// The same labels without the metric name.
    pub fn without_metric_name(&self) -> Self {
        if self.get(Self::NAME).is_none() {
            return self.clone();
        }
        Self(self.0.iter().filter(|label| &*label.name != Self::NAME).cloned().collect())
    }

    /// The bytes that hashes are taken over: each name and each value, with its length (u32, little endian) before it.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.iter().map(|l| l.name.len() + l.value.len() + 8).sum());
        for label in self {
            for text in [&label.name, &label.value] {
                bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        bytes
    }

    /// The hash by which Prometheus samples series (`limit_ratio`): XXH64 over each name and each value with its length
    /// before it, in one byte, or as 255 and three bytes.
    pub fn prometheus_hash(&self) -> u64 {
        let mut bytes = Vec::new();
        for text in self.iter().flat_map(|label| [&label.name, &label.value]) {
            match u8::try_from(text.len()) {
                Ok(length) if length < u8::MAX => bytes.push(length),
                _ => {
                    bytes.push(u8::MAX);
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    bytes.extend_from_slice(&length.to_le_bytes()[..3]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
        xxh64(&bytes, 0)
    }

    /// The fingerprint that the `__series__` column holds: XXH3-64 of [`Labels::canonical_bytes`], version 1.
    pub fn fingerprint(&self) -> i64 {
        xxh3_64(&self.canonical_bytes()).cast_signed()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As Prometheus prints a series: `name{a="b"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        let plain_name = crate::name::is_legacy_metric_name(name);
        if plain_name {
            f.write_str(name)?;
        }
        let mut rest = self.iter().filter(|label| !(plain_name && &*label.name == Self::NAME)).peekable();
        if plain_name && rest.peek().is_none() {
            return Ok(());
        }
        f.write_str("{")?;
        for (index, label) in rest.enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            if crate::name::is_legacy_label_name(&label.name) {
                write!(f, "{}={:?}", label.name, label.value)?;
            } else {
                write!(f, "{:?}={:?}", label.name, label.value)?;
            }
        }
        f.write_str("}")
    }
}

/// Changes a label set.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    labels: Vec<Label>,
}

impl LabelsBuilder {
    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> &mut Self {
        let (name, value) = (name.into(), value.into());
        match self.labels.binary_search_by(|label| label.name.cmp(&name)) {
            Ok(index) if value.is_empty() => {
                self.labels.remove(index);
            }
            Ok(index) => self.labels[index].value = value,
            Err(_) if value.is_empty() => {}
            Err(index) => self.labels.insert(index, Label { name, value }),
        }
        self
    }

    /// Removes a label, if it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.labels.retain(|label| &*label.name != name);
        self
    }

    /// Keeps the labels whose name `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> &mut Self {
        self.labels.retain(|label| keep(&label.name));
        self
    }

    /// The label set.
    pub fn build(&self) -> Labels {
        Labels(self.labels.as_slice().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_and_the_last_of_a_name_counts() {
        let labels =
            Labels::from_pairs([("job", "a"), ("__name__", "up"), ("x", "1"), ("job", "b"), ("x", "")]);
        assert_eq!(labels.to_string(), r#"up{job="b"}"#);
        assert_eq!((labels.get("job"), labels.get("x"), labels.metric_name()), (Some("b"), None, "up"));
    }

    #[test]
    fn display_is_that_of_prometheus() {
        let check = |pairs: &[(&str, &str)], expect: &str| {
            assert_eq!(Labels::from_pairs(pairs.iter().copied()).to_string(), expect);
        };
        check(&[], "{}");
        check(&[("__name__", "up")], "up");
        check(&[("__name__", "a.b"), ("x", "1")], r#"{__name__="a.b", x="1"}"#);
        check(&[("a.b", "q\"uote\n")], r#"{"a.b"="q\"uote\n"}"#);
    }

    #[test]
    fn fingerprints_tell_name_from_value_and_never_change() {
        let of = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied()).fingerprint();
        assert_ne!(of(&[("ab", "c")]), of(&[("a", "bc")]));
        assert_ne!(of(&[("a", "b"), ("c", "d")]), of(&[("a", "bc"), ("d", "e")]));
        assert_eq!(of(&[("__name__", "up"), ("job", "x")]), FINGERPRINT_OF_UP);
    }

    /// Written down once: stored files depend on it.
    const FINGERPRINT_OF_UP: i64 = 586_349_258_692_361_200;
}
