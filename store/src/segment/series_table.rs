//! Which series a file of samples has, and where their rows stand: in memory, column by column, so that a series takes a few bytes for
//! each label and none for texts that others have too. Whoever has that reads times and values alone.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashSet;
use model::{Label, Labels, MatchOp, Matcher, NeededLabels, Selection};

use super::matched::Matched;
use super::seal::Sealed;
use super::span::Place;
use super::{Span, label_column::LabelColumn};

/// Of every so many rows of a series the time is known, and of the last.
pub(super) const KNOWN_TIME_ROWS: usize = 64;

/// A block of rows that is kept decoded ends with the series that reaches so many, …
const BLOCK_ROWS: usize = 1 << 15;
/// … or with a metric name, if it has so many.
const BLOCK_ROWS_OF_NAME: usize = 1 << 12;

/// See the module. Series are known by their places, in the order of the file: by metric name, then by fingerprint.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    pub(super) parts: Parts,
    /// The first series of each block.
    blocks: Vec<u32>,
    /// First and last time of any row.
    times_us: (i64, i64),
    /// The label sets that were asked for of all series.
    kept: Mutex<Vec<(NeededLabels, Arc<[Labels]>)>>,
}

/// What a table consists of.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// With the place of the first series of each.
    pub(super) names: Vec<(Arc<str>, u32)>,
    pub(super) fingerprints: Vec<i64>,
    /// The first row of each series, without the head's, and where the last one ends.
    pub(super) starts: Vec<u32>,
    /// By label.
    pub(super) columns: Vec<LabelColumn>,
    /// Where the known times of each series begin, and where those of the last end.
    pub(super) known_starts: Vec<u32>,
    pub(super) known_us: Vec<i64>,
}

/// So many answers are kept about all series of a file.
const KEPT_MAX: usize = 4;

/// Fewer series are looked through without an index.
const INDEXED_SERIES_MIN: usize = 256;

/// A series is known by a few numbers, …
const SERIES_BYTES: usize = 8 + 4 + 4 + 2 * 8;
/// … and two for each label: the place of its value, and its own among those that have it.
const LABEL_BYTES: usize = 8;

/// About what the table of a file of so many series and labels takes in memory.
pub(crate) fn expected_bytes(series: usize, labels: usize) -> usize {
    // each has a label value of its own
    const TEXT_BYTES: usize = 64;
    series.saturating_mul(SERIES_BYTES + LABEL_BYTES * labels + TEXT_BYTES)
}

/// Labels that are asked for, in order of their names.
#[derive(Clone, Debug)]
pub(crate) struct Columns(Vec<Column>);

#[derive(Clone, Copy, Debug)]
enum Column {
    Name,
    Label(usize),
}

impl SeriesTable {
    pub(super) fn of(parts: Parts) -> Self {
        let known = parts.known_us.iter();
        let times_us = known.clone().min().copied().zip(known.max().copied());
        let times_us = times_us.unwrap_or((i64::MAX, i64::MIN));
        let mut blocks = Vec::new();
        let (mut block_start, mut names) = (0, parts.names.iter().skip(1).peekable());
        for place in 0..parts.fingerprints.len() {
            let (start, place) = (parts.starts[place], u32::try_from(place).unwrap_or(u32::MAX));
            let is_new_name = names.next_if(|(_, first)| *first == place).is_some();
            let rows = (start - block_start) as usize;
            if place == 0 || rows >= BLOCK_ROWS || (is_new_name && rows >= BLOCK_ROWS_OF_NAME) {
                blocks.push(place);
                block_start = start;
            }
        }
        Self { parts, blocks, times_us, kept: Mutex::default() }
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.fingerprints.len()
    }

    /// About how much memory it takes, with what is made of it when it is asked.
    pub(crate) fn memory_bytes(&self) -> usize {
        let Parts { names, columns, known_us, .. } = &self.parts;
        let columns: usize = columns.iter().map(LabelColumn::memory_bytes).sum();
        self.len() * (SERIES_BYTES - 2 * 8) + known_us.len() * 8 + columns + names.len() * 64
    }

