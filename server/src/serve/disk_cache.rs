//! What queries read of the storage, kept on a local disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use edge::{DiskCache, ReaderSettings};
use model::MetricType;
use tokio::sync::watch;
use wire::Family;

use super::own_metrics::family;

/// Copies of what is gone from the storage are gone from the disk after so long, and one [`PAUSE`].
const AGE_MAX: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_hours(1);

/// Readers that use a folder, if they are to use one. All of them share it, and what they keep in memory.
pub(super) async fn readers(folder: Option<&Path>, bytes_max: u64) -> anyhow::Result<ReaderSettings> {
    let mut readers = ReaderSettings::default().sharing_memory();
    if let Some(folder) = folder {
        let path = folder.to_owned();
        let opened = tokio::task::spawn_blocking(move || DiskCache::open(&path, bytes_max)).await?;
        readers.disk =
            Some(Arc::new(opened.with_context(|| format!("--query.cache-dir {}", folder.display()))?));
    }
    Ok(readers)
}

/// Removes what is old now and then, until told to stop.
#[expect(clippy::disallowed_methods, reason = "files have the time of the system")]
pub(super) async fn keep_young(cache: Arc<DiskCache>, mut stopped: watch::Receiver<bool>) {
    loop {
        let cache = Arc::clone(&cache);
        let removed = tokio::task::spawn_blocking(move || {
            let before = std::time::SystemTime::now().checked_sub(AGE_MAX);
            before.into_iter().for_each(|before| cache.remove_older(before));
        });
        if let Err(error) = removed.await {
            tracing::error!(%error, "old copies of the storage on disk were not removed");
        }
        // an answer means that it is time to stop
        if tokio::time::timeout(PAUSE, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
            return;
        }
    }
}

/// What it says about itself.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub(super) fn families(cache: &DiskCache) -> Vec<Family> {
    let stats = cache.stats();
    let counters = [
        ("mayfly_disk_cache_hits_total", "Parts of objects found on the local disk.", stats.found),
        ("mayfly_disk_cache_misses_total", "Parts of objects that were not on the local disk.", stats.missed),
        ("mayfly_disk_cache_damaged_total", "Copies on the local disk that were damaged.", stats.damaged),
        (
            "mayfly_disk_cache_failures_total",
            "Copies on the local disk that could not be read, written or removed.",
            stats.failures,
        ),
    ];
    let counters = counters.map(|(name, help, value)| (name, help, MetricType::Counter, value));
    let bytes =
        ("mayfly_disk_cache_bytes", "Bytes of copies on the local disk.", MetricType::Gauge, stats.bytes);
    let all = counters.into_iter().chain([bytes]);
    all.map(|(name, help, r#type, value)| family(name, help, r#type, Vec::new(), value as f64)).collect()
}
