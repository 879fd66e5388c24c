//! What a target's pages held before: its series by their texts, and which of them were there last.

use std::collections::HashMap;
use std::sync::Arc;

use config::ScrapeConfig;
use model::Labels;

/// Texts that are no longer there are forgotten when there are as many more as this, and twice as many as there are.
const FORGOTTEN_MIN: usize = 1_000;

/// Of one target.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What becomes of a text; `None`: it is dropped.
    known: HashMap<u128, (Option<usize>, u64)>,
    series: Vec<Series>,
    places: HashMap<Labels, usize>,
    /// The scrape that is going on, or was last.
    round: u64,
    /// Under whose rules the texts are known.
    job: Option<Arc<ScrapeConfig>>,
    /// How many texts there were when a scrape was well last.
    good: usize,
}

#[derive(Debug)]
struct Series {
    labels: Labels,
    /// The scrape in which it was last, and would end if it were not there.
    tracked: u64,
    /// The one before that.
    tracked_before: u64,
    /// The scrape in which it was last.
    seen: u64,
}

impl Memory {
    /// What another process knew: series that were there at the last scrape, and whether they end when they are no longer there.
    pub(crate) fn of_last(series: impl Iterator<Item = (Labels, bool)>) -> Self {
        let mut memory = Self { round: 1, ..Self::default() };
        for (labels, ends) in series {
            memory.places.insert(labels.clone(), memory.series.len());
            memory.series.push(Series { labels, tracked: u64::from(ends), tracked_before: 0, seen: 1 });
        }
        memory
    }

    /// The series that were there at the last scrape, and whether they end when they are no longer there.
    pub(crate) fn last(&self) -> impl Iterator<Item = (&Labels, bool)> {
        let there = self.series.iter().filter(|series| self.round > 0 && series.seen == self.round);
        there.map(|series| (&series.labels, series.tracked == self.round))
    }

    /// A scrape begins, under the rules of a job: what becomes of a text under others does not count.
    pub(crate) fn begin(&mut self, job: &Arc<ScrapeConfig>) {
        self.round += 1;
        if self.job.as_ref().is_none_or(|known| !Arc::ptr_eq(known, job)) {
            self.known.clear();
            self.job = Some(Arc::clone(job));
        }
    }

    /// A scrape begins that has no page.
    pub(crate) fn begin_without(&mut self) {
        self.round += 1;
    }

    /// What is known of a text: `Some(None)` if it is dropped.
    pub(crate) fn find(&mut self, key: u128) -> Option<Option<usize>> {
        let (place, seen) = self.known.get_mut(&key)?;
        *seen = self.round;
        Some(*place)
    }

    /// From now on this is known. Gives its place, and whether its series is new.
    pub(crate) fn learn(&mut self, key: u128, labels: Option<Labels>) -> (Option<usize>, bool) {
        let (place, is_new) = match labels {
            None => (None, false),
            Some(labels) => match self.places.get(&labels) {
                Some(place) => (Some(*place), false),
                None => {
                    let place = self.series.len();
                    self.series.push(Series {
                        labels: labels.clone(),
                        tracked: 0,
                        tracked_before: 0,
                        seen: 0,
                    });
                    self.places.insert(labels, place);
                    (Some(place), true)
                }
            },
        };
        self.known.insert(key, (place, self.round));
        (place, is_new)
    }

    pub(crate) fn labels(&self, place: usize) -> Option<&Labels> {
        self.series.get(place).map(|series| &series.labels)
    }

    /// A series is there; whether it was in this scrape already. `ends`: whether it ends when it is no longer there.
    pub(crate) fn see(&mut self, place: usize, ends: bool) -> bool {
        let round = self.round;
        let Some(series) = self.series.get_mut(place) else { return false };
        let was_seen = series.seen == round;
        series.seen = round;
        if ends && series.tracked != round {
            series.tracked_before = std::mem::replace(&mut series.tracked, round);
        }
        was_seen
    }

