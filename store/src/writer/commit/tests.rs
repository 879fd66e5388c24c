use std::sync::Mutex;

use object_store::memory::InMemory;
use testkit::{DatedStore, Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::Semaphore;

use super::*;
use crate::layout::SegmentName;
use crate::log::tests::Forgetful;
use crate::writer::tests::{NOW_MS, gauge, listed, steps, stream, until};
use crate::{WriteErrorKind, Writer, WriterSettings};

const MINUTE_MS: i64 = 60_000;

/// A store whose PUTs take so long, one after the other, by both clocks; the last of them for ever after.
struct Slow {
    memory: Arc<InMemory>,
    store: Arc<dyn ObjectStore>,
    /// Of the machine and of the store.
    clocks: [Arc<ManualClock>; 2],
}

impl Slow {
    /// `skew_ms` is what the machine's clock shows more than the store's.
    fn new(skew_ms: i64, puts_ms: &[i64]) -> Self {
        let memory = Arc::new(InMemory::new());
        let clocks = [NOW_MS + skew_ms, NOW_MS].map(|now_ms| Arc::new(ManualClock::at_ms(now_ms)));
        let mut left = puts_ms.to_vec();
        left.reverse();
        let (left, moved) = (Mutex::new(left), clocks.clone());
        let plan = move |operation, _: &Path| {
            if operation == Operation::Put
                && let Some(took_ms) = left.lock().expect("whole").pop()
            {
                moved.iter().for_each(|clock| clock.advance_ms(took_ms));
            }
            Fault::None
        };
        let slow = Arc::new(FaultyStore::new(Arc::clone(&memory) as _, plan));
        let store = Arc::new(DatedStore::new(slow, Arc::clone(&clocks[1]) as _));
        Self { memory, store, clocks }
    }

    fn writer(&self) -> Writer {
        let clock = Arc::clone(&self.clocks[0]) as _;
        Writer::start(Arc::clone(&self.store), stream(), clock, WriterSettings::of_writer(1))
    }

    /// Writer, number and minute of all segments, in order.
    async fn segments(&self) -> Vec<(u64, u32, i64)> {
        let names = listed(&self.memory).await;
        let names = names.iter().map(|object| SegmentName::parse(object).expect("a segment"));
        let minute =
            |name: &SegmentName| (name.stamped_us / 1_000 - NOW_MS / MINUTE_MS * MINUTE_MS) / MINUTE_MS;
        names.map(|name| (name.writer, name.number, minute(&name))).collect()
    }
}

/// How long a PUT that begins at [`NOW_MS`] may take.
fn left_ms() -> i64 {
    MINUTE_MS - NOW_MS % MINUTE_MS + ANSWERED_WITHIN.as_millis() as i64
}

#[tokio::test]
async fn a_segment_that_comes_in_time_stays_where_it_is() {
    // the store tells whole seconds, so the last one does not count
    let slow = Slow::new(0, &[left_ms() - 1_000]);
    let ack = slow.writer().push(gauge("a", 1.0)).await.expect("written");
    assert_eq!((ack.stamp.at_us, slow.segments().await), (NOW_MS * 1_000, vec![(1, 0, 0)]));
}

#[tokio::test]
async fn a_segment_that_comes_too_late_is_stamped_anew_and_counts_once() {
    let slow = Slow::new(0, &[left_ms()]);
    let writer = slow.writer();
    let ack = writer.push(gauge("a", 1.0)).await.expect("written");
    assert_eq!(ack.stamp.at_us, (NOW_MS + left_ms()) * 1_000, "the stamp that counts");
    let minutes = left_ms() / MINUTE_MS;
    assert_eq!(slow.segments().await, [(1, 0, 0), (1, 0, minutes)], "the same writer and number");
    assert_eq!(writer.stats().stamped_anew(), 1);
    let names = listed(&slow.memory).await;
    let again: Vec<bool> = names
        .iter()
        .map(|object| SegmentName::parse(object).expect("a segment").again_since.is_some())
        .collect();
    assert_eq!(again, [false, true], "the name says that there may be another");
    let memory: Arc<dyn ObjectStore> = Arc::clone(&slow.memory) as _;
    let held = steps(&memory, None, NOW_MS + left_ms()).await;
    assert_eq!(held, [(NOW_MS + left_ms(), 1.0)], "one of the two, and the later");
    // a reader that asks about the time between finds nothing
    let held = steps(&memory, None, NOW_MS + left_ms() - 1).await;
    assert_eq!(held, []);
}

#[tokio::test]
async fn it_is_the_stores_clock_that_says_what_is_late() {
    // the machine's clock stands still while the PUT is under way
    let slow = Slow::new(0, &[]);
    let store_clock = Arc::clone(&slow.clocks[1]);
    let first = Mutex::new(true);
    let plan = move |operation, _: &Path| {
        if operation == Operation::Put && std::mem::take(&mut *first.lock().expect("whole")) {
            store_clock.advance_ms(left_ms());
        }
        Fault::None
    };
    let late: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Arc::clone(&slow.memory) as _, plan));
    let store: Arc<dyn ObjectStore> = Arc::new(DatedStore::new(late, Arc::clone(&slow.clocks[1]) as _));
    let settings = WriterSettings { max_skew: Duration::MAX, ..WriterSettings::of_writer(1) };
    let writer = Writer::start(store, stream(), Arc::clone(&slow.clocks[0]) as _, settings);
    // by this clock every minute that it gives is over, so it gives up
    let error = writer.push(gauge("a", 1.0)).await.expect_err("late");
    assert!(matches!(error, WriteError::Late { stampings: STAMPINGS_MAX, .. }), "{error}");
    assert_eq!(error.kind(), WriteErrorKind::Unavailable);
}

