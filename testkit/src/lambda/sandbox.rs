//! A measured function with an extension beside it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::function::with_environment;
use super::{InvokeError, RuntimeApi, ShutdownReason};
use crate::process;

/// How long extensions have when a sandbox ends.
const SHUTDOWN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);
const START: Duration = Duration::from_secs(20);

/// One execution environment: an extension, and the function that it measures, which may also be a client in the test's own process.
#[derive(Debug)]
pub struct Sandbox {
    api: RuntimeApi,
    extension: Child,
    function: Option<Child>,
    timeout: Duration,
}

impl Sandbox {
    /// Starts `extension`, whose log goes to the file `log`, and then the program of the function, if one is given, as Lambda does:
    /// with `variables` on top of its own; `AWS_SAM_LOCAL=true` is SAM's emulator. `timeout` is the function's.
    ///
    /// # Errors
    /// If a program cannot be run, or does not get as far as to wait for an invocation.
    pub fn start(
        extension: &Path,
        function: Option<&[OsString]>,
        variables: &[(String, String)],
        timeout: Duration,
        log: &Path,
    ) -> io::Result<Self> {
        let api = RuntimeApi::start()?;
        // which has no Telemetry API
        if variables.iter().any(|(name, value)| name == "AWS_SAM_LOCAL" && value == "true") {
            api.without_telemetry();
        }
        let mut command = Command::new(extension);
        let stderr = File::options().create(true).append(true).open(log)?;
        let extension = with_environment(&mut command, &api, variables).stderr(stderr).spawn()?;
        // from here on a return drops, and so ends, the children
        let mut sandbox = Self { api, extension, function: None, timeout };
        sandbox.wait_for_extension(log)?;
        if let Some([program, arguments @ ..]) = function {
            let mut command = Command::new(program);
            let command = with_environment(command.args(arguments), &sandbox.api, variables);
            sandbox.function = Some(command.spawn()?);
            if !sandbox.api.wait_until_asked(START) {
                return Err(io::Error::other("the function asks for no event"));
            }
        }
        Ok(sandbox)
    }

    #[expect(clippy::disallowed_methods, reason = "a test's edge: real processes start in real time")]
    fn wait_for_extension(&mut self, log: &Path) -> io::Result<()> {
        let end = Instant::now() + START;
        while !self.api.extensions_wait() {
            let ended = self.extension.try_wait()?;
            if ended.is_some() || Instant::now() > end {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                let told = self.api.extension_failures().join("; ");
                return Err(io::Error::other(format!(
                    "the extension does not start ({ended:?}, told {told:?}):\n{log}"
                )));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The Runtime API.
    pub fn api(&self) -> &RuntimeApi {
        &self.api
    }

    /// Invokes with any event. A sandbox whose function ran into its time, or whose process ended, ends: extensions are told.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn invoke(&mut self, event: &[u8]) -> Result<Vec<u8>, InvokeError> {
        let function = &mut self.function;
        let outcome = self.api.invoke(event, self.timeout, || match function.as_mut().map(Child::try_wait) {
            None | Some(Ok(None)) => Ok(()),
            Some(Ok(Some(status))) => Err(status.to_string()),
            Some(Err(err)) => Err(err.to_string()),
        });
        let reason = match &outcome {
            Err(InvokeError::Timeout(_)) => ShutdownReason::Timeout,
            Err(InvokeError::Exited(_)) => ShutdownReason::Failure,
            _ => return outcome,
        };
        // what comes of that is seen by what arrives
        let _ = self.shut_down(reason);
        outcome
    }

    /// As between two invocations: nothing in the sandbox moves.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// The end of that.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for child in [Some(&self.extension), self.function.as_ref()].into_iter().flatten() {
            // it may be gone already
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Ends it as Lambda does: the function first, then extensions, who have two seconds. How the extension ended; `None` if it had to
    /// be killed.
    ///
    /// # Errors
    /// If the system does not tell.
    #[expect(clippy::disallowed_methods, reason = "a test's edge: real processes end in real time")]
    pub fn shut_down(&mut self, reason: ShutdownReason) -> io::Result<Option<ExitStatus>> {
        self.thaw();
        if let Some(function) = &mut self.function {
            end(function);
        }
        self.api.announce_end(reason, SHUTDOWN);
        let until = Instant::now() + SHUTDOWN;
        while Instant::now() < until {
            if let Some(status) = self.extension.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(LOOK);
        }
        end(&mut self.extension);
        Ok(None)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.extension.try_wait(), Ok(None))
    }

    /// Memory that the extension had resident at the most, in bytes.
    ///
    /// # Errors
    /// If it has ended.
    pub fn extension_memory_bytes(&self) -> io::Result<u64> {
        process::peak_memory_bytes(self.extension.id())
    }
}

fn end(child: &mut Child) {
    // it may be gone already
    drop(child.kill());
    drop(child.wait());
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(function) = &mut self.function {
            end(function);
        }
        end(&mut self.extension);
    }
}
