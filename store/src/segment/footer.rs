//! What the footer of a file says about it.

use parquet::file::metadata::ParquetMetaData;

use super::columns;
use super::{FORMAT, SegmentError};

/// What the footer says.
#[derive(Clone, Debug)]
pub(super) struct Footer {
    pub(super) format: u32,
    pub(super) writer: u64,
    pub(super) aggregates: bool,
    pub(super) collision: bool,
    pub(super) head_rows: usize,
    /// How many series stand in the rows after the head, if it says so.
    pub(super) series: Option<usize>,
    /// The labels that stand in the map.
    pub(super) map_names: Vec<String>,
}

impl Footer {
    /// Refuses what is no segment and what is newer.
    pub(super) fn read(metadata: &ParquetMetaData) -> Result<Self, SegmentError> {
        let note = |key: &'static str| note(metadata, key).ok_or(SegmentError::Foreign(key));
        let format: u32 =
            note(columns::KEY_FORMAT)?.parse().map_err(|_| SegmentError::Foreign(columns::KEY_FORMAT))?;
        if format > FORMAT {
            return Err(SegmentError::Newer { found: format, supported: FORMAT });
        }
        if note(columns::KEY_FINGERPRINT)? != columns::FINGERPRINT {
            return Err(SegmentError::Foreign(columns::KEY_FINGERPRINT));
        }
        let writer = u64::from_str_radix(note(columns::KEY_WRITER)?, 16);
        let head_rows = note(columns::KEY_HEAD_ROWS)?.parse();
        Ok(Self {
            format,
            writer: writer.map_err(|_| SegmentError::Foreign(columns::KEY_WRITER))?,
            aggregates: note(columns::KEY_AGGREGATES)? == "true",
            collision: note(columns::KEY_COLLISION)? == "true",
            head_rows: head_rows.map_err(|_| SegmentError::Foreign(columns::KEY_HEAD_ROWS))?,
            series: self::note(metadata, columns::KEY_SERIES).and_then(|series| series.parse().ok()),
            map_names: note(columns::KEY_MAP_NAMES)?.lines().map(str::to_owned).collect(),
        })
    }
}

/// One of the texts in the footer.
pub(super) fn note<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let notes = metadata.file_metadata().key_value_metadata();
    notes.into_iter().flatten().find(|note| note.key == key)?.value.as_deref()
}
