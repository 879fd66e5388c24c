//! `make bench-ingest`: the same remote write requests to Mayfly, to the real Prometheus and to the real VictoriaMetrics, one after the
//! other in one run.
//!
//! Mayfly answers when a request is synced to its log; the others answer from memory. After each load every sample has to be found.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use mayfly_bench::datasets::{Dataset, STEP_MS, scrape_like_of, short_lived_of};
use mayfly_bench::ingest::program::{Kind, Program};
use mayfly_bench::ingest::requests::requests;
use mayfly_bench::ingest::send::send;
use tempfile::TempDir;

/// Samples of a load of series that stay.
const SAMPLES: usize = 2_000_000;
const ACTIVE_SERIES: [usize; 2] = [10_000, 100_000];
const CONNECTIONS: [usize; 3] = [1, 4, 16];
/// Each with five series of three samples.
const INSTANCES: usize = 100_000;
/// Bytes on disk are told of the loads with so many connections.
const SETTLED: usize = 4;
/// How long after the last answer all samples have to be found.
const FOUND_WITHIN: Duration = Duration::from_secs(60);
/// What is older is merged by `mayfly compact`: whole minutes, and after them the time in which writes are answered, with a margin.
const MERGED_AFTER: Duration = Duration::from_secs(5 * 60);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench-ingest MAYFLY PROMETHEUS VICTORIAMETRICS [LOAD]";
    let mut program = |kind| Ok(Program { kind, file: arguments.next().context(usage)? });
    let programs: Vec<Program> = [Kind::Mayfly, Kind::Prometheus, Kind::VictoriaMetrics]
        .into_iter()
        .map(&mut program)
        .collect::<anyhow::Result<_>>()?;
    let wanted = arguments.next();
    println!(
        "| load | connections | program | samples/s | processor seconds per million samples | largest memory, MiB | bytes per sample on disk |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut to_merge = Vec::new();
    for (name, dataset) in loads()? {
        if wanted.as_ref().is_some_and(|wanted| !name.contains(&*wanted.to_string_lossy())) {
            continue;
        }
        let samples: usize = dataset.iter().map(|(_, samples)| samples.len()).sum();
        let metrics: BTreeSet<&str> = dataset.iter().map(|(labels, _)| labels.metric_name()).collect();
        for connections in CONNECTIONS {
            let requests = requests(&dataset, connections)?;
            for program in &programs {
                let load = Load { name: &name, connections, samples, metrics: &metrics };
                if let Some(folder) = load.measure(program, &requests)? {
                    to_merge.push((name.clone(), samples, folder, Instant::now()));
                }
            }
        }
    }
    println!("\n| load | Mayfly's bytes per sample once merged |\n|---|---|");
    for (name, samples, folder, ended) in to_merge {
        std::thread::sleep(MERGED_AFTER.saturating_sub(ended.elapsed()));
        println!("| {name} | {:.2} |", per_sample(programs[0].merged(folder.path())?, samples));
    }
    Ok(())
}

/// Data sets that end a minute ago: programs differ in what they do with samples of the future.
fn loads() -> anyhow::Result<Vec<(String, Dataset)>> {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut loads = Vec::new();
    for series in ACTIVE_SERIES {
        let scrapes = SAMPLES / series;
        let start_ms = now_ms - 60_000 - STEP_MS * i64::try_from(scrapes + 1)?;
        loads.push((format!("{series} series"), scrape_like_of(series, scrapes, start_ms)));
    }
    loads.push(("churn".to_owned(), short_lived_of(INSTANCES, now_ms - 60_000 - 7_205_000)));
    Ok(loads)
}

struct Load<'a> {
    name: &'a str,
    connections: usize,
    samples: usize,
    metrics: &'a BTreeSet<&'a str>,
}

impl Load<'_> {
    /// Prints a row. The folder, where it is to be merged later.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn measure(&self, program: &Program, requests: &[Vec<Vec<u8>>]) -> anyhow::Result<Option<TempDir>> {
        let Self { name, connections, samples, metrics } = *self;
        let folder = tempfile::tempdir()?;
        let server = program.start(folder.path())?;
        let took = send(server.address, requests)?;
        let (cpu, memory) = (server.cpu_seconds()?, server.memory_peak_bytes()?);
        let waited = Instant::now();
        loop {
            // some show what is new a little later
            let found = program.count(&server, metrics)?;
            if found == samples as u64 {
                break;
            }
            let is_patient = waited.elapsed() < FOUND_WITHIN && found < samples as u64;
            ensure!(is_patient, "{:?} finds {found} of {samples} samples", program.kind);
            std::thread::sleep(Duration::from_millis(500));
        }
        let is_settled = connections == SETTLED;
        let disk = match is_settled {
            true => format!("{:.2}", per_sample(program.settle(server, folder.path())?, samples)),
            false => server.stop().map(|()| String::new())?,
        };
        println!(
            "| {name} | {connections} | {:?} | {:.0} | {:.2} | {} | {disk} |",
            program.kind,
            samples as f64 / took.as_secs_f64(),
            cpu / samples as f64 * 1e6,
            memory >> 20,
        );
        Ok((is_settled && program.kind == Kind::Mayfly).then_some(folder))
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per_sample(bytes: u64, samples: usize) -> f64 {
    bytes as f64 / samples as f64
}
