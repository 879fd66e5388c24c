//! Numbers that can be checked by hand.

use model::{OPEN_END_MS, Steps};

use super::*;

const HOLD_MS: i64 = 15_000;

/// Steps in seconds: (from, until, value).
fn steps(list: &[(i64, i64, f64)]) -> Steps {
    let mut steps = Steps::default();
    for &(from, until, value) in list {
        let until_ms = if until == OPEN_END_MS { until } else { until * 1_000 };
        steps.push(from * 1_000, until_ms, value);
    }
    steps
}

fn counted_from_zero(mut steps: Steps, which: &[usize]) -> Steps {
    which.iter().for_each(|&step| steps.from_zero[step] = true);
    steps
}

const OPEN: i64 = OPEN_END_MS;

/// The function over (t - range, t], in seconds.
fn over(function: Function, steps: &Steps, t: i64, range: i64) -> Option<f64> {
    over_with(function, steps, t, range, 0.5)
}

fn over_with(function: Function, steps: &Steps, t: i64, range: i64, parameter: f64) -> Option<f64> {
    let window = StepWindows::over(steps, HOLD_MS).at((t - range) * 1_000, t * 1_000)?;
    evaluate(function, window, [parameter, 0.5]).expect("a range function")
}

#[test]
fn increases_are_exact() {
    let check = |list: &[(i64, i64, f64)], t: i64, range: i64, expect: Option<f64>| {
        let steps = steps(list);
        assert_eq!(
            over(Function::Increase, &steps, t, range),
            expect,
            "increase of {list:?} over {range} s at {t}"
        );
        let rate = expect.map(|increase| increase / range as f64);
        assert_eq!(over(Function::Rate, &steps, t, range), rate, "rate of {list:?} over {range} s at {t}");
    };
    // one increment of 1 is 1 in every window that contains it
    let one: &[_] = &[(0, 100, 5.0), (100, OPEN, 6.0)];
    check(one, 100, 1, Some(1.0));
    check(one, 100, 60, Some(1.0));
    check(one, 159, 60, Some(1.0));
    check(one, 160, 60, Some(0.0));
    check(one, 99, 60, Some(0.0));
    check(one, 100_000, 86_400, Some(0.0));
    check(one, 100_000, 100_000, Some(1.0));
    // the first step is the base if nothing holds at the start
    check(&[(50, OPEN, 7.0)], 60, 60, Some(0.0));
    check(&[(50, 55, 7.0), (55, OPEN, 9.0)], 60, 60, Some(2.0));
    // nothing holds
    check(&[(50, OPEN, 7.0)], 49, 60, None);
    check(&[(50, 60, 7.0)], 130, 60, None);
    check(&[(50, 60, 7.0)], 119, 60, Some(0.0));
    // resets
    check(&[(0, 10, 5.0), (10, 20, 2.0), (20, OPEN, 3.0)], 30, 60, Some(3.0));
    // gaps do not matter
    check(&[(0, 10, 5.0), (40, OPEN, 8.0)], 50, 60, Some(3.0));
    check(&[(0, 10, 5.0), (40, OPEN, 4.0)], 50, 60, Some(4.0));
    // what ended before the window is no base
    check(&[(0, 10, 5.0), (40, OPEN, 8.0)], 50, 30, Some(0.0));
}

#[test]
fn what_was_counted_from_zero_counts_whole() {
    let first = counted_from_zero(steps(&[(50, 60, 1.0), (60, OPEN, 3.0)]), &[0]);
    assert_eq!(over(Function::Increase, &first, 60, 60), Some(3.0));
    assert_eq!(
        over(Function::Increase, &first, 60, 10),
        Some(2.0),
        "50 is outside of (50, 60], but holds at its start"
    );
    let again = counted_from_zero(steps(&[(0, 10, 2.0), (20, OPEN, 3.0)]), &[0, 1]);
    assert_eq!(over(Function::Increase, &again, 30, 60), Some(5.0));
    assert_eq!(over(Function::Increase, &again, 30, 25), Some(3.0), "only a new epoch starts in (5, 30]");
    assert_eq!(over(Function::Resets, &again, 30, 60), Some(1.0));
}

#[test]
fn differences_and_instant_rates() {
    let gauge = steps(&[(0, 10, 5.0), (10, 30, 2.0), (30, OPEN, 3.0)]);
    let check = |function, t, range, expect| {
        assert_eq!(over(function, &gauge, t, range), expect, "{function:?} over {range} s at {t}");
    };
    check(Function::Delta, 40, 60, Some(-2.0));
    check(Function::Delta, 40, 25, Some(1.0));
    check(Function::Delta, 100, 10, Some(0.0));
    check(Function::Idelta, 40, 60, Some(1.0));
    check(Function::Idelta, 29, 60, Some(-3.0));
    check(Function::Idelta, 100, 10, Some(0.0));
    check(Function::Irate, 40, 60, Some(1.0 / 20.0));
    check(Function::Irate, 40, 15, Some(1.0 / 20.0));
    check(Function::Irate, 29, 60, Some(2.0 / 10.0));
    check(Function::Irate, 100, 10, Some(0.0));
    check(Function::Changes, 40, 60, Some(2.0));
    check(Function::Changes, 40, 15, Some(1.0));
    check(Function::Changes, 100, 10, Some(0.0));
    check(Function::Resets, 40, 60, Some(1.0));
    check(Function::Resets, 40, 15, Some(0.0));
}

