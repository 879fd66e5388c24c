//! Where the series of a segment in memory stand that have a value of a label, and which labels and values there are: made when it is
//! first of use.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::HashSet;

use super::SeriesRows;

/// So many labels of a segment get an index; for others series are looked through.
const LABELS_MAX: usize = 4;

/// A segment that is asked only once is looked through: that costs less than an index.
const ASKED_MIN: usize = 2;

/// About what the indexes of a series take in memory.
pub(super) const INDEX_BYTES: usize = 32;

/// The indexes of a segment, whose series must not change any more.
#[derive(Default)]
pub(crate) struct LabelIndex {
    asked: AtomicUsize,
    labels: OfSome<OfLabel>,
    names: OnceLock<Texts>,
    values: OfSome<(Arc<str>, Texts)>,
}

/// Something of each of the labels that are asked for first.
type OfSome<T> = OnceLock<Box<[OnceLock<T>; LABELS_MAX]>>;

/// Texts, each once, in no order.
pub(crate) type Texts = Arc<[Arc<str>]>;

struct OfLabel {
    name: Arc<str>,
    /// Where in `places` those of a value stand.
    values: HashMap<Arc<str>, (u32, u32)>,
    /// Of series, ascending for each value.
    places: Vec<u32>,
}

/// A copy makes its own, since it may be changed.
impl Clone for LabelIndex {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What follows from the series makes no difference.
impl PartialEq for LabelIndex {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for LabelIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelIndex").finish_non_exhaustive()
    }
}

impl LabelIndex {
    /// The places of the series that have this value, which is not empty; `None` if there is no index of this label.
    pub(super) fn places(&self, series: &[SeriesRows], name: &str, value: &str) -> Option<&[u32]> {
        for label in self.labels.get_or_init(Box::default).iter() {
            let of_label = label.get_or_init(|| OfLabel::new(series, name));
            if *of_label.name == *name {
                return Some(of_label.places(value));
            }
        }
        None
    }

    /// The names of the labels of all series.
    pub(super) fn names(&self, series: &[SeriesRows]) -> Texts {
        let names = || series.iter().flat_map(|series| &series.labels).map(|label| &label.name);
        Arc::clone(self.names.get_or_init(|| distinct(names())))
    }

    /// The values that the series have of a label.
    pub(super) fn values(&self, series: &[SeriesRows], name: &str) -> Texts {
        let values = || distinct(series.iter().filter_map(|series| series.labels.get_shared(name)));
        for label in self.values.get_or_init(Box::default).iter() {
            let (of_label, values) = label.get_or_init(|| (name.into(), values()));
            if **of_label == *name {
                return Arc::clone(values);
            }
        }
        values()
    }

    /// Whether it is worth while to make one: true from the second time on.
    pub(super) fn is_worth_it(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) + 1 >= ASKED_MIN
    }

    /// There will be many questions.
    pub(super) fn expect_many(&self) {
        self.asked.fetch_add(ASKED_MIN, Ordering::Relaxed);
    }
}

fn distinct<'a>(texts: impl Iterator<Item = &'a Arc<str>>) -> Texts {
    texts.collect::<HashSet<_>>().into_iter().cloned().collect()
}

impl OfLabel {
    fn new(series: &[SeriesRows], name: &str) -> Self {
        let mut counts: HashMap<Arc<str>, (u32, u32)> = HashMap::new();
        for value in series.iter().filter_map(|series| series.labels.get_shared(name)) {
            match counts.get_mut(value) {
                Some((_, count)) => *count += 1,
                None => _ = counts.insert(Arc::clone(value), (0, 1)),
            }
        }
        let mut next = 0;
        for (start, count) in counts.values_mut() {
            *start = next;
            next += std::mem::take(count);
        }
        let mut values = counts;
        let mut places = vec![0; next as usize];
        for (place, of_series) in series.iter().enumerate() {
            let range = of_series.labels.get_shared(name).and_then(|value| values.get_mut(value));
            if let Some((start, count)) = range
                && let Some(slot) = places.get_mut((*start + *count) as usize)
            {
                *slot = u32::try_from(place).unwrap_or(u32::MAX);
                *count += 1;
            }
        }
        Self { name: name.into(), values, places }
    }

    fn places(&self, value: &str) -> &[u32] {
        let Some(&(start, count)) = self.values.get(value) else { return &[] };
        self.places.get(start as usize..(start + count) as usize).unwrap_or(&[])
    }
}
