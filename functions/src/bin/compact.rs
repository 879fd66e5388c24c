//! The compact function: merges what is due of every tenant, drops what is too old and deletes what no manifest names any
//! more, until all is done or its time is nearly over; whatever the event says. Meant for EventBridge Scheduler.
//!
//! | variable | meaning |
//! |---|---|
//! | `MAYFLY_STORAGE` | `s3://BUCKET/PREFIX`; required |
//! | `MAYFLY_STORAGE_COMPACT_GRACE` | what `--storage.compact-grace` is to a server |
//! | `MAYFLY_STORAGE_RETENTION_PUSHES`, `MAYFLY_STORAGE_RETENTION_SAMPLES` | what `--storage.retention.…` are to a server; several with commas between them |
//! | `MAYFLY_S3_ENDPOINT` | as for `query` |
//!
//! The answer says by stream what was done and what is left. An invocation that ends too early, wherever it is, is no
//! failure: the next one goes on there. It fails if something else kept it from its work, which is then done as far as it
//! can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use edge::{CompactSettings, Compactions, Kept, Retention, StreamRetention, SystemClock};
use mayfly_functions::{Answer, Environment, Event, Invocation};
use serde_json::{Value, json};
use store::{CompactError, Compactor, Progress};

/// To answer, before time is over, where there is no lease.
const ANSWER: Duration = Duration::from_secs(1);
/// To give leases back and to answer, before time is over.
const RESERVE: Duration = Duration::from_secs(3);
/// Of that, for each lease.
const RELEASE: Duration = Duration::from_secs(1);

/// What merges, as long as the function is warm.
struct Compacts {
    tenants: Compactions,
    /// Which stream comes first the next time, so that one with much work does not keep others from theirs.
    first: AtomicUsize,
}

/// How the work on a stream ended.
enum End {
    Done,
    /// Somebody else does it.
    Elsewhere,
    OutOfTime,
    Failed(CompactError),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    mayfly_functions::log();
    let compacts = &mayfly_functions::started(start(Environment::of_process()).await);
    mayfly_functions::run(|event, invocation| async move { compacts.answer(&event, invocation).await }).await
}

async fn start(mut environment: Environment) -> anyhow::Result<Compacts> {
    let storage_at = mayfly_functions::storage_variables(&mut environment);
    let mut settings = CompactSettings::of_holder(0);
    if let Some(ms) = environment.duration_ms("MAYFLY_STORAGE_COMPACT_GRACE") {
        settings = settings.with_grace(Duration::from_millis(ms.unsigned_abs()));
    }
    let retention = Retention {
        pushes: kept(&mut environment, "MAYFLY_STORAGE_RETENTION_PUSHES"),
        samples: kept(&mut environment, "MAYFLY_STORAGE_RETENTION_SAMPLES"),
    };
    environment.finish()?;
    let storage = mayfly_functions::storage(&storage_at).await?;
    let tenants = Compactions::new(storage, settings, retention, Arc::new(SystemClock));
    Ok(Compacts { tenants, first: AtomicUsize::default() })
}

fn kept(environment: &mut Environment, name: &str) -> StreamRetention {
    let mut all = Vec::new();
    for text in environment.list(name) {
        match text.parse::<Kept>() {
            Ok(kept) => all.push(kept),
            Err(mistake) => environment.mistaken(format!("{name}: {mistake}")),
        }
    }
    all.into_iter().collect()
}

impl Compacts {
    async fn answer(&self, event: &Event, invocation: Invocation) -> anyhow::Result<Answer> {
        event.tick()?;
        let stored = tokio::time::timeout(invocation.left(ANSWER), self.tenants.stored()).await;
        let stored = stored.context("the function's time ran out while tenants were listed")?;
        let compactions = stored.context("tenants cannot be listed")?;
        let mut streams: Vec<_> = compactions.iter().flat_map(|compaction| &compaction.streams).collect();
        let count = streams.len();
        if count > 0 {
            streams.rotate_left(self.first.load(Ordering::Relaxed) % count);
        }
        let (mut told, mut failures, mut begun) = (serde_json::Map::new(), Vec::new(), 0);
        for of_stream in streams {
            if invocation.left(RESERVE).is_zero() {
                told.insert(of_stream.stream.clone(), json!({"outcome": "not begun"}));
                continue;
            }
            begun += 1;
            let (done, end) = work(&of_stream.compactor, invocation).await;
            told.insert(of_stream.stream.clone(), tell(&done, &end));
            if let End::Failed(error) = end {
                failures.push(format!("{}: {error}", of_stream.stream));
            }
        }
        self.first.fetch_add(begun, Ordering::Relaxed);
        let told = Value::Object(told);
        tracing::info!(%told, "tick");
        ensure!(failures.is_empty(), "{}; done: {told}", failures.join("; "));
        mayfly_functions::json(&told)
    }
}

/// Does what is due in a stream, as long as there is time.
async fn work(compactor: &Compactor, invocation: Invocation) -> (Progress, End) {
    let mut done = Progress::default();
    let end = loop {
        let mut progress = Progress::default();
        let ticked = tokio::time::timeout(invocation.left(RESERVE), compactor.tick_into(&mut progress)).await;
        done.add(&progress);
        match ticked {
            Err(_) => break End::OutOfTime,
            Ok(Err(CompactError::Conflict(_))) => break End::Elsewhere,
            Ok(Err(error)) => break End::Failed(error),
            Ok(Ok(())) if progress.held_by_another => break End::Elsewhere,
            Ok(Ok(())) if !progress.is_behind => break End::Done,
            Ok(Ok(())) => {}
        }
    };
    // if it is not given back, it ends by itself
    match tokio::time::timeout(RELEASE, compactor.release()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the lease was not given back"),
        Err(_) => tracing::warn!("the lease was not given back in time"),
    }
    (done, end)
}

fn tell(done: &Progress, end: &End) -> Value {
    let outcome = match end {
        End::Done => "done",
        End::Elsewhere => "another process does it",
        End::OutOfTime => "out of time",
        End::Failed(_) => "failed",
    };
    json!({
        "outcome": outcome,
        "segmentsMerged": done.segments,
        "segmentsLeft": done.left,
        "runsMade": done.runs,
        "framesMade": done.frames,
        "runsTooOld": done.runs_dropped,
        "objectsDeleted": done.swept,
        "bytesRead": done.read_bytes,
        "bytesWritten": done.written_bytes,
        "runsLeftApart": done.unmerged.runs,
        "limitsReached": done.unmerged.limits_told(),
    })
}