    /// The series that were there in the scrape before this one and no longer are.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &Labels> {
        let before = self.round.saturating_sub(1);
        let series = self.series.iter().filter(move |series| before > 0 && series.tracked == before);
        series.map(|series| &series.labels)
    }

    /// This scrape has failed: nothing of it counts, so all that was there before is gone.
    pub(crate) fn undo(&mut self) -> Vec<Labels> {
        let round = self.round;
        for series in self.series.iter_mut().filter(|series| series.tracked == round) {
            series.tracked = series.tracked_before;
        }
        let gone = self.gone().cloned().collect();
        if self.known.len() > 2 * self.good + FORGOTTEN_MIN {
            // a page that is too large is another one each time; all series have ended
            self.known.clear();
            self.series.clear();
            self.places.clear();
        }
        gone
    }

    /// The scrape was well: what has not been there for some time is forgotten.
    pub(crate) fn finish(&mut self) {
        let round = self.round;
        let is_there = |(_, (_, seen)): &(&u128, &(Option<usize>, u64))| *seen == round;
        let there = self.known.iter().filter(is_there).count();
        self.good = there;
        if self.known.len() < 2 * there + FORGOTTEN_MIN {
            return;
        }
        self.known.retain(|_, (_, seen)| *seen == round);
        let mut moved = HashMap::new();
        let (old, mut series) = (std::mem::take(&mut self.series), Vec::new());
        let used: std::collections::HashSet<usize> =
            self.known.values().filter_map(|(place, _)| *place).collect();
        for (place, one) in old.into_iter().enumerate() {
            if used.contains(&place) {
                moved.insert(place, series.len());
                series.push(one);
            }
        }
        self.series = series;
        self.places =
            self.series.iter().enumerate().map(|(place, one)| (one.labels.clone(), place)).collect();
        for (place, _) in self.known.values_mut() {
            *place = place.and_then(|place| moved.get(&place).copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str) -> Labels {
        Labels::from_pairs([("__name__", name)])
    }

    fn job() -> Arc<ScrapeConfig> {
        let configs = config::ScrapeConfigs::read("c.yml", "scrape_configs: [{job_name: j}]").unwrap();
        Arc::new(configs.jobs[0].clone())
    }

    /// A scrape that has these series.
    fn scrape(memory: &mut Memory, job: &Arc<ScrapeConfig>, names: &[&str]) -> Vec<String> {
        memory.begin(job);
        for name in names {
            let key = u128::from(name.as_bytes()[0]);
            let place = memory.find(key).unwrap_or_else(|| memory.learn(key, Some(labels(name))).0);
            memory.see(place.unwrap(), true);
        }
        memory.gone().map(|labels| labels.metric_name().to_owned()).collect()
    }

    #[test]
    fn a_series_is_gone_once() {
        let (mut memory, job) = (Memory::default(), job());
        let none: [&str; 0] = [];
        assert_eq!(scrape(&mut memory, &job, &["a", "b"]), none);
        assert_eq!(scrape(&mut memory, &job, &["a"]), ["b"]);
        assert_eq!(scrape(&mut memory, &job, &["a"]), none);
        assert_eq!(scrape(&mut memory, &job, &["a", "b"]), none);
        // one that fails in the middle: what was there before is gone, and what had only come is not
        memory.begin(&job);
        for key in ["a", "c"] {
            let place = memory
                .find(u128::from(key.as_bytes()[0]))
                .unwrap_or_else(|| memory.learn(99, Some(labels(key))).0);
            memory.see(place.unwrap(), true);
        }
        assert_eq!(memory.undo(), [labels("a"), labels("b")]);
        memory.begin(&job);
        assert_eq!(memory.undo(), []);
        assert_eq!(scrape(&mut memory, &job, &["a"]), none);
    }

    #[test]
    fn what_is_no_longer_there_is_forgotten() {
        let (mut memory, job) = (Memory::default(), job());
        for round in 0..10_u128 {
            memory.begin(&job);
            for key in round * 1_000..round * 1_000 + 1_000 {
                let (place, is_new) = memory.learn(key, Some(labels(&format!("m{key}"))));
                assert!(is_new && !memory.see(place.unwrap(), true));
            }
            assert_eq!(memory.gone().count(), if round == 0 { 0 } else { 1_000 });
            memory.finish();
            assert!(memory.series.len() <= 3_000 && memory.known.len() <= 3_000, "{}", memory.series.len());
        }
        let place = memory.find(9_999).unwrap().unwrap();
        assert_eq!(memory.labels(place), Some(&labels("m9999")));
    }

    #[test]
    fn what_only_failed_scrapes_had_is_forgotten() {
        let (mut memory, job) = (Memory::default(), job());
        scrape(&mut memory, &job, &["a"]);
        memory.finish();
        for round in 1..10_u128 {
            memory.begin(&job);
            for key in round * 2_000..round * 2_000 + 2_000 {
                let place = memory.learn(key, Some(labels(&format!("m{key}")))).0;
                memory.see(place.unwrap(), true);
            }
            assert_eq!(memory.undo().len(), usize::from(round == 1));
            assert!(memory.series.len() <= 2_001 && memory.known.len() <= 2_001);
        }
    }
}
