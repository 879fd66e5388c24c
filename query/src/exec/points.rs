//! The values of one series along a grid.

use std::ops::Range;
use std::sync::Arc;

use model::{Histogram, Labels, STALE_NAN, Value, is_stale_nan, stale_nan};

use super::budget::Weight;

/// One series of an intermediate result.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) labels: Labels,
    /// Whether the name goes away at the end of the query (with delayed name removal).
    pub(crate) drop_name: bool,
    pub(crate) points: Points,
}

impl Line {
    /// The labels alone.
    pub(crate) fn clone_without_points(&self) -> Self {
        Self { labels: self.labels.clone(), drop_name: self.drop_name, points: Points::default() }
    }
}

/// Values by their place in a grid. A place that the stale marker holds is empty: selectors never let one through.
///
/// Only the stretch from the first to the last value takes memory, because short-lived series are what this is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points {
    first: usize,
    floats: Vec<f64>,
    /// Empty, or as long as `floats`; where a histogram stands, the float is empty.
    histograms: Vec<Option<Arc<Histogram>>>,
}

impl Points {
    /// The same float everywhere.
    pub(crate) fn constant(value: f64, count: usize) -> Self {
        Self { first: 0, floats: vec![value; count], histograms: Vec::new() }
    }

    /// The first place, the floats from there on, and the histograms.
    pub(crate) fn parts(&self) -> (usize, &[f64], &[Option<Arc<Histogram>>]) {
        (self.first, &self.floats, &self.histograms)
    }

    /// What [`Points::parts`] took apart; `None` if these are no such parts.
    pub(crate) fn from_parts(
        first: usize,
        floats: Vec<f64>,
        histograms: Vec<Option<Arc<Histogram>>>,
    ) -> Option<Self> {
        first.checked_add(floats.len())?;
        let fits = histograms.is_empty() || histograms.len() == floats.len();
        fits.then_some(Self { first, floats, histograms })
    }

    /// The float that each place gets, if any.
    pub(crate) fn of_floats(count: usize, mut at: impl FnMut(usize) -> Option<f64>) -> Self {
        let mut points = Self::default();
        for index in 0..count {
            if let Some(value) = at(index) {
                if points.floats.is_empty() {
                    points.reserve(index..count);
                }
                points.push(index, value);
            }
        }
        // most series live shortly: what is held long should not be mostly room
        if points.floats.len() < points.floats.capacity() / 2 {
            points.floats.shrink_to_fit();
        }
        points
    }

    /// Adds a float behind all others.
    #[inline]
    pub(crate) fn push(&mut self, index: usize, value: f64) {
        self.pad(index);
        self.floats.push(value);
        if !self.histograms.is_empty() {
            self.histograms.push(None);
        }
    }

    /// Makes room for floats at these places, so that adding them one by one does not.
    pub(crate) fn reserve(&mut self, places: Range<usize>) {
        self.floats.reserve(places.len());
    }

    /// Takes everything away, but not the room.
    pub(crate) fn clear(&mut self) {
        self.first = 0;
        self.floats.clear();
        self.histograms.clear();
    }

    /// Adds a value behind all others.
    pub(crate) fn push_value(&mut self, index: usize, value: Value) {
        match value {
            Value::Float(value) => self.push(index, value),
            Value::Histogram(histogram) => {
                self.pad(index);
                if self.histograms.is_empty() {
                    self.histograms = vec![None; self.floats.len()];
                }
                self.floats.push(stale_nan());
                self.histograms.push(Some(histogram));
            }
        }
    }

    /// Fills up with empty places, so that the next one added stands at `index`.
    #[inline]
    fn pad(&mut self, index: usize) {
        if self.floats.is_empty() {
            self.first = index;
            return;
        }
        let missing = index - self.first - self.floats.len();
        if missing > 0 {
            self.floats.resize(self.floats.len() + missing, stale_nan());
            if !self.histograms.is_empty() {
                self.histograms.resize(self.floats.len(), None);
            }
        }
    }

    /// The places at which both series may have a value.
    pub(crate) fn places_beside(&self, other: &Self) -> Range<usize> {
        let (own, others) = (self.places(), other.places());
        let first = own.start.max(others.start);
        first..own.end.min(others.end).max(first)
    }

