//! What is told of families, and exemplars: merged, read, deleted, and never there twice.

use model::{Exemplar, ExemplarSeries, Matcher, Metadata, MetricType, Teller, Told};

use super::*;
use crate::deletion::{Deleter, Deletion};
use crate::exemplars::NewExemplar;
use crate::inspect::Inspector;

fn exemplars() -> Stream {
    Stream::exemplars(&Path::from("p"), &Tenant::default())
}

fn metadata(help: &str) -> Metadata {
    Metadata { r#type: MetricType::Gauge, help: help.into(), unit: "".into() }
}

fn exemplar(name: &str, job: &str, trace: &str, at_ms: i64, pushed_ms: Option<i64>) -> NewExemplar {
    let series = Labels::from_pairs([("__name__", name), ("job", job)]);
    let labels = Labels::from_pairs([("trace_id", trace)]);
    NewExemplar { series, exemplar: Exemplar { labels, value: 0.5, at_ms }, pushed_ms }
}

impl World {
    /// Writes a segment.
    async fn put(&mut self, stream: Stream, batch: SampleBatch) {
        self.writers += 1;
        let settings = WriterSettings::of_writer(self.writers);
        let (store, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock));
        let writer: Writer<SampleBatch> = Writer::start(store, stream, clock as _, settings);
        writer.push(batch).await.expect("is stored");
        writer.close().await;
    }

    async fn tell(&mut self, families: &[(&str, &str)]) {
        let families = families.iter().map(|(family, help)| (Arc::from(*family), metadata(help)));
        let batch = SampleBatch { families: families.collect(), ..SampleBatch::default() };
        self.put(Self::stream(), batch).await;
    }

    async fn told(&self) -> Vec<(String, String)> {
        let told = self.reader.descriptions().await.expect("reads");
        assert_eq!(told.left_out, []);
        let help = |(family, told): (Arc<str>, Vec<Told>)| {
            let helps: Vec<&str> = told.iter().map(|told| &*told.metadata.help).collect();
            (family.to_string(), helps.join(","))
        };
        told.found.into_iter().map(help).collect()
    }

    /// Merges what is due, of samples and exemplars, and finds nothing wrong then.
    async fn compact(&self) {
        for stream in [Self::stream(), exemplars()] {
            let (memory, clock) = (Arc::clone(&self.memory), Arc::clone(&self.clock) as _);
            let settings = CompactSettings::of_holder(1);
            let compactor = Compactor::of_samples(Arc::clone(&memory), stream.clone(), settings, clock);
            while compactor.tick().await.expect("ticks").is_behind {}
            let verified = Inspector::of_samples(memory, stream).verify().await.expect("reads");
            assert_eq!(verified.problems, []);
        }
    }

    fn exemplar_reader(&self) -> Reader {
        let (pushes, samples) = (Path::from("p"), Self::stream());
        let pushes = Stream::pushes(&pushes, &Tenant::default());
        let settings = ReaderSettings { exemplars_max: 5, ..ReaderSettings::default() };
        Reader::new(Arc::clone(&self.memory), Source::new(pushes, None), Source::new(samples, None), settings)
            .with_exemplars(Source::new(exemplars(), None))
    }

    /// The exemplars of some series: `job trace@time`, with times since the beginning.
    async fn found(&self, matchers: Vec<Matcher>) -> Vec<String> {
        let selection = Selection { matchers, start_ms: i64::MIN, end_ms: i64::MAX / 1_000 - 1 };
        let found =
            self.exemplar_reader().exemplars(&[selection.clone(), selection]).await.expect("reads").found;
        let of_series = |ExemplarSeries { labels, exemplars }: &ExemplarSeries| {
            let job = labels.get("job").unwrap_or_default().to_owned();
            let shown = exemplars.iter().map(|exemplar| {
                let trace = exemplar.labels.get("trace_id").unwrap_or_default();
                format!("{job} {trace}@{}", exemplar.at_ms - T0_MS)
            });
            shown.collect::<Vec<_>>()
        };
        found.iter().flat_map(of_series).collect()
    }

    async fn delete(&self, matchers: Vec<Matcher>) {
        let (pushes, samples) = (Path::from("p"), Self::stream());
        let pushes = Stream::pushes(&pushes, &Tenant::default());
        let clock = Arc::clone(&self.clock) as _;
        let deleter =
            Deleter::new(Arc::clone(&self.memory), pushes, samples, clock).with_exemplars(exemplars());
        let deletion = Deletion { matchers, start_ms: None, end_ms: None };
        deleter.delete(&[deletion]).await.expect("is recorded");
    }
}

