//! Packets over a store in memory.

use access::QuotaSettings;
use model::{Labels, Matcher, Selection};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Reader, ReaderSettings, Source, Stream, Tenant, Writer, WriterSettings};
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::Semaphore;
use wire::exposition;
use wire::name_escaping::Escaping;

use super::*;

const NOW_MS: i64 = 1_795_370_073_531;

struct Bench {
    statsd: Statsd,
    clock: Arc<ManualClock>,
    /// Of another process: it sees only what is durable.
    reader: Reader,
}

impl Bench {
    fn over(store: Arc<dyn ObjectStore>, settings: StatsdSettings) -> Self {
        Self::within(store, settings, None)
    }

    fn within(store: Arc<dyn ObjectStore>, settings: StatsdSettings, quota: Option<QuotaSettings>) -> Self {
        let clock = Arc::new(ManualClock::at_ms(NOW_MS));
        let (root, tenant) = (Path::default(), Tenant::default());
        let (samples, pushes) = (Stream::samples(&root, &tenant), Stream::pushes(&root, &tenant));
        let writer = Writer::start(
            Arc::clone(&store),
            pushes.clone(),
            Arc::clone(&clock) as _,
            WriterSettings::of_writer(1),
        );
        let reader = Reader::new(
            store,
            Source::new(pushes, None),
            Source::new(samples, None),
            ReaderSettings::default(),
        );
        let statsd = Statsd::new(Arc::new(writer), Arc::clone(&clock) as _, settings, 7);
        let statsd =
            statsd.within(quota.and_then(|quota| quota.quota(&(Arc::clone(&clock) as Arc<dyn Clock>))));
        Self { statsd, clock, reader }
    }

    fn new() -> Self {
        Self::over(Arc::new(InMemory::new()), StatsdSettings::default())
    }

    /// Takes a packet, a second later.
    async fn flushed(&self, packet: &str) {
        self.clock.advance_ms(1_000);
        self.statsd.take(packet.as_bytes());
        self.statsd.flush().await.expect("writes");
    }

    /// What is held now, a line for each series without those that every group has.
    async fn held(&self) -> Vec<String> {
        self.clock.advance_ms(1);
        let matchers = vec![Matcher::equal("job", "statsd")];
        let selection = Selection { matchers, start_ms: 0, end_ms: self.clock.now_ms() };
        let found = self.reader.select(&selection).await.expect("reads").found;
        let mut lines: Vec<String> = found
            .iter()
            .filter(|series| !series.labels.metric_name().starts_with("push_"))
            .map(|series| {
                let last = series.steps.len() - 1;
                let value = match series.steps.histograms.get(last).and_then(Option::as_ref) {
                    Some(histogram) => format!("count {} sum {}", histogram.count, histogram.sum),
                    None => series.steps.values[last].to_string(),
                };
                format!("{} {value}", series.labels)
            })
            .collect();
        lines.sort();
        lines
    }