    /// The places at which both series have a float, and the floats.
    pub(crate) fn floats_beside<'p>(
        &'p self,
        other: &'p Self,
    ) -> impl Iterator<Item = (usize, f64, f64)> + 'p {
        let Range { start: first, end } = self.places_beside(other);
        let of = |points: &'p Self| {
            let start = first - points.first.min(first);
            points.floats.get(start..start + (end - first)).unwrap_or(&[])
        };
        let both = (first..end).zip(of(self)).zip(of(other));
        both.filter(|((_, a), b)| !is_stale_nan(**a) && !is_stale_nan(**b))
            .map(|((index, a), b)| (index, *a, *b))
    }

    /// Makes room for values at these places, to be set in any order.
    pub(crate) fn cover(&mut self, places: Range<usize>) {
        if places.is_empty() {
            return;
        }
        if self.floats.is_empty() {
            self.first = places.start;
        }
        if let Some(missing) = self.first.checked_sub(places.start) {
            self.floats.splice(0..0, std::iter::repeat_n(stale_nan(), missing));
            if !self.histograms.is_empty() {
                self.histograms.splice(0..0, std::iter::repeat_n(None, missing));
            }
            self.first = places.start;
        }
        let covered = self.floats.len().max(places.end - self.first);
        self.floats.resize(covered, stale_nan());
        if !self.histograms.is_empty() {
            self.histograms.resize(covered, None);
        }
    }

    /// Sets a float at a place that is covered.
    pub(crate) fn set_float(&mut self, index: usize, value: f64) {
        let place = index - self.first;
        self.floats[place] = value;
        if let Some(histogram) = self.histograms.get_mut(place) {
            *histogram = None;
        }
    }

    /// Sets a value at a place that is covered.
    pub(crate) fn set(&mut self, index: usize, value: Value) {
        match value {
            Value::Float(value) => self.set_float(index, value),
            Value::Histogram(histogram) => {
                if self.histograms.is_empty() {
                    self.histograms = vec![None; self.floats.len()];
                }
                let place = index - self.first;
                self.floats[place] = stale_nan();
                self.histograms[place] = Some(histogram);
            }
        }
    }

    fn place(&self, index: usize) -> Option<usize> {
        index.checked_sub(self.first).filter(|&place| place < self.floats.len())
    }

    /// The float at a place; `None` if there is none or a histogram.
    pub(crate) fn float(&self, index: usize) -> Option<f64> {
        let value = self.floats[self.place(index)?];
        (!is_stale_nan(value)).then_some(value)
    }

    /// The histogram at a place.
    pub(crate) fn histogram(&self, index: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(self.place(index)?)?.as_ref()
    }

    /// The value at a place.
    pub(crate) fn get(&self, index: usize) -> Option<Value> {
        match self.float(index) {
            Some(value) => Some(Value::Float(value)),
            None => self.histogram(index).cloned().map(Value::Histogram),
        }
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        self.float(index).is_some() || self.histogram(index).is_some()
    }

    /// Whether any place has a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.floats.iter().all(|&value| is_stale_nan(value)) && self.histograms.iter().all(Option::is_none)
    }

    /// How many places have a value.
    pub(crate) fn value_count(&self) -> u64 {
        (self.floats().count() + self.histograms().count()) as u64
    }

    pub(crate) fn has_histograms(&self) -> bool {
        self.histograms.iter().any(Option::is_some)
    }

    /// The places that may have a value.
    pub(crate) fn places(&self) -> Range<usize> {
        self.first..self.first + self.floats.len()
    }

    /// All floats and their places.
    pub(crate) fn floats(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let with_place = self.floats.iter().enumerate();
        with_place
            .filter(|(_, value)| !is_stale_nan(**value))
            .map(|(place, &value)| (self.first + place, value))
    }

    /// Calls `take` with each float and what stands at its place in `along`.
    pub(crate) fn each_float<T>(&self, along: &mut [T], mut take: impl FnMut(&mut T, f64)) {
        let along = along.get_mut(self.first..).unwrap_or_default();
        for (slot, &value) in along.iter_mut().zip(&self.floats) {
            if !is_stale_nan(value) {
                take(slot, value);
            }
        }
    }

    /// All histograms and their places.
    pub(crate) fn histograms(&self) -> impl Iterator<Item = (usize, &Arc<Histogram>)> + '_ {
        let with_place = self.histograms.iter().enumerate();
        with_place
            .filter_map(|(place, value)| value.as_ref().map(|histogram| (self.first + place, histogram)))
    }

    /// Replaces each value.
    pub(crate) fn map_values(&mut self, mut map: impl FnMut(usize, Value) -> Option<Value>) {
        let mut mapped = Self::default();
        for index in self.places() {
            if let Some(value) = self.get(index).and_then(|value| map(index, value)) {
                mapped.push_value(index, value);
            }
        }
        *self = mapped;
    }

    /// Replaces each float; histograms go away.
    pub(crate) fn map_floats(&mut self, mut map: impl FnMut(usize, f64) -> Option<f64>) {
        self.histograms.clear();
        for (place, value) in self.floats.iter_mut().enumerate() {
            if value.to_bits() != STALE_NAN {
                *value = map(self.first + place, *value).unwrap_or(stale_nan());
            }
        }
    }

    /// Takes away what `keep` does not accept.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        for place in 0..self.floats.len() {
            if !keep(self.first + place) {
                self.floats[place] = stale_nan();
                if let Some(histogram) = self.histograms.get_mut(place) {
                    *histogram = None;
                }
            }
        }
    }

    /// The first value, at all places of a grid.
    pub(crate) fn held(&self, count: usize) -> Self {
        match self.get(0) {
            None => Self::default(),
            Some(Value::Float(value)) => Self::constant(value, count),
            Some(Value::Histogram(histogram)) => {
                Self { first: 0, floats: vec![stale_nan(); count], histograms: vec![Some(histogram); count] }
            }
        }
    }

    /// Takes the values of another series for the places that are empty here; false if both have one somewhere.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        let end = self.places().end.max(other.places().end);
        let mut merged = Self::default();
        for index in self.first.min(other.first)..end {
            match (self.get(index), other.get(index)) {
                (Some(_), Some(_)) => return false,
                (Some(value), None) | (None, Some(value)) => merged.push_value(index, value),
                (None, None) => {}
            }
        }
        *self = merged;
        true
    }

    /// What this counts as.
    pub(crate) fn weight(&self) -> Weight {
        let slots = self.floats.capacity() * size_of::<f64>()
            + self.histograms.capacity() * size_of::<Option<Arc<Histogram>>>();
        let own = Weight { samples: self.floats.len() as u64, bytes: slots as u64 };
        own + self.histograms.iter().flatten().map(|histogram| of_histogram(histogram)).sum()
    }
}

