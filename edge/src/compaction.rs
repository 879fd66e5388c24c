//! Who merges the segments of a tenant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use object_store::ObjectStore;
use objects::{Counts, Instrumented};
use store::{CompactSettings, Compactor, Stream, Tenant};

use crate::Storage;
use crate::storage::identity;

/// Who merges the segments of a tenant: one for each stream, which work under one identity and count their requests together.
#[derive(Debug)]
pub struct Compaction {
    /// One for each stream.
    pub streams: Vec<StreamCompaction>,
    requests: Instrumented,
}

/// Who merges the segments of one stream.
#[derive(Debug)]
pub struct StreamCompaction {
    /// What to call it: `tenant/stream`.
    pub stream: String,
    /// Who does it.
    pub compactor: Compactor,
}

/// How long what is stored is kept, by stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of what was pushed.
    pub pushes: StreamRetention,
    /// Of samples.
    pub samples: StreamRetention,
}

/// How long a stream is kept; `None`: for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRetention {
    /// Of tenants of whom nothing else is said.
    pub usual: Option<Duration>,
    /// Of some tenants, by name.
    pub of_tenants: BTreeMap<String, Option<Duration>>,
}

impl StreamRetention {
    fn of(&self, tenant: &Tenant) -> Option<Duration> {
        self.of_tenants.get(&tenant.to_string()).copied().unwrap_or(self.usual)
    }
}

type NewCompactor = fn(Arc<dyn ObjectStore>, Stream, CompactSettings, Arc<dyn Clock>) -> Compactor;

impl Compaction {
    /// Of the tenant of a storage. The holder in the settings does not count: one is drawn.
    pub fn of(
        storage: &Storage,
        settings: &CompactSettings,
        retention: &Retention,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (holder, requests) = (identity(), Instrumented::new(storage.store()));
        let (store, tenant): (Arc<dyn ObjectStore>, _) = (Arc::new(requests.clone()), storage.tenant());
        let of = |name: &str, new: NewCompactor, stream, retention: &StreamRetention| {
            let settings = CompactSettings { holder, retention: retention.of(tenant), ..settings.clone() };
            let compactor = new(Arc::clone(&store), stream, settings, Arc::clone(clock));
            StreamCompaction { stream: format!("{tenant}/{name}"), compactor }
        };
        let streams = vec![
            of("pushes", Compactor::of_pushes, storage.pushes(), &retention.pushes),
            of("samples", Compactor::of_samples, storage.samples(), &retention.samples),
        ];
        Self { streams, requests }
    }

    /// Requests and bytes so far.
    pub fn counts(&self) -> Counts {
        self.requests.counts()
    }
}
