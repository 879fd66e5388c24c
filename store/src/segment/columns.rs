//! The columns of a segment. `docs/format.md` describes them for readers of the files.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use foldhash::HashMap;
use model::Labels;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::histogram;

pub(super) const NAME: &str = "__name__";
pub(super) const SERIES: &str = "__series__";
pub(super) const TS: &str = "__ts__";
pub(super) const UNTIL: &str = "__until__";
pub(super) const WRITER: &str = "__writer__";
pub(super) const SINCE: &str = "__since__";
pub(super) const CARRY: &str = "__carry__";
pub(super) const HISTOGRAM_CARRY: &str = "__histogram_carry__";
pub(super) const START_TS: &str = "__start_ts__";
pub(super) const VALUE: &str = "__value__";
pub(super) const HISTOGRAM: &str = "__histogram__";
pub(super) const EVENT: &str = "__event__";
pub(super) const TYPE: &str = "__type__";
pub(super) const GROUP: &str = "__group__";
pub(super) const FAMILY: &str = "__family__";
pub(super) const HELP: &str = "__help__";
pub(super) const UNIT: &str = "__unit__";
pub(super) const KEY: &str = "__key__";
pub(super) const BODY: &str = "__body__";
pub(super) const LABELS: &str = "__labels__";

/// Footer keys.
pub(super) const KEY_FORMAT: &str = "mayfly.format";
pub(super) const KEY_WRITER: &str = "mayfly.writer";
pub(super) const KEY_FINGERPRINT: &str = "mayfly.fingerprint";
pub(super) const KEY_HEAD_ROWS: &str = "mayfly.head_rows";
pub(super) const KEY_SERIES: &str = "mayfly.series";
pub(super) const KEY_MAP_NAMES: &str = "mayfly.map_names";

/// A check of each page, and of the page index.
pub(super) const KEY_PAGES: &str = "mayfly.pages";
pub(super) const KEY_INDEX: &str = "mayfly.index";

/// Whether some of the pushes are added up with others.
pub(super) const KEY_AGGREGATES: &str = "mayfly.aggregates";

/// Whether two series of the file share metric name and fingerprint, so that labels must be compared.
pub(super) const KEY_COLLISION: &str = "mayfly.collision";

/// The hash that the `__series__` column holds.
pub(super) const FINGERPRINT: &str = "xxh3-64/1";

/// Labels that are columns in every file, so that queries over many files find them.
const ALWAYS: [&str; 3] = ["instance", "job", "le"];

/// No file has more label columns than this.
const LABEL_COLUMNS_MAX: usize = 48;

/// Which labels are columns of their own, and which stand in the map.
#[derive(Debug)]
pub(super) struct LabelPlan {
    /// Sorted.
    pub(super) columns: Vec<Arc<str>>,
    /// Columns that no series has a value in; sorted.
    empty: Vec<Arc<str>>,
    /// Sorted.
    pub(super) map_names: Vec<Arc<str>>,
}

impl LabelPlan {
    /// The most frequent names become columns, if they are fit to be.
    pub(super) fn of<'a>(series: impl Iterator<Item = &'a Labels>) -> Self {
        let mut series_with: HashMap<&Arc<str>, usize> = HashMap::default();
        let mut add = |labels: &'a Labels, count: usize| {
            for label in labels.iter().filter(|label| &*label.name != Labels::NAME) {
                *series_with.entry(&label.name).or_default() += count;
            }
        };
        // neighbours mostly have labels of the same names
        let mut alike: Option<(&Labels, usize)> = None;
        for labels in series {
            match &mut alike {
                Some((first, count)) if has_same_names(first, labels) => *count += 1,
                _ => {
                    if let Some((first, count)) = alike.replace((labels, 1)) {
                        add(first, count);
                    }
                }
            }
        }
        if let Some((first, count)) = alike {
            add(first, count);
        }
        let mut by_frequency: Vec<(&Arc<str>, usize)> = series_with.into_iter().collect();
        by_frequency.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let mut columns: BTreeSet<Arc<str>> = ALWAYS.into_iter().map(Arc::from).collect();
        let mut empty = columns.clone();
        for (name, _) in &by_frequency {
            empty.remove(*name);
        }
        let mut map_names = BTreeSet::new();
        for (name, _) in by_frequency {
            if columns.contains(name) {
                continue;
            }
            if columns.len() < LABEL_COLUMNS_MAX && may_be_column(name) {
                columns.insert(Arc::clone(name));
            } else {
                map_names.insert(Arc::clone(name));
            }
        }
        Self {
            columns: columns.into_iter().collect(),
            empty: empty.into_iter().collect(),
            map_names: map_names.into_iter().collect(),
        }
    }

    /// Whether no series has a value in a column of labels.
    pub(super) fn is_empty(&self, name: &str) -> bool {
        self.empty.iter().any(|empty| **empty == *name)
    }

    pub(super) fn is_column(&self, name: &str) -> bool {
        self.columns.binary_search_by(|column| (**column).cmp(name)).is_ok()
    }
}

fn has_same_names(a: &Labels, b: &Labels) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(&a.name, &b.name) || a.name == b.name)
}

