//! `make bench-ticks`: the rules of `bench-alert` in one process, tick after tick and with no time between them: what a tick costs
//! in processor time and in requests.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::sync::Arc;
use std::time::Duration;

use alert::{Components, Evaluator, Rules, Settings};
use anyhow::{anyhow, ensure};
use edge::{Ack, RuleSamples, Storage, SystemClock};
use mayfly_bench::measure::cpu_time;
use mayfly_bench::rules::{GROUPS, INTERVAL, RULES, rule_file, samples};
use model::{Clock, Labels};
use store::SampleBatch;

/// How often each rule is evaluated.
const ROUNDS: usize = 4;
/// What is written stays in the log for so long.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let storage = Storage::open(&folder.path().display().to_string(), None).await?;
    let ack = Ack::Logged { flush_interval: FLUSH_INTERVAL };
    let writer = Arc::new(storage.sample_writer(Arc::clone(&clock), ack).await?);
    let reader = Arc::new(storage.reader(None, Some(&writer)));
    let (_, queries) = edge::queries(Arc::clone(&reader), query::Settings::default(), Arc::clone(&clock));
    let rules =
        Rules::load(&[("rules.yml", rule_file())], &queries).map_err(|errors| anyhow!("{errors:?}"))?;
    let components = Components {
        query: Arc::new(queries),
        notifiers: Vec::new(),
        state: Arc::new(storage.rule_state()),
        sink: Some(Arc::new(RuleSamples::new(Arc::clone(&writer)))),
        clock: Arc::clone(&clock),
    };
    let evaluator = Evaluator::new(rules, components, Settings::default());
    for back_ms in [60_000, 0] {
        write(&writer, clock.now_ms() - back_ms).await?;
        tokio::time::sleep(FLUSH_INTERVAL * 3).await;
    }
    println!("{RULES} rules in {GROUPS} groups, every {INTERVAL:?}\n");
    println!(
        "| round | processor seconds for all rules once | ticks | requests per tick | largest memory, MiB |\n|---|---|---|---|---|"
    );
    let mut now_ms = clock.now_ms();
    for round in 0..ROUNDS {
        let end_ms = now_ms + i64::try_from(INTERVAL.as_millis())?;
        let (cpu, before, mut ticks) = (cpu_time(), requests(&storage), 0);
        while now_ms < end_ms {
            let progress = evaluator.tick(now_ms).await?;
            ensure!(progress.rules_failed == 0, "{progress:?}");
            ticks += 1;
            now_ms = evaluator.next_slot_ms(now_ms).unwrap_or(end_ms);
        }
        let requests = (requests(&storage) - before) as f64 / f64::from(ticks);
        let memory = std::fs::read_to_string("/proc/self/status")?;
        let memory = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let memory: u64 = memory.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        println!(
            "| {round} | {:.2} | {ticks} | {requests:.1} | {} |",
            (cpu_time() - cpu).as_secs_f64(),
            memory / 1024
        );
    }
    Ok(())
}

async fn write(writer: &store::Writer<SampleBatch>, at_ms: i64) -> anyhow::Result<()> {
    for series in samples(1_000) {
        let series = series.into_iter().map(|(labels, value)| {
            let mut samples = model::Samples::default();
            samples.push(at_ms, value);
            (Labels::from_pairs(labels), samples)
        });
        writer.push(SampleBatch::of(series.collect())).await?;
    }
    Ok(())
}

fn requests(storage: &Storage) -> u64 {
    let counts = storage.counts();
    counts.puts + counts.gets + counts.heads + counts.lists
}
