//! Pushed series as smoothing sees them: with the virtual samples of a scrape at every multiple of the hold interval.

use model::{Series, Steps};

use super::{Context, Counted, Result};
use crate::steps::Scrapes;

impl Context<'_> {
    /// A series with virtual samples from one time to another in the place of its steps. They count as long as what comes
    /// with them lives.
    pub(super) fn with_virtual_samples(
        &self,
        series: &Series,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<(Series, Counted<'_>)> {
        let scrapes = Scrapes { interval_ms: self.settings.hold_interval_ms, start_ms, end_ms };
        let held = self.budget.held(scrapes.weight(&series.steps))?;
        self.budget.check_time()?;
        let samples = scrapes.of(&series.steps, &series.samples);
        Ok((Series { labels: series.labels.clone(), samples, steps: Steps::default() }, held))
    }
}
