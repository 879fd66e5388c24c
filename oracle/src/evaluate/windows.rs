//! Functions over windows of samples, as Prometheus defines them.

use query::syntax::{Call, Function};

use super::edges::Edged;
use super::native::{mean_of, sum_of};
use super::select::{Found, Window};
use super::{Element, Failed, Moment, Native, Result, Sample, Vector, count, name_of, seconds};

impl Moment<'_> {
    /// A call of a function whose argument `position` is a range vector.
    pub(super) fn over_windows(&self, call: &Call, position: usize) -> Result<Vector> {
        let function = call.function.function;
        let mut parameters = Vec::new();
        for (index, argument) in call.arguments.iter().enumerate() {
            if index != position {
                parameters.push(self.scalar(argument)?);
            }
        }
        if function == Function::DoubleExponentialSmoothing
            && parameters.iter().any(|factor| !(*factor > 0.0 && *factor < 1.0))
        {
            return Err(Failed("invalid smoothing or trend factor".to_owned()));
        }
        let windows = self.windows(&call.arguments[position], function != Function::Delta)?;
        if function == Function::AbsentOverTime {
            let labels = super::call::absent_labels(&call.arguments[position]);
            return Ok(if windows.is_empty() {
                vec![Element { labels, ..Element::unnamed(1.0) }]
            } else {
                Vec::new()
            });
        }
        let keeps_name = matches!(function, Function::LastOverTime | Function::FirstOverTime);
        let mut result = Vec::new();
        for window in windows {
            let number = |value: Option<f64>| value.map(Sample::Float);
            let value = match &window.found {
                Found::Samples(samples) => self.over_samples(function, samples, &window, &parameters)?,
                Found::Edged(Edged { values }) => {
                    number(Self::over_edges(function, values, window.end_ms - window.start_ms)?)
                }
                Found::Steps(series) => number(self.over_steps(function, series, &window, &parameters)?),
            };
            if let Some(value) = value {
                let element = Element {
                    labels: window.labels,
                    drops_name: window.drops_name,
                    value: Sample::Float(0.0),
                };
                result.push(match keeps_name {
                    true => Element { value, ..element },
                    false => self.renamed(element, value),
                });
            }
        }
        self.distinct(result)
    }

    /// What a function makes of the samples of a window, at least one, of which some may be native histograms.
    fn over_samples(
        &self,
        function: Function,
        samples: &[(i64, Sample)],
        window: &Window<'_>,
        parameters: &[f64],
    ) -> Result<Option<Sample>> {
        let numbers: Vec<(i64, f64)> =
            samples.iter().filter_map(|(at, sample)| Some((*at, sample.float()?))).collect();
        let histograms: Vec<(i64, &Native)> = samples
            .iter()
            .filter_map(|(at, sample)| match sample {
                Sample::Histogram(histogram) => Some((*at, histogram)),
                Sample::Float(_) => None,
            })
            .collect();
        let (first, last) = (&samples[0], &samples[samples.len() - 1]);
        let value = match function {
            _ if histograms.is_empty() => {
                return Ok(self.over_numbers(function, &numbers, window, parameters)?.map(Sample::Float));
            }
            Function::CountOverTime => Sample::Float(count(samples.len())),
            Function::PresentOverTime => Sample::Float(1.0),
            Function::LastOverTime => last.1.clone(),
            Function::FirstOverTime => first.1.clone(),
            Function::TsOfFirstOverTime => Sample::Float(seconds(first.0)),
            Function::TsOfLastOverTime => Sample::Float(seconds(last.0)),
            Function::Changes => Sample::Float(count(samples.windows(2).filter(|pair| !same(pair)).count())),
            Function::Resets => Sample::Float(count(samples.windows(2).filter(anew).count())),
            Function::Irate | Function::Idelta => {
                let [.., (before_ms, before), (last_ms, last)] = samples else { return Ok(None) };
                match (before, last) {
                    (Sample::Float(_), Sample::Float(_)) => {
                        return Ok(self
                            .over_numbers(function, &numbers, window, parameters)?
                            .map(Sample::Float));
                    }
                    (Sample::Histogram(before), Sample::Histogram(last)) => {
                        let per_s = function == Function::Irate;
                        let change = match per_s && last.starts_anew_after(before) {
                            true => Ok(last.clone()),
                            false => last.minus(before),
                        };
                        let Ok(change) = change else { return Ok(None) };
                        let elapsed_s = if per_s { seconds(last_ms - before_ms) } else { 1.0 };
                        Sample::Histogram(change.divided(elapsed_s).into_gauge())
                    }
                    _ => return Ok(None),
                }
            }
            Function::Rate | Function::Increase | Function::Delta if numbers.is_empty() => {
                let counter = function != Function::Delta;
                let range_s = seconds(window.end_ms - window.start_ms);
                let per_s = if function == Function::Rate { range_s } else { 1.0 };
                let Some((change, factor)) = grown(&histograms, window, counter) else { return Ok(None) };
                Sample::Histogram(change.times(factor / per_s).into_gauge())
            }
            Function::SumOverTime | Function::AvgOverTime if numbers.is_empty() => {
                let all = histograms.iter().map(|(_, histogram)| *histogram);
                let added = if function == Function::SumOverTime { sum_of(all) } else { mean_of(all) };
                let Ok(Some(added)) = added else { return Ok(None) };
                Sample::Histogram(added)
            }
            // numbers and histograms together are nothing
            Function::Rate
            | Function::Increase
            | Function::Delta
            | Function::SumOverTime
            | Function::AvgOverTime => {
                return Ok(None);
            }
            // all others look at numbers only
            _ if numbers.is_empty() => return Ok(None),
            _ => return Ok(self.over_numbers(function, &numbers, window, parameters)?.map(Sample::Float)),
        };
        Ok(Some(value))
    }

    /// What a function makes of the numbers of a window, at least one.
    pub(super) fn over_numbers(
        &self,
        function: Function,
        samples: &[(i64, f64)],
        window: &Window<'_>,
        parameters: &[f64],
    ) -> Result<Option<f64>> {
        let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
        let [first, .., last] = values.as_slice() else {
            return self.over_one_sample(function, samples[0], parameters);
        };
        let before_last = values[values.len() - 2];
        let gap_s = seconds(samples[samples.len() - 1].0 - samples[samples.len() - 2].0);
        Ok(Some(match function {
            Function::Rate => extrapolated(samples, window, true) / seconds(window.end_ms - window.start_ms),
            Function::Increase => extrapolated(samples, window, true),
            Function::Delta => extrapolated(samples, window, false),
            Function::Irate if last < &before_last => last / gap_s,
            Function::Irate => (last - before_last) / gap_s,
            Function::Idelta => last - before_last,
            Function::Changes => changes(&values),
            Function::Resets => resets(&values),
            Function::LastOverTime => *last,
            Function::FirstOverTime => *first,
            Function::CountOverTime => count(values.len()),
            Function::PresentOverTime => 1.0,
            Function::SumOverTime => values.iter().sum(),
            Function::AvgOverTime => mean(&values),
            Function::MinOverTime => extreme(&values, |value, least| value < least),
            Function::MaxOverTime => extreme(&values, |value, most| value > most),
            Function::StdvarOverTime => shifted_variance(&values),
            Function::StddevOverTime => shifted_variance(&values).sqrt(),
            Function::QuantileOverTime => quantile(parameters[0], &values),
            Function::MadOverTime if values.iter().any(|value| value.is_nan()) => f64::NAN,
            Function::MadOverTime => {
                let median = quantile(0.5, &values);
                quantile(0.5, &values.iter().map(|value| (value - median).abs()).collect::<Vec<_>>())
            }
            Function::Deriv => line_through(samples, samples[0].0).1,
            Function::PredictLinear => {
                let (now, slope) = line_through(samples, self.at_ms);
                now + slope * parameters[0]
            }
            Function::DoubleExponentialSmoothing => smoothed(&values, parameters[0], parameters[1]),
            Function::TsOfFirstOverTime => seconds(samples[0].0),
            Function::TsOfLastOverTime => seconds(samples[samples.len() - 1].0),
            Function::TsOfMinOverTime => time_of(samples, |value, least| value <= least),
            Function::TsOfMaxOverTime => time_of(samples, |value, most| value >= most),
            other => return Err(Failed(format!("no such function of windows: {}", name_of(other)))),
        }))
    }

    fn over_one_sample(
        &self,
        function: Function,
        sample: (i64, f64),
        parameters: &[f64],
    ) -> Result<Option<f64>> {
        let (time, value) = sample;
        Ok(Some(match function {
            Function::Rate
            | Function::Increase
            | Function::Delta
            | Function::Irate
            | Function::Idelta
            | Function::Deriv
            | Function::PredictLinear
            | Function::DoubleExponentialSmoothing => return Ok(None),
            Function::Changes | Function::Resets => 0.0,
            Function::CountOverTime | Function::PresentOverTime => 1.0,
            Function::StddevOverTime | Function::StdvarOverTime | Function::MadOverTime => {
                if value.is_finite() { 0.0 } else { f64::NAN }
            }
            Function::QuantileOverTime => quantile(parameters[0], &[value]),
            Function::TsOfFirstOverTime
            | Function::TsOfLastOverTime
            | Function::TsOfMinOverTime
            | Function::TsOfMaxOverTime => seconds(time),
            _ => value,
        }))
    }
}

