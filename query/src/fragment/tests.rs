//! Fragments as bytes, and run from bytes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use model::{Clock, Histogram, Labels, MatchOp, Matcher, Span, Value as Sample};
use proptest::prelude::*;

use super::*;
use crate::exec::{Common, Executor, into_matrix_series};
use crate::plan::{self, Asked, Grid};
use crate::syntax::{Edges, Function, Options, parse};

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now_us(&self) -> i64 {
        0
    }
}

const LIMITS: Limits = Limits { samples_max: 10_000_000, bytes_max: 1 << 30, timeout_ms: 1_000 };

const SETTINGS: ExecSettings = ExecSettings {
    lookback_ms: 300_000,
    hold_interval_ms: 15_000,
    delayed_name_removal: false,
    start_timestamps: false,
    type_labels: false,
    tallied: true,
    instant: false,
};

/// Sends all fragments and results through bytes, as they would go to another machine, where the series are read anew.
struct Elsewhere<'a> {
    local: LocalRunner<'a>,
}

impl FragmentRunner for Elsewhere<'_> {
    fn run(
        &self,
        fragment: &Fragment,
        take: &mut dyn FnMut(Partial) -> Result<(), ExecError>,
    ) -> Result<(), ExecError> {
        let bytes = fragment.to_bytes();
        let fragment = Fragment::from_bytes(&bytes).expect("are those of a fragment");
        assert_eq!(fragment.to_bytes(), bytes, "one way to write it");
        self.local.run(&fragment, &mut |partial| {
            let bytes = partial.to_bytes();
            let partial = Partial::from_bytes(&bytes).expect("are those of a result");
            assert_eq!(partial.to_bytes(), bytes, "one way to write it");
            take(partial)
        })
    }
}

fn histogram(count: f64) -> Sample {
    Sample::Histogram(Arc::new(Histogram {
        count,
        sum: count / 3.0,
        positive_spans: vec![Span { offset: -3, length: 1 }],
        positive_counts: vec![count],
        ..Histogram::default()
    }))
}

/// 300 series: counters, some with native histograms, some pushed.
fn series() -> Vec<Series> {
    let of = |nth: i32| {
        let labels = Labels::from_pairs([
            ("__name__", "x".to_owned()),
            ("group", (nth % 7).to_string()),
            ("nth", nth.to_string()),
        ]);
        let mut series = Series { labels, ..Series::default() };
        for at in 0..40 {
            let (at_ms, value) = (i64::from(at) * 15_000, f64::from((at % 23) * (nth + 1)).sqrt());
            match nth % 10 {
                3 if at > 20 => series.samples.push_value(at_ms, &histogram(value)),
                5 => series.steps.push(at_ms, at_ms + 15_000, value),
                _ => series.samples.push(at_ms, value),
            }
        }
        series
    };
    let mut all: Vec<Series> = (0..300).map(of).collect();
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all
}

