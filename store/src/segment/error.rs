//! Why a file is no segment.

use parquet::errors::ParquetError;

/// Why a segment could not be encoded or read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The bytes are not those that were written.
    #[error("damaged: its checksum is {found:016x}, and its name says {expected:016x}")]
    Checksum {
        /// Of the bytes.
        found: u64,
        /// In the name.
        expected: u64,
    },
    /// The bytes are no Parquet file, or a damaged one.
    #[error("not readable as Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// Arrays do not fit together.
    #[error("rows do not fit the schema: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A Parquet file that Mayfly has not written.
    #[error("not a segment: the file has no {0:?} in its metadata")]
    Foreign(&'static str),
    /// A file from a later version.
    #[error("format {found} is newer than {supported}, the newest that this version reads: upgrade Mayfly")]
    Newer {
        /// The file's version.
        found: u32,
        /// What this code reads.
        supported: u32,
    },
    /// A column that must be there is not, or is of another type.
    #[error("column {0} is missing or of another type than the format says")]
    Column(String),
    /// A value that the format does not know.
    #[error("row {row}: {what} {value:?} is not known to format {FORMAT}", FORMAT = super::FORMAT)]
    Value {
        /// Counted from 0 in the file.
        row: usize,
        /// What kind of value.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// A text is longer than a file can say.
    #[error("a text of {bytes} bytes is longer than a segment can hold")]
    Text {
        /// Its length.
        bytes: usize,
    },
    /// A page could not be compressed.
    #[error("a page could not be compressed: {0}")]
    Compress(#[from] std::io::Error),
    /// The checks of a file that is read in parts do not fit it.
    #[error("the checks of its pages do not fit its pages")]
    Unsealed,
    /// A page is not what was written.
    #[error("damaged: the page at byte {offset} does not have the checksum that the footer says")]
    Page {
        /// Where it begins.
        offset: u64,
    },
    /// The decoder gave up.
    #[error("not readable as Parquet: the decoder panicked")]
    Panic,
}
