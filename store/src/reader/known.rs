//! What files of samples have, kept in memory where they are asked for again and again: which series, in a table, and their rows, in
//! blocks. Whoever finds both reads nothing.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use model::Selection;

use super::fetch::Fetch;
use super::open::{Kept, Key, Opened, Parts};
use super::{ReadError, Reader};
use crate::compute::compute;
use crate::segment::{
    Block, Blocks, LabelValues, Listing, Matched, SeriesTable, Span, Texts, Wanted, is_little, table_bytes,
};

/// Which series an object has is kept if that is expected to take no more than this part of what may be kept, …
const SHARE_OF_TABLE: usize = 8;

/// … and if rows of it were asked for so often: it takes all labels of all of its rows to know it.
const ASKED_BEFORE_MIN: usize = 8;

/// Rows that are more than this part of what may be kept are read by pages, and not kept decoded.
const SHARE_OF_ROWS: usize = 4;

/// So many blocks are decoded one after the other.
const BLOCKS_TOGETHER: usize = 8;

/// To look at so many series takes less than to have another thread do it.
const AT_ONCE_SERIES_MAX: usize = 1_000;

/// About what a text takes beside its bytes.
const TEXT_BYTES: usize = 32;

/// What a request asks lists of series for. Requests for samples bring it along, so that a program that makes none is built without it.
pub(super) trait ByList: fmt::Debug + Send + Sync {
    /// The rows of a file of samples that are wanted; `None` where there is no list.
    fn rows<'a>(
        &self,
        reader: &'a Reader,
        fetch: &'a Fetch,
        parts: &'a Parts,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Option<Listed>, ReadError>>;

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
    ) -> BoxFuture<'a, Result<Option<Listed>, ReadError>> {
        Box::pin(async move {
            // what a head says is no row of a series
            if wanted.head {
                return Ok(None);
            }
            match reader.series_table(fetch, parts, ASKED_BEFORE_MIN).await? {
                Some(table) => reader.known_rows(fetch, parts, wanted, table).await,
                None => Ok(None),
            }
        })
    }

    fn matched(&self, reader: &Reader, parts: &Parts, wanted: &Wanted) -> Option<Matched> {
        let key = Key::Series(parts.found.object.clone());
        let Some(Kept::Series(table)) = reader.memory.get(&key) else { return None };
        Some(table.matched(&parts.sealed, &wanted.matching))
    }
}

/// Series of a file of samples, with the rows that it has of them.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) table: Arc<SeriesTable>,
    /// Of which series; in order. Those that may have a row of the time.
    pub(super) blocks: Vec<(Range<usize>, Arc<Block>)>,
    /// Those that match one of the selections that were asked for.
    places: Vec<u32>,
    /// Which one, if it was one, and of which series.
    asked: Option<(Selection, Span)>,
}

impl Listed {
    /// The series that match, in order.
    pub(super) fn matching(&self, selection: &Selection, span: &Span) -> Cow<'_, [u32]> {
        match &self.asked {
            Some((asked, within)) if asked.matchers == selection.matchers && within == span => {
                Cow::Borrowed(&self.places)
            }
            _ => Cow::Owned(self.table.matching(selection, span)),
        }
    }

    /// Whether its series are put together in no time.
    pub(super) fn is_little(&self) -> bool {
        let Some((selection, _)) = &self.asked else { return false };
        let time_ms = (selection.start_ms, selection.end_ms);
        let rows = |(series, block): &(Range<usize>, Arc<Block>)| {
            let rows = self.table.rows(series.start);
            block.times.within(rows.start - block.first_row..rows.end - block.first_row, time_ms).len()
        };
        is_little(self.places.len(), || self.blocks.iter().map(rows).max())
    }
}

/// The series that match one of the selections and may have a row of the time.
fn places(table: &SeriesTable, wanted: &Wanted) -> Vec<u32> {
    let of_one = |selection| table.matching(selection, &wanted.span);
    let mut places: Vec<u32> = match &wanted.matching[..] {
        [one] => of_one(one),
        several => several.iter().flat_map(of_one).collect(),
    };
    if wanted.matching.len() > 1 {
        places.sort_unstable();
        places.dedup();
    }
    places.retain(|place| table.may_have(*place as usize, wanted.times_us));
    places
}

/// Numbers in order as ranges of no more than [`BLOCKS_TOGETHER`].
fn together(numbers: &[usize]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some(last) if last.end == number && last.len() < BLOCKS_TOGETHER => last.end += 1,
            _ => ranges.push(number..number + 1),
        }
    }
    ranges
}

