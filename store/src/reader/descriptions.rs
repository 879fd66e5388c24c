//! What is known about metric families.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Metadata, OPEN_END_MS, Stamp};

use super::files::Streams;
use super::gather::Gathered;
use super::request::{Asks, Request};
use super::{Answer, ReadError, Reader};
use crate::fold::Heads;

/// What is known about families, in order of their names.
type Families = Vec<(Arc<str>, Vec<Metadata>)>;

impl Reader {
    /// Type, help and unit of every family that was ever pushed, as they were told last, and of families of samples as they were
    /// told last within a week; in order of names. Of a family that was pushed and has samples, both, if they differ.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn descriptions(&self) -> Result<Answer<Families>, ReadError> {
        // heads alone tell: no row is asked for
        let request = Request {
            matching: Vec::new(),
            values: false,
            asks: Asks::Families,
            ..Request::all_pushed(OPEN_END_MS)
        };
        self.answer(request, |streams| families(&streams)).await
    }
}

fn families(streams: &Streams) -> Families {
    let mut gathered = Gathered::default();
    let mut heads = Heads::default();
    for segment in streams.pushes.frames.iter().chain(&streams.pushes.segments) {
        gathered.add_head(&mut heads, segment, OPEN_END_MS, |_| false);
    }
    let mut of_samples: BTreeMap<&Arc<str>, (Stamp, &Metadata)> = BTreeMap::new();
    // of one stamp the later written counts, as of samples
    for description in streams.samples.iter().flat_map(|segment| &segment.descriptions) {
        let told = of_samples.get(&description.family).map(|(stamp, _)| stamp.at_us);
        if told.is_none_or(|told_us| told_us <= description.stamp.at_us) {
            of_samples.insert(&description.family, (description.stamp, &description.metadata));
        }
    }
    let mut known: BTreeMap<Arc<str>, Vec<Metadata>> = BTreeMap::new();
    for (family, (_, metadata)) in gathered.descriptions {
        known.insert(family, vec![metadata]);
    }
    for (family, (_, metadata)) in of_samples {
        let of_family = known.entry(Arc::clone(family)).or_default();
        if !of_family.contains(metadata) {
            of_family.push(metadata.clone());
        }
    }
    known.into_iter().collect()
}
