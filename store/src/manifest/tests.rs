//! Manifests: their bytes, their swaps, and one violation of each invariant.

use std::sync::Arc;

use model::{MatchOp, Matcher};
use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use crate::deletion::Condition;
use crate::layout::{Stream, Tenant};

const DAY: &str = "20261122";

fn minute(name: &str) -> Minute {
    Minute::try_from(format!("{DAY}T{name}")).expect("a minute")
}

fn run(level: Level, from: &str, to: &str, rows: u64) -> Run {
    let object = Object {
        name: format!("data/{DAY}/{from}.parquet"),
        bytes: 1_000,
        checksum: 0xab,
        footer_start: 900,
        rows: rows + 2,
        head_rows: 2,
        series: 1,
        times_us: (minute(from).start_us(), minute(to).start_us() - 1),
        names: Some(("a".to_owned(), "b".to_owned())),
        deleted: 0,
    };
    Run {
        level,
        from: minute(from),
        to: minute(to),
        day: None,
        objects: vec![object],
        keys: None,
        ids: Some(format!("data/{DAY}/{from}.ids")),
        rows_merged: 0,
        list_bytes: 0,
        deleted: 0,
    }
}

fn frame(at: &str, base: Option<&str>) -> Frame {
    Frame {
        at: minute(at),
        base: base.map(minute),
        objects: run(Level::Tick, at, "2359", 1).objects,
        deleted: 0,
    }
}

fn manifest() -> Manifest {
    Manifest {
        epoch: 2,
        watermark: Some(minute("1100")),
        kept_from: Some(minute("0900")),
        lease: Lease { holder: 7, number: 3, until_us: 5 },
        runs: vec![run(Level::Tick, "1000", "1010", 10), run(Level::Tick, "1010", "1100", 5)],
        frames: vec![frame("1000", None), frame("1050", Some("1000"))],
        ..Manifest::default()
    }
}

#[test]
fn bytes_tell_all_of_it() {
    let manifest = manifest();
    let bytes = manifest.to_bytes().expect("has a form");
    assert_eq!(Manifest::from_bytes(&bytes).expect("reads"), manifest);
    let text = String::from_utf8(bytes).expect("is text");
    assert!(
        text.starts_with(
            r#"{"format":1,"epoch":2,"watermark":"20261122T1100","kept_from":"20261122T0900","lease":{"holder":"0000000000000007""#
        ),
        "{text}"
    );
}

