//! Of which queries results are kept.

use super::Api;
use super::queries::Asked;
use crate::engine::{Planned, QueryError};
use crate::results::{self, Session};
use crate::source::SeriesSource;

impl Api {
    /// What is known of a query; `None` if nothing is kept of it, because there is no room for anything, or it cannot be told what its
    /// answer rests on, or who asks wants to know what all of its evaluation takes.
    ///
    /// # Errors
    /// If the source does not answer.
    pub(super) async fn session(
        &self,
        source: &dyn SeriesSource,
        text: &str,
        planned: &Planned,
        asked: Asked,
    ) -> Result<Option<Session>, QueryError> {
        let (Some((results, scope)), Some((grid, reach))) = (&self.results, planned.movable()) else {
            return Ok(None);
        };
        let settings = self.engine.settings();
        let as_scraped_ms = planned.as_scraped_ms().or(settings.as_scraped_ms).filter(|&ms| ms > 0);
        // whether a series keeps its name at one time depends on other times then
        let depends_on_others = settings.delayed_name_removal;
        let lookback_ms = planned.lookback_ms();
        let query = results::Asked { scope: *scope, text, grid, reach, lookback_ms };
        if asked.stats || depends_on_others || as_scraped_ms.is_some() || !query.is_worth_it() {
            return Ok(None);
        }
        let snapshot = source.snapshot().await?;
        Ok(snapshot.map(|snapshot| Session::open(results, &query, settings, snapshot)))
    }
}
