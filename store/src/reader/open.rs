//! Opens segments: small ones whole, and large ones by their footer, so that pages can be fetched that matter.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::path::Path;

use super::disk::Piece;
use super::fetch::Fetch;
use super::known::ByList;
use super::listing::Found;
use super::samples::Part;
use super::unreadable::LeftOut;
use super::{ReadError, Reader};
use crate::compact::keys::Counted;
use crate::compute::{compute, decoded};
use crate::segment::{
    self, Block, Decoding, Look, Mark, Matched, Matching, Page, Partial, Sealed, SealedFooter, Segment,
    SegmentError, SeriesTable, Step, Texts, Wanted, footer_start,
};
use crate::stats::count;

/// The end of a file that is fetched in the hope that footer and page index are in it: so much of it, within bounds.
const END_PART: u64 = 256;
const END_BYTES_MIN: u64 = 16 << 10;
const END_BYTES_MAX: u64 = 512 << 10;

/// What an object has of one metric name is kept whole if it takes no more than this part of what may be kept.
const SHARE_OF_NAME: usize = 16;

/// A segment of which rows can be read.
#[derive(Clone, Debug)]
pub(super) enum Opened {
    /// It is in memory.
    Whole(Arc<Segment>),
    /// Its pages can be fetched.
    Parts(Parts),
}

/// A file of which pages can be fetched.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) found: Found,
    pub(super) sealed: Arc<Sealed>,
    /// The rows that match, where it was looked through for them.
    matched: Option<Arc<Matched>>,
}

/// What the memory of a reader holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A whole segment, or what is known of one that is read in parts.
    Opened(Path),
    /// The page of an object that begins there.
    Page(Path, u64),
    /// All that an object has of a metric name.
    Name(Path, Arc<str>),
    /// Which series an object of samples has.
    Series(Path),
    /// Some rows of an object of samples, decoded.
    Block(Path, usize),
    /// The names of the labels in an object of samples.
    Names(Path),
    /// The values that a label has in an object of samples.
    Values(Path, Arc<str>),
}

impl Key {
    pub(super) fn object(&self) -> &Path {
        match self {
            Self::Opened(object) | Self::Series(object) | Self::Names(object) => object,
            Self::Page(object, _) | Self::Block(object, _) => object,
            Self::Name(object, _) | Self::Values(object, _) => object,
        }
    }
}

/// See [`Key`].
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Whole(Arc<Segment>),
    Sealed(Arc<Sealed>),
    Series(Arc<SeriesTable>),
    Block(Arc<Block>),
    Texts(Texts),
    Page(Bytes),
    /// Retry keys beside a run.
    Counted(Arc<Vec<Counted>>),
}

/// What can be had of a file, or what is wrong with it; and apart from that, whether the store answered.
pub(super) type Read<T> = Result<Result<T, SegmentError>, ReadError>;

impl Opened {
    pub(super) fn aggregates(&self) -> bool {
        match self {
            Self::Whole(segment) => segment.aggregates,
            Self::Parts(parts) => parts.sealed.aggregates(),
        }
    }

    /// Where rows stand that may be wanted, each with its [`weight`](segment::weight).
    pub(super) fn marks(&self, wanted: &Wanted) -> Vec<Mark> {
        match self {
            Self::Whole(segment) => segment.marks(&wanted.matching),
            Self::Parts(Parts { sealed, matched, .. }) => {
                let marks = sealed.marks(wanted, matched.as_deref()).into_iter();
                marks.map(|(place, rows)| (place, segment::weight(rows, sealed.series_in(rows)))).collect()
            }
        }
    }

    /// How many rows are to be decoded that are not in memory, at the most.
    pub(super) fn rows_to_decode(&self, wanted: &Wanted) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Parts(parts) => parts.sealed.rows(wanted),
        }
    }

    /// First and last time of the rows, if that is known.
    pub(super) fn times_us(&self) -> Option<(i64, i64)> {
        match self {
            Self::Whole(segment) => segment.times_us(),
            Self::Parts(parts) => parts.sealed.times_us(),
        }
    }

    pub(super) fn has_collision(&self) -> bool {
        match self {
            // what is whole has all of its labels
            Self::Whole(_) => false,
            Self::Parts(parts) => parts.sealed.has_collision(),
        }
    }
}

