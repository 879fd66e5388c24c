//! `lambda-url BOOTSTRAP`: a Lambda function behind an HTTP address of its own, as a Function URL has it, for clients
//! that are not Rust. Prints `function listening on http://127.0.0.1:PORT`, hands its own environment on to the
//! function, and ends with its standard input.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an edge: a program for scripts")]

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mayfly_testkit::http::{Response, Server};
use mayfly_testkit::lambda::Function;

const TIMEOUT_SECONDS: u64 = 15;

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
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let function =
        Function::start(&PathBuf::from(bootstrap), &variables, Duration::from_secs(TIMEOUT_SECONDS))?;
    let function = Mutex::new(function);
    let server = Server::start(move |request| {
        let answer = function.lock().unwrap_or_else(PoisonError::into_inner).request(request);
        // what a Function URL answers for a function that failed
        answer.unwrap_or_else(|err| {
            eprintln!("lambda-url: {err}");
            Response::new(502).body("Internal Server Error")
        })
    })?;
    println!("function listening on {}", server.url());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
