//! Reads what a query needs of a file, and asks for the bytes of that alone.
//!
//! Row groups and pages are dropped by their statistics. Of the others, first the labels that matchers ask for are
//! decoded, and then, of the rows that match, what is wanted. The head is read whole, or not at all.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use model::{Labels, Matcher, NeededLabels, Selection};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicate, RowFilter};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::schema::types::SchemaDescriptor;

use super::columns;
use super::decode::{BATCH_ROWS, Columns, read_batch};
use super::filter::{LabelFilter, SpanFilter, TimeFilter};
use super::matched::Matched;
use super::needs::Needed;
use super::prune::{self, Kept};
use super::seal::Sealed;
use super::span::Span;
use super::texts::Dictionaries;
use super::{FORMAT_OF_SEGMENTS, Segment, SegmentError};

/// What is to be read of a file.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Rows that match one of these.
    pub(crate) matching: Vec<Selection>,
    /// With these labels, and those that matchers ask for.
    pub(crate) labels: NeededLabels,
    /// With values, or just to know that there are some.
    pub(crate) values: bool,
    /// Rows of this time. What a file says beside its rows is not asked for its time.
    pub(crate) times_us: (i64, i64),
    /// Rows of these series.
    pub(crate) span: Span,
    /// With what a file says beside its rows.
    pub(crate) head: bool,
    /// All rows of this metric name may be read instead, where they are few.
    pub(crate) whole_name: Option<Arc<str>>,
}

impl Wanted {
    /// Everything about a metric name.
    pub(crate) fn all_of(name: &str) -> Self {
        let matchers = vec![Matcher::equal(Labels::NAME, name)];
        Self {
            matching: vec![Selection { matchers, start_ms: i64::MIN, end_ms: i64::MAX }],
            labels: NeededLabels::All,
            values: true,
            times_us: (i64::MIN, i64::MAX),
            span: Span::default(),
            head: true,
            whole_name: None,
        }
    }
}

/// A file on its way to a segment of what is wanted.
pub(crate) struct Partial {
    sealed: Arc<Sealed>,
    /// Of the head and of the rows after it.
    decoders: Vec<ParquetPushDecoder>,
    /// Which of them asked for how many of the ranges.
    asked: Vec<usize>,
    dictionaries: Dictionaries,
    rows_seen: usize,
    segment: Segment,
    may_need: Vec<Range<u64>>,
    row_groups: Vec<usize>,
}

/// Something that is made of parts of a file, as they come.
pub(crate) trait Decoding: Send + 'static {
    type Done: Send + 'static;

    /// Where all that it may come to need is no more than this, it is fetched at once, and not first what matchers look at and then
    /// what they find, or one row group after the other: that comes later than bytes that nobody wants.
    const AT_ONCE_BYTES_MAX: u64 = 1 << 20;

    /// Whether pages that are fetched for it are kept in memory: not, if what they hold is.
    const KEEPS_PAGES: bool = true;

    /// All bytes that it may come to need: as ranges of whole pages, in any order.
    fn may_need(&self) -> &[Range<u64>];

    /// Decodes as far as the bytes that are there go.
    fn step(&mut self) -> Result<Step<Self::Done>, SegmentError>;

    /// Takes the bytes that it needs, in the order in which it asked for them.
    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError>;
}

/// What a [`Decoding`] comes to.
pub(crate) enum Step<T> {
    /// It needs these bytes.
    Needs(Vec<Range<u64>>),
    /// It is complete.
    Done(T),
}

impl Partial {
    /// `matched`: the rows that match, where that is known.
    pub(crate) fn new(
        sealed: Arc<Sealed>,
        wanted: &Wanted,
        matched: Option<&Matched>,
    ) -> Result<Self, SegmentError> {
        let footer = &sealed.footer;
        let segment = Segment { writer: footer.writer, aggregates: footer.aggregates, ..Segment::default() };
        let first_group = usize::from(footer.head_rows > 0);
        let (mut decoders, mut may_need, mut row_groups) = (Vec::new(), Vec::new(), Vec::new());
        if first_group > 0 && wanted.head {
            let columns = head_columns(&sealed);
            let needed = Needed { columns: columns.clone(), filtered: columns.clone() };
            may_need.extend(needed.of_group(&sealed, 0, None));
            decoders.push(head_decoder(&sealed, columns)?);
        }
        if let Some(rows) = rows_decoder(&sealed, first_group, wanted, matched)? {
            may_need.extend(rows.may_need);
            row_groups = rows.groups;
            decoders.push(rows.decoder);
        }
        Ok(Self {
            sealed,
            decoders,
            asked: Vec::new(),
            dictionaries: Dictionaries::default(),
            rows_seen: 0,
            segment,
            may_need,
            row_groups,
        })
    }

    /// The row groups that statistics do not rule out, without that of the head.
    pub(crate) fn row_groups(&self) -> &[usize] {
        &self.row_groups
    }
}

impl Decoding for Partial {
    type Done = Box<Segment>;

    fn may_need(&self) -> &[Range<u64>] {
        &self.may_need
    }

    fn step(&mut self) -> Result<Step<Box<Segment>>, SegmentError> {
        let mut needs = Vec::new();
        self.asked.clear();
        for decoder in &mut self.decoders {
            loop {
                match decoder.try_decode()? {
                    DecodeResult::Data(batch) => {
                        let columns = Columns::of(&batch, &mut self.dictionaries)?;
                        read_batch(
                            &columns,
                            self.rows_seen,
                            self.sealed.footer.collision,
                            &mut self.segment,
                        )?;
                        self.rows_seen += batch.num_rows();
                    }
                    DecodeResult::NeedsData(ranges) => {
                        self.asked.push(ranges.len());
                        needs.extend(ranges);
                        break;
                    }
                    DecodeResult::Finished => {
                        self.asked.push(0);
                        break;
                    }
                }
            }
        }
        if needs.is_empty() {
            return Ok(Step::Done(Box::new(std::mem::take(&mut self.segment))));
        }
        Ok(Step::Needs(needs))
    }

