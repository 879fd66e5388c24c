//! `make bench-notify`: many alerts in many groups come at once, are told to a webhook in one tick, and are over in another: what
//! that costs in processor time and memory. The webhook is in the same process, and its part counts too.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of real time, for people")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alert::{Alert, DELIVERY_ALERTS_MAX, Notifier};
use anyhow::ensure;
use courier::{Book, Courier};
use edge::{Storage, SystemClock};
use mayfly_bench::measure::cpu_time;
use model::{Clock, Labels};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const ALERTS: usize = 50_000;
const GROUPS: usize = 5_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let storage = Storage::open(&folder.path().display().to_string(), None).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let text = format!(
        "route: {{receiver: hook, group_by: [service], group_wait: 0s, group_interval: 1m}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://{}'}}]}}]\n\
         inhibit_rules: [{{source_matchers: [severity=page], target_matchers: [severity=info], equal: [service]}}]",
        listener.local_addr()?
    );
    let told = Arc::new(AtomicUsize::new(0));
    tokio::spawn(webhook(listener, Arc::clone(&told)));
    let book = Book::read(&text, &[], &BTreeMap::new(), Path::new("/"), "http://mayfly", 0)?;
    let courier = Arc::new(Courier::new(storage.notifications(), 1, Arc::clone(&clock), book));
    let began_ms = clock.now_ms();
    println!("{ALERTS} alerts in {GROUPS} groups\n");
    println!(
        "| | seconds | processor seconds | notifications | state, MiB | largest memory, MiB |\n|---|---|---|---|---|---|"
    );
    let row = |what: &str, started: Instant, cpu: Duration, told: usize| -> anyhow::Result<()> {
        let state = std::fs::metadata(folder.path().join("default/alerts/notify/state.json"));
        println!(
            "| {what} | {:.2} | {:.2} | {told} | {:.1} | {} |",
            started.elapsed().as_secs_f64(),
            (cpu_time() - cpu).as_secs_f64(),
            state.map_or(0.0, |file| file.len() as f64 / f64::from(1 << 20)),
            memory_mib()?
        );
        Ok(())
    };
    for (what, is_over) in [("they fire", false), ("nothing is due", false), ("they are over", true)] {
        if what != "nothing is due" {
            let (started, cpu) = (Instant::now(), cpu_time());
            let alerts: Vec<Alert> = (0..ALERTS).map(|number| alert(number, began_ms, is_over)).collect();
            for batch in alerts.chunks(DELIVERY_ALERTS_MAX) {
                courier.send(batch).await?;
            }
            row(&format!("{what}: into the inbox"), started, cpu, 0)?;
        }
        // groups are due a minute after they were told
        let now_ms = if is_over { clock.now_ms() + 61_000 } else { clock.now_ms() };
        let (started, cpu, before) = (Instant::now(), cpu_time(), told.load(Ordering::SeqCst));
        let round = courier.tick(now_ms).await?;
        row(&format!("{what}: decided and stored"), started, cpu, 0)?;
        let delivered = round.deliver(Duration::MAX).await?;
        row(&format!("{what}: and brought"), started, cpu, told.load(Ordering::SeqCst) - before)?;
        let expected = if what == "nothing is due" { 0 } else { GROUPS };
        ensure!(delivered.sent == expected && delivered.waiting == 0, "{delivered:?}");
    }
    Ok(())
}

fn alert(number: usize, starts_at_ms: i64, is_over: bool) -> Alert {
    let (service, instance) =
        (format!("service-{:04}", number % GROUPS), format!("10.0.{}.{}", number / 256, number % 256));
    let labels = [
        ("alertname", "RequestsFail"),
        ("service", &service),
        ("instance", &instance),
        ("severity", if number.is_multiple_of(3) { "page" } else { "ticket" }),
        ("region", "eu-west-1"),
    ];
    let summary = format!("{instance} of {service} answers with errors");
    Alert {
        labels: Labels::from_pairs(labels),
        annotations: Labels::from_pairs([
            ("summary", summary.as_str()),
            ("runbook", "https://wiki.example/requests-fail"),
        ]),
        starts_at_ms,
        ends_at_ms: if is_over { starts_at_ms + 1 } else { starts_at_ms + 3_600_000 },
        resolved: is_over,
        generator_url: "http://mayfly/graph?g0.expr=rate%28errors_total%5B5m%5D%29+%3E+0.1&g0.tab=1"
            .to_owned(),
    }
}

fn memory_mib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse().unwrap_or(0) / 1024)
}

/// Counts what is posted to it, and takes it.
async fn webhook(listener: TcpListener, told: Arc<AtomicUsize>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(take(socket, Arc::clone(&told)));
    }
}

async fn take(socket: TcpStream, told: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut stream = BufReader::new(socket);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        told.fetch_add(1, Ordering::SeqCst);
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}