pub(super) fn changes(values: &[f64]) -> f64 {
    let differ = |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
    count(values.windows(2).filter(differ).count())
}

pub(super) fn resets(values: &[f64]) -> f64 {
    count(values.windows(2).filter(|pair| pair[1] < pair[0]).count())
}

fn same(pair: &&[(i64, Sample)]) -> bool {
    match (&pair[0].1, &pair[1].1) {
        (Sample::Float(a), Sample::Float(b)) => changes(&[*a, *b]) == 0.0,
        (Sample::Histogram(a), Sample::Histogram(b)) => a.same(b),
        _ => false,
    }
}

/// Whether something starts anew between two samples; it does where its kind changes.
fn anew(pair: &&[(i64, Sample)]) -> bool {
    match (&pair[0].1, &pair[1].1) {
        (Sample::Float(before), Sample::Float(now)) => now < before,
        (Sample::Histogram(before), Sample::Histogram(now)) => now.starts_anew_after(before),
        _ => true,
    }
}

/// How much histograms grew, and by how much that is to be stretched to the edges of the window. `None` if they are too few or of
/// different kinds. The first does not matter if what comes next starts anew.
fn grown(histograms: &[(i64, &Native)], window: &Window<'_>, counter: bool) -> Option<(Native, f64)> {
    let [(first_ms, first), .., (last_ms, last)] = histograms else { return None };
    let pairs = || histograms.windows(2).map(|pair| (pair[0].1, pair[1].1));
    let anew = |(before, now): (&Native, &Native)| counter && now.starts_anew_after(before);
    let skips_first = anew((first, histograms[1].1));
    let matter = if skips_first { &histograms[1..] } else { histograms };
    // of gauges only the first and the last matter
    let kinds: Vec<&Native> = match counter {
        true => matter.iter().map(|(_, histogram)| *histogram).collect(),
        false => vec![first, last],
    };
    let finest_of_all = sum_of(kinds.iter().copied()).ok()??;
    let mut change = last.like(&finest_of_all);
    if !skips_first {
        change = change.minus(first).ok()?;
    }
    for (place, (before, now)) in pairs().enumerate() {
        if anew((before, now)) && !(skips_first && place == 0) {
            change = change.plus(before).ok()?;
        }
    }
    let span_s = seconds(last_ms - first_ms);
    let gap_s = span_s / count(histograms.len() - 1);
    let edge = |distance_s: f64| if distance_s >= gap_s * 1.1 { gap_s / 2.0 } else { distance_s };
    let mut to_start_s = edge(seconds(first_ms - window.start_ms));
    if counter && change.count() > 0.0 && first.count() >= 0.0 {
        to_start_s = to_start_s.min(span_s * (first.count() / change.count()));
    }
    let to_end_s = edge(seconds(window.end_ms - last_ms));
    Some((change, (span_s + to_start_s + to_end_s) / span_s))
}

