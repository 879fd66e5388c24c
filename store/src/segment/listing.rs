//! A table of the series of a file of samples, made while its rows come by.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use bytes::Bytes;
use parquet::DecodeResult;

use super::SegmentError;
use super::batches::Batches;
use super::columns::{self, event};
use super::decode::Columns;
use super::label_column::LabelColumnBuilder;
use super::partial::{Decoding, Step, mask};
use super::seal::Sealed;
use super::series_table::{KNOWN_TIME_ROWS, Parts, SeriesTable};
use super::texts::{Dictionaries, Texts};

/// A table of which the texts of one label take more is none.
const TEXT_BYTES_MAX: usize = 1 << 28;

/// See the module.
pub(crate) struct Listing {
    batches: Batches,
    dictionaries: Dictionaries,
    noted: Noted,
}

impl Listing {
    pub(crate) fn of(sealed: &Sealed) -> Result<Self, SegmentError> {
        let columns = mask(sealed, |name| {
            let is_place = [columns::NAME, columns::SERIES, columns::TS, columns::EVENT].contains(&name);
            is_place || name == columns::LABELS || !name.starts_with("__")
        });
        let first_group = usize::from(sealed.footer.head_rows > 0);
        let groups: Vec<usize> = (first_group..sealed.metadata.metadata().num_row_groups()).collect();
        let batches = Batches::of(sealed, groups, None, columns)?;
        Ok(Self { batches, dictionaries: Dictionaries::default(), noted: Noted::default() })
    }
}

impl Decoding for Listing {
    type Done = Box<SeriesTable>;

    const KEEPS_PAGES: bool = false;

    fn may_need(&self) -> &[Range<u64>] {
        self.batches.may_need()
    }

    fn step(&mut self) -> Result<Step<Box<SeriesTable>>, SegmentError> {
        loop {
            match self.batches.next()? {
                DecodeResult::Data(batch) => {
                    self.noted.add(&Columns::of(&batch, &mut self.dictionaries)?)?;
                }
                DecodeResult::NeedsData(ranges) => return Ok(Step::Needs(ranges)),
                DecodeResult::Finished => {
                    return Ok(Step::Done(Box::new(std::mem::take(&mut self.noted).finish()?)));
                }
            }
        }
    }

    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        self.batches.give(parts)
    }
}

/// What is noted of rows.
#[derive(Default)]
struct Noted {
    /// How many came.
    rows: usize,
    parts: Parts,
    columns: BTreeMap<Arc<str>, LabelColumnBuilder>,
    /// How many rows of the last series came, and the time of the last of them.
    last: Option<(usize, i64)>,
}

/// A column of a batch, its builder, and what its dictionary's places are there.
struct OfLabel<'a> {
    texts: &'a Texts<'a>,
    builder: LabelColumnBuilder,
    codes: Vec<u32>,
}

