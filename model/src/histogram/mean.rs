//! Means of native histograms.

use super::{Histogram, HistogramSum, IncompatibleBuckets, SumRemarks};

/// A mean: the sum by the number of terms, or, from where the sum would overflow, updated term by term.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramMean {
    sum: HistogramSum,
    count: f64,
    incremental: bool,
}

impl HistogramMean {
    /// The mean of one.
    pub fn of(first: &Histogram) -> Self {
        Self { sum: HistogramSum::of(first), count: 1.0, incremental: false }
    }

    /// Adds a term.
    ///
    /// # Errors
    /// If the buckets cannot be brought together.
    pub fn add(&mut self, term: &Histogram) -> Result<SumRemarks, IncompatibleBuckets> {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.sum.clone();
            let remarks = sum.add(term)?;
            if !sum.overflows() {
                self.sum = sum;
                return Ok(remarks);
            }
            self.incremental = true;
            self.sum.divide(self.count - 1.0);
        }
        self.sum.scale((self.count - 1.0) / self.count);
        let mut part = HistogramSum::of(term);
        part.divide(self.count);
        self.sum.add(&part.value())
    }

    /// What the terms come to.
    pub fn value(&self) -> Histogram {
        let mut mean = self.sum.clone();
        if !self.incremental {
            mean.divide(self.count);
        }
        mean.value()
    }
}
