//! Means of floats.

use model::Compensated as Sum;

/// A mean: the sum by the number of terms, or, from where the sum would overflow, updated term by term.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Mean {
    sum: Sum,
    count: f64,
    incremental: bool,
}

impl Mean {
    /// The sum or mean, the number of terms, and whether it is updated term by term.
    pub(crate) fn parts(&self) -> (Sum, f64, bool) {
        (self.sum, self.count, self.incremental)
    }

    pub(crate) fn from_parts(sum: Sum, count: f64, incremental: bool) -> Self {
        Self { sum, count, incremental }
    }

    pub(crate) fn add(&mut self, term: f64) {
        self.count += 1.0;
        if self.count <= 1.0 {
            self.sum = Sum::of(term);
            return;
        }
        if !self.incremental {
            let mut sum = self.sum;
            sum.add(term);
            if !sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.incremental = true;
            self.sum = self.sum.divided(self.count - 1.0);
        }
        self.sum = self.sum.scaled((self.count - 1.0) / self.count);
        self.sum.add(term / self.count);
    }

    /// Adds what other terms have come to.
    pub(crate) fn merge(&mut self, other: Self) {
        if other.count <= 1.0 {
            if other.count > 0.0 {
                self.add(other.sum.value());
            }
            return;
        }
        let count = self.count + other.count;
        if !self.incremental && !other.incremental {
            let mut sum = self.sum;
            sum.add_sum(other.sum);
            if !sum.is_infinite() {
                (self.sum, self.count) = (sum, count);
                return;
            }
        }
        let of_own = |mean: Self| if mean.incremental { mean.sum } else { mean.sum.divided(mean.count) };
        let mut mean = of_own(*self).scaled(self.count / count);
        mean.add_sum(of_own(other).scaled(other.count / count));
        *self = Self { sum: mean, count, incremental: true };
    }

    pub(crate) fn value(&self) -> f64 {
        if self.incremental { self.sum.value() } else { self.sum.divided(self.count).value() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[f64]) -> f64 {
        let mut sum = Sum::default();
        terms.iter().for_each(|&term| sum.add(term));
        sum.value()
    }

    fn mean(terms: &[f64]) -> f64 {
        let mut mean = Mean::default();
        terms.iter().for_each(|&term| mean.add(term));
        mean.value()
    }

    #[test]
    fn small_terms_survive_large_ones() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(mean(&[1.0, 1e100, 1.0, -1e100]), 0.5);
    }

    #[test]
    fn a_mean_may_be_finite_where_the_sum_is_not() {
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean(&[f64::INFINITY, 1.0]), f64::INFINITY);
        let of = |terms: &[f64]| {
            let mut mean = Mean::default();
            terms.iter().for_each(|&term| mean.add(term));
            mean
        };
        let mut merged = of(&[f64::MAX, f64::MAX]);
        merged.merge(of(&[f64::MAX, f64::MAX, f64::MAX]));
        assert!(merged.value() > f64::MAX * 0.999_999 && merged.value().is_finite());
        merged.merge(of(&[f64::INFINITY]));
        assert_eq!(merged.value(), f64::INFINITY);
    }
}
