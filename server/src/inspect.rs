//! `mayfly store ls|stat|verify`

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat};
use clap::{Args, ValueEnum};
use edge::SystemClock;
use model::Clock;
use serde_json::{Value, json};
use store::{Holds, Inspector, Inventory, Partition, Place, Verified};

use crate::one_line;
use crate::storage_flags::StorageFlags;

/// It could not be looked at.
const NOT_SEEN: u8 = 2;

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    #[command(flatten)]
    storage: StorageFlags,

    /// For people, or one JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What is told of each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Partitions,
    Totals,
    Problems,
}

/// Tells it of all streams of all tenants. Ends with 0, with 1 if something is broken, and with 2 if it could not be looked at.
pub(crate) fn run(flags: &Inspect, what: What) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match runtime.block_on(inspect(flags, what)) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) => {
            writeln!(std::io::stderr(), "mayfly: {}", one_line(&error))?;
            Ok(ExitCode::from(NOT_SEEN))
        }
    }
}

/// Whether all is well.
async fn inspect(flags: &Inspect, what: What) -> anyhow::Result<bool> {
    let url = || flags.storage.told();
    let storage = flags.storage.open().await?;
    let (mut is_well, mut is_empty) = (true, true);
    for tenant in storage.tenants().await.with_context(url)? {
        for (stream, inspector) in storage.of_tenant(tenant).inspectors() {
            is_empty = false;
            is_well &= tell(&stream, &inspector, what, flags.format).await.with_context(|| stream.clone())?;
        }
    }
    if is_empty {
        writeln!(std::io::stderr(), "mayfly: {}: nothing is stored there", url())?;
    }
    Ok(is_well)
}

async fn tell(stream: &str, inspector: &Inspector, what: What, format: Format) -> anyhow::Result<bool> {
    let mut is_well = true;
    let told = match (what, format) {
        (What::Partitions, Format::Text) => partitions_text(stream, &inspector.inventory().await?),
        (What::Partitions, Format::Json) => {
            let all = inspector.inventory().await?.partitions;
            all.iter().map(|partition| format!("{}\n", partition_json(stream, partition))).collect()
        }
        (What::Totals, Format::Text) => totals_text(stream, &inspector.inventory().await?),
        (What::Totals, Format::Json) => format!("{}\n", totals_json(stream, &inspector.inventory().await?)),
        (What::Problems, _) => {
            let verified = inspector.verify().await?;
            is_well = verified.problems.is_empty();
            match format {
                Format::Text => verified_text(stream, &verified),
                Format::Json => format!("{}\n", verified_json(stream, &verified)),
            }
        }
    };
    std::io::stdout().write_all(told.as_bytes())?;
    Ok(is_well)
}

