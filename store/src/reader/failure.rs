//! The failure time of groups whose pushes have never failed: 0, as the Pushgateway shows it.
//!
//! A gateway writes a failure only when there is one, since it never reads first. So where a group is there, which its
//! `push_time_seconds` says, and no failure is held, the value is 0.

use std::collections::HashMap;

use model::{Labels, OPEN_END_MS, Selection, Series, Steps};

use super::gather::Identified;
use crate::fold::{PUSH_FAILURE_FAMILY, PUSH_TIME_FAMILY};

/// What must be read besides the selection itself; `None` if the selection can have no failure times.
pub(super) fn also_needed(selection: &Selection) -> Option<Selection> {
    let about_name = |m: &&model::Matcher| &*m.name == Labels::NAME;
    if !selection.matchers.iter().filter(about_name).all(|m| m.matches(PUSH_FAILURE_FAMILY)) {
        return None;
    }
    let mut matchers = vec![model::Matcher::equal(Labels::NAME, PUSH_TIME_FAMILY)];
    matchers.extend(selection.matchers.iter().filter(|m| !about_name(m)).cloned());
    Some(Selection { matchers, start_ms: selection.start_ms, end_ms: selection.end_ms })
}

/// Adds to `series`, which were selected, the zeros of the groups whose push times are given.
pub(super) fn add_zeros(series: &mut Vec<Identified>, push_times: &[Identified]) {
    // looked up once per group, so found by a map
    let mut known: HashMap<Labels, usize> = HashMap::new();
    for (index, Identified { series, .. }) in series.iter().enumerate() {
        if series.labels.metric_name() == PUSH_FAILURE_FAMILY {
            known.insert(series.labels.clone(), index);
        }
    }
    for Identified { series: group, .. } in push_times {
        let mut labels = group.labels.to_builder();
        let labels = labels.set(Labels::NAME, PUSH_FAILURE_FAMILY).build();
        match known.get(&labels) {
            Some(&index) => {
                let failures = &mut series[index].series.steps;
                *failures = filled(&group.steps, failures);
            }
            None => {
                let steps = filled(&group.steps, &Steps::default());
                let fingerprint = labels.fingerprint();
                series
                    .push(Identified { series: Series { labels, steps, ..Series::default() }, fingerprint });
            }
        }
    }
}

/// `failures`, and 0 where `group` holds anything and they do not.
fn filled(group: &Steps, failures: &Steps) -> Steps {
    let mut filled = Steps::default();
    let mut next_failure = 0;
    for (from_ms, until_ms) in lives(group) {
        let mut at_ms = from_ms;
        while at_ms < until_ms {
            while next_failure < failures.len() && failures.until_ms[next_failure] <= at_ms {
                next_failure += 1;
            }
            let (from, until) = match next_failure < failures.len() {
                true => (failures.from_ms[next_failure], failures.until_ms[next_failure]),
                false => (OPEN_END_MS, OPEN_END_MS),
            };
            if at_ms < from {
                filled.push(at_ms, from.min(until_ms), 0.0);
                at_ms = from.min(until_ms);
            } else {
                filled.push(at_ms, until.min(until_ms), failures.values[next_failure]);
                at_ms = until.min(until_ms);
            }
        }
    }
    filled
}

/// Where steps hold without a gap.
fn lives(steps: &Steps) -> Vec<(i64, i64)> {
    let mut lives: Vec<(i64, i64)> = Vec::new();
    for (&from_ms, &until_ms) in steps.from_ms.iter().zip(&steps.until_ms) {
        match lives.last_mut() {
            Some(last) if last.1 == from_ms => last.1 = until_ms,
            _ => lives.push((from_ms, until_ms)),
        }
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(of: &[(i64, i64, f64)]) -> Steps {
        let mut steps = Steps::default();
        of.iter().for_each(|(from, until, value)| steps.push(*from, *until, *value));
        steps
    }

    #[test]
    fn zeros_stand_where_the_group_is_and_no_failure_is() {
        let check = |group: &[(i64, i64, f64)], failures: &[(i64, i64, f64)], expect: &[(i64, i64, f64)]| {
            assert_eq!(filled(&steps(group), &steps(failures)), steps(expect));
        };
        let open = OPEN_END_MS;
        check(&[(1, 5, 0.1), (5, open, 0.2)], &[], &[(1, open, 0.0)]);
        check(&[(1, 5, 0.1), (9, open, 0.2)], &[], &[(1, 5, 0.0), (9, open, 0.0)]);
        check(&[(1, open, 0.1)], &[(3, 7, 33.0)], &[(1, 3, 0.0), (3, 7, 33.0), (7, open, 0.0)]);
        check(&[(1, open, 0.1)], &[(1, open, 33.0)], &[(1, open, 33.0)]);
        check(&[(4, 6, 0.1)], &[(1, open, 33.0)], &[(4, 6, 33.0)]);
        check(&[], &[(1, open, 33.0)], &[]);
    }

    #[test]
    fn only_selections_that_ask_for_failures_need_more() {
        let check = |matchers: Vec<model::Matcher>, expect: bool| {
            let selection = Selection { matchers, start_ms: 0, end_ms: 1 };
            assert_eq!(also_needed(&selection).is_some(), expect, "{selection:?}");
        };
        let regex = |name: &str, value: &str| {
            model::Matcher::new(name, model::MatchOp::Regex, value).expect("parses")
        };
        check(vec![], true);
        check(vec![model::Matcher::equal("__name__", "rows")], false);
        check(vec![model::Matcher::equal("__name__", "push_failure_time_seconds")], true);
        check(vec![regex("__name__", "push_.*"), model::Matcher::equal("job", "x")], true);
    }
}
