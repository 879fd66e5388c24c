//! What is deleted is seen no more, and in the end stands nowhere any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use model::{
    Change, Clock, GroupKey, Labels, MatchOp, Matcher, Merge, MetricType, NeededLabels, Push, PushedFamily,
    PushedSeries, Samples, Selection,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::column::page::PageReader;
use parquet::file::reader::{FileReader, SerializedFileReader};
use testkit::ManualClock;

use super::*;
use crate::layout::{Stream, Tenant};
use crate::manifest::{Manifest, Manifests, Object};
use crate::reader::{DiskCache, Reader, Source};
use crate::settings::{ReaderSettings, WriterSettings};
use crate::writer::Writer;
use crate::{CompactSettings, Compactor, Entry, Progress, SampleBatch};

/// 2030-11-23T10:00:30Z: what the memory has is always old.
const T0_MS: i64 = 1_921_658_430_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

struct World {
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    reader: Reader,
    writers: u64,
    settings: CompactSettings,
}

fn pushes() -> Stream {
    Stream::pushes(&Path::from("p"), &Tenant::default())
}

fn samples() -> Stream {
    Stream::samples(&Path::from("p"), &Tenant::default())
}

fn reader(store: &Arc<dyn ObjectStore>) -> Reader {
    // small files are read in parts too
    let settings = ReaderSettings { whole_bytes_max: 1, ..ReaderSettings::default() };
    Reader::new(Arc::clone(store), Source::new(pushes(), None), Source::new(samples(), None), settings)
}

impl World {
    fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let clock = Arc::new(ManualClock::at_ms(T0_MS));
        let reader = reader(&store);
        Self { store, clock, reader, writers: 0, settings: CompactSettings::of_holder(7) }
    }

    async fn write<E: Entry>(&mut self, stream: Stream, entry: E) {
        self.writers += 1;
        let settings = WriterSettings::of_writer(self.writers);
        let clock = Arc::clone(&self.clock) as _;
        let writer: Writer<E> = Writer::start(Arc::clone(&self.store), stream, clock, settings);
        writer.push(entry).await.expect("is stored");
        writer.close().await;
    }

    /// Pushes a value, and the time of the push as a gateway does.
    async fn push(&mut self, change: Change, name: &str, user: &str, value: f64) {
        let merge = if change == Change::Merge { Merge::Add } else { Merge::Set };
        let labels = Labels::from_pairs([("__name__", name), ("job", "j"), ("user", user)]);
        let family = PushedFamily {
            name: name.into(),
            r#type: MetricType::Gauge,
            help: format!("about {name}").into(),
            series: vec![PushedSeries::float(labels, value).merging(merge)],
            ..PushedFamily::default()
        };
        let group = GroupKey::of(&Labels::from_pairs([("job", "j"), ("user", user)]));
        self.write(pushes(), Push::new(group, change, vec![family])).await;
    }

    async fn sample(&mut self, user: &str, at_ms: i64, value: f64) {
        let mut samples = Samples::default();
        samples.push(at_ms, value);
        let series = (Labels::from_pairs([("__name__", "sampled"), ("user", user)]), samples);
        self.write(super::tests::samples(), SampleBatch::of(vec![series])).await;
    }

    /// Ticks of both streams, as by processes that know nothing of earlier ones.
    async fn tick(&self) -> [Progress; 2] {
        let (store, clock) = (|| Arc::clone(&self.store), || Arc::clone(&self.clock) as _);
        let pushes = Compactor::of_pushes(store(), pushes(), self.settings.clone(), clock());
        let samples = Compactor::of_samples(store(), samples(), self.settings.clone(), clock());
        [pushes.tick().await.expect("ticks"), samples.tick().await.expect("ticks")]
    }

    async fn manifest(&self, stream: &Stream) -> Arc<Manifest> {
        let manifests = Manifests::new(Arc::clone(&self.store), stream.manifest());
        manifests.load(None).await.expect("loads").manifest
    }

    async fn delete(&self, matcher: Matcher, start_ms: Option<i64>, end_ms: Option<i64>) {
        let deletion = Deletion { matchers: vec![matcher], start_ms, end_ms };
        self.deleter().delete(&[deletion]).await.expect("is recorded");
    }

    fn deleter(&self) -> Deleter {
        Deleter::new(Arc::clone(&self.store), pushes(), samples(), Arc::clone(&self.clock) as _)
    }

    /// By series: steps, and samples, from the story's begin in minutes.
    async fn seen(&self) -> BTreeMap<String, String> {
        let at = reader(&self.store);
        let seen = seen(&at, &NeededLabels::All).await;
        // where a read begins with a frame it sees the same
        let now_ms = self.clock.now_ms();
        let of_now = Selection { matchers: any(), start_ms: now_ms, end_ms: now_ms };
        let held = at.select(&of_now).await.expect("reads").found;
        let held: BTreeMap<_, _> = held
            .into_iter()
            .filter_map(|series| {
                Some((series.labels.to_string(), series.steps.values[series.steps.at(now_ms)?].to_string()))
            })
            .collect();
        let last = seen
            .iter()
            .filter_map(|(series, steps)| Some((series.clone(), steps.rsplit_once("..=")?.1.to_owned())));
        assert_eq!(held, last.collect::<BTreeMap<_, _>>());
        // one that has read before sees the same
        assert_eq!(super::tests::seen(&self.reader, &NeededLabels::All).await, seen);
        seen
    }

    /// The objects in which a text stands, be it compressed.
    async fn holding(&self, text: &str) -> Vec<String> {
        let listed: Vec<_> = futures::TryStreamExt::try_collect(self.store.list(None)).await.expect("lists");
        let mut holding = Vec::new();
        for entry in listed {
            let got = self.store.get(&entry.location).await.expect("is there");
            let bytes = got.bytes().await.expect("is read");
            if uncompressed(&entry.location, &bytes).windows(text.len()).any(|part| part == text.as_bytes()) {
                holding.push(entry.location.to_string());
            }
        }
        holding
    }
}