    /// The metric name of a series.
    pub(crate) fn name(&self, place: usize) -> &Arc<str> {
        let names = &self.parts.names;
        let behind = names.partition_point(|(_, first)| *first as usize <= place);
        &names[behind.saturating_sub(1)].0
    }

    pub(crate) fn fingerprint(&self, place: usize) -> i64 {
        self.parts.fingerprints[place]
    }

    /// The rows of a series, of those of the file without its head.
    pub(crate) fn rows(&self, place: usize) -> Range<usize> {
        self.parts.starts[place] as usize..self.parts.starts[place + 1] as usize
    }

    /// The known times of a series.
    fn times(&self, place: usize) -> &[i64] {
        let starts = &self.parts.known_starts;
        &self.parts.known_us[starts[place] as usize..starts[place + 1] as usize]
    }

    /// The block that has the rows of a series.
    pub(crate) fn block_of(&self, place: usize) -> usize {
        self.blocks.partition_point(|first| *first as usize <= place).saturating_sub(1)
    }

    /// The series of a block.
    pub(crate) fn block(&self, block: usize) -> Range<usize> {
        let end = self.blocks.get(block + 1).map_or(self.len(), |next| *next as usize);
        self.blocks[block] as usize..end
    }

    /// Where the series of a metric name, or all, stand that are in a span.
    pub(crate) fn range(&self, name: Option<&str>, span: &Span) -> Range<usize> {
        let names = &self.parts.names;
        let all = match name {
            None => 0..self.len(),
            Some(name) => match names.binary_search_by(|(known, _)| (**known).cmp(name)) {
                Ok(index) => self.of_name(index),
                Err(_) => return 0..0,
            },
        };
        let start = span.from.as_ref().map_or(all.start, |from| self.first_from(from).max(all.start));
        let end = span.to.as_ref().map_or(all.end, |to| self.first_from(to).min(all.end));
        start..end.max(start)
    }

    fn of_name(&self, index: usize) -> Range<usize> {
        let end = self.parts.names.get(index + 1).map_or(self.len(), |(_, next)| *next as usize);
        self.parts.names[index].1 as usize..end
    }

    /// The first series at or behind a place.
    fn first_from(&self, Place { name, fingerprint }: &Place) -> usize {
        match self.parts.names.binary_search_by(|(known, _)| known.cmp(name)) {
            Ok(index) => {
                let range = self.of_name(index);
                let of_name = &self.parts.fingerprints[range.clone()];
                range.start + of_name.partition_point(|of_series| of_series < fingerprint)
            }
            Err(index) => self.parts.names.get(index).map_or(self.len(), |(_, first)| *first as usize),
        }
    }

    /// About how many series have to be looked at to know which ones of a span match.
    pub(crate) fn candidate_count(&self, selection: &Selection, span: &Span) -> usize {
        let range = self.range(selection.metric_name(), span);
        self.fewest(selection, &range).map_or(range.len(), <[u32]>::len)
    }

    /// The series of a span that match, in order.
    pub(crate) fn matching(&self, selection: &Selection, span: &Span) -> Vec<u32> {
        let pinned = selection.metric_name();
        let range = self.range(pinned, span);
        let mut tests = Vec::new();
        for matcher in &selection.matchers {
            if *matcher.name == *Labels::NAME {
                let is_pinned = matcher.op == MatchOp::Equal && pinned == Some(&*matcher.value);
                tests.extend((!is_pinned).then(|| self.test_of_names(matcher)));
                continue;
            }
            match self.column(&matcher.name) {
                Some(column) => tests.push(Test::Codes(column, column.matching(matcher, range.len()))),
                None if matcher.matches("") => {}
                None => return Vec::new(),
            }
        }
        let passes = |place: &u32| tests.iter().all(|test| test.passes(*place as usize));
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        match self.fewest(selection, &range) {
            Some(places) => places.iter().copied().filter(passes).collect(),
            None => (number(range.start)..number(range.end)).filter(passes).collect(),
        }
    }

