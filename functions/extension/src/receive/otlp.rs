//! What OpenTelemetry exports, to what is to be added.

use std::sync::{Arc, Mutex, PoisonError};

use gateway::Adds;
use ingest::ExportTaker;
use model::Labels;
use wire::Family;
use wire::otlp::{Export, Resource};
use wire::remote_write::Faults;

use crate::counted::{Counted, Seen};
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
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = Seen::default();
        for mut family in cumulative {
            let left_out = counted.increments(&group, &mut family, &mut seen);
            self.outbox.left_out(left_out);
            for _ in 0..left_out {
                let fault =
                    || format!("metric {:?}: more than {SERIES_MAX} metrics are counted", family.name);
                faults.add(fault);
            }
            families.push(family);
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
        match self.outbox.take(Adds::of(&group, families, &self.labels)) {
            Ok(()) => counted.remember(seen),
            Err(full) => {
                // what was counted since a start is in the next export, too
                self.outbox.left_out(metrics - seen.len());
                (0..metrics).for_each(|_| faults.add(|| full.to_string()));
            }
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

#[cfg(test)]
mod tests {
    use edge::SystemClock;
    use model::MetricType;
    use wire::{Metric, MetricValue};

    use super::*;
    use crate::stats::Stats;

    fn otlp(bytes_max: usize) -> (Otlp, Arc<Outbox>, Arc<Stats>) {
        let stats = Arc::new(Stats::default());
        let outbox = Arc::new(Outbox::new(bytes_max, None, false, Arc::new(SystemClock), Arc::clone(&stats)));
        let function = Function { name: "f".into(), version: "1".into(), region: "r".into() };
        (Otlp::new(Arc::clone(&outbox), &function), outbox, stats)
    }

    fn export(name: &str, values: &[f64]) -> Export {
        let metric = |(place, value): (usize, &f64)| {
            Metric::new(vec![("n".into(), place.to_string().into())], MetricValue::Counter(*value))
        };
        let metrics = values.iter().enumerate().map(metric).collect();
        let family = Family { name: name.into(), r#type: MetricType::Counter, metrics, ..Family::default() };
        let identity = Labels::from_pairs([("job", "j")]);
        let resource = Resource { identity, info: None, cumulative: vec![family], delta: Vec::new() };
        Export { resources: vec![resource], faults: Faults::default() }
    }

    /// What the next batch adds to a counter; the batch is taken.
    fn added(outbox: &Outbox) -> f64 {
        let batch = outbox.next_batch().expect("a batch");
        let json: serde_json::Value = serde_json::from_slice(&batch.body).expect("JSON");
        let request = &json["requests"][0];
        let body = match (request["body"].as_str(), request["body_base64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, text) => base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text.expect("a body"))
                .expect("base64"),
        };
        outbox.settle(&batch, |_| crate::outbox::Outcome::Taken);
        let families = wire::protobuf::parse(&body, &wire::Limits::default()).expect("protobuf");
        match families[0].metrics[0].value {
            MetricValue::Counter(value) => value,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_finds_no_room_is_in_what_the_next_export_adds() {
        let (otlp, outbox, stats) = otlp(2_500);
        assert!(otlp.take(export("runs", &[5.0])).is_empty());
        assert_eq!(added(&outbox), 5.0);
        // another one takes all the room
        assert!(otlp.take(export("others", &[1.0; 6])).is_empty());
        assert!(!otlp.take(export("runs", &[7.0])).is_empty());
        assert_eq!(stats.dropped(), 0);
        added(&outbox);
        assert!(otlp.take(export("runs", &[8.0])).is_empty());
        assert_eq!(added(&outbox), 3.0);
    }

    #[test]
    fn what_is_more_than_can_be_counted_is_told_and_counted() {
        let (otlp, _, stats) = otlp(64 << 20);
        let faults = otlp.take(export("many", &vec![1.0; SERIES_MAX + 3]));
        assert_eq!((faults.len(), stats.dropped()), (3, 3));
    }
}