/// All that an object says: its bytes, and those of its pages as they are when they are decompressed.
fn uncompressed(object: &Path, bytes: &Bytes) -> Vec<u8> {
    let mut all = bytes.to_vec();
    if !object.as_ref().ends_with(".parquet") {
        return all;
    }
    let file = SerializedFileReader::new(bytes.clone()).expect("is Parquet");
    for row_group in 0..file.num_row_groups() {
        let row_group = file.get_row_group(row_group).expect("is there");
        for column in 0..row_group.num_columns() {
            let mut pages: Box<dyn PageReader> = row_group.get_column_page_reader(column).expect("is there");
            while let Some(page) = pages.get_next_page().expect("decompresses") {
                all.extend_from_slice(page.buffer());
            }
        }
    }
    all
}

fn any() -> Vec<Matcher> {
    vec![Matcher::new("__name__", MatchOp::Regex, ".+").expect("a pattern")]
}

async fn seen(reader: &Reader, needed: &NeededLabels) -> BTreeMap<String, String> {
    let selection = Selection { matchers: any(), start_ms: T0_MS - DAY_MS, end_ms: T0_MS + 90 * DAY_MS };
    let answer = reader.select_labels(&selection, needed).await.expect("reads");
    assert_eq!(answer.left_out, []);
    let minutes = |at_ms: i64| (at_ms - T0_MS).div_euclid(MINUTE_MS);
    let series = answer.found.into_iter().map(|series| {
        let steps = &series.steps;
        let step = |i: usize| {
            let until = if steps.until_ms[i] == model::OPEN_END_MS {
                String::new()
            } else {
                minutes(steps.until_ms[i]).to_string()
            };
            format!("{}..{until}={}", minutes(steps.from_ms[i]), steps.values[i])
        };
        let samples = series.samples.timestamps_ms.iter().zip(&series.samples.values);
        let samples = samples.map(|(at_ms, value)| format!("{}={value}", minutes(*at_ms)));
        let all: Vec<String> = (0..steps.len()).map(step).chain(samples).collect();
        (series.labels.to_string(), all.join(" "))
    });
    series.collect()
}

