//! From a storage URL to writers and readers.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use model::{Clock, Push};
use object_store::ObjectStore;
use object_store::path::Path;
use objects::{OpenError, Options};
use store::{Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};

use crate::RuleState;

/// An opened storage URL, for one tenant.
#[derive(Clone, Debug)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    tenant: Tenant,
    description: String,
}

impl Storage {
    /// Opens a folder, `s3://BUCKET/PREFIX` (on the given endpoint, if it is not AWS) or `memory:`.
    ///
    /// # Errors
    /// If there is no such store, or it may not be used.
    pub async fn open(url: &str, s3_endpoint: Option<&str>) -> Result<Self, OpenError> {
        #[expect(clippy::field_reassign_with_default, reason = "the options may grow")]
        let options = {
            let mut options = Options::default();
            options.s3_endpoint = s3_endpoint.map(str::to_owned);
            options
        };
        let opened = objects::open(url, &options).await?;
        Ok(Self {
            store: opened.store,
            prefix: opened.prefix,
            tenant: Tenant::default(),
            description: opened.description,
        })
    }

    /// A writer of pushes with an identity of its own, and its flusher on the current runtime.
    pub fn push_writer(&self, clock: Arc<dyn Clock>) -> Writer<Push> {
        Writer::start(Arc::clone(&self.store), self.pushes(), clock, WriterSettings::of_writer(identity()))
    }

    /// The same for samples.
    pub fn sample_writer(&self, clock: Arc<dyn Clock>) -> Writer<SampleBatch> {
        Writer::start(Arc::clone(&self.store), self.samples(), clock, WriterSettings::of_writer(identity()))
    }

    /// A reader, which also sees what writers of this process hold that is not written yet.
    pub fn reader(&self, pushes: Option<&Writer<Push>>, samples: Option<&Writer<SampleBatch>>) -> Reader {
        Reader::new(
            Arc::clone(&self.store),
            Source::new(self.pushes(), pushes),
            Source::new(self.samples(), samples),
            ReaderSettings::default(),
        )
    }

    /// Where the state of alert rules is kept.
    pub fn rule_state(&self) -> RuleState {
        let object = self.prefix.clone().join(self.tenant.to_string()).join("alerts").join("state.json");
        RuleState::new(Arc::clone(&self.store), object)
    }

    fn pushes(&self) -> Stream {
        Stream::pushes(&self.prefix, &self.tenant)
    }

    fn samples(&self) -> Stream {
        Stream::samples(&self.prefix, &self.tenant)
    }
}

/// A number that no other writer has: seeded by the operating system, anew for each.
fn identity() -> u64 {
    RandomState::new().hash_one("writer")
}

/// What to call it in logs.
impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.description)
    }
}
