//! What a scraper knows of its targets, so that another process goes on where it was: which series each had last, so that they end
//! when they are no longer there, and when it was scraped.

use std::collections::BTreeMap;
use std::io::Read as _;

use model::Labels;
use serde::{Deserialize, Serialize};

/// The version that is written. Another one is refused.
pub const SAVED_VERSION: u32 = 1;

/// How large it may be, before it is compressed.
pub const SAVED_BYTES_MAX: usize = 256 << 20;

/// What is known of all targets, by job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub(crate) jobs: BTreeMap<String, SavedJob>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedJob {
    /// What was discovered last.
    pub(crate) discovered: Vec<Pairs>,
    pub(crate) targets: Vec<SavedTarget>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedTarget {
    /// All that is left of relabelling.
    pub(crate) labels: Pairs,
    pub(crate) url: String,
    pub(crate) last_scrape_ms: Option<i64>,
    pub(crate) series: Vec<SavedSeries>,
}

/// A series that was there at the last scrape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedSeries {
    pub(crate) labels: Pairs,
    /// Whether it ends when it is no longer there.
    pub(crate) ends: bool,
}

/// Labels by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pairs(BTreeMap<String, String>);

impl From<&Labels> for Pairs {
    fn from(labels: &Labels) -> Self {
        Self(labels.iter().map(|label| (label.name.to_string(), label.value.to_string())).collect())
    }
}

impl Pairs {
    pub(crate) fn labels(&self) -> Labels {
        Labels::from_pairs(self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// Why bytes are not what was saved, or cannot be.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// More than one object should hold.
    #[error("what is known of targets has {bytes} bytes or more; the limit is {SAVED_BYTES_MAX}")]
    TooLarge {
        /// How large it is at least.
        bytes: usize,
    },
    /// Written by another Mayfly.
    #[error("what is known of targets has version {0}; this program knows version {SAVED_VERSION}")]
    Version(u32),
    /// Not what is written.
    #[error("what is known of targets is damaged: {0}")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
struct Document<T> {
    version: u32,
    #[serde(flatten)]
    saved: T,
}

#[derive(Deserialize)]
struct Nothing {}

impl Saved {
    /// JSON, compressed.
    ///
    /// # Errors
    /// If it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, SavedError> {
        let document = Document { version: SAVED_VERSION, saved: self };
        let json = serde_json::to_vec(&document).map_err(damaged)?;
        if json.len() > SAVED_BYTES_MAX {
            return Err(SavedError::TooLarge { bytes: json.len() });
        }
        zstd::bulk::compress(&json, 1).map_err(damaged)
    }

    /// What [`Self::encode`] has written.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, SavedError> {
        let decoder = zstd::Decoder::new(bytes).map_err(damaged)?;
        let mut json = Vec::new();
        decoder.take(SAVED_BYTES_MAX as u64 + 1).read_to_end(&mut json).map_err(damaged)?;
        if json.len() > SAVED_BYTES_MAX {
            return Err(SavedError::TooLarge { bytes: json.len() });
        }
        let head: Document<Nothing> = serde_json::from_slice(&json).map_err(damaged)?;
        if head.version != SAVED_VERSION {
            return Err(SavedError::Version(head.version));
        }
        let document: Document<Self> = serde_json::from_slice(&json).map_err(damaged)?;
        Ok(document.saved)
    }

    /// Adds what another process knew at the same time. A series that one of them has is there: if it was not, it ends at the next
    /// scrape, where at worst it has ended already.
    pub fn merge(&mut self, other: Self) {
        for (name, theirs) in other.jobs {
            let Some(ours) = self.jobs.get_mut(&name) else {
                self.jobs.insert(name, theirs);
                continue;
            };
            for target in theirs.targets {
                let same =
                    ours.targets.iter_mut().find(|our| our.labels == target.labels && our.url == target.url);
                match same {
                    Some(same) => same.merge(target),
                    None => ours.targets.push(target),
                }
            }
        }
    }
}

impl SavedTarget {
    fn merge(&mut self, other: Self) {
        self.last_scrape_ms = self.last_scrape_ms.max(other.last_scrape_ms);
        let mut series: BTreeMap<Pairs, bool> = BTreeMap::new();
        for one in self.series.drain(..).chain(other.series) {
            *series.entry(one.labels).or_default() |= one.ends;
        }
        self.series = series.into_iter().map(|(labels, ends)| SavedSeries { labels, ends }).collect();
    }
}

fn damaged(error: impl std::fmt::Display) -> SavedError {
    SavedError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(name: &str) -> Pairs {
        Pairs(BTreeMap::from([("__name__".to_owned(), name.to_owned())]))
    }

    fn saved(last_scrape_ms: i64, names: &[&str]) -> Saved {
        let series = names.iter().map(|name| SavedSeries { labels: pairs(name), ends: true }).collect();
        let target = SavedTarget {
            labels: pairs("target"),
            url: "http://t/metrics".to_owned(),
            last_scrape_ms: Some(last_scrape_ms),
            series,
        };
        let job = SavedJob { discovered: vec![pairs("t")], targets: vec![target] };
        Saved { jobs: BTreeMap::from([("j".to_owned(), job)]) }
    }

    #[test]
    fn what_is_written_is_read() {
        let saved = saved(1, &["a", "b"]);
        let bytes = saved.encode().expect("fits");
        assert_eq!(Saved::decode(&bytes).expect("reads"), saved);
        let error = Saved::decode(b"x").expect_err("is none").to_string();
        assert!(error.contains("is damaged"), "{error}");
        let other = zstd::bulk::compress(br#"{"version":2,"more":[]}"#, 1).expect("compresses");
        let error = Saved::decode(&other).expect_err("is another").to_string();
        assert!(error.contains("has version 2"), "{error}");
        let bomb = zstd::bulk::compress(&vec![b' '; SAVED_BYTES_MAX + 1], 1).expect("compresses");
        let error = Saved::decode(&bomb).expect_err("is too large").to_string();
        assert!(error.contains("the limit is 268435456"), "{error}");
    }

    #[test]
    fn what_two_know_is_merged() {
        let mut ours = saved(2, &["a", "b"]);
        ours.merge(saved(1, &["b", "c"]));
        assert_eq!(ours, saved(2, &["a", "b", "c"]));
        let mut none = Saved::default();
        none.merge(saved(1, &["a"]));
        assert_eq!(none, saved(1, &["a"]));
    }
}
