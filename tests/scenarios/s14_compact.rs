//! `mayfly compact` merges what was pushed: answers stay, files go, and nothing is in its way.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use edge::{Ack, Storage};
use mayfly_tests::Fixture;
use model::{Change, GroupKey, Labels, Merge, MetricType, Push, PushedFamily, PushedSeries, Samples};
use store::SampleBatch;
use testkit::ManualClock;
use testkit::http;
use testkit::lambda::Function;
use testkit::server::{built, escape};

const HOUR_MS: i64 = 3_600_000;

/// A push of `jobs` long ago: what it sets, or what it adds.
fn push(job: usize, value: f64, merge: Merge) -> Push {
    let grouping = Labels::from_pairs([("job", format!("j{job}"))]);
    let (name, r#type, change) = match merge {
        Merge::Set => ("rows", MetricType::Gauge, Change::ReplaceGroup),
        _ => ("done_total", MetricType::Counter, Change::Merge),
    };
    let labels = Labels::from_pairs([("__name__", name.to_owned()), ("job", format!("j{job}"))]);
    let series = vec![PushedSeries { merge, ..PushedSeries::float(labels, value) }];
    let family = PushedFamily { name: name.into(), r#type, series, ..PushedFamily::default() };
    Push::new(GroupKey::of(&grouping), change, vec![family])
}

/// Segments of the last 30 hours, in which jobs of their own push each half hour.
pub(super) fn seed(folder: &Path, now_ms: i64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let storage = Storage::open(folder.to_str().unwrap(), None).await.unwrap();
        let clock = Arc::new(ManualClock::at_ms(now_ms - 30 * HOUR_MS));
        let writer = storage.push_writer(Arc::clone(&clock) as _, Ack::Stored).await.unwrap();
        for half_hour in 0..56 {
            let value = f64::from(half_hour);
            writer.push(push(half_hour as usize % 3, value, Merge::Set)).await.unwrap();
            clock.advance_ms(1_000);
            writer.push(push(9, value, Merge::Add)).await.unwrap();
            clock.advance_ms(HOUR_MS / 2 - 1_000);
        }
        writer.close().await;
    });
}

fn compact(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(built("mayfly").unwrap());
    command.args(["compact", "--once", "--log.level=warn", "--storage"]).arg(folder).args(more);
    command.output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn files(folder: &Path, of: &str) -> usize {
    files_of(&folder.join("default/pushes"), of)
}

/// How many files there are in a folder of a stream.
pub(super) fn files_of(stream: &Path, of: &str) -> usize {
    let Ok(found) = std::fs::read_dir(stream.join(of)) else { return 0 };
    let count = |path: std::path::PathBuf| std::fs::read_dir(path).map_or(1, Iterator::count);
    found.map(|entry| count(entry.unwrap().path())).sum()
}

/// Answers over all that was pushed long ago.
fn answers(query: &str, now_ms: i64) -> Vec<String> {
    let (start, end) = ((now_ms - 31 * HOUR_MS) / 1_000, (now_ms - HOUR_MS) / 1_000);
    let of = |expr: &str| {
        let expr = escape(expr);
        let target = format!("/api/v1/query_range?query={expr}&start={start}&end={end}&step=600");
        let answer = http::get(query, &target).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    ["rows", "sum(rows)", "increase(done_total[3h])", "avg_over_time(rows[5h])", "changes(rows[1d])"]
        .into_iter()
        .map(of)
        .collect()
}

#[test]
fn what_is_compacted_answers_as_before() {
    let now_ms = 1_000
        * i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
        )
        .unwrap();
    let fixture = Fixture::with_args(|_| {
        ["--storage.ack=stored", "--storage.compact-interval=0"].map(str::to_owned).to_vec()
    });
    let folder = fixture.storage();
    seed(&folder, now_ms);
    fixture.push("PUT", "job/new", "# TYPE fresh gauge\nfresh 1\n");
    let query = fixture.server().query.clone();
    let before = answers(&query, now_ms);
    assert!(before.iter().all(|answer| answer.contains("\"values\"")), "{before:?}");
    assert_eq!(files(&folder, "hot"), 113);

    // queries go on while it is merged, and see the same
    let ended = AtomicBool::new(false);
    let first = std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut asked = 0;
            while !ended.load(Ordering::SeqCst) {
                assert_eq!(answers(&query, now_ms), before);
                asked += 1;
            }
            asked
        });
        let first = compact(&folder, &["--storage.compact-grace=1ms"]);
        ended.store(true, Ordering::SeqCst);
        assert!(asked.join().unwrap() > 0);
        first
    });
    let told = lines(&first);
    assert!(told[0].starts_with("default/pushes: 112 segments merged, "), "{told:?}");
    assert!(told[0].ends_with(" 1 segments left"), "{told:?}");
    assert!(told[1].starts_with("default/samples: 0 segments merged, 0 runs and 0 frames made"), "{told:?}");
    assert_eq!(answers(&query, now_ms), before);
    fixture.check("fresh", &[("fresh{job=\"new\"}", "1")]);
    assert!(files(&folder, "frames") > 0);

    // who knew the manifest before has ended by now, as far as the grace says
    assert_eq!(files(&folder, "hot"), 113);
    let told = lines(&compact(&folder, &["--storage.compact-grace=1ms"]));
    assert!(told[0].ends_with(" objects deleted, 1 segments left"), "{told:?}");
    assert_eq!(files(&folder, "hot"), 1);
    assert_eq!(answers(&query, now_ms), before);
}

