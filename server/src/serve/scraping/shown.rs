//! Targets as the query API shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use model::Labels;
use query::api::{ActiveTarget, ScrapeTargets};
use scrape::{Pool, Scraper};

/// Shows what a scraper scrapes, once there is one.
#[derive(Debug)]
pub(in crate::serve) struct Shown {
    scraper: OnceLock<Arc<Scraper>>,
    /// By which others reach this machine.
    host: String,
}

impl Shown {
    pub(in crate::serve) fn on(host: &str) -> Self {
        Self { scraper: OnceLock::new(), host: host.to_owned() }
    }

    /// From now on these are shown.
    pub(in crate::serve) fn show(&self, scraper: &Arc<Scraper>) {
        // there is one per process
        let _ = self.scraper.set(Arc::clone(scraper));
    }

    fn pools_of<T>(&self, name: Option<&str>, look: impl Fn(&Pool) -> Vec<T>) -> Vec<T> {
        let Some(scraper) = self.scraper.get() else { return Vec::new() };
        let is_wanted = |pool: &&Pool| name.is_none_or(|name| pool.name() == name);
        scraper.pools(|pools| pools.iter().filter(is_wanted).flat_map(look).collect())
    }
}

impl ScrapeTargets for Shown {
    fn pools(&self) -> Vec<String> {
        self.pools_of(None, |pool| vec![pool.name().to_owned()])
    }

    fn active(&self, pool: Option<&str>) -> Vec<ActiveTarget> {
        let shown = |pool: &Pool| {
            let target = |target: &Arc<scrape::Target>| {
                let status = target.status();
                ActiveTarget {
                    discovered: target.discovered.clone(),
                    labels: target.labels.clone(),
                    pool: pool.name().to_owned(),
                    url: target.url.clone(),
                    global_url: elsewhere(&target.url, &self.host),
                    last_error: status.last_error,
                    last_scrape_ms: status.last_scrape_ms,
                    last_duration_us: status.last_duration_us,
                    health: status.health.as_str(),
                    interval_ms: target.interval_ms,
                    timeout_ms: target.timeout_ms,
                    families: status.families,
                }
            };
            pool.targets().map(target).collect()
        };
        self.pools_of(pool, shown)
    }

    fn dropped(&self, pool: Option<&str>) -> Vec<(String, Labels)> {
        self.pools_of(pool, |pool| pool.dropped().map(|target| (target.pool, target.discovered)).collect())
    }

    fn dropped_counts(&self) -> BTreeMap<String, usize> {
        self.pools_of(None, |pool| vec![(pool.name().to_owned(), pool.dropped_count())]).into_iter().collect()
    }
}

/// A URL as others see it, for whom this machine's own names for itself mean nothing.
fn elsewhere(url: &str, host: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let own = ["127.0.0.1", "localhost", "[::1]"].into_iter().find_map(|own| rest.strip_prefix(own));
    match own.filter(|rest| rest.is_empty() || rest.starts_with([':', '/', '?'])) {
        Some(rest) => format!("{scheme}://{host}{rest}"),
        None => url.to_owned(),
    }
}
