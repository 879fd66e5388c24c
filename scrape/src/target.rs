//! From what was discovered to who is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::ScrapeConfig;
use model::{Labels, Metadata};
use tokio::sync::Mutex as AsyncMutex;
use xxhash_rust::xxh3::xxh3_64;

use crate::memory::Memory;
use crate::saved::{SavedSeries, SavedTarget};

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM: &str = "__param_";
const META: &str = "__meta_";
const RESERVED: &str = "__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";

/// Who is asked.
#[derive(Debug)]
pub struct Target {
    /// What was discovered, with the defaults of the job.
    pub discovered: Labels,
    /// What its samples are given.
    pub labels: Labels,
    /// All that is left of relabelling.
    pub(crate) whole: Labels,
    /// What is asked.
    pub url: String,
    /// From one scrape to the next.
    pub interval_ms: i64,
    /// How long one may take.
    pub timeout_ms: i64,
    /// Held while it is scraped: the series that it had.
    pub(crate) memory: Arc<AsyncMutex<Memory>>,
    status: Mutex<TargetStatus>,
}

/// How a target does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetStatus {
    /// Whether the last scrape was well.
    pub health: Health,
    /// Why not; else empty.
    pub last_error: String,
    /// When the last scrape began; `None` before the first.
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    pub last_duration_us: i64,
    /// What its last page told of families.
    pub families: Arc<Vec<(Arc<str>, Metadata)>>,
}

/// Whether a target is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not scraped yet.
    #[default]
    Unknown,
    /// It is.
    Up,
    /// It is not.
    Down,
}

impl Health {
    /// As Prometheus says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Labels of which no target can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nobody knows where it is.
    #[error("no address")]
    NoAddress,
    /// Its address has a path.
    #[error("{0:?} is not a valid hostname")]
    Address(String),
    /// A time that relabelling made is none.
    #[error("error parsing scrape {0}: {1}")]
    Time(&'static str, String),
    /// A time that relabelling made is 0.
    #[error("scrape {0} cannot be 0")]
    Zero(&'static str),
    /// It may take longer than until the next one.
    #[error("scrape timeout cannot be greater than scrape interval ({timeout:?} > {interval:?})")]
    Timeout {
        /// The timeout.
        timeout: String,
        /// The interval.
        interval: String,
    },
}

/// What becomes of labels that were discovered.
pub(crate) enum Populated {
    Active(Box<Target>),
    Dropped(Labels),
}

/// What relabelling makes of labels under a job's rules.
pub(crate) fn populate(job: &ScrapeConfig, discovered: &Labels) -> Result<Populated, TargetError> {
    let mut given = discovered.to_builder();
    let times = [job.interval_ms, job.timeout_ms].map(model::duration::format);
    let [interval, timeout] = &times;
    for (name, value) in
        [(JOB, &job.name), (INTERVAL, interval), (TIMEOUT, timeout), (PATH, &job.path), (SCHEME, &job.scheme)]
    {
        if discovered.get(name).is_none() {
            given.set(name, value.as_str());
        }
    }
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            given.set(format!("{PARAM}{name}"), first.as_str());
        }
    }
    let discovered = given.build();
    let Some(kept) = relabel::apply(&job.relabel, &discovered) else {
        return Ok(Populated::Dropped(discovered));
    };
    let get = |name: &str| kept.get(name).unwrap_or_default();
    let address = get(ADDRESS).to_owned();
    if address.is_empty() {
        return Err(TargetError::NoAddress);
    }
    if address.contains('/') {
        return Err(TargetError::Address(address));
    }
    let time = |what, name: &str| match model::duration::parse(get(name)) {
        Err(error) => Err(TargetError::Time(what, error.to_string())),
        Ok(0) => Err(TargetError::Zero(what)),
        Ok(ms) => Ok(ms),
    };
    let (interval_ms, timeout_ms) = (time("interval", INTERVAL)?, time("timeout", TIMEOUT)?);
    if timeout_ms > interval_ms {
        let (timeout, interval) = (get(TIMEOUT).to_owned(), get(INTERVAL).to_owned());
        return Err(TargetError::Timeout { timeout, interval });
    }
    let url = url(job, &kept, &address);
    let mut whole = kept.to_builder();
    whole.retain(|name| !name.starts_with(META));
    if kept.get(INSTANCE).is_none() {
        whole.set(INSTANCE, address);
    }
    let whole = whole.build();
    let mut labels = whole.to_builder();
    labels.retain(|name| !name.starts_with(RESERVED));
    let labels = labels.build();
    let (memory, status) = (Arc::default(), Mutex::default());
    let target = Target { discovered, labels, whole, url, interval_ms, timeout_ms, memory, status };
    Ok(Populated::Active(Box::new(target)))
}

