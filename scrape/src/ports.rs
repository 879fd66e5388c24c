//! What scraping needs of the world.

use std::fmt;

use async_trait::async_trait;
use wire::remote_write::WriteRequest;

/// A request to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The whole URL.
    pub url: String,
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// How long the answer may take, to its last byte.
    pub timeout_ms: i64,
    /// Bytes of the answer, uncompressed.
    pub body_bytes_max: u64,
    /// Whether a redirection is followed.
    pub follow_redirects: bool,
}

/// What a target answered, with status 200.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Its content type.
    pub content_type: Option<String>,
    /// Its body, uncompressed.
    pub body: Vec<u8>,
}

/// Asks targets.
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync {
    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// Why there is none, as it is shown to users: no connection, another status than 200, too late, too large.
    async fn fetch(&self, asked: &Asked) -> Result<Answered, String>;
}

/// Stores samples.
#[async_trait]
pub trait Sink: fmt::Debug + Send + Sync {
    /// Stores what can be stored; done when that is durable.
    ///
    /// # Errors
    /// Why nothing, or not all, is stored.
    async fn write(&self, samples: WriteRequest) -> Result<(), String>;
}