#[test]
fn what_is_newer_or_damaged_is_refused() {
    let told = |bytes: &[u8]| Manifest::from_bytes(bytes).expect_err("is refused").to_string();
    let newer = told(br#"{"format":3,"unheard":[]}"#);
    assert_eq!(newer, "its format is 3, and this version reads 2 at most: a newer Mayfly has written it");
    for damaged in
        [&b""[..], b"{}", b"[]", br#"{"format":1,"epoch":0}"#, &manifest().to_bytes().expect("bytes")[..90]]
    {
        assert!(told(damaged).starts_with("it is no manifest: "), "{}", String::from_utf8_lossy(damaged));
    }
}

#[test]
fn a_deletion_stays_until_nothing_of_it_is_left() {
    let before = manifest();
    let through = minute("1130");
    let matcher = Matcher::new("job", MatchOp::Regex, "a.*").expect("a pattern");
    let recorded =
        Recorded { number: 0, through, matchers: vec![Condition(matcher)], from_us: None, to_us: 7 };
    let deleting = before.deleting(recorded);
    check(&before, &deleting, None).expect("is sound");
    let bytes = deleting.to_bytes().expect("has a form");
    assert_eq!(Manifest::from_bytes(&bytes).expect("reads"), deleting);
    let text = String::from_utf8(bytes).expect("is text");
    let told = r#""deleted":1,"deletions":[{"number":1,"through":"20261122T1130","matchers":[["job","=~","a.*"]],"from_us":null,"to_us":7}]"#;
    assert!(text.starts_with("{\"format\":2,") && text.contains(told), "{text}");
    let wrong = text.replace("a.*", "a(");
    assert!(Manifest::from_bytes(wrong.as_bytes()).is_err_and(|error| error.to_string().contains("regexp")));

    let mut after = Manifest { deletions: Vec::new(), ..deleting.clone() };
    let refused = |after: &Manifest| {
        let violation = check(&deleting, after, None).expect_err("is refused");
        assert_eq!(violation.invariant, Invariant::DeletionsDone);
        violation.what
    };
    assert!(refused(&after).contains("segments of 20261122T1130 may come"), "{}", refused(&after));
    after.watermark = Some(minute("1131"));
    assert!(refused(&after).contains("before the run from"), "{}", refused(&after));
    after.runs.iter_mut().for_each(|run| run.deleted = 1);
    assert!(refused(&after).contains("before the frame at"), "{}", refused(&after));
    after.frames.iter_mut().for_each(|frame| frame.deleted = 1);
    check(&deleting, &after, None).expect("nothing is left of it");
    after.frames[0].deleted = 2;
    assert_eq!(refused(&after), "deletion 2 is told of, and there were 1");
    (after.frames[0].deleted, after.deleted) = (0, 0);
    assert_eq!(refused(&after), "the number of deletions falls from 1 to 0");
}

#[tokio::test]
async fn of_two_that_swap_one_wins() {
    let stream = Stream::pushes(&Path::from("p"), &Tenant::default());
    let manifests = Manifests::new(Arc::new(InMemory::new()), stream.manifest());
    let nothing = manifests.load(None).await.expect("loads");
    assert_eq!(*nothing.manifest, Manifest::default());
    let first = manifests.swap(&nothing, manifest()).await.expect("is the first");
    assert!(matches!(manifests.swap(&nothing, manifest()).await, Err(SwapError::Conflict(_))));
    let loaded = manifests.load(None).await.expect("loads");
    assert_eq!(loaded, first);
    // what is known is not read again
    let again = manifests.load(Some(&loaded)).await.expect("loads");
    assert!(Arc::ptr_eq(&again.manifest, &loaded.manifest));
    let second = Manifest { epoch: 3, ..manifest() };
    let swapped = manifests.swap(&loaded, second.clone()).await.expect("is the second");
    assert!(matches!(manifests.swap(&first, manifest()).await, Err(SwapError::Conflict(_))));
    assert_eq!(manifests.load(Some(&loaded)).await.expect("loads"), swapped);
    assert_eq!(*swapped.manifest, second);
}

#[test]
fn frames_are_found_with_what_they_build_on() {
    let manifest = manifest();
    let at = |name: &str| {
        let frames = manifest.frames_before(minute(name).start_us());
        frames.into_iter().map(|frame| frame.at.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(at("0959"), [""; 0]);
    assert_eq!(at("1000"), ["20261122T1000"]);
    assert_eq!(at("1100"), ["20261122T1000", "20261122T1050"]);
}

/// A segment of a minute that ends in another.
fn reaching(filed: &str, ends: &str) -> Reaching {
    let to_us = minute(ends).start_us();
    let name = format!("hot/{DAY}T{filed}/0000000000000abc00000007-1-{to_us}-12-0000000000000def.parquet");
    Reaching { name, bytes: 1 }
}

#[test]
fn a_sound_step_is_let_through() {
    let before = manifest();
    check(&before, &before, None).expect("nothing changes");
    check(&Manifest::default(), &before, None).expect("a first one");
    // two ticks become an hour, one row is merged away, and the watermark rises
    let mut after = before.clone();
    after.runs = vec![Run { rows_merged: 1, ..run(Level::Hour, "1000", "1100", 14) }];
    after.watermark = Some(minute("1130"));
    after.lease = Lease { holder: 8, number: 4, until_us: 9 };
    check(&before, &after, None).expect("is sound");
    after.reaching = vec![Reaching { bytes: 9, ..reaching("1129", "1131") }];
    check(&before, &after, None).expect("is sound");
    // retention
    after.runs.clear();
    after.kept_from = Some(minute("1100"));
    check(&before, &after, Some(minute("1100"))).expect("may go");
}

#[test]
fn each_invariant_is_held_to() {
    let violates = |invariant: Invariant, change: &dyn Fn(&mut Manifest)| {
        let (before, mut after) = (manifest(), manifest());
        change(&mut after);
        let violation = check(&before, &after, None).expect_err(invariant.name());
        assert_eq!(violation.invariant, invariant, "{violation}");
    };
    use Invariant::{
        FramesBased, NothingDropped, ReachingOver, RunsBelowWatermark, RunsDisjoint, WatermarkRises,
    };
    violates(WatermarkRises, &|m| m.watermark = Some(minute("1059")));
    violates(WatermarkRises, &|m| m.watermark = None);
    violates(WatermarkRises, &|m| m.epoch = 1);
    violates(WatermarkRises, &|m| m.kept_from = None);
    violates(WatermarkRises, &|m| m.lease.number = 2);
    violates(WatermarkRises, &|m| m.lease.holder = 8);
    violates(RunsBelowWatermark, &|m| m.runs.push(run(Level::Tick, "1100", "1101", 1)));
    violates(RunsBelowWatermark, &|m| m.runs.push(run(Level::Tick, "0900", "0900", 1)));
    violates(RunsBelowWatermark, &|m| m.runs[0].objects.clear());
    violates(RunsDisjoint, &|m| m.runs.push(run(Level::Hour, "1000", "1100", 15)));
    violates(RunsDisjoint, &|m| m.runs.insert(0, run(Level::Tick, "0959", "1001", 15)));
    violates(NothingDropped, &|m| drop(m.runs.remove(0)));
    violates(NothingDropped, &|m| m.runs = vec![run(Level::Hour, "1000", "1100", 14)]);
    violates(NothingDropped, &|m| m.runs = vec![run(Level::Hour, "1001", "1100", 15)]);
    violates(FramesBased, &|m| drop(m.frames.remove(0)));
    violates(FramesBased, &|m| m.frames.swap(0, 1));
    violates(FramesBased, &|m| m.frames.push(frame("1101", None)));
    violates(ReachingOver, &|m| m.reaching.push(reaching("x", "1059")));
    violates(ReachingOver, &|m| m.reaching.push(reaching("1059", "1059")));
    violates(ReachingOver, &|m| m.reaching.push(reaching("1100", "1101")));
}

#[test]
fn samples_of_different_days_may_come_in_the_same_minutes() {
    let of_day =
        |day: i64| Run { day: Some(Day::of(day * 86_400_000_000)), ..run(Level::Tick, "1000", "1010", 10) };
    let both =
        Manifest { runs: vec![of_day(1), of_day(2)], watermark: Some(minute("1010")), ..Manifest::default() };
    stands(&both).expect("is sound");
    let twice = Manifest { runs: vec![of_day(1), of_day(1)], ..both };
    assert_eq!(stands(&twice).expect_err("overlaps").invariant, Invariant::RunsDisjoint);
}
