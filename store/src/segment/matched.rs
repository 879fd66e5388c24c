//! Which rows of a file match, found before any of them is read: what is read in many spans is looked through once.

use std::collections::VecDeque;
use std::ops::Range;

use arrow_array::Array;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use bytes::Bytes;
use model::{Labels, Selection};
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::{ArrowPredicate, RowSelector};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};

use super::SegmentError;
use super::decode::BATCH_ROWS;
use super::filter::LabelFilter;
use super::needs::Needed;
use super::partial::{Decoding, Step, Wanted};
use super::prune::{self, Kept};
use super::seal::Sealed;

/// The rows of a file that match, the head's not among them.
#[derive(Debug)]
pub(crate) struct Matched(BooleanBuffer);

impl Matched {
    /// These of so many rows: ranges in order, one behind the other.
    pub(super) fn these(rows: usize, ranges: impl Iterator<Item = Range<usize>>) -> Self {
        let mut matched = BooleanBufferBuilder::new(rows);
        for range in ranges {
            matched.append_n(range.start - matched.len(), false);
            matched.append_n(range.len(), true);
        }
        matched.append_n(rows - matched.len(), false);
        Self(matched.finish())
    }

    /// How many of these rows match.
    pub(super) fn count(&self, rows: &Range<usize>) -> usize {
        self.0.slice(rows.start, rows.len()).count_set_bits()
    }

    /// Of rows that are selected from a row on, those that match.
    pub(super) fn among(&self, from: usize, selectors: Vec<RowSelector>) -> Vec<RowSelector> {
        let (mut row, mut among) = (from, Vec::with_capacity(selectors.len()));
        for selector in selectors {
            let RowSelector { row_count, skip } = selector;
            if skip {
                among.push(selector);
            } else {
                let mut reached = 0;
                for (start, end) in self.0.slice(row, row_count).set_slices() {
                    among.extend((start > reached).then(|| RowSelector::skip(start - reached)));
                    among.push(RowSelector::select(end - start));
                    reached = end;
                }
                among.extend((row_count > reached).then(|| RowSelector::skip(row_count - reached)));
            }
            row += row_count;
        }
        among
    }
}

/// A file that is looked through for rows that match.
pub(crate) struct Matching {
    decoder: ParquetPushDecoder,
    filter: Box<dyn ArrowPredicate>,
    /// The rows that are still to be decoded, by where they stand in the file.
    to_decode: VecDeque<Range<usize>>,
    matched: BooleanBufferBuilder,
    /// How many rows the file has.
    rows: usize,
    may_need: Vec<Range<u64>>,
}

/// How a file is looked through.
pub(crate) enum Look {
    /// That would tell no more than its statistics do.
    Needless,
    /// They tell all.
    Done(Matched),
    Through(Box<Matching>),
}

impl Matching {
    pub(crate) fn look(sealed: &Sealed, wanted: &Wanted) -> Result<Look, SegmentError> {
        if !wanted.matching.iter().all(looks_at_labels) {
            return Ok(Look::Needless);
        }
        let counts: Vec<usize> = sealed.rows_of_groups().collect();
        let rows = counts.iter().sum();
        let nothing = || Ok(Look::Done(Matched(BooleanBuffer::new_unset(rows))));
        let filter = match LabelFilter::of(sealed, &wanted.matching) {
            LabelFilter::Some(filter) => filter,
            LabelFilter::Everything => return Ok(Look::Needless),
            LabelFilter::Nothing => return nothing(),
        };
        let first_group = usize::from(sealed.footer.head_rows > 0);
        let Some(Kept { groups, rows: selected, .. }) = prune::kept(sealed, first_group, wanted, None) else {
            return nothing();
        };
        let mut to_decode = VecDeque::new();
        let mut rest = selected.clone();
        for &group in &groups {
            let mut row: usize = counts[..group].iter().sum();
            match rest.as_mut().map(|rest| rest.split_off(counts[group])) {
                None => to_decode.push_back(row..row + counts[group]),
                Some(of_group) => {
                    for RowSelector { row_count, skip } in of_group.iter() {
                        to_decode.extend((!skip).then(|| row..row + row_count));
                        row += row_count;
                    }
                }
            }
        }
        let projection = filter.projection().clone();
        let needed = Needed { columns: projection.clone(), filtered: projection.clone() };
        let may_need = needed.of_groups(sealed, &groups, selected.clone());
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(sealed.metadata.clone())
            .with_row_groups(groups)
            .with_projection(projection)
            .with_batch_size(BATCH_ROWS);
        if let Some(selected) = selected {
            builder = builder.with_row_selection(selected);
        }
        let (decoder, matched) = (builder.build()?, BooleanBufferBuilder::new(rows));
        Ok(Look::Through(Box::new(Self { decoder, filter, to_decode, matched, rows, may_need })))
    }