impl Reader {
    /// A segment, or what is wrong with it.
    pub(super) async fn open(
        &self,
        fetch: &Fetch,
        found: Found,
    ) -> Result<Result<Opened, LeftOut>, ReadError> {
        fetch.count_segment();
        let key = Key::Opened(found.object.clone());
        if let Some(opened) = self.opened(fetch, &key, &found) {
            return Ok(Ok(opened));
        }
        let _turn = self.turns.of(&key).await;
        if let Some(opened) = self.opened(fetch, &key, &found) {
            return Ok(Ok(opened));
        }
        if let Some(reason) = self.unreadable.reason(&found.object, &found.version) {
            return Ok(Err(LeftOut { object: found.object, reason }));
        }
        count(&self.stats.segments_fetched, 1);
        let mut read = self.try_open(fetch, &found).await?;
        if matches!(read, Err(SegmentError::Checksum { .. })) {
            // on the disk or on the way?
            count(&self.stats.segments_fetched, 1);
            read = self.try_open(fetch, &found).await?;
        }
        match read {
            Ok(opened) => {
                self.unreadable.was_read(&found.object);
                let (kept, bytes) = match &opened {
                    Opened::Whole(segment) => (Kept::Whole(Arc::clone(segment)), segment.memory_bytes()),
                    Opened::Parts(Parts { sealed, .. }) => {
                        (Kept::Sealed(Arc::clone(sealed)), sealed.memory_bytes())
                    }
                };
                let bytes = bytes + found.object.as_ref().len();
                self.remember(fetch, key, kept, bytes);
                Ok(Ok(opened))
            }
            Err(error) => Ok(Err(self.leave_out(&found, &error))),
        }
    }

    /// A segment that is in memory.
    fn opened(&self, fetch: &Fetch, key: &Key, found: &Found) -> Option<Opened> {
        let opened = match self.memory.get(key)? {
            Kept::Whole(segment) => Opened::Whole(segment),
            Kept::Sealed(sealed) => Opened::Parts(Parts { found: found.clone(), sealed, matched: None }),
            Kept::Series(_) | Kept::Block(_) | Kept::Texts(_) | Kept::Page(_) | Kept::Counted(_) => {
                return None;
            }
        };
        count(&self.stats.segments_cached, 1);
        fetch.count_known();
        Some(opened)
    }

    fn leave_out(&self, found: &Found, error: &SegmentError) -> LeftOut {
        let reason = self.unreadable.note(&found.object, &found.version, error);
        LeftOut { object: found.object.clone(), reason }
    }

