//! Mayfly and the real Pushgateway as child processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::{Server, free_address};

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

impl Program {
    /// Starts it, with or without its checks between groups.
    ///
    /// # Errors
    /// If it does not become ready.
    pub fn start(&self, checks: bool) -> anyhow::Result<Server> {
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
        Server::start(&mut command, address, "/-/ready")
    }
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
