//! A body as it comes, and the memory that it takes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use access::{Grant, NoRoom, Place, Room, Unreceived};
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use tokio::time::timeout;
use wire::encoding::{self, Encoding, EncodingError};

use crate::error::IngestError;
use crate::settings::Settings;

/// What the request may do.
pub(crate) fn granted(request: &Request) -> Grant {
    request.extensions().get::<Grant>().cloned().unwrap_or_default()
}

/// A body as it was sent, and its place in the memory for such.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    place: Place,
}

/// What is inflated is counted so often: itself, and about what it becomes.
const INFLATED_TIMES: usize = 4;
/// JSON becomes more: a tree of texts.
const JSON_TIMES: usize = 16;

/// Bodies up to this size once they are inflated are decoded where they are received: it takes less than to hand them to another thread.
const DECODED_IN_PLACE_BYTES_MAX: usize = 8 << 10;
/// What gzip says of a size may be wrong: a body of so many bytes becomes a mebibyte at the most.
const GZIP_IN_PLACE_BYTES_MAX: usize = 1 << 10;

/// The whole body, within the limits on its size and its time, and what memory there is.
pub(crate) async fn receive(
    body: Body,
    settings: &Settings,
    room: &Arc<Room>,
) -> Result<Received, IngestError> {
    let (max, max_ms) = (settings.body_bytes_max, settings.body_timeout_ms);
    let received = timeout(Duration::from_millis(max_ms), room.receive(body, max)).await;
    let received = received.map_err(|_| IngestError::SlowBody { max_ms })?;
    let (bytes, place) = received.map_err(|error| match error {
        Unreceived::TooLarge => IngestError::TooLarge { max },
        Unreceived::NoRoom(full) => IngestError::NoRoom(full),
        Unreceived::Failed(error) => IngestError::Receive(error),
    })?;
    Ok(Received { bytes, place })
}

impl Received {
    /// Inflates it, where there is memory for that and for what it becomes.
    pub(crate) fn inflated(
        &mut self,
        encoding: Encoding,
        is_json: bool,
        bytes_max: usize,
    ) -> Result<Cow<'_, [u8]>, IngestError> {
        let Self { bytes, place } = self;
        let times = if is_json { JSON_TIMES } else { INFLATED_TIMES };
        let mut no_room = None;
        let takes = |bytes: usize| match place.grow(bytes.saturating_mul(times)) {
            Ok(()) => true,
            Err(full) => {
                no_room = Some(full);
                false
            }
        };
        encoding::inflate_within(encoding, bytes, bytes_max, takes).map_err(|error| refused(error, no_room))
    }

    /// The same of Snappy's block format.
    pub(crate) fn inflated_block(&mut self, bytes_max: usize) -> Result<Vec<u8>, IngestError> {
        let length = encoding::snappy_block_length(&self.bytes).unwrap_or_default();
        if length <= bytes_max {
            self.place.grow(length.saturating_mul(INFLATED_TIMES))?;
        }
        Ok(encoding::snappy_block(&self.bytes, bytes_max)?)
    }

    /// Whether it is decoded in less time than it takes to hand it to another thread.
    fn is_small(&self, compression: Compression) -> bool {
        let length = self.bytes.len();
        let inflated = match compression {
            Compression::Block => encoding::snappy_block_length(&self.bytes).unwrap_or_default(),
            Compression::Of(Encoding::Gzip) if length > GZIP_IN_PLACE_BYTES_MAX => return false,
            Compression::Of(Encoding::SnappyFramed) => return false,
            Compression::Of(_) => length,
        };
        length <= DECODED_IN_PLACE_BYTES_MAX && inflated <= DECODED_IN_PLACE_BYTES_MAX
    }

    /// What `decode` makes of it. A large one does not keep others waiting meanwhile.
    pub(crate) async fn decoded<T: Send + 'static>(
        mut self,
        compression: Compression,
        decode: impl FnOnce(&mut Self) -> Result<T, IngestError> + Send + 'static,
    ) -> Result<T, IngestError> {
        if self.is_small(compression) {
            return decode(&mut self);
        }
        let decode = move || decode(&mut self);
        tokio::task::spawn_blocking(decode).await.map_err(|_| IngestError::Interrupted)?
    }
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compression {
    /// As its headers say.
    Of(Encoding),
    /// In Snappy's block format.
    Block,
}

fn refused(error: EncodingError, no_room: Option<NoRoom>) -> IngestError {
    no_room.map_or_else(|| error.into(), IngestError::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(bytes: &[u8], room: &Arc<Room>) -> Received {
        Received { bytes: Bytes::copy_from_slice(bytes), place: room.place() }
    }

    #[test]
    fn what_is_inflated_counts_with_what_it_becomes() {
        let room = Room::new(10_000);
        let mut other = room.place();
        other.grow(1).expect("there is room");
        let plain = vec![b'x'; 2_000];
        let mut whole = received(&plain, &room);
        assert_eq!(whole.inflated(Encoding::Identity, false, 2_000).expect("is inflated").len(), 2_000);
        assert_eq!(room.taken(), 8_001);
        drop(whole);
        let refused = |error: IngestError| error.limit() == Some("received_bytes_max");
        let json = received(&plain, &room).inflated(Encoding::Identity, true, 2_000).map(|_| ());
        assert!(json.is_err_and(refused));
        let packed = wire::encoding::gzip(&plain);
        assert!(
            received(&packed, &room).inflated(Encoding::Gzip, false, 1 << 20).map(|_| ()).is_err_and(refused)
        );
        let block = snap::raw::Encoder::new().compress_vec(&vec![b'x'; 2_500]).expect("packs");
        assert!(received(&block, &room).inflated_block(1 << 20).is_err_and(refused));
        assert_eq!(room.taken(), 1);
        assert_eq!(
            received(&block, &room).inflated_block(2_499).map_err(|error| error.limit()),
            Err(Some("inflated_body_bytes_max"))
        );
    }

    #[test]
    fn what_is_small_inflated_is_decoded_in_place() {
        let room = Room::new(1);
        let check = |bytes: &[u8], compression: Compression, expect: bool| {
            assert_eq!(
                received(bytes, &room).is_small(compression),
                expect,
                "{compression:?} {}",
                bytes.len()
            );
        };
        let plain = Compression::Of(Encoding::Identity);
        check(&[0; 8 << 10], plain, true);
        check(&[0; (8 << 10) + 1], plain, false);
        let block = |size: usize| snap::raw::Encoder::new().compress_vec(&vec![0; size]).expect("packs");
        check(&block(8 << 10), Compression::Block, true);
        check(&block((8 << 10) + 1), Compression::Block, false);
        let gzip = Compression::Of(Encoding::Gzip);
        check(&[0; 1 << 10], gzip, true);
        check(&[0; (1 << 10) + 1], gzip, false);
    }
}
