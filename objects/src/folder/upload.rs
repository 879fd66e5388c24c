//! An object that arrives in parts: they are spooled to one temporary file, which becomes the object at the end.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path as Location;
use object_store::{MultipartUpload, PutMode, PutPayload, PutResult, Result, UploadPart};

use super::name::Name;
use super::scratch::Temp;
use super::write::Writer;
use super::{FolderError, blocking};

/// An upload under way. Dropping it leaves no trace.
#[derive(Debug)]
pub(super) struct Upload {
    location: Location,
    writer: Arc<Writer>,
    temp: Option<Arc<Temp>>,
    /// Where the next part begins.
    offset: u64,
}

impl Upload {
    pub(super) fn new(location: Location, writer: Arc<Writer>, temp: Temp) -> Self {
        Self { location, writer, temp: Some(Arc::new(temp)), offset: 0 }
    }

    fn over(location: &Location) -> object_store::Error {
        FolderError::UploadOver { location: location.to_string() }.into_store(location)
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let mut offset = self.offset;
        self.offset += payload.content_length() as u64;
        let location = self.location.clone();
        let temp = self.temp.clone().ok_or_else(|| Self::over(&location));
        Box::pin(async move {
            let temp = temp?;
            blocking(location.clone(), move || {
                for piece in &payload {
                    temp.write_at(piece, offset).map_err(|error| error.into_store(&location))?;
                    offset += piece.len() as u64;
                }
                Ok(())
            })
            .await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let temp = self.temp.take().ok_or_else(|| Self::over(&self.location))?;
        let (location, writer) = (self.location.clone(), Arc::clone(&self.writer));
        blocking(location.clone(), move || {
            let fail = |error: FolderError| error.into_store(&location);
            let temp = Arc::try_unwrap(temp)
                .map_err(|_| fail(FolderError::UploadBusy { location: location.to_string() }))?;
            let e_tag = temp.etag().map_err(fail)?;
            temp.sync().map_err(fail)?;
            let name = Name::new(&location).map_err(fail)?;
            writer.place(&location, &name, temp, &PutMode::Overwrite)?;
            Ok(PutResult { e_tag: Some(e_tag), version: None })
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        self.temp = None;
        Ok(())
    }
}
