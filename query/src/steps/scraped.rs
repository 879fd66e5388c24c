//! Pushed series as Prometheus would have them that scraped a Pushgateway: for comparing answers.
//!
//! The scrapes are at every multiple of an interval since the epoch. Each stores the value that holds; the first scrape
//! that misses a series stores a stale marker. What held only between two scrapes was never seen, and where a counter
//! started from zero nobody knows.

use std::cmp::Ordering;
use std::ops::Range;

use model::{Samples, Series, Steps, Value, stale_nan};

use crate::exec::{Weight, sample_value, step_value};

/// The times between which scrapes matter, both included, and how far they are apart.
#[derive(Clone, Copy, Debug)]
pub struct Scrapes {
    /// They are at every multiple of this, which is more than 0.
    pub interval_ms: i64,
    /// None counts before.
    pub start_ms: i64,
    /// None counts after.
    pub end_ms: i64,
}

/// Where a sample comes from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Sample(usize),
    Step(usize),
    Missing,
}

/// What one scrape or several in a row found.
enum Found {
    Step { step: usize, scrapes: Range<i64> },
    Missing { scrape: i64 },
}

impl Scrapes {
    /// What [`Scrapes::of`] will add, at most.
    pub(crate) fn weight(&self, steps: &Steps) -> Weight {
        let samples = self.count(steps);
        Weight { samples, bytes: samples.saturating_mul(16) }
    }

    fn count(&self, steps: &Steps) -> u64 {
        let scrapes = (0..steps.len()).map(|step| {
            let Range { start, end } = self.seeing(steps, step);
            end.saturating_sub(start).max(0).unsigned_abs() + 1
        });
        scrapes.fold(0, u64::saturating_add)
    }

    /// The samples that were stored of `steps`, beside those that are there. Where a sample has the time of a scrape, the
    /// sample stays.
    pub(crate) fn of(self, steps: &Steps, samples: &Samples) -> Samples {
        let mut merged = Samples::default();
        for (at_ms, origin) in self.merged(steps, samples) {
            match origin {
                Origin::Sample(index) => push(&mut merged, samples, index),
                Origin::Step(step) => merged.push_value(at_ms, &step_value(steps, step)),
                Origin::Missing => merged.push(at_ms, stale_nan()),
            }
        }
        merged
    }

    /// The same of a whole series, one after the other: so many need not be in memory at once.
    pub fn points(self, series: &Series) -> impl Iterator<Item = (i64, Value)> + Send {
        let Series { samples, steps, .. } = series;
        self.merged(steps, samples).map(|(at_ms, origin)| {
            let value = match origin {
                Origin::Sample(index) => sample_value(samples, index),
                Origin::Step(step) => step_value(steps, step),
                Origin::Missing => Value::Float(stale_nan()),
            };
            (at_ms, value)
        })
    }