    #[track_caller]
    fn check_metric(&self, line: &str) {
        let text = exposition::write_text(&self.statsd.families(), Escaping::Underscores);
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn counters_add_up_and_gauges_are_set() {
    let bench = Bench::new();
    bench.flushed("done:1|c|#kind:a\ndone:2:3|c|#kind:a\ndepth:5|g\nrare:1|c|@0.25").await;
    let first = ["depth{job=\"statsd\"} 5", "done{job=\"statsd\", kind=\"a\"} 6", "rare{job=\"statsd\"} 4"];
    assert_eq!(bench.held().await, first);
    // what was not heard of stays, and the group's labels go over those of tags
    bench.flushed("done:4|c|#kind:a,job:mine\ndepth:+2|g\ndepth:-3.5|g").await;
    let second =
        ["depth{job=\"statsd\"} 3.5", "done{job=\"statsd\", kind=\"a\"} 10", "rare{job=\"statsd\"} 4"];
    assert_eq!(bench.held().await, second);
    // a gauge becomes more after intervals in which nothing came
    bench.flushed("").await;
    bench.flushed("depth:1|g\ndepth:+1|g\nfresh:-1|g").await;
    assert_eq!(bench.held().await[0], "depth{job=\"statsd\"} 2");
    assert_eq!(bench.held().await[2], "fresh{job=\"statsd\"} -1");
    bench.check_metric("mayfly_statsd_packets_total 4");
    bench.check_metric("mayfly_statsd_lines_total 10");
    bench.check_metric("mayfly_statsd_series 0");
}

#[tokio::test]
async fn times_become_native_histograms() {
    let bench = Bench::new();
    bench.flushed("took:320|ms|@0.5\ntook:80|ms\nsize:3:5|h\nsize:7|d").await;
    bench.flushed("took:100|ms").await;
    let expect = ["size{job=\"statsd\"} count 3 sum 15", "took{job=\"statsd\"} count 4 sum 0.82"];
    let held = bench.held().await;
    assert_eq!(held, expect);
}

#[tokio::test]
async fn sets_count_their_members() {
    let bench = Bench::new();
    bench.flushed("users:a|s\nusers:b|s\nusers:a|s").await;
    assert_eq!(bench.held().await, ["users{job=\"statsd\"} 2"]);
    bench.flushed("users:c|s").await;
    assert_eq!(bench.held().await, ["users{job=\"statsd\"} 1"]);
    // nobody came
    bench.flushed("").await;
    assert_eq!(bench.held().await, ["users{job=\"statsd\"} 0"]);
    // and it is not told again and again
    bench.flushed("").await;
    assert!(bench.statsd.packets.end().is_empty());
}

#[tokio::test]
async fn a_series_takes_one_sample_of_the_quota_between_two_flushes() {
    let within = |quota| Bench::within(Arc::new(InMemory::new()), StatsdSettings::default(), Some(quota));
    let bench = within(QuotaSettings { active_series_max: Some(2), ..QuotaSettings::default() });
    bench.flushed("a:1|c\nb:1|c\nc:1|c\na:2|c\nc:1|g").await;
    // those that are active go on
    bench.flushed("c:1|c\nb:2|c").await;
    assert_eq!(bench.held().await, ["a{job=\"statsd\"} 3", "b{job=\"statsd\"} 3"]);
    bench.check_metric("mayfly_statsd_lines_refused_total{reason=\"active_series_max\"} 3");
    // those of ten seconds may come at once
    let bench = within(QuotaSettings { samples_per_second_max: Some(1), ..QuotaSettings::default() });
    let packet: String = (0..12).map(|index| format!("c{index}:1|c\nc{index}:1|c\n")).collect();
    bench.flushed(&packet).await;
    assert_eq!(bench.held().await.len(), 10);
    bench.check_metric("mayfly_statsd_lines_refused_total{reason=\"samples_per_second_max\"} 4");
}

#[tokio::test]
async fn what_cannot_be_taken_is_counted_by_reason() {
    let settings = StatsdSettings {
        series_max: 3,
        members_max: 2,
        labels_bytes_max: 40,
        labels: LabelLimits { labels_per_series_max: 4, metric_name_bytes_max: 12, ..LabelLimits::default() },
        ..StatsdSettings::default()
    };
    let bench = Bench::over(Arc::new(InMemory::new()), settings);
    let packet = "a:1|c\na:1|g\nb:x|c\nc\nd:1|y\ne:1|c|@2\nf:-1|c\n_e{1,1}:a|b\n_sc|a|0\ng:1|c|#__x:1,y:2\n\
        long:1|c|#x:12345678901234567890\nmany:1|c|#a:1,b:2,c:3\nmany:1|c|#a:1,b:2,c:3,d:4,e:5\n\
        s:a|s\ns:b|s\ns:c|s\ns:a|s\nh:1|c\na:1e308|c|@0.1\nname_of_13___:1|c";
    bench.flushed(packet).await;
    let expect = ["a{job=\"statsd\"} 1", "g{job=\"statsd\", y=\"2\"} 1", "s{job=\"statsd\"} 2"];
    assert_eq!(bench.held().await, expect);
    for (reason, count) in [
        ("type_conflict", 1),
        ("value", 1),
        ("name", 1),
        ("type", 1),
        ("rate", 1),
        ("negative_count", 1),
        ("labels_bytes_max", 1),
        ("labels_per_series_max", 1),
        ("metric_name_bytes_max", 1),
        ("tags", 1),
        ("members_max", 1),
        ("series_max", 1),
        ("overflow", 1),
    ] {
        bench.check_metric(&format!("mayfly_statsd_lines_refused_total{{reason=\"{reason}\"}} {count}"));
    }
    bench.check_metric("mayfly_statsd_ignored_total{kind=\"event\"} 1");
    bench.check_metric("mayfly_statsd_ignored_total{kind=\"service_check\"} 1");
    bench.check_metric("mayfly_statsd_bad_tags_total 1");
    // the next interval has room again, also for another type
    bench.flushed("h:1|g\ng:1|g|#z:1").await;
    assert_eq!(bench.held().await.len(), 5);
}

#[tokio::test]
async fn a_flush_that_failed_is_tried_again_and_counts_once() {
    for fault in [Fault::Fail, Fault::FailAfterwards] {
        let is_down = Arc::new(AtomicBool::new(true));
        let down = Arc::clone(&is_down);
        let plan = move |operation, _: &Path| match operation {
            Operation::Put if down.load(Ordering::SeqCst) => fault.clone(),
            _ => Fault::None,
        };
        let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan));
        let bench = Bench::over(store, StatsdSettings::default());
        bench.statsd.take(b"done:1|c");
        assert!(bench.statsd.flush().await.is_err());
        // what comes meanwhile waits for its turn
        bench.statsd.take(b"done:2|c");
        bench.clock.advance_ms(1_000);
        assert!(bench.statsd.flush().await.is_err());
        is_down.store(false, Ordering::SeqCst);
        bench.clock.advance_ms(1_000);
        bench.statsd.flush().await.expect("writes");
        assert_eq!(bench.held().await, ["done{job=\"statsd\"} 3"]);
        bench.check_metric("mayfly_statsd_push_failures_total 2");
    }
}

