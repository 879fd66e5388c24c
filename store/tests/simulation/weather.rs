//! What goes wrong, when, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::chance::Chance;

const MS: i64 = 1_000;
const S: i64 = 1_000 * MS;
const MINUTE: i64 = 60 * S;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done, and answered.
    Done,
    /// It is answered with an error, and nothing is done.
    Failed,
    /// The store asks for patience, and does nothing.
    Throttled,
    /// It is done, and the answer does not come: that is an error, later.
    Unanswered,
    /// It is answered with an error, and done much later.
    DoneLate(i64),
    /// What is read ends too early.
    Short,
}

/// When a request comes to the store, when it is answered after that, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) there_us: i64,
    pub(crate) back_us: i64,
    pub(crate) fate: Fate,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Calm,
    /// So many requests in a thousand have something.
    Bad(u64),
    /// So many requests in a thousand take long.
    Slow(u64),
    /// The store is away.
    Away,
}

/// The weather of everybody, and what it does to each request.
#[derive(Debug)]
pub(crate) struct Weathers {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    of: BTreeMap<String, Weather>,
    pinned: BTreeSet<String>,
    asked: BTreeMap<String, u64>,
}

impl Weathers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, state: Mutex::default() }
    }

    pub(crate) fn set(&self, actor: &str, weather: Weather) {
        let mut state = self.state.lock().expect("unpoisoned");
        if !state.pinned.contains(actor) {
            state.of.insert(actor.to_owned(), weather);
        }
    }

    /// It is calm for somebody, and stays so until that is released.
    pub(crate) fn pin(&self, actor: &str) {
        self.set(actor, Weather::Calm);
        self.state.lock().expect("unpoisoned").pinned.insert(actor.to_owned());
    }

    pub(crate) fn release(&self, actor: &str) {
        self.state.lock().expect("unpoisoned").pinned.remove(actor);
    }

    pub(crate) fn all_calm(&self) {
        self.state.lock().expect("unpoisoned").of.clear();
    }

    /// What becomes of a request of an actor. It depends on how often the same was asked, and on nothing that others ask.
    pub(crate) fn plan(&self, actor: &str, asked: &str) -> Plan {
        let mut state = self.state.lock().expect("unpoisoned");
        let weather = state.of.get(actor).copied().unwrap_or(Weather::Calm);
        let count = state.asked.entry(format!("{actor} {asked}")).or_default();
        *count += 1;
        let mut chance = Chance::of(self.seed, &[actor, asked, &count.to_string()]);
        let mut plan = Plan {
            there_us: chance.between(MS, 60 * MS),
            back_us: chance.between(MS, 40 * MS),
            fate: Fate::Done,
        };
        match weather {
            Weather::Calm => {}
            Weather::Away => {
                plan.fate = Fate::Failed;
                plan.there_us = chance.between(MS, 30 * S);
            }
            Weather::Bad(per_mille) if chance.happens(per_mille) => spoil(&mut plan, &mut chance),
            Weather::Slow(per_mille) if chance.happens(per_mille) => delay(&mut plan, &mut chance),
            Weather::Bad(_) | Weather::Slow(_) => {}
        }
        plan
    }
}

fn spoil(plan: &mut Plan, chance: &mut Chance) {
    match chance.below(16) {
        0..3 => plan.fate = Fate::Failed,
        3 => plan.fate = Fate::Throttled,
        4..7 => {
            plan.fate = Fate::Unanswered;
            plan.back_us = chance.between(S, 60 * S);
        }
        7..9 => {
            plan.there_us = chance.between(S, 30 * S);
            plan.fate =
                Fate::DoneLate(chance.pick(&[S, 20 * S, MINUTE, 4 * MINUTE, 7 * MINUTE, 30 * MINUTE]));
        }
        9..11 => plan.fate = Fate::Short,
        _ => delay(plan, chance),
    }
}

/// The network, the store or the process stands still, before or after the request is done.
fn delay(plan: &mut Plan, chance: &mut Chance) {
    let us = match chance.below(8) {
        0..3 => chance.between(S, 10 * S),
        3..6 => chance.between(10 * S, 170 * S),
        _ => chance.between(3 * MINUTE, 14 * MINUTE),
    };
    if chance.happens(500) { plan.there_us = us } else { plan.back_us = us }
}
