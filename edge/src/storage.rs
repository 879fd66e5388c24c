//! From a storage URL to writers and readers.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Push};
use object_store::ObjectStore;
use object_store::path::Path;
use objects::probe::ProbeError;
use objects::{Account, Counts, Instrumented, OpenError, Options, Retries};
use store::{
    Confined, Deleter, Entry, Inspector, LogError, LogSettings, Reader, ReaderSettings, SampleBatch, Source,
    Stream, Tenant, Writer, WriterSettings,
};

use crate::RuleState;

/// An opened storage URL, for one tenant.
#[derive(Clone, Debug)]
pub struct Storage {
    store: Arc<Instrumented>,
    prefix: Path,
    tenant: Tenant,
    description: String,
    own_folder: Option<PathBuf>,
    writers: WriterSettings,
    readers: ReaderSettings,
    retries: Retries,
}

/// When an answer says that an entry is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// It is in the object store.
    Stored,
    /// It is synced to a log on the local disk, and in the object store after about so long.
    Logged {
        /// So long.
        flush_interval: Duration,
    },
}

/// Why there is no writer.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The log cannot be used or replayed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A log needs a local disk.
    #[error("only a folder has a log: with other storage, what is acknowledged is stored")]
    NoFolder,
}

impl Storage {
    /// Opens a folder, `s3://BUCKET/PREFIX` (on the given endpoint, if it is not AWS) or `memory:`.
    ///
    /// # Errors
    /// If there is no such store, or it may not be used.
    pub async fn open(url: &str, s3_endpoint: Option<&str>) -> Result<Self, OpenError> {
        Self::open_as(url, s3_endpoint, Account::CHAIN).await
    }

