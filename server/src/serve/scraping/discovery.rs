//! Where targets are found: in the configuration, in files, by asking servers and the DNS.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use config::{DnsDiscovery, DnsRecord, FileDiscovery, HttpDiscovery, TargetGroup, target_groups};
use edge::{TargetClient, glob};
use model::Labels;
use scrape::Scraper;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::jobs::Job;

/// Files are looked at as often, so that a change of one counts at once, whatever the configuration says.
const FILES_LOOKED_AT: Duration = Duration::from_secs(5);
/// What a list of targets may have.
const LIST_BYTES_MAX: usize = 32 << 20;
/// How long a server that knows targets may take.
const SERVER_TIMEOUT: Duration = Duration::from_secs(30);

/// Looks for targets until it is dropped.
pub(super) struct Discovery {
    // they end when this does
    _tasks: JoinSet<()>,
    found: Arc<Notify>,
}

/// What was found by each way of one job.
struct Found {
    job: String,
    scraper: Arc<Scraper>,
    /// `None`: it has not been looked there yet.
    by_way: Mutex<Vec<Option<Vec<Labels>>>>,
    notify: Arc<Notify>,
}

impl Found {
    /// Until it has been looked everywhere, targets that are known from before stay.
    fn set(&self, way: usize, targets: Vec<Labels>) {
        let all: Option<Vec<_>> = {
            // it is replaced whole
            let mut by_way = self.by_way.lock().unwrap_or_else(PoisonError::into_inner);
            by_way[way] = Some(targets);
            by_way.iter().cloned().collect()
        };
        let Some(all) = all else { return };
        self.scraper.discovered(&self.job, all.concat());
        self.notify.notify_one();
    }
}

impl Discovery {
    /// Looks for the targets of jobs, and tells the scraper.
    pub(super) fn start(jobs: &[Job], scraper: &Arc<Scraper>) -> Self {
        let (mut tasks, notify) = (JoinSet::new(), Arc::new(Notify::new()));
        for job in jobs {
            let config = &job.config;
            let ways = 1 + config.files.len() + config.servers.len() + config.names.len();
            let by_way = Mutex::new(vec![None; ways]);
            let (scraper, notify) = (Arc::clone(scraper), Arc::clone(&notify));
            let found = Arc::new(Found { job: config.name.clone(), scraper, by_way, notify });
            let mut next_way = 1..;
            let mut way = || (Arc::clone(&found), next_way.next().unwrap_or(0));
            for files in &config.files {
                let (found, way) = way();
                tasks.spawn(keep_reading(files.clone(), job.folder.clone(), found, way));
            }
            for (server, client) in config.servers.iter().zip(&job.servers) {
                let (found, way) = way();
                tasks.spawn(keep_asking(server.clone(), Arc::clone(client), found, way));
            }
            for names in &config.names {
                let (found, way) = way();
                tasks.spawn(keep_resolving(names.clone(), found, way));
            }
            found.set(0, config.groups.iter().flat_map(TargetGroup::label_sets).collect());
        }
        Self { _tasks: tasks, found: notify }
    }

    /// Waits until other targets are found.
    pub(super) async fn found(&self) {
        self.found.notified().await;
    }
}

/// The targets of groups, with labels that say where they were found.
fn with_meta<'a>(
    groups: &'a [TargetGroup],
    name: &'a str,
    value: &'a str,
) -> impl Iterator<Item = Labels> + 'a {
    groups
        .iter()
        .flat_map(TargetGroup::label_sets)
        .map(move |labels| labels.to_builder().set(name, value).build())
}

#[expect(clippy::disallowed_methods, reason = "an edge: files change in real time")]
async fn keep_reading(config: FileDiscovery, folder: PathBuf, found: Arc<Found>, way: usize) {
    // a file that cannot be read keeps what it had
    let mut known: BTreeMap<PathBuf, (String, Vec<Labels>)> = BTreeMap::new();
    let refresh = Duration::from_millis(u64::try_from(config.refresh_ms).unwrap_or(u64::MAX));
    loop {
        let (patterns, folder) = (config.files.clone(), folder.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let read = look(&patterns, &folder, &mut known);
            (read, known)
        });
        let Ok((targets, back)) = looked.await else { return };
        known = back;
        found.set(way, targets);
        tokio::time::sleep(refresh.min(FILES_LOOKED_AT)).await;
    }
}

