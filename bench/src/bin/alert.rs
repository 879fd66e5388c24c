//! `make bench-alert`: 10,000 alert rules over 100,000 series in Mayfly and in the real Prometheus, one after the other in one run.
//!
//! Both get the same rule file and the same samples, by remote write. After two intervals, processor time and evaluations of the
//! next three are counted, by what the program says that it has evaluated: one that does not keep up is seen by its share.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
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
        let figures = measure(&Running::start(name, file, scratch.path())?)?;
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

fn measure(running: &Running) -> anyhow::Result<Figures> {
    write_samples(&running.url)?;
    std::thread::sleep(INTERVAL * 2);
    write_samples(&running.url)?;
    let (cpu, evaluations) = (running.cpu_seconds()?, running.evaluations()?);
    std::thread::sleep(INTERVAL * INTERVALS);
    let (cpu, evaluations) = (running.cpu_seconds()? - cpu, running.evaluations()? - evaluations);
    ensure!(evaluations > 0.0, "nothing is evaluated");
    Ok(Figures {
        cpu_seconds: cpu / evaluations * RULES as f64,
        evaluated: evaluations / (f64::from(INTERVALS) * RULES as f64),
        memory_mib: running.memory_mib()?,
        firing: running.firing()?,
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

/// A server under measurement. Killed when dropped.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(name: &str, file: &Path, folder: &Path) -> anyhow::Result<Self> {
        std::fs::write(folder.join("rules.yml"), rule_file())?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
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
        let child = command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.with_context(|| file.display().to_string())?;
        let mut running = Self { child, url: format!("http://{address}") };
        let started = Instant::now();
        while !http::get(&running.url, "/-/ready").is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = running.child.try_wait()? {
                bail!("{name} ended with {status}");
            }
            ensure!(started.elapsed() < Duration::from_secs(120), "{name} did not become ready");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(running)
    }

    /// User and system time so far, of all threads.
    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // behind the name, which is in parentheses, the 12th and 13th field
        let fields: Vec<&str> = stat.rsplit(')').next().context("stat")?.split_whitespace().collect();
        let ticks: u64 = fields.get(11).context("utime")?.parse::<u64>()?
            + fields.get(12).context("stime")?.parse::<u64>()?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    fn memory_mib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    }

    /// How many rules it says that it has evaluated.
    fn evaluations(&self) -> anyhow::Result<f64> {
        let text = http::get(&self.url, "/metrics")?.text();
        let lines = text.lines().filter(|line| line.starts_with("prometheus_rule_evaluations_total"));
        lines.map(|line| Ok(line.rsplit(' ').next().context("value")?.parse::<f64>()?)).sum()
    }

    fn firing(&self) -> anyhow::Result<u64> {
        let answer = http::get(&self.url, "/api/v1/alerts")?.json()?;
        let alerts = answer["data"]["alerts"].as_array().context("alerts")?;
        Ok(alerts.iter().filter(|alert| alert["state"] == "firing").count() as u64)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // it may have ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