    /// Notes which of the next rows match.
    fn note(&mut self, verdicts: &BooleanBuffer) -> Result<(), SegmentError> {
        let mut noted = 0;
        while noted < verdicts.len() {
            let next = self.to_decode.front_mut().ok_or(SegmentError::Unsealed)?;
            self.matched.append_n(next.start - self.matched.len(), false);
            let count = next.len().min(verdicts.len() - noted);
            self.matched.append_buffer(&verdicts.slice(noted, count));
            noted += count;
            next.start += count;
            if next.start == next.end {
                self.to_decode.pop_front();
            }
        }
        Ok(())
    }
}

impl Decoding for Matching {
    type Done = Matched;

    fn may_need(&self) -> &[Range<u64>] {
        &self.may_need
    }

    // it looks at all of its rows
    const AT_ONCE_BYTES_MAX: u64 = 4 << 20;

    fn step(&mut self) -> Result<Step<Matched>, SegmentError> {
        loop {
            match self.decoder.try_decode()? {
                DecodeResult::Data(batch) => {
                    let verdicts = self.filter.evaluate(batch).map_err(SegmentError::from)?;
                    debug_assert_eq!(verdicts.null_count(), 0, "a matcher has an answer for each row");
                    self.note(verdicts.values())?;
                }
                DecodeResult::NeedsData(ranges) => return Ok(Step::Needs(ranges)),
                // the rows that the decoder gives are those that it was asked for
                DecodeResult::Finished if !self.to_decode.is_empty() => return Err(SegmentError::Unsealed),
                DecodeResult::Finished => {
                    self.matched.append_n(self.rows - self.matched.len(), false);
                    return Ok(Step::Done(Matched(self.matched.finish())));
                }
            }
        }
    }

    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        let (ranges, bytes) = parts.into_iter().unzip();
        Ok(self.decoder.push_ranges(ranges, bytes)?)
    }
}

/// Whether more is asked for than metric names, of which statistics tell enough.
fn looks_at_labels(selection: &Selection) -> bool {
    selection.matchers.iter().any(|matcher| *matcher.name != *Labels::NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_rows_that_match_are_left() {
        let bits: Vec<bool> = [0, 1, 1, 0, 1, 0, 0, 1, 1, 1].iter().map(|&bit| bit == 1).collect();
        let matched = Matched(BooleanBuffer::from(bits));
        let (select, skip) = (RowSelector::select, RowSelector::skip);
        let check = |from, selectors: &[RowSelector], expect: &[RowSelector]| {
            assert_eq!(matched.among(from, selectors.to_vec()), expect);
        };
        check(0, &[select(10)], &[skip(1), select(2), skip(1), select(1), skip(2), select(3)]);
        check(1, &[select(2), skip(4), select(2)], &[select(2), skip(4), select(2)]);
        check(3, &[skip(2), select(2)], &[skip(2), skip(2)]);
        assert_eq!(matched.count(&(1..5)), 3);
        assert_eq!(matched.count(&(5..7)), 0);
    }
}
