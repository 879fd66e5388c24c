//! Tables to be checked by hand. That everything holds together is shown by `store/tests/fold.rs`.

use std::collections::HashMap;

use model::{
    GroupKey, Histogram, Labels, Matcher, Merge, MetricType, OPEN_END_MS, RETRY_WINDOW_US, RetryKey,
    Selection, Span, Stamp, Value,
};

use proptest::prelude::*;

use super::*;

const A: GroupKey = GroupKey(1);
const B: GroupKey = GroupKey(2);

/// One series, and all that happened to it.
#[derive(Default)]
struct Story {
    series: SeriesEvents,
    heads: Heads,
}

impl Story {
    /// `AT GROUP WHAT | …` with AT in milliseconds (a third part after a dot in microseconds). WHAT is `=1` a set, `+1` an
    /// add, `<1` a minimum, `>1` a maximum, `g1` a set as another type, `!` DELETE, `~` PUT, `/f` POST of the family f,
    /// `?9` a push that expires at 9, `?` one that does not, `#k` one with the key k; `*!` is a wipe.
    fn of(text: &str) -> Self {
        let mut story = Self::default();
        for event in text.split('|').filter(|event| !event.trim().is_empty()) {
            let (at, what) = event.trim().split_once(' ').expect("time and event");
            let at_us = match at.split_once('.') {
                Some((ms, us)) => number::<i64>(ms) * 1_000 + number::<i64>(us),
                None => number::<i64>(at) * 1_000,
            };
            story.add(Stamp { at_us, writer: 1 }, what);
        }
        story
    }

    fn add(&mut self, stamp: Stamp, event: &str) {
        let group = if event.starts_with('A') { A } else { B };
        let (what, rest) = event[1..].split_at(1);
        let mut value = |merge, r#type| {
            let kind = Kind { family: "f".into(), r#type, merge };
            let events = self.series.group(group);
            let kind = events.kind(&kind);
            events.push(stamp, kind, Value::Float(number(rest)));
        };
        let pushed = |until_us, retry_key| Pushed { stamp, group, until_us, retry_key };
        match what {
            "=" => value(Merge::Set, MetricType::Counter),
            "+" => value(Merge::Add, MetricType::Counter),
            "g" => value(Merge::Add, MetricType::Gauge),
            "<" => value(Merge::Min, MetricType::Gauge),
            ">" => value(Merge::Max, MetricType::Gauge),
            "!" if event.starts_with('*') => self.heads.clear(stamp, Scope::Everything),
            "!" => self.heads.clear(stamp, Scope::Group(group)),
            "~" => self.heads.clear(stamp, Scope::GroupButFailure(group)),
            "/" => self.heads.clear(stamp, Scope::Family(group, rest.into())),
            "?" if rest.is_empty() => self.heads.push(pushed(None, None)),
            "?" => self.heads.push(pushed(Some(number::<i64>(rest) * 1_000), None)),
            "#" => self.heads.push(pushed(None, Some(RetryKey { key: number(rest), body: 0 }))),
            _ => panic!("{event}"),
        }
    }

