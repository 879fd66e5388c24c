//! A server as a child process: what it takes from the machine.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use testkit::http;

/// No program takes longer to be ready.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// A server that runs and is ready. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// How long it took from its start until it said that it was ready.
    pub ready_after: Duration,
}

/// An address of this machine on which nobody listens.
///
/// # Errors
/// If there is none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// Starts a program that will listen there, and waits until a path is answered 200.
    ///
    /// # Errors
    /// If it ends, or does not become ready.
    pub fn start(command: &mut Command, address: SocketAddr, ready: &str) -> anyhow::Result<Self> {
        let what = command.get_program().display().to_string();
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context(what.clone())?;
        let mut server = Self { child, address, ready_after: Duration::ZERO };
        while !http::get(&server.url(), ready).is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = server.child.try_wait()? {
                bail!("{what} ended with {status}");
            }
            ensure!(started.elapsed() < READY_WITHIN, "{what} did not become ready");
            std::thread::sleep(Duration::from_millis(2));
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// User and system time so far, of all threads.
    ///
    /// # Errors
    /// If the system does not tell.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // behind the name, which is in parentheses, the 12th and 13th field
        let fields: Vec<&str> = stat.rsplit(')').next().context("stat")?.split_whitespace().collect();
        let ticks: u64 = fields.get(11).context("utime")?.parse::<u64>()?
            + fields.get(12).context("stime")?.parse::<u64>()?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory, in bytes.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn memory_bytes(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// Most of it so far, in bytes.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn memory_peak_bytes(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    /// Has the system forget what was most of it so far.
    ///
    /// # Errors
    /// If it does not.
    pub fn forget_memory_peak(&self) -> anyhow::Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    /// Bytes that were fetched from disks for it so far; what the kernel had in memory does not count.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn disk_bytes_read(&self) -> anyhow::Result<u64> {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id()))?;
        let read = io.lines().find_map(|line| line.strip_prefix("read_bytes: "));
        Ok(read.context("read_bytes")?.parse()?)
    }

    fn status(&self, name: &'static str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context(name)?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Ends it as an operator does, and waits until it has written what it wants to write.
    ///
    /// # Errors
    /// If it does not end well.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("pid")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
