//! The file that says what is scraped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use config::{DnsRecord, ScrapeConfig, ScrapeConfigs};
use edge::TargetClient;
use scrape::Fetch;

/// The file, and what is in force of it.
pub(in crate::serve) struct JobsFile {
    path: PathBuf,
    /// What is in force.
    text: String,
    jobs: Vec<Job>,
    /// What was wrong last.
    wrong: Option<String>,
}

/// A job, and how its targets are asked.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) config: ScrapeConfig,
    pub(super) fetch: Arc<dyn Fetch>,
    /// How servers are asked that know targets, in the order of the configuration.
    pub(super) servers: Vec<Arc<TargetClient>>,
    /// To which files of targets are relative.
    pub(super) folder: PathBuf,
}

impl JobsFile {
    /// Reads the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(in crate::serve) fn open(path: &Path) -> anyhow::Result<Self> {
        let text = read(path)?;
        let jobs = jobs(path, &text)?;
        Ok(Self { path: path.to_owned(), text, jobs, wrong: None })
    }

    pub(super) fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Whether there are other jobs now. What is wrong is told once, and tried again: a file that the configuration names may come later.
    pub(super) fn read_again(&mut self) -> anyhow::Result<bool> {
        let read = read(&self.path).and_then(|text| match text == self.text {
            true => Ok(None),
            false => jobs(&self.path, &text).map(|jobs| Some((text, jobs))),
        });
        match read {
            Ok(found) => {
                self.wrong = None;
                let is_other = found.is_some();
                if let Some((text, jobs)) = found {
                    (self.text, self.jobs) = (text, jobs);
                }
                Ok(is_other)
            }
            Err(error) => {
                let told = self.wrong.replace(error.to_string());
                if told == self.wrong { Ok(false) } else { Err(error) }
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn jobs(path: &Path, text: &str) -> anyhow::Result<Vec<Job>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let configs = ScrapeConfigs::read(&path.display().to_string(), text)?;
    configs.jobs.into_iter().map(|config| job(config, folder)).collect()
}

fn job(config: ScrapeConfig, folder: &Path) -> anyhow::Result<Job> {
    let of_job = || format!("job {:?}", config.name);
    for names in &config.names {
        anyhow::ensure!(
            matches!(names.record, DnsRecord::A | DnsRecord::Aaaa),
            "{}: dns_sd_configs: only records of type A and AAAA are asked for",
            of_job()
        );
    }
    let client = |client| TargetClient::new(client, folder).with_context(of_job);
    let fetch = Arc::new(client(&config.client)?);
    let servers = config.servers.iter().map(|server| client(&server.client).map(Arc::new));
    let servers = servers.collect::<anyhow::Result<_>>()?;
    Ok(Job { fetch, servers, folder: folder.to_owned(), config })
}
