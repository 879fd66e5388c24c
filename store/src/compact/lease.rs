//! Who works on a stream.

use super::{CompactError, Compactor};
use crate::manifest::{Lease, Loaded, Manifest};

impl Compactor {
    /// Takes the lease, or keeps it; `None`: somebody else has it.
    pub(super) async fn take_lease(
        &self,
        loaded: &Loaded,
        now_us: i64,
    ) -> Result<Option<Loaded>, CompactError> {
        let found = &loaded.manifest.lease;
        let until_us = now_us.saturating_add(micros(self.settings.lease));
        let is_ours = found.holder == self.settings.holder;
        if !is_ours && found.holder != 0 && found.until_us > now_us {
            return Ok(None);
        }
        let number = if is_ours { found.number } else { found.number + 1 };
        let lease = Lease { holder: self.settings.holder, number, until_us };
        let manifest = Manifest { lease, ..Manifest::clone(&loaded.manifest) };
        match self.commit(loaded, manifest, None).await {
            Ok(taken) => Ok(Some(taken)),
            // somebody was faster
            Err(CompactError::Conflict(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