#[test]
fn what_is_older_than_its_retention_goes() {
    const DAY_MS: i64 = 24 * HOUR_MS;
    let folder = tempfile::TempDir::new().unwrap();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now_ms = i64::try_from(since.as_millis()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let storage = Storage::open(folder.path().to_str().unwrap(), None).await.unwrap();
        for days in [20, 5, 1] {
            let at_ms = now_ms - days * DAY_MS;
            let clock = Arc::new(ManualClock::at_ms(at_ms));
            let samples = storage.sample_writer(Arc::clone(&clock) as _, Ack::Stored).await.unwrap();
            let mut points = Samples::default();
            points.push(at_ms, 1.0);
            let labels = Labels::from_pairs([("__name__", format!("sample_{days}d"))]);
            samples
                .push(SampleBatch { series: vec![(labels, points)], ..SampleBatch::default() })
                .await
                .unwrap();
            samples.close().await;
            let pushes = storage.push_writer(Arc::clone(&clock) as _, Ack::Stored).await.unwrap();
            pushes.push(push(usize::try_from(days).unwrap(), 1.0, Merge::Set)).await.unwrap();
            // only what is held still lives on
            clock.advance_ms(HOUR_MS);
            let group = GroupKey::of(&Labels::from_pairs([("job", format!("j{days}"))]));
            pushes.push(Push::new(group, Change::Delete, Vec::new())).await.unwrap();
            pushes.close().await;
        }
    });
    let there = || {
        let ask = |query: &str| {
            let mut command = Command::new(built("mayfly").unwrap());
            command.args(["query", "instant", "--storage"]).arg(folder.path()).arg(query);
            lines(&command.output().unwrap()).join("\n")
        };
        let of_samples = ask("{__name__=~\"sample_.*\"}[30d]");
        let of_pushes = ask("present_over_time(rows[30d])");
        [1, 5, 20].map(|days| {
            let has = |text: &str, what: &str| text.contains(&format!("{what}{days}"));
            (has(&of_samples, "sample_"), has(&of_pushes, "job=\"j"))
        })
    };
    lines(&compact(folder.path(), &["--storage.compact-grace=1ms"]));
    assert_eq!(there(), [(true, true); 3]);
    // another tenant's does not count, and each stream has its own
    let flags = [
        "--storage.compact-grace=1ms",
        "--storage.retention.samples=10d",
        "--storage.retention.samples=other=2d",
        "--storage.retention.pushes=3d",
    ];
    lines(&compact(folder.path(), &flags));
    assert_eq!(there(), [(true, true), (true, false), (false, false)]);
    let refused = compact(folder.path(), &["--storage.retention.pushes=1d"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("kept for at least 2d"), "{said}");
}

