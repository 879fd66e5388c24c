//! `make bench-alert`: 10,000 alert rules over 100,000 series in Mayfly and in the real Prometheus, one after the other in one run.
//!
//! Both get the same rule file and the same samples, by remote write. After two intervals, processor time and evaluations of the
//! next three are counted, by what the program says that it has evaluated: one that does not keep up is seen by its share.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use mayfly_bench::child::{Server, free_address};
use mayfly_bench::gateway::program::Scratch;
use mayfly_bench::rules::{GROUPS, INSTANCES, INTERVAL, RULES, rule_file, samples};
use testkit::http::{self, Request};
use testkit::remote_write::{V1, request_v1, series_v1};

const INTERVALS: u32 = 3;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench-alert MAYFLY PROMETHEUS";
    let (mayfly, prometheus) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    println!("{RULES} alert rules in {GROUPS} groups, {} series, every {INTERVAL:?}\n", RULES * INSTANCES);
    println!(
        "| program | processor seconds for all rules once | evaluated of those due | largest memory, MiB | firing |"
    );
    println!("|---|---|---|---|---|");
    for (name, file) in [("Mayfly", &mayfly), ("Prometheus", &prometheus)] {
        let scratch = Scratch::new(name)?;
        let figures = measure(&start(name, file, scratch.path())?)?;
        let Figures { cpu_seconds, evaluated, memory_mib, firing } = figures;
        println!("| {name} | {cpu_seconds:.2} | {:.0} % | {memory_mib} | {firing} |", 100.0 * evaluated);
    }
    Ok(())
}

struct Figures {
    cpu_seconds: f64,
    /// Of what was due.
    evaluated: f64,
    memory_mib: u64,
    firing: u64,
}

fn measure(server: &Server) -> anyhow::Result<Figures> {
    write_samples(&server.url())?;
    std::thread::sleep(INTERVAL * 2);
    write_samples(&server.url())?;
    let (cpu, before) = (server.cpu_seconds()?, evaluations(server)?);
    std::thread::sleep(INTERVAL * INTERVALS);
    let (cpu, evaluated) = (server.cpu_seconds()? - cpu, evaluations(server)? - before);
    ensure!(evaluated > 0.0, "nothing is evaluated");
    Ok(Figures {
        cpu_seconds: cpu / evaluated * RULES as f64,
        evaluated: evaluated / (f64::from(INTERVALS) * RULES as f64),
        memory_mib: server.memory_peak_bytes()? >> 20,
        firing: firing(server)?,
    })
}

/// A sample of now for every series.
fn write_samples(url: &str) -> anyhow::Result<()> {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    for samples in samples(1_000) {
        let series = samples.iter().map(|(labels, value)| {
            let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
            series_v1(&labels, &[(now_ms, *value)])
        });
        let body = snap::raw::Encoder::new().compress_vec(&request_v1(series))?;
        let request = Request::new("POST", "/api/v1/write")
            .header("content-type", V1)
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body);
        let answer = http::send(url, &request)?;
        ensure!(answer.status == 204, "samples are refused: {} {}", answer.status, answer.text());
    }
    Ok(())
}

fn start(name: &str, file: &Path, folder: &Path) -> anyhow::Result<Server> {
    std::fs::write(folder.join("rules.yml"), rule_file())?;
    let address = free_address()?;
    let mut command = Command::new(std::path::absolute(file)?);
    if name == "Mayfly" {
        command.args(["serve", "--gateway.listen-address=127.0.0.1:0", "--log.level=error"]);
        command.args(["--storage", "data", "--rules", "rules.yml"]);
        command.arg(format!("--query.listen-address={address}"));
    } else {
        std::fs::write(folder.join("prometheus.yml"), "rule_files: [rules.yml]\n")?;
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]);
        command.args(["--web.enable-remote-write-receiver", &format!("--web.listen-address={address}")]);
    }
    Server::start(command.current_dir(folder), address, "/-/ready")
}

/// How many rules it says that it has evaluated.
fn evaluations(server: &Server) -> anyhow::Result<f64> {
    let text = http::get(&server.url(), "/metrics")?.text();
    let lines = text.lines().filter(|line| line.starts_with("prometheus_rule_evaluations_total"));
    lines.map(|line| Ok(line.rsplit(' ').next().context("value")?.parse::<f64>()?)).sum()
}

fn firing(server: &Server) -> anyhow::Result<u64> {
    let answer = http::get(&server.url(), "/api/v1/alerts")?.json()?;
    let alerts = answer["data"]["alerts"].as_array().context("alerts")?;
    Ok(alerts.iter().filter(|alert| alert["state"] == "firing").count() as u64)
}