fn look(
    patterns: &[String],
    folder: &Path,
    known: &mut BTreeMap<PathBuf, (String, Vec<Labels>)>,
) -> Vec<Labels> {
    let mut paths = Vec::new();
    for pattern in patterns {
        match glob::files(&folder.join(pattern)) {
            Ok(files) => paths.extend(files),
            Err(error) => tracing::error!(pattern, %error, "files of targets cannot be looked for"),
        }
    }
    known.retain(|path, _| paths.contains(path));
    for path in &paths {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) if known.get(path).is_some_and(|(before, _)| *before == text) => continue,
            Ok(text) => text,
            Err(error) => {
                tracing::error!(file = name, %error, "a file of targets cannot be read: those it had stay");
                continue;
            }
        };
        let before = known.entry(path.clone()).or_default();
        match target_groups(&text) {
            Ok(groups) => before.1 = with_meta(&groups, "__meta_filepath", &name).collect(),
            Err(error) => {
                tracing::error!(file = name, error, "a file of targets is refused: those it had stay");
            }
        }
        before.0 = text;
    }
    known.values().flat_map(|(_, targets)| targets.clone()).collect()
}

#[expect(clippy::disallowed_methods, reason = "an edge: servers are asked in real time")]
async fn keep_asking(config: HttpDiscovery, client: Arc<TargetClient>, found: Arc<Found>, way: usize) {
    // a URL may have a password
    let shown = edge::without_user(&config.url);
    let refresh = Duration::from_millis(u64::try_from(config.refresh_ms).unwrap_or(u64::MAX));
    let seconds = HeaderValue::from_str(&refresh.as_secs_f64().to_string());
    let headers: Vec<_> = [
        Some((header::ACCEPT, HeaderValue::from_static("application/json"))),
        seconds
            .ok()
            .map(|seconds| (HeaderName::from_static("x-prometheus-refresh-interval-seconds"), seconds)),
    ]
    .into_iter()
    .flatten()
    .collect();
    loop {
        match ask(&client, &config.url, &headers).await {
            Ok(groups) => found.set(way, with_meta(&groups, "__meta_url", &shown).collect()),
            Err(error) => tracing::error!(
                url = config.url,
                error,
                "targets cannot be asked for: those that were known stay"
            ),
        }
        tokio::time::sleep(refresh).await;
    }
}

async fn ask(
    client: &TargetClient,
    url: &str,
    headers: &[(HeaderName, HeaderValue)],
) -> Result<Vec<TargetGroup>, String> {
    let answer = client.get(url, headers, SERVER_TIMEOUT, LIST_BYTES_MAX).await?;
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(format!("server returned HTTP status {status}"));
    }
    let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media =
        content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media != "application/json" {
        return Err(format!("unsupported content type {:?}", content_type.unwrap_or_default()));
    }
    let text = std::str::from_utf8(answer.body()).map_err(|error| error.to_string())?;
    target_groups(text)
}

#[expect(clippy::disallowed_methods, reason = "an edge: names are asked for in real time")]
async fn keep_resolving(config: DnsDiscovery, found: Arc<Found>, way: usize) {
    let refresh = Duration::from_millis(u64::try_from(config.refresh_ms).unwrap_or(u64::MAX));
    let mut known: BTreeMap<&str, Vec<Labels>> = BTreeMap::new();
    loop {
        for name in &config.names {
            match tokio::net::lookup_host((name.as_str(), config.port)).await {
                Ok(addresses) => {
                    let wanted =
                        addresses.filter(|address| address.is_ipv4() == (config.record == DnsRecord::A));
                    let labels = wanted.map(|address| {
                        let address = address.to_string();
                        Labels::from_pairs([
                            ("__address__", address.as_str()),
                            ("__meta_dns_name", name.as_str()),
                        ])
                    });
                    known.insert(name, labels.collect());
                }
                Err(error) => {
                    tracing::error!(name, %error, "a name cannot be asked for: targets that were known stay");
                }
            }
        }
        found.set(way, known.values().flatten().cloned().collect());
        tokio::time::sleep(refresh).await;
    }
}
