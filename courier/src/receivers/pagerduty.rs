//! PagerDuty: Events API v2.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use config::Secret;
use edge::read_secret;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::connection::{Connection, secret};
use super::text::{Parser, Text, Told, Tree};
use super::{Letter, SendError, Sender, Unfit, group_hash, timeout};
use crate::go_json;

const SUMMARY_CHARS_MAX: usize = 1024;

/// A larger event is refused.
const EVENT_BYTES_MAX: usize = 512_000;

/// What stands in the place of details that are too large.
const TOO_LARGE: &str =
    "Custom details have been removed because the original event exceeds the maximum size of 512KB";

pub(super) struct Pagerduty {
    connection: Connection,
    key: Secret,
    url: String,
    timeout: Option<std::time::Duration>,
    summary: Text,
    source: Text,
    severity: Text,
    class: Text,
    component: Text,
    group: Text,
    client: Text,
    client_url: Text,
    details: Option<Tree>,
    images: Vec<[Text; 3]>,
    links: Vec<[Text; 2]>,
    folder: PathBuf,
}

impl Pagerduty {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        let Some(key) = secret(settings, "routing_key") else {
            return Err(Unfit::Unsupported("with service_key".to_owned()));
        };
        Ok(Self {
            connection: Connection::new(settings, folder)?,
            key,
            url: settings.text("url").to_owned(),
            timeout: timeout(settings),
            summary: parser.text("description")?,
            source: parser.text("source")?,
            severity: parser.text("severity")?,
            class: parser.text("class")?,
            component: parser.text("component")?,
            group: parser.text("group")?,
            client: parser.text("client")?,
            client_url: parser.text("client_url")?,
            details: parser.tree("details")?,
            images: parser.list("images", ["src", "alt", "href"])?,
            links: parser.list("links", ["href", "text"])?,
            folder: folder.to_owned(),
        })
    }

    fn body(&self, letter: &Letter<'_>, told: &Told) -> Result<Vec<u8>, SendError> {
        let severity = match self.severity.expand(told)? {
            none if none.is_empty() => "error".to_owned(),
            severity => severity,
        };
        let details = self.details.as_ref().map(|details| details.expand(told)).transpose()?;
        let mut images = Vec::new();
        for [src, alt, href] in &self.images {
            let image = Image { src: src.expand(told)?, alt: alt.expand(told)?, href: href.expand(told)? };
            // without a source there is no image
            images.extend((!image.src.is_empty()).then_some(image));
        }
        let mut links = Vec::new();
        for [href, text] in &self.links {
            let link = Link { href: href.expand(told)?, text: text.expand(told)? };
            links.extend((!link.href.is_empty()).then_some(link));
        }
        let mut event = Event {
            routing_key: read_secret(&self.key, &self.folder)?,
            dedup_key: group_hash(letter),
            event_action: if told.is_resolved() { "resolve" } else { "trigger" },
            payload: Payload {
                summary: self.summary.expand_to(told, SUMMARY_CHARS_MAX)?,
                source: self.source.expand(told)?,
                severity,
                class: self.class.expand(told)?,
                component: self.component.expand(told)?,
                group: self.group.expand(told)?,
                custom_details: details.unwrap_or_else(|| json!({})),
            },
            client: self.client.expand(told)?,
            client_url: self.client_url.expand(told)?,
            images,
            links,
        };
        let body = go_json::line(&event);
        if body.len() <= EVENT_BYTES_MAX {
            return Ok(body);
        }
        event.payload.custom_details = json!({ "error": TOO_LARGE });
        Ok(go_json::line(&event))
    }
}

#[async_trait]
impl Sender for Pagerduty {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let body = self.body(letter, &Told::of(letter))?;
        let timeout = self.timeout.map_or(letter.timeout, |timeout| timeout.min(letter.timeout));
        let again = [StatusCode::TOO_MANY_REQUESTS];
        self.connection.post(&self.url, Vec::new(), body, timeout, &again).await.map(|_| ())
    }
}

#[derive(Serialize)]
struct Event {
    #[serde(skip_serializing_if = "String::is_empty")]
    routing_key: String,
    dedup_key: String,
    event_action: &'static str,
    payload: Payload,
    #[serde(skip_serializing_if = "String::is_empty")]
    client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    client_url: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    class: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    component: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    custom_details: Json,
}

#[derive(Serialize)]
struct Image {
    src: String,
    alt: String,
    href: String,
}

#[derive(Serialize)]
struct Link {
    href: String,
    text: String,
}
