//! Webhooks: version 4 of Alertmanager's own JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alert::{Form, Notification};
use async_trait::async_trait;
use config::Secret;
use edge::read_secret;
use http::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use model::Labels;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::connection::{Connection, secret};
use super::text::{Parser, Text, Told, Tree};
use super::{Letter, SendError, Sender, Unfit, timeout};
use crate::content::ZERO_TIME;
use crate::go_json;

pub(super) struct Webhook {
    connection: Connection,
    address: Address,
    /// How many alerts are told at most.
    alerts_max: usize,
    /// What is posted instead of Alertmanager's own JSON.
    payload: Option<Tree>,
    timeout: Option<Duration>,
    folder: PathBuf,
}

enum Address {
    Known(Secret),
    Template(Box<Text>),
}

impl Webhook {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        let address = match settings.text("url") {
            url if url.contains("{{") => Address::Template(Box::new(parser.of("url", url, Form::Plain)?)),
            _ => Address::Known(secret(settings, "url").unwrap_or_else(|| Secret::Inline(String::new()))),
        };
        let alerts_max = usize::try_from(settings.int("max_alerts")).unwrap_or(0);
        Ok(Self {
            connection: Connection::new(settings, folder)?,
            address,
            alerts_max: if alerts_max == 0 { usize::MAX } else { alerts_max },
            payload: parser.tree("payload")?,
            timeout: timeout(settings),
            folder: folder.to_owned(),
        })
    }
}

#[async_trait]
impl Sender for Webhook {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let told = Told::some(letter, self.alerts_max);
        let url = match &self.address {
            Address::Known(url) => read_secret(url, &self.folder)?,
            Address::Template(url) => url.expand(&told)?,
        };
        let truncated = letter.intent.alerts.len() - told.notification.alerts.len();
        let body = match &self.payload {
            Some(payload) => go_json::line(&payload.expand(&told)?),
            None => body(&told.notification, &letter.intent.group_key, truncated),
        };
        let timeout = self.timeout.map_or(letter.timeout, |timeout| timeout.min(letter.timeout));
        self.connection.post(&url, idempotency_key(letter), body, timeout, &[]).await.map(|_| ())
    }
}

/// The same for each attempt to tell one integration of one flush, so that whoever minds can leave out what comes twice.
fn idempotency_key(letter: &Letter<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let intent = letter.intent;
    let (group, receiver, index) = (&intent.group_key, &intent.receiver, intent.index);
    let text = format!("{group}\n{receiver}\n{index}\n{}\n{}", intent.reason.as_str(), intent.flushed_at_ms);
    let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let value = HeaderValue::from_str(&hash).ok();
    value.map(|value| (HeaderName::from_static("idempotency-key"), value)).into_iter().collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    receiver: &'a str,
    status: &'a str,
    alerts: Vec<MessageAlert<'a>>,
    #[serde(rename = "notification_reason")]
    notification_reason: &'a str,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: BTreeMap<&'a str, &'a str>,
    common_annotations: BTreeMap<&'a str, &'a str>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    version: &'a str,
    group_key: &'a str,
    truncated_alerts: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageAlert<'a> {
    status: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'a str, &'a str>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: &'a str,
}

/// What is posted, byte by byte as Alertmanager 0.33 does it.
fn body(told: &Notification, group_key: &str, truncated_alerts: usize) -> Vec<u8> {
    let alerts = told.alerts.iter().map(|one| MessageAlert {
        status: &one.status,
        labels: map(&one.labels),
        annotations: map(&one.annotations),
        starts_at: time(one.starts_at_ns),
        ends_at: time(one.ends_at_ns),
        generator_url: &one.generator_url,
        fingerprint: &one.fingerprint,
    });
    go_json::line(&Message {
        receiver: &told.receiver,
        status: &told.status,
        alerts: alerts.collect(),
        notification_reason: &told.reason,
        group_labels: map(&told.group_labels),
        common_labels: map(&told.common_labels),
        common_annotations: map(&told.common_annotations),
        external_url: &told.external_url,
        version: "4",
        group_key,
        truncated_alerts,
    })
}

fn map(labels: &Labels) -> BTreeMap<&str, &str> {
    labels.iter().map(|label| (&*label.name, &*label.value)).collect()
}

/// As Go writes it.
fn time(ns: Option<i64>) -> String {
    let at = ns.and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok());
    at.map_or_else(|| ZERO_TIME.to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Alertmanager 0.33.1 posted for these alerts, but for the time at which they came and its own address.
    const POSTED: &str = concat!(
        r#"{"receiver":"hook\\.a\\+b","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"A","i":"2"},"#,
        r#""annotations":{},"startsAt":"2026-11-28T05:07:36.898Z","endsAt":"0001-01-01T00:00:00Z","#,
        r#""generatorURL":"http://g/x","fingerprint":"caa6ffbd9ccb1ac8"},{"status":"firing","labels":{"alertname":"A","i":"3"},"#,
        r#""annotations":{},"startsAt":"2026-11-28T05:07:36.9Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","#,
        r#""fingerprint":"caa4ffbd9cca97f1"}],"notification_reason":"first notification","groupLabels":{"alertname":"A"},"#,
        r#""commonLabels":{"alertname":"A"},"commonAnnotations":{},"externalURL":"http://vm:19093","version":"4","#,
        r#""groupKey":"{}:{alertname=\"A\"}","truncatedAlerts":1}"#,
        "\n"
    );

    #[test]
    fn the_body_is_that_of_alertmanager() {
        let alert = |i: &str, starts_at_ms, generator_url: &str| notify::StoredAlert {
            labels: Labels::from_pairs([("alertname", "A"), ("i", i)]),
            annotations: Labels::empty(),
            starts_at_ms,
            ends_at_ms: i64::MAX,
            updated_at_ms: 0,
            is_timeout: true,
            generator_url: generator_url.to_owned(),
        };
        let at_ms = 1_795_842_456_898;
        let alerts =
            vec![alert("2", at_ms, "http://g/x"), alert("3", at_ms + 2, ""), alert("4", at_ms, "http://h")];
        let intent = crate::tests::intent("hook.a+b", alerts);
        let told = crate::content::notification(&intent, 2, "http://vm:19093");
        assert_eq!(String::from_utf8(body(&told, &intent.group_key, 1)).expect("is text"), POSTED);
    }
}