/// How much the values grew, stretched to the edges of the window.
fn extrapolated(samples: &[(i64, f64)], window: &Window<'_>, counter: bool) -> f64 {
    let (first_ms, first) = samples[0];
    let (last_ms, last) = samples[samples.len() - 1];
    let mut grown = last - first;
    if counter {
        grown += samples.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum::<f64>();
    }
    let span_s = seconds(last_ms - first_ms);
    let gap_s = span_s / count(samples.len() - 1);
    let mut to_start_s = seconds(first_ms - window.start_ms);
    let mut to_end_s = seconds(window.end_ms - last_ms);
    if to_start_s >= gap_s * 1.1 {
        to_start_s = gap_s / 2.0;
    }
    if counter && grown > 0.0 && first >= 0.0 {
        to_start_s = to_start_s.min(span_s * (first / grown));
    }
    if to_end_s >= gap_s * 1.1 {
        to_end_s = gap_s / 2.0;
    }
    grown * ((span_s + to_start_s + to_end_s) / span_s)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

/// The mean square of the distances from the mean, value by value.
pub(super) fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (0.0, 0.0);
    for (before, value) in values.iter().enumerate() {
        let distance = value - mean;
        mean += distance / count(before + 1);
        squares += distance * (value - mean);
    }
    squares / count(values.len())
}

