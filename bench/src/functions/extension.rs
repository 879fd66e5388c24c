//! What the extension adds to a function that it stands beside.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tempfile::TempDir;
use testkit::http::{self, Request};
use testkit::lambda::{RuntimeApi, Sandbox, ShutdownReason};

use super::measured::Bootstrap;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A function with an extension, to which it pushes in each invocation.
#[derive(Debug)]
pub struct Measured {
    sandbox: Sandbox,
    _folder: TempDir,
}

/// A function that does nothing, with nothing beside it: what [`Measured`] is compared with.
#[derive(Debug)]
pub struct Bare(RuntimeApi);

/// An invocation.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// Until its caller had the answer.
    pub reply: Duration,
    /// From then on until the extension was done, too.
    pub after: Duration,
}

impl Measured {
    /// Starts both; gives the time until the extension asked for an event as well. In each invocation `body` is pushed.
    ///
    /// # Errors
    /// If the extension does not start.
    pub fn start(extension: &Bootstrap<'_>, body: &str) -> anyhow::Result<(Duration, Self)> {
        let folder = TempDir::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut variables = extension.variables().to_vec();
        for (name, value) in [
            ("MAYFLY_PUSH_PORT", port.to_string().as_str()),
            ("MAYFLY_OTLP_PORT", "off"),
            ("MAYFLY_STATSD_PORT", "off"),
            ("MAYFLY_TELEMETRY_HOST", "127.0.0.1"),
        ] {
            variables.push((name.to_owned(), value.to_owned()));
        }
        let began = Instant::now();
        let log = folder.path().join("extension.log");
        let sandbox = Sandbox::start(&extension.file, None, &variables, TIMEOUT, &log)?;
        let ready = began.elapsed();
        let push = Request::new("POST", "/aggregate/metrics/job/measured").body(body);
        let to = format!("127.0.0.1:{port}");
        serve(sandbox.api(), move || http::send(&to, &push).is_ok_and(|answer| answer.status == 202));
        Ok((ready, Self { sandbox, _folder: folder }))
    }

    /// Invokes once.
    ///
    /// # Errors
    /// If the push was not taken, or the extension was not done in time.
    pub fn invoke(&mut self) -> anyhow::Result<Invocation> {
        let began = Instant::now();
        let answer = self.sandbox.invoke(b"{}")?;
        let (whole, reply) = (began.elapsed(), self.sandbox.api().last_reply());
        ensure!(answer == b"true", "the extension did not take a push");
        Ok(Invocation { reply, after: whole.saturating_sub(reply) })
    }

    /// What the extension had resident at the most.
    ///
    /// # Errors
    /// If it has ended.
    pub fn memory_bytes(&self) -> anyhow::Result<u64> {
        Ok(self.sandbox.extension_memory_bytes()?)
    }

    /// Ends it as Lambda does.
    ///
    /// # Errors
    /// If the extension does not end by itself.
    pub fn end(mut self) -> anyhow::Result<()> {
        let status = self.sandbox.shut_down(ShutdownReason::Spindown)?;
        ensure!(status.is_some_and(|status| status.success()), "the extension ended with {status:?}");
        Ok(())
    }
}

impl Bare {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no port.
    pub fn start() -> anyhow::Result<Self> {
        let api = RuntimeApi::start()?;
        serve(&api, || true);
        Ok(Self(api))
    }

    /// Invokes once: the time until its caller had the answer.
    ///
    /// # Errors
    /// If there is none.
    pub fn invoke(&self) -> anyhow::Result<Duration> {
        self.0.invoke(b"{}", TIMEOUT, || Ok(()))?;
        Ok(self.0.last_reply())
    }
}

/// A runtime, which answers what its function gives.
fn serve(api: &RuntimeApi, function: impl Fn() -> bool + Send + 'static) {
    let base = api.address().to_string();
    thread::spawn(move || {
        while let Ok(event) = http::get(&base, "/2018-06-01/runtime/invocation/next") {
            let Some(id) = event.headers.get("lambda-runtime-aws-request-id") else { return };
            let target = format!("/2018-06-01/runtime/invocation/{id}/response");
            if http::send(&base, &Request::new("POST", &target).body(function().to_string())).is_err() {
                return;
            }
        }
    });
}