impl Reader {
    /// Which series a file of samples has, if that is kept. `at_once`: also the first time that it is asked for.
    pub(super) async fn listed(
        &self,
        fetch: &Fetch,
        parts: &Parts,
        at_once: bool,
    ) -> Result<Option<Arc<SeriesTable>>, ReadError> {
        self.series_table(fetch, parts, if at_once { 0 } else { ASKED_BEFORE_MIN }).await
    }

    /// The names of the labels in a file of samples, as far as footer and dictionaries tell them; `None` if only rows do.
    pub(super) async fn names_in(&self, fetch: &Fetch, opened: &Opened) -> Result<Option<Texts>, ReadError> {
        let parts = match opened {
            Opened::Whole(segment) => return Ok(Some(segment.label_names())),
            Opened::Parts(parts) => parts,
        };
        let key = Key::Names(parts.found.object.clone());
        if let Some(Kept::Texts(names)) = self.memory.get(&key) {
            return Ok(Some(names));
        }
        let names = parts.sealed.label_names();
        let mut sure = names.sure;
        for name in names.perhaps {
            match self.values_in(fetch, opened, &name).await? {
                Some(values) if values.is_empty() => {}
                Some(_) => sure.push(name),
                None => return Ok(None),
            }
        }
        Ok(Some(self.remember_texts(fetch, key, sure.into())))
    }

    /// The values of a label in a file of samples, as far as its dictionaries tell them; `None` if only rows do.
    pub(super) async fn values_in(
        &self,
        fetch: &Fetch,
        opened: &Opened,
        label: &Arc<str>,
    ) -> Result<Option<Texts>, ReadError> {
        let Parts { found, sealed, .. } = match opened {
            Opened::Whole(segment) => return Ok(Some(segment.label_values(label))),
            Opened::Parts(parts) => parts,
        };
        let key = Key::Values(found.object.clone(), Arc::clone(label));
        if let Some(Kept::Texts(values)) = self.memory.get(&key) {
            return Ok(Some(values));
        }
        let Some(values) = LabelValues::of(sealed, label) else { return Ok(None) };
        // who reads rows then is told what is wrong
        let Ok(values) = self.decoded(fetch, found, sealed, values).await? else { return Ok(None) };
        Ok(Some(self.remember_texts(fetch, key, values)))
    }

    fn remember_texts(&self, fetch: &Fetch, key: Key, texts: Texts) -> Texts {
        let bytes: usize = texts.iter().map(|text| TEXT_BYTES + text.len()).sum();
        let bytes = bytes + key.object().as_ref().len();
        self.remember(fetch, key, Kept::Texts(Arc::clone(&texts)), bytes);
        texts
    }

    /// Which series an open file of samples has, if that is kept: where it does not take much, and rows were asked for so often before.
    async fn series_table(
        &self,
        fetch: &Fetch,
        parts: &Parts,
        asked_before_min: usize,
    ) -> Result<Option<Arc<SeriesTable>>, ReadError> {
        let Parts { found, sealed, .. } = parts;
        if sealed.has_collision() {
            return Ok(None);
        }
        let key = Key::Series(found.object.clone());
        let kept = || match self.memory.get(&key) {
            Some(Kept::Series(table)) => Some(table),
            _ => None,
        };
        if let Some(table) = kept() {
            return Ok(Some(table));
        }
        let bytes_max = self.settings.cache_bytes_max / SHARE_OF_TABLE;
        let may_be_kept = |series| table_bytes(series, sealed.label_count()) <= bytes_max;
        if !sealed.series().is_some_and(may_be_kept) || sealed.asked_before() < asked_before_min {
            return Ok(None);
        }
        let _turn = self.turns.of(&key).await;
        if let Some(table) = kept() {
            return Ok(Some(table));
        }
        // who reads rows then is told what is wrong
        let Ok(listing) = Listing::of(sealed) else { return Ok(None) };
        let Ok(table) = self.decoded(fetch, found, sealed, listing).await? else { return Ok(None) };
        let table: Arc<SeriesTable> = table.into();
        let bytes = table.memory_bytes() + found.object.as_ref().len();
        self.remember(fetch, key.clone(), Kept::Series(Arc::clone(&table)), bytes);
        Ok(Some(table))
    }