/// Three days of pushes and samples of two users, all of them merged but the last.
async fn three_days() -> World {
    three_days_of(CompactSettings::of_holder(7)).await
}

async fn three_days_of(settings: CompactSettings) -> World {
    let mut world = World { settings, ..World::new() };
    for day in 0..3 {
        for user in ["alice-in-chains", "bob"] {
            let value = f64::from(day);
            world.push(Change::ReplaceFamilies, "kept_metric", user, value).await;
            world.clock.advance_ms(MINUTE_MS);
            world.push(Change::Merge, "leaky_metric", user, 1.0).await;
            world.sample(user, world.clock.now_ms(), value).await;
        }
        if day < 2 {
            world.clock.advance_ms(DAY_MS - 2 * MINUTE_MS);
            world.tick().await;
        }
    }
    world
}

/// What `docs/format.md` promises with a tick each minute, here every ten.
const BOUND_MS: i64 = 3 * HOUR_MS;

#[tokio::test]
async fn what_is_deleted_is_nowhere_after_three_hours() {
    let world = three_days().await;
    let before = world.seen().await;
    for text in ["alice-in-chains", "leaky_metric"] {
        let holding = world.holding(text).await;
        for place in ["pushes/data/", "pushes/frames/", "pushes/hot/"] {
            assert!(holding.iter().any(|object| object.contains(place)), "{text}: {place} of {holding:?}");
        }
    }
    world.delete(Matcher::equal("user", "alice-in-chains"), None, None).await;
    world.delete(Matcher::equal("__name__", "leaky_metric"), None, None).await;
    let is_left = |series: &String| !series.contains("alice") && !series.contains("leaky");
    let expect: BTreeMap<_, _> = before.into_iter().filter(|(series, _)| is_left(series)).collect();
    assert_eq!(expect.len(), 2, "{expect:?}");
    let needed = NeededLabels::These(["job".into()].into());
    let of_job = seen(&reader(&world.store), &needed).await;
    assert_eq!(of_job.values().collect::<Vec<_>>(), expect.values().collect::<Vec<_>>(), "{of_job:?}");
    for _ in 0..BOUND_MS / (10 * MINUTE_MS) {
        assert_eq!(world.seen().await, expect);
        world.clock.advance_ms(10 * MINUTE_MS);
        world.tick().await;
    }
    assert_eq!(world.seen().await, expect);
    assert_eq!(world.deleter().pending().await.expect("loads"), 0);
    for text in ["alice-in-chains", "leaky_metric"] {
        assert_eq!(world.holding(text).await, Vec::<String>::new(), "{text}");
        assert!(!format!("{:?}", world.reader).contains(text), "the memory of a reader has {text}");
    }
    assert!(!world.holding("bob").await.is_empty());
}

