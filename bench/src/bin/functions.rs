//! `make bench-functions`: the functions of a Lambda, built as they are deployed, on a real S3 server on loopback.
//!
//! It fails where a gate is not kept; aims are only told. What AWS adds – its own start of an environment, and the way to S3 –
//! is not in what is measured; the table of costs adds the way to S3.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use mayfly_bench::compaction::{DAY, Day, World};
use mayfly_bench::functions::cost::{self, SECONDS_PER_MONTH};
use mayfly_bench::functions::extension::{Bare, Measured};
use mayfly_bench::functions::measured::{Bootstrap, Call, Times};
use mayfly_bench::functions::s3::S3Server;
use serde_json::json;
use testkit::http::Request;

const MIB: u64 = 1 << 20;
const PUSH_BYTES_MAX: u64 = 12 * MIB;
const PUSH_MEMORY_MAX: u64 = 64 * MIB;
const QUERY_MEMORY_MAX: u64 = 256 * MIB;
const EXTENSION_BYTES_MAX: u64 = 16 * MIB;
const EXTENSION_MEMORY_MAX: u64 = 30 * MIB;
/// How much later a reply may come with the extension, in milliseconds.
const ADDED_MS_MAX: f64 = 5.0;
/// Processes that are started for each time that is told.
const STARTS: usize = 20;
/// Calls of one that is warm.
const CALLS: usize = 200;
/// Bodies of 1 MiB that are pushed to one process.
const LARGE: usize = 30;
/// Ticks within which what was merged is deleted.
const SWEEPS_MAX: usize = 30;
/// Messages of a batch.
const BATCH: usize = 100;
/// Memory of the functions push, query, alert and compact in MB, as the templates give it.
const MEMORY: [u32; 4] = [256, 1024, 512, 1024];
const NAMES: [&str; 4] = ["push", "query", "alert", "compact"];
/// As functions store what is pushed through a URL: a segment for each push.
const URL_DAY: Day = Day { segments: 10_000, pushes_per_segment: 1, series_per_push: 10, groups: 1_000 };
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/rules/jobs.yml");
/// An event of a schedule.
const TICK: &str = "{}";
/// Requests that a query waits for one after the other, if nothing is in memory (docs/benchmarks.md).
const QUERY_TRIPS: u32 = 3;

/// What was measured of calls that are paid for.
#[derive(Debug, Default)]
struct Calls {
    push: cost::Call,
    batch: cost::Call,
    query: cost::Call,
    rules: cost::Call,
    merges: cost::Call,
    /// A segment of one push, of many: dollars to merge it.
    segment: [f64; 2],
}

/// The bootstraps on one S3 server.
struct Functions<'a> {
    folder: &'a Path,
    s3: &'a S3Server,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench-functions BOOTSTRAPS WEED";
    let (folder, weed) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    let scratch = tempfile::TempDir::new()?;
    let s3 = S3Server::start(&weed, scratch.path())?;
    let functions = Functions { folder: &folder, s3: &s3 };
    println!("| function | what | figure | bound |\n|---|---|---|---|");
    functions.sizes()?;
    let mut calls = Calls::default();
    functions.pushes(&mut calls)?;
    functions.days(&mut calls).await?;
    functions.queries(&mut calls)?;
    functions.rules(&mut calls)?;
    functions.extension()?;
    tell(&calls);
    Ok(())
}