    /// What scrapes found between samples, in order of time, each time once.
    fn merged(self, steps: &Steps, samples: &Samples) -> impl Iterator<Item = (i64, Origin)> + Send {
        let mut scraped = self.found(steps).flat_map(move |found| {
            let (scrapes, origin) = match found {
                Found::Missing { scrape } => (scrape..scrape + 1, Origin::Missing),
                Found::Step { step, scrapes } => (scrapes, Origin::Step(step)),
            };
            scrapes.map(move |scrape| (scrape.saturating_mul(self.interval_ms), origin))
        });
        let mut scrape = scraped.next();
        let mut next = 0;
        std::iter::from_fn(move || {
            let sample = samples.timestamps_ms.get(next).map(|&at_ms| (at_ms, Origin::Sample(next)));
            let order = match (sample, scrape) {
                (Some((sample_ms, _)), Some((scrape_ms, _))) => sample_ms.cmp(&scrape_ms),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            let first = if order.is_le() { sample } else { scrape };
            next += usize::from(order.is_le());
            if order.is_ge() {
                scrape = scraped.next();
            }
            first
        })
    }

    /// The scrapes that see a step, as multiples of the interval.
    fn seeing(&self, steps: &Steps, step: usize) -> Range<i64> {
        let from_ms = steps.from_ms[step].max(self.start_ms);
        let last_ms = steps.until_ms[step].saturating_sub(1).min(self.end_ms);
        // the first multiple that is not before, and the first behind
        let first = from_ms.saturating_sub(1).div_euclid(self.interval_ms) + 1;
        first..last_ms.div_euclid(self.interval_ms) + 1
    }

    fn found(self, steps: &Steps) -> impl Iterator<Item = Found> + Send {
        let seen = move |step: usize| self.seeing(steps, step);
        let seen_steps = (0..steps.len()).filter(move |&step| !seen(step).is_empty());
        let mut seen_steps = seen_steps.peekable();
        std::iter::from_fn(move || {
            let step = seen_steps.next()?;
            let scrapes = seen(step);
            let next = scrapes.end;
            let goes_on = seen_steps.peek().is_some_and(|&following| seen(following).start == next);
            let ends = !goes_on && next.checked_mul(self.interval_ms).is_some_and(|at| at <= self.end_ms);
            let missing = ends.then_some(Found::Missing { scrape: next });
            Some([Some(Found::Step { step, scrapes }), missing])
        })
        .flatten()
        .flatten()
    }
}

/// Adds a sample with all that is known about it.
fn push(merged: &mut Samples, samples: &Samples, index: usize) {
    let start_ms = samples.start_ms.get(index).copied().unwrap_or(0);
    if start_ms != 0 {
        merged.start_ms.resize(merged.len(), 0);
    }
    merged.push_value(samples.timestamps_ms[index], &sample_value(samples, index));
    if start_ms != 0 {
        merged.start_ms.truncate(merged.len() - 1);
        merged.start_ms.push(start_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::OPEN_END_MS;

    const SCRAPES: Scrapes = Scrapes { interval_ms: 15, start_ms: 0, end_ms: 100 };

    fn steps(list: &[(i64, i64, f64)]) -> Steps {
        let mut steps = Steps::default();
        list.iter().for_each(|&(from, until, value)| steps.push(from, until, value));
        steps
    }

    /// Times and values; a stale marker is `None`.
    fn list(samples: &Samples) -> Vec<(i64, Option<f64>)> {
        let value = |&value: &f64| (!model::is_stale_nan(value)).then_some(value);
        samples.timestamps_ms.iter().copied().zip(samples.values.iter().map(value)).collect()
    }

    #[test]
    fn every_scrape_sees_what_holds_and_the_next_one_misses_it() {
        let check = |input: &[(i64, i64, f64)], expect: &[(i64, Option<f64>)]| {
            let steps = steps(input);
            let found = SCRAPES.of(&steps, &Samples::default());
            assert_eq!(list(&found), expect, "{input:?}");
            assert!(SCRAPES.count(&steps) >= found.len() as u64, "{input:?}");
        };
        check(&[(10, 46, 1.0)], &[(15, Some(1.0)), (30, Some(1.0)), (45, Some(1.0)), (60, None)]);
        check(&[(15, 30, 1.0), (30, 31, 2.0)], &[(15, Some(1.0)), (30, Some(2.0)), (45, None)]);
        // a gap between two scrapes is not seen, nor what held only there
        check(
            &[(15, 17, 1.0), (20, 22, 7.0), (25, 31, 2.0)],
            &[(15, Some(1.0)), (30, Some(2.0)), (45, None)],
        );
        check(&[(16, 29, 1.0)], &[]);
        check(&[(30, 45, 1.0), (60, 75, 2.0)], &[(30, Some(1.0)), (45, None), (60, Some(2.0)), (75, None)]);
        // what still holds has no end; what ends behind the range has none in it
        check(&[(80, OPEN_END_MS, 1.0)], &[(90, Some(1.0))]);
        check(&[(80, 99, 1.0)], &[(90, Some(1.0))]);
        // what held before the range is not told
        check(&[(-1_000, 1, 1.0)], &[(0, Some(1.0)), (15, None)]);
        check(&[], &[]);
    }

    #[test]
    fn extreme_times_do_no_harm() {
        let all = Scrapes { interval_ms: 15, start_ms: i64::MIN, end_ms: i64::MAX };
        assert!(all.count(&steps(&[(i64::MIN, OPEN_END_MS, 1.0)])) > 1 << 59);
        assert!(Scrapes { interval_ms: 1, ..all }.count(&steps(&[(i64::MIN, OPEN_END_MS, 1.0)])) > 1 << 62);
        let end = Scrapes { start_ms: i64::MAX - 40, ..all };
        assert!(end.of(&steps(&[(0, OPEN_END_MS, 1.0)]), &Samples::default()).len() >= 2);
    }

    #[test]
    fn samples_stand_beside_scrapes_with_their_starts() {
        let mut samples = Samples::default();
        samples.push(10, 5.0);
        samples.push(30, 6.0);
        samples.push(200, 7.0);
        samples.start_ms = vec![0, 3, 0];
        let found = SCRAPES.of(&steps(&[(15, 50, 1.0)]), &samples);
        let expect = [(10, 5.0), (15, 1.0), (30, 6.0), (45, 1.0)].map(|(at, value)| (at, Some(value)));
        assert_eq!(list(&found), [&expect[..], &[(60, None), (200, Some(7.0))]].concat());
        assert_eq!(found.start_ms, [0, 0, 3, 0, 0, 0]);
        let series = Series { samples, steps: steps(&[(15, 50, 1.0)]), ..Series::default() };
        let mut one_by_one = Samples::default();
        SCRAPES.points(&series).for_each(|(at_ms, value)| one_by_one.push_value(at_ms, &value));
        assert_eq!(list(&one_by_one), list(&found));
    }
}
