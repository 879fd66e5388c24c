//! What one function takes: time from its start, time of a call, memory, requests.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use testkit::http::{Request, Response};
use testkit::lambda::Function;

use super::s3::{Requests, S3Server};

/// What no call may take longer than.
const TIMEOUT: Duration = Duration::from_secs(900);

/// A bootstrap and the environment that its template gives it.
#[derive(Clone, Debug)]
pub struct Bootstrap<'a> {
    /// Its file.
    pub file: PathBuf,
    /// Where its storage lies.
    pub s3: &'a S3Server,
    variables: Vec<(String, String)>,
}

/// How long several of the same took.
#[derive(Clone, Debug)]
pub struct Times(Vec<Duration>);

impl From<Vec<Duration>> for Times {
    fn from(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }
}

impl Times {
    /// So many.
    ///
    /// # Errors
    /// Those of `one`, and if none is wanted.
    pub fn of(count: usize, mut one: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Self> {
        let times = (0..count).map(|_| one()).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(!times.is_empty(), "nothing was measured");
        Ok(Self::from(times))
    }

    /// The one in the middle, in milliseconds.
    pub fn median_ms(&self) -> f64 {
        self.0[self.0.len() / 2].as_secs_f64() * 1e3
    }

    /// That which a tenth of them were as quick as: what else a machine does makes others longer. In milliseconds.
    pub fn quick_ms(&self) -> f64 {
        self.0[self.0.len() / 10].as_secs_f64() * 1e3
    }

    /// The longest, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.0[self.0.len() - 1].as_secs_f64() * 1e3
    }
}

impl<'a> Bootstrap<'a> {
    /// The function `name` in the folder of bootstraps, with a storage at `prefix` and so much memory as the template
    /// gives it.
    pub fn new(folder: &Path, name: &str, s3: &'a S3Server, prefix: &str, memory_mb: u32) -> Self {
        let mut variables = s3.credentials.clone();
        variables.extend([
            ("MAYFLY_S3_ENDPOINT".to_owned(), s3.endpoint.clone()),
            ("MAYFLY_STORAGE".to_owned(), s3.url(prefix)),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), memory_mb.to_string()),
            // as in both templates
            ("MALLOC_ARENA_MAX".to_owned(), "1".to_owned()),
        ]);
        Self { file: folder.join(name), s3, variables }
    }

    /// With one variable more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The environment on top of Lambda's own.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// Bytes of the file.
    ///
    /// # Errors
    /// If there is none.
    pub fn size_bytes(&self) -> anyhow::Result<u64> {
        Ok(std::fs::metadata(&self.file).with_context(|| self.file.display().to_string())?.len())
    }

    /// Starts one execution environment.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&self) -> anyhow::Result<Function> {
        Ok(Function::start(&self.file, &self.variables, TIMEOUT)?)
    }

    /// From the start of a process to its first question for an event.
    ///
    /// # Errors
    /// If it asks for none.
    pub fn spawn_to_ready(&self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let function = self.start()?;
        ensure!(function.is_ready(), "{} asks for no event", self.file.display());
        Ok(started.elapsed())
    }

    /// From the start of a process to the answer of its first call, and the process.
    ///
    /// # Errors
    /// If the call fails.
    pub fn spawn_to_answer(&self, call: &Call) -> anyhow::Result<(Duration, Function)> {
        let started = Instant::now();
        let mut function = self.start()?;
        call.of(&mut function)?;
        Ok((started.elapsed(), function))
    }

    /// Requests of one call of a process that is started for it.
    ///
    /// # Errors
    /// If the call fails.
    pub fn requests(&self, call: &Call) -> anyhow::Result<Requests> {
        let before = self.s3.requests()?;
        self.spawn_to_answer(call)?;
        Ok(self.s3.requests()?.since(before))
    }
}

/// How a function is called.
#[derive(Clone, Debug)]
pub enum Call {
    /// As a Function URL does.
    Url(Request),
    /// With any event.
    Event(String),
}

impl Call {
    /// Calls: what was answered. A URL's answer has to be 200.
    ///
    /// # Errors
    /// If it fails.
    pub fn of(&self, function: &mut Function) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Url(request) => {
                let Response { status, body, .. } = function.request(request)?;
                ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
                Ok(body)
            }
            Self::Event(event) => Ok(function.invoke(event.as_bytes())?),
        }
    }

    /// Calls: how long that takes.
    ///
    /// # Errors
    /// If it fails.
    pub fn time(&self, function: &mut Function) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.of(function)?;
        Ok(started.elapsed())
    }
}