#[test]
fn extremes_and_ends_see_every_step() {
    // the spike from 61 to 62 is between all multiples of 15 s
    let spike = steps(&[(0, 61, 1.0), (61, 62, 9.0), (62, OPEN, 2.0)]);
    let check = |function, t, range, expect| {
        assert_eq!(over(function, &spike, t, range), expect, "{function:?} over {range} s at {t}");
    };
    check(Function::MaxOverTime, 100, 60, Some(9.0));
    check(Function::MaxOverTime, 100, 30, Some(2.0));
    check(Function::MinOverTime, 100, 60, Some(1.0));
    check(Function::FirstOverTime, 100, 60, Some(1.0));
    check(Function::FirstOverTime, 100, 39, Some(9.0));
    check(Function::LastOverTime, 100, 60, Some(2.0));
    check(Function::PresentOverTime, 100, 60, Some(1.0));
    check(Function::PresentOverTime, -1, 60, None);
    // what holds only at the millisecond before the window is a base, and nothing else
    let mut edge = Steps::default();
    edge.push(0, 40_001, 5.0);
    edge.push(50_000, OPEN_END_MS, 7.0);
    assert_eq!(over(Function::Increase, &edge, 100, 60), Some(2.0));
    assert_eq!(over(Function::MinOverTime, &edge, 100, 60), Some(7.0));
    assert_eq!(over(Function::FirstOverTime, &edge, 100, 60), Some(7.0));
    assert_eq!(over(Function::PresentOverTime, &edge, 45, 5), None);
}

#[test]
fn what_counts_samples_sees_virtual_ones() {
    // virtual samples in (40, 100]: 45, 60 of 1; 75, 90 of 4
    let gauge = steps(&[(0, 61, 1.0), (61, OPEN, 4.0)]);
    let check = |function, t, range, expect: Option<f64>| {
        let found = over(function, &gauge, t, range);
        let close = match (found, expect) {
            (Some(found), Some(expect)) => (found - expect).abs() < 1e-12,
            (found, expect) => found == expect,
        };
        assert!(close, "{function:?} over {range} s at {t}: {found:?} instead of {expect:?}");
    };
    check(Function::CountOverTime, 100, 60, Some(4.0));
    check(Function::SumOverTime, 100, 60, Some(10.0));
    check(Function::AvgOverTime, 100, 60, Some(2.5));
    check(Function::StdvarOverTime, 100, 60, Some(2.25));
    check(Function::StddevOverTime, 100, 60, Some(1.5));
    check(Function::QuantileOverTime, 100, 60, Some(2.5));
    check(Function::MadOverTime, 100, 60, Some(1.5));
    // both edges: (45, 60] holds 60 only; (44.999, 60] also 45
    check(Function::CountOverTime, 60, 15, Some(1.0));
    check(Function::CountOverTime, 60, 16, Some(2.0));
    check(Function::CountOverTime, 59, 10, None);
    check(Function::CountOverTime, 86_400, 86_400, Some(5_760.0));
    // 45: 1, 60: 1, 75: 4, 90: 4; the least squares line
    check(Function::Deriv, 100, 60, Some(0.08));
    check(Function::CountOverTime, 10_000, 60, Some(4.0));
    // a step that ends at a multiple is not seen there
    let short = steps(&[(30, 45, 1.0)]);
    assert_eq!(over(Function::CountOverTime, &short, 60, 60), Some(1.0));
    assert_eq!(over_with(Function::QuantileOverTime, &short, 60, 60, 2.0), Some(f64::INFINITY));
}

#[test]
fn a_bare_window_shows_beginnings_and_virtual_samples() {
    let gauge = steps(&[(0, 61, 1.0), (61, 75, 4.0), (75, 80, 5.0), (85, OPEN, 6.0)]);
    let window = StepWindows::over(&gauge, HOLD_MS).at(40_000, 100_000).expect("holds");
    let seconds: Vec<(i64, f64)> =
        bare(window).into_iter().map(|(ms, step)| (ms / 1_000, gauge.values[step])).collect();
    assert_eq!(seconds, [(45, 1.0), (60, 1.0), (61, 4.0), (75, 5.0), (85, 6.0), (90, 6.0)]);
}

#[test]
fn values_are_seen_at_virtual_samples_or_when_they_begin() {
    let gauge = steps(&[(7, OPEN, 1.0)]);
    let check = |at: i64, expect: i64| {
        assert_eq!(seen_ms(&gauge, 0, at * 1_000, HOLD_MS), expect * 1_000, "at {at}");
    };
    check(7, 7);
    check(14, 7);
    check(15, 15);
    check(29, 15);
    check(3_000, 3_000);
}

#[test]
fn times_are_those_at_which_a_value_holds() {
    let list = steps(&[(0, 50, 5.0), (50, 80, 7.0), (80, 90, 5.0)]);
    let check = |function: Function, t: i64, range: i64, expect: f64| {
        assert_eq!(over(function, &list, t, range), Some(expect), "{function:?} over {range} s at {t}");
    };
    check(Function::TsOfFirstOverTime, 60, 30, 30.001);
    check(Function::TsOfFirstOverTime, 60, 100, 0.0);
    check(Function::TsOfLastOverTime, 60, 30, 60.0);
    check(Function::TsOfLastOverTime, 100, 60, 89.999);
    check(Function::TsOfMaxOverTime, 100, 100, 79.999);
    check(Function::TsOfMinOverTime, 100, 100, 89.999);
}
