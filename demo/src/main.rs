//! `make demo`: a batch job runs, pushes its metrics into `mayfly serve`, PromQL answers about them, an alert fires.
//!
//! Environment: `ONCE=1` ends after the story, else the server goes on until Ctrl-C. `DEMO_INPUT` is the folder of CSV
//! files that the job reads (default `demo/input`), `DEMO_DATA` where everything is written (default `demo-data`).
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "an edge: it tells a story in real time")]

mod job;
mod receiver;
mod shutdown;
mod workspace;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use testkit::http;
use testkit::server::{self, Mayfly, escape};

use crate::receiver::Receiver;
use crate::shutdown::Running;
use crate::workspace::Workspace;

const GROUP: &str = "job/nightly_export/instance/demo";
const ALERT_SECONDS: u64 = 30;
const QUESTIONS: [&str; 4] = [
    "export_rows",
    "sum by (job) (export_rows)",
    r#"1 - sum(export_bytes{stage="gzip"}) / sum(export_bytes{stage="raw"})"#,
    "export_success == 0",
];

fn main() -> ExitCode {
    match tell() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("demo: {err:#}");
            ExitCode::FAILURE
        }
    }
}

fn tell() -> anyhow::Result<()> {
    let once = std::env::var("ONCE").is_ok_and(|value| !value.is_empty() && value != "0");
    let workspace = Workspace::open()?;
    let running = Running::stop_on_signals()?;
    let receiver = Receiver::start()?;

    let mayfly = start(&workspace, &receiver, once)?;
    let (gateway, query) = (mayfly.gateway.clone(), mayfly.query.clone());
    running.holds(mayfly);
    println!("1. One binary serves both sides, on a local folder.\n");
    println!("   push   {gateway}\n   query  {query}\n   store  {}\n", workspace.store.display());

    println!("2. A batch job runs: it checks and compresses the files of {}.\n", workspace.input.display());
    let report = job::run(&workspace.input, &workspace.output)?;
    for file in &report.files {
        let job::FileReport { name, rows, rejected, raw_bytes, gzip_bytes } = file;
        println!("   {name}: {rows} rows, {rejected} rejected, {raw_bytes} bytes in, {gzip_bytes} bytes out");
    }
    push(&gateway, &report)?;

    println!("3. PromQL about it, as the HTTP API answers.\n");
    for question in QUESTIONS {
        ask(&query, question)?;
    }

    println!("4. The rule of demo/rules.yml is evaluated every second.\n");
    await_alert(&receiver, &report)?;

    println!("5. What was pushed lies as Parquet files in the folder; any Parquet reader opens them.\n");
    for file in workspace.segments()? {
        println!("   {}", file.display());
    }
    println!("\n   {}\n", workspace.duckdb_command());

    if once {
        let status = running.stop()?.context("the server is gone")?;
        ensure!(status.success(), "mayfly serve ended with {status}");
        return Ok(());
    }
    println!("6. The server goes on; Ctrl-C ends it. For example:\n");
    println!("   echo 'my_metric 1' | curl --data-binary @- {gateway}/metrics/job/mine");
    println!("   curl '{query}/api/v1/query?query=my_metric'\n");
    running.wait_for_end()
}

fn start(workspace: &Workspace, receiver: &Receiver, once: bool) -> anyhow::Result<Mayfly> {
    let args = [
        ("--storage", workspace.store.display().to_string()),
        ("--rules", workspace.rules.display().to_string()),
        ("--alertmanager.url", receiver.url()),
        ("--evaluation-interval", "1s".to_owned()),
        // the story shows the Parquet file soon after the push
        ("--storage.flush-interval", "500ms".to_owned()),
    ];
    let args: Vec<String> = args.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
    // the ports of the README where they are free; a run for a test leaves them alone
    let listen = if once {
        ["127.0.0.1:0".into(), "127.0.0.1:0".into()]
    } else {
        [free_or_any(9091), free_or_any(9090)]
    };
    let listen: [&str; 2] = [&listen[0], &listen[1]];
    Ok(Mayfly::start_on(&server::built("mayfly")?, listen, &args, &workspace.log)?)
}

fn free_or_any(port: u16) -> String {
    let free = std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    format!("127.0.0.1:{}", if free { port } else { 0 })
}

fn push(gateway: &str, report: &job::Report) -> anyhow::Result<()> {
    let body = report.exposition();
    println!("\n   At its end it pushes:  PUT {gateway}/metrics/{GROUP}\n");
    for line in body.lines() {
        println!("   | {line}");
    }
    let request = http::Request::new("PUT", &format!("/metrics/{GROUP}"))
        .header("content-type", "text/plain; version=0.0.4")
        .body(body);
    let answer = http::send(gateway, &request).context("push")?;
    ensure!(answer.status == 200, "the push was answered {}: {}", answer.status, answer.text());
    println!("\n   Answer: 200. From here on it is durable.\n");
    Ok(())
}

fn ask(query: &str, question: &str) -> anyhow::Result<()> {
    let answer = http::get(query, &format!("/api/v1/query?query={}", escape(question)))?;
    println!("   ? {question}\n   {}\n", answer.text().trim_end());
    ensure!(answer.status == 200, "{question} was answered {}", answer.status);
    Ok(())
}

fn await_alert(receiver: &Receiver, report: &job::Report) -> anyhow::Result<()> {
    if report.rejected() == 0 {
        println!("   No row was rejected, so no alert fires.\n");
        return Ok(());
    }
    let wait = Duration::from_secs(ALERT_SECONDS);
    let alert = receiver.next_firing(wait).with_context(|| format!("no alert within {ALERT_SECONDS} s"))?;
    println!("   POST {}/api/v2/alerts brought:\n", receiver.url());
    println!("   {alert}\n");
    Ok(())
}