fn told(families: &[(&str, &str)]) -> Vec<(String, String)> {
    families.iter().map(|(family, help)| ((*family).to_owned(), (*help).to_owned())).collect()
}

#[tokio::test]
async fn what_was_told_last_is_known_through_all_merges() {
    let mut world = World::new();
    world.tell(&[("a", "a1"), ("b", "b1")]).await;
    world.clock.advance_ms(1_000);
    // with samples of another day, and of this one
    let mut samples = Samples::default();
    samples.push(T0_MS - 3 * 24 * HOUR_MS, 1.0);
    samples.push(T0_MS, 2.0);
    let series = vec![(Labels::from_pairs([("__name__", "a")]), samples)];
    let families = vec![(Arc::from("a"), metadata("a2"))];
    world.put(World::stream(), SampleBatch { series, families, told_by: None }).await;
    // whose word does not count for all
    let families = vec![(Arc::from("a"), metadata("mine")), (Arc::from("c"), metadata("c"))];
    let told_by = Some(Teller::of("me"));
    world.put(World::stream(), SampleBatch { families, told_by, ..SampleBatch::default() }).await;
    let expect = told(&[("a", "a2,mine"), ("b", "b1"), ("c", "c")]);
    assert_eq!(world.told().await, expect);
    for _ in 0..30 {
        world.clock.advance_ms(HOUR_MS);
        world.compact().await;
        assert_eq!(world.told().await, expect);
        assert_eq!(world.held().await.len(), 2);
    }
    world.tell(&[("b", "b2")]).await;
    assert_eq!(world.told().await, told(&[("a", "a2,mine"), ("b", "b2"), ("c", "c")]));
    // after a week of other things it is forgotten, unless it is told again
    world.clock.advance_ms(7 * 24 * HOUR_MS);
    world.tell(&[("c", "c")]).await;
    assert_eq!(world.told().await, told(&[("b", "b2"), ("c", "c")]));
}

/// However a tick is cut off, what was told is known, and the next tick goes on.
#[tokio::test]
async fn a_tick_over_what_is_told_may_be_cut_off_at_every_request() {
    let expect = told(&[("a", "a2"), ("m0", "m"), ("m1", "m"), ("m2", "m")]);
    for fault in [Fault::Fail, Fault::FailAfterwards] {
        for operation in [Operation::Put, Operation::Get, Operation::List] {
            for cut in 0..40 {
                let mut world = World::new();
                for minute in 0..3 {
                    let mut samples = Samples::default();
                    samples.push(T0_MS - 48 * HOUR_MS, 1.0);
                    let series = vec![(Labels::from_pairs([("__name__", "a")]), samples)];
                    let families =
                        [(format!("m{minute}"), "m".to_owned()), ("a".to_owned(), format!("a{minute}"))];
                    let families = families.map(|(name, help)| (Arc::from(name), metadata(&help))).to_vec();
                    world.put(World::stream(), SampleBatch { series, families, told_by: None }).await;
                    world.clock.advance_ms(25 * MINUTE_MS);
                }
                world.clock.advance_ms(30 * HOUR_MS);
                let compactor = world.compactor(7, |settings| settings.grace = Duration::ZERO);
                let left = cut + 1;
                *world.cut.lock().expect("unpoisoned") = Some(Cut { operation, left, fault: fault.clone() });
                let cut_off = compactor.tick().await;
                *world.cut.lock().expect("unpoisoned") = None;
                assert_eq!(world.told().await, expect, "{fault:?} {operation:?} {cut}");
                // another one takes over when the lease has ended
                for minutes in [20, 120, 120] {
                    world.clock.advance_ms(minutes * MINUTE_MS);
                    let other = world.compactor(8, |settings| settings.grace = Duration::ZERO);
                    other.tick().await.expect("goes on");
                    assert_eq!(world.told().await, expect, "{fault:?} {operation:?} {cut}");
                }
                assert_eq!(world.objects("hot").await, Vec::<String>::new());
                // the day on which it was told, and that of the samples
                assert_eq!(world.manifest().await.runs.len(), 2);
                if cut_off.is_ok() {
                    break;
                }
                assert!(cut < 39, "it needs more requests than were cut");
            }
        }
    }
}

