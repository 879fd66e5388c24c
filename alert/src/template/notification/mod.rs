//! Templates of what is sent to receivers, as Alertmanager expands them, with its own definitions among them.

pub(super) mod json;
pub(super) mod methods;
mod read;

use std::sync::Arc;

use gotmpl::Value;
use model::Labels;

use super::expand::{Compiled, Environment, Expansion, Library};
use super::value::{self, Kind, tagged, text};
use super::{Dialect, Form, TemplateSyntaxError};
use crate::go::Instant;
pub use read::NotificationError;

/// Alertmanager's own definitions (NOTICE says where they are from), and the names under which mistakes in them would
/// be told.
const DEFAULT_FILES: [(&str, &str); 2] =
    [("default.tmpl", include_str!("default.tmpl")), ("email.tmpl", include_str!("email.tmpl"))];

/// What a notification is about: what templates see as `.`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notification {
    /// The name of the receiver.
    pub receiver: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// The alerts of the group.
    pub alerts: Vec<NotifiedAlert>,
    /// Why it is sent now.
    pub reason: String,
    /// What the group has in common because alerts are grouped by it.
    pub group_labels: Labels,
    /// What all alerts have in common.
    pub common_labels: Labels,
    /// What all alerts have in common.
    pub common_annotations: Labels,
    /// Where Alertmanager is to be found.
    pub external_url: String,
}

/// An alert of a notification.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifiedAlert {
    /// `firing` or `resolved`.
    pub status: String,
    /// Which alert it is.
    pub labels: Labels,
    /// What is said about it.
    pub annotations: Labels,
    /// Nanoseconds since 1970; none is Go's zero time.
    pub starts_at_ns: Option<i64>,
    /// Nanoseconds since 1970; none is Go's zero time.
    pub ends_at_ns: Option<i64>,
    /// Where it comes from.
    pub generator_url: String,
    /// Which alert it is, in 16 hexadecimal digits.
    pub fingerprint: String,
}

/// A text whose expansion failed, in the words of Go's template engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ExpansionError {
    /// What is wrong, and where.
    pub reason: String,
}

/// Definitions that texts may call by name: Alertmanager's own, and those of files.
#[derive(Debug)]
pub struct NotificationTemplates {
    plain: Library,
    html: Library,
}

/// A text with templates in it.
#[derive(Debug)]
pub struct NotificationTemplate(Compiled);

impl NotificationTemplates {
    /// Alertmanager's own definitions and those of files, given as names and texts. Of two definitions with one name the
    /// later one counts.
    ///
    /// # Errors
    /// If a text is no template.
    pub fn new(files: &[(String, String)]) -> Result<Self, TemplateSyntaxError> {
        let own = DEFAULT_FILES.into_iter();
        let files: Vec<(&str, &str)> =
            own.chain(files.iter().map(|(name, text)| (name.as_str(), text.as_str()))).collect();
        let library = |form| Library::new(Dialect::Notifications, form, &files);
        Ok(Self { plain: library(Form::Plain)?, html: library(Form::Html)? })
    }

    /// A text that may call them.
    ///
    /// # Errors
    /// If it is no template.
    pub fn parse(&self, text: &str, form: Form) -> Result<NotificationTemplate, TemplateSyntaxError> {
        let library = match form {
            Form::Plain => &self.plain,
            Form::Html => &self.html,
        };
        library.parse("", text).map(NotificationTemplate)
    }
}

impl NotificationTemplate {
    /// Expands the text for a notification at a time, in milliseconds since 1970.
    ///
    /// # Errors
    /// If it asks for what is not there, or becomes too long.
    pub fn expand(&self, notification: &Notification, now_ms: i64) -> Result<String, ExpansionError> {
        let environment = Arc::new(Environment { now_ms, ..Environment::default() });
        match self.0.expand(&data(notification), &environment) {
            Expansion::Text(text) => Ok(text),
            Expansion::Failed(reason) => Err(ExpansionError { reason }),
            Expansion::Needs(query) => {
                Err(ExpansionError { reason: format!("notifications cannot ask {query}") })
            }
        }
    }
}

fn data(notification: &Notification) -> Value {
    let time = |ns: Option<i64>| value::time(ns.map_or(Instant::ZERO, Instant::from_ns));
    let alerts = notification.alerts.iter().map(|alert| {
        tagged(
            Kind::Alert,
            [
                ("Status", text(alert.status.as_str())),
                ("Labels", value::pairs(&alert.labels)),
                ("Annotations", value::pairs(&alert.annotations)),
                ("StartsAt", time(alert.starts_at_ns)),
                ("EndsAt", time(alert.ends_at_ns)),
                ("GeneratorURL", text(alert.generator_url.as_str())),
                ("Fingerprint", text(alert.fingerprint.as_str())),
            ],
        )
    });
    tagged(
        Kind::Notification,
        [
            ("Receiver", text(notification.receiver.as_str())),
            ("Status", text(notification.status.as_str())),
            ("Alerts", Value::List(alerts.collect())),
            ("NotificationReason", text(notification.reason.as_str())),
            ("GroupLabels", value::pairs(&notification.group_labels)),
            ("CommonLabels", value::pairs(&notification.common_labels)),
            ("CommonAnnotations", value::pairs(&notification.common_annotations)),
            ("ExternalURL", text(notification.external_url.as_str())),
        ],
    )
}

#[cfg(test)]
mod tests;
