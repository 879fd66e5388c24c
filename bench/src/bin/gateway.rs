//! `make bench-gateway`: pushes to Mayfly and to the real Pushgateway, one after the other in one run.
//!
//! The Pushgateway is filled with its checks off and a file to persist to, and started again with its checks on, since
//! with them filling takes time that grows with the square of the groups. Every push to Mayfly is synced to its log before it
//! is answered; the Pushgateway keeps it in memory.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use mayfly_bench::child::Server;
use mayfly_bench::gateway::client::Client;
use mayfly_bench::gateway::load::{self, GAUGES};
use mayfly_bench::gateway::program::{Kind, Program, Scratch};

const GROUPS: [usize; 4] = [100, 1_000, 2_000, 20_000];
const CLIENTS: [usize; 2] = [1, 64];
/// How long each measurement takes pushes.
const TIME: Duration = Duration::from_secs(8);
const FILLERS: usize = 16;
/// Groups that hold a million series.
const MANY_GROUPS: usize = 1_000_000 / GAUGES;
/// After this a push to Mayfly is in a Parquet file.
const FLUSHED: Duration = Duration::from_secs(12);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench-gateway MAYFLY PUSHGATEWAY [latency|memory]";
    let mayfly = arguments.next().context(usage)?;
    let pushgateway = arguments.next().context(usage)?;
    let wanted = arguments.next();
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.as_os_str() == name);
    let programs = [(Kind::Mayfly, mayfly), (Kind::Pushgateway, pushgateway)];
    if is_wanted("latency") {
        println!("| groups | clients | program | mean ms | p99 ms | pushes/s |\n|---|---|---|---|---|---|");
        for groups in GROUPS {
            for (kind, file) in &programs {
                latency(*kind, file, groups)?;
            }
        }
    }
    if is_wanted("memory") {
        println!("\n| program | what | figure |\n|---|---|---|");
        for (kind, file) in &programs {
            memory(*kind, file)?;
        }
    }
    Ok(())
}

fn program(kind: Kind, file: &std::path::Path, scratch: &Scratch) -> Program {
    Program { kind, file: file.to_owned(), folder: scratch.path().to_owned() }
}

/// A program that holds so many groups, started anew with its checks on.
fn filled(program: &Program, groups: usize) -> anyhow::Result<Server> {
    let running = program.start(false)?;
    load::fill(running.address, groups, FILLERS)?;
    running.stop()?;
    let running = program.start(true)?;
    // the first push may wait until what is held is known
    load::fill(running.address, 1, 1)?;
    Ok(running)
}

fn latency(kind: Kind, file: &std::path::Path, groups: usize) -> anyhow::Result<()> {
    let scratch = Scratch::new(&format!("{kind:?}-{groups}"))?;
    let running = filled(&program(kind, file, &scratch), groups)?;
    for clients in CLIENTS {
        let latencies = load::push(running.address, groups, clients, TIME)?;
        println!(
            "| {groups} | {clients} | {} | {:.2} | {:.2} | {:.0} |",
            kind.name(),
            latencies.mean_ms(),
            latencies.p99_ms(),
            latencies.per_second()
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn memory(kind: Kind, file: &std::path::Path) -> anyhow::Result<()> {
    let row = |what: &str, figure: String| println!("| {} | {what} | {figure} |", kind.name());
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / (1 << 20) as f64);
    let scratch = Scratch::new(&format!("{kind:?}-memory"))?;
    let program = program(kind, file, &scratch);
    let running = program.start(false)?;
    let empty = running.memory_bytes()?;
    let began = Instant::now();
    load::fill(running.address, MANY_GROUPS, FILLERS)?;
    let took = began.elapsed();
    row("memory when empty", mib(empty));
    row("filling with 1,000,000 series", format!("{:.0} pushes/s", MANY_GROUPS as f64 / took.as_secs_f64()));
    row("memory right after that", mib(running.memory_bytes()?));
    std::thread::sleep(FLUSHED);
    row("memory 12 s later", mib(running.memory_bytes()?));
    if kind == Kind::Pushgateway {
        // kill -9 would leave it nothing to read
        running.stop()?;
    } else {
        running.kill()?;
    }
    let running = program.start(true)?;
    row("kill -9 to ready", format!("{:.0} ms", running.ready_after.as_secs_f64() * 1e3));
    let asked = Instant::now();
    let status = Client::connect(running.address)?.ask("PUT", "/metrics/job/first", "first 1\n")?;
    let waited = asked.elapsed().as_secs_f64() * 1e3;
    row("the first push after that", format!("{waited:.0} ms, answered {status}"));
    row("memory then", mib(running.memory_bytes()?));
    Ok(())
}
