//! Series as jobs, scrapes and mishaps make them.

use fastrand::Rng;
use model::{Labels, OPEN_END_MS, Series, stale_nan};

use crate::native_data;

/// What the data are to be like.
#[derive(Clone, Copy, Debug)]
pub struct Data {
    /// The first sample is not before this.
    pub start_ms: i64,
    /// How long the series last at most.
    pub length_ms: i64,
    /// Whether series may end with a stale marker, which a text format cannot say.
    pub stale_markers: bool,
    /// Whether there are pushed series, `p` and `p_total`.
    pub pushed: bool,
    /// Whether there are native histograms: counters `n` and `nhcb`, gauges `n_gauge`, and `mixed` with numbers between them.
    pub native: bool,
    /// Whether there are `target_info`, whose version changes, and `build_info`.
    pub infos: bool,
}

/// Series of a seed: gauges `g` and `g2`, counters `c_total`, a classic histogram `h`, and pushed series.
pub fn generate(rng: &mut Rng, data: Data) -> Vec<Series> {
    let mut all = Vec::new();
    for job in ["a", "b"] {
        for instance in ["0", "1", "2"] {
            let labels = |name: &str, more: &[(&str, &str)]| {
                let fixed = [("__name__", name), ("job", job), ("instance", instance)];
                Labels::from_pairs(fixed.iter().chain(more).copied())
            };
            for name in ["g", "g2"] {
                if rng.u8(..6) > 0 {
                    all.push(gauge(rng, data, labels(name, &[])));
                }
            }
            for mode in ["read", "write"] {
                if rng.u8(..6) > 0 {
                    all.push(counter(rng, data, labels("c_total", &[("mode", mode)])));
                }
            }
            if instance != "2" {
                all.extend(histogram(rng, data, &|name, more| labels(name, more)));
            }
            if data.infos && rng.u8(..6) > 0 {
                all.extend(infos(rng, data, &|name, more| labels(name, more)));
            }
            if data.native {
                all.extend(native_data::generate(rng, data, &|name| labels(name, &[])));
            }
            if data.pushed {
                all.push(steps(rng, data, labels("p", &[]), false));
                all.push(steps(rng, data, labels("p_total", &[]), true));
            }
        }
    }
    all
}

/// Times of scrapes: regular, or with some jitter, with gaps; on round times, or not.
pub(crate) fn times(rng: &mut Rng, data: Data) -> Vec<i64> {
    let interval_ms = *rng.choice(&[10_000, 15_000, 30_000, 60_000]).unwrap_or(&15_000);
    let jitter_ms = if rng.bool() { 0 } else { interval_ms / 3 };
    let offset_ms = if rng.bool() { 0 } else { rng.i64(0..interval_ms) };
    let (first, last) = match rng.u8(..4) {
        0 => (rng.i64(0..data.length_ms / 2), data.length_ms),
        1 => (0, rng.i64(data.length_ms / 2..data.length_ms)),
        _ => (0, data.length_ms),
    };
    let gaps = rng.bool();
    let mut times = Vec::new();
    let mut next = first - first % interval_ms + offset_ms;
    while next <= last {
        if gaps && rng.u8(..20) == 0 {
            next += interval_ms * rng.i64(1..20);
        }
        times.push(data.start_ms + next + if jitter_ms > 0 { rng.i64(0..jitter_ms) } else { 0 });
        next += interval_ms;
    }
    times
}

fn sampled(rng: &mut Rng, data: Data, labels: Labels, mut value: impl FnMut(&mut Rng) -> f64) -> Series {
    let mut series = Series { labels, ..Series::default() };
    for time in times(rng, data) {
        let ends = data.stale_markers && rng.u8(..40) == 0;
        let value = if ends { stale_nan() } else { value(rng) };
        series.samples.push(time, value);
    }
    series
}

fn gauge(rng: &mut Rng, data: Data, labels: Labels) -> Series {
    let special = rng.u8(..4) == 0;
    let steady = rng.u8(..4) == 0;
    let mut last = f64::from(rng.i32(-50..50));
    sampled(rng, data, labels, |rng| {
        if special && rng.u8(..10) == 0 {
            return *rng.choice(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0]).unwrap_or(&0.0);
        }
        if !steady || rng.u8(..8) == 0 {
            last = f64::from(rng.i32(-2_000..2_000)) / 16.0;
        }
        last
    })
}