/// What a native histogram counts as. Its samples are how many floats take as much memory, as Prometheus counts.
pub(crate) fn of_histogram(histogram: &Histogram) -> Weight {
    let parts = histogram.positive_spans.len()
        + histogram.negative_spans.len()
        + histogram.positive_counts.len()
        + histogram.negative_counts.len()
        + histogram.custom_bounds.len();
    let bytes = 168 + 8 * parts as u64 + 8;
    Weight { samples: bytes / 16, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stretch_between_the_first_and_the_last_value_is_kept() {
        let mut points = Points::default();
        points.push(1_000_000, 1.0);
        points.push(1_000_003, 2.0);
        assert_eq!(points.floats().collect::<Vec<_>>(), [(1_000_000, 1.0), (1_000_003, 2.0)]);
        assert_eq!((points.weight().samples, points.float(0), points.float(1_000_001)), (4, None, None));
        let mut other = Points::default();
        other.push(5, 3.0);
        assert!(other.absorb(&points));
        assert_eq!(other.float(1_000_003), Some(2.0));
        assert!(!other.absorb(&points), "both have a value");
    }

    #[test]
    fn places_are_covered_in_any_order() {
        let mut points = Points::default();
        points.cover(7..9);
        points.set(8, Value::Histogram(Arc::default()));
        points.cover(3..4);
        points.set_float(3, 1.0);
        points.cover(5..12);
        points.set_float(11, 2.0);
        assert_eq!(points.floats().collect::<Vec<_>>(), [(3, 1.0), (11, 2.0)]);
        assert_eq!(points.histograms().map(|(index, _)| index).collect::<Vec<_>>(), [8]);
        assert_eq!(points.places(), 3..12);
    }

    #[test]
    fn floats_stand_beside_those_of_the_same_place() {
        let of = |list: &[(usize, f64)]| {
            let mut points = Points::default();
            list.iter().for_each(|&(index, value)| points.push(index, value));
            points
        };
        let check = |a: &[(usize, f64)], b: &[(usize, f64)], expect: &[(usize, f64, f64)]| {
            assert_eq!(of(a).floats_beside(&of(b)).collect::<Vec<_>>(), expect, "{a:?} and {b:?}");
            let swapped: Vec<_> = expect.iter().map(|&(index, a, b)| (index, b, a)).collect();
            assert_eq!(of(b).floats_beside(&of(a)).collect::<Vec<_>>(), swapped, "{b:?} and {a:?}");
        };
        check(&[(3, 1.0), (5, 2.0), (6, 3.0)], &[(5, 9.0), (8, 8.0)], &[(5, 2.0, 9.0)]);
        check(&[(3, 1.0)], &[(4, 1.0)], &[]);
        check(&[(0, 1.0), (9, 2.0)], &[(5, 1.0)], &[]);
        check(&[], &[(5, 1.0)], &[]);
    }

    #[test]
    fn histograms_and_floats_exclude_each_other() {
        let histogram = Arc::new(Histogram::default());
        let mut points = Points::default();
        points.push(0, 1.0);
        points.push_value(2, Value::Histogram(Arc::clone(&histogram)));
        points.push(3, 4.0);
        let found: Vec<_> = (0..5).map(|index| points.get(index)).collect();
        let float = |value| Some(Value::Float(value));
        assert_eq!(found, [float(1.0), None, Some(Value::Histogram(histogram)), float(4.0), None]);
        points.map_floats(|_, value| Some(-value));
        assert_eq!((points.get(0), points.get(2)), (float(-1.0), None));
    }
}
