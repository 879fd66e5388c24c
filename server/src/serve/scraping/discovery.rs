//! Where targets are found, looked at again and again.

use std::sync::{Arc, Mutex, PoisonError};

use edge::ScrapeJob;
use model::Labels;
use scrape::Scraper;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Looks for targets until it is dropped.
pub(super) struct Discovery {
    // they end when this does
    _tasks: JoinSet<()>,
    found: Arc<Notify>,
}

/// What was found by each way of one job.
struct Found {
    job: String,
    scraper: Arc<Scraper>,
    /// `None`: it has not been looked there yet.
    by_way: Mutex<Vec<Option<Vec<Labels>>>>,
    notify: Arc<Notify>,
}

impl Found {
    /// Until it has been looked everywhere, targets that are known from before stay.
    fn set(&self, way: usize, targets: Vec<Labels>) {
        let all: Option<Vec<_>> = {
            // it is replaced whole
            let mut by_way = self.by_way.lock().unwrap_or_else(PoisonError::into_inner);
            by_way[way] = Some(targets);
            by_way.iter().cloned().collect()
        };
        let Some(all) = all else { return };
        self.scraper.discovered(&self.job, all.concat());
        self.notify.notify_one();
    }
}

impl Discovery {
    /// Looks for the targets of jobs, and tells the scraper.
    pub(super) fn start(jobs: &[ScrapeJob], scraper: &Arc<Scraper>) -> Self {
        let (mut tasks, notify) = (JoinSet::new(), Arc::new(Notify::new()));
        for job in jobs {
            let ways = job.ways();
            let by_way = Mutex::new(vec![None; ways.len()]);
            let (scraper, notify) = (Arc::clone(scraper), Arc::clone(&notify));
            let found = Arc::new(Found { job: job.config.name.clone(), scraper, by_way, notify });
            for (number, way) in ways.into_iter().enumerate() {
                tasks.spawn(keep_looking(way, Arc::clone(&found), number));
            }
        }
        Self { _tasks: tasks, found: notify }
    }

    /// Waits until other targets are found.
    pub(super) async fn found(&self) {
        self.found.notified().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "an edge: targets change in real time")]
async fn keep_looking(mut way: edge::Discovery, found: Arc<Found>, number: usize) {
    loop {
        if let Some(targets) = way.look().await {
            found.set(number, targets);
        }
        let Some(refresh) = way.refresh() else { return };
        tokio::time::sleep(refresh).await;
    }
}
