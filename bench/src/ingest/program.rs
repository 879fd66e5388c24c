//! Receivers of remote write as child processes.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use testkit::http::{self, Request};

use crate::child::{Server, free_address};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This repository's.
    Mayfly,
    /// Keeps what is new in memory, with a log on disk that it does not sync.
    Prometheus,
    /// Keeps what is new in memory for some seconds.
    VictoriaMetrics,
}

/// A receiver.
#[derive(Clone, Debug)]
pub struct Program {
    /// Which it is.
    pub kind: Kind,
    /// Its file.
    pub file: PathBuf,
}

impl Program {
    /// Starts it with an empty folder.
    ///
    /// # Errors
    /// If it does not become ready.
    pub fn start(&self, folder: &Path) -> anyhow::Result<Server> {
        let address = free_address()?;
        let mut command = Command::new(std::path::absolute(&self.file)?);
        match self.kind {
            Kind::Mayfly => {
                command.args(["serve", "--gateway.listen-address=127.0.0.1:0", "--log.level=error"]);
                command.args(["--storage", "data"]).arg(format!("--query.listen-address={address}"));
            }
            Kind::Prometheus => {
                // of several connections one may be an hour of samples behind the others
                let settings = "storage: {tsdb: {out_of_order_time_window: 3h}}\n";
                std::fs::write(folder.join("prometheus.yml"), settings)?;
                command.args([
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    "--log.level=error",
                ]);
                command.args(["--web.enable-remote-write-receiver", "--web.enable-admin-api"]);
                command.arg(format!("--web.listen-address={address}"));
            }
            Kind::VictoriaMetrics => {
                command.args(["-storageDataPath=data", "-loggerLevel=ERROR", "-retentionPeriod=1y"]);
                command
                    .args(["-search.maxUniqueTimeseries=10000000", "-search.maxSamplesPerQuery=1000000000"]);
                command.arg(format!("-httpListenAddr={address}"));
            }
        }
        let ready = if self.kind == Kind::VictoriaMetrics { "/health" } else { "/-/ready" };
        Server::start(command.current_dir(folder), address, ready)
    }

    /// How many samples queries find, one for each of the metrics: without their names, series of several may be the same.
    ///
    /// # Errors
    /// If they are not answered.
    pub fn count(&self, server: &Server, metrics: &BTreeSet<&str>) -> anyhow::Result<u64> {
        if self.kind == Kind::VictoriaMetrics {
            // it shows what came last some seconds later, unless it is asked to
            http::get(&server.url(), "/internal/force_flush")?;
        }
        let count_of = |metric: &&str| -> anyhow::Result<u64> {
            let query = format!("/api/v1/query?query=sum(count_over_time({metric}%5B4h%5D))");
            let answer = http::get(&server.url(), &query)?;
            ensure!(answer.status == 200, "{:?}: {}", self.kind, answer.text());
            let answer = answer.json()?;
            let count = answer["data"]["result"][0]["value"][1].as_str();
            Ok(count.map_or(Ok(0), str::parse)?)
        };
        metrics.iter().map(count_of).sum()
    }

    /// Has it write and merge what it holds, ends it, and gives how many bytes it takes on disk. A folder of Mayfly's is merged some
    /// minutes later, by [`Program::merged`].
    ///
    /// # Errors
    /// If it cannot.
    pub fn settle(&self, server: Server, folder: &Path) -> anyhow::Result<u64> {
        match self.kind {
            Kind::Mayfly => {
                server.stop()?;
                bytes_of(&folder.join("data"))
            }
            Kind::Prometheus => {
                let request = Request::new("POST", "/api/v1/admin/tsdb/snapshot");
                let answer = http::send(&server.url(), &request)?;
                ensure!(answer.status == 200, "no snapshot: {}", answer.text());
                server.stop()?;
                bytes_of(&folder.join("data/snapshots"))
            }
            Kind::VictoriaMetrics => {
                for path in ["/internal/force_flush", "/internal/force_merge"] {
                    let answer = http::get(&server.url(), path)?;
                    ensure!(answer.status == 200, "{path}: {}", answer.text());
                }
                // it merges in the background and does not tell when it is done
                std::thread::sleep(Duration::from_secs(10));
                server.stop()?;
                bytes_of(&folder.join("data"))
            }
        }
    }

    /// Merges a folder of Mayfly's, and gives the bytes of the runs that come of it.
    ///
    /// # Errors
    /// If it cannot, or if it is too early.
    pub fn merged(&self, folder: &Path) -> anyhow::Result<u64> {
        let mut command = Command::new(std::path::absolute(&self.file)?);
        command.args(["compact", "--once", "--log.level=error", "--storage", "data"]);
        let ended = command.current_dir(folder).output()?;
        ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Merged::of(folder)?.bytes()
    }
}

/// What of a folder of Mayfly's is merged: its manifest.
#[derive(Debug)]
pub struct Merged(serde_json::Value);

impl Merged {
    /// Reads it.
    ///
    /// # Errors
    /// If nothing is merged yet.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let manifest = std::fs::read_to_string(folder.join("data/default/samples/manifest.json"));
        Ok(Self(serde_json::from_str(&manifest.context("nothing is merged yet")?)?))
    }

    /// Whether nothing is left to be merged of what is written.
    ///
    /// # Errors
    /// If the manifest does not say what is merged.
    pub fn is_all(&self, folder: &Path) -> anyhow::Result<bool> {
        let watermark = self.0["watermark"].as_str().context("watermark")?;
        // a folder for each minute
        let minutes = std::fs::read_dir(folder.join("data/default/samples/hot"))?;
        let minutes = minutes.map(|minute| Ok(minute?.file_name())).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(minutes.iter().all(|minute| minute.to_string_lossy().as_ref() < watermark))
    }

    /// Bytes of the runs that hold it. What was merged into others stays for a while, and does not count.
    ///
    /// # Errors
    /// If the manifest does not say.
    pub fn bytes(&self) -> anyhow::Result<u64> {
        let runs = self.0["runs"].as_array().context("runs")?;
        let objects = runs.iter().filter_map(|run| run["objects"].as_array()).flatten();
        objects.map(|object| object["bytes"].as_u64().context("bytes")).sum()
    }
}

/// Bytes of all files in a folder.
fn bytes_of(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