#[tokio::test]
async fn what_is_deleted_by_its_name_is_told_no_more() {
    let mut world = World::new();
    world.tell(&[("a", "a"), ("b", "b")]).await;
    world.clock.advance_ms(10 * MINUTE_MS);
    world.compact().await;
    world.tell(&[("c", "c")]).await;
    world.clock.advance_ms(1_000);
    for name in ["a", "c"] {
        world.delete(vec![Matcher::equal("__name__", name)]).await;
    }
    world.delete(vec![Matcher::equal("job", "x")]).await;
    assert_eq!(world.told().await, told(&[("b", "b")]));
    for _ in 0..3 {
        world.clock.advance_ms(HOUR_MS);
        world.compact().await;
        assert_eq!(world.told().await, told(&[("b", "b")]));
    }
    let objects = world.objects("data").await;
    for object in &objects {
        let bytes = world.memory.get(&Path::from(object.as_str())).await.expect("is there");
        let bytes = bytes.bytes().await.expect("reads");
        let segment = object.ends_with(".parquet").then(|| {
            crate::segment::decode(bytes.clone(), crate::segment::checksum(&bytes)).expect("decodes")
        });
        let families = segment.iter().flat_map(|segment| &segment.descriptions);
        assert!(families.into_iter().all(|told| *told.family == *"b"), "{object}");
    }
}

#[tokio::test]
async fn an_exemplar_that_comes_twice_is_there_once() {
    let mut world = World::new();
    let all = || vec![Matcher::equal("__name__", "a")];
    let first = exemplar("a", "x", "t1", T0_MS, None);
    let second = exemplar("a", "y", "t2", T0_MS + 1, None);
    world.put(exemplars(), SampleBatch::of_exemplars([first.clone(), second.clone(), first.clone()])).await;
    world.clock.advance_ms(MINUTE_MS);
    world
        .put(exemplars(), SampleBatch::of_exemplars([first.clone(), exemplar("b", "x", "t3", T0_MS, None)]))
        .await;
    let expect = ["x t1@0", "y t2@1"];
    assert_eq!(world.found(all()).await, expect);
    for _ in 0..26 {
        world.clock.advance_ms(HOUR_MS);
        world.compact().await;
        assert_eq!(world.found(all()).await, expect);
    }
    world.put(exemplars(), SampleBatch::of_exemplars([first])).await;
    assert_eq!(world.found(all()).await, expect);
    assert_eq!(world.found(vec![Matcher::equal("job", "x")]).await, ["x t1@0", "x t3@0"]);
    // deleted with its series, at once and for good
    world.delete(vec![Matcher::equal("job", "x")]).await;
    assert_eq!(world.found(vec![Matcher::equal("job", "x")]).await, [""; 0]);
    for _ in 0..3 {
        world.clock.advance_ms(HOUR_MS);
        world.compact().await;
    }
    assert_eq!(world.found(all()).await, ["y t2@1"]);
}

#[tokio::test]
async fn what_is_pushed_again_without_a_time_is_shown_once() {
    let mut world = World::new();
    let at = |ms: i64| T0_MS + ms;
    let pushed = [
        exemplar("a", "x", "t1", at(0), Some(at(0))),
        exemplar("a", "x", "t1", at(10), Some(at(10))),
        exemplar("a", "x", "t2", at(20), Some(at(20))),
        exemplar("a", "x", "t1", at(30), Some(at(30))),
        // with a time of its own
        exemplar("a", "x", "t1", at(31), Some(at(40))),
    ];
    world.put(exemplars(), SampleBatch::of_exemplars(pushed)).await;
    let found = world.found(vec![Matcher::equal("__name__", "a")]).await;
    assert_eq!(found, ["x t1@0", "x t2@20", "x t1@30", "x t1@31"]);
    // those of the last push, with the times that they had
    let series = Labels::from_pairs([("__name__", "a"), ("job", "x")]);
    let check = async |pushed_ms: i64, expect: &[(i64, bool)]| {
        let pushed = std::collections::HashMap::from([(&series, at(pushed_ms))]);
        let found = world.exemplar_reader().pushed_exemplars(&pushed, (at(0), at(100))).await.expect("reads");
        let shown =
            found.found.values().flatten().map(|pushed| (pushed.exemplar.at_ms - T0_MS, pushed.has_time));
        assert_eq!(shown.collect::<Vec<_>>(), expect);
    };
    check(30, &[(30, false)]).await;
    check(40, &[(31, true)]).await;
    check(41, &[]).await;
    // no answer has more than it may
    world.put(exemplars(), SampleBatch::of_exemplars([exemplar("a", "y", "t", at(0), None)])).await;
    let selection =
        Selection { matchers: vec![Matcher::equal("__name__", "a")], start_ms: 0, end_ms: T0_MS + HOUR_MS };
    let error = world.exemplar_reader().exemplars(&[selection]).await.expect_err("has a limit");
    assert!(error.to_string().contains("exemplars_max"), "{error}");
}