    /// The places in a range that have the value of the rarest label whose value a selection says, if some have an index.
    fn fewest(&self, selection: &Selection, range: &Range<usize>) -> Option<&[u32]> {
        if range.len() < INDEXED_SERIES_MIN {
            return None;
        }
        let exact = selection.matchers.iter().filter(|matcher| {
            matcher.op == MatchOp::Equal && !matcher.value.is_empty() && *matcher.name != *Labels::NAME
        });
        let places = exact.map(|matcher| match self.column(&matcher.name) {
            Some(column) => column.places(&matcher.value, range),
            None => &[],
        });
        places.min_by_key(|places| places.len())
    }

    fn test_of_names(&self, matcher: &Matcher) -> Test<'_> {
        let names = self.parts.names.iter();
        Test::Names(names.map(|(name, first)| (*first, matcher.matches(name))).collect())
    }

    fn column(&self, label: &str) -> Option<&LabelColumn> {
        let columns = &self.parts.columns;
        let index = columns.binary_search_by(|column| (*column.label).cmp(label)).ok()?;
        Some(&columns[index])
    }

    /// The labels that are needed, for [`SeriesTable::labels`] and the like.
    pub(crate) fn columns(&self, needed: &NeededLabels) -> Columns {
        let mut columns = Vec::with_capacity(self.parts.columns.len() + 1);
        let mut is_name_due = needed.includes(Labels::NAME);
        for (index, column) in self.parts.columns.iter().enumerate() {
            if is_name_due && *column.label > *Labels::NAME {
                columns.push(Column::Name);
                is_name_due = false;
            }
            if needed.includes(&column.label) {
                columns.push(Column::Label(index));
            }
        }
        columns.extend(is_name_due.then_some(Column::Name));
        Columns(columns)
    }

    /// Some labels of a series.
    pub(crate) fn labels(&self, place: usize, columns: &Columns, name_label: &Arc<str>) -> Labels {
        let labels = columns.0.iter().filter_map(|column| match column {
            Column::Name => {
                let value = self.name(place);
                (!value.is_empty()).then(|| Label { name: Arc::clone(name_label), value: Arc::clone(value) })
            }
            Column::Label(index) => {
                let column = &self.parts.columns[*index];
                Some(Label { name: Arc::clone(&column.label), value: column.shared(place)? })
            }
        });
        Labels::from_sorted(labels.collect())
    }

    /// The same as texts.
    pub(crate) fn texts<'a>(
        &'a self,
        place: usize,
        columns: &'a Columns,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        columns.0.iter().filter_map(move |column| match column {
            Column::Name => Some((Labels::NAME, &**self.name(place))).filter(|(_, name)| !name.is_empty()),
            Column::Label(index) => {
                let column = &self.parts.columns[*index];
                Some((&*column.label, column.text(place)?))
            }
        })
    }

    /// A number that is the same for series with the same labels; and how many there may be. `None`: too many to be told apart so.
    pub(crate) fn keys(&self, columns: &Columns) -> Option<Keys<'_>> {
        let mut parts = Vec::new();
        let (mut factor, mut names) = (1_u64, false);
        for column in &columns.0 {
            match column {
                Column::Name => names = true,
                Column::Label(index) => {
                    let column = &self.parts.columns[*index];
                    parts.push((column, factor));
                    factor = factor.checked_mul(column.text_count() as u64 + 1)?;
                }
            }
        }
        let names = names.then_some(factor);
        let count = factor.checked_mul(self.parts.names.len() as u64)?;
        Some(Keys { table: self, parts, names, count })
    }

    /// The rows of the file that match one of the selections.
    pub(crate) fn matched(&self, sealed: &Sealed, selections: &[Selection]) -> Matched {
        let head_rows = sealed.footer.head_rows;
        let mut places: Vec<u32> =
            selections.iter().flat_map(|selection| self.matching(selection, &Span::default())).collect();
        if selections.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        let ranges = places.into_iter().map(|place| {
            let range = self.rows(place as usize);
            head_rows + range.start..head_rows + range.end
        });
        Matched::these(sealed.rows_of_groups().sum(), ranges)
    }

    /// Whether a series may have a row of a time.
    pub(crate) fn may_have(&self, place: usize, (from_us, to_us): (i64, i64)) -> bool {
        let times = self.times(place);
        let ends = times.first().zip(times.last());
        ends.is_some_and(|(first, last)| *first <= to_us && *last >= from_us)
    }

    /// Whether a series has a row of a time; `None` if that is not known.
    fn is_seen(&self, place: usize, (from_us, to_us): (i64, i64)) -> Option<bool> {
        if !self.may_have(place, (from_us, to_us)) {
            return Some(false);
        }
        let times = self.times(place);
        let at_us = times.get(times.partition_point(|&at_us| at_us < from_us));
        at_us.is_some_and(|at_us| *at_us <= to_us).then_some(true)
    }

    /// The label sets of the series that match and have a row within the selection's time, with the labels that are needed and each
    /// once; `None` if only the rows themselves tell which series have one.
    pub(crate) fn label_sets(&self, selection: &Selection, needed: &NeededLabels) -> Option<Arc<[Labels]>> {
        let is_all = selection.matchers.is_empty() && self.is_within(selection);
        if is_all && let Some((_, found)) = self.kept().iter().find(|(of, _)| of == needed) {
            return Some(Arc::clone(found));
        }
        let columns = self.columns(needed);
        let keys = self.keys(&columns);
        let name_label = Arc::from(Labels::NAME);
        let (mut by_key, mut by_labels) = (HashSet::default(), HashSet::default());
        let mut sets = Vec::new();
        let is_known = self.each_seen(selection, |place, is_seen| {
            let is_new = match &keys {
                Some(keys) if is_seen => by_key.insert(keys.of(place)),
                Some(keys) => return by_key.contains(&keys.of(place)),
                None if is_seen => by_labels.insert(self.labels(place, &columns, &name_label)),
                None => return false,
            };
            if is_new {
                sets.push(self.labels(place, &columns, &name_label));
            }
            // there may be others
            false
        });
        if !is_known {
            return None;
        }
        let found: Arc<[Labels]> = sets.into();
        if is_all {
            let mut kept = self.kept();
            // few are asked for again and again
            if kept.len() >= KEPT_MAX {
                kept.remove(0);
            }
            kept.push((needed.clone(), Arc::clone(&found)));
        }
        Some(found)
    }

    /// The names of the labels of those series; `None` if only rows tell.
    pub(crate) fn label_names(&self, selection: &Selection) -> Option<Vec<Arc<str>>> {
        let mut seen = Flags::of(self.parts.columns.len() + 1);
        let is_known = self.each_seen(selection, |place, is_seen| {
            let columns = self.parts.columns.iter().enumerate();
            let mut own = columns.filter(|(_, column)| column.code(place) > 0).map(|(index, _)| index + 1);
            let name = (!self.name(place).is_empty()).then_some(0);
            match is_seen {
                true => {
                    name.into_iter().chain(own).for_each(|index| seen.set(index));
                    seen.are_all()
                }
                false => name.is_none_or(|index| seen.has(index)) && own.all(|index| seen.has(index)),
            }
        });
        let labels = self.parts.columns.iter().map(|column| Arc::clone(&column.label));
        let labels = [Arc::from(Labels::NAME)].into_iter().chain(labels);
        is_known.then(|| seen.among(labels).collect())
    }

    /// The values of a label of those series; `None` if only rows tell.
    pub(crate) fn label_values(&self, selection: &Selection, label: &str) -> Option<Vec<Arc<str>>> {
        let names = &self.parts.names;
        if label == Labels::NAME {
            let mut seen = Flags::of(names.len());
            let is_known = self.each_seen(selection, |place, is_seen| {
                let behind = names.partition_point(|(_, first)| *first as usize <= place);
                seen.see(behind.saturating_sub(1), is_seen)
            });
            let values = names.iter().map(|(name, _)| Arc::clone(name));
            return is_known.then(|| seen.among(values).filter(|name| !name.is_empty()).collect());
        }
        let Some(column) = self.column(label) else { return Some(Vec::new()) };
        let mut seen = Flags::of(column.text_count());
        let is_known = self.each_seen(selection, |place, is_seen| match column.code(place).checked_sub(1) {
            Some(index) => seen.see(usize::try_from(index).unwrap_or(usize::MAX), is_seen),
            None => !is_seen,
        });
        is_known.then(|| seen.among((0..column.text_count()).map(|index| column.value(index))).collect())
    }

    /// Tells of the series that match first those that have a row within the selection's time, until it is told that others make no
    /// difference. Then those of which only rows tell whether they have one, until one makes a difference: whether none does.
    fn each_seen(&self, selection: &Selection, mut tell: impl FnMut(usize, bool) -> bool) -> bool {
        let (times_us, is_within) = (micros(selection), self.is_within(selection));
        let mut perhaps = Vec::new();
        let mut ends =
            |place: usize| match is_within.then_some(true).or_else(|| self.is_seen(place, times_us)) {
                Some(true) => tell(place, true),
                Some(false) => false,
                None => {
                    perhaps.push(place);
                    false
                }
            };
        let is_over = match selection.matchers.is_empty() {
            true => (0..self.len()).any(ends),
            false => self.matching(selection, &Span::default()).into_iter().any(|place| ends(place as usize)),
        };
        is_over || perhaps.into_iter().all(|place| tell(place, false))
    }

    /// Whether all rows are within the time of a selection.
    fn is_within(&self, selection: &Selection) -> bool {
        let (from_us, to_us) = micros(selection);
        from_us <= self.times_us.0 && self.times_us.1 <= to_us
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(NeededLabels, Arc<[Labels]>)>> {
        // an answer is added whole or not at all
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of some texts were seen.
struct Flags {
    flags: Vec<bool>,
    /// How many were not.
    left: usize,
}

impl Flags {
    fn of(count: usize) -> Self {
        Self { flags: vec![false; count], left: count }
    }

    fn set(&mut self, index: usize) {
        if let Some(flag) = self.flags.get_mut(index)
            && !std::mem::replace(flag, true)
        {
            self.left -= 1;
        }
    }

    fn has(&self, index: usize) -> bool {
        self.flags.get(index).is_some_and(|flag| *flag)
    }

    fn are_all(&self) -> bool {
        self.left == 0
    }

    /// What is seen is noted: whether all were. Of what perhaps is there: whether it was.
    fn see(&mut self, index: usize, is_seen: bool) -> bool {
        if is_seen {
            self.set(index);
            return self.are_all();
        }
        self.has(index)
    }

    fn among<T>(self, texts: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        texts.zip(self.flags).filter(|(_, is_seen)| *is_seen).map(|(text, _)| text)
    }
}

/// The time of a selection.
fn micros(selection: &Selection) -> (i64, i64) {
    (selection.start_ms.saturating_mul(1_000), selection.end_ms.saturating_mul(1_000).saturating_add(999))
}

/// A matcher, with its verdicts.
enum Test<'a> {
    /// By the first series of each metric name.
    Names(Vec<(u32, bool)>),
    Codes(&'a LabelColumn, super::label_column::Verdicts<'a>),
}

impl Test<'_> {
    fn passes(&self, place: usize) -> bool {
        match self {
            Self::Names(names) => {
                let behind = names.partition_point(|(first, _)| *first as usize <= place);
                behind.checked_sub(1).is_some_and(|index| names[index].1)
            }
            Self::Codes(column, verdicts) => column.passes(verdicts, place),
        }
    }
}

/// Numbers for label sets, see [`SeriesTable::keys`].
pub(crate) struct Keys<'a> {
    table: &'a SeriesTable,
    parts: Vec<(&'a LabelColumn, u64)>,
    /// What the place of the metric name counts.
    names: Option<u64>,
    /// How many label sets there may be.
    pub(crate) count: u64,
}

impl Keys<'_> {
    pub(crate) fn of(&self, place: usize) -> u64 {
        let labels: u64 = self.parts.iter().map(|(column, factor)| column.code(place) * factor).sum();
        let name = self.names.map_or(0, |factor| {
            let names = &self.table.parts.names;
            let behind = names.partition_point(|(_, first)| *first as usize <= place);
            behind.saturating_sub(1) as u64 * factor
        });
        labels + name
    }
}