    fn give(&mut self, mut parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        for (decoder, asked) in self.decoders.iter_mut().zip(&self.asked).filter(|(_, asked)| **asked > 0) {
            let (ranges, bytes) = parts.drain(..(*asked).min(parts.len())).unzip();
            decoder.push_ranges(ranges, bytes)?;
        }
        Ok(())
    }
}

/// No row of the head has labels.
fn head_columns(sealed: &Sealed) -> ProjectionMask {
    mask(sealed, |name| name.starts_with("__") && name != columns::LABELS)
}

fn head_decoder(sealed: &Sealed, columns: ProjectionMask) -> Result<ParquetPushDecoder, SegmentError> {
    let builder = ParquetPushDecoderBuilder::new_with_metadata(sealed.metadata.clone());
    Ok(builder.with_row_groups(vec![0]).with_projection(columns).with_batch_size(BATCH_ROWS).build()?)
}

/// Of rows that may be wanted.
struct RowsDecoder {
    decoder: ParquetPushDecoder,
    /// The pages that it may come to need.
    may_need: Vec<Range<u64>>,
    groups: Vec<usize>,
}

/// `None` if no row can be wanted.
fn rows_decoder(
    sealed: &Sealed,
    first_group: usize,
    wanted: &Wanted,
    matched: Option<&Matched>,
) -> Result<Option<RowsDecoder>, SegmentError> {
    let kept = prune::kept(sealed, first_group, wanted, matched);
    let Some(Kept { groups, rows, times_are_within }) = kept else {
        return Ok(None);
    };
    let labels = labels(sealed, wanted);
    let projection = mask(sealed, |name| match name {
        columns::LABELS => labels.map,
        columns::VALUE | columns::HISTOGRAM | columns::CARRY | columns::HISTOGRAM_CARRY => wanted.values,
        // only the head has these, and of format 1 also the next
        columns::HELP | columns::UNIT | columns::KEY | columns::BODY => false,
        columns::UNTIL => sealed.footer.format > FORMAT_OF_SEGMENTS,
        name => name.starts_with("__") || labels.columns.contains(name),
    });
    let mut filters: Vec<Box<dyn ArrowPredicate>> = Vec::new();
    if !wanted.span.is_everything() {
        let places = mask(sealed, |name| name == columns::NAME || name == columns::SERIES);
        filters.push(SpanFilter::of(places, wanted.span.clone()));
    }
    if matched.is_none() {
        match LabelFilter::of(sealed, &wanted.matching) {
            LabelFilter::Nothing => return Ok(None),
            LabelFilter::Everything => {}
            LabelFilter::Some(filter) => filters.push(filter),
        }
    }
    if !times_are_within {
        filters.push(TimeFilter::of(mask(sealed, |name| name == columns::TS), wanted.times_us));
    }
    let mut filtered = mask(sealed, |_| false);
    filters.iter().for_each(|filter| filtered.union(filter.projection()));
    let mut columns = projection.clone();
    columns.union(&filtered);
    let may_need = Needed { columns, filtered }.of_groups(sealed, &groups, rows.clone());
    let mut builder = ParquetPushDecoderBuilder::new_with_metadata(sealed.metadata.clone())
        .with_row_groups(groups.clone())
        .with_projection(projection)
        .with_batch_size(BATCH_ROWS)
        .with_row_filter(RowFilter::new(filters));
    if let Some(rows) = rows {
        builder = builder.with_row_selection(rows);
    }
    Ok(Some(RowsDecoder { decoder: builder.build()?, may_need, groups }))
}

/// Where the labels that are wanted stand.
struct WantedLabels {
    columns: BTreeSet<String>,
    map: bool,
}

fn labels(sealed: &Sealed, wanted: &Wanted) -> WantedLabels {
    let asked_for = |name: &str| {
        let mut matchers = wanted.matching.iter().flat_map(|selection| &selection.matchers);
        sealed.footer.collision || wanted.labels.includes(name) || matchers.any(|m| *m.name == *name)
    };
    let columns = sealed.metadata.schema().fields().iter().map(|field| field.name());
    let columns = columns.filter(|name| !name.starts_with("__") && asked_for(name)).cloned().collect();
    WantedLabels { columns, map: sealed.footer.map_names.iter().any(|name| asked_for(name)) }
}

/// The columns that `is_wanted` names.
pub(super) fn mask(sealed: &Sealed, is_wanted: impl Fn(&str) -> bool) -> ProjectionMask {
    let schema: &SchemaDescriptor = sealed.metadata.parquet_schema();
    let fields = schema.root_schema().get_fields().iter().enumerate();
    let wanted = fields.filter(|(_, field)| is_wanted(field.name())).map(|(index, _)| index);
    ProjectionMask::roots(schema, wanted)
}

/// The name of the column that holds a label.
pub(super) fn column_of(sealed: &Sealed, label: &str) -> Option<String> {
    let name = if label == Labels::NAME { columns::NAME } else { label };
    let is_label = name == columns::NAME || !name.starts_with("__");
    let schema = sealed.metadata.schema();
    (is_label && schema.column_with_name(name).is_some()).then(|| name.to_owned())
}

/// A column of a batch that was asked for.
pub(super) fn column<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a arrow_array::ArrayRef, arrow_schema::ArrowError> {
    let missing = || arrow_schema::ArrowError::SchemaError(format!("column {name} is missing"));
    batch.column_by_name(name).ok_or_else(missing)
}