#[test]
fn results_do_not_depend_on_where_fragments_run() {
    let grid = Grid::over(0, 600_000, 20_000);
    let limits = plan::Limits { lookback_ms: 300_000, subquery_step_ms: 60_000, subquery_steps_max: 10_000 };
    let series = series();
    for text in [
        "x",
        "timestamp(x)",
        "rate(x[1m])",
        "quantile_over_time(scalar(vector(0.3)), x{nth=~\"1.*\"}[1m])",
        "sum(x)",
        "avg by (group) (x)",
        "sum by (group) (rate(x[1m]))",
        "stddev without (nth) (increase(x[2m]))",
        "max(x) + min(x) + count(x) + group(x)",
        "absent_over_time(x{nth=\"nobody\"}[1m])",
        "topk(2, last_over_time(x[1m]))",
        "max_over_time(sum(x)[2m:30s])",
    ] {
        let expr = parse(text, &Options::stable()).expect(text);
        let plan = plan::plan(&expr, grid, grid.end_ms(), limits).expect(text);
        let data: Vec<Vec<Series>> = plan
            .selections
            .iter()
            .map(|selection| {
                series.iter().filter(|series| selection.matches(&series.labels)).cloned().collect()
            })
            .collect();
        let Limits { samples_max, bytes_max, .. } = LIMITS;
        let allowance = Allowance { samples_max, bytes_max, deadline_ms: 0 };
        let budget = Budget::new(allowance, Arc::new(Stopped), Arc::new(AtomicBool::new(false)));
        let common = Common { settings: SETTINGS, as_scraped_ms: None, limits: LIMITS };
        let local = || LocalRunner { data: &data, budget: &budget, threads: 2 };
        let answer = |runner: &dyn FragmentRunner| {
            let executor = Executor::new(&plan, &data, runner, common, &budget);
            let lines = executor.root_lines().expect(text);
            let series: Vec<_> =
                lines.into_iter().map(|line| into_matrix_series(line, |index| grid.at(index))).collect();
            assert!(!series.is_empty(), "{text} finds nothing");
            format!("{series:?} {:?}", executor.into_remains())
        };
        assert!(answer(&local()) == answer(&Elsewhere { local: local() }), "{text}");
    }
}

/// Answers as if other times had been asked for.
struct Elsewhen<'a> {
    local: LocalRunner<'a>,
}

impl FragmentRunner for Elsewhen<'_> {
    fn run(
        &self,
        fragment: &Fragment,
        take: &mut dyn FnMut(Partial) -> Result<(), ExecError>,
    ) -> Result<(), ExecError> {
        let mut other = fragment.clone();
        match &mut other.leaf {
            Leaf::Instant(node) => node.times.count += 1,
            Leaf::Windows(node, _) => {
                node.times.count += 1;
                node.grid.count += 1;
            }
        }
        self.local.run(&other, take)
    }
}

#[test]
fn results_for_other_times_are_refused() {
    let grid = Grid::over(0, 100_000, 20_000);
    let limits = plan::Limits { lookback_ms: 300_000, subquery_step_ms: 60_000, subquery_steps_max: 10_000 };
    for text in ["x", "rate(x[1m])", "sum(x)", "count by (group) (rate(x[1m]))"] {
        let expr = parse(text, &Options::stable()).expect(text);
        let plan = plan::plan(&expr, grid, grid.end_ms(), limits).expect(text);
        let data = [series()];
        let Limits { samples_max, bytes_max, .. } = LIMITS;
        let allowance = Allowance { samples_max, bytes_max, deadline_ms: 0 };
        let budget = Budget::new(allowance, Arc::new(Stopped), Arc::new(AtomicBool::new(false)));
        let common = Common { settings: SETTINGS, as_scraped_ms: None, limits: LIMITS };
        let runner = Elsewhen { local: LocalRunner { data: &data, budget: &budget, threads: 1 } };
        let error = Executor::new(&plan, &data, &runner, common, &budget).root_lines().expect_err(text);
        assert_eq!(error, ExecError::Internal { what: "a fragment gave results for other times" }, "{text}");
    }
}

fn fragment(leaf: Leaf, fold: Option<Fold>) -> Fragment {
    let matchers = vec![
        Matcher::equal("__name__", "x"),
        Matcher::new("job", MatchOp::NotRegex, "a.+b|c").expect("is a regular expression"),
    ];
    Fragment {
        selection: Selection { matchers, start_ms: -5, end_ms: i64::MAX },
        selected: 3,
        parts: None,
        reading: Reading { as_scraped_ms: Some(15_000), totals_only: true },
        leaf,
        fold,
        settings: SETTINGS,
        limits: LIMITS,
    }
}

