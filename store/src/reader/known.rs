//! Which series files of samples have, kept in memory where they are asked for again and again: times and values are decoded then, and
//! no labels.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::fetch::Fetch;
use super::listing::Found;
use super::open::{Kept, Key, Parts, Read};
use super::{ReadError, Reader};
use crate::compute::{compute, decoded};
use crate::segment::{
    KnownRows, LabelValues, Listing, Matched, Sealed, Segment, SegmentError, SeriesList, Wanted,
};

/// Which series an object has is kept if that takes no more than this part of what may be kept, about so many bytes for each, …
const SHARE_OF_LIST: usize = 16;
const LISTED_BYTES: usize = 512;

/// … and if rows of it were asked for so often: it takes all labels of all of its rows to know it.
const ASKED_BEFORE_MIN: usize = 8;

/// About what a text takes beside its bytes.
const VALUE_BYTES: usize = 32;

/// What a request asks lists of series for. Requests for samples bring it along, so that a program that makes none is built without it.
pub(super) trait ByList: fmt::Debug + Send + Sync {
    /// The rows of a file of samples that are wanted; `None` where there is no list.
    fn rows<'a>(
        &self,
        reader: &'a Reader,
        fetch: &'a Fetch,
        parts: &'a Parts,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Option<Result<Segment, SegmentError>>, ReadError>>;

    /// The rows of a file of samples that match; `None` where there is no list.
    fn matched(&self, reader: &Reader, parts: &Parts, wanted: &Wanted) -> Option<Matched>;
}

/// Lists that are kept.
#[derive(Debug)]
pub(super) struct Lists;

impl ByList for Lists {
    fn rows<'a>(
        &self,
        reader: &'a Reader,
        fetch: &'a Fetch,
        parts: &'a Parts,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Option<Result<Segment, SegmentError>>, ReadError>> {
        Box::pin(async move {
            let Parts { found, sealed, .. } = parts;
            // what a head says is no row of a series
            if wanted.head {
                return Ok(None);
            }
            match reader.series_list(fetch, found, sealed, ASKED_BEFORE_MIN).await? {
                Some(list) => Ok(Some(reader.known_rows(fetch, found, sealed, wanted, list).await?)),
                None => Ok(None),
            }
        })
    }

    fn matched(&self, reader: &Reader, parts: &Parts, wanted: &Wanted) -> Option<Matched> {
        let key = Key::Series(parts.found.object.clone());
        let Some(Kept::Series(list)) = reader.memory.get(&key) else { return None };
        Some(list.matched(&parts.sealed, &wanted.matching))
    }
}

impl Reader {
    /// Which series a file of samples has, if that is kept. `at_once`: also the first time that it is asked for.
    pub(super) async fn listed(
        &self,
        fetch: &Fetch,
        parts: &Parts,
        at_once: bool,
    ) -> Result<Option<Arc<SeriesList>>, ReadError> {
        let Parts { found, sealed, .. } = parts;
        let asked_before_min = if at_once { 0 } else { ASKED_BEFORE_MIN };
        self.series_list(fetch, found, sealed, asked_before_min).await
    }

    /// The values of a label in a file of samples, as far as its dictionaries tell them; `None` if only rows do.
    pub(super) async fn values_in(
        &self,
        fetch: &Fetch,
        parts: &Parts,
        label: &Arc<str>,
    ) -> Result<Option<Arc<[Arc<str>]>>, ReadError> {
        let Parts { found, sealed, .. } = parts;
        let key = Key::Values(found.object.clone(), Arc::clone(label));
        if let Some(Kept::Values(values)) = self.memory.get(&key) {
            return Ok(Some(values));
        }
        let Some(values) = LabelValues::of(sealed, label) else { return Ok(None) };
        // who reads rows then is told what is wrong
        let Ok(values) = self.decoded(fetch, found, sealed, values).await? else { return Ok(None) };
        let texts: usize = values.iter().map(|value| VALUE_BYTES + value.len()).sum();
        let bytes = texts + found.object.as_ref().len() + label.len();
        self.remember(fetch, key, Kept::Values(Arc::clone(&values)), bytes);
        Ok(Some(values))
    }

    /// Which series an open file of samples has, if that is kept: where it does not take much, and rows were asked for so often before.
    async fn series_list(
        &self,
        fetch: &Fetch,
        found: &Found,
        sealed: &Sealed,
        asked_before_min: usize,
    ) -> Result<Option<Arc<SeriesList>>, ReadError> {
        if sealed.has_collision() {
            return Ok(None);
        }
        let key = Key::Series(found.object.clone());
        let kept = || match self.memory.get(&key) {
            Some(Kept::Series(list)) => Some(list),
            _ => None,
        };
        if let Some(list) = kept() {
            return Ok(Some(list));
        }
        let may_be_kept = |series| series * LISTED_BYTES <= self.settings.cache_bytes_max / SHARE_OF_LIST;
        if !sealed.series().is_some_and(may_be_kept) || sealed.asked_before() < asked_before_min {
            return Ok(None);
        }
        let _turn = self.turns.of(&key).await;
        if let Some(list) = kept() {
            return Ok(Some(list));
        }
        // who reads rows then is told what is wrong
        let Ok(listing) = Listing::of(sealed) else { return Ok(None) };
        let Ok(list) = self.decoded(fetch, found, sealed, listing).await? else { return Ok(None) };
        let list: Arc<SeriesList> = list.into();
        let bytes = list.memory_bytes() + found.object.as_ref().len();
        self.remember(fetch, key.clone(), Kept::Series(Arc::clone(&list)), bytes);
        Ok(Some(list))
    }

    /// The rows of an open file that are wanted, where it is known which series it has.
    async fn known_rows(
        &self,
        fetch: &Fetch,
        found: &Found,
        sealed: &Arc<Sealed>,
        wanted: &Wanted,
        list: Arc<SeriesList>,
    ) -> Read<Segment> {
        let (of, wanted) = (Arc::clone(sealed), wanted.clone());
        let known = compute(move || {
            let Wanted { matching, span, times_us, values, .. } = &wanted;
            KnownRows::of(&of, list.wanted(matching, span, *times_us), *values)
        });
        let known = match decoded(known.await)? {
            Ok(known) => known,
            Err(error) => return Ok(Err(error)),
        };
        fetch.count_row_groups(&found.object, sealed.row_groups(), known.row_groups());
        let segment = self.decoded(fetch, found, sealed, known).await?;
        if let Ok(segment) = &segment {
            fetch.count_rows(segment.row_count());
        }
        Ok(segment.map(|segment| *segment))
    }
}
