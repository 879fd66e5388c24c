//! What OpenTelemetry exports, to what is to be added.

use std::sync::{Arc, Mutex, PoisonError};

use gateway::{Adds, Taker as _};
use ingest::ExportTaker;
use model::Labels;
use wire::Family;
use wire::otlp::{Export, Resource};
use wire::remote_write::Faults;

use crate::counted::Counted;
use crate::function::Function;
use crate::outbox::Outbox;

/// Metrics of which it is remembered what they were: their labels and values take a few megabytes.
const SERIES_MAX: usize = 10_000;

/// Takes exports.
#[derive(Debug)]
pub(crate) struct Otlp {
    outbox: Arc<Outbox>,
    /// The job of a resource without a name.
    job: String,
    labels: Labels,
    counted: Mutex<Counted>,
}

impl Otlp {
    pub(crate) fn new(outbox: Arc<Outbox>, function: &Function) -> Self {
        let counted = Mutex::new(Counted::new(SERIES_MAX));
        Self { outbox, job: function.name.clone(), labels: function.labels(), counted }
    }

    fn resource(&self, resource: Resource, faults: &mut Faults) {
        let Resource { identity, info, cumulative, delta } = resource;
        let mut group = identity.to_builder();
        if identity.get("job").is_none() {
            group.set("job", self.job.as_str());
        }
        let group = group.build();
        let mut families = delta;
        {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            for mut family in cumulative {
                let left_out = counted.increments(&group, &mut family);
                self.outbox.left_out(left_out);
                for _ in 0..left_out {
                    let fault =
                        || format!("metric {:?}: more than {SERIES_MAX} metrics are counted", family.name);
                    faults.add(fault);
                }
                families.push(family);
            }
        }
        families.retain(|family| !family.metrics.is_empty());
        if families.is_empty() {
            return;
        }
        families.extend(info);
        for family in &mut families {
            prepare(family, &identity);
        }
        let metrics = families.iter().map(|family| family.metrics.len()).sum::<usize>();
        if let Err(full) = self.outbox.add(Adds::of(&group, families, &self.labels)) {
            (0..metrics).for_each(|_| faults.add(|| full.to_string()));
        }
    }
}

/// A metric without what its group says already, and without a time: what is pushed counts when it arrives.
fn prepare(family: &mut Family, identity: &Labels) {
    for metric in &mut family.metrics {
        (metric.timestamp_ms, metric.created_ms) = (None, None);
        metric.labels.retain(|(name, _)| identity.get(name).is_none());
    }
}

impl ExportTaker for Otlp {
    fn take(&self, export: Export) -> Faults {
        let Export { resources, mut faults } = export;
        resources.into_iter().for_each(|resource| self.resource(resource, &mut faults));
        faults
    }
}