    fn steps(mut self, start_ms: i64, end_ms: i64) -> Steps {
        let ends = self.heads.ends();
        let mut series = SeriesEvents::default();
        for (group, mut events) in self.series {
            events.events.retain(|event| !ends.is_repeated(event.stamp));
            *series.group(group) = events;
        }
        fold(series, &ends, start_ms, end_ms)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

/// `FROM..UNTIL VALUE, …`, with `^` before what grew from zero.
fn show(steps: &Steps) -> String {
    let step = |i: usize| {
        let until =
            if steps.until_ms[i] == OPEN_END_MS { String::new() } else { steps.until_ms[i].to_string() };
        let growth = if steps.from_zero[i] { "^" } else { "" };
        format!("{}..{until} {growth}{}", steps.from_ms[i], steps.values[i])
    };
    (0..steps.len()).map(step).collect::<Vec<_>>().join(", ")
}

fn check(events: &str, expect: &str) {
    assert_eq!(show(&Story::of(events).steps(0, i64::MAX)), expect, "{events}");
}

#[test]
fn what_is_set_holds_until_something_ends_it() {
    check("10 A=1 | 20 A=2", "10..20 1, 20.. 2");
    check("20 A=2 | 10 A=1 | 20 A=2", "10..20 1, 20.. 2");
    check("10 A=1 | 20 A!", "10..20 1");
    // what is set at the stamp of a clear stays
    check("10 A! | 10 A=1", "10.. 1");
    // a PUT without the series, and a POST of another family
    check("10 A=1 | 20 A~ | 30 A=3", "10..20 1, 30.. 3");
    check("10 A=1 | 20 A/g | 30 A/f", "10..30 1");
    // another group's end, an end of nothing, everybody's end
    check("10 A=1 | 20 B!", "10.. 1");
    check("5 A! | 10 A=1", "10.. 1");
    check("10 A=1 | 20 *! | 30 A=2", "10..20 1, 30.. 2");
}

#[test]
fn of_two_groups_the_later_shows() {
    check("10 A=1 | 20 B=2 | 30 B!", "10..20 1, 20..30 2, 30.. 1");
    check("10 A=1 | 20 B=2 | 30 A=3 | 40 A!", "10..20 1, 20..30 2, 30..40 3, 40.. 2");
    check("10 A=1 | 20 B=2 | 30 A!", "10..20 1, 20.. 2");
    check("10 A=1 | 20 B=2 | 20 B?40 | 50 *!", "10..20 1, 20..40 2, 40..50 1");
    // each adds to its own
    check("10 A+1 | 20 B+10 | 30 A+2 | 40 A!", "10..20 ^1, 20..30 ^10, 30..40 3, 40.. 10");
}

#[test]
fn what_is_added_grows_from_zero() {
    check("10 A+5", "10.. ^5");
    check("10 A+5 | 20 A+3", "10..20 ^5, 20.. 8");
    check("20 A+3 | 10 A+5 | 20 A+3", "10..20 ^5, 20.. 8");
    // an end, of any kind, begins anew
    check("10 A+5 | 20 A! | 30 A+3 | 40 A+1", "10..20 ^5, 30..40 ^3, 40.. 4");
    check("10 A+5 | 20 A/f | 20 A+3", "10..20 ^5, 20.. ^3");
    check("10 A+5 | 20 *! | 30 A+3", "10..20 ^5, 30.. ^3");
    check("10 A+5 | 20 A/g | 30 A+3", "10..30 ^5, 30.. 8");
    // so does another kind: replaced, or a gauge
    check("10 A=5 | 20 A+3", "10..20 5, 20.. ^3");
    check("10 A+5 | 20 A=3 | 30 A+1", "10..20 ^5, 20..30 3, 30.. ^1");
    check("10 A+5 | 20 Ag3 | 30 Ag1", "10..20 ^5, 20..30 ^3, 30.. 4");
    // sums lose nothing beside what is large
    check("10 A+1e16 | 20 A+1 | 30 A+-1e16", "10..20 ^10000000000000000, 20..30 10000000000000000, 30.. 1");
}

#[test]
fn what_is_added_tells_since_when_it_counts() {
    let check = |events: &str, expect: &[i64]| {
        assert_eq!(Story::of(events).steps(0, i64::MAX).start_ms, expect, "{events}");
        // however late the selection begins
        let late = Story::of(events).steps(1_000, i64::MAX);
        assert_eq!(late.start_ms.last(), expect.last(), "{events}, late");
    };
    check("10 A+5 | 20 A+3 | 30 A+1", &[10, 10, 10]);
    check("10 A+5 | 20 A! | 30 A+3 | 40 A+1", &[10, 30, 30]);
    // what is set, and the least and the most, count from nowhere
    check("10 A=5 | 20 A=3", &[]);
    check("10 A<5 | 20 A<3", &[]);
    check("10 A=5 | 20 A+3", &[0, 20]);
    check("10 A+5 | 20 A=3 | 30 A+1", &[10, 0, 30]);
    // of another group, another epoch
    check("10 A+1 | 20 B+10 | 30 A+2 | 40 A!", &[10, 20, 10, 20]);
}

#[test]
fn least_and_most() {
    check("10 A<5 | 20 A<7 | 30 A<2", "10..20 5, 20..30 5, 30.. 2");
    check("10 A>5 | 20 A>7 | 30 A>2", "10..20 5, 20..30 7, 30.. 7");
    check("10 A>5 | 20 A! | 30 A>2", "10..20 5, 30.. 2");
    check("10 A>5 | 20 A<7", "10..20 5, 20.. 7");
    check("10 A<NaN | 20 A<7", "10..20 NaN, 20.. 7");
}

#[test]
fn a_group_expires_when_nobody_pushes_to_it() {
    check("10 A=1 | 10 A?30", "10..30 1");
    // every push decides anew
    check("10 A=1 | 10 A?30 | 20 A?50", "10..50 1");
    check("10 A=1 | 10 A?30 | 20 A?25", "10..25 1");
    check("10 A=1 | 10 A?30 | 20 A?", "10.. 1");
    check("10 A=1 | 10 A?30 | 20 B?", "10..30 1");
    // a POST of another family is a push to the group too; of a failure it is none
    check("10 A=1 | 10 A?30 | 20 A/g", "10.. 1");
    check("10 A=1 | 10 A?30 | 20 A/push_failure_time_seconds", "10..30 1");
    // a push at the very moment finds the group expired
    check("10 A+1 | 10 A?30 | 30 A+2 | 30 A?", "10..30 ^1, 30.. ^2");
    check("10 A+1 | 10 A?30 | 29 A+2 | 29 A?49", "10..29 ^1, 29..49 3");
    check("10 A+1 | 10 A?30 | 40 A+2 | 40 A?60", "10..30 ^1, 40..60 ^2");
    // DELETE, and a push after it
    check("10 A=1 | 10 A?30 | 20 A! | 40 A=2", "10..20 1, 40.. 2");
    check("10 A=1 | 10 A?30 | 20 *! | 25 A=2", "10..20 1, 25.. 2");
}

#[test]
fn an_expiry_comes_before_all_that_is_stamped_in_its_microsecond() {
    // a run does not say who has stamped what
    for writer in [0, 1] {
        for scope in [Scope::Everything, Scope::Group(A), Scope::GroupButFailure(A)] {
            let at = |ms: i64, writer| Stamp { at_us: ms * 1_000, writer };
            let mut heads = Heads::default();
            heads.push(Pushed { stamp: at(10, writer), group: A, until_us: Some(30_000), retry_key: None });
            heads.clear(at(30, writer), scope.clone());
            let expired: Vec<_> = heads.ends().expiries(A).collect();
            assert_eq!(expired, [Expired { at: at(30, 0), until: Some(at(30, writer)) }], "{scope:?}");
        }
    }
}

#[test]
fn a_retry_counts_once() {
    check("10 A+5 | 10 A#7 | 20 A+5 | 20 A#7", "10.. ^5");
    check("20 A+5 | 20 A#7 | 10 A+5 | 10 A#7 | 10 A#7", "10.. ^5");
    check("10 A+5 | 10 A#7 | 20 A+5 | 20 A#8", "10..20 ^5, 20.. 10");
    check("10 A=5 | 10 A#7 | 20 A=6 | 30 A~ | 30 A=5 | 30 A#7", "10..20 5, 20.. 6");
    // a window later the key is new, counted from the push that counted
    let window_ms = RETRY_WINDOW_US / 1_000;
    let (just_before, after) = (window_ms + 9, window_ms + 10);
    check(&format!("10 A+5 | 10 A#7 | {just_before} A+5 | {just_before} A#7"), "10.. ^5");
    check(
        &format!("10 A+5 | 10 A#7 | 20 A+5 | 20 A#7 | {after} A+5 | {after} A#7"),
        &format!("10..{after} ^5, {after}.. 10"),
    );
}

#[test]
fn of_changes_within_a_millisecond_the_last_is_seen() {
    check("10 A=1 | 10.1 A=2 | 11.999 A=3", "10..11 2, 11.. 3");
    // what was added within it counts together
    check("10 A+1 | 10.1 A+2 | 11 A+3", "10..11 ^3, 11.. 6");
    check("9 A+1 | 10 A+1 | 10.1 A+2", "9..10 ^1, 10.. 4");
    check("9 A+1 | 10 A! | 10.1 A+2 | 10.2 A+3", "9..10 ^1, 10.. ^5");
    check("10 A+1 | 10.1 A! | 20 A+2", "20.. ^2");
}

#[test]
fn steps_outside_the_asked_time_are_left_out() {
    let of = |start_ms, end_ms| show(&Story::of("10 A=1 | 20 A=2 | 30 A=3").steps(start_ms, end_ms));
    assert_eq!(of(20, 29), "20..30 2");
    assert_eq!(of(0, 9), "");
}

/// A histogram of group A: `AT BOUND:COUNT,… | …`, each an add; `AT !` is a DELETE and `AT =BOUND:COUNT,…` a set. Shown are
/// the steps of each bound.
fn check_buckets(pushes: &str, expect: &[&str]) {
    let mut all: HashMap<Labels, SeriesEvents> = HashMap::new();
    let mut heads = Heads::default();
    for push in pushes.split(" | ") {
        let (at, counts) = push.split_once(' ').expect("time and counts");
        let stamp = Stamp { at_us: number::<i64>(at) * 1_000, writer: 1 };
        if counts == "!" {
            heads.clear(stamp, Scope::Group(A));
            continue;
        }
        let (merge, counts) = counts.strip_prefix('=').map_or((Merge::Add, counts), |c| (Merge::Set, c));
        for (bound, count) in counts.split(',').filter_map(|count| count.split_once(':')) {
            let labels = Labels::from_pairs([("__name__", "h_bucket"), ("job", "j"), ("le", bound)]);
            let events = all.entry(labels).or_default().group(A);
            let kind = events.kind(&Kind { family: "h".into(), r#type: MetricType::Histogram, merge });
            events.push(stamp, kind, Value::Float(number(count)));
        }
    }
    complete(&mut all);
    let ends = heads.ends();
    let mut found: Vec<String> = all
        .into_iter()
        .map(|(labels, series)| {
            format!("{}: {}", labels.get("le").unwrap_or(""), show(&fold(series, &ends, 0, i64::MAX)))
        })
        .collect();
    found.sort();
    assert_eq!(found, expect, "{pushes}");
}

#[test]
fn histograms_are_added_on_the_union_of_their_bounds() {
    check_buckets("10 1:2,Inf:3 | 20 1:1,Inf:1", &["1: 10..20 ^2, 20.. 3", "Inf: 10..20 ^3, 20.. 4"]);
    // a push without the bound 2 has there what it has at 1, or nothing
    check_buckets(
        "10 1:2,2:3,Inf:4 | 20 1:1,Inf:5",
        &["1: 10..20 ^2, 20.. 3", "2: 10..20 ^3, 20.. 4", "Inf: 10..20 ^4, 20.. 9"],
    );
    check_buckets(
        "10 1:2,Inf:2 | 20 2:1,Inf:1",
        &["1: 10..20 ^2, 20.. 2", "2: 19..20 2, 20.. 3", "Inf: 10..20 ^2, 20.. 3"],
    );
    // a bound that comes later has what was added before: its increase is what it was pushed with
    check_buckets(
        "10 1:0,Inf:2 | 20 2:1,Inf:1",
        &["1: 10..20 ^0, 20.. 0", "2: 20.. ^1", "Inf: 10..20 ^2, 20.. 3"],
    );
    // after a DELETE all begin anew
    check_buckets(
        "10 1:2,Inf:2 | 20 ! | 30 2:1,Inf:1",
        &["1: 10..20 ^2", "2: 30.. ^1", "Inf: 10..20 ^2, 30.. ^1"],
    );
    // a set replaces the bounds too
    check_buckets("10 1:2,Inf:2 | 20 =2:1,Inf:1", &["1: 10..20 ^2", "2: 20.. 1", "Inf: 10..20 ^2, 20.. 1"]);
    check_buckets("10 =1:2,Inf:2 | 20 2:1,Inf:1", &["1: 10..20 2", "2: 20.. ^1", "Inf: 10..20 2, 20.. ^1"]);
}

#[test]
fn a_histogram_of_too_many_bounds_is_not_completed() {
    let of = |bounds: usize| {
        let mut all: HashMap<Labels, SeriesEvents> = HashMap::new();
        for bound in 0..bounds {
            let labels =
                Labels::from_pairs([("__name__", "h_bucket".to_owned()), ("le", format!("{bound}.0"))]);
            let events = all.entry(labels).or_default().group(A);
            let merge = Merge::Add;
            let kind = events.kind(&Kind { family: "h".into(), r#type: MetricType::Histogram, merge });
            let at_us = i64::try_from(bound % 2).expect("small");
            events.push(Stamp { at_us, writer: 1 }, kind, Value::Float(1.0));
        }
        complete(&mut all);
        all.values().flat_map(SeriesEvents::iter).map(|(_, events)| events.events.len()).sum::<usize>()
    };
    assert_eq!(of(1_024), 2 * 1_024);
    assert_eq!(of(1_025), 1_025);
}

/// Groups of events that are folded one after the other, each going on from what the one before has carried.
fn carried_on(story: &Story, cuts: &[i64]) -> Vec<(Stamp, Option<Stamp>, Value)> {
    let ends = story.heads.clone().ends();
    let mut all = Vec::new();
    for (group, events) in story.series.iter() {
        let mut carried: Option<Carried> = None;
        let mut shown: Vec<epochs::Interval> = Vec::new();
        for (index, cut) in cuts.iter().chain(&[i64::MAX]).enumerate() {
            let from = if index == 0 { i64::MIN } else { cuts[index - 1] };
            let mut part = events.clone();
            part.events.retain(|event| from <= event.stamp.at_us && event.stamp.at_us < *cut);
            part.carried = carried.map(Box::new);
            let (intervals, next) = epochs::intervals(part, *group, &ends);
            // what was carried is shown again, and may now end earlier
            if shown.last().map(|last| last.from) == intervals.first().map(|first| first.from) {
                shown.pop();
            }
            shown.extend(intervals);
            carried = next;
        }
        all.extend(shown.into_iter().map(|interval| (interval.from, interval.until, interval.value)));
    }
    all
}

proptest! {
    #[test]
    fn a_fold_goes_on_from_what_another_has_carried(
        events in prop::collection::vec((0..60u32, prop_oneof![
            4 => (0..9u32).prop_map(|value| format!("A+{value}")),
            1 => (0..9u32).prop_map(|value| format!("A={value}")),
            1 => (0..9u32).prop_map(|value| format!("A<{value}")),
            2 => (0..9u32).prop_map(|value| format!("B+{value}")),
            1 => Just("A!".to_owned()),
            1 => Just("A/f".to_owned()),
            1 => Just("*!".to_owned()),
            1 => Just("B?70".to_owned()),
        ]), 0..30),
        mut cuts in prop::collection::vec(0..60_000i64, 0..4),
    ) {
        cuts.sort_unstable();
        let text: Vec<String> = events.iter().map(|(at_ms, event)| format!("{at_ms} {event}")).collect();
        let story = Story::of(&text.join(" | "));
        prop_assert_eq!(carried_on(&story, &cuts), carried_on(&story, &[]), "{} cut at {:?}", text.join(" | "), cuts);
    }
}

#[test]
fn all_buckets_are_read_whichever_are_asked_for() {
    let matchers = vec![Matcher::equal("__name__", "h_bucket"), Matcher::equal("le", "1.0")];
    let widened = widened(&Selection { matchers, start_ms: 1, end_ms: 2 });
    let expect = vec![Matcher::equal("__name__", "h_bucket")];
    assert_eq!((widened.matchers.len(), widened.start_ms, widened.end_ms), (1, 1, 2));
    assert_eq!(format!("{:?}", widened.matchers), format!("{expect:?}"));
}

#[test]
fn native_histograms_are_added_at_the_coarser_schema() {
    let histogram = |schema, index, count: f64| {
        Value::Histogram(
            Histogram {
                schema,
                count,
                sum: count,
                positive_spans: vec![Span { offset: index, length: 1 }],
                positive_counts: vec![count],
                ..Histogram::default()
            }
            .into(),
        )
    };
    let custom = Histogram { schema: -53, count: 9.0, custom_bounds: vec![1.0], ..Histogram::default() };
    let mut series = SeriesEvents::default();
    let events = series.group(A);
    let kind = events.kind(&Kind { family: "n".into(), r#type: MetricType::Histogram, merge: Merge::Add });
    let at = |at_ms: i64| Stamp { at_us: at_ms * 1_000, writer: 1 };
    // (1, √2] and (√2, 2] are (1, 2] of the coarser schema
    events.push(at(10), kind, histogram(1, 1, 2.0));
    events.push(at(20), kind, histogram(0, 1, 3.0));
    events.push(at(30), kind, histogram(1, 2, 1.0));
    events.push(at(40), kind, Value::Histogram(custom.into()));
    let steps = fold(series, &Ends::default(), 0, i64::MAX);
    let shown: Vec<String> = (0..steps.len())
        .map(|i| {
            let histogram = steps.histograms[i].as_ref().expect("a histogram");
            let counts = &histogram.positive_counts;
            format!("{} {} {counts:?} {}", steps.from_ms[i], histogram.schema, steps.from_zero[i])
        })
        .collect();
    // what cannot be added begins anew
    assert_eq!(shown, ["10 1 [2.0] true", "20 0 [5.0] false", "30 0 [6.0] false", "40 -53 [] true"]);
}
