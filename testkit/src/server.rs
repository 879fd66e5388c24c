//! `mayfly serve` as a child process.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{self, Request, Response};
use crate::process;

const READY_SECONDS: u64 = 30;
const STOP_SECONDS: u64 = 30;
const STOP_LOOK_MS: u64 = 10;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Mayfly {
    child: Child,
    /// Address of the push side, `http://127.0.0.1:PORT`.
    pub gateway: String,
    /// Address of the query side.
    pub query: String,
}

/// A binary of this workspace, such as `mayfly`: beside the running test or program in its target folder.
pub fn built(name: &str) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // a test lies one folder deeper than a program
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let text = format!("no {name} beside {}: run `cargo build --workspace --bins` first", own.display());
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

impl Mayfly {
    /// Runs `mayfly serve` on free ports of loopback with `args` on top and waits until it is ready. Its log is
    /// appended to the file `log`; one that does not become ready is an error that holds the log.
    pub fn start(binary: &Path, args: &[String], log: &Path) -> io::Result<Self> {
        Self::start_on(binary, ["127.0.0.1:0", "127.0.0.1:0"], args, log)
    }

    /// The same on addresses of the caller's: gateway, query.
    pub fn start_on(binary: &Path, listen: [&str; 2], args: &[String], log: &Path) -> io::Result<Self> {
        let [gateway, query] = listen;
        let stderr = File::options().create(true).append(true).open(log)?;
        let mut child = Command::new(binary)
            .args(["serve", "--gateway.listen-address", gateway, "--query.listen-address", query])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|err| io::Error::new(err.kind(), format!("{}: {err}", binary.display())))?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // from here on a return drops, and so ends, the child
        let mut server = Self { child, gateway: String::new(), query: String::new() };
        server.wait_until_ready(stdout).map_err(|err| {
            server.kill();
            let log = std::fs::read_to_string(log).unwrap_or_default();
            io::Error::new(err.kind(), format!("{err}; its log:\n{log}"))
        })?;
        Ok(server)
    }

    #[expect(clippy::disallowed_methods, reason = "a test's edge: a real process starts in real time")]
    fn wait_until_ready(&mut self, stdout: ChildStdout) -> io::Result<()> {
        let (send, lines) = mpsc::channel();
        // reads on after `ready`, so that the server never waits for a reader
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // nobody listens any more after `ready`
                drop(send.send(line));
            }
        });
        let end = Instant::now() + Duration::from_secs(READY_SECONDS);
        loop {
            let line = match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(io::Error::other("mayfly serve did not become ready"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    return Err(io::Error::other(format!(
                        "mayfly serve ended before it was ready: {status}"
                    )));
                }
            };
            if let Some(url) = line.strip_prefix("gateway listening on ") {
                url.clone_into(&mut self.gateway);
            } else if let Some(url) = line.strip_prefix("query listening on ") {
                url.clone_into(&mut self.query);
            } else if line == "ready" && !self.gateway.is_empty() && !self.query.is_empty() {
                return Ok(());
            }
        }
    }

    /// Pushes a text body: `method` PUT, POST or DELETE on `/metrics/` and `group`, such as `job/backup`.
    pub fn push(&self, method: &str, group: &str, body: &str) -> io::Result<Response> {
        let request = Request::new(method, &format!("/metrics/{group}"))
            .header("content-type", "text/plain; version=0.0.4")
            .body(body);
        http::send(&self.gateway, &request)
    }

    /// Asks an instant query, now or at `time` (Unix seconds or RFC 3339).
    pub fn instant(&self, expr: &str, time: Option<&str>) -> io::Result<Response> {
        let mut target = format!("/api/v1/query?query={}", escape(expr));
        if let Some(time) = time {
            target.push_str(&format!("&time={}", escape(time)));
        }
        http::get(&self.query, &target)
    }

    /// Memory that it had resident at the most, in bytes (`VmHWM`).
    ///
    /// # Errors
    /// If the system does not tell, since the process has ended.
    pub fn peak_memory_bytes(&self) -> io::Result<u64> {
        process::peak_memory_bytes(self.child.id())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        // it may be gone already
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// SIGHUP: configuration is read anew.
    pub fn hang_up(&self) -> io::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::HUP)?)
    }

    /// SIGTERM, and waits for the end.
    #[expect(clippy::disallowed_methods, reason = "a test's edge: a real process ends in real time")]
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let end = Instant::now() + Duration::from_secs(STOP_SECONDS);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                return Err(io::Error::other("mayfly serve did not end after SIGTERM"));
            }
            thread::sleep(Duration::from_millis(STOP_LOOK_MS));
        }
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Mayfly {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Percent escapes for a query string.
pub fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
