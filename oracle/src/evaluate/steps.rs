//! Functions over pushed series: exact where what holds is all that matters, on virtual samples where their number does.

use model::Series;
use query::syntax::Function;

use super::select::{Window, holding, multiples};
use super::windows::extreme;
use super::{Moment, Result, count, seconds};

impl Moment<'_> {
    pub(super) fn over_steps(
        &self,
        function: Function,
        series: &Series,
        window: &Window<'_>,
        parameters: &[f64],
    ) -> Result<Option<f64>> {
        let steps = &series.steps;
        let (start_ms, end_ms) = (window.start_ms, window.end_ms);
        // the steps that hold somewhere in the window, and those that hold somewhere in it or at its start
        let overlaps = |first_ms: i64| {
            let all = 0..steps.len();
            all.filter(move |&step| steps.from_ms[step] <= end_ms && first_ms < steps.until_ms[step])
        };
        let inside: Vec<usize> = overlaps(start_ms + 1).collect();
        let since_start: Vec<usize> = overlaps(start_ms).collect();
        let values: Vec<f64> = inside.iter().map(|&step| steps.values[step]).collect();
        let pairs: Vec<(usize, usize)> = since_start.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let anew = |(before, after): (usize, usize)| {
            steps.from_zero[after] || steps.values[after] < steps.values[before]
        };
        let grown = |(before, after): (usize, usize)| {
            if anew((before, after)) {
                steps.values[after]
            } else {
                steps.values[after] - steps.values[before]
            }
        };
        let last = steps.values[since_start[since_start.len() - 1]];
        // from when to when a step holds in the window, both included
        let first_ms = |step: usize| steps.from_ms[step].max(start_ms + 1);
        let last_ms = |step: usize| (steps.until_ms[step] - 1).min(end_ms);
        let time_of = |best: f64| {
            let as_good = |step: &&usize| steps.values[**step] == best || best.is_nan();
            inside.iter().rev().find(as_good).map_or(f64::NAN, |step| seconds(last_ms(*step)))
        };
        let increase = || {
            let begins = since_start[0];
            let from_nothing = steps.from_ms[begins] > start_ms && steps.from_zero[begins];
            let base = if from_nothing { steps.values[begins] } else { 0.0 };
            base + pairs.iter().map(|pair| grown(*pair)).sum::<f64>()
        };
        Ok(Some(match function {
            Function::Increase => increase(),
            Function::Rate => increase() / seconds(end_ms - start_ms),
            Function::Delta => last - steps.values[since_start[0]],
            Function::Irate => match pairs.last() {
                None => 0.0,
                Some(&(before, after)) => {
                    grown((before, after)) / seconds(steps.from_ms[after] - steps.from_ms[before])
                }
            },
            Function::Idelta => {
                pairs.last().map_or(0.0, |(before, after)| steps.values[*after] - steps.values[*before])
            }
            Function::Changes => {
                let values =
                    pairs.iter().map(|(before, after)| (steps.values[*before], steps.values[*after]));
                count(values.filter(|(a, b)| a != b && !(a.is_nan() && b.is_nan())).count())
            }
            Function::Resets => count(pairs.iter().filter(|pair| anew(**pair)).count()),
            Function::FirstOverTime => values[0],
            Function::LastOverTime => last,
            Function::MinOverTime => extreme(&values, |value, least| value < least),
            Function::MaxOverTime => extreme(&values, |value, most| value > most),
            Function::PresentOverTime => 1.0,
            Function::TsOfFirstOverTime => seconds(first_ms(inside[0])),
            Function::TsOfLastOverTime => seconds(last_ms(inside[inside.len() - 1])),
            Function::TsOfMinOverTime => time_of(extreme(&values, |value, least| value < least)),
            Function::TsOfMaxOverTime => time_of(extreme(&values, |value, most| value > most)),
            _ => {
                let samples = self.virtual_samples(series, start_ms, end_ms);
                return match samples.is_empty() {
                    true => Ok(None),
                    false => self.over_numbers(function, &samples, window, parameters),
                };
            }
        }))
    }

    /// What a scrape at every multiple of the hold interval would have found.
    pub(super) fn virtual_samples(&self, series: &Series, start_ms: i64, end_ms: i64) -> Vec<(i64, f64)> {
        let scrapes = multiples(self.oracle.hold_interval_ms, start_ms, end_ms);
        scrapes.filter_map(|ms| Some((ms, series.steps.values[holding(series, ms)?]))).collect()
    }
}