fn counter(rng: &mut Rng, data: Data, labels: Labels) -> Series {
    let mut total = f64::from(rng.i32(0..100));
    let resets = rng.bool();
    sampled(rng, data, labels, |rng| {
        total += f64::from(rng.i32(0..40)) / 4.0;
        if resets && rng.u8(..15) == 0 {
            total = f64::from(rng.i32(0..3));
        }
        total
    })
}

const BOUNDS: [&str; 5] = ["0.1", "0.5", "1.0", "5.0", "+Inf"];

/// Gives the labels of a series with this name and these labels beside its own.
type Named<'a> = &'a dyn Fn(&str, &[(&str, &str)]) -> Labels;

fn histogram(rng: &mut Rng, data: Data, labels: Named<'_>) -> Vec<Series> {
    let mut buckets: Vec<Series> = BOUNDS
        .iter()
        .map(|bound| Series { labels: labels("h_bucket", &[("le", bound)]), ..Series::default() })
        .collect();
    let mut sum = Series { labels: labels("h_sum", &[]), ..Series::default() };
    let mut observed = Series { labels: labels("h_count", &[]), ..Series::default() };
    let (mut counts, mut total) = ([0_u32; BOUNDS.len()], 0.0);
    for time in times(rng, data) {
        for _ in 0..rng.u8(..6) {
            let bucket = rng.usize(..BOUNDS.len());
            counts[bucket..].iter_mut().for_each(|count| *count += 1);
            total += f64::from(rng.u8(1..40)) / 4.0;
        }
        for (series, count) in buckets.iter_mut().zip(counts) {
            series.samples.push(time, f64::from(count));
        }
        sum.samples.push(time, total);
        observed.samples.push(time, f64::from(counts[BOUNDS.len() - 1]));
    }
    buckets.extend([sum, observed]);
    buckets
}

/// An instance of one version first and of another then, whose last samples may overlap, and what it was built of.
fn infos(rng: &mut Rng, data: Data, labels: Named<'_>) -> Vec<Series> {
    let change_ms = data.start_ms + rng.i64(0..data.length_ms);
    let overlap_ms = if rng.u8(..4) == 0 { 20_000 } else { 0 };
    let mut first =
        Series { labels: labels("target_info", &[("version", "1"), ("zone", "x")]), ..Series::default() };
    let mut second =
        Series { labels: labels("target_info", &[("version", "2"), ("mode", "info")]), ..Series::default() };
    for at_ms in times(rng, data) {
        if at_ms < change_ms + overlap_ms {
            first.samples.push(at_ms, 1.0);
        }
        if at_ms >= change_ms {
            second.samples.push(at_ms, 1.0);
        }
    }
    let zone = *rng.choice(&["x", "y"]).unwrap_or(&"x");
    let mut build =
        Series { labels: labels("build_info", &[("revision", "abc"), ("zone", zone)]), ..Series::default() };
    for at_ms in times(rng, data) {
        build.samples.push(at_ms, 1.0);
    }
    [first, second, build].into_iter().filter(|series| !series.samples.is_empty()).collect()
}

/// A pushed series: values that hold from one push to the next, now and then with an end and a new beginning.
fn steps(rng: &mut Rng, data: Data, labels: Labels, counter: bool) -> Series {
    let mut series = Series { labels, ..Series::default() };
    let mut at_ms = data.start_ms + rng.i64(0..data.length_ms / 4);
    let mut value = 0.0;
    let gaps = rng.bool();
    while at_ms < data.start_ms + data.length_ms {
        let length_ms = match rng.u8(..4) {
            0 => rng.i64(1..5_000),
            1 => 15_000 * rng.i64(1..8),
            _ => rng.i64(5_000..300_000),
        };
        let until_ms = at_ms + length_ms;
        let last = until_ms >= data.start_ms + data.length_ms;
        value = match counter {
            true if rng.u8(..6) == 0 => f64::from(rng.i32(0..5)),
            true => value + f64::from(rng.i32(0..20)),
            false => f64::from(rng.i32(-100..100)) / 4.0,
        };
        let stays_open = last && rng.bool();
        series.steps.push(at_ms, if stays_open { OPEN_END_MS } else { until_ms }, value);
        if let Some(from_zero) = series.steps.from_zero.last_mut() {
            *from_zero = counter && rng.u8(..5) == 0;
        }
        at_ms = until_ms;
        if gaps && rng.u8(..5) == 0 {
            at_ms += rng.i64(1..400_000);
        }
    }
    series
}