#[tokio::test]
async fn a_store_that_is_always_too_slow_is_given_up() {
    let slow = Slow::new(0, &[400_000; 10]);
    let writer = slow.writer();
    let error = writer.push(gauge("a", 1.0)).await.expect_err("late");
    assert!(
        error.to_string().contains("within 180 s of the minute of the segment, under 3 minutes"),
        "{error}"
    );
    assert_eq!(writer.tail().1.entries(), 0);
    assert_eq!(slow.segments().await.len(), STAMPINGS_MAX);
}

#[tokio::test]
async fn what_waits_behind_a_late_segment_keeps_its_place() {
    const BETWEEN_MS: i64 = 100_000;
    let slow = Slow::new(0, &[left_ms() - BETWEEN_MS]);
    let gate = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&gate);
    let plan = move |operation, _: &Path| match operation {
        Operation::Put => Fault::Wait(Arc::clone(&permits)),
        _ => Fault::None,
    };
    let gated: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Arc::clone(&slow.store), plan));
    let writer = Arc::new(Writer::start(
        gated,
        stream(),
        Arc::clone(&slow.clocks[0]) as _,
        WriterSettings::of_writer(1),
    ));
    let push = |value: f64| {
        let writer = Arc::clone(&writer);
        tokio::spawn(async move { writer.push(gauge("a", value)).await.expect("written").stamp })
    };
    let first = push(1.0);
    until(|| gate.available_permits() == 0 && writer.tail().1.entries() == 1).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // late enough to be in time itself
    slow.clocks.iter().for_each(|clock| clock.advance_ms(BETWEEN_MS));
    let second = push(2.0);
    until(|| writer.tail().1.entries() == 2).await;
    gate.add_permits(10);
    let (first, second) = (first.await.expect("runs"), second.await.expect("runs"));
    assert!(NOW_MS * 1_000 < first.at_us && first < second, "{first:?} {second:?}");
    let memory: Arc<dyn ObjectStore> = Arc::clone(&slow.memory) as _;
    let held = steps(&memory, None, NOW_MS + left_ms() + 1).await;
    assert_eq!(held.last().map(|(_, value)| *value), Some(2.0), "{held:?}");
}

#[tokio::test]
async fn a_clock_that_is_off_is_not_ready_until_it_is_set() {
    for skew_ms in [32_000, -32_000, 86_400_000] {
        let slow = Slow::new(skew_ms, &[]);
        let writer = slow.writer();
        let error = writer.ready().await.expect_err("off");
        assert!(matches!(error, WriteError::Skew(_)), "{error}");
        let words =
            if skew_ms > 0 { "ms ahead of the object store's" } else { "ms behind the object store's" };
        assert!(
            error.to_string().contains(words) && error.to_string().contains("no more than 30000 ms"),
            "{error}"
        );
        let error = writer.push(gauge("a", 1.0)).await.expect_err("off");
        assert_eq!(error.kind(), WriteErrorKind::Unavailable);
        assert_eq!((slow.segments().await, writer.tail().1.entries()), (vec![], 0), "nothing was written");

        // set right, which is seen at the next look
        slow.clocks[0].advance_ms(-skew_ms);
        slow.clocks.iter().for_each(|clock| clock.advance_ms(10_000));
        writer.push(gauge("a", 1.0)).await.expect("written");
        writer.ready().await.expect("ready");
    }
    let slow = Slow::new(30_000, &[]);
    slow.writer().ready().await.expect("as far off as may be");
}

#[tokio::test]
async fn what_a_clock_wrote_that_went_astray_is_taken_back() {
    let slow = Slow::new(0, &[]);
    let writer = slow.writer();
    writer.ready().await.expect("ready");
    writer.push(gauge("a", 1.0)).await.expect("written");
    slow.clocks[0].advance_ms(3_600_000);
    let error = writer.push(gauge("a", 2.0)).await.expect_err("off");
    assert!(matches!(error, WriteError::Skew(_)), "{error}");
    assert_eq!(slow.segments().await, [(1, 0, 0)]);
    assert!(writer.ready().await.is_err());
}

