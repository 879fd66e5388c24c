//! Retry keys of pushes: those of segments stand in their heads, those that counted in runs beside the runs.

use std::collections::HashSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use model::{RETRY_WINDOW_US, RetryKey, Stamp};
use object_store::path::Path;

use super::fetch::Fetch;
use super::files::Streams;
use super::open::{Kept, Key};
use super::request::Request;
use super::{Answer, ReadError, Reader};
use crate::compact::keys::Counted;
use crate::compact::sealed_list;
use crate::layout::Minute;
use crate::segment::Segment;

impl Reader {
    /// The retry keys of the pushes from `start_ms` to `end_ms`, with their stamps; in order of stamps.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn retry_keys(
        &self,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Answer<Vec<(Stamp, RetryKey)>>, ReadError> {
        // heads alone tell: no row is asked for
        let request = Request {
            matching: Vec::new(),
            pushed_from_ms: start_ms,
            values: false,
            ..Request::all_pushed(end_ms)
        };
        self.answer(request, move |Streams { pushes, .. }| {
            let within = |at_us: i64| (start_ms..=end_ms).contains(&at_us.div_euclid(1_000));
            let mut keys = pushes.counted;
            keys.retain(|(stamp, _)| within(stamp.at_us));
            for segment in &pushes.segments {
                for push in segment.pushes.iter().filter(|push| within(push.stamp.at_us)) {
                    keys.extend(push.retry_key.map(|key| (push.stamp, key)));
                }
            }
            keys.sort_unstable();
            keys.dedup();
            keys
        })
        .await
    }

    /// Of the retry keys of what is in no run those that counted in runs.
    pub(super) async fn counted_before(
        &self,
        fetch: &Fetch,
        segments: &[Arc<Segment>],
        keyed_runs: &[(Minute, Path)],
    ) -> Result<Vec<(Stamp, RetryKey)>, ReadError> {
        let keyed = segments.iter().flat_map(|segment| &segment.pushes);
        let keyed: Vec<(u128, i64)> =
            keyed.filter_map(|push| Some((push.retry_key?.key, push.stamp.at_us))).collect();
        let Some(first_us) = keyed.iter().map(|(_, at_us)| *at_us).min() else { return Ok(Vec::new()) };
        let asked: HashSet<u128> = keyed.into_iter().map(|(key, _)| key).collect();
        let from_us = first_us.saturating_sub(RETRY_WINDOW_US);
        self.counted(fetch, keyed_runs, from_us, |key| asked.contains(&key)).await
    }

    /// The retry keys that counted in runs from a time on, as far as they are asked for.
    pub(super) async fn counted(
        &self,
        fetch: &Fetch,
        keyed_runs: &[(Minute, Path)],
        from_us: i64,
        is_asked: impl Fn(u128) -> bool,
    ) -> Result<Vec<(Stamp, RetryKey)>, ReadError> {
        let objects = keyed_runs.iter().filter(|(to, _)| to.start_us() > from_us);
        let objects: Vec<Path> = objects.map(|(_, object)| object.clone()).collect();
        let lists = objects.into_iter().map(|object| self.keys(fetch, object));
        let lists: Vec<Arc<Vec<Counted>>> =
            stream::iter(lists).buffered(self.settings.requests_max).try_collect().await?;
        let counted = lists.iter().flat_map(|list| list.iter()).filter(|(retry, _)| is_asked(retry.key));
        Ok(counted.map(|(retry, stamp)| (*stamp, *retry)).collect())
    }

    /// The retry keys that stand beside a run.
    async fn keys(&self, fetch: &Fetch, object: Path) -> Result<Arc<Vec<Counted>>, ReadError> {
        let key = Key::Opened(object.clone());
        if let Some(Kept::Counted(counted)) = self.memory.get(&key) {
            return Ok(counted);
        }
        let bytes = fetch.whole(&object).await?;
        let counted = sealed_list::decode(&bytes).ok_or(ReadError::Keys { object })?;
        let counted = Arc::new(counted);
        self.remember(fetch, key, Kept::Counted(Arc::clone(&counted)), bytes.len());
        Ok(counted)
    }
}
