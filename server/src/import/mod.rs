//! `mayfly import openmetrics FILE`: history from elsewhere, into the stream of samples.
//!
//! In the order in which a sample travels: `lines` reads it and checks what may be stored, `batch` puts it together with others, and
//! `sink` has the store's writers make them durable. A file is read twice, so that nothing of one with a mistake is stored.

mod batch;
mod lines;
mod sink;

use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use edge::SystemClock;
use model::Clock;
use store::Tenant;

use crate::storage_flags::{self, StorageFlags};
use batch::Batch;
use lines::Lines;
use sink::Sink;

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Store the samples of a file of OpenMetrics text, each with its time, as `promtool tsdb create-blocks-from openmetrics` takes it.
    ///
    /// Exemplars, types, helps and units are stored too. To import a file again does no harm: of samples with the same series and
    /// time there is one. Ends with 0 if all of it is stored, else with 1.
    #[command(after_help = "History of a Prometheus, into an empty storage:\n  \
        promtool tsdb dump-openmetrics data > history.om && mkdir mayfly-data && mayfly import openmetrics history.om")]
    Openmetrics(ImportOpenmetrics),
}

#[derive(Args, Debug)]
pub(crate) struct ImportOpenmetrics {
    /// The file, which ends in # EOF; - is standard input, of which a part may be stored that stands before a mistake
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    storage: StorageFlags,

    /// Whose data it becomes
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = storage_flags::tenant)]
    tenant: Tenant,

    /// A label for every series, in the place of its own; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let label = text.split_once('=').filter(|(name, _)| !name.is_empty() && *name != "__name__");
    let (name, value) = label.ok_or_else(|| format!("expected NAME=VALUE, got {text:?}"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Imports, and tells how much. Ends with 0 if all of it is stored.
pub(crate) fn run(import: &Import) -> anyhow::Result<ExitCode> {
    let Import::Openmetrics(flags) = import;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(openmetrics(flags)).map(|()| ExitCode::SUCCESS)
}

async fn openmetrics(flags: &ImportOpenmetrics) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let name = flags.file.display().to_string();
    let lines = |input: Box<dyn Read>| {
        Lines::new(&name, BufReader::with_capacity(1 << 16, input), flags.labels.clone(), clock.now_ms())
    };
    let storage = flags.storage.open().await?.of_tenant(flags.tenant.clone());
    let input: Box<dyn Read> = if name == "-" {
        Box::new(std::io::stdin())
    } else {
        let mut file = File::open(&flags.file).with_context(|| name.clone())?;
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            let mut checked = lines(Box::new(file));
            while checked.next()?.is_some() {
                checked.take_families();
            }
            file = File::open(&flags.file).with_context(|| name.clone())?;
        }
        Box::new(file)
    };
    storage.prove().await.with_context(|| flags.storage.told())?;
    let mut sink = Sink::open(&storage, clock.clone()).await.with_context(|| flags.storage.told())?;
    let imported = store(lines(input), &mut sink).await;
    // what is under way ends, whatever came of the rest
    let closed = sink.close().await;
    if let Err(error) = imported.and(closed) {
        let stored = sink.stored;
        return Err(error).with_context(|| {
            format!("{} samples are stored; import it again when this is put right: none of them will count twice", stored.samples)
        });
    }
    let stored = sink.stored;
    writeln!(
        std::io::stdout(),
        "imported {} samples, {} exemplars and what is told of {} families",
        stored.samples,
        stored.exemplars,
        stored.families
    )?;
    Ok(())
}

async fn store<R: Read>(mut lines: Lines<R>, sink: &mut Sink) -> anyhow::Result<()> {
    let mut batch = Batch::default();
    while let Some(sample) = lines.next()? {
        batch.told(lines.take_families());
        batch.add(sample);
        if batch.is_full() {
            sink.write(std::mem::take(&mut batch)).await?;
        }
    }
    batch.told(lines.take_families());
    sink.write(batch).await
}

#[cfg(test)]
mod tests;
