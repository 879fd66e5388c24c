//! A bootstrap binary as Lambda runs it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{InvokeError, RuntimeApi, request_event, response_of};
use crate::http::{Request, Response};
use crate::process;

/// One execution environment: one process, one event at a time.
#[derive(Debug)]
pub struct Function {
    api: RuntimeApi,
    child: Child,
    timeout: Duration,
    requests: u64,
}

impl Function {
    /// Starts `bootstrap` with Lambda's environment and `variables` on top, and nothing of this process's own. Its
    /// output goes to this process's stderr. `timeout` is the function's.
    pub fn start(bootstrap: &Path, variables: &[(String, String)], timeout: Duration) -> io::Result<Self> {
        let api = RuntimeApi::start()?;
        let folder = bootstrap.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let mut command = Command::new(bootstrap);
        let child = with_environment(&mut command, &api, variables)
            .env("LAMBDA_TASK_ROOT", folder)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .spawn()
            .map_err(|err| io::Error::new(err.kind(), format!("{}: {err}", bootstrap.display())))?;
        Ok(Self { api, child, timeout, requests: 0 })
    }

    /// Waits until it has asked for its first event: whether it did within its timeout.
    pub fn is_ready(&self) -> bool {
        self.api.wait_until_asked(self.timeout)
    }

    /// Memory that its process had resident at the most, in bytes (`VmHWM`).
    ///
    /// # Errors
    /// If the system does not tell, since the process has ended.
    pub fn peak_memory_bytes(&self) -> io::Result<u64> {
        process::peak_memory_bytes(self.child.id())
    }

    /// Invokes with any event. As in Lambda, a function that ran into its time is killed.
    pub fn invoke(&mut self, event: &[u8]) -> Result<Vec<u8>, InvokeError> {
        let child = &mut self.child;
        let outcome = self.api.invoke(event, self.timeout, || match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(status.to_string()),
            Err(err) => Err(err.to_string()),
        });
        if matches!(outcome, Err(InvokeError::Timeout(_))) {
            self.kill();
        }
        outcome
    }

    /// Invokes as a Function URL does.
    pub fn request(&mut self, request: &Request) -> Result<Response, InvokeError> {
        self.requests += 1;
        let event = request_event(request, &format!("request-{}", self.requests)).to_string();
        Ok(response_of(&self.invoke(event.as_bytes())?)?)
    }

    /// SIGKILL, as Lambda ends an environment.
    pub fn kill(&mut self) {
        // it may be gone already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What Lambda gives to all programs of a sandbox, `variables` on top, and nothing of this process's own.
pub(super) fn with_environment<'a>(
    command: &'a mut Command,
    api: &RuntimeApi,
    variables: &[(String, String)],
) -> &'a mut Command {
    command
        .env_clear()
        .envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_NAME", "mayfly-test"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/mayfly-test"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("TZ", ":UTC"),
            ("_HANDLER", "bootstrap"),
        ])
        .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(Stdio::inherit())
}

impl Drop for Function {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, not two: a fork of the other one's could hold the script open while this one executes it.
    #[test]
    fn a_bootstrap_that_ends_hangs_or_does_not_exist_is_told() {
        let mut function = Function::start(Path::new("/bin/false"), &[], Duration::from_secs(20)).unwrap();
        let ended = function.invoke(b"{}").unwrap_err();
        assert!(matches!(&ended, InvokeError::Exited(text) if text.contains("exit status: 1")), "{ended}");

        let missing =
            Function::start(Path::new("/no/such/bootstrap"), &[], Duration::from_secs(1)).unwrap_err();
        assert!(missing.to_string().contains("/no/such/bootstrap"), "{missing}");

        let folder = std::env::temp_dir().join(format!("mayfly-testkit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let script = folder.join("bootstrap");
        std::fs::write(&script, "#!/bin/sh\nexec sleep 600\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut function = Function::start(&script, &[], Duration::from_millis(200)).unwrap();
        assert!(matches!(function.invoke(b"{}"), Err(InvokeError::Timeout(_))));
        assert!(matches!(function.invoke(b"{}"), Err(InvokeError::Exited(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
