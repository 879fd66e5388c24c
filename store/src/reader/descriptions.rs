//! What is known about metric families.

use std::sync::Arc;

use model::{Metadata, OPEN_END_MS};

use super::gather::Gathered;
use super::request::Request;
use super::{Answer, ReadError, Reader};
use crate::fold::Heads;

impl Reader {
    /// Type, help and unit of every family that was ever pushed, as they were told last; in order of names.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn descriptions(&self) -> Result<Answer<Vec<(Arc<str>, Metadata)>>, ReadError> {
        // heads alone tell: no row is asked for
        let request = Request { matching: Vec::new(), values: false, ..Request::all_pushed(OPEN_END_MS) };
        self.answer(request, |streams| {
            let mut gathered = Gathered::default();
            let mut heads = Heads::default();
            for segment in streams.pushes.frames.iter().chain(&streams.pushes.segments) {
                gathered.add_head(&mut heads, segment, OPEN_END_MS, |_| false);
            }
            let told = gathered.descriptions.into_iter().map(|(family, (_, metadata))| (family, metadata));
            let mut told: Vec<_> = told.collect();
            told.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            told
        })
        .await
    }
}
