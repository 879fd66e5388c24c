//! One segment: encoded, named, put.

use std::sync::Arc;

use bytes::Bytes;
use model::AnswerTime;
use object_store::path::Path;
use object_store::{Extensions, GetOptions, ObjectStore, PutMode, PutOptions};

use super::{SegmentId, WriteError};
use crate::entry::Entry;
use crate::layout::{SegmentName, Stream};
use crate::segment;
use crate::tail::Stamped;

/// What has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) object: Path,
    pub(crate) bytes: usize,
    pub(crate) rows: usize,
}

/// Writes entries of one writer, given in stamp order, as one segment. The same entries under the same number become the
/// same object, so whoever does not know whether it worked may do it again. `answer` gets the time of the store's answer.
pub(crate) async fn write_segment<E: Entry>(
    store: &dyn ObjectStore,
    stream: &Stream,
    id: SegmentId,
    entries: Vec<Arc<Stamped<E>>>,
    answer: AnswerTime,
) -> Result<Written, WriteError> {
    let SegmentId { writer, number, again_since } = id;
    let encoded = tokio::task::spawn_blocking(move || -> Result<_, segment::SegmentError> {
        let segment = E::segment(writer, &entries);
        let bytes = segment::encode(&segment)?;
        let stamped_us = entries.first().map_or(0, |first| first.stamp.at_us);
        // what says nothing still has its place in time
        let (from_us, to_us) = segment.time_range().unwrap_or((stamped_us, stamped_us));
        let rows = segment.row_count();
        let checksum = segment::checksum(&bytes);
        let rows_told = rows as u64;
        let name = SegmentName {
            stamped_us,
            writer,
            number,
            from_us,
            to_us,
            rows: rows_told,
            checksum,
            again_since,
        };
        Ok((name, bytes, rows))
    });
    let (name, bytes, rows) = match encoded.await {
        Ok(encoded) => encoded.map_err(|error| WriteError::Encode(Arc::new(error)))?,
        // the runtime is going down
        Err(_) => return Err(WriteError::Closed),
    };
    let object = stream.segment(&name);
    let length = bytes.len();
    match put(store, &object, bytes, answer).await {
        Ok(()) => Ok(Written { object, bytes: length, rows }),
        Err(reason) => Err(WriteError::Unavailable { object, reason: Arc::new(reason) }),
    }
}

/// Creates the object. That one of this name is there already can only be the work of an earlier attempt of the same PUT
/// whose answer was lost; it is read back, not believed.
async fn put(
    store: &dyn ObjectStore,
    object: &Path,
    bytes: Bytes,
    answer: AnswerTime,
) -> Result<(), object_store::Error> {
    let mut extensions = Extensions::new();
    extensions.insert(answer);
    let create =
        PutOptions { mode: PutMode::Create, extensions: extensions.clone(), ..PutOptions::default() };
    match store.put_opts(object, bytes.clone().into(), create).await {
        Ok(_) => Ok(()),
        Err(error @ object_store::Error::AlreadyExists { .. }) => {
            let found = store.get_opts(object, GetOptions { extensions, ..GetOptions::default() }).await?;
            let found = found.bytes().await?;
            if found == bytes { Ok(()) } else { Err(error) }
        }
        Err(error) => Err(error),
    }
}