/// The files in which a text stands, below a folder.
fn files_with(folder: &std::path::Path, text: &str) -> usize {
    let entries = std::fs::read_dir(folder).expect("is read").map(|entry| entry.expect("is read").path());
    let of = |path: std::path::PathBuf| match path.is_dir() {
        true => files_with(&path, text),
        false => {
            let bytes = std::fs::read(&path).expect("is read");
            usize::from(bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        }
    };
    entries.map(of).sum()
}

/// Deleted and gone from the store while a process asks nothing, or does not run.
#[tokio::test]
async fn what_was_deleted_meanwhile_is_in_no_cache_after_the_next_query() {
    const DELETED: &str = "alice-in-chains";
    let world = three_days().await;
    let folder = tempfile::tempdir().expect("a folder");
    let process = || {
        let disk = Arc::new(DiskCache::open(folder.path(), 1 << 20).expect("opens"));
        let settings = ReaderSettings { disk: Some(Arc::clone(&disk)), ..ReaderSettings::default() };
        let sources = (Source::new(pushes(), None), Source::new(samples(), None));
        (Reader::new(Arc::clone(&world.store), sources.0, sources.1, settings), disk)
    };
    let ask = async |(reader, disk): &(Reader, Arc<DiskCache>)| {
        let seen = seen(reader, &NeededLabels::All).await;
        disk.settled().await;
        seen.len()
    };
    let asked = process();
    assert_eq!(ask(&asked).await, 6);
    assert!(files_with(folder.path(), DELETED) > 0 && format!("{:?}", asked.0).contains(DELETED));
    world.delete(Matcher::equal("user", DELETED), None, None).await;
    for _ in 0..BOUND_MS / (10 * MINUTE_MS) {
        world.clock.advance_ms(10 * MINUTE_MS);
        world.tick().await;
    }
    assert_eq!(world.deleter().pending().await.expect("loads"), 0);
    // one that has asked before it was deleted, and then one that begins with what an earlier one left
    assert_eq!(ask(&asked).await, 3);
    assert!(!format!("{:?}", asked.0).contains(DELETED), "in memory");
    drop(asked);
    let copies = |disk: &DiskCache| disk.stats().bytes;
    let mut next = process();
    for _ in 0..2 {
        assert_eq!(ask(&next).await, 3);
        assert!(copies(&next.1) > 0);
        assert_eq!(files_with(folder.path(), DELETED), 0, "on disk");
        drop(next);
        next = process();
    }
    // of the same deletions what is on disk is cleared once
    let before = next.1.stats();
    assert_eq!(ask(&next).await, 3);
    let after = next.1.stats();
    assert!(after.found > before.found && after.bytes == before.bytes, "{before:?} {after:?}");
}

/// The same for a process that begins when it is over, on the disk of one that has asked before.
#[tokio::test]
async fn what_an_earlier_process_left_on_disk_is_gone_after_the_first_query() {
    let world = three_days().await;
    let folder = tempfile::tempdir().expect("a folder");
    for text in ["alice-in-chains", "bob"] {
        let disk = Arc::new(DiskCache::open(folder.path(), 1 << 20).expect("opens"));
        let settings = ReaderSettings { disk: Some(Arc::clone(&disk)), ..ReaderSettings::default() };
        let sources = (Source::new(pushes(), None), Source::new(samples(), None));
        let reader = Reader::new(Arc::clone(&world.store), sources.0, sources.1, settings);
        seen(&reader, &NeededLabels::All).await;
        disk.settled().await;
        let holds = files_with(folder.path(), text) > 0;
        assert!(holds, "{text}");
        if text == "bob" {
            assert_eq!(files_with(folder.path(), "alice-in-chains"), 0);
        }
        drop((reader, disk));
        world.delete(Matcher::equal("user", "alice-in-chains"), None, None).await;
        for _ in 0..BOUND_MS / (10 * MINUTE_MS) {
            world.clock.advance_ms(10 * MINUTE_MS);
            world.tick().await;
        }
    }
}

#[tokio::test]
async fn of_a_time_what_was_pushed_in_it_is_deleted_and_sums_begin_again() {
    let mut world = three_days().await;
    let name = |user: &str, metric: &str| format!("{metric}{{job=\"j\", user=\"{user}\"}}");
    let of_bob = [name("bob", "kept_metric"), name("bob", "leaky_metric")];
    let seen = world.seen().await;
    let shown = |seen: &BTreeMap<String, String>| of_bob.clone().map(|series| seen[&series].clone());
    assert_eq!(shown(&seen), ["1..1441=0 1441..2881=1 2881..=2", "2..1442=1 1442..2882=2 2882..=3"]);
    // the second day
    let (start_ms, end_ms) = (T0_MS + 1_000 * MINUTE_MS, T0_MS + 2_000 * MINUTE_MS);
    world.delete(Matcher::equal("user", "bob"), Some(start_ms), Some(end_ms)).await;
    let expect = ["1..1441=0 2881..=2", "2..1442=1 2882..=1"].map(str::to_owned);
    for _ in 0..20 {
        assert_eq!(shown(&world.seen().await), expect);
        world.clock.advance_ms(10 * MINUTE_MS);
        world.tick().await;
    }
    assert_eq!(world.deleter().pending().await.expect("loads"), 0);
    // what comes later is not meant
    world.delete(Matcher::equal("user", "bob"), Some(start_ms), None).await;
    world.clock.advance_ms(1);
    world.push(Change::ReplaceFamilies, "kept_metric", "bob", 7.0).await;
    let now = (world.clock.now_ms() - T0_MS) / MINUTE_MS;
    for _ in 0..200 {
        let seen = world.seen().await;
        assert_eq!(seen[&of_bob[0]], format!("1..1441=0 {now}..=7"));
        assert_eq!(seen[&of_bob[1]], "2..1442=1");
        world.clock.advance_ms(10 * MINUTE_MS);
        world.tick().await;
    }
    assert!(world.manifest(&pushes()).await.frames.len() > 1);
}

/// Runs and frames of many objects, of which a tick looks at one.
#[tokio::test]
async fn a_tick_looks_through_no_more_than_its_limit_and_the_next_goes_on() {
    let one = CompactSettings { file_rows_max: 1, sift_rows_max: 1, ..CompactSettings::of_holder(7) };
    let world = three_days_of(one).await;
    let mut expect = world.seen().await;
    let (mut ticks, mut sifted, mut were_half_done) = (0, 0, 0);
    for metric in ["leaky_metric", "kept_metric"] {
        // the second while the first is under way
        let matchers = vec![Matcher::equal("user", "bob"), Matcher::equal("__name__", metric)];
        let deletion = Deletion { matchers, start_ms: None, end_ms: None };
        world.deleter().delete(&[deletion]).await.expect("is recorded");
        expect.retain(|series, _| !series.contains("bob") || !series.contains(metric));
        loop {
            let manifest = world.manifest(&pushes()).await;
            let runs = manifest.runs.iter().map(|run| (run.deleted, &run.objects));
            let all = runs.chain(manifest.frames.iter().map(|frame| (frame.deleted, &frame.objects)));
            let is_half_done = |(deleted, objects): (u64, &Vec<Object>)| {
                objects.iter().any(|object| object.deleted > deleted)
                    && objects.iter().any(|object| object.deleted < manifest.deleted)
            };
            were_half_done += usize::from(all.clone().any(is_half_done));
            let most = all.flat_map(|(_, objects)| objects).map(|object| object.rows).max().expect("some");
            assert_eq!(world.seen().await, expect);
            let [of_pushes, of_samples] = world.tick().await;
            assert!(of_pushes.sifted <= most, "{} rows, and an object has {most}", of_pushes.sifted);
            (ticks, sifted) = (ticks + 1, sifted + of_pushes.sifted);
            let is_behind = of_pushes.is_behind || of_samples.is_behind;
            if !is_behind || metric == "leaky_metric" && were_half_done == 2 {
                break;
            }
        }
    }
    assert!(were_half_done > 4 && ticks > 10 && sifted > 10, "{were_half_done}, {ticks}, {sifted}");
    for _ in 0..BOUND_MS / (10 * MINUTE_MS) {
        world.clock.advance_ms(10 * MINUTE_MS);
        while world.tick().await.iter().any(|progress| progress.is_behind) {}
        assert_eq!(world.seen().await, expect);
    }
    let mut holding = world.holding("bob").await;
    holding.retain(|object| object.contains("pushes"));
    assert_eq!((world.deleter().pending().await.expect("loads"), holding), (0, Vec::new()));
}

/// Each day one of many values changes, so that frames say what differs from the one before.
#[tokio::test]
async fn what_a_frame_says_is_held_no_more_the_one_before_does_not_show() {
    let mut world = World::new();
    for user in 0..9 {
        world.push(Change::ReplaceFamilies, "kept_metric", &format!("user-{user}"), 0.0).await;
    }
    world.clock.advance_ms(DAY_MS);
    world.tick().await;
    let start_ms = world.clock.now_ms();
    world.push(Change::ReplaceFamilies, "kept_metric", "user-3", 1.0).await;
    world.clock.advance_ms(DAY_MS);
    world.tick().await;
    let frames = || async {
        let frames = world.manifest(&pushes()).await.frames.clone();
        frames.iter().map(|frame| frame.base.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(frames().await, [false, true]);
    let name = "kept_metric{job=\"j\", user=\"user-3\"}";
    assert_eq!(world.seen().await[name], "0..1440=0 1440..=1");
    world.delete(Matcher::equal("user", "user-3"), Some(start_ms), None).await;
    for _ in 0..10 {
        let seen = world.seen().await;
        assert_eq!((seen[name].as_str(), seen.len()), ("0..1440=0", 9));
        world.clock.advance_ms(10 * MINUTE_MS);
        world.tick().await;
    }
    assert_eq!((world.deleter().pending().await.expect("loads"), frames().await), (0, vec![false, true]));
}

#[tokio::test]
async fn where_nothing_is_left_compaction_goes_on() {
    let mut world = World::new();
    for _ in 0..3 {
        world.sample("alice-in-chains", world.clock.now_ms(), 1.0).await;
        world.clock.advance_ms(HOUR_MS);
        world.tick().await;
        // in runs, and in segments
        world.sample("alice-in-chains", world.clock.now_ms(), 2.0).await;
        world.delete(Matcher::equal("user", "alice-in-chains"), None, None).await;
        assert_eq!(world.seen().await, BTreeMap::new());
    }
    for _ in 0..3 {
        world.clock.advance_ms(DAY_MS);
        world.tick().await;
        assert_eq!(world.seen().await, BTreeMap::new());
    }
    assert_eq!(world.holding("alice-in-chains").await, Vec::<String>::new());
    let runs = &world.manifest(&samples()).await.runs;
    assert!(runs.len() == 1 && runs[0].ids.is_some(), "what was here is still known: {runs:?}");
}

#[tokio::test]
async fn what_cannot_be_deleted_is_refused() {
    let world = World::new();
    let refused = async |deletion: Deletion| {
        let error = world.deleter().delete(&[deletion]).await.expect_err("is refused");
        assert!(error.is_bad_request());
        error.to_string()
    };
    let all = Matcher::new("job", MatchOp::Regex, ".*").expect("a pattern");
    let deletion = Deletion { matchers: vec![all], start_ms: None, end_ms: None };
    assert_eq!(refused(deletion).await, "match[] must contain at least one non-empty matcher");
    let matchers = vec![Matcher::equal("job", "j")];
    let deletion = Deletion { matchers: matchers.clone(), start_ms: Some(2), end_ms: Some(1) };
    assert_eq!(refused(deletion).await, "the end (1) is before the start (2)");
    let deletion = Deletion { matchers, start_ms: None, end_ms: None };
    for _ in 0..DELETIONS_MAX {
        world.deleter().delete(std::slice::from_ref(&deletion)).await.expect("is recorded");
    }
    let error =
        world.deleter().delete(std::slice::from_ref(&deletion)).await.expect_err("is refused").to_string();
    assert!(error.contains("64 deletions are under way") && error.contains("DELETIONS_MAX"), "{error}");
    // where nothing ever comes they are over too
    world.clock.advance_ms(10 * MINUTE_MS);
    world.tick().await;
    assert_eq!(world.deleter().pending().await.expect("loads"), 0);
}
