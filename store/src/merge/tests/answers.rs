//! All that a reader answers, so that it can be compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{Labels, MatchOp, Matcher, NeededLabels, Selection, Steps};

use super::story::T0;
use crate::reader::{Gathered, Pushes, pushed};
use crate::segment::Span;

/// What every series holds at a time since the story's begin, but for what the literal model does not know.
pub(super) fn at(pushes: &Pushes, at_ms: i64) -> BTreeMap<Labels, f64> {
    let at_ms = T0 + at_ms;
    let selection = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
    let gathered = Gathered::of(pushes, &selection, &NeededLabels::All);
    let series = gathered.into_series(at_ms, at_ms).into_iter().map(|identified| identified.series);
    series.filter_map(|series| Some((series.labels, series.steps.values[series.steps.at(at_ms)?]))).collect()
}

/// The first answer that differs between the two; empty if none does.
pub(super) fn difference(a: &Pushes, b: &Pushes, (start_ms, end_ms): (i64, i64), known_ms: i64) -> String {
    let regex = |name, value| Matcher::new(name, MatchOp::Regex, value).expect("a pattern");
    let selections = [
        vec![regex("__name__", ".+")],
        vec![Matcher::equal("__name__", "h_bucket"), Matcher::equal("le", "2.0")],
        vec![Matcher::equal("__name__", "push_expired_time_seconds")],
        vec![Matcher::equal("__name__", "push_failure_time_seconds")],
        vec![Matcher::equal("__name__", "c"), Matcher::equal("x", "a")],
    ];
    for matchers in selections {
        let selection = Selection { matchers, start_ms, end_ms };
        let (a, b) = (shown(a, &selection), shown(b, &selection));
        if a != b {
            return format!("{:?}\n{a}\nand\n{b}", selection.matchers);
        }
    }
    for at_ms in [start_ms, (start_ms + end_ms) / 2, end_ms] {
        let selection = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
        let gathered = |pushes| Gathered::of(pushes, &selection, &NeededLabels::All);
        let (live_a, live_b) = (gathered(a).into_live(at_ms, None), gathered(b).into_live(at_ms, None));
        if format!("{live_a:?}") != format!("{live_b:?}") {
            return format!("live at {}\n{live_a:#?}\nand\n{live_b:#?}", at_ms - T0);
        }
        let groups = |pushes| {
            let mut groups = gathered(pushes).into_live_groups(at_ms, None);
            if at_ms < known_ms {
                // what had been going to happen is not known of times in runs
                groups.iter_mut().for_each(|group| group.until_us = None);
            }
            format!("{groups:#?}")
        };
        let (groups_a, groups_b) = (groups(a), groups(b));
        if groups_a != groups_b {
            return format!("groups at {}\n{groups_a}\nand\n{groups_b}", at_ms - T0);
        }
    }
    String::new()
}

fn shown(pushes: &Pushes, selection: &Selection) -> String {
    let mut series: Vec<_> = pushed(pushes, selection, &NeededLabels::All, &Span::default())
        .into_iter()
        .map(|i| i.series)
        .collect();
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut text = String::new();
    for series in series {
        writeln!(text, "{}: {}", series.labels, steps(&series.steps, selection)).expect("a text");
    }
    text
}

/// Steps as PromQL sees them within a time: where what came before them makes no difference.
fn steps(steps: &Steps, selection: &Selection) -> String {
    let mut shown: Vec<(i64, i64, String, bool)> = Vec::new();
    for step in 0..steps.len() {
        let from = steps.from_ms[step].max(selection.start_ms);
        let until = steps.until_ms[step].min(selection.end_ms + 1);
        let histogram = steps.histograms.get(step).and_then(Option::as_ref);
        let value = histogram.map_or(steps.values[step].to_string(), |histogram| format!("{histogram:?}"));
        let from_zero = steps.from_zero[step] && steps.from_ms[step] > selection.start_ms;
        match shown.last_mut() {
            Some(last) if last.1 == from && last.2 == value && !from_zero => last.1 = until,
            _ if from < until => shown.push((from, until, value, from_zero)),
            _ => {}
        }
    }
    let step = |(from, until, value, from_zero): &(i64, i64, String, bool)| {
        format!("{}..{} {}{value}", from - T0, until - T0, if *from_zero { "^" } else { "" })
    };
    shown.iter().map(step).collect::<Vec<_>>().join(", ")
}
