//! What a Prometheus scrapes from a fleet of instances: 50 series of each, every 15 s. The seed is fixed.

use model::{Labels, Samples};
use rand::prelude::*;
use rand_distr::{LogNormal, Poisson, StandardNormal};

use crate::datasets::{Dataset, STEP_MS};

/// Series of an instance.
pub const SERIES_PER_INSTANCE: usize = 50;
/// Over so many jobs instances are spread.
pub const JOBS: usize = 10;
/// Once in about so many scrapes an instance has started anew, and its counters begin at 0.
const SCRAPES_PER_START: u32 = 1_500;

const BOUNDS: [(&str, f64); 12] = [
    ("0.005", 0.005),
    ("0.01", 0.01),
    ("0.025", 0.025),
    ("0.05", 0.05),
    ("0.1", 0.1),
    ("0.25", 0.25),
    ("0.5", 0.5),
    ("1.0", 1.0),
    ("2.5", 2.5),
    ("5.0", 5.0),
    ("10.0", 10.0),
    ("+Inf", f64::INFINITY),
];
const METHODS: [&str; 2] = ["GET", "POST"];
/// And how often they come.
const STATUSES: [(&str, f64); 3] = [("200", 0.97), ("404", 0.02), ("500", 0.01)];
const MODES: [(&str, f64); 4] = [("idle", 0.7), ("iowait", 0.02), ("system", 0.08), ("user", 0.2)];

/// The fleet between two scrapes.
#[derive(Debug)]
pub struct Fleet {
    rng: StdRng,
    instances: Vec<Instance>,
    /// The next scrape is a few seconds after this.
    next_ms: i64,
}

#[derive(Debug)]
struct Instance {
    labels: Vec<Labels>,
    /// How long after the beginning of an interval it is scraped.
    after_ms: i64,
    requests_per_scrape: f64,
    latency: LogNormal<f64>,
    state: State,
}

/// What it counts and measures.
#[derive(Debug)]
struct State {
    started_s: f64,
    cpu_seconds: [[f64; 4]; 2],
    requests: [[f64; 3]; 2],
    /// Not added up.
    buckets: [[f64; 12]; 2],
    latency_sums: [f64; 2],
    load: f64,
    memory: f64,
    available: f64,
    queued: f64,
}

impl State {
    fn at_start(at_ms: i64, available: f64) -> Self {
        Self {
            started_s: seconds(at_ms),
            cpu_seconds: Default::default(),
            requests: Default::default(),
            buckets: Default::default(),
            latency_sums: Default::default(),
            load: 1.0,
            memory: 2e8,
            available,
            queued: 0.0,
        }
    }
}

impl Fleet {
    /// So many instances, of which nothing is scraped before then.
    pub fn new(instances: usize, start_ms: i64) -> Self {
        let mut rng = StdRng::seed_from_u64(8);
        let instances = (0..instances)
            .map(|nth| Instance {
                labels: labels(nth),
                after_ms: rng.random_range(0..STEP_MS),
                requests_per_scrape: rng.random_range(5.0..60.0),
                latency: LogNormal::new(rng.random_range(-4.5..-2.0), 1.0).expect("a finite spread"),
                state: State::at_start(start_ms - 3_600_000, rng.random_range(1e10..1e11)),
            })
            .collect();
        Self { rng, instances, next_ms: start_ms }
    }

    /// Goes on: the series with their samples of so many scrapes, and none of others.
    pub fn scrape(&mut self, scrapes: usize) -> Dataset {
        let Self { rng, instances, next_ms } = self;
        let mut dataset = Vec::with_capacity(instances.len() * SERIES_PER_INSTANCE);
        for instance in &mut *instances {
            let first = dataset.len();
            dataset.extend(instance.labels.iter().map(|labels| (labels.clone(), Samples::default())));
            let series = &mut dataset[first..];
            for at_ms in (*next_ms + instance.after_ms..).step_by(STEP_MS as usize).take(scrapes) {
                instance.go_on(at_ms, rng);
                let values = instance.values();
                debug_assert_eq!(values.len(), series.len(), "as many values as series");
                for ((_, samples), value) in series.iter_mut().zip(values) {
                    samples.push(at_ms, value);
                }
            }
        }
        *next_ms += STEP_MS * i64::try_from(scrapes).unwrap_or(i64::MAX);
        dataset
    }
}

