//! SeaweedFS as a child process: an S3 server that counts what it is asked.

#![expect(clippy::disallowed_methods, reason = "a real server starts in real time")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use testkit::http;

const BUCKET: &str = "metrics";
const START: Duration = Duration::from_secs(60);
/// Objects that are copied at once.
const COPIES: usize = 16;
/// Ports of its parts, all set, so that two can run on one machine.
const PORTS: [&str; 10] = [
    "-s3.port",
    "-metricsPort",
    "-master.port",
    "-volume.port",
    "-filer.port",
    "-admin.port",
    "-master.port.grpc",
    "-volume.port.grpc",
    "-filer.port.grpc",
    "-admin.port.grpc",
];

/// A running server with one empty bucket. Killed when dropped.
#[derive(Debug)]
pub struct S3Server {
    child: Child,
    /// Where S3 is spoken.
    pub endpoint: String,
    metrics: String,
    /// What a process needs to be let in, and region.
    pub credentials: Vec<(String, String)>,
}

/// Requests that a server has answered, as S3 bills them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// PUT and POST.
    pub put: u64,
    /// Listings.
    pub list: u64,
    /// GET and HEAD.
    pub get: u64,
    /// Deletions, which cost nothing.
    pub delete: u64,
}

impl Requests {
    /// What came after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            put: self.put - earlier.put,
            list: self.list - earlier.list,
            get: self.get - earlier.get,
            delete: self.delete - earlier.delete,
        }
    }
}

impl std::fmt::Display for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [(self.put, "PUT"), (self.list, "LIST"), (self.get, "GET"), (self.delete, "DELETE")];
        let told: Vec<_> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        f.write_str(if told.is_empty() { "none" } else { "" })?;
        f.write_str(&told.join(", "))
    }
}

impl S3Server {
    /// Starts `weed` with its files in `folder`. Keys and region are those of this process's environment, since the
    /// store that is opened in it takes them from there.
    ///
    /// # Errors
    /// If there are no keys, or it does not become ready.
    pub fn start(weed: &Path, folder: &Path) -> anyhow::Result<Self> {
        let mut credentials = Vec::new();
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
            let value = std::env::var(name).with_context(|| format!("{name} has to be set, to anything"))?;
            credentials.push((name.to_owned(), value));
        }
        // held until all are known, so that they differ
        let held: Vec<_> =
            PORTS.iter().map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let ports: Vec<u16> =
            held.iter().map(|port| port.local_addr().map(|at| at.port())).collect::<Result<_, _>>()?;
        drop(held);
        let mut command = Command::new(weed);
        command.args(["mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
        command.args(["-webdav=false", "-admin.ui=false", "-master.telemetry=false"]);
        command.arg(format!("-dir={}", folder.display())).arg(format!("-bucket={BUCKET}"));
        command.args(PORTS.iter().zip(&ports).map(|(flag, port)| format!("{flag}={port}")));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| weed.display().to_string())?;
        let [s3, metrics] = [ports[0], ports[1]].map(|port| format!("http://127.0.0.1:{port}"));
        let mut server = Self { child, endpoint: s3, metrics, credentials };
        let started = Instant::now();
        // unsigned requests are refused, which is how one sees that it speaks S3 and checks
        while !matches!(http::get(&server.endpoint, "/metrics"), Ok(answer) if answer.status == 403) {
            ensure!(server.child.try_wait()?.is_none(), "{} has ended", weed.display());
            if started.elapsed() > START {
                bail!("{} did not become ready", weed.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// What a storage is called that lies below `prefix`.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// All requests that were answered since it started.
    ///
    /// # Errors
    /// If it does not tell.
    pub fn requests(&self) -> anyhow::Result<Requests> {
        let text = http::get(&self.metrics, "/metrics")?.text();
        let mut requests = Requests::default();
        for line in text.lines().filter(|line| line.starts_with("SeaweedFS_s3_request_total{")) {
            let (labels, count) = line.rsplit_once(' ').context("a sample without a value")?;
            let count: u64 = count.parse().with_context(|| line.to_owned())?;
            let kind = labels.split("type=\"").nth(1).and_then(|rest| rest.split('"').next());
            match kind.context("a request without a type")? {
                "PUT" | "POST" => requests.put += count,
                "LIST" => requests.list += count,
                "GET" | "HEAD" => requests.get += count,
                "DELETE" => requests.delete += count,
                _ => {}
            }
        }
        Ok(requests)
    }

    /// Copies all objects of `from` below `prefix`.
    ///
    /// # Errors
    /// If one cannot be read or written.
    pub async fn fill(&self, from: &dyn ObjectStore, prefix: &str) -> anyhow::Result<()> {
        let options =
            objects::Options { s3_endpoint: Some(self.endpoint.clone()), ..objects::Options::default() };
        let to = objects::open(&self.url(prefix), &options).await?;
        let copies = from.list(None).map_err(anyhow::Error::from).map_ok(|object| {
            let (to, prefix) = (&to.store, &to.prefix);
            async move {
                let bytes = from.get(&object.location).await?.bytes().await?;
                let place = prefix.parts().chain(object.location.parts()).collect();
                to.put(&place, bytes.into()).await?;
                anyhow::Ok(())
            }
        });
        copies.try_buffer_unordered(COPIES).try_for_each(|()| async { Ok(()) }).await
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // it may have ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
