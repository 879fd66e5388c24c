//! `mayfly store delete`

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use edge::SystemClock;
use model::{Clock, Matcher};
use store::{Deletable, Deletion, Tenant};

use crate::cli::instant;
use crate::storage_flags::{StorageFlags, tenant};

#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    storage: StorageFlags,

    /// Whose data
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = tenant)]
    tenant: Tenant,

    /// What to delete, as in a query: '{job="backup",user=~"a.*"}'; may be given several times
    #[arg(long = "match", value_name = "SELECTOR", required = true, value_parser = selector)]
    matches: Vec<Selector>,

    /// The first time of it, in seconds since 1970 or as 2026-11-27T10:00:00Z [default: the beginning]
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    start: Option<i64>,

    /// The last time of it [default: all that is there]
    #[arg(long, value_name = "TIME", value_parser = instant, allow_hyphen_values = true)]
    end: Option<i64>,

    /// Delete nothing, and tell how much that would be
    #[arg(long)]
    dry_run: bool,
}

/// A selector, and how it was written.
#[derive(Clone, Debug)]
struct Selector {
    text: String,
    matchers: Vec<Matcher>,
}

fn selector(text: &str) -> Result<Selector, String> {
    Ok(Selector { text: text.to_owned(), matchers: query::api::matchers(text)? })
}

/// Ends with 0 if it was recorded, or counted.
pub(crate) fn run(flags: &Delete) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(delete(flags)).map(|()| ExitCode::SUCCESS)
}

async fn delete(flags: &Delete) -> anyhow::Result<()> {
    let storage = flags.storage.open_for(Some(&flags.tenant)).await?;
    let deletion = |selector: &Selector| Deletion {
        matchers: selector.matchers.clone(),
        start_ms: flags.start,
        end_ms: flags.end,
    };
    let deletions: Vec<Deletion> = flags.matches.iter().map(deletion).collect();
    deletions.iter().try_for_each(Deletion::check).context("--match")?;
    if flags.dry_run {
        let reader = storage.reader(None, None);
        for (selector, deletion) in flags.matches.iter().zip(&deletions) {
            let counted = reader.deletable(deletion, SystemClock.now_ms()).await?;
            let Deletable { series, samples, pushed_values } = counted.found;
            for left_out in &counted.left_out {
                writeln!(std::io::stderr(), "mayfly: not counted: {left_out}")?;
            }
            let text = &selector.text;
            writeln!(
                std::io::stdout(),
                "{text}: {series} series, {samples} samples, {pushed_values} pushed values"
            )?;
        }
        return Ok(());
    }
    let deleter = storage.deleter(Arc::new(SystemClock));
    deleter.delete(&deletions).await?;
    let pending = deleter.pending().await?;
    writeln!(
        std::io::stdout(),
        "deleted: no query shows it any more, and compaction takes it out of the files ({pending} under way)"
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_selectors_are_those_of_queries() {
        assert_eq!(instant("1795773600.5"), Ok(1_795_773_600_500));
        assert_eq!(instant("2026-11-27T10:00:00+01:00"), Ok(1_795_770_000_000));
        for wrong in ["yesterday", "1e300", "NaN", "2026-11-27"] {
            assert!(instant(wrong).is_err_and(|error| error.contains("seconds since 1970")), "{wrong}");
        }
        assert_eq!(selector("up{job=\"a\"}").expect("is one").matchers.len(), 2);
        assert!(selector("{job=~\".*\"}").is_err_and(|error| error.contains("non-empty matcher")));
        assert!(selector("rate(up[5m])").is_err());
    }
}
