//! The file that says what is scraped.

use std::path::{Path, PathBuf};

use anyhow::Context;
use edge::ScrapeJob;

/// The file, and what is in force of it.
pub(in crate::serve) struct JobsFile {
    path: PathBuf,
    /// What is in force.
    text: String,
    jobs: Vec<ScrapeJob>,
    /// What was wrong last.
    wrong: Option<String>,
}

impl JobsFile {
    /// Reads the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(in crate::serve) fn open(path: &Path) -> anyhow::Result<Self> {
        let text = read(path)?;
        let jobs = ScrapeJob::read(path, &text)?;
        Ok(Self { path: path.to_owned(), text, jobs, wrong: None })
    }

    pub(super) fn jobs(&self) -> &[ScrapeJob] {
        &self.jobs
    }

    /// Whether there are other jobs now. What is wrong is told once, and tried again: a file that the configuration names may come later.
    pub(super) fn read_again(&mut self) -> anyhow::Result<bool> {
        let read = read(&self.path).and_then(|text| match text == self.text {
            true => Ok(None),
            false => Ok(Some(ScrapeJob::read(&self.path, &text)?).map(|jobs| (text, jobs))),
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
