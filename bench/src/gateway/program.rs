//! Mayfly and the real Pushgateway as child processes.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::client::Client;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This repository's.
    Mayfly,
    /// The original.
    Pushgateway,
}

impl Kind {
    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mayfly => "Mayfly",
            Self::Pushgateway => "Pushgateway",
        }
    }
}

/// A program, and the folder where it keeps what it was pushed.
#[derive(Clone, Debug)]
pub struct Program {
    /// Which it is.
    pub kind: Kind,
    /// Its file.
    pub file: PathBuf,
    /// Its folder.
    pub folder: PathBuf,
}

/// A program that runs and is ready. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it takes pushes.
    pub address: SocketAddr,
    /// How long it took from its start until it said that it was ready.
    pub ready_after: Duration,
}

impl Program {
    /// Starts it, with or without its checks between groups.
    ///
    /// # Errors
    /// If it does not become ready.
    pub fn start(&self, checks: bool) -> anyhow::Result<Running> {
        let address = free_address()?;
        let mut command = Command::new(&self.file);
        match self.kind {
            Kind::Mayfly => {
                command.args(["serve", "--query.listen-address=127.0.0.1:0", "--log.level=error"]);
                command.arg(format!("--gateway.listen-address={address}"));
                command.arg("--storage").arg(self.folder.join("data"));
            }
            Kind::Pushgateway => {
                command.args(["--log.level=error", "--persistence.interval=5m"]);
                command.arg(format!("--web.listen-address={address}"));
                command.arg(format!("--persistence.file={}", self.folder.join("metrics").display()));
            }
        }
        if !checks {
            command.arg("--push.disable-consistency-check");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().with_context(|| self.file.display().to_string())?;
        let mut running = Running { child, address, ready_after: Duration::ZERO };
        while !matches!(Client::connect(address).and_then(|mut c| c.ask("GET", "/-/ready", "")), Ok(200)) {
            if started.elapsed() > Duration::from_secs(120) {
                bail!("{} did not become ready", self.kind.name());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        running.ready_after = started.elapsed();
        Ok(running)
    }
}

impl Running {
    /// Ends it as an operator does, and waits until it has written what it wants to write.
    ///
    /// # Errors
    /// If it does not end well.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("it ended with {status}");
        }
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

    /// Resident memory, in bytes.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn memory_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // it may have ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// An empty folder that is removed when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// In the system's folder for such.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("bench-gateway-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
