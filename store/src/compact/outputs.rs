//! What is written: objects named by what they are made of, so that who makes them again finds them.

use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::merge::blocking;
use super::{CompactError, Compactor, Progress};
use crate::manifest::Object;
use crate::segment::{self, Segment};

impl Compactor {
    /// Writes a file, and gives what a manifest says of it.
    pub(super) async fn write_file(
        &self,
        name: String,
        segment: Segment,
        progress: &mut Progress,
    ) -> Result<Object, CompactError> {
        let paged_rows_min = self.settings.paged_rows_min;
        let encoded = blocking(move || {
            let bytes = segment::encode_paged(&segment, paged_rows_min)?;
            Ok::<_, segment::SegmentError>((segment, bytes))
        });
        let (segment, bytes) = encoded
            .await?
            .map_err(|error| CompactError::Encode { name: name.clone(), reason: error.to_string() })?;
        let series = &segment.series;
        let called = |series: &segment::SeriesRows| series.labels.metric_name().to_owned();
        let object = Object {
            bytes: bytes.len() as u64,
            checksum: segment::checksum(&bytes),
            footer_start: segment::footer_start(bytes.len() as u64, &bytes).unwrap_or(0),
            rows: segment.row_count() as u64,
            head_rows: (segment.row_count() - segment.rows.len()) as u64,
            series: series.len() as u64,
            times_us: segment.time_range().unwrap_or_default(),
            names: series.first().zip(series.last()).map(|(first, last)| (called(first), called(last))),
            deleted: 0,
            name,
        };
        self.write(&object.name, bytes, progress).await?;
        Ok(object)
    }

    /// Creates an object. One of this name was made of the same, so it is the same; that is looked at, not believed.
    pub(super) async fn write(
        &self,
        name: &str,
        bytes: Bytes,
        progress: &mut Progress,
    ) -> Result<(), CompactError> {
        let object = self.stream.below(name);
        progress.written_bytes += bytes.len() as u64;
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&object, bytes.clone().into(), create).await {
            Ok(_) => return Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(source) => return Err(CompactError::Store { object, source }),
        }
        let failed = |source| CompactError::Store { object: object.clone(), source };
        let found = self.store.get(&object).await.map_err(failed)?.bytes().await.map_err(failed)?;
        if found == bytes { Ok(()) } else { Err(CompactError::Differs(object)) }
    }
}
