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
    use std::sync::Arc;

    use model::MatchOp::{Equal, NotEqual, Regex};
    use model::{MatchOp, Matcher, Metadata, NeededLabels, Samples, Stamp};

    use super::*;
    use crate::segment::encode::encode_grouped;
    use crate::segment::{Description, Partial, Segment, Span, checksum, decode};

    const NAMES: [&str; 3] = ["a", "b", "c"];
    const SERIES: usize = 40;
    const SAMPLES: i64 = 50;

    /// Samples of three metrics with many labels, and perhaps a head before them, and series of which only labels tell which is which.
    fn whole(has_head: bool, collides: bool) -> Segment {
        let series = NAMES.iter().flat_map(|name| {
            (0..SERIES).map(move |series| {
                let mut samples = Samples::default();
                (0..SAMPLES)
                    .for_each(|at| samples.push(at * 1_000, f64::from(u32::try_from(series).expect("few"))));
                let mut labels = vec![
                    ("__name__", (*name).to_owned()),
                    ("job", format!("job-{}", series % 5)),
                    ("instance", format!("i{series}")),
                    ("Zone", format!("z{}", series % 3)),
                ];
                labels.extend((series % 7 > 0).then(|| ("region", format!("r{}", series % 2))));
                (Labels::from_pairs(labels), samples)
            })
        });
        let mut segment = Segment::from_samples(7, &series.collect::<Vec<_>>());
        if has_head {
            segment.descriptions.push(Description {
                stamp: Stamp { at_us: 5, writer: 7 },
                family: "a".into(),
                told_by: None,
                metadata: Metadata::default(),
            });
        }
        if collides {
            for pair in segment.series.chunks_mut(10) {
                pair[1].fingerprint = pair[0].fingerprint;
            }
        }
        segment
    }

    fn done<D: Decoding>(file: &Bytes, mut decoding: D) -> D::Done {
        let place = |at: u64| usize::try_from(at).expect("small");
        loop {
            match decoding.step().expect("decodes") {
                Step::Done(done) => return done,
                Step::Needs(ranges) => {
                    let part = |range: Range<u64>| file.slice(place(range.start)..place(range.end));
                    let parts = ranges.into_iter().map(|range| (range.clone(), part(range)));
                    decoding.give(parts.collect()).expect("takes");
                }
            }
        }
    }

    /// The rows of some series, in order, each with its labels.
    fn rows(segment: &Segment, is_wanted: impl Fn(&Labels) -> bool) -> Vec<(Labels, i64, u64)> {
        let wanted = segment.series.iter().filter(|series| is_wanted(&series.labels));
        let rows = wanted.flat_map(|series| {
            let row = |row: usize| (segment.rows.at_us[row], segment.rows.values[row].to_bits());
            series.range.clone().map(move |at| (series.labels.clone(), row(at).0, row(at).1))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }

    /// What matches is looked through once, and then read span by span: together that is what the whole file has.
    fn check(segment: &Segment, group_rows_max: usize, matchers: &[(&str, MatchOp, &str)], groups: &[usize]) {
        let file = encode_grouped(segment, 1, group_rows_max).expect("encodes");
        let sealed = Arc::new(Sealed::of_file(&file).expect("opens"));
        let matchers =
            matchers.iter().map(|(name, op, value)| Matcher::new(*name, *op, *value).expect("parses"));
        let of = Selection { matchers: matchers.collect(), start_ms: i64::MIN, end_ms: i64::MAX };
        let wanted = Wanted { head: false, matching: vec![of.clone()], ..Wanted::all_of("") };
        let sum = checksum(&file);
        let expect = rows(&decode(file.clone(), sum).expect("decodes"), |labels| of.matches(labels));
        let case = format!("{matchers:?} in groups of {group_rows_max}", matchers = of.matchers);
        assert!(!expect.is_empty(), "{case}");
        let kept = prune::kept(&sealed, usize::from(sealed.footer.head_rows > 0), &wanted, None);
        assert_eq!(kept.expect("some").groups, groups, "{case}");
        let Look::Through(matching) = Matching::look(&sealed, &wanted).expect("looks") else {
            panic!("{case} is not looked through")
        };
        let matched = done(&file, *matching);
        assert_eq!(matched.0.count_set_bits(), expect.len(), "{case}");
        let marks = sealed.marks(&wanted, Some(&matched));
        assert_eq!(marks.iter().map(|(_, rows)| rows).sum::<usize>(), expect.len(), "{case}");
        let mut places: Vec<_> = marks.into_iter().map(|(place, _)| Some(place)).collect();
        places.sort();
        places.dedup();
        let ends: Vec<_> = std::iter::once(None).chain(places).chain([None]).collect();
        let mut found = Vec::new();
        for pair in ends.windows(2) {
            let span = Span { from: pair[0].clone(), to: pair[1].clone() };
            let wanted = Wanted { span, labels: NeededLabels::All, ..wanted.clone() };
            let read = |matched| {
                let partial = Partial::new(Arc::clone(&sealed), &wanted, matched).expect("reads");
                rows(&done(&file, partial), |_| true)
            };
            let of_span = read(Some(&matched));
            assert_eq!(of_span, read(None), "{case}: {:?}", wanted.span);
            found.extend(of_span);
        }
        found.sort();
        assert!(found == expect, "{case}: {} rows, not {}", found.len(), expect.len());
    }

    #[test]
    fn rows_that_match_are_found_in_all_row_groups_but_those_that_statistics_rule_out() {
        let of_name = SERIES * usize::try_from(SAMPLES).expect("few");
        let (but_b, job) = (("__name__", Regex, "a|c"), ("job", Equal, "job-3"));
        for (has_head, collides) in [(false, false), (true, false), (false, true), (true, true)] {
            let segment = whole(has_head, collides);
            // the head has a group of its own
            let groups =
                |of: &[usize]| of.iter().map(|group| group + usize::from(has_head)).collect::<Vec<_>>();
            let (all, ends) = (groups(&[0, 1, 2]), groups(&[0, 2]));
            check(&segment, of_name, &[but_b, job], &ends);
            check(&segment, of_name, &[but_b, ("Zone", NotEqual, "z1"), ("region", Equal, "")], &ends);
            check(&segment, of_name, &[but_b, ("instance", Regex, "i[12]?")], &ends);
            check(&segment, of_name, &[job], &all);
            check(&segment, of_name, &[("__name__", Equal, "c"), job], &groups(&[2]));
            // of a row group that has two names, pages are ruled out
            let most = of_name * 2 / 3;
            check(&segment, most, &[but_b, job], &groups(&[0, 1, 3, 4]));
            check(&segment, most, &[("__name__", Equal, "b"), ("region", Regex, "r1|")], &groups(&[1, 2, 3]));
        }
    }

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