fn row(function: &str, what: &str, figure: impl Display, bound: &str) {
    println!("| {function} | {what} | {figure} | {bound} |");
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

fn push(path: &str, body: impl Into<Vec<u8>>) -> Call {
    let request = Request::new("PUT", path).header("content-type", "text/plain; version=0.0.4");
    Call::Url(request.body(body))
}

/// Ten gauges.
fn gauges() -> String {
    (0..10)
        .map(|index| format!("# TYPE batch_metric_{index} gauge\nbatch_metric_{index} {index}.5\n"))
        .collect()
}

/// A gauge with many series, in 1 MiB of text.
fn large() -> String {
    let mut text = "# TYPE large gauge\n".to_owned();
    let mut index = 0;
    while text.len() < MIB as usize - 64 {
        text.push_str(&format!("large{{path=\"/var/lib/job/{index}\",kind=\"{}\"}} {index}.25\n", index % 7));
        index += 1;
    }
    text
}

fn batch() -> Call {
    let records: Vec<_> = (0..BATCH)
        .map(|index| {
            let body =
                json!({"method": "POST", "path": format!("/metrics/job/queued-{index}"), "body": gauges()});
            json!({"messageId": format!("m{index}"), "body": body.to_string(), "eventSource": "aws:sqs",
                "attributes": {}, "eventSourceARN": "arn:aws:sqs:us-east-1:1:pushes"})
        })
        .collect();
    Call::Event(json!({ "Records": records }).to_string())
}

fn question(expression: &str, at_s: i64) -> Call {
    let escaped: String =
        expression
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
    Call::Url(Request::new("GET", &format!("/api/v1/query?query={escaped}&time={at_s}")))
}

impl<'a> Functions<'a> {
    fn bootstrap(&self, index: usize, prefix: &str) -> Bootstrap<'a> {
        Bootstrap::new(self.folder, NAMES[index], self.s3, prefix, MEMORY[index])
    }

    fn sizes(&self) -> anyhow::Result<()> {
        for (index, name) in NAMES.into_iter().enumerate() {
            let bytes = self.bootstrap(index, "sizes").size_bytes()?;
            row(name, "bootstrap", mib(bytes), if index == 0 { "12 MiB" } else { "" });
            ensure!(index > 0 || bytes <= PUSH_BYTES_MAX, "push is larger than 12 MiB");
        }
        Ok(())
    }

    fn pushes(&self, calls: &mut Calls) -> anyhow::Result<()> {
        let function = self.bootstrap(0, "pushes");
        let ready = Times::of(STARTS, || function.spawn_to_ready())?;
        row("push", "spawn to ready", told(&ready), "aim 30 ms");
        let first = push("/metrics/job/first", gauges());
        let acked = Times::of(STARTS, || Ok(function.spawn_to_answer(&first)?.0))?;
        row("push", "spawn to first push answered", told(&acked), "aim 100 ms");
        let (_, mut warm) = function.spawn_to_answer(&first)?;
        let times = Times::of(CALLS, || first.time(&mut warm))?;
        row("push", "a push when warm", told(&times), "");
        let requests = function.requests(&first)?;
        row("push", "requests of a push", requests, "1 PUT");
        let took = Duration::from_secs_f64(times.median_ms() / 1e3);
        calls.push = cost::Call { requests, took, trips: 1, memory_mb: MEMORY[0] };

        let many = batch();
        let times = Times::of(STARTS, || many.time(&mut warm))?;
        row("push", "a batch of 100 messages when warm", told(&times), "");
        let requests = function.requests(&many)?;
        row("push", "requests of a batch", requests, "1 PUT");
        let took = Duration::from_secs_f64(times.median_ms() / 1e3);
        calls.batch = cost::Call { requests, took, trips: 1, memory_mb: MEMORY[0] };

        row("push", "memory after these", mib(warm.peak_memory_bytes()?), "");
        let large = push("/metrics/job/large", large());
        let (_, mut process) = function.spawn_to_answer(&large)?;
        let times = Times::of(LARGE, || large.time(&mut process))?;
        row("push", "a body of 1 MiB", told(&times), "");
        let bytes = process.peak_memory_bytes()?;
        row("push", "memory at bodies of 1 MiB", mib(bytes), "64 MiB");
        ensure!(bytes <= PUSH_MEMORY_MAX, "push takes more than 64 MiB");
        Ok(())
    }

    /// Days of pushes, put there as functions would have put them, and merged by the function.
    async fn days(&self, calls: &mut Calls) -> anyhow::Result<()> {
        for (index, (prefix, what, day)) in
            [("url", "10,000 segments of 1 push", URL_DAY), ("day", "10,000 segments of 100 pushes", DAY)]
                .into_iter()
                .enumerate()
        {
            let world = World::new().await?;
            world.push_until(day, &mut 0, day.segments).await?;
            self.s3.fill(&*world.store, prefix).await?;
            world.close()?;
            let function = self.bootstrap(3, prefix);
            let before = self.s3.requests()?;
            let (took, process) = function.spawn_to_answer(&Call::Event(TICK.to_owned()))?;
            let requests = self.s3.requests()?.since(before);
            row("compact", what, format!("{:.1} s; {requests}", took.as_secs_f64()), "");
            row("compact", "memory at that", mib(process.peak_memory_bytes()?), "512 MiB");
            ensure!(process.peak_memory_bytes()? <= 512 * MIB, "compact takes more than 512 MiB");
            // many segments are fetched at once, so the way to S3 is not waited for each time
            let call = cost::Call { requests, took, trips: 200, memory_mb: MEMORY[3] };
            calls.segment[index] = call.dollars() / f64::from(u32::try_from(day.segments)?);
        }
        let tick = Call::Event(TICK.to_owned());
        for prefix in ["url", "day"] {
            self.sweep(prefix, &tick)?;
        }
        let function = self.bootstrap(3, "day");
        let requests = function.requests(&tick)?;
        let (_, mut warm) = function.spawn_to_answer(&tick)?;
        let times = Times::of(STARTS, || tick.time(&mut warm))?;
        row("compact", "a tick with nothing to merge", format!("{}; {requests}", told(&times)), "");
        let took = Duration::from_secs_f64(times.median_ms() / 1e3);
        calls.merges = cost::Call { requests, took, trips: 6, memory_mb: MEMORY[3] };
        Ok(())
    }

    /// Deletes what was merged, as ticks half an hour later would.
    fn sweep(&self, prefix: &str, tick: &Call) -> anyhow::Result<()> {
        let function = self.bootstrap(3, prefix).with("MAYFLY_STORAGE_COMPACT_GRACE", "1s");
        let (_, mut process) = function.spawn_to_answer(tick)?;
        for _ in 0..SWEEPS_MAX {
            std::thread::sleep(Duration::from_secs(2));
            let before = self.s3.requests()?;
            tick.of(&mut process)?;
            if self.s3.requests()?.since(before).delete == 0 {
                return Ok(());
            }
        }
        anyhow::bail!("what was merged is still there")
    }

    fn queries(&self, calls: &mut Calls) -> anyhow::Result<()> {
        let function = self.bootstrap(1, "day");
        let ready = Times::of(STARTS, || function.spawn_to_ready())?;
        row("query", "spawn to ready", told(&ready), "");
        let at_s = World::END_MS / 1_000;
        let mut most = 0;
        for (what, expression) in [
            ("one series", r#"batch_metric_01{job="batch-7"}"#),
            ("its increase over the day", r#"increase(batch_metric_01{job="batch-7"}[1d])"#),
            ("1,000 series", "sum(batch_metric_02)"),
            ("their averages over an hour", "avg_over_time(batch_metric_03[1h])"),
            ("1,000 series over the day", "max by (job) (max_over_time(batch_metric_04[1d]))"),
            ("10,000 series", r#"count({__name__=~"batch_metric_.*"})"#),
        ] {
            let call = question(expression, at_s);
            let (took, mut process) = function.spawn_to_answer(&call)?;
            let answer: serde_json::Value = serde_json::from_slice(&call.of(&mut process)?)?;
            let found = answer["data"]["result"].as_array().map_or(0, Vec::len);
            ensure!(found > 0, "{expression}: nothing was found: {answer}");
            let requests = function.requests(&call)?;
            let warm = Times::of(STARTS, || call.time(&mut process))?;
            let bytes = process.peak_memory_bytes()?;
            most = most.max(bytes);
            let figure = format!(
                "first answer {:.0} ms after spawn, warm {:.1} ms; {requests}; {}",
                took.as_secs_f64() * 1e3,
                warm.median_ms(),
                mib(bytes)
            );
            row("query", &format!("{what}: `{expression}`"), figure, "256 MiB, aim 1 s");
            if what == "1,000 series" {
                calls.query = cost::Call { requests, took, trips: QUERY_TRIPS, memory_mb: MEMORY[1] };
            }
        }
        ensure!(most <= QUERY_MEMORY_MAX, "query takes more than 256 MiB");
        Ok(())
    }

    fn rules(&self, calls: &mut Calls) -> anyhow::Result<()> {
        let function = self.bootstrap(2, "url").with("MAYFLY_RULES", RULES);
        let tick = Call::Event(TICK.to_owned());
        let (first, mut process) = function.spawn_to_answer(&tick)?;
        let figure = format!("{:.0} ms after spawn", first.as_secs_f64() * 1e3);
        row("alert", "first tick of rules/jobs.yml over 1,000 groups", figure, "");
        // the next slot is due when a minute has passed
        let mut ticks = Vec::new();
        for _ in 0..2 {
            std::thread::sleep(Duration::from_secs(61));
            let before = self.s3.requests()?;
            let took = tick.time(&mut process)?;
            ticks.push((self.s3.requests()?.since(before), took));
        }
        let (requests, took) = ticks[1];
        let figure = format!("{:.1} ms; {requests}", took.as_secs_f64() * 1e3);
        row("alert", "a tick when warm", figure, "");
        row("alert", "memory at that", mib(process.peak_memory_bytes()?), "");
        calls.rules = cost::Call { requests, took, trips: 5, memory_mb: MEMORY[2] };
        Ok(())
    }
}

impl Functions<'_> {
    /// What it adds to a function that pushes ten gauges in each invocation, with nowhere to go but straight to S3.
    fn extension(&self) -> anyhow::Result<()> {
        let extension = Bootstrap::new(self.folder, "extension", self.s3, "measured", 256);
        let bytes = extension.size_bytes()?;
        row("extension", "program", mib(bytes), "16 MiB");
        ensure!(bytes <= EXTENSION_BYTES_MAX, "the extension is larger than 16 MiB");
        let ready = Times::of(STARTS, || Ok(Measured::start(&extension, &gauges())?.0))?;
        row("extension", "spawn to ready", told(&ready), "");

        let (_, mut measured) = Measured::start(&extension, &gauges())?;
        let bare = Bare::start()?;
        measured.invoke()?;
        let before = self.s3.requests()?;
        let (mut others, mut after) = (Vec::new(), Vec::new());
        // one after the other, so that both meet the same machine
        let replies = Times::of(CALLS, || {
            others.push(bare.invoke()?);
            let invocation = measured.invoke()?;
            after.push(invocation.after);
            Ok(invocation.reply)
        })?;
        let requests = self.s3.requests()?.since(before);
        let (others, after) = (Times::from(others), Times::from(after));
        let added_ms = replies.quick_ms() - others.quick_ms();
        let figure = format!("{added_ms:.2} ms later, {:.2} ms at all", replies.quick_ms());
        row("extension", "a reply after a push, the quickest tenth", figure, "5 ms");
        row("extension", "until it is done, after the reply", told(&after), "25 ms are Lambda's");
        row("extension", &format!("requests of {CALLS} invocations"), requests, "1 PUT each");
        let memory = measured.memory_bytes()?;
        row("extension", "memory after these", mib(memory), "30 MiB");
        measured.end()?;
        ensure!(memory <= EXTENSION_MEMORY_MAX, "the extension takes more than 30 MiB");
        ensure!(added_ms < ADDED_MS_MAX, "a reply comes {added_ms:.2} ms later with the extension");
        Ok(())
    }
}

fn told(times: &Times) -> String {
    format!("{:.1} ms, at most {:.1}", times.median_ms(), times.max_ms())
}

/// Dollars a month.
fn tell(calls: &Calls) {
    println!("\n| one | S3 | seconds billed | GB-seconds | dollars per million |\n|---|---|---|---|---|");
    for (what, call, dollars) in [
        ("push through the URL", &calls.push, calls.push.dollars()),
        ("batch of 100 messages", &calls.batch, calls.batch.dollars()),
        ("query of a function that is cold", &calls.query, calls.query.dollars()),
        ("tick of rules", &calls.rules, calls.rules.scheduled()),
        ("tick of compaction, nothing to merge", &calls.merges, calls.merges.scheduled()),
    ] {
        let (seconds, gb_seconds) = (call.seconds(), call.gb_seconds());
        println!("| {what} | {} | {seconds:.3} | {gb_seconds:.4} | {:.2} |", call.requests, dollars * 1e6);
    }
    for (what, dollars) in [("merging a segment of 1 push", calls.segment[0]), ("of 100", calls.segment[1])] {
        println!("| {what} | | | | {:.2} |", dollars * 1e6);
    }
    let ticks = SECONDS_PER_MONTH / 60.0 * calls.rules.scheduled();
    let merges = SECONDS_PER_MONTH / 600.0 * calls.merges.scheduled();
    println!("\nA month of ticks: rules {ticks:.2}, compaction {merges:.2} dollars.\n");
    println!(
        "| pushes/s | way in | pushes | merging | segments read by rules | all, with ticks, a month |\n|---|---|---|---|---|---|"
    );
    // each tick of rules and each query of a warm function reads a segment once
    let read = cost::of(mayfly_bench::functions::s3::Requests { get: 1, ..Default::default() });
    for rate in [0.01, 0.1, 1.0, 10.0, 100.0] {
        let pushes = rate * SECONDS_PER_MONTH;
        let url = (pushes * calls.push.dollars(), pushes * calls.segment[0], pushes * read);
        // a batch is what comes within the queue's window of 5 s, at most 100
        let size = (rate * 5.0).clamp(1.0, 100.0);
        let batches = pushes / size;
        let share = (size - 1.0) / 99.0;
        let merging = calls.segment[0] + (calls.segment[1] - calls.segment[0]) * share;
        let queued = pushes * cost::of_message(size) + batches * calls.batch.dollars();
        for (way, (stored, merged, read)) in
            [("URL", url), ("queue", (queued, batches * merging, batches * read))]
        {
            let all = stored + merged + read + ticks + merges;
            println!("| {rate} | {way} | {stored:.2} | {merged:.2} | {read:.2} | {all:.2} |");
        }
    }
}
