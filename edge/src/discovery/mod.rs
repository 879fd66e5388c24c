//! Jobs that scrape, and where their targets are found: in the configuration, in files, by asking servers, the DNS and AWS.

mod aws;
mod dns;
mod ec2;
mod ecs;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{
    ConfigError, FileDiscovery, HttpDiscovery, ScrapeConfig, ScrapeConfigs, TargetGroup, target_groups,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use model::Labels;
use scrape::Fetch;

use crate::caller::ClientError;
use crate::http::HttpClient;
use crate::{TargetClient, glob, without_user};
use aws::Aws;
use dns::Names;

/// Files are looked at as often, so that a change of one counts at once, whatever the configuration says.
const FILES_LOOKED_AT: Duration = Duration::from_secs(5);
/// What a list of targets may have.
const LIST_BYTES_MAX: usize = 32 << 20;
/// How long a server that knows targets may take.
const SERVER_TIMEOUT: Duration = Duration::from_secs(30);

/// A job, and how its targets are asked.
#[derive(Clone, Debug)]
pub struct ScrapeJob {
    /// What the configuration says of it.
    pub config: ScrapeConfig,
    /// How its targets are asked.
    pub fetch: Arc<dyn Fetch>,
    /// How servers are asked that know targets, in the order of the configuration.
    servers: Vec<Arc<TargetClient>>,
    /// How AWS is asked, in the order of the configuration.
    aws: Vec<HttpClient>,
    /// To which files of targets are relative.
    folder: PathBuf,
}

/// Why jobs cannot be scraped.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeJobsError {
    /// The configuration is mistaken.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A certificate or key is none, or cannot be read, or a proxy cannot be spoken to.
    #[error("job {job:?}: {source}")]
    Client {
        /// Whose.
        job: String,
        /// Why.
        source: ClientError,
    },
}

impl ScrapeJob {
    /// The jobs of a configuration. Files are relative to its folder.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(path: &Path, text: &str) -> Result<Vec<Self>, ScrapeJobsError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let configs = ScrapeConfigs::read(&path.display().to_string(), text)?;
        configs.jobs.into_iter().map(|config| Self::of(config, folder)).collect()
    }

    fn of(config: ScrapeConfig, folder: &Path) -> Result<Self, ScrapeJobsError> {
        let job = || config.name.clone();
        let client = |client| {
            TargetClient::new(client, folder).map_err(|source| ScrapeJobsError::Client { job: job(), source })
        };
        let fetch = Arc::new(client(&config.client)?);
        let servers = config.servers.iter().map(|server| client(&server.client).map(Arc::new));
        let servers = servers.collect::<Result<_, _>>()?;
        let aws = config.aws.iter().map(|aws| {
            let client = aws::client(aws, folder).map_err(ClientError::from);
            client.map_err(|source| ScrapeJobsError::Client { job: job(), source })
        });
        let aws = aws.collect::<Result<_, _>>()?;
        Ok(Self { fetch, servers, aws, folder: folder.to_owned(), config })
    }

    /// All the ways in which its targets are found.
    pub fn ways(&self) -> Vec<Discovery> {
        let fixed = self.config.groups.iter().flat_map(TargetGroup::label_sets).collect();
        let files = self.config.files.iter().map(|files| Way::Files {
            config: files.clone(),
            folder: self.folder.clone(),
            known: BTreeMap::new(),
        });
        let servers = self.config.servers.iter().zip(&self.servers);
        let servers = servers.map(|(server, client)| Way::Server {
            config: Box::new(server.clone()),
            client: Arc::clone(client),
        });
        let names = self.config.names.iter().map(|names| Way::Names(Names::new(names.clone())));
        let aws = self.config.aws.iter().zip(&self.aws);
        let aws = aws.map(|(config, client)| Way::Aws(Box::new(Aws::new(config, client))));
        let ways = std::iter::once(Way::Fixed(fixed)).chain(files).chain(servers).chain(names);
        ways.chain(aws).map(Discovery).collect()
    }
}

/// One way in which targets of a job are found.
#[derive(Debug)]
pub struct Discovery(Way);

#[derive(Debug)]
enum Way {
    /// They stand in the configuration.
    Fixed(Vec<Labels>),
    Files {
        config: FileDiscovery,
        folder: PathBuf,
        /// A file that cannot be read keeps what it had.
        known: BTreeMap<PathBuf, (String, Vec<Labels>)>,
    },
    Server {
        config: Box<HttpDiscovery>,
        client: Arc<TargetClient>,
    },
    Names(Names),
    Aws(Box<Aws>),
}

impl Discovery {
    /// Looks there, and gives the targets; `None` if nothing can be said of them, which is logged.
    pub async fn look(&mut self) -> Option<Vec<Labels>> {
        match &mut self.0 {
            Way::Fixed(targets) => Some(targets.clone()),
            Way::Files { config, folder, known } => {
                let (patterns, folder, mut files) =
                    (config.files.clone(), folder.clone(), std::mem::take(known));
                let looked = tokio::task::spawn_blocking(move || {
                    let found = look_at(&patterns, &folder, &mut files);
                    (found, files)
                });
                let (found, files) = looked.await.ok()?;
                *known = files;
                Some(found)
            }
            Way::Server { config, client } => ask_for(config, client).await,
            Way::Names(names) => Some(Box::pin(names.look()).await),
            Way::Aws(aws) => aws.look().await,
        }
    }

    /// How long what was found is good for; `None`: always.
    pub fn refresh(&self) -> Option<Duration> {
        let refresh = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX));
        match &self.0 {
            Way::Fixed(_) => None,
            Way::Files { config, .. } => Some(refresh(config.refresh_ms).min(FILES_LOOKED_AT)),
            Way::Server { config, .. } => Some(refresh(config.refresh_ms)),
            Way::Names(names) => Some(refresh(names.refresh_ms())),
            Way::Aws(aws) => Some(aws.refresh()),
        }
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

fn look_at(
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

async fn ask_for(config: &HttpDiscovery, client: &TargetClient) -> Option<Vec<Labels>> {
    // a URL may have a password
    let shown = without_user(&config.url);
    let refresh = Duration::from_millis(u64::try_from(config.refresh_ms).unwrap_or(u64::MAX));
    let mut headers = vec![(header::ACCEPT, HeaderValue::from_static("application/json"))];
    if let Ok(seconds) = HeaderValue::from_str(&refresh.as_secs_f64().to_string()) {
        headers.push((HeaderName::from_static("x-prometheus-refresh-interval-seconds"), seconds));
    }
    match ask(client, config, &headers).await {
        Ok(groups) => Some(with_meta(&groups, "__meta_url", &shown).collect()),
        Err(error) => {
            tracing::error!(url = shown, error, "targets cannot be asked for: those that were known stay");
            None
        }
    }
}

async fn ask(
    client: &TargetClient,
    config: &HttpDiscovery,
    headers: &[(HeaderName, HeaderValue)],
) -> Result<Vec<TargetGroup>, String> {
    let answer =
        client.get_on(&config.url, headers, SERVER_TIMEOUT, LIST_BYTES_MAX, config.follow_redirects).await?;
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
