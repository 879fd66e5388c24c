//! Which bucket, and how to reach it.

use super::Account;

/// One bucket of an S3 server.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// Where the server is, when it is not AWS: `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// The region; otherwise the one that is found, and `us-east-1` at an endpoint of one's own.
    pub region: Option<String>,
    /// Whether the bucket stands in the path instead of the host name; by default only at an endpoint of one's own.
    pub path_style: Option<bool>,
    /// Where keys and region come from that are not said here.
    pub account: Account,
    /// Key id and secret, instead of those that are found.
    pub static_credentials: Option<(String, String)>,
}
