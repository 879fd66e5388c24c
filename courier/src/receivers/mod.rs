//! Whom notifications are brought to. Each kind makes its own request of what an intent says.

mod connection;
mod discord;
mod email;
mod mime;
mod opsgenie;
mod pagerduty;
mod slack;
mod smtp;
mod sns;
mod teams;
mod telegram;
mod text;
mod webhook;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alert::{ExpansionError, NotificationTemplates};
use async_trait::async_trait;
use edge::{AuthorizationError, HttpError, SecretError};
use http::StatusCode;
use notify::{Intent, Kind, Object};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use smtp::SmtpError;
use text::Parser;

/// How many notifications are on their way to one receiver at once.
const AT_ONCE: usize = 16;

/// One way in which a receiver is told.
pub(crate) struct Recipient {
    pub(crate) sender: Box<dyn Sender>,
    /// Whoever sends holds one of its permits, so that a receiver that is slow is not asked ever more.
    pub(crate) turns: Semaphore,
}

/// What is brought to a receiver.
pub(crate) struct Letter<'a> {
    pub(crate) intent: &'a Intent,
    pub(crate) external_url: &'a str,
    pub(crate) now_ms: i64,
    /// How long it may take.
    pub(crate) timeout: Duration,
}

#[async_trait]
pub(crate) trait Sender: Send + Sync {
    /// Brings a letter to the receiver, who may have got it before.
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError>;
}

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// No answer, or the connection broke.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that is no success.
    #[error("answered {status}: {text}")]
    Status { status: StatusCode, text: String, may_be_tried: bool },
    /// A server of mails does not take it.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    /// A file with a secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// There are no credentials.
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    /// A template fails.
    #[error("{field}: {source}")]
    Template { field: &'static str, source: ExpansionError },
    /// An answer that says no.
    #[error("{reason}")]
    Answer { reason: String, may_be_tried: bool },
    /// The address is none.
    #[error("{0}")]
    Address(String),
}

impl SendError {
    /// Whether the same letter may be taken another time.
    pub(crate) fn may_be_tried(&self) -> bool {
        match self {
            // as in Alertmanager, whatever a server of mails says
            Self::Http(_) | Self::Smtp(_) | Self::Secret(_) | Self::Authorization(_) => true,
            Self::Status { may_be_tried, .. } | Self::Answer { may_be_tried, .. } => *may_be_tried,
            Self::Template { .. } | Self::Address(_) => false,
        }
    }
}

/// What receivers know a group by that tell one event from another: a hash of its key.
fn group_hash(letter: &Letter<'_>) -> String {
    let hash = Sha256::digest(letter.intent.group_key.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How long a receiver is waited for, if its settings say.
fn timeout(settings: &Object) -> Option<Duration> {
    let ms = u64::try_from(settings.duration_ms("timeout")).unwrap_or(0);
    (ms > 0).then(|| Duration::from_millis(ms))
}

/// Why a receiver cannot be told by its settings.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It asks for what is not there; empty: all of its kind.
    Unsupported(String),
    /// A text of a field is no template.
    Template(String),
    /// What files hold, which may be there on another machine.
    Files(String),
}

/// Whoever is told by these settings.
pub(crate) fn recipient(
    kind: Kind,
    settings: &Object,
    templates: &Arc<NotificationTemplates>,
    folder: &Path,
) -> Result<Recipient, Unfit> {
    let parser = Parser { settings, templates };
    let sender: Box<dyn Sender> = match kind {
        Kind::Webhook => Box::new(webhook::Webhook::new(parser, folder)?),
        Kind::Email => Box::new(email::Email::new(parser, folder)?),
        Kind::Slack => Box::new(slack::Slack::new(parser, folder)?),
        Kind::Pagerduty => Box::new(pagerduty::Pagerduty::new(parser, folder)?),
        Kind::Opsgenie => Box::new(opsgenie::Opsgenie::new(parser, folder)?),
        Kind::Sns => Box::new(sns::Sns::new(parser, folder)?),
        Kind::Telegram => Box::new(telegram::Telegram::new(parser, folder)?),
        Kind::Discord => Box::new(discord::Discord::new(parser, folder)?),
        Kind::Msteams => Box::new(teams::Teams::new(teams::Card::Message, parser, folder)?),
        Kind::Msteamsv2 => Box::new(teams::Teams::new(teams::Card::Adaptive, parser, folder)?),
        _ => return Err(Unfit::Unsupported(String::new())),
    };
    Ok(Recipient { sender, turns: Semaphore::new(AT_ONCE) })
}