#[test]
fn evaluating_is_pure_and_fits_the_order_of_labels() {
    let times = Grid::over(0, 600_000, 20_000);
    let range = ByteRange::default();
    let function = Function::SumOverTime;
    let windows = Windows {
        function,
        times,
        range_ms: 60_000,
        edges: Edges::Plain,
        grid: times,
        range,
        parameter_range: range,
    };
    let labels = vec![Arc::from("group")];
    let fold = Fold { op: AggregateOp::Sum, without: false, labels, range };
    let fragment = fragment(Leaf::Windows(windows, Vec::new()), Some(fold));
    let evaluate = |series| fragment.evaluate(series, Arc::new(Stopped)).expect("evaluates").to_bytes();
    let forth = evaluate(series());
    assert_eq!(forth, evaluate(series().into_iter().rev().collect()));
    let few = Fragment { limits: Limits { samples_max: 100, ..LIMITS }, ..fragment };
    let error = few.evaluate(series(), Arc::new(Stopped)).expect_err("too many scrapes");
    assert_eq!(error, ExecError::TooManySamples);
}

#[test]
fn what_is_no_fragment_is_refused() {
    let times = Grid::once(7);
    let range = ByteRange { start: 1, end: 9 };
    let node = InstantNode { selection: 0, times, asked: Asked::Value, smoothed: false, range };
    let fragment = fragment(Leaf::Instant(node), None).with_parts(vec![1, 2, 3]);
    assert_eq!(fragment.parts(), Some(&[1, 2, 3][..]));
    let bytes = fragment.to_bytes();
    assert_eq!(Fragment::from_bytes(&bytes), Ok(fragment));
    for length in 0..bytes.len() {
        assert!(Fragment::from_bytes(&bytes[..length]).is_err(), "the first {length} bytes are no fragment");
    }
    assert!(Fragment::from_bytes(&[&bytes[..], &[0]].concat()).is_err(), "one byte too many");
    let mut other = bytes.clone();
    other[0] = 99;
    assert_eq!(Fragment::from_bytes(&other), Err(CodecError::Version { found: 99 }));
    // whatever else is changed, it is an error or a fragment, and takes no memory that is not there
    for place in 1..bytes.len() {
        let mut other = bytes.clone();
        other[place] ^= 0xff;
        if let Ok(fragment) = Fragment::from_bytes(&other) {
            assert_eq!(fragment.to_bytes(), other);
        }
    }
}

proptest! {
    /// Any bytes are a result or an error.
    #[test]
    fn random_bytes_do_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for version in [0, 1] {
            bytes.insert(0, version);
            let _ = Fragment::from_bytes(&bytes);
            let _ = Partial::from_bytes(&bytes);
        }
    }

    #[test]
    fn fragments_survive_being_written(
        (start_ms, step_ms, count) in (any::<i64>(), 0_i64..1_000_000, 0_usize..20_000),
        (range_ms, threshold) in (1_i64..i64::MAX, any::<f64>()),
        (function, op) in (0_usize..90, 0_usize..14),
        labels in prop::collection::vec(".*", 0..3),
        (without, edges, steps) in (any::<bool>(), 0_u8..3, prop::collection::vec(-1e300..1e300_f64, 0..4)),
    ) {
        let times = Grid { start_ms, step_ms, count };
        let function = crate::syntax::Signature::all()[function].function;
        let edges = [Edges::Plain, Edges::Anchored, Edges::Smoothed][usize::from(edges)];
        let range = ByteRange { start: 1, end: count };
        let windows = Windows { function, times, range_ms, edges, grid: times, range, parameter_range: range };
        let parameters = vec![Scalar::Constant(threshold), Scalar::Steps(steps)];
        let labels = labels.into_iter().map(Arc::from).collect();
        let fold = Fold { op: AggregateOp::ALL[op], without, labels, range };
        let fragment = fragment(Leaf::Windows(windows, parameters), Some(fold));
        let bytes = fragment.to_bytes();
        // NaN is not equal to itself, but its bytes are
        prop_assert_eq!(Fragment::from_bytes(&bytes).expect("are those of a fragment").to_bytes(), bytes);
    }
}
