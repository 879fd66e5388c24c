//! `make bench-scrape`: the same targets are scraped by Mayfly and by the real Prometheus, one after the other in one run.
//!
//! Pages are served by this process, whose work is not counted. The first round has series that nobody has seen; in the later ones only
//! values change. All samples have to be found.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mayfly_bench::child::{Server, free_address};
use testkit::http::{self, Response};
use testkit::server::escape;

const TARGETS: usize = 1_000;
const SERIES: usize = 1_000;
const INTERVAL: Duration = Duration::from_secs(20);
/// Rounds behind the first one.
const ROUNDS: u32 = 3;
const FOUND_WITHIN: Duration = Duration::from_secs(120);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench-scrape MAYFLY PROMETHEUS";
    let mayfly = arguments.next().context(usage)?;
    let prometheus = arguments.next().context(usage)?;
    let values = AtomicU64::new(0);
    let pages = http::Server::start(move |request| {
        let target = request.path().trim_start_matches("/m/");
        let value = values.fetch_add(1, Ordering::Relaxed);
        Response::new(200).header("content-type", "text/plain; version=0.0.4").body(page(target, value))
    })?;
    println!("{TARGETS} targets of {SERIES} series each, every {INTERVAL:?}\n");
    println!(
        "| program | processor seconds of the first round | of each later round | samples per processor second | largest memory, MiB |\n|---|---|---|---|---|"
    );
    let of_mayfly = measure("Mayfly", &pages.address().to_string(), |folder, config| {
        let (query, gateway) = (free_address()?, free_address()?);
        let mut command = Command::new(&mayfly);
        command.arg("serve").arg("--log.level=error").arg("--storage").arg(folder.join("data"));
        command.arg("--scrape-config").arg(config);
        command
            .arg(format!("--query.listen-address={query}"))
            .arg(format!("--gateway.listen-address={gateway}"));
        Server::start(&mut command, query, "/-/ready")
    })?;
    let of_prometheus = measure("Prometheus", &pages.address().to_string(), |folder, config| {
        let address = free_address()?;
        let mut command = Command::new(&prometheus);
        command.arg("--log.level=error").arg(format!("--web.listen-address={address}"));
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()));
        Server::start(&mut command, address, "/-/ready")
    })?;
    println!(
        "\nMayfly scrapes {:.2} times as much as Prometheus per processor second.",
        of_mayfly / of_prometheus
    );
    Ok(())
}

/// A page as an exporter has it.
fn page(target: &str, value: u64) -> String {
    let mut page = String::with_capacity(SERIES * 90);
    for family in 0..SERIES / 10 {
        // writing to a text cannot fail
        let _ = writeln!(
            page,
            "# HELP bench_family_{family}_total What is counted.\n# TYPE bench_family_{family}_total counter"
        );
        for series in 0..10 {
            let _ = writeln!(
                page,
                "bench_family_{family}_total{{target=\"{target}\",device=\"disk{series}\",mode=\"read\"}} {}",
                value + series
            );
        }
    }
    page
}

fn config(pages: &str) -> String {
    let seconds = INTERVAL.as_secs();
    let mut text = format!(
        "global: {{scrape_interval: {seconds}s}}\nscrape_configs:\n- job_name: bench\n  static_configs:\n"
    );
    for target in 0..TARGETS {
        let _ = writeln!(
            text,
            "  - {{targets: ['{pages}'], labels: {{__metrics_path__: '/m/{target}', instance: 'i{target}'}}}}"
        );
    }
    text
}

/// Prints a row. Samples per processor second of the later rounds.
fn measure(
    name: &str,
    pages: &str,
    start: impl FnOnce(&Path, &Path) -> anyhow::Result<Server>,
) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("scrape.yml");
    std::fs::write(&file, config(pages))?;
    let server = start(folder.path(), &file)?;
    wait_for(&server, "count(up == 1)", TARGETS)?;
    // those that were scraped last are stored
    std::thread::sleep(Duration::from_secs(2));
    let first = server.cpu_seconds()?;
    std::thread::sleep(INTERVAL * ROUNDS);
    let (cpu, memory) = (server.cpu_seconds()?, server.memory_peak_bytes()?);
    let later = (cpu - first) / f64::from(ROUNDS);
    wait_for(&server, "count({__name__=~\"bench_family_.*\"})", TARGETS * SERIES)?;
    let per_second = (TARGETS * SERIES) as f64 / later;
    println!("| {name} | {first:.2} | {later:.2} | {per_second:.0} | {} |", memory >> 20);
    server.stop()?;
    Ok(per_second)
}

fn wait_for(server: &Server, query: &str, expect: usize) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let answer = http::get(&server.url(), &format!("/api/v1/query?query={}", escape(query)))?.text();
        if answer.contains(&format!("\"{expect}\"]")) {
            return Ok(());
        }
        ensure!(started.elapsed() < FOUND_WITHIN, "{query} is not {expect}: {answer}");
        std::thread::sleep(Duration::from_millis(500));
    }
}