#[tokio::test]
async fn a_store_without_a_clock_goes_by_the_machines() {
    let memory = Arc::new(InMemory::new());
    let clock = Arc::new(ManualClock::at_ms(NOW_MS));
    let moved = Arc::clone(&clock);
    let first = Mutex::new(true);
    let plan = move |operation, _: &Path| {
        if operation == Operation::Put && std::mem::take(&mut *first.lock().expect("whole")) {
            moved.advance_ms(left_ms() + 1);
        }
        Fault::None
    };
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Arc::clone(&memory) as _, plan));
    let writer = Writer::start(store, stream(), clock, WriterSettings::of_writer(1));
    writer.ready().await.expect("nothing to compare with");
    writer.push(gauge("a", 1.0)).await.expect("written");
    assert_eq!((listed(&memory).await.len(), writer.stats().stamped_anew()), (2, 1));
}

/// The files of a log that was left at [`NOW_MS`], with one push each: `x` is 1, then 2, then 3.
async fn left_behind(clock: &Arc<ManualClock>, store: &Arc<dyn ObjectStore>) -> Forgetful {
    let files = Forgetful::default();
    for value in [1.0, 2.0, 3.0] {
        let (of_one, never) = (Forgetful::default(), Duration::from_secs(3_600));
        let settings = WriterSettings::of_writer(7);
        let writer = Writer::<model::Push>::start_logged_on(
            Arc::clone(store),
            stream(),
            Arc::clone(clock) as _,
            settings,
            Arc::new(of_one.clone()),
            never,
        );
        writer.await.expect("starts").0.push(gauge("a", value)).await.expect("logged");
        files.add(&of_one, value as u32 - 1);
        clock.advance_ms(100_000);
    }
    files
}

#[tokio::test]
async fn a_log_that_is_replayed_late_keeps_its_order() {
    let memory: Arc<InMemory> = Arc::new(InMemory::new());
    let store: Arc<dyn ObjectStore> = Arc::clone(&memory) as _;
    let clock = Arc::new(ManualClock::at_ms(NOW_MS));
    let files = left_behind(&clock, &store).await;
    let replay_ms = NOW_MS + 300_000;
    // the first file is too old by now, the last is not
    let start = async |writer: u64, files: &Forgetful| {
        let settings = WriterSettings::of_writer(writer);
        let files = Arc::new(files.clone());
        let clock = Arc::clone(&clock) as _;
        let started = Writer::<model::Push>::start_logged_on(
            Arc::clone(&store),
            stream(),
            clock,
            settings,
            files,
            Duration::from_secs(3_600),
        );
        started.await.expect("starts").1
    };
    let copy = files.copy();
    assert_eq!(start(8, &files).await.entries, 3);
    let expect = [(replay_ms, 3.0)];
    assert_eq!(steps(&store, None, replay_ms + 10).await, expect, "within one millisecond");

    // once more, as after a crash before the files were removed, and later
    clock.advance_ms(60_000);
    assert_eq!(start(9, &copy).await.entries, 3);
    let held = steps(&store, None, replay_ms + 70_000).await;
    assert_eq!(held.last().map(|(_, value)| *value), Some(3.0), "{held:?}");
    let live: Vec<f64> = held.iter().map(|(_, value)| *value).collect();
    assert!(live.is_sorted(), "{held:?}");
}

/// The process does not know whether the first PUT worked, and the second one comes in a later minute.
#[tokio::test]
async fn a_segment_that_is_tried_again_later_says_so_from_then_on() {
    let slow = Slow::new(0, &[]);
    let clocks = slow.clocks.clone();
    let answers = Mutex::new(3);
    let plan = move |operation, _: &Path| {
        let mut answers = answers.lock().expect("whole");
        if operation != Operation::Put || *answers == 0 {
            return Fault::None;
        }
        *answers -= 1;
        let took_ms = if *answers == 2 { left_ms() } else { 0 };
        clocks.iter().for_each(|clock| clock.advance_ms(took_ms));
        Fault::FailAfterwards
    };
    let lost: Arc<dyn ObjectStore> = Arc::new(FaultyStore::new(Arc::clone(&slow.store), plan));
    let clock = Arc::clone(&slow.clocks[0]) as Arc<dyn model::Clock>;
    let settings = WriterSettings::of_writer(1);
    let target = crate::writer::target(lost, stream(), Arc::clone(&clock), &settings);
    let entries = |at_us: i64| {
        let entry = Arc::new(gauge("a", 1.0));
        let stamp = model::Stamp { at_us, writer: 1 };
        vec![Arc::new(Stamped { sequence: 0, stamp, entry, bytes: 1 })]
    };
    let mut id = SegmentId::new(1, 0);
    let mut latest = entries(clock.now_us());
    for attempt in 0..3 {
        let stamped = latest.clone();
        let stamp_anew = |now_us| {
            latest = entries(now_us);
            latest.clone()
        };
        let result = target.commit(&mut id, stamped, stamp_anew).await;
        assert_eq!(result.is_ok(), attempt == 2, "{result:?}");
    }
    let names = listed(&slow.memory).await;
    let again: Vec<bool> = names
        .iter()
        .map(|object| SegmentName::parse(object).expect("a segment").again_since.is_some())
        .collect();
    assert_eq!(again, [false, true], "{names:?}");
}