    /// The rows of an open file that are wanted, where it is known which series it has; `None` where they are too many to be kept, or
    /// something is wrong with them, which who reads them otherwise is told.
    async fn known_rows(
        &self,
        fetch: &Fetch,
        parts: &Parts,
        wanted: &Wanted,
        table: Arc<SeriesTable>,
    ) -> Result<Option<Listed>, ReadError> {
        let candidates =
            wanted.matching.iter().map(|selection| table.candidate_count(selection, &wanted.span));
        let places = if candidates.sum::<usize>() <= AT_ONCE_SERIES_MAX {
            places(&table, wanted)
        } else {
            let (table, wanted) = (Arc::clone(&table), wanted.clone());
            compute(move || places(&table, &wanted)).await?
        };
        let mut numbers: Vec<usize> = Vec::new();
        let mut end = 0;
        for &place in &places {
            if place as usize >= end {
                let number = table.block_of(place as usize);
                numbers.push(number);
                end = table.block(number).end;
            }
        }
        let Some(blocks) = self.blocks(fetch, parts, &table, &numbers).await? else { return Ok(None) };
        let asked = match &wanted.matching[..] {
            [one] => Some((one.clone(), wanted.span.clone())),
            _ => None,
        };
        let blocks = numbers.into_iter().map(|number| table.block(number)).zip(blocks).collect();
        Ok(Some(Listed { table, blocks, places, asked }))
    }

    /// These blocks, in order; see there for `None`.
    async fn blocks(
        &self,
        fetch: &Fetch,
        parts: &Parts,
        table: &Arc<SeriesTable>,
        numbers: &[usize],
    ) -> Result<Option<Vec<Arc<Block>>>, ReadError> {
        let Parts { found, sealed, .. } = parts;
        let mut blocks: Vec<Option<Arc<Block>>> =
            numbers.iter().map(|number| self.kept_block(fetch, parts, *number)).collect();
        let is_missing = |(number, block): (&usize, &Option<Arc<Block>>)| block.is_none().then_some(*number);
        let missing: Vec<usize> = numbers.iter().zip(&blocks).filter_map(is_missing).collect();
        let rows_of = |number: &usize| {
            let series = table.block(*number);
            table.rows(series.end - 1).end - table.rows(series.start).start
        };
        let bytes: usize = missing.iter().map(|number| rows_of(number) * 16).sum();
        if bytes > self.settings.cache_bytes_max / SHARE_OF_ROWS {
            return Ok(None);
        }
        let read = together(&missing).into_iter().map(async |range| {
            let key = Key::Block(found.object.clone(), range.start);
            let _turn = self.turns.of(&key).await;
            let kept: Option<Vec<_>> =
                range.clone().map(|number| self.kept_block(fetch, parts, number)).collect();
            if let Some(kept) = kept {
                return Ok(Some(kept));
            }
            let Ok(decoding) = Blocks::of(sealed, Arc::clone(table), range.clone()) else { return Ok(None) };
            fetch.count_row_groups(&found.object, sealed.row_groups(), decoding.row_groups());
            let Ok(read) = self.decoded(fetch, found, sealed, decoding).await? else { return Ok(None) };
            for (number, block) in range.zip(&read) {
                fetch.count_rows(block.values.len());
                let bytes = block.memory_bytes() + found.object.as_ref().len();
                let key = Key::Block(found.object.clone(), number);
                self.remember(fetch, key, Kept::Block(Arc::clone(block)), bytes);
            }
            Ok::<_, ReadError>(Some(Vec::from(read)))
        });
        let read = stream::iter(read).buffered(self.settings.requests_max);
        let read: Vec<Option<Vec<Arc<Block>>>> = read.try_collect().await?;
        let Some(read) = read.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut read = read.into_iter().flatten();
        for block in blocks.iter_mut().filter(|block| block.is_none()) {
            *block = read.next();
        }
        Ok(blocks.into_iter().collect())
    }

    fn kept_block(&self, fetch: &Fetch, parts: &Parts, number: usize) -> Option<Arc<Block>> {
        let key = Key::Block(parts.found.object.clone(), number);
        let Some(Kept::Block(block)) = self.memory.get(&key) else { return None };
        fetch.count_cached(block.memory_bytes());
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn neighbours_are_decoded_together() {
        assert!(together(&[]).is_empty());
        assert_eq!(together(&[3, 4, 7]), [3..5, 7..8]);
        let many: Vec<usize> = (0..20).collect();
        assert_eq!(together(&many), [0..8, 8..16, 16..20]);
    }
}
