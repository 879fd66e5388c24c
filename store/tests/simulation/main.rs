//! The whole store in a few simulated days: several writers, compactors and readers at once on one object store, on which requests
//! fail, hang, are done without an answer or much later, and processes that are killed anywhere.
//!
//! A seed decides everything that happens, so a seed that fails can be run again: `SIM_SEED=N SIM_SEEDS=1 make simulate`. What
//! is compared with what stands in `check`.

mod bucket;
mod chance;
mod check;
mod client;
mod disk;
mod ledger;
mod manifest;
mod narrow;
mod processes;
#[path = "../fold/pushes.rs"]
#[expect(dead_code, reason = "of stories only the pushes are of use here")]
mod pushes;
#[path = "../fold/reference.rs"]
mod reference;
mod schedule;
mod story;
mod weather;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use bucket::Broken;
use story::{Ended, Kind, play};

/// Seeds of `make test`; `make simulate` plays more, from another first one each day.
const SEEDS: u64 = 12;

fn setting(name: &str, usual: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test's edge")]
    let set = std::env::var(name);
    set.map_or(usual, |set| set.parse().unwrap_or_else(|_| panic!("{name}={set} is no number")))
}

/// Plays seeds on all processors until one fails; gives that, and what came of it.
fn first_failure(first: u64, count: u64, kind: Kind) -> Option<(u64, Ended)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, failed) = (AtomicU64::new(0), std::sync::Mutex::new(None::<(u64, Ended)>));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.lock().expect("unpoisoned").is_none() {
                    let offset = next.fetch_add(1, Ordering::SeqCst);
                    if offset >= count {
                        return;
                    }
                    let seed = first + offset;
                    let ended = std::panic::catch_unwind(|| play(seed, kind)).unwrap_or_else(|panic| {
                        let text = panic.downcast_ref::<String>().cloned();
                        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
                        Ended {
                            trace: Vec::new(),
                            failure: Some(format!("panics: {}", text.unwrap_or_default())),
                        }
                    });
                    if ended.failure.is_some() {
                        failed.lock().expect("unpoisoned").get_or_insert((seed, ended));
                    }
                }
            });
        }
    });
    failed.into_inner().expect("unpoisoned")
}

#[test]
fn nothing_is_lost_doubled_or_wrong() {
    play_all(SEEDS, Kind::default());
}

#[test]
fn nothing_is_lost_doubled_or_wrong_while_series_are_deleted() {
    play_all(SEEDS / 2, Kind { deletes: true, ..Kind::default() });
}

#[test]
fn nothing_is_lost_doubled_or_wrong_of_what_is_told_of_families() {
    play_all(SEEDS / 2, Kind { tells: true, ..Kind::default() });
}

fn play_all(usual: u64, kind: Kind) {
    let (first, count) = (setting("SIM_SEED", 1), setting("SIM_SEEDS", usual));
    if setting("SIM_TELL", 0) > 0 {
        let Ended { trace, failure } = play(first, kind);
        eprintln!("{}\n{}", trace.join("\n"), failure.unwrap_or_default());
        return;
    }
    eprintln!("seeds {first} to {}", first + count - 1);
    if let Some((seed, Ended { trace, failure })) = first_failure(first, count, kind) {
        let from = trace.len().saturating_sub(usize::try_from(setting("SIM_TRACE", 60)).expect("fits"));
        panic!(
            "seed {seed}: {}\n{}\nto run it again: SIM_SEED={seed} SIM_SEEDS=1 make simulate",
            failure.unwrap_or_default(),
            trace[from..].join("\n")
        );
    }
}

#[test]
fn a_seed_is_always_the_same_story() {
    for seed in 0..3 {
        let kind = Kind { deletes: true, tells: true, ..Kind::default() };
        let (first, second) = (play(seed, kind), play(seed, kind));
        for (index, (a, b)) in first.trace.iter().zip(&second.trace).enumerate() {
            assert_eq!(a, b, "seed {seed}, line {index}");
        }
        assert_eq!(first.trace.len(), second.trace.len());
        assert!(first.trace.len() > 500, "much happens: {}", first.trace.len());
    }
}

/// A store that does not keep its word is found out: the simulation can see what it is to see.
#[test]
fn a_broken_store_is_found_out() {
    for broken in [
        Broken::IfMatch,
        Broken::Create,
        Broken::LostPut,
        Broken::StaleList,
        Broken::TornPut,
        Broken::FrozenDate,
    ] {
        let found = first_failure(41, 80, Kind { broken: Some(broken), ..Kind::default() });
        let (seed, Ended { failure, .. }) = found.unwrap_or_else(|| panic!("{broken:?} is not noticed"));
        eprintln!("{broken:?}: seed {seed}: {:.300}", failure.unwrap_or_default());
    }
}