fn time(at_us: i64) -> String {
    let at = DateTime::from_timestamp_micros(at_us);
    at.map_or_else(|| format!("{at_us} us"), |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Kind, what distinguishes it, and what it is about.
fn place(place: &Place) -> (&'static str, String) {
    match place {
        Place::Hot { day } => ("hot", day.clone()),
        Place::Run { level, from, to, day } => {
            let of_day = day.as_ref().map(|day| format!(" of {day}")).unwrap_or_default();
            (level, format!("{from} to {to}{of_day}"))
        }
        Place::Frame { at, base: None } => ("frame", at.clone()),
        Place::Frame { at, base: Some(base) } => ("frame", format!("{at} on {base}")),
        Place::Unneeded => ("unneeded", String::new()),
    }
}

fn partitions_text(stream: &str, found: &Inventory) -> String {
    let mut text = format!("{stream}\n");
    for Partition { place: of, holds } in &found.partitions {
        let (kind, about) = place(of);
        let Holds { objects, bytes, rows, series, times_us } = holds;
        let series = series.map_or_else(|| "-".to_owned(), |series| series.to_string());
        let times = times_us.map_or_else(String::new, |(a, b)| format!("  {} to {}", time(a), time(b)));
        let _ = writeln!(
            text,
            "  {kind:<8}  {about:<45}  {objects:>6} objects  {bytes:>12} bytes  {rows:>10} rows  {series:>8} series{times}"
        );
    }
    foreign(&mut text, &found.foreign);
    text
}

fn foreign(text: &mut String, foreign: &[String]) {
    for object in foreign {
        let _ = writeln!(text, "  not Mayfly's: {object}");
    }
}

fn holds_json(Holds { objects, bytes, rows, series, times_us }: &Holds) -> Value {
    json!({
        "objects": objects, "bytes": bytes, "rows": rows, "series": series,
        "oldest_us": times_us.map(|times| times.0), "newest_us": times_us.map(|times| times.1),
    })
}

fn partition_json(stream: &str, Partition { place, holds }: &Partition) -> Value {
    let mut told = match place {
        Place::Hot { day } => json!({"kind": "hot", "day": day}),
        Place::Run { level, from, to, day } => {
            json!({"kind": "run", "level": level, "from": from, "to": to, "day": day})
        }
        Place::Frame { at, base } => json!({"kind": "frame", "at": at, "base": base}),
        Place::Unneeded => json!({"kind": "unneeded"}),
    };
    if let (Some(told), Value::Object(holds)) = (told.as_object_mut(), holds_json(holds)) {
        told.insert("stream".to_owned(), stream.into());
        told.extend(holds);
    }
    told
}

/// How old the minute of the oldest segment is that is in no run, in seconds.
fn lag_s(found: &Inventory) -> i64 {
    let now_us = SystemClock.now_us();
    found.oldest_waiting_us.map_or(0, |at_us| now_us.saturating_sub(at_us).max(0) / 1_000_000)
}

fn count(found: &Inventory, is_one: fn(&Place) -> bool) -> usize {
    found.partitions.iter().filter(|partition| is_one(&partition.place)).count()
}

fn totals_text(stream: &str, found: &Inventory) -> String {
    let Holds { objects, bytes, rows, times_us, .. } = found.total();
    let runs = count(found, |place| matches!(place, Place::Run { .. }));
    let frames = count(found, |place| matches!(place, Place::Frame { .. }));
    let mut text = format!("{stream}\n  {objects} objects, {bytes} bytes, {rows} rows\n");
    if let Some((oldest_us, newest_us)) = times_us {
        let _ = writeln!(text, "  oldest {}, newest {}", time(oldest_us), time(newest_us));
    }
    let watermark = found.watermark.as_deref().unwrap_or("none");
    let _ = writeln!(text, "  {runs} runs and {frames} frames, watermark {watermark}, epoch {}", found.epoch);
    if let Some(kept_from) = &found.kept_from {
        let _ = writeln!(text, "  kept from {kept_from}");
    }
    let _ = writeln!(text, "  {} segments in no run, compaction lag {} s", found.waiting, lag_s(found));
    let unneeded = found.partitions.iter().find(|partition| partition.place == Place::Unneeded);
    if let Some(Partition { holds: Holds { objects, bytes, .. }, .. }) = unneeded {
        let _ =
            writeln!(text, "  {objects} objects that nobody needs, {bytes} bytes: deleted when they are old");
    }
    foreign(&mut text, &found.foreign);
    text
}

fn totals_json(stream: &str, found: &Inventory) -> Value {
    let mut told = holds_json(&found.total());
    let unneeded = found.partitions.iter().find(|partition| partition.place == Place::Unneeded);
    let more = json!({
        "stream": stream,
        "runs": count(found, |place| matches!(place, Place::Run { .. })),
        "frames": count(found, |place| matches!(place, Place::Frame { .. })),
        "watermark": found.watermark, "kept_from": found.kept_from, "epoch": found.epoch,
        "lease": {"holder": format!("{:016x}", found.lease.0), "until_us": found.lease.1},
        "waiting_segments": found.waiting, "compaction_lag_s": lag_s(found),
        "unneeded": unneeded.map(|partition| holds_json(&partition.holds)),
        "foreign": found.foreign,
    });
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        // what is counted across partitions would count a series in each
        told.remove("series");
        told.extend(more);
    }
    told
}

fn verified_text(
    stream: &str,
    Verified { objects, bytes, rows, problems, foreign: others }: &Verified,
) -> String {
    let mut text =
        format!("{stream}: {objects} objects, {bytes} bytes, {rows} rows read, {} broken\n", problems.len());
    for problem in problems {
        let _ = writeln!(text, "  {}: {}", problem.object, problem.what);
    }
    foreign(&mut text, others);
    text
}

fn verified_json(stream: &str, verified: &Verified) -> Value {
    let Verified { objects, bytes, rows, problems, foreign } = verified;
    let problems: Vec<Value> =
        problems.iter().map(|problem| json!({"object": problem.object, "what": problem.what})).collect();
    json!({
        "stream": stream, "objects": objects, "bytes": bytes, "rows": rows, "problems": problems, "foreign": foreign,
    })
}
