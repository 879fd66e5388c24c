//! Sums that do not lose small terms beside large ones.

/// A sum with Neumaier's compensation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    /// A sum that begins with a term.
    pub fn of(first: f64) -> Self {
        Self { sum: first, lost: 0.0 }
    }

    /// The sum, and what it has lost.
    pub fn parts(&self) -> (f64, f64) {
        (self.sum, self.lost)
    }

    /// What [`Compensated::parts`] took apart.
    pub fn from_parts(sum: f64, lost: f64) -> Self {
        Self { sum, lost }
    }

    /// Adds a term.
    pub fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        if sum.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= term.abs() {
            self.lost += (self.sum - sum) + term;
        } else {
            self.lost += (term - sum) + self.sum;
        }
        self.sum = sum;
    }

    /// Adds what another sum has come to.
    pub fn add_sum(&mut self, other: Self) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    /// What the terms come to.
    pub fn value(&self) -> f64 {
        self.sum + self.lost
    }

    /// Whether the sum is a number within the range of floats.
    pub fn is_finite(&self) -> bool {
        self.sum.is_finite()
    }

    /// Whether the sum has left the range of floats.
    pub fn is_infinite(&self) -> bool {
        self.sum.is_infinite()
    }

    /// What is infinite has lost nothing.
    fn settled(sum: f64, lost: f64) -> Self {
        Self { sum, lost: if sum.is_finite() { lost } else { 0.0 } }
    }

    /// The same sum, every term times `by`.
    #[must_use]
    pub fn scaled(&self, by: f64) -> Self {
        Self::settled(self.sum * by, self.lost * by)
    }

    /// The same sum, every term divided by `by`.
    #[must_use]
    pub fn divided(&self, by: f64) -> Self {
        Self::settled(self.sum / by, self.lost / by)
    }
}