#[tokio::test]
async fn a_flush_that_nobody_waits_for_loses_nothing() {
    let permits = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&permits);
    let plan = move |operation, _: &Path| match operation {
        Operation::Put => Fault::Wait(Arc::clone(&waits)),
        _ => Fault::None,
    };
    let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan));
    let bench = Bench::over(store, StatsdSettings::default());
    bench.statsd.take(b"done:1|c");
    {
        let flush = std::pin::pin!(bench.statsd.flush());
        assert!(futures::poll!(flush).is_pending());
    }
    permits.add_permits(9);
    bench.flushed("done:2|c").await;
    assert_eq!(bench.held().await, ["done{job=\"statsd\"} 3"]);
}

#[tokio::test]
async fn what_waits_takes_no_more_memory_than_allowed() {
    let settings = StatsdSettings { bytes_max: 8 << 10, ..StatsdSettings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings);
    let counters: String = (0..10).map(|index| format!("c{index}:1|c\n")).collect();
    // room for one histogram, and for what is no more than that beside it
    for packet in ["h:1|ms\nh:2|ms\ni:1|ms\n", &counters, "c0:1|c\n"] {
        bench.statsd.take(packet.as_bytes());
    }
    bench.check_metric("mayfly_statsd_lines_refused_total{reason=\"bytes_max\"} 5");
    bench.flushed("").await;
    assert_eq!(bench.held().await.len(), 7);
    bench.flushed("i:1|ms").await;
    assert_eq!(bench.held().await.len(), 8);
}

#[tokio::test]
async fn many_series_are_pushed_in_parts() {
    let bench = Bench::new();
    let packet: String = (0..2_500).map(|index| format!("m{}:1|c|#x:{index}\n", index % 2)).collect();
    bench.flushed(&packet).await;
    let held = bench.held().await;
    assert_eq!(held.len(), 2_500);
    assert!(held.iter().all(|line| line.ends_with(" 1")));
    assert_eq!(bench.statsd.flush.lock().await.count, 3);
}

#[tokio::test]
async fn types_are_labels_where_that_is_on() {
    let settings = StatsdSettings {
        type_labels: true,
        group: Labels::from_pairs([("job", "statsd"), ("instance", "i")]),
        ..StatsdSettings::default()
    };
    let bench = Bench::over(Arc::new(InMemory::new()), settings);
    bench.flushed("a:1|c").await;
    assert_eq!(bench.held().await, ["a{__type__=\"counter\", instance=\"i\", job=\"statsd\"} 1"]);
}
