//! `mayfly compact`

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use edge::{Compactions, StreamCompaction, SystemClock};
use model::Clock;
use store::{Progress, Unmerged};

use crate::cli::{CompactFlags, LogFormat, LogLevel};
use crate::log;
use crate::storage_flags::StorageFlags;

#[derive(Args, Debug)]
pub(crate) struct Compact {
    #[command(flatten)]
    storage: StorageFlags,

    #[command(flatten)]
    how: CompactFlags,

    /// Do what is due now, and end
    #[arg(long, required = true)]
    once: bool,

    /// What is logged, from error (least) to debug (most)
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    log_level: LogLevel,

    /// How it is logged
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// Does what is due in all streams, one after the other. One that cannot go on does not keep the others from it.
pub(crate) fn run(flags: &Compact) -> anyhow::Result<ExitCode> {
    log::start(flags.log_level, flags.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compact(flags))
}

async fn compact(flags: &Compact) -> anyhow::Result<ExitCode> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let url = || flags.storage.told();
    let storage = flags.storage.open().await?;
    storage.prove().await.with_context(url)?;
    let mut ended = ExitCode::SUCCESS;
    let how = &flags.how;
    let compactions = Compactions::new(storage, how.settings(), how.retention(), clock);
    for compaction in compactions.stored().await.with_context(url)? {
        for StreamCompaction { stream, compactor } in &compaction.streams {
            let (mut done, mut result) = (Progress::default(), Ok(()));
            loop {
                let mut progress = Progress::default();
                result = result.and(compactor.tick_into(&mut progress).await);
                let goes_on = result.is_ok() && progress.is_behind;
                done.add(&progress);
                if !goes_on {
                    break;
                }
            }
            let result = result.and(compactor.release().await);
            writeln!(std::io::stdout(), "{stream}: {}", told(&done))?;
            if let Err(error) = result {
                ended = ExitCode::FAILURE;
                writeln!(std::io::stderr(), "mayfly: {stream}: {error}")?;
            }
        }
    }
    Ok(ended)
}

fn told(done: &Progress) -> String {
    if done.held_by_another {
        return format!("another process compacts it, {} segments wait", done.left);
    }
    let Progress {
        segments, runs, frames, rows, read_bytes, written_bytes, runs_dropped, swept, left, ..
    } = done;
    let Unmerged { runs: apart, frames: missing, .. } = &done.unmerged;
    let unmerged = match done.unmerged.limits_told() {
        limits if limits.is_empty() => limits,
        limits => format!(", {apart} runs left apart and {missing} frames not made for the sake of {limits}"),
    };
    format!(
        "{segments} segments merged, {runs} runs and {frames} frames made, {rows} rows and {read_bytes} bytes read, \
         {written_bytes} bytes written, {runs_dropped} runs too old, {swept} objects deleted, {left} segments left{unmerged}"
    )
}
