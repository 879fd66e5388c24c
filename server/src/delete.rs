//! `mayfly store delete`

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::DateTime;
use clap::Args;
use edge::{Storage, SystemClock};
use model::{Clock, Matcher};
use store::{Deletable, Deletion, Tenant};

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// Where data is kept: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL", default_value = "./mayfly-data")]
    storage: String,

    /// Address of an S3 server other than AWS; credentials are found the AWS way
    #[arg(long = "s3.endpoint", value_name = "URL")]
    s3_endpoint: Option<String>,

    /// Whose data
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = tenant)]
    tenant: Tenant,

    /// What to delete, as in a query: '{job="backup",user=~"a.*"}'; may be given several times
    #[arg(long = "match", value_name = "SELECTOR", required = true, value_parser = selector)]
    matches: Vec<Selector>,

    /// The first time of it, in seconds since 1970 or as 2026-11-27T10:00:00Z [default: the beginning]
    #[arg(long, value_name = "TIME", value_parser = time_ms, allow_hyphen_values = true)]
    start: Option<i64>,

    /// The last time of it [default: all that is there]
    #[arg(long, value_name = "TIME", value_parser = time_ms, allow_hyphen_values = true)]
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

fn tenant(name: &str) -> Result<Tenant, String> {
    Tenant::new(name).map_err(|error| error.to_string())
}

fn time_ms(text: &str) -> Result<i64, String> {
    let wrong =
        || format!("{text:?} is no time: expected seconds since 1970, or one like 2026-11-27T10:00:00Z");
    if let Ok(seconds) = text.parse::<f64>() {
        const MS_MAX: f64 = 1e15;
        let ms = (seconds * 1_000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "checked")]
        return if ms.abs() <= MS_MAX { Ok(ms as i64) } else { Err(wrong()) };
    }
    DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_millis()).map_err(|_| wrong())
}

/// Ends with 0 if it was recorded, or counted.
pub(crate) fn run(flags: &Delete) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(delete(flags)).map(|()| ExitCode::SUCCESS)
}

async fn delete(flags: &Delete) -> anyhow::Result<()> {
    let url = || format!("--storage {}", flags.storage);
    let is_folder = !flags.storage.contains("://") && flags.storage != "memory:";
    if is_folder && !Path::new(&flags.storage).is_dir() {
        // to open it would make one
        bail!("{}: there is no such folder", url());
    }
    let storage = Storage::open(&flags.storage, flags.s3_endpoint.as_deref()).await.with_context(url)?;
    if !storage.tenants().await.with_context(url)?.contains(&flags.tenant) {
        bail!("{}: nothing is stored there for the tenant {}", url(), flags.tenant);
    }
    let storage = storage.of_tenant(flags.tenant.clone());
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
        assert_eq!(time_ms("1795773600.5"), Ok(1_795_773_600_500));
        assert_eq!(time_ms("2026-11-27T10:00:00+01:00"), Ok(1_795_770_000_000));
        for wrong in ["yesterday", "1e300", "NaN", "2026-11-27"] {
            assert!(time_ms(wrong).is_err_and(|error| error.contains("seconds since 1970")), "{wrong}");
        }
        assert_eq!(selector("up{job=\"a\"}").expect("is one").matchers.len(), 2);
        assert!(selector("{job=~\".*\"}").is_err_and(|error| error.contains("non-empty matcher")));
        assert!(selector("rate(up[5m])").is_err());
    }
}
