//! Notifications as Alertmanager writes them in JSON, to its webhooks for one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::Labels;
use serde::Deserialize;

use super::{Notification, NotifiedAlert};

/// A text that is no notification.
#[derive(Debug, thiserror::Error)]
#[error("not a notification in JSON: {0}")]
pub struct NotificationError(#[from] serde_json::Error);

type Pairs = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Written {
    receiver: String,
    status: String,
    alerts: Vec<WrittenAlert>,
    #[serde(rename = "notification_reason")]
    reason: String,
    group_labels: Pairs,
    common_labels: Pairs,
    common_annotations: Pairs,
    #[serde(rename = "externalURL")]
    external_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct WrittenAlert {
    status: String,
    labels: Pairs,
    annotations: Pairs,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

impl Notification {
    /// Reads what Alertmanager tells a webhook. What is not there is empty.
    ///
    /// # Errors
    /// If it is no JSON, or something has another type, or a time is not as RFC 3339 has it.
    pub fn from_json(text: &str) -> Result<Self, NotificationError> {
        let written: Written = serde_json::from_str(text)?;
        Ok(Self {
            receiver: written.receiver,
            status: written.status,
            alerts: written.alerts.into_iter().map(alert).collect(),
            reason: written.reason,
            group_labels: labels(&written.group_labels),
            common_labels: labels(&written.common_labels),
            common_annotations: labels(&written.common_annotations),
            external_url: written.external_url,
        })
    }
}

fn alert(written: WrittenAlert) -> NotifiedAlert {
    // the year 1 is no time, and lies before all that has nanoseconds
    let ns = |at: Option<Timestamp>| at.and_then(|at| i64::try_from(at.as_nanosecond()).ok());
    NotifiedAlert {
        status: written.status,
        labels: labels(&written.labels),
        annotations: labels(&written.annotations),
        starts_at_ns: ns(written.starts_at),
        ends_at_ns: ns(written.ends_at),
        generator_url: written.generator_url,
        fingerprint: written.fingerprint,
    }
}

fn labels(pairs: &Pairs) -> Labels {
    Labels::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}
