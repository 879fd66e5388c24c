//! What is known about metric families.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Metadata, OPEN_END_MS, Stamp, Teller, Told};

use super::files::Streams;
use super::gather::Gathered;
use super::request::{Asks, Request};
use super::samples::Part;
use super::{Answer, ReadError, Reader};
use crate::fold::Heads;

/// What is known about families, in order of their names.
type Families = Vec<(Arc<str>, Vec<Told>)>;

impl Reader {
    /// Type, help and unit of every family that was ever pushed, as they were told last, and of families of samples as they were
    /// told last within a week; in order of names. Of a family that was pushed and has samples, both, if
    /// they differ; of what several have told, what each told, what is everybody's word before the rest.
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

/// What was told last, and when.
type Last<'a> = (Stamp, &'a Metadata);

fn families(streams: &Streams) -> Families {
    let mut gathered = Gathered::default();
    let mut heads = Heads::default();
    for segment in streams.pushes.frames.iter().chain(&streams.pushes.segments) {
        gathered.add_head(&mut heads, segment, OPEN_END_MS, |_| false);
    }
    let mut of_samples: BTreeMap<(&Arc<str>, Option<Teller>), Last<'_>> = BTreeMap::new();
    // of one stamp the later written counts, as of samples
    for description in
        streams.samples.iter().filter_map(Part::segment).flat_map(|segment| &segment.descriptions)
    {
        let key = (&description.family, description.told_by);
        let told = of_samples.get(&key).map(|(stamp, _)| stamp.at_us);
        if told.is_none_or(|told_us| told_us <= description.stamp.at_us) {
            of_samples.insert(key, (description.stamp, &description.metadata));
        }
    }
    let mut known: BTreeMap<Arc<str>, Vec<Told>> = BTreeMap::new();
    let pushed = gathered.descriptions.iter().map(|told| (&told.family, told.told_by, &told.metadata));
    let sampled = of_samples.into_iter().map(|((family, by), (_, metadata))| (family, by, metadata));
    for (family, by, metadata) in pushed.chain(sampled) {
        let (of_family, told) =
            (known.entry(Arc::clone(family)).or_default(), Told { metadata: metadata.clone(), by });
        if !of_family.contains(&told) {
            of_family.push(told);
        }
    }
    known.values_mut().for_each(|of_family| of_family.sort_by_key(|told| told.by));
    known.into_iter().collect()
}
