//! `lambda-url BOOTSTRAP`: a Lambda function behind an HTTP address of its own, as a Function URL has it, for clients
//! that are not Rust. Prints `function listening on http://127.0.0.1:PORT`, hands its own environment on to the
//! function, and ends with its standard input.
//!
//! What is posted to the path of Lambda's own API, `/2015-03-31/functions/NAME/invocations`, is an event of any source, and is
//! answered as Lambda answers it: a function that failed with 200 and the field `x-amz-function-error`. A function whose process has
//! ended or ran into its time is started anew for the next event.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an edge: a program for scripts")]

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mayfly_testkit::http::{Request, Response, Server};
use mayfly_testkit::lambda::{Function, InvokeError};

const TIMEOUT: Duration = Duration::from_secs(15);
const INVOKE: &str = "/2015-03-31/functions/";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("lambda-url: {err}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(bootstrap), None) = (args.next(), args.next()) else {
        return Err(io::Error::other("usage: lambda-url BOOTSTRAP"));
    };
    let (bootstrap, variables) = (PathBuf::from(bootstrap), std::env::vars().collect::<Vec<_>>());
    let start = move || Function::start(&bootstrap, &variables, TIMEOUT);
    let function = Mutex::new(start()?);
    let server = Server::start(move |request| {
        let mut function = function.lock().unwrap_or_else(PoisonError::into_inner);
        answer(&mut function, request).unwrap_or_else(|err| {
            eprintln!("lambda-url: {err}");
            if matches!(err, InvokeError::Exited(_) | InvokeError::Timeout(_)) {
                match start() {
                    Ok(new) => *function = new,
                    Err(err) => eprintln!("lambda-url: {err}"),
                }
            }
            failed(request, &err)
        })
    })?;
    println!("function listening on {}", server.url());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn is_event(request: &Request) -> bool {
    request.method == "POST" && request.path().starts_with(INVOKE)
}

fn answer(function: &mut Function, request: &Request) -> Result<Response, InvokeError> {
    match is_event(request) {
        true => Ok(Response::new(200).body(function.invoke(&request.body)?)),
        false => function.request(request),
    }
}

/// What Lambda answers for a function that failed: to a caller of its API, and to one of a Function URL.
fn failed(request: &Request, err: &InvokeError) -> Response {
    match is_event(request) {
        true => Response::new(200).header("x-amz-function-error", "Unhandled").body(err.to_string()),
        false => Response::new(502).body("Internal Server Error"),
    }
}
