//! How queries are evaluated in a function: as the environment says, within the function's memory.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use edge::{DiskCache, ReaderSettings};
use query::Settings;

use crate::environment::Environment;

/// The memory that a function has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(u64);

impl Memory {
    /// What Lambda says (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`); its least, if it says nothing.
    pub fn of(environment: &mut Environment) -> Self {
        const LEAST_MB: u64 = 128;
        let megabytes = environment.count("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").unwrap_or(LEAST_MB);
        Self(megabytes.saturating_mul(1 << 20))
    }

    /// What was read is kept in a quarter of it, up to what a server keeps, and on disk if that is wanted.
    ///
    /// # Errors
    /// If the disk cannot be used.
    pub fn readers(self, disk: Option<(PathBuf, u64)>) -> anyhow::Result<ReaderSettings> {
        let default = ReaderSettings::default();
        let quarter = usize::try_from(self.0 / 4).unwrap_or(usize::MAX);
        let disk = disk.map(|(folder, bytes_max)| DiskCache::open(&folder, bytes_max).map(Arc::new));
        let disk = disk.transpose().context("MAYFLY_QUERY_CACHE_DIR")?;
        Ok(ReaderSettings { cache_bytes_max: quarter.min(default.cache_bytes_max), disk, ..default })
    }
}

/// Of the 512 MB that a function has below `/tmp` where nothing else is said.
const DISK_BYTES_MAX: u64 = 384 << 20;

/// The folder in which what was read is kept, and its bound in bytes. What a function writes below `/tmp` lasts as long as
/// its environment, which is longer than its memory helps where that is small.
pub fn disk_cache(environment: &mut Environment) -> Option<(PathBuf, u64)> {
    let bytes_max = environment.count("MAYFLY_QUERY_CACHE_SIZE").unwrap_or(DISK_BYTES_MAX);
    let folder = environment.text("MAYFLY_QUERY_CACHE_DIR")?;
    Some((folder.into(), bytes_max))
}

/// The settings that the environment gives queries; for one at a time, as a function has them.
pub fn query_settings(environment: &mut Environment, memory: Memory) -> Settings {
    let mut settings = Settings {
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        // the rest is for what was read, and for the answer
        bytes_max: memory.0 / 2,
        ..Settings::default()
    };
    let keep = |setting: &mut i64, found: Option<i64>| *setting = found.unwrap_or(*setting);
    keep(&mut settings.timeout_ms, environment.duration_ms("MAYFLY_QUERY_TIMEOUT"));
    keep(&mut settings.lookback_ms, environment.duration_ms("MAYFLY_QUERY_LOOKBACK_DELTA"));
    settings.as_scraped_ms = environment.duration_ms("MAYFLY_QUERY_AS_SCRAPED");
    if let Some(count) = environment.count("MAYFLY_QUERY_MAX_SAMPLES") {
        settings.samples_max = count;
    }
    if let Some(count) = environment.count("MAYFLY_QUERY_MAX_SERIES") {
        settings.series_max = usize::try_from(count).unwrap_or(usize::MAX);
    }
    if let Some(count) = environment.count("MAYFLY_QUERY_MAX_BYTES") {
        settings.bytes_max = count;
    }
    switch_features_on(environment, &mut settings);
    settings
}

/// Whether types and units are to be labels of what is pushed.
pub fn type_labels(environment: &mut Environment) -> bool {
    let mut settings = Settings::default();
    switch_features_on(environment, &mut settings);
    settings.type_labels
}

fn switch_features_on(environment: &mut Environment, settings: &mut Settings) {
    for feature in environment.list("MAYFLY_ENABLE_FEATURE") {
        if let Err(unknown) = edge::enable_feature(settings, &feature) {
            environment.mistaken(format!("MAYFLY_ENABLE_FEATURE: {unknown}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let mut environment = Environment::of(variables);
        let memory = Memory::of(&mut environment);
        let settings = query_settings(&mut environment, memory);
        environment.finish().map(|()| settings).map_err(|error| error.to_string())
    }

    #[test]
    fn memory_is_what_the_function_has() {
        let found = settings(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")]).expect("settings");
        let expect = Settings { bytes_max: 512 << 20, threads: found.threads, ..Settings::default() };
        assert_eq!(found, expect);
        let cache = |megabytes: u64| {
            Memory(megabytes << 20).readers(None).expect("no folder is asked for").cache_bytes_max
        };
        assert_eq!((cache(256), cache(10_240)), (64 << 20, ReaderSettings::default().cache_bytes_max));
    }

    #[test]
    fn variables_become_settings() {
        let found = settings(&[
            ("MAYFLY_QUERY_TIMEOUT", "20s"),
            ("MAYFLY_QUERY_LOOKBACK_DELTA", "1m"),
            ("MAYFLY_QUERY_AS_SCRAPED", "15s"),
            ("MAYFLY_QUERY_MAX_SAMPLES", "7"),
            ("MAYFLY_QUERY_MAX_SERIES", "8"),
            ("MAYFLY_QUERY_MAX_BYTES", "9"),
            ("MAYFLY_ENABLE_FEATURE", "promql-delayed-name-removal,use-start-timestamps"),
        ]);
        let found = found.expect("settings");
        let expect = Settings {
            timeout_ms: 20_000,
            lookback_ms: 60_000,
            as_scraped_ms: Some(15_000),
            samples_max: 7,
            series_max: 8,
            bytes_max: 9,
            threads: found.threads,
            delayed_name_removal: true,
            start_timestamps: true,
            ..Settings::default()
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn what_is_no_setting_names_its_variable() {
        let told = settings(&[("MAYFLY_QUERY_TIMEOUT", "5"), ("MAYFLY_ENABLE_FEATURE", "promql-fast")]);
        let told = told.expect_err("refused");
        assert!(told.contains("MAYFLY_QUERY_TIMEOUT is \"5\""), "{told}");
        assert!(
            told.contains("MAYFLY_ENABLE_FEATURE: promql-fast is no feature: expected one of promql-"),
            "{told}"
        );
    }
}
