//! Where the demo reads and writes.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context as _, bail, ensure};

/// Marks a folder as the demo's own, so that only such a one is ever emptied.
const MARK: &str = ".mayfly-demo";
const SEGMENT_LOOKS: usize = 100;
const SEGMENT_LOOK_MS: u64 = 100;

/// The demo's paths. All but the inputs lie in one folder, which is emptied at the start.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// What the job reads.
    pub(crate) input: PathBuf,
    /// What the job writes.
    pub(crate) output: PathBuf,
    /// The storage of the server.
    pub(crate) store: PathBuf,
    /// The rule file.
    pub(crate) rules: PathBuf,
    /// The log of the server.
    pub(crate) log: PathBuf,
}

impl Workspace {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let input = env::var_os("DEMO_INPUT").filter(|path| !path.is_empty());
        let input = input.map_or_else(|| own.join("input"), PathBuf::from);
        let data = env::var_os("DEMO_DATA").filter(|path| !path.is_empty());
        let data = data.map_or_else(|| own.with_file_name("demo-data"), PathBuf::from);
        ensure!(input.is_dir(), "DEMO_INPUT={} is not a folder", input.display());
        if data.exists() {
            let empty = fs::read_dir(&data)?.next().is_none();
            ensure!(empty || data.join(MARK).exists(), "{} exists and is not the demo's", data.display());
            fs::remove_dir_all(&data)?;
        }
        let output = data.join("exported");
        fs::create_dir_all(&output).with_context(|| output.display().to_string())?;
        fs::write(data.join(MARK), "`make demo` empties this folder when it starts\n")?;
        Ok(Self {
            input: shorter(&input),
            output,
            store: shorter(&data).join("store"),
            rules: own.join("rules.yml"),
            log: data.join("mayfly.log"),
        })
    }

    /// The Parquet files of the server's storage. What was pushed a moment ago may still be on its way into one.
    pub(crate) fn segments(&self) -> anyhow::Result<Vec<PathBuf>> {
        for _ in 0..SEGMENT_LOOKS {
            let found = self.parquet_files()?;
            if found.iter().any(|path| path.components().any(|part| part.as_os_str() == "pushes")) {
                return Ok(found);
            }
            thread::sleep(Duration::from_millis(SEGMENT_LOOK_MS));
        }
        bail!("no Parquet file of the push in {}", self.store.display())
    }

    fn parquet_files(&self) -> std::io::Result<Vec<PathBuf>> {
        let (mut folders, mut found) = (vec![self.store.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "parquet") {
                    found.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// How to read them with SQL.
    pub(crate) fn duckdb_command(&self) -> String {
        format!(
            r#"duckdb -c "SELECT \"__ts__\", job, \"__name__\", \"__value__\" FROM read_parquet('{}/**/hot/*/*.parquet', union_by_name = true) WHERE \"__name__\" LIKE 'export_%'""#,
            self.store.display()
        )
    }
}

/// The path as seen from the working directory, where it lies below.
fn shorter(path: &Path) -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).map_or_else(|_| path.to_path_buf(), Path::to_path_buf)
}
