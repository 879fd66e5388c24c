//! Which bucket, and how to reach it.

/// One bucket of an S3 server. Credentials come from the usual chain: environment, profile, web identity, container,
/// instance.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// Name of the bucket.
    pub bucket: String,
    /// Where the server is, when it is not AWS: `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// The region; otherwise the one of the environment or profile, and `us-east-1` at an endpoint of one's own.
    pub region: Option<String>,
    /// Whether the bucket stands in the path instead of the host name; by default only at an endpoint of one's own.
    pub path_style: Option<bool>,
    /// Key id and secret, instead of the usual chain.
    pub static_credentials: Option<(String, String)>,
}