/// Lower case only, so that no two columns differ by case alone, which SQL engines do not tell apart; and nothing that
/// could be taken for one of our own columns.
fn may_be_column(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    first
        && !name.starts_with("__")
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Columns that a file has only if some row needs them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Optional {
    /// Who holds a series, and what ends; or what families are.
    pub(super) pushes: bool,
    pub(super) histograms: bool,
    pub(super) starts: bool,
    pub(super) units: bool,
    /// When groups expire, and when what ended values.
    pub(super) untils: bool,
    /// Whose stamps these are.
    pub(super) writers: bool,
    /// Since when, and exactly how much.
    pub(super) totals: bool,
    pub(super) histogram_totals: bool,
    pub(super) retry_keys: bool,
}

pub(super) fn schema(plan: &LabelPlan, optional: Optional) -> Arc<Schema> {
    let text = |name: &str| Field::new(name, dictionary(), true);
    let mut fields = vec![
        text(NAME),
        Field::new(SERIES, DataType::Int64, true),
        Field::new(TS, time(), false),
        Field::new(VALUE, DataType::Float64, true),
    ];
    if optional.starts {
        fields.push(Field::new(START_TS, time(), true));
    }
    if optional.histograms {
        fields.push(Field::new(HISTOGRAM, DataType::Struct(histogram::fields()), true));
    }
    fields.push(Field::new(EVENT, dictionary(), false));
    if optional.pushes {
        fields.extend([
            text(TYPE),
            Field::new(GROUP, DataType::FixedSizeBinary(16), true),
            text(FAMILY),
            text(HELP),
        ]);
    }
    if optional.units {
        fields.push(text(UNIT));
    }
    if optional.untils {
        fields.push(Field::new(UNTIL, time(), true));
    }
    if optional.writers {
        fields.push(Field::new(WRITER, DataType::Int64, true));
    }
    if optional.totals {
        fields.push(Field::new(SINCE, time(), true));
        fields.push(Field::new(CARRY, DataType::Float64, true));
    }
    if optional.histogram_totals {
        fields.push(Field::new(HISTOGRAM_CARRY, DataType::Struct(histogram::fields()), true));
    }
    if optional.retry_keys {
        fields.push(Field::new(KEY, DataType::FixedSizeBinary(16), true));
        fields.push(Field::new(BODY, DataType::Int64, true));
    }
    fields.extend(plan.columns.iter().map(|name| text(name)));
    fields.push(Field::new(LABELS, map(), true));
    Arc::new(Schema::new(fields))
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn map() -> DataType {
    let entry = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false)
}

/// How a file is read: texts as dictionaries, as they lie in it. What Arrow's writer says of its schema is not looked at.
pub(super) fn reading(metadata: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options.clone())?;
    let fields: Vec<Field> = found
        .schema()
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8 => field.as_ref().clone().with_data_type(dictionary()),
            _ => field.as_ref().clone(),
        })
        .collect();
    ArrowReaderMetadata::try_new(metadata, options.with_schema(Arc::new(Schema::new(fields))))
}

/// What `__event__` says.
pub(super) mod event {
    /// The series has this value at this time.
    pub(in crate::segment) const SAMPLE: &str = "sample";
    /// The series has this value from here on.
    pub(in crate::segment) const SET: &str = "set";
    /// The series grows by this much.
    pub(in crate::segment) const ADD: &str = "add";
    /// The series becomes this value, if that is less.
    pub(in crate::segment) const MIN: &str = "min";
    /// The series becomes this value, if that is more.
    pub(in crate::segment) const MAX: &str = "max";
    /// The group, or one family of it, ends; without a group, everything.
    pub(in crate::segment) const CLEAR: &str = "clear";
    /// The group ends, except its failure time.
    pub(in crate::segment) const REPLACE: &str = "replace";
    /// Type, help and unit of a family.
    pub(in crate::segment) const DESCRIBE: &str = "describe";
    /// A push to a group: when the group expires, and the push's retry key.
    pub(in crate::segment) const PUSH: &str = "push";
    /// A group has expired.
    pub(in crate::segment) const EXPIRE: &str = "expire";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fit_and_frequent_names_become_columns() {
        let common = Labels::from_pairs([
            ("__name__", "m"),
            ("region", "eu"),
            ("Region", "x"),
            ("a.b", "y"),
            ("__x", "z"),
        ]);
        let plan = LabelPlan::of([&common].into_iter());
        assert_eq!(
            plan.columns.iter().map(|n| &**n).collect::<Vec<_>>(),
            ["instance", "job", "le", "region"]
        );
        assert_eq!(plan.map_names.iter().map(|n| &**n).collect::<Vec<_>>(), ["Region", "__x", "a.b"]);

        let many: Vec<Labels> = (0..200).map(|i| Labels::from_pairs([(format!("l{i:03}"), "v")])).collect();
        let often = Labels::from_pairs([("zone", "a")]);
        let plan = LabelPlan::of(many.iter().chain([&often, &often]));
        assert_eq!(plan.columns.len(), LABEL_COLUMNS_MAX);
        assert!(plan.is_column("zone") && plan.is_column("l000") && !plan.is_column("l199"));
        assert_eq!(plan.map_names.len(), 201 + ALWAYS.len() - LABEL_COLUMNS_MAX);
    }
}
