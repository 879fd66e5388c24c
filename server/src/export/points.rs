//! What is written of one series: its samples, and those that are made of what was pushed.

use std::iter::Peekable;

use model::{Samples, Series, Steps, is_stale_nan};

use super::Pushed;

/// One thing that a series holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Point {
    /// A time and what it was then.
    Value(i64, f64),
    /// A mark that the series ended, which is no number.
    Ended,
    /// A native histogram: a sample, or a value that was pushed.
    Histogram,
}

/// What a series holds from `start_ms` to `end_ms`, in order of time; where there is a sample, nothing is made of what was pushed.
pub(super) fn points(
    series: &Series,
    pushed: Pushed,
    interval_ms: i64,
    start_ms: i64,
    end_ms: i64,
) -> impl Iterator<Item = Point> {
    let pushed = of_steps(&series.steps, pushed, interval_ms, start_ms, end_ms);
    Merged { samples: of_samples(&series.samples).peekable(), pushed: pushed.peekable() }
}

type Timed = (i64, Point);

fn of_samples(samples: &Samples) -> impl Iterator<Item = Timed> {
    (0..samples.len()).map(|index| {
        let (at_ms, value) = (samples.timestamps_ms[index], samples.values[index]);
        let is_histogram = samples.histograms.get(index).is_some_and(Option::is_some);
        let point = match value {
            _ if is_histogram => Point::Histogram,
            value if is_stale_nan(value) => Point::Ended,
            value => Point::Value(at_ms, value),
        };
        (at_ms, point)
    })
}

fn of_steps(
    steps: &Steps,
    pushed: Pushed,
    interval_ms: i64,
    start_ms: i64,
    end_ms: i64,
) -> impl Iterator<Item = Timed> {
    (0..steps.len()).flat_map(move |index| {
        let (from_ms, until_ms) = (steps.from_ms[index].max(start_ms), steps.until_ms[index]);
        let last_ms = until_ms.saturating_sub(1).min(end_ms);
        let is_histogram = steps.histograms.get(index).is_some_and(Option::is_some);
        let value = steps.values[index];
        let point = move |at_ms| match is_histogram {
            true => Point::Histogram,
            false => Point::Value(at_ms, value),
        };
        let at_first = (pushed != Pushed::Scraped || is_histogram).then_some(from_ms);
        let slots = if pushed == Pushed::Changes || is_histogram { None } else { Some(interval_ms) };
        let slots = slots.into_iter().flat_map(move |interval_ms| {
            let first = from_ms.div_euclid(interval_ms) + i64::from(from_ms.rem_euclid(interval_ms) != 0);
            (first..)
                .map_while(move |slot| slot.checked_mul(interval_ms))
                .take_while(move |at_ms| *at_ms <= last_ms)
        });
        let at_first = at_first.into_iter().filter(move |at_ms| *at_ms <= last_ms);
        let skipped = at_first.clone().next();
        at_first
            .chain(slots.filter(move |at_ms| Some(*at_ms) != skipped))
            .map(move |at_ms| (at_ms, point(at_ms)))
    })
}

/// Both in order of time.
struct Merged<S: Iterator<Item = Timed>, P: Iterator<Item = Timed>> {
    samples: Peekable<S>,
    pushed: Peekable<P>,
}

impl<S: Iterator<Item = Timed>, P: Iterator<Item = Timed>> Iterator for Merged<S, P> {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        let sample_ms = self.samples.peek().map(|(at_ms, _)| *at_ms);
        let pushed_ms = self.pushed.peek().map(|(at_ms, _)| *at_ms);
        let (_, point) = match (sample_ms, pushed_ms) {
            (Some(sample_ms), Some(pushed_ms)) if pushed_ms < sample_ms => self.pushed.next()?,
            (Some(sample_ms), Some(pushed_ms)) => {
                if sample_ms == pushed_ms {
                    self.pushed.next();
                }
                self.samples.next()?
            }
            (Some(_), None) => self.samples.next()?,
            (None, _) => self.pushed.next()?,
        };
        Some(point)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{OPEN_END_MS, Value};

    use super::*;

    fn found(series: &Series, pushed: Pushed, start_ms: i64, end_ms: i64) -> Vec<(i64, f64)> {
        let values = points(series, pushed, 10, start_ms, end_ms).filter_map(|point| match point {
            Point::Value(at_ms, value) => Some((at_ms, value)),
            _ => None,
        });
        values.collect()
    }

    #[test]
    fn what_was_pushed_is_written_when_it_came_and_while_it_holds() {
        let mut series = Series::default();
        series.steps.push(3, 18, 1.0);
        series.steps.push(20, 22, 2.0);
        series.steps.push(35, OPEN_END_MS, 3.0);
        let check = |pushed, start_ms, end_ms, expect: &[(i64, f64)]| {
            assert_eq!(found(&series, pushed, start_ms, end_ms), expect, "{pushed:?} {start_ms} {end_ms}");
        };
        check(Pushed::Held, 0, 50, &[(3, 1.0), (10, 1.0), (20, 2.0), (35, 3.0), (40, 3.0), (50, 3.0)]);
        check(Pushed::Changes, 0, 50, &[(3, 1.0), (20, 2.0), (35, 3.0)]);
        check(Pushed::Scraped, 0, 50, &[(10, 1.0), (20, 2.0), (40, 3.0), (50, 3.0)]);
        check(Pushed::Held, 11, 39, &[(11, 1.0), (20, 2.0), (35, 3.0)]);
        check(Pushed::Changes, 40, 41, &[(40, 3.0)]);
        check(Pushed::Scraped, 11, 19, &[]);
    }

    #[test]
    fn samples_stand_in_the_place_of_what_is_made_of_pushes() {
        let mut series = Series::default();
        series.steps.push(3, 25, 1.0);
        series.samples.push(5, 7.0);
        series.samples.push(10, 8.0);
        series.samples.push(30, 9.0);
        assert_eq!(
            found(&series, Pushed::Held, 0, 50),
            [(3, 1.0), (5, 7.0), (10, 8.0), (20, 1.0), (30, 9.0)]
        );
    }

    #[test]
    fn what_cannot_be_written_is_counted_once() {
        let histogram = Value::Histogram(Arc::default());
        let mut series = Series::default();
        series.steps.push_value(3, 100, &histogram);
        series.samples.push(5, model::stale_nan());
        series.samples.push_value(6, &histogram);
        let all: Vec<_> = points(&series, Pushed::Held, 10, 0, 1_000).collect();
        assert_eq!(all, [Point::Histogram, Point::Ended, Point::Histogram]);
    }
}