impl Instance {
    fn go_on(&mut self, at_ms: i64, rng: &mut StdRng) {
        if rng.random_ratio(1, SCRAPES_PER_START) {
            self.state = State::at_start(at_ms, self.state.available);
        }
        let state = &mut self.state;
        for of_cpu in &mut state.cpu_seconds {
            for (seconds, (_, share)) in of_cpu.iter_mut().zip(MODES) {
                *seconds += (15.0 * share * rng.random_range(0.8..1.2) * 100.0_f64).round() / 100.0;
            }
        }
        for method in 0..METHODS.len() {
            let mut count = 0.0;
            for (requests, (_, share)) in state.requests[method].iter_mut().zip(STATUSES) {
                let more: f64 =
                    Poisson::new(self.requests_per_scrape * share).expect("more than 0").sample(rng);
                *requests += more;
                count += more;
            }
            for _ in 0..count as usize {
                let latency = self.latency.sample(rng);
                let bucket = BOUNDS.partition_point(|(_, bound)| *bound < latency);
                state.buckets[method][bucket] += 1.0;
                state.latency_sums[method] += latency;
            }
        }
        let mut step = |by: f64| rng.sample::<f64, _>(StandardNormal) * by;
        state.load = ((state.load + step(0.1)).max(0.0) * 100.0).round() / 100.0;
        state.memory = ((state.memory + step(1e6)).max(1e7) / 4096.0).round() * 4096.0;
        state.available = ((state.available + step(1e7)).clamp(1e9, 2e11) / 4096.0).round() * 4096.0;
        state.queued = (state.queued + step(3.0)).max(0.0).round();
    }

    /// In the order of [`labels`].
    fn values(&self) -> Vec<f64> {
        let State { started_s, cpu_seconds, requests, buckets, latency_sums, .. } = &self.state;
        let mut values = vec![1.0, 1.0, *started_s, self.state.load, self.state.memory];
        values.extend([self.state.available, 2e11, self.state.queued]);
        values.extend(cpu_seconds.iter().flatten());
        values.extend(requests.iter().flatten());
        for (buckets, sum) in buckets.iter().zip(latency_sums) {
            let mut count = 0.0;
            values.extend(buckets.iter().map(|more| {
                count += more;
                count
            }));
            values.extend([*sum, count]);
        }
        values
    }
}

/// Whose series these are.
pub fn instance(nth: usize) -> String {
    format!("10.0.{}.{}:9100", nth / 200, nth % 200)
}

/// The labels of all series of an instance.
fn labels(nth: usize) -> Vec<Labels> {
    let mut all = Vec::with_capacity(SERIES_PER_INSTANCE);
    let mut add = |name: &str, more: &[(&str, &str)]| {
        let own = [
            ("__name__", name.to_owned()),
            ("env", ["production", "staging"][usize::from(nth % 5 == 4)].to_owned()),
            ("instance", instance(nth)),
            ("job", format!("api-{}", nth % JOBS)),
            ("region", ["eu-west-1", "us-east-1"][nth / 10 % 2].to_owned()),
        ];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        all.push(Labels::from_pairs(own.into_iter().chain(more)));
    };
    add("up", &[]);
    add("build_info", &[("version", &format!("1.{}.0", nth / 10 % 4)), ("goversion", "go1.25.1")]);
    add("process_start_time_seconds", &[]);
    add("node_load1", &[]);
    add("process_resident_memory_bytes", &[]);
    add("node_filesystem_avail_bytes", &[("device", "/dev/vda"), ("mountpoint", "/")]);
    add("node_filesystem_size_bytes", &[("device", "/dev/vda"), ("mountpoint", "/")]);
    add("queue_length", &[]);
    for cpu in ["0", "1"] {
        MODES.iter().for_each(|(mode, _)| add("node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)]));
    }
    for method in METHODS {
        for (status, _) in STATUSES {
            add("http_requests_total", &[("method", method), ("status", status)]);
        }
    }
    for method in METHODS {
        for (bound, _) in BOUNDS {
            add("http_request_duration_seconds_bucket", &[("method", method), ("le", bound)]);
        }
        add("http_request_duration_seconds_sum", &[("method", method)]);
        add("http_request_duration_seconds_count", &[("method", method)]);
    }
    all
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds fit")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_goes_on_where_it_was() {
        let (mut at_once, mut in_parts) = (Fleet::new(3, 0), Fleet::new(3, 0));
        let whole = at_once.scrape(4);
        assert_eq!(whole.len(), 3 * SERIES_PER_INSTANCE);
        let times: Vec<i64> = whole[0].1.timestamps_ms.clone();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == STEP_MS));
        let (first, second) = (in_parts.scrape(2), in_parts.scrape(2));
        let joined = [&first[0].1.timestamps_ms[..], &second[0].1.timestamps_ms].concat();
        assert_eq!(joined, times);
        let mut labels: Vec<_> = whole.iter().map(|(labels, _)| labels.to_string()).collect();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), whole.len(), "each series is one");
    }
}