/// The function `compact` on a folder, for calls that may take so long.
fn function(folder: &Path, timeout: Duration, more: &[(&str, &str)]) -> Function {
    let mut variables = vec![("MAYFLY_STORAGE".to_owned(), folder.display().to_string())];
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Function::start(&built("compact").unwrap(), &variables, timeout).unwrap()
}

#[test]
fn the_function_does_the_same_in_the_time_that_it_has() {
    let folder = tempfile::TempDir::new().unwrap();
    let now_ms = 1_795_391_160_000;
    seed(folder.path(), now_ms);
    let scheduled =
        br#"{"version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}"#;
    let ticked = |function: &mut Function| -> serde_json::Value {
        serde_json::from_slice(&function.invoke(scheduled).unwrap()).unwrap()
    };

    // no more than it keeps to answer
    let told = ticked(&mut function(folder.path(), Duration::from_secs(3), &[]));
    assert_eq!(told["default/pushes"]["outcome"], "not begun");
    assert_eq!(files(folder.path(), "hot"), 112);

    let variables = [("MAYFLY_STORAGE_COMPACT_GRACE", "1ms")];
    let mut warm = function(folder.path(), Duration::from_secs(60), &variables);
    let told = ticked(&mut warm);
    let of_pushes = &told["default/pushes"];
    assert_eq!((&of_pushes["outcome"], &of_pushes["segmentsMerged"]), (&"done".into(), &112.into()));
    assert_eq!(
        (&of_pushes["segmentsLeft"], &told["default/samples"]["outcome"]),
        (&0.into(), &"done".into())
    );
    let told = ticked(&mut warm);
    assert_eq!(told["default/pushes"]["segmentsMerged"], 0);
    assert!(told["default/pushes"]["objectsDeleted"].as_u64().unwrap() >= 112, "{told}");
    assert_eq!(files(folder.path(), "hot"), 0);

    // what is too old goes
    let variables = [("MAYFLY_STORAGE_RETENTION_PUSHES", "nobody=90d,2d")];
    let told = ticked(&mut function(folder.path(), Duration::from_secs(60), &variables));
    assert_eq!(told["default/pushes"]["outcome"], "done", "{told}");

    let told = warm.invoke(br#"{"Records": []}"#).unwrap_err().to_string();
    assert!(told.contains("the event is none that this function takes"), "{told}");
    let variables = [("MAYFLY_STORAGE_RETENTION_SAMPLES", "1d"), ("MAYFLY_STORAGE_COMPACT_GRACE", "soon")];
    let told = function(folder.path(), Duration::from_secs(60), &variables).invoke(b"{}").unwrap_err();
    let told = told.to_string();
    assert!(told.contains("exit status: 1"), "{told}");
}

#[test]
fn the_function_fails_where_a_segment_cannot_be_read() {
    let folder = tempfile::TempDir::new().unwrap();
    seed(folder.path(), 1_795_391_160_000);
    let hot = folder.path().join("default/pushes/hot");
    let minute = std::fs::read_dir(&hot).unwrap().next().unwrap().unwrap().path();
    let damaged = std::fs::read_dir(minute).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&damaged, "no segment").unwrap();
    let told = function(folder.path(), Duration::from_secs(60), &[]).invoke(b"{}").unwrap_err().to_string();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(told.contains("default/pushes: ") && told.contains(name), "{told}");
    assert!(told.contains("default/samples"), "what was done is told too: {told}");
}

