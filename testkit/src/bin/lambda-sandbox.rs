//! `lambda-sandbox EXTENSION LOG TIMEOUT_MS PROGRAM [ARGUMENT…]`: a function with an extension beside it, for tests that are not Rust.
//! Prints `sandbox listening on http://127.0.0.1:PORT`, hands its own environment on to both, and ends with its standard input.
//!
//! | request | does |
//! |---|---|
//! | `POST /invoke` | invokes with the body; in a new sandbox, if there is none |
//! | `POST /freeze`, `POST /thaw` | what Lambda does between two invocations |
//! | `POST /end` | ends the sandbox as Lambda does when nobody calls any more |
//! | `GET /memory` | what the extension had resident at the most |
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an edge: a program for scripts")]

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mayfly_testkit::http::{Request, Response, Server};
use mayfly_testkit::lambda::{InvokeError, Sandbox, ShutdownReason};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("lambda-sandbox: {err}");
            ExitCode::FAILURE
        }
    }
}

struct Programs {
    extension: PathBuf,
    log: PathBuf,
    timeout: Duration,
    function: Vec<OsString>,
    variables: Vec<(String, String)>,
}

impl Programs {
    fn of_arguments() -> Option<Self> {
        let mut arguments = std::env::args_os().skip(1);
        let (extension, log) = (arguments.next()?.into(), arguments.next()?.into());
        let timeout_ms = arguments.next()?.to_str()?.parse().ok()?;
        let function: Vec<OsString> = arguments.collect();
        let variables = std::env::vars().collect();
        let timeout = Duration::from_millis(timeout_ms);
        (!function.is_empty()).then_some(Self { extension, log, timeout, function, variables })
    }

    fn start(&self) -> io::Result<Sandbox> {
        Sandbox::start(&self.extension, Some(&self.function), &self.variables, self.timeout, &self.log)
    }
}

fn run() -> io::Result<()> {
    let usage = "usage: lambda-sandbox EXTENSION LOG TIMEOUT_MS PROGRAM [ARGUMENT…]";
    let programs = Programs::of_arguments().ok_or_else(|| io::Error::other(usage))?;
    let sandbox = Mutex::new(Some(programs.start()?));
    let server = Server::start(move |request| {
        let mut sandbox = sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        match answer(&programs, &mut sandbox, request) {
            Ok(answer) => {
                Response::new(200).header("content-type", "application/json").body(answer.to_string())
            }
            Err(err) => Response::new(500).body(err.to_string()),
        }
    })?;
    println!("sandbox listening on {}", server.url());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn answer(programs: &Programs, sandbox: &mut Option<Sandbox>, request: &Request) -> io::Result<Value> {
    if request.path() == "/invoke" && sandbox.is_none() {
        *sandbox = Some(programs.start()?);
    }
    let Some(current) = sandbox else { return Err(io::Error::other("there is no sandbox")) };
    Ok(match request.path() {
        "/invoke" => {
            let outcome = current.invoke(&request.body);
            let reply_ms = current.api().last_reply().as_secs_f64() * 1_000.0;
            let kind = match &outcome {
                Ok(_) => "success",
                Err(InvokeError::Timeout(_)) => "timeout",
                Err(InvokeError::Exited(_)) => "failure",
                Err(_) => "error",
            };
            let told = match outcome {
                Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
                Err(err) => err.to_string(),
            };
            if current.has_ended() {
                *sandbox = None;
            }
            json!({ "outcome": kind, "told": told, "reply_ms": reply_ms })
        }
        "/freeze" => {
            current.freeze();
            json!({})
        }
        "/thaw" => {
            current.thaw();
            json!({})
        }
        "/end" => {
            let status = current.shut_down(ShutdownReason::Spindown)?;
            *sandbox = None;
            json!({ "status": status.and_then(|status| status.code()) })
        }
        "/memory" => json!({ "bytes": current.extension_memory_bytes()? }),
        other => return Err(io::Error::other(format!("nothing is known of {other}"))),
    })
}
