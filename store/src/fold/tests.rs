use super::*;
use proptest::prelude::*;

const A: GroupKey = GroupKey(1);
const B: GroupKey = GroupKey(2);

#[derive(Clone, Debug)]
enum Event {
    Set(GroupKey, f64),
    Clear(GroupKey, Scope),
}

fn stamp(at_ms: i64) -> Stamp {
    Stamp { at_us: at_ms * 1_000, writer: 1 }
}

fn fold_of(events: &[(Stamp, Event)], start_ms: i64, end_ms: i64) -> Vec<(i64, i64, f64)> {
    let mut clears = Clears::default();
    let mut series = SeriesSets::new();
    for (stamp, event) in events {
        match event {
            Event::Set(group, value) => {
                let sets = series.entry(*group).or_default();
                sets.family = "f".into();
                sets.sets.push((*stamp, Value::Float(*value)));
            }
            Event::Clear(group, scope) => clears.add(*group, *stamp, scope.clone()),
        }
    }
    clears.sort();
    let steps = fold(series, &clears, start_ms, end_ms);
    (0..steps.len()).map(|i| (steps.from_ms[i], steps.until_ms[i], steps.values[i])).collect()
}

#[test]
fn cases() {
    use Event::{Clear, Set};
    let check = |name: &str, events: &[(i64, Event)], expect: &[(i64, i64, f64)]| {
        let events: Vec<_> = events.iter().map(|(at, event)| (stamp(*at), event.clone())).collect();
        assert_eq!(fold_of(&events, 0, i64::MAX), expect, "{name}");
    };
    let open = OPEN_END_MS;
    let family = |name: &str| Scope::Family(name.into());

    check("holds until replaced", &[(10, Set(A, 1.0)), (20, Set(A, 2.0))], &[(10, 20, 1.0), (20, open, 2.0)]);
    check("a delete ends it", &[(10, Set(A, 1.0)), (20, Clear(A, Scope::Group))], &[(10, 20, 1.0)]);
    check(
        "what is set at the stamp of a clear stays",
        &[(10, Clear(A, Scope::Group)), (10, Set(A, 1.0))],
        &[(10, open, 1.0)],
    );
    check(
        "a PUT without the series ends it",
        &[(10, Set(A, 1.0)), (20, Clear(A, Scope::GroupButFailure)), (30, Set(A, 3.0))],
        &[(10, 20, 1.0), (30, open, 3.0)],
    );
    check(
        "a POST ends only its own family",
        &[(10, Set(A, 1.0)), (20, Clear(A, family("g"))), (30, Clear(A, family("f")))],
        &[(10, 30, 1.0)],
    );
    check(
        "another group's clear does nothing",
        &[(10, Set(A, 1.0)), (20, Clear(B, Scope::Group))],
        &[(10, open, 1.0)],
    );
    check(
        "a clear without anything held does nothing",
        &[(5, Clear(A, Scope::Group)), (10, Set(A, 1.0))],
        &[(10, open, 1.0)],
    );
    check(
        "the later of two groups shows, and the earlier again after it",
        &[(10, Set(A, 1.0)), (20, Set(B, 2.0)), (30, Clear(B, Scope::Group))],
        &[(10, 20, 1.0), (20, 30, 2.0), (30, open, 1.0)],
    );
    check(
        "a group that is set again comes to the top",
        &[(10, Set(A, 1.0)), (20, Set(B, 2.0)), (30, Set(A, 3.0)), (40, Clear(A, Scope::Group))],
        &[(10, 20, 1.0), (20, 30, 2.0), (30, 40, 3.0), (40, open, 2.0)],
    );
    check(
        "the hidden group may end unseen",
        &[(10, Set(A, 1.0)), (20, Set(B, 2.0)), (30, Clear(A, Scope::Group))],
        &[(10, 20, 1.0), (20, open, 2.0)],
    );
}

#[test]
fn of_changes_within_a_millisecond_the_last_is_seen() {
    let at = |at_us| Stamp { at_us, writer: 1 };
    let events = [
        (at(10_000), Event::Set(A, 1.0)),
        (at(10_001), Event::Set(A, 2.0)),
        (at(11_999), Event::Set(A, 3.0)),
    ];
    assert_eq!(fold_of(&events, 0, i64::MAX), [(10, 11, 2.0), (11, OPEN_END_MS, 3.0)]);
}

#[test]
fn steps_outside_the_asked_time_are_left_out() {
    let events =
        [(stamp(10), Event::Set(A, 1.0)), (stamp(20), Event::Set(A, 2.0)), (stamp(30), Event::Set(A, 3.0))];
    assert_eq!(fold_of(&events, 20, 29), [(20, 30, 2.0)]);
    assert_eq!(fold_of(&events, 0, 9), []);
}

fn event() -> impl Strategy<Value = Event> {
    let group = prop_oneof![Just(A), Just(B)];
    let scope = prop_oneof![
        Just(Scope::Group),
        Just(Scope::GroupButFailure),
        Just(Scope::Family("f".into())),
        Just(Scope::Family("g".into()))
    ];
    prop_oneof![
        3 => (group.clone(), 0..100u32).prop_map(|(group, value)| Event::Set(group, f64::from(value))),
        1 => (group, scope).prop_map(|(group, scope)| Event::Clear(group, scope)),
    ]
}

/// What the series shows at `at_ms`, by playing all events up to then one after the other.
fn played(events: &[(Stamp, Event)], at_ms: i64) -> Option<f64> {
    let mut held: BTreeMap<GroupKey, (Stamp, f64)> = BTreeMap::new();
    for (stamp, event) in events.iter().filter(|(stamp, _)| to_ms(*stamp) <= at_ms) {
        match event {
            Event::Set(group, value) => {
                held.insert(*group, (*stamp, *value));
            }
            Event::Clear(group, scope) if scope.holds("f") => {
                held.remove(group);
            }
            Event::Clear(..) => {}
        }
    }
    held.values().max_by_key(|(stamp, _)| *stamp).map(|(_, value)| *value)
}

proptest! {
    #[test]
    fn equals_playing_the_events_in_order_whatever_the_order_of_arrival(
        (events, shuffled) in prop::collection::vec((1..2_000i64, event()), 0..40).prop_flat_map(|gaps| {
            let mut at_us = 0;
            let events: Vec<_> = gaps
                .into_iter()
                .map(|(gap, event)| { at_us += gap; (Stamp { at_us, writer: 1 }, event) })
                .collect();
            (Just(events.clone()), Just(events).prop_shuffle())
        })
    ) {
        let steps = fold_of(&shuffled, 0, i64::MAX);
        for at_ms in 0..=82 {
            let found = steps.iter().find(|(from, until, _)| *from <= at_ms && at_ms < *until).map(|step| step.2);
            prop_assert_eq!(found, played(&events, at_ms), "at {} of {:?}", at_ms, &events);
        }
    }
}