#[test]
fn a_segment_that_cannot_be_read_is_named_and_ends_with_an_error() {
    let folder = tempfile::TempDir::new().unwrap();
    let now_ms = 1_795_391_160_000;
    seed(folder.path(), now_ms);
    let hot = folder.path().join("default/pushes/hot");
    let mut minutes: Vec<_> = std::fs::read_dir(&hot).unwrap().map(|entry| entry.unwrap().path()).collect();
    minutes.sort();
    let damaged = std::fs::read_dir(&minutes[10]).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &whole[1..]).unwrap();

    let stopped = compact(folder.path(), &[]);
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    let told = String::from_utf8_lossy(&stopped.stderr).into_owned();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(told.contains("mayfly: default/pushes: ") && told.contains(name), "{told}");
    assert!(told.contains("its checksum is"), "{told}");
    // the other stream is looked at nevertheless
    let told = String::from_utf8_lossy(&stopped.stdout).into_owned();
    assert!(told.contains("default/samples: "), "{told}");

    std::fs::write(&damaged, whole).unwrap();
    let told = lines(&compact(folder.path(), &[]));
    assert!(told[0].ends_with(" 0 segments left"), "{told:?}");
}

#[test]
fn a_server_compacts_by_itself() {
    let mut fixture = Fixture::with_args(|folder| {
        seed(&folder.path().join("data"), 1_795_391_160_000);
        ["--storage.compact-interval=100ms", "--storage.compact-grace=1ms"].map(str::to_owned).to_vec()
    });
    let folder = fixture.storage();
    let query = fixture.server().query.clone();
    let metric = |name: &str| {
        let own = http::get(&query, "/metrics").unwrap().text();
        let found =
            own.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        found.unwrap_or_else(|| panic!("no {name} in {own}"))
    };
    wait_until(|| files(&folder, "hot") == 0);
    assert_eq!(metric("mayfly_compaction_segments_total{stream=\"default/pushes\"}"), "112");
    assert_eq!(metric("mayfly_compaction_lag_seconds{stream=\"default/pushes\"}"), "0");
    assert_eq!(metric("mayfly_compaction_invariant_violations_total{stream=\"default/pushes\"}"), "0");
    assert_ne!(metric("mayfly_compaction_requests_total{kind=\"put\"}"), "0");
    let page = http::get(&query, "/metrics").unwrap().text();
    let lease = page.lines().filter(|line| line.starts_with("mayfly_compaction_lease{")).collect::<Vec<_>>();
    assert!(lease.iter().any(|line| line.contains("stream=\"default/pushes\"} ")), "{lease:?}");
    assert_eq!(http::get(&query, "/-/healthy").unwrap().text(), "Mayfly is healthy.\n");

    // what keeps it from going on is told once, and the server lives on
    let manifest = folder.join("default/pushes/manifest.json");
    let whole = std::fs::read(&manifest).unwrap();
    // at once, so that nobody reads half of it
    let replace = |bytes: &[u8]| {
        std::fs::write(folder.join("other"), bytes).unwrap();
        std::fs::rename(folder.join("other"), &manifest).unwrap();
    };
    replace(b"{");
    wait_until(|| {
        http::get(&query, "/-/healthy").unwrap().text().contains("default/pushes is not compacted: ")
    });
    let failures =
        || metric("mayfly_compaction_failures_total{stream=\"default/pushes\"}").parse::<f64>().unwrap();
    wait_until(|| failures() >= 3.0);
    assert_eq!(fixture.log().matches("segments are not merged").count(), 1, "{}", fixture.log());
    replace(&whole);
    wait_until(|| http::get(&query, "/-/healthy").unwrap().text() == "Mayfly is healthy.\n");

    // who ends lets others go on at once
    fixture.stop();
    let told = lines(&compact(&folder, &[]));
    assert!(!told[0].contains("another process"), "{told:?}");
}

fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..1_200 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    panic!("it did not come to be so within 30 s");
}
