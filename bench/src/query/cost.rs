//! What an answer takes from a process.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::io::BufReader;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::fs::{Advice, fadvise, fsync};
use std::io::Write as _;
use testkit::http::Response;

use crate::child::Server;

/// A question is asked so often before it counts, …
const COLD_RUNS: usize = 10;
/// … then so often, at least and at the most, …
const WARM_RUNS: std::ops::RangeInclusive<usize> = 5..=200;
/// … and about for so long, if it is answered sooner.
const WARM_FOR: Duration = Duration::from_millis(500);
/// Longer than any answer that is of use.
const ANSWER_MAX: Duration = Duration::from_secs(300);

/// What an answer took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From the first byte of the request to the last one of the answer.
    pub took: Duration,
    /// Processor time of the process, all threads.
    pub cpu_seconds: f64,
    /// Bytes that the kernel had to fetch from the disk for it.
    pub disk_bytes: u64,
}

/// The body of an answer, over a connection of its own.
fn ask(address: SocketAddr, target: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let started = Instant::now();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let answer = Response::read(&mut BufReader::with_capacity(1 << 18, &stream)).context("answer")?;
    let took = started.elapsed();
    ensure!(answer.status == 200, "{target}: {} {}", answer.status, answer.text());
    Ok((answer.body, took))
}

/// Asks once: the answer, and what it took.
///
/// # Errors
/// If there is none.
pub fn once(server: &Server, target: &str) -> anyhow::Result<(Vec<u8>, Cost)> {
    let (cpu, disk) = (server.cpu_seconds()?, server.disk_bytes_read()?);
    let (body, took) = ask(server.address, target)?;
    let cpu_seconds = server.cpu_seconds()? - cpu;
    Ok((body, Cost { took, cpu_seconds, disk_bytes: server.disk_bytes_read()? - disk }))
}

/// Asks again and again: the last answer, the median time, and the mean of the rest.
///
/// # Errors
/// If there is none.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn warm(server: &Server, target: &str) -> anyhow::Result<(Vec<u8>, Cost)> {
    for _ in 0..COLD_RUNS {
        ask(server.address, target)?;
    }
    let (cpu, disk, started) = (server.cpu_seconds()?, server.disk_bytes_read()?, Instant::now());
    let (mut times, mut last) = (Vec::new(), Vec::new());
    while times.len() < *WARM_RUNS.start() || (started.elapsed() < WARM_FOR && times.len() < *WARM_RUNS.end())
    {
        let (body, took) = ask(server.address, target)?;
        times.push(took);
        last = body;
    }
    let cpu_seconds = (server.cpu_seconds()? - cpu) / times.len() as f64;
    let disk_bytes = (server.disk_bytes_read()? - disk) / times.len() as u64;
    times.sort_unstable();
    Ok((last, Cost { took: times[times.len() / 2], cpu_seconds, disk_bytes }))
}

/// Has the kernel forget what it holds in memory of the files of a folder. Nobody may have them mapped.
///
/// # Errors
/// If they cannot be read.
pub fn forget_files(folder: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            forget_files(&path)?;
        } else if kind.is_file() {
            let file = std::fs::File::open(&path)?;
            // what is not written yet is not forgotten
            fsync(&file)?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
