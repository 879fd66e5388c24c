//! Which rows of a file are wanted. Matchers are evaluated on the values of dictionaries, each value once.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_schema::ArrowError;
use model::{Matcher, Selection};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn};

use super::columns;
use super::partial::{column, column_of, mask};
use super::seal::Sealed;
use super::span::Span;
use super::texts::is_same;

/// The rows that match one of some selections.
pub(super) enum LabelFilter {
    /// None can.
    Nothing,
    /// All do.
    Everything,
    /// Those that this finds.
    Some(Box<dyn ArrowPredicate>),
}

/// A matcher on what the file has of its label.
struct Condition {
    matcher: Matcher,
    /// `None`: the map.
    column: Option<String>,
    verdicts: Verdicts,
}

impl LabelFilter {
    pub(super) fn of(sealed: &Sealed, selections: &[Selection]) -> Self {
        let mut any_of: Vec<Vec<Condition>> = Vec::new();
        for selection in selections {
            let (mut all_of, mut possible) = (Vec::new(), true);
            for matcher in &selection.matchers {
                let column = column_of(sealed, &matcher.name);
                if column.is_some() || sealed.footer.map_names.iter().any(|name| **name == *matcher.name) {
                    let matcher = matcher.clone();
                    all_of.push(Condition { matcher, column, verdicts: Verdicts::default() });
                } else {
                    possible &= matcher.matches("");
                }
            }
            match (possible, all_of.is_empty()) {
                (true, true) => return Self::Everything,
                (true, false) => any_of.push(all_of),
                (false, _) => {}
            }
        }
        if any_of.is_empty() {
            return Self::Nothing;
        }
        let conditions = || any_of.iter().flatten();
        let projection = mask(sealed, |name| {
            conditions().any(|condition| match &condition.column {
                Some(column) => column == name,
                None => name == columns::LABELS,
            })
        });
        let find = move |batch: RecordBatch| {
            let mut found = vec![false; batch.num_rows()];
            for all_of in &mut any_of {
                let mut matching = vec![true; batch.num_rows()];
                for condition in all_of {
                    condition.apply(&batch, &mut matching)?;
                }
                found.iter_mut().zip(matching).for_each(|(found, matches)| *found |= matches);
            }
            Ok(BooleanArray::from(found))
        };
        Self::Some(Box::new(ArrowPredicateFn::new(projection, find)))
    }
}

impl Condition {
    /// Strikes out the rows that do not match.
    fn apply(&mut self, batch: &RecordBatch, matching: &mut [bool]) -> Result<(), ArrowError> {
        match &self.column {
            Some(name) => self.verdicts.apply(column(batch, name)?, &self.matcher, matching),
            None => apply_to_map(column(batch, columns::LABELS)?, &self.matcher, matching),
        }
    }
}

/// What is known of the values of a dictionary, as long as rows come with that dictionary.
#[derive(Default)]
struct Verdicts {
    values: Option<StringArray>,
    by_key: Vec<Option<bool>>,
}

impl Verdicts {
    fn apply(
        &mut self,
        array: &ArrayRef,
        matcher: &Matcher,
        matching: &mut [bool],
    ) -> Result<(), ArrowError> {
        let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(not_texts)?;
        let values = array.values().as_string_opt::<i32>().ok_or_else(not_texts)?;
        if !self.values.as_ref().is_some_and(|known| is_same(known, values)) {
            self.values = Some(values.clone());
            self.by_key = vec![None; values.len()];
        }
        let absent = matcher.matches("");
        for (row, matches) in matching.iter_mut().enumerate().filter(|(_, matches)| **matches) {
            *matches = match array.key(row) {
                None => absent,
                Some(key) => *self.by_key[key].get_or_insert_with(|| matcher.matches(values.value(key))),
            };
        }
        Ok(())
    }
}

fn apply_to_map(array: &ArrayRef, matcher: &Matcher, matching: &mut [bool]) -> Result<(), ArrowError> {
    let map = array.as_map_opt().ok_or_else(not_texts)?;
    let keys = map.keys().as_string_opt::<i32>().ok_or_else(not_texts)?;
    let values = map.values().as_string_opt::<i32>().ok_or_else(not_texts)?;
    let absent = matcher.matches("");
    for (row, matches) in matching.iter_mut().enumerate().filter(|(_, matches)| **matches) {
        let (start, end) = (map.value_offsets()[row], map.value_offsets()[row + 1]);
        let entries = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
        let entry = entries.into_iter().find(|&entry| keys.value(entry) == &*matcher.name);
        let value = entry.filter(|&entry| values.is_valid(entry)).map(|entry| values.value(entry));
        *matches = value.map_or(absent, |value| matcher.matches(value));
    }
    Ok(())
}

fn not_texts() -> ArrowError {
    ArrowError::SchemaError("a column of labels holds something else".to_owned())
}

/// The rows of the series of a span.
pub(super) struct SpanFilter;

impl SpanFilter {
    /// `projection`: names and fingerprints.
    pub(super) fn of(projection: ProjectionMask, span: Span) -> Box<dyn ArrowPredicate> {
        let find = move |batch: RecordBatch| {
            let names =
                column(&batch, columns::NAME)?.as_dictionary_opt::<Int32Type>().ok_or_else(not_texts)?;
            let texts = names.values().as_string_opt::<i32>().ok_or_else(not_texts)?;
            let missing = || ArrowError::SchemaError("the fingerprints are none".to_owned());
            let series =
                column(&batch, columns::SERIES)?.as_primitive_opt::<Int64Type>().ok_or_else(missing)?;
            // rows of a series stand together
            let mut last = None;
            let found = (0..batch.num_rows()).map(|row| {
                let place = (names.key(row), series.value(row));
                match last {
                    Some((known, is_within)) if known == place => is_within,
                    _ => {
                        let name = place.0.map_or("", |key| texts.value(key));
                        let is_within = span.contains(name, place.1);
                        last = Some((place, is_within));
                        is_within
                    }
                }
            });
            Ok(found.collect::<Vec<bool>>().into())
        };
        Box::new(ArrowPredicateFn::new(projection, find))
    }
}

/// The rows of a time.
pub(super) struct TimeFilter;

impl TimeFilter {
    pub(super) fn of(projection: ProjectionMask, (from_us, to_us): (i64, i64)) -> Box<dyn ArrowPredicate> {
        let find = move |batch: RecordBatch| {
            let times = column(&batch, columns::TS)?.as_primitive_opt::<TimestampMicrosecondType>();
            let missing = || ArrowError::SchemaError("the times are none".to_owned());
            let times = times.ok_or_else(missing)?.values().iter();
            Ok(times.map(|at_us| (from_us..=to_us).contains(at_us)).collect::<Vec<bool>>().into())
        };
        Box::new(ArrowPredicateFn::new(projection, find))
    }
}