/// What is asked, with parameters in order of their names.
fn url(job: &ScrapeConfig, labels: &Labels, address: &str) -> String {
    let mut params: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, values) in &job.params {
        params.insert(name, values.iter().map(String::as_str).collect());
    }
    for label in labels {
        let Some(name) = label.name.strip_prefix(PARAM) else { continue };
        let values = params.entry(name).or_default();
        match values.first_mut() {
            Some(first) => *first = &label.value,
            None => values.push(&label.value),
        }
    }
    let pairs = params.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let in_query = |text: &str| escaped(text, IN_QUERY).replace(' ', "+");
    let query: Vec<_> =
        pairs.map(|(name, value)| format!("{}={}", in_query(name), in_query(value))).collect();
    let scheme = labels.get(SCHEME).unwrap_or_default();
    let (host, path) = (escaped(address, IN_HOST), escaped(labels.get(PATH).unwrap_or_default(), IN_PATH));
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    let mark = if query.is_empty() { "" } else { "?" };
    let colon = if scheme.is_empty() { "" } else { ":" };
    format!("{scheme}{colon}//{host}{slash}{path}{mark}{}", query.join("&"))
}

/// What stands as it is in parts of a URL, besides letters and digits, as with Go.
const IN_HOST: &[u8] = b"-_.~!$&'()*+,;=:[]<>\"";
const IN_PATH: &[u8] = b"-_.~/$&+,:;=@";
const IN_QUERY: &[u8] = b"-_.~ ";

fn escaped(text: &str, plain: &[u8]) -> String {
    let escaped = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || plain.contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

/// How often a target is asked of which only another process knew.
const INTERVAL_MS: i64 = 60_000;

impl Target {
    /// A target as another process knew it.
    pub(crate) fn of_saved(saved: SavedTarget) -> Self {
        let SavedTarget { labels, url, last_scrape_ms, series } = saved;
        let whole = labels.labels();
        let mut labels = whole.to_builder();
        labels.retain(|name| !name.starts_with(RESERVED));
        let memory = Memory::of_last(series.into_iter().map(|series| (series.labels.labels(), series.ends)));
        Self {
            discovered: whole.clone(),
            labels: labels.build(),
            whole,
            url,
            interval_ms: INTERVAL_MS,
            timeout_ms: INTERVAL_MS,
            memory: Arc::new(AsyncMutex::new(memory)),
            status: Mutex::new(TargetStatus { last_scrape_ms, ..TargetStatus::default() }),
        }
    }

    /// What another process should know of it.
    pub(crate) async fn saved(&self) -> SavedTarget {
        let memory = self.memory.lock().await;
        let series = memory.last().map(|(labels, ends)| SavedSeries { labels: labels.into(), ends });
        SavedTarget {
            labels: (&self.whole).into(),
            url: self.url.clone(),
            last_scrape_ms: self.status().last_scrape_ms,
            series: series.collect(),
        }
    }

    /// What tells it from other targets of its job: all its labels but for how often it is scraped, and what is asked.
    pub(crate) fn key(&self) -> (Labels, String) {
        let mut labels = self.whole.to_builder();
        labels.retain(|name| name != INTERVAL && name != TIMEOUT);
        (labels.build(), self.url.clone())
    }

    /// The same target goes on under what is said of it now.
    pub(crate) fn instead_of(self, before: &Self) -> Self {
        let status = Mutex::new(before.status());
        Self { memory: Arc::clone(&before.memory), status, ..self }
    }

    /// When it is scraped next, from this time on: all times of a target are as far from the beginning of an interval, and targets are
    /// spread over it.
    pub fn next_ms(&self, from_ms: i64) -> i64 {
        let mut bytes = self.labels.canonical_bytes();
        bytes.extend_from_slice(self.url.as_bytes());
        let hash = i64::try_from(xxh3_64(&bytes) >> 1).unwrap_or(0);
        let offset = hash.rem_euclid(self.interval_ms);
        from_ms + (offset - from_ms).rem_euclid(self.interval_ms)
    }

    /// How it does.
    pub fn status(&self) -> TargetStatus {
        self.lock().clone()
    }

    pub(crate) fn set_status(&self, status: TargetStatus) {
        *self.lock() = status;
    }

    fn lock(&self) -> MutexGuard<'_, TargetStatus> {
        // it is replaced whole
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
