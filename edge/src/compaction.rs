//! Who merges the segments of tenants.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::Clock;
use object_store::ObjectStore;
use objects::{Counts, Instrumented};
use store::{CompactSettings, Compactor, RETENTION_MIN, Stream, Tenant};

use crate::Storage;
use crate::storage::identity;

/// Who merges the segments of a tenant: one for each stream, which work under one identity.
#[derive(Debug)]
pub struct Compaction {
    /// One for each stream.
    pub streams: Vec<StreamCompaction>,
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

impl Retention {
    /// How long exemplars are kept, which are of both: no longer than either.
    fn of_exemplars(&self, tenant: &Tenant) -> Option<Duration> {
        [&self.pushes, &self.samples].into_iter().filter_map(|retention| retention.of(tenant)).min()
    }
}

/// Of which tenant something is kept for how long; without a tenant, of all others. As text `90d`, or `TENANT=90d`; 0 is for
/// ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    tenant: Option<String>,
    /// `None`: for ever.
    duration: Option<Duration>,
}

impl FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tenant, kept) = text.split_once('=').map_or((None, text), |(tenant, kept)| (Some(tenant), kept));
        let no_duration = || format!("{kept:?} is no duration: expected one of at least 2d, or 0 for ever");
        let ms = if kept == "0" { 0 } else { model::duration::parse(kept).map_err(|_| no_duration())? };
        let duration = Duration::from_millis(u64::try_from(ms).map_err(|_| no_duration())?);
        if !duration.is_zero() && duration < RETENTION_MIN {
            return Err(format!(
                "{kept:?} is too short: what is stored is kept for at least 2d, or for ever with 0"
            ));
        }
        let duration = Some(duration).filter(|kept| !kept.is_zero());
        Ok(Self { tenant: tenant.map(str::to_owned), duration })
    }
}

impl FromIterator<Kept> for StreamRetention {
    fn from_iter<I: IntoIterator<Item = Kept>>(all: I) -> Self {
        let mut retention = Self::default();
        for Kept { tenant, duration } in all {
            match tenant {
                Some(tenant) => drop(retention.of_tenants.insert(tenant, duration)),
                None => retention.usual = duration,
            }
        }
        retention
    }
}

type NewCompactor = fn(Arc<dyn ObjectStore>, Stream, CompactSettings, Arc<dyn Clock>) -> Compactor;

impl Compaction {
    /// Of the tenant of a storage. The holder in the settings does not count: one is drawn.
    fn of(
        storage: &Storage,
        store: &Arc<dyn ObjectStore>,
        settings: &CompactSettings,
        retention: &Retention,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (holder, tenant) = (identity(), storage.tenant());
        let of = |name: &str, new: NewCompactor, stream, retention: Option<Duration>| {
            let settings = CompactSettings { holder, retention, ..settings.clone() };
            let compactor = new(Arc::clone(store), stream, settings, Arc::clone(clock));
            StreamCompaction { stream: format!("{tenant}/{name}"), compactor }
        };
        let streams = vec![
            of("pushes", Compactor::of_pushes, storage.pushes(), retention.pushes.of(tenant)),
            of("samples", Compactor::of_samples, storage.samples(), retention.samples.of(tenant)),
            of("exemplars", Compactor::of_samples, storage.exemplars(), retention.of_exemplars(tenant)),
        ];
        Self { streams }
    }
}

/// Who merges the segments of all tenants, those included that come later. Each keeps its identity, so that a lease that could not
/// be given back is its own the next time.
#[derive(Debug)]
pub struct Compactions {
    storage: Storage,
    settings: CompactSettings,
    retention: Retention,
    clock: Arc<dyn Clock>,
    /// What they ask the store goes through this.
    requests: Arc<Instrumented>,
    /// By tenant.
    known: Mutex<BTreeMap<String, Arc<Compaction>>>,
}

impl Compactions {
    /// Of a storage. The holder in the settings does not count: one is drawn for each tenant.
    pub fn new(
        storage: Storage,
        settings: CompactSettings,
        retention: Retention,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let requests = Arc::new(Instrumented::new(storage.store()));
        Self { storage, settings, retention, clock, requests, known: Mutex::default() }
    }

    /// One tenant's.
    pub fn of(&self, tenant: &Tenant) -> Arc<Compaction> {
        let made = || {
            let storage = self.storage.of_tenant(tenant.clone());
            let store: Arc<dyn ObjectStore> = Arc::clone(&self.requests) as _;
            Arc::new(Compaction::of(&storage, &store, &self.settings, &self.retention, &self.clock))
        };
        Arc::clone(self.lock().entry(tenant.to_string()).or_insert_with(made))
    }

    /// Those of all tenants of whom something is stored, in order of names.
    ///
    /// # Errors
    /// If tenants cannot be listed.
    pub async fn stored(&self) -> Result<Vec<Arc<Compaction>>, object_store::Error> {
        Ok(self.storage.tenants().await?.iter().map(|tenant| self.of(tenant)).collect())
    }

    /// Those that were asked for so far, in order of names.
    pub fn known(&self) -> Vec<Arc<Compaction>> {
        self.lock().values().cloned().collect()
    }

    /// Requests and bytes so far, of all of them.
    pub fn counts(&self) -> Counts {
        self.requests.counts()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Compaction>>> {
        // nothing in here panics between two changes that belong together
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_said_of_all_or_of_one_tenant() {
        let kept = |tenant: Option<&str>, days: Option<u64>| {
            let duration = days.map(|days| Duration::from_secs(days * 86_400));
            Ok(Kept { tenant: tenant.map(str::to_owned), duration })
        };
        assert_eq!("90d".parse(), kept(None, Some(90)));
        assert_eq!("team-a=2d".parse(), kept(Some("team-a"), Some(2)));
        assert_eq!("team-a=0".parse(), kept(Some("team-a"), None));
        let told = |text: &str| text.parse::<Kept>().expect_err("refused");
        assert!(told("1d23h").contains("at least 2d"));
        assert!(told("soon").contains("\"soon\" is no duration"));
    }

    #[test]
    fn exemplars_are_kept_no_longer_than_what_they_are_of() {
        let tenant = Tenant::default();
        let check = |pushes: &[&str], samples: &[&str], expect_days: Option<u64>| {
            let of = |all: &[&str]| all.iter().map(|kept| kept.parse::<Kept>().expect("parses")).collect();
            let retention = Retention { pushes: of(pushes), samples: of(samples) };
            let expect = expect_days.map(|days| Duration::from_secs(days * 86_400));
            assert_eq!(retention.of_exemplars(&tenant), expect, "{pushes:?} {samples:?}");
        };
        check(&[], &[], None);
        check(&["90d"], &[], Some(90));
        check(&["90d"], &["30d"], Some(30));
        check(&["90d", "default=10d"], &["30d"], Some(10));
        check(&["0"], &["0"], None);
    }
}