impl Noted {
    /// Takes the rows that follow.
    fn add(&mut self, columns: &Columns<'_>) -> Result<(), SegmentError> {
        let wrong = |name: &str| SegmentError::Column(name.to_owned());
        if !columns.event.are_all(event::SAMPLE) || columns.ts.null_count() > 0 {
            return Err(wrong(columns::EVENT));
        }
        let (series, at_us) = (columns.series.values(), columns.ts.values());
        let mut of_labels: Vec<OfLabel<'_>> = Vec::with_capacity(columns.label_names.len());
        for (name, texts) in columns.label_names.iter().zip(&columns.label_values) {
            let builder = self.columns.remove(name).unwrap_or_default();
            of_labels.push(OfLabel { texts, builder, codes: Vec::new() });
        }
        let mut row = 0;
        while row < at_us.len() {
            let fingerprint = series[row];
            let same = series[row..].iter().take_while(|of| **of == fingerprint);
            let mut end = row + same.count();
            // of two names, which may have the same fingerprint
            if let Some(other) = (row + 1..end).find(|next| !columns.name.continues(*next)) {
                end = other;
            }
            let name = columns.name.get(row);
            let is_same_name = match (self.parts.names.last(), name) {
                (Some((last, _)), Some(name)) => last == name,
                (Some((last, _)), None) => last.is_empty(),
                (None, _) => false,
            };
            if row > 0 || !is_same_name || self.parts.fingerprints.last() != Some(&fingerprint) {
                self.end_series();
                let place = self.parts.fingerprints.len();
                if !is_same_name {
                    let name = name.map_or_else(|| Arc::from(""), Arc::clone);
                    self.parts.names.push((name, number(place)?));
                }
                self.parts.fingerprints.push(fingerprint);
                self.parts.starts.push(number(self.rows + row)?);
                self.parts.known_starts.push(number(self.parts.known_us.len())?);
                of_labels.iter_mut().for_each(|of_label| of_label.note(place, row));
                self.note_map(columns, place, row);
            }
            self.note_times(&at_us[row..end]);
            row = end;
        }
        self.rows += at_us.len();
        for (name, of_label) in columns.label_names.iter().zip(of_labels) {
            self.columns.insert(Arc::clone(name), of_label.builder);
        }
        match self.columns.values().all(|column| column.text_bytes() <= TEXT_BYTES_MAX) {
            true => Ok(()),
            false => Err(wrong(columns::LABELS)),
        }
    }

    /// Labels that have no column.
    fn note_map(&mut self, columns: &Columns<'_>, place: usize, row: usize) {
        let Some(map) = columns.map.filter(|map| map.is_valid(row)) else { return };
        let entries = map.value(row);
        let texts = |index: usize| entries.column(index).as_string_opt::<i32>();
        for (key, value) in texts(0).into_iter().flatten().zip(texts(1).into_iter().flatten()) {
            if let (Some(key), Some(value)) = (key, value) {
                let column = match self.columns.get_mut(key) {
                    Some(column) => column,
                    None => self.columns.entry(key.into()).or_default(),
                };
                let code = column.code(&value.into());
                column.set(place, code);
            }
        }
    }

    fn note_times(&mut self, times: &[i64]) {
        let before = self.last.map_or(0, |(rows, _)| rows);
        let skip = (KNOWN_TIME_ROWS - before % KNOWN_TIME_ROWS) % KNOWN_TIME_ROWS;
        self.parts.known_us.extend(times.iter().skip(skip).step_by(KNOWN_TIME_ROWS));
        if let Some(last) = times.last() {
            self.last = Some((before + times.len(), *last));
        }
    }

    /// The last time of the last series is known too.
    fn end_series(&mut self) {
        if let Some((_, last_us)) = self.last.take() {
            self.parts.known_us.push(last_us);
        }
    }

    fn finish(mut self) -> Result<SeriesTable, SegmentError> {
        self.end_series();
        let series = self.parts.fingerprints.len();
        self.parts.starts.push(number(self.rows)?);
        self.parts.known_starts.push(number(self.parts.known_us.len())?);
        let columns = std::mem::take(&mut self.columns).into_iter();
        self.parts.columns = columns.filter_map(|(label, column)| column.finish(label, series)).collect();
        self.parts.fingerprints.shrink_to_fit();
        self.parts.starts.shrink_to_fit();
        self.parts.known_starts.shrink_to_fit();
        self.parts.known_us.shrink_to_fit();
        Ok(SeriesTable::of(self.parts))
    }
}

impl OfLabel<'_> {
    /// Says which value a series has, of which this is a row.
    fn note(&mut self, place: usize, row: usize) {
        let (Some(key), Some(text)) = (self.texts.key(row), self.texts.get(row)) else { return };
        if self.codes.len() <= key {
            self.codes.resize(key + 1, 0);
        }
        if self.codes[key] == 0 {
            self.codes[key] = self.builder.code(text);
        }
        self.builder.set(place, self.codes[key]);
    }
}

fn number(place: usize) -> Result<u32, SegmentError> {
    u32::try_from(place).map_err(|_| SegmentError::Unsealed)
}

#[cfg(test)]
mod tests;
