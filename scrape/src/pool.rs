//! The targets of a job.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use config::ScrapeConfig;
use model::Labels;

use crate::page;
use crate::ports::{Asked, Fetch};
use crate::target::{Populated, Target, populate};

/// More than this no answer may have, whatever a job says of its limit: it is in memory.
const BODY_BYTES_MAX: u64 = 256 << 20;

/// A job and its targets.
#[derive(Debug)]
pub struct Pool {
    pub(crate) job: Arc<ScrapeConfig>,
    pub(crate) fetch: Arc<dyn Fetch>,
    /// With the time of the next scrape of each.
    pub(crate) targets: Vec<(Arc<Target>, i64)>,
    dropped: Vec<Labels>,
    /// What was discovered last.
    discovered: Vec<Labels>,
    /// Why no target is scraped.
    pub(crate) failure: Option<String>,
}

/// Labels that relabelling dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedTarget {
    /// What was discovered, with the defaults of the job.
    pub discovered: Labels,
    /// The name of the job.
    pub pool: String,
}

impl Pool {
    pub(crate) fn new(job: ScrapeConfig, fetch: Arc<dyn Fetch>) -> Self {
        let (targets, dropped, discovered) = (Vec::new(), Vec::new(), Vec::new());
        Self { job: Arc::new(job), fetch, targets, dropped, discovered, failure: None }
    }

    /// The name of the job.
    pub fn name(&self) -> &str {
        &self.job.name
    }

    /// Its targets.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.iter().map(|(target, _)| target)
    }

    /// Those that relabelling dropped, or as many as are shown.
    pub fn dropped(&self) -> impl Iterator<Item = DroppedTarget> {
        let shown = usize::try_from(self.job.keep_dropped).unwrap_or(usize::MAX);
        let shown = if shown == 0 { usize::MAX } else { shown };
        let pool = self.name();
        let dropped = self.dropped.iter().take(shown);
        dropped.map(move |discovered| DroppedTarget { discovered: discovered.clone(), pool: pool.to_owned() })
    }

    /// How many relabelling dropped.
    pub fn dropped_count(&self) -> usize {
        self.dropped.len()
    }

    /// From now on these are its targets. Those that were there already go on as they are; gives those that are gone.
    pub(crate) fn sync(&mut self, discovered: Vec<Labels>, now_ms: i64) -> Vec<Arc<Target>> {
        if discovered == self.discovered {
            return Vec::new();
        }
        self.replace(discovered, now_ms)
    }

    fn replace(&mut self, discovered: Vec<Labels>, now_ms: i64) -> Vec<Arc<Target>> {
        let mut old: HashMap<_, _> =
            self.targets.drain(..).map(|(target, _)| (target.key(), target)).collect();
        let mut kept = HashSet::new();
        self.dropped.clear();
        for labels in &discovered {
            let target = match populate(&self.job, labels) {
                Ok(Populated::Active(target)) => *target,
                Ok(Populated::Dropped(labels)) => {
                    self.dropped.push(labels);
                    continue;
                }
                Err(error) => {
                    tracing::error!(job = self.job.name, %error, %labels, "no target can be made of this");
                    continue;
                }
            };
            let key = target.key();
            if kept.contains(&key) {
                continue;
            }
            let target = match old.remove(&key) {
                Some(before) => target.instead_of(&before),
                None => target,
            };
            kept.insert(key);
            let next_ms = target.next_ms(now_ms);
            self.targets.push((Arc::new(target), next_ms));
        }
        self.discovered = discovered;
        let (count, limit) = (self.targets.len() as u64, self.job.target_limit);
        self.failure = (limit > 0 && count > limit)
            .then(|| format!("target_limit exceeded (number of targets: {count}, limit: {limit})"));
        old.into_values().collect()
    }

    /// Takes over what another process knew of the job's targets, as far as they are its own. Gives those that are gone.
    pub(crate) fn restore(
        &mut self,
        targets: Vec<Arc<Target>>,
        discovered: Vec<Labels>,
        now_ms: i64,
    ) -> Vec<Arc<Target>> {
        self.targets = targets.into_iter().map(|target| (target, now_ms)).collect();
        self.replace(discovered, now_ms)
    }

    /// What was discovered last.
    pub(crate) fn discovered(&self) -> &[Labels] {
        &self.discovered
    }

    /// Takes over the targets of a job of the same name, as far as they are its own under its configuration. Gives those that are gone.
    pub(crate) fn take_over(&mut self, before: Self, now_ms: i64) -> Vec<Arc<Target>> {
        self.targets = before.targets;
        self.replace(before.discovered, now_ms)
    }

    pub(crate) fn asked(&self, target: &Target) -> Asked {
        let encoding = if self.job.compression { "gzip" } else { "identity" };
        let seconds = target.timeout_ms as f64 / 1_000.0;
        let limit = self.job.limits.body_bytes_max;
        Asked {
            url: target.url.clone(),
            headers: vec![
                ("accept", page::accept(&self.job.protocols)),
                ("accept-encoding", encoding.to_owned()),
                ("user-agent", format!("Mayfly/{}", env!("CARGO_PKG_VERSION"))),
                ("x-prometheus-scrape-timeout-seconds", seconds.to_string()),
            ],
            timeout_ms: target.timeout_ms,
            body_bytes_max: if limit == 0 { BODY_BYTES_MAX } else { limit.min(BODY_BYTES_MAX) },
            follow_redirects: self.job.follow_redirects,
        }
    }
}