    /// The same, with keys from elsewhere than the usual chain.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_as(url: &str, s3_endpoint: Option<&str>, account: Account) -> Result<Self, OpenError> {
        // whole, so that nothing refers to another account
        let s3_endpoint = s3_endpoint.map(str::to_owned);
        let options = Options { s3_endpoint, s3_region: None, s3_path_style: None, account };
        let opened = objects::open(url, &options).await?;
        Ok(Self {
            store: Arc::new(Instrumented::new(opened.store)),
            prefix: opened.prefix,
            tenant: Tenant::default(),
            description: opened.description,
            own_folder: opened.own_folder,
            writers: WriterSettings::of_writer(0),
            readers: ReaderSettings::default(),
            retries: opened.retries,
        })
    }

    /// The same, with these settings for its writers; each gets an identity of its own.
    #[must_use]
    pub fn with_writers(self, writers: WriterSettings) -> Self {
        Self { writers, ..self }
    }

    /// The same, with these settings for its readers.
    #[must_use]
    pub fn with_readers(self, readers: ReaderSettings) -> Self {
        Self { readers, ..self }
    }

    /// Proves that the store holds conditional puts, as all that Mayfly promises rests on them. A folder does by
    /// construction.
    ///
    /// # Errors
    /// If it does not, or cannot be reached or written.
    pub async fn prove(&self) -> Result<(), ProbeError> {
        if self.has_folder() {
            return Ok(());
        }
        objects::probe::conditional_put(&*self.store, &self.prefix).await
    }

    /// How often requests were tried again so far.
    pub fn retries(&self) -> u64 {
        self.retries.count()
    }

    /// Requests and bytes so far.
    pub fn counts(&self) -> Counts {
        self.store.counts()
    }

    /// Whether a log can be kept, which takes a local disk.
    pub fn has_folder(&self) -> bool {
        self.own_folder.is_some()
    }

    /// A writer of pushes with an identity of its own, and its task on the current runtime. What an earlier process left
    /// in the log is in the store when this returns.
    ///
    /// # Errors
    /// If there is to be a log and it cannot be used.
    pub async fn push_writer(&self, clock: Arc<dyn Clock>, ack: Ack) -> Result<Writer<Push>, WriterError> {
        self.writer(self.pushes(), "pushes", clock, ack).await
    }

    /// The same for samples.
    ///
    /// # Errors
    /// If there is to be a log and it cannot be used.
    pub async fn sample_writer(
        &self,
        clock: Arc<dyn Clock>,
        ack: Ack,
    ) -> Result<Writer<SampleBatch>, WriterError> {
        self.writer(self.samples(), "samples", clock, ack).await
    }

    /// The same for exemplars, which are written as [`SampleBatch::of_exemplars`] has them.
    ///
    /// # Errors
    /// If there is to be a log and it cannot be used.
    pub async fn exemplar_writer(
        &self,
        clock: Arc<dyn Clock>,
        ack: Ack,
    ) -> Result<Writer<SampleBatch>, WriterError> {
        self.writer(self.exemplars(), "exemplars", clock, ack).await
    }

    /// The same, for who acknowledges only what is in the object store, and does without all that keeps a log.
    pub fn stored_exemplar_writer(&self, clock: Arc<dyn Clock>) -> Writer<SampleBatch> {
        let settings = WriterSettings { writer: identity(), ..self.writers.clone() };
        Writer::start(Arc::clone(&self.store) as _, self.exemplars(), clock, settings)
    }

    async fn writer<E: Entry>(
        &self,
        stream: Stream,
        name: &str,
        clock: Arc<dyn Clock>,
        ack: Ack,
    ) -> Result<Writer<E>, WriterError> {
        let settings = WriterSettings { writer: identity(), ..self.writers.clone() };
        let store = Arc::clone(&self.store) as _;
        let Ack::Logged { flush_interval } = ack else {
            return Ok(Writer::start(store, stream, clock, settings));
        };
        let own = self.own_folder.as_ref().ok_or(WriterError::NoFolder)?;
        let folder = own.join(LOG).join(self.tenant.to_string()).join(name);
        let log = LogSettings { folder, flush_interval };
        let (writer, replayed) = Writer::start_logged(store, stream, clock, settings, log).await?;
        if replayed.entries > 0 {
            tracing::info!(stream = name, files = replayed.files, entries = replayed.entries, "log replayed");
        }
        for (path, offset) in replayed.damaged {
            tracing::error!(path = %path.display(), offset, "log damaged: what stood before is kept, the file is set aside");
        }
        Ok(writer)
    }

    /// A reader, which also sees what writers of this process hold that is not written yet.
    pub fn reader(&self, pushes: Option<&Writer<Push>>, samples: Option<&Writer<SampleBatch>>) -> Reader {
        Reader::new(
            Arc::clone(&self.store) as _,
            Source::new(self.pushes(), pushes),
            Source::new(self.samples(), samples),
            self.readers.clone(),
        )
        .with_exemplars(Source::new(self.exemplars(), None))
    }

    /// What a reader reads of exemplars that also sees what a writer of this process holds.
    pub fn exemplar_source(&self, writer: &Writer<SampleBatch>) -> Source<SampleBatch> {
        Source::new(self.exemplars(), Some(writer))
    }

    /// The tenants of whom something is stored, in order of names.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, object_store::Error> {
        let prefix = Some(&self.prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let found = self.store.list_with_delimiter(prefix).await?;
        let folders = found.common_prefixes.iter().filter_map(Path::filename);
        let folders = folders.filter(|name| *name != objects::probe::FOLDER);
        // what no tenant can be called is somebody else's
        let mut tenants: Vec<_> = folders.filter_map(|name| Tenant::new(name).ok()).collect();
        tenants.sort_by_key(ToString::to_string);
        Ok(tenants)
    }

    /// The tenants of whom something is in a log, in order of names: left behind by a process that ended, or held by one that runs.
    ///
    /// # Errors
    /// If the logs cannot be listed.
    pub fn logged_tenants(&self) -> io::Result<Vec<Tenant>> {
        let Some(own) = &self.own_folder else { return Ok(Vec::new()) };
        let mut logged = Vec::new();
        for (name, folder) in entries(&own.join(LOG))? {
            let Some(tenant) = name.to_str().and_then(|name| Tenant::new(name).ok()) else { continue };
            for (_, stream) in entries(&folder)? {
                let files = entries(&stream)?;
                if files.iter().any(|(_, file)| file.extension().is_some_and(|extension| extension == "log"))
                {
                    logged.push(tenant);
                    break;
                }
            }
        }
        logged.sort_by_key(ToString::to_string);
        Ok(logged)
    }

    /// The same storage for another tenant.
    #[must_use]
    pub fn of_tenant(&self, tenant: Tenant) -> Self {
        Self { tenant, ..self.clone() }
    }

    /// Whose data this is about.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Who looks at the streams of the tenant; each is called `tenant/stream`.
    pub fn inspectors(&self) -> [(String, Inspector); 3] {
        let called = |name: &str| format!("{}/{name}", self.tenant);
        [
            (called("pushes"), Inspector::of_pushes(self.store(), self.pushes())),
            (called("samples"), Inspector::of_samples(self.store(), self.samples())),
            (called("exemplars"), Inspector::of_samples(self.store(), self.exemplars())),
        ]
    }

    /// Who deletes from the streams of the tenant.
    pub fn deleter(&self, clock: Arc<dyn Clock>) -> Deleter {
        Deleter::new(self.store(), self.pushes(), self.samples(), clock).with_exemplars(self.exemplars())
    }

    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store) as _
    }

    /// Where the state of alert rules is kept.
    pub fn rule_state(&self) -> RuleState {
        let (store, folder) = self.alerts();
        RuleState::new(store, folder.join("state.json"))
    }

    /// Where it is kept what is known of targets that are scraped now and then.
    pub fn scrape_state(&self) -> RuleState {
        let root = self.tenant.root(&self.prefix);
        let store = Confined::new(Arc::clone(&self.store) as _, root.clone());
        RuleState::new(Arc::new(store), root.join("scrape").join("state.json.zst"))
    }

    /// Where notifications keep what they remember: a store, and the folder in it.
    pub fn notifications(&self) -> (Arc<dyn ObjectStore>, Path) {
        let (store, folder) = self.alerts();
        (store, folder.join("notify"))
    }

    fn alerts(&self) -> (Arc<dyn ObjectStore>, Path) {
        let root = self.tenant.root(&self.prefix);
        let store = Confined::new(Arc::clone(&self.store) as _, root.clone());
        (Arc::new(store), root.join("alerts"))
    }

    pub(crate) fn pushes(&self) -> Stream {
        Stream::pushes(&self.prefix, &self.tenant)
    }

    pub(crate) fn exemplars(&self) -> Stream {
        Stream::exemplars(&self.prefix, &self.tenant)
    }

    pub(crate) fn samples(&self) -> Stream {
        Stream::samples(&self.prefix, &self.tenant)
    }
}

/// The folder of logs, by tenant and stream.
const LOG: &str = "log";

/// What is in a folder; nothing where there is no such folder.
fn entries(folder: &std::path::Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let read = match std::fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    read.map(|entry| entry.map(|entry| (entry.file_name(), entry.path()))).collect()
}

/// A number that no other writer, compactor or sender has: from the operating system, each time anew. What the process remembers is
/// no source: of a process in a snapshot there may be many copies.
///
/// # Panics
/// If the system has no random numbers, where nothing else works either.
pub fn identity() -> u64 {
    getrandom::u64().expect("the system has random numbers")
}

/// What to call it in logs.
impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.description)
    }
}
