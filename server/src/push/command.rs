//! Runs a command as if nobody stood between, and measures it.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io::IsTerminal as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context;
use edge::SystemClock;
use model::Clock;
use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

/// What shells end with if a command is not there, or cannot be run.
const NOT_FOUND: i32 = 127;
const NOT_RUN: i32 = 126;
/// What shells add to the signal that ended a command.
const OF_SIGNAL: i32 = 128;

/// A command that is about to run.
#[derive(Debug)]
pub(super) struct Command<'a> {
    program: &'a OsStr,
    arguments: &'a [OsString],
    started_ms: i64,
}

/// How a command went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// As a shell says it.
    pub(super) code: i32,
    pub(super) started_ms: i64,
    pub(super) ended_ms: i64,
    pub(super) duration: Duration,
}

impl Outcome {
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(u8::try_from(self.code).unwrap_or(u8::MAX))
    }
}

impl<'a> Command<'a> {
    pub(super) fn new(program: &'a OsStr, arguments: &'a [OsString]) -> Self {
        Self { program, arguments, started_ms: SystemClock.now_ms() }
    }

    pub(super) fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// Runs it to its end with our standard input and output, and gives `beside` its time until then, whatever comes of that. Signals
    /// that ask us to end go to the command.
    ///
    /// # Errors
    /// If it cannot be told how it ended.
    #[expect(clippy::disallowed_methods, reason = "an edge: a real command takes real time")]
    pub(super) async fn run_beside<T>(self, beside: impl Future<Output = T>) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        // before it begins, so that no signal is missed
        let mut signals = Signals::new()?;
        let spawned = tokio::process::Command::new(self.program).args(self.arguments).spawn();
        let code = match spawned {
            Ok(mut child) => code_of(ended(&mut child, &mut signals, beside).await?),
            Err(error) => {
                complain(&format!("{}: {error}", self.program.display()));
                match error.kind() {
                    std::io::ErrorKind::NotFound => NOT_FOUND,
                    _ => NOT_RUN,
                }
            }
        };
        // the wall clock may have been set meanwhile
        let duration = began.elapsed();
        Ok(Outcome { code, started_ms: self.started_ms, ended_ms: SystemClock.now_ms(), duration })
    }
}

async fn ended<T>(
    child: &mut Child,
    signals: &mut Signals,
    beside: impl Future<Output = T>,
) -> anyhow::Result<ExitStatus> {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut beside = std::pin::pin!(beside);
    let mut is_done = false;
    loop {
        tokio::select! {
            status = child.wait() => return status.context("it cannot be told how the command ended"),
            _ = &mut beside, if !is_done => is_done = true,
            signal = signals.next() => {
                if let Some(pid) = pid {
                    // it may have ended meanwhile
                    let _ = rustix::process::kill_process(pid, signal);
                }
            }
        }
    }
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| Some(OF_SIGNAL + status.signal()?)).unwrap_or(NOT_RUN)
}

/// The signals that ask a process to end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// A terminal interrupts the command, too.
    has_terminal: bool,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let of = |kind| signal(kind).context("signals cannot be taken");
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            hang_up: of(SignalKind::hangup())?,
            interrupt: of(SignalKind::interrupt())?,
            has_terminal: std::io::stdin().is_terminal(),
        })
    }

    /// The next one that the command has not got.
    async fn next(&mut self) -> Signal {
        loop {
            tokio::select! {
                Some(()) = self.terminate.recv() => return Signal::TERM,
                Some(()) = self.hang_up.recv() => return Signal::HUP,
                Some(()) = self.interrupt.recv() => {
                    if !self.has_terminal {
                        return Signal::INT;
                    }
                }
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "what a shell would say")]
fn complain(text: &str) {
    eprintln!("mayfly: {text}");
}