    async fn try_open(&self, fetch: &Fetch, found: &Found) -> Read<Opened> {
        if found.version.size() > self.settings.whole_bytes_max {
            match self.open_sealed(fetch, found).await? {
                Ok(Some(sealed)) => {
                    return Ok(Ok(Opened::Parts(Parts { found: found.clone(), sealed, matched: None })));
                }
                Ok(None) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        let piece = Piece::Whole(found.object.clone());
        let copy = self.copy(fetch, &piece).await;
        let is_copy = copy.is_some();
        let bytes = match copy {
            Some(copy) => copy,
            None => fetch.whole(&found.object).await?,
        };
        let (checksum, decoded) = (found.checksum, bytes.clone());
        let decoded = decode(move || segment::decode(decoded, checksum)).await?;
        if decoded.is_ok() && !is_copy {
            self.keep(fetch, vec![(piece, bytes)]);
        }
        if let Ok(segment) = &decoded {
            fetch.count_rows(segment.row_count());
        }
        Ok(decoded.map(|segment| Opened::Whole(Arc::new(segment))))
    }

    /// `None`: all of it must be read.
    async fn open_sealed(&self, fetch: &Fetch, found: &Found) -> Read<Option<Arc<Sealed>>> {
        let (object, size) = (&found.object, found.version.size());
        let piece = Piece::End(object.clone());
        let copy = self.copy(fetch, &piece).await;
        let is_copy = copy.is_some();
        let mut end = match copy {
            Some(bytes) => End { start: size.saturating_sub(bytes.len() as u64), bytes },
            None => {
                let end_bytes = (size / END_PART).clamp(END_BYTES_MIN, END_BYTES_MAX).min(size);
                let start = size - end_bytes;
                End { start, bytes: fetch.range(object, start..size).await? }
            }
        };
        let Some(footer_start) = footer_start(size, &end.bytes) else { return Ok(Ok(None)) };
        end.reach(fetch, object, footer_start).await?;
        let footer = match SealedFooter::open(size, &end.from(footer_start)) {
            Ok(Some(footer)) => footer,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        };
        let index = footer.index_range();
        end.reach(fetch, object, index.start).await?;
        let bytes = end.from(index.start);
        let length = usize::try_from(index.end - index.start).unwrap_or(usize::MAX).min(bytes.len());
        let of_index = bytes.slice(..length);
        let sealed = decode(move || footer.with_index(&of_index)).await?;
        if sealed.is_ok() && !is_copy {
            self.keep(fetch, vec![(piece, bytes)]);
        }
        Ok(sealed.map(|sealed| Some(Arc::new(sealed))))
    }

    /// The rows of an open segment that are wanted; of one that is in memory all rows. `by_list`: see there.
    pub(super) async fn rows(
        &self,
        fetch: &Fetch,
        opened: Opened,
        wanted: &Wanted,
        by_list: Option<&'static dyn ByList>,
    ) -> Result<Result<Part, LeftOut>, ReadError> {
        let parts = match opened {
            Opened::Whole(segment) => return Ok(Ok(Part::Rows(segment))),
            Opened::Parts(parts) => parts,
        };
        let Parts { found, sealed, matched } = &parts;
        if let Some(name) = &wanted.whole_name
            && let Some(whole) = self.whole_name(fetch, found, sealed, wanted, name).await?
        {
            return Ok(whole.map(Part::Rows).map_err(|error| self.leave_out(found, &error)));
        }
        if let Some(by_list) = by_list
            && let Some(listed) = by_list.rows(self, fetch, &parts, wanted).await?
        {
            return Ok(Ok(Part::Listed(Arc::new(listed))));
        }
        let read = self.try_rows(fetch, found, sealed, wanted, matched.as_deref()).await?;
        Ok(read.map(|segment| Part::Rows(Arc::new(segment))).map_err(|error| self.leave_out(found, &error)))
    }

    /// All that an open segment has of a metric name, which is kept; `None` if that is much.
    async fn whole_name(
        &self,
        fetch: &Fetch,
        found: &Found,
        sealed: &Arc<Sealed>,
        wanted: &Wanted,
        name: &Arc<str>,
    ) -> Result<Option<Result<Arc<Segment>, SegmentError>>, ReadError> {
        let key = Key::Name(found.object.clone(), Arc::clone(name));
        if let Some(segment) = self.kept_name(&key) {
            return Ok(Some(Ok(segment)));
        }
        let wanted = Wanted { head: wanted.head, ..Wanted::all_of(name) };
        let bytes = sealed.rows(&wanted) * segment::ROW_BYTES;
        if bytes > self.settings.cache_bytes_max / SHARE_OF_NAME {
            return Ok(None);
        }
        let _turn = self.turns.of(&key).await;
        if let Some(segment) = self.kept_name(&key) {
            return Ok(Some(Ok(segment)));
        }
        count(&self.stats.names_decoded, 1);
        let mut segment = match self.try_rows(fetch, found, sealed, &wanted, None).await? {
            Ok(segment) => segment,
            Err(error) => return Ok(Some(Err(error))),
        };
        let mut bytes = segment.memory_bytes() + found.object.as_ref().len() + name.len();
        // the same series stand in many files
        if let Some(before) = self.names.get(name) {
            bytes -= segment.share_labels(&before);
        }
        let segment = Arc::new(segment);
        self.names.set(name, &segment);
        self.remember(fetch, key, Kept::Whole(Arc::clone(&segment)), bytes);
        Ok(Some(Ok(segment)))
    }

    fn kept_name(&self, key: &Key) -> Option<Arc<Segment>> {
        let Some(Kept::Whole(segment)) = self.memory.get(key) else { return None };
        count(&self.stats.names_cached, 1);
        Some(segment)
    }

    async fn try_rows(
        &self,
        fetch: &Fetch,
        found: &Found,
        sealed: &Arc<Sealed>,
        wanted: &Wanted,
        matched: Option<&Matched>,
    ) -> Read<Segment> {
        let partial = match Partial::new(Arc::clone(sealed), wanted, matched) {
            Ok(partial) => partial,
            Err(error) => return Ok(Err(error)),
        };
        fetch.count_row_groups(&found.object, sealed.row_groups(), partial.row_groups());
        let segment = self.decoded(fetch, found, sealed, partial).await?;
        if let Ok(segment) = &segment {
            fetch.count_rows(segment.row_count());
        }
        Ok(segment.map(|segment| *segment))
    }

    /// Looks through an open file for rows that match, where that tells more than statistics do, so that it is looked through once
    /// and not for each span.
    pub(super) async fn looked_through(
        &self,
        fetch: &Fetch,
        opened: &Opened,
        wanted: &Wanted,
        by_list: Option<&'static dyn ByList>,
    ) -> Result<Result<Opened, LeftOut>, ReadError> {
        let Opened::Parts(parts) = opened else { return Ok(Ok(opened.clone())) };
        let Parts { found, sealed, .. } = parts;
        let listed = by_list.and_then(|by_list| by_list.matched(self, parts, wanted));
        let look = listed.map_or_else(|| Matching::look(sealed, wanted), |matched| Ok(Look::Done(matched)));
        let matched = match look {
            Ok(Look::Needless) => Ok(None),
            Ok(Look::Done(matched)) => Ok(Some(matched)),
            Ok(Look::Through(matching)) => self.decoded(fetch, found, sealed, *matching).await?.map(Some),
            Err(error) => Err(error),
        };
        Ok(match matched {
            Ok(matched) => Ok(Opened::Parts(Parts { matched: matched.map(Arc::new), ..parts.clone() })),
            Err(error) => Err(self.leave_out(found, &error)),
        })
    }

    /// Gives what is decoded the pages that it asks for, until it is done.
    pub(super) async fn decoded<D: Decoding>(
        &self,
        fetch: &Fetch,
        found: &Found,
        sealed: &Sealed,
        mut decoding: D,
    ) -> Read<D::Done> {
        let mut at_once = BTreeMap::new();
        let may_need = decoding.may_need();
        if may_need.iter().map(|range| range.end - range.start).sum::<u64>() <= D::AT_ONCE_BYTES_MAX {
            match self.pages(fetch, &found.object, sealed, may_need, (&at_once, D::KEEPS_PAGES)).await? {
                Ok(pages) => at_once = pages,
                Err(error) => return Ok(Err(error)),
            }
        }
        loop {
            let stepped = decode(move || decoding.step().map(|step| (decoding, step))).await?;
            let (mut waiting, needs) = match stepped {
                Ok((_, Step::Done(done))) => return Ok(Ok(done)),
                Ok((decoding, Step::Needs(needs))) => (decoding, needs),
                Err(error) => return Ok(Err(error)),
            };
            let there = (&at_once, D::KEEPS_PAGES);
            let given = match self.pages(fetch, &found.object, sealed, &needs, there).await? {
                Ok(pages) => waiting.give(parts(&pages, &needs)),
                Err(error) => Err(error),
            };
            match given {
                Ok(()) => decoding = waiting,
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// The pages that ranges consist of, by where they begin. Some are `there` already; whether others are kept in memory.
    async fn pages(
        &self,
        fetch: &Fetch,
        object: &Path,
        sealed: &Sealed,
        ranges: &[Range<u64>],
        (there, keeps): (&BTreeMap<u64, Bytes>, bool),
    ) -> Read<BTreeMap<u64, Bytes>> {
        let mut pages: BTreeMap<u64, Bytes> = BTreeMap::new();
        let mut missing = BTreeMap::new();
        for range in ranges {
            let of_range = match sealed.pages(range) {
                Ok(pages) => pages,
                Err(error) => return Ok(Err(error)),
            };
            for page in of_range {
                let start = page.range.start;
                if pages.contains_key(&start) || missing.contains_key(&start) {
                    continue;
                }
                if let Some(bytes) = there.get(&start) {
                    pages.insert(start, bytes.clone());
                } else if let Some(Kept::Page(bytes)) = self.memory.get(&Key::Page(object.clone(), start)) {
                    fetch.count_cached(bytes.len());
                    pages.insert(start, bytes);
                } else {
                    missing.insert(start, page);
                }
            }
        }
        // once more, if what comes is not what was written: on the disk or on the way?
        self.take_copies(fetch, object, &mut missing, &mut pages).await;
        let mut fetched = Vec::new();
        for attempt in 0..2 {
            let wanted: Vec<Range<u64>> = missing.values().map(|page| page.range.clone()).collect();
            let answers = fetch.ranges(object, &wanted).await?;
            let came: Vec<u64> = missing.keys().copied().collect();
            for (start, bytes) in came.into_iter().zip(answers) {
                let Some(page) = missing.get(&start) else { continue };
                if page.is(&bytes) {
                    // by itself, so that it does not keep its neighbours in memory
                    let bytes = Bytes::copy_from_slice(&bytes);
                    if keeps {
                        self.remember_page(fetch, object, start, &bytes);
                    }
                    fetched.push((Piece::Page(object.clone(), start), bytes.clone()));
                    pages.insert(start, bytes);
                    missing.remove(&start);
                } else if attempt > 0 {
                    return Ok(Err(SegmentError::Page { offset: start }));
                }
            }
            if missing.is_empty() {
                break;
            }
        }
        self.keep(fetch, fetched);
        Ok(Ok(pages))
    }
}

impl Reader {
    /// Moves the pages of which there are copies on disk from those that are missing to those that are there.
    async fn take_copies(
        &self,
        fetch: &Fetch,
        object: &Path,
        missing: &mut BTreeMap<u64, &Page>,
        pages: &mut BTreeMap<u64, Bytes>,
    ) {
        let Some(disk) = &self.settings.disk else { return };
        let starts: Vec<u64> = missing.keys().copied().collect();
        let copies = disk.get(starts.iter().map(|start| Piece::Page(object.clone(), *start)).collect()).await;
        for (start, copy) in starts.into_iter().zip(copies) {
            let (Some(page), Some(copy)) = (missing.get(&start), copy) else { continue };
            if page.is(&copy) {
                fetch.count_cached(copy.len());
                self.remember_page(fetch, object, start, &copy);
                pages.insert(start, copy);
                missing.remove(&start);
            }
        }
    }

    /// A copy on disk.
    async fn copy(&self, fetch: &Fetch, piece: &Piece) -> Option<Bytes> {
        let copy = self.settings.disk.as_ref()?.get(vec![piece.clone()]).await.pop().flatten()?;
        fetch.count_cached(copy.len());
        Some(copy)
    }

    fn remember_page(&self, fetch: &Fetch, object: &Path, start: u64, bytes: &Bytes) {
        let memory = bytes.len() + object.as_ref().len();
        self.remember(fetch, Key::Page(object.clone(), start), Kept::Page(bytes.clone()), memory);
    }
}

/// Decodes bytes.
async fn decode<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SegmentError> + Send + 'static,
) -> Read<T> {
    Ok(decoded(compute(work).await)?)
}

/// Ranges and their bytes.
fn parts(pages: &BTreeMap<u64, Bytes>, ranges: &[Range<u64>]) -> Vec<(Range<u64>, Bytes)> {
    ranges.iter().map(|range| (range.clone(), joined(pages, range))).collect()
}

/// The pages of a range, as one.
fn joined(pages: &BTreeMap<u64, Bytes>, range: &Range<u64>) -> Bytes {
    let mut parts = pages.range(range.clone()).map(|(_, bytes)| bytes);
    match (parts.next(), parts.next()) {
        (Some(only), None) => only.clone(),
        (first, second) => {
            let mut all = BytesMut::with_capacity(usize::try_from(range.end - range.start).unwrap_or(0));
            first.into_iter().chain(second).chain(parts).for_each(|part| all.extend_from_slice(part));
            all.freeze()
        }
    }
}

/// The last bytes of an object.
struct End {
    start: u64,
    bytes: Bytes,
}

impl End {
    /// Fetches what is missing from there on.
    async fn reach(&mut self, fetch: &Fetch, object: &Path, start: u64) -> Result<(), ReadError> {
        if start < self.start {
            let before = fetch.range(object, start..self.start).await?;
            self.bytes = [before, self.bytes.clone()].concat().into();
            self.start = start;
        }
        Ok(())
    }

    fn from(&self, start: u64) -> Bytes {
        let skip = usize::try_from(start - self.start).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.slice(skip..)
    }
}
