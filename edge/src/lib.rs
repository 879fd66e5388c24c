//! What both edges, server and functions, share: opening a storage URL, the wall clock, talking HTTP, and the adapters by
//! which roles that do not know each other meet.
//!
//! | adapter | joins |
//! |---|---|
//! | [`StoredSeries`] | the store's reader to what queries read from |
//! | [`StoredDeletions`] | the store's deletions to what the query API deletes through |
//! | [`RuleQueries`] | the query engine to what rules ask |
//! | [`RuleSamples`] | the writer of samples to what rules record |
//! | [`RuleState`] | an object that is swapped whole to the state of rules |
//! | [`ScrapedSamples`] | a receiver of samples to what scrapes store through |
//! | [`TargetClient`] | the HTTP client to what targets are asked through |
//! | [`Alertmanager`] | the HTTP client to what alerts are sent to |

mod alerting;
mod alertmanager;
mod authorization;
mod aws;
mod caller;
mod clock;
mod compaction;
mod compressed;
mod cross_origin;
mod discovery;
mod features;
pub mod federation;
pub mod glob;
mod heartbeat;
mod http;
mod page;
mod proxy;
mod queries;
mod redirection;
mod remote_read;
mod rule_files;
mod rule_queries;
mod rule_samples;
mod rule_state;
mod rules;
mod scraping;
mod secret;
mod secret_references;
mod storage;
mod stored_deletions;
mod stored_series;
mod tls;

pub use alerting::{Alerting, AlertingError, AlertingFiles, AlertingSource};
pub use alertmanager::Alertmanager;
pub use authorization::{Authorization, AuthorizationError};
pub use caller::{CallError, Caller, ClientError};
pub use clock::SystemClock;
pub use compaction::{Compaction, Compactions, Kept, Retention, StreamCompaction, StreamRetention};
pub use cross_origin::Origins;
pub use discovery::{Discovery, ScrapeJob, ScrapeJobsError};
pub use features::{FEATURES, UnknownFeature, enable_feature};
pub use heartbeat::{HEARTBEAT_TIMEOUT, Heartbeat, HeartbeatError};
pub use http::{BadUrl, Endpoint, HttpClient, HttpError, without_user};
pub use objects::{Account, Counts};
pub use page::{Page, PageFile};
pub use proxy::Proxies;
pub use queries::{OPENAPI, QueryPort, build_information, no_rules, queries, query_paths, query_routes};
pub use remote_read::{READ_PATH, RemoteReadSettings, RemoteReads};
pub use rule_files::{RULE_FILES_MAX, RuleFileText, RuleFiles, RuleFilesError};
pub use rule_queries::RuleQueries;
pub use rule_samples::RuleSamples;
pub use rule_state::RuleState;
pub use rules::{AlertmanagerError, RuleMistakes};
pub use scraping::{ScrapedSamples, TargetClient};
pub use secret::{SecretError, read as read_secret};
pub use secret_references::{
    ReferenceError, SECRET_AGE_MAX, SECRET_REFERENCES_MAX, SecretReference, SecretReferences,
};
pub use storage::{Ack, Storage, WriterError, identity};
pub use store::{CompactSettings, DiskCache, RETENTION_MIN, ReaderSettings};
pub use stored_deletions::StoredDeletions;
pub use stored_series::StoredSeries;
pub use tls::{TlsError, client_config};