/// The same for numbers that may be large and near to each other.
fn shifted_variance(values: &[f64]) -> f64 {
    variance(&values.iter().map(|value| value - values[0]).collect::<Vec<_>>())
}

/// The value that is better than all others; NaN only if there is nothing else.
pub(super) fn extreme(values: &[f64], better: fn(f64, f64) -> bool) -> f64 {
    let mut best = values[0];
    for &value in values {
        if better(value, best) || best.is_nan() {
            best = value;
        }
    }
    best
}

/// The last time at which a value is as good as the best.
fn time_of(samples: &[(i64, f64)], as_good: fn(f64, f64) -> bool) -> f64 {
    let mut best = samples[0];
    for &sample in samples {
        if as_good(sample.1, best.1) || best.1.is_nan() {
            best = sample;
        }
    }
    seconds(best.0)
}

pub(super) fn quantile(phi: f64, values: &[f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let mut sorted = values.to_vec();
    // NaN is the least of all
    sorted.sort_by(|a, b| {
        b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
    let rank = phi * count(sorted.len() - 1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short list")]
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(sorted.len() - 1);
    let weight = rank - rank.floor();
    sorted[lower] * (1.0 - weight) + sorted[upper] * weight
}

/// The least squares line: its value at a time, and its slope per second.
fn line_through(samples: &[(i64, f64)], at_ms: i64) -> (f64, f64) {
    let first = samples[0].1;
    if samples.iter().all(|(_, value)| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (first, 0.0) };
    }
    let n = count(samples.len());
    let x = |time: i64| seconds(time - at_ms);
    let sum_x: f64 = samples.iter().map(|(time, _)| x(*time)).sum();
    let sum_y: f64 = samples.iter().map(|(_, value)| value).sum();
    let sum_xy: f64 = samples.iter().map(|(time, value)| x(*time) * value).sum();
    let sum_xx: f64 = samples.iter().map(|(time, _)| x(*time) * x(*time)).sum();
    let slope = (sum_xy - sum_x * sum_y / n) / (sum_xx - sum_x * sum_x / n);
    (sum_y / n - slope * sum_x / n, slope)
}

fn smoothed(values: &[f64], smoothing: f64, trend: f64) -> f64 {
    let (mut before, mut now) = (0.0, values[0]);
    let mut slope = values[1] - values[0];
    for (index, value) in values.iter().enumerate().skip(1) {
        if index > 1 {
            slope = trend * (now - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (now + slope);
        (before, now) = (now, next);
    }
    now
}
