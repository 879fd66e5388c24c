//! Opsgenie: an alert is made, and closed when all is over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use config::Secret;
use edge::read_secret;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::connection::{Connection, checked, secret};
use super::text::{Parser, Text, Told};
use super::{Letter, SendError, Sender, Unfit, group_hash};
use crate::go_json;

const MESSAGE_CHARS_MAX: usize = 130;

pub(super) struct Opsgenie {
    connection: Connection,
    key: Secret,
    /// Ends in a slash.
    url: String,
    message: Text,
    description: Text,
    source: Text,
    details: BTreeMap<String, Text>,
    responders: Vec<[Text; 4]>,
    tags: Text,
    note: Text,
    priority: Text,
    entity: Text,
    actions: Text,
    updates: bool,
    folder: PathBuf,
}

impl Opsgenie {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        Ok(Self {
            connection: Connection::new(settings, folder)?,
            key: secret(settings, "api_key").unwrap_or_else(|| Secret::Inline(String::new())),
            url: settings.text("api_url").to_owned(),
            message: parser.text("message")?,
            description: parser.text("description")?,
            source: parser.text("source")?,
            details: parser.map("details")?,
            responders: parser.list("responders", ["id", "name", "username", "type"])?,
            tags: parser.text("tags")?,
            note: parser.text("note")?,
            priority: parser.text("priority")?,
            entity: parser.text("entity")?,
            actions: parser.text("actions")?,
            updates: settings.is_true("update_alerts"),
            folder: folder.to_owned(),
        })
    }

    /// What is asked, one after the other: method, what stands behind the URL, and body.
    fn requests(&self, alias: &str, told: &Told) -> Result<Vec<(Method, String, Vec<u8>)>, SendError> {
        let of_alert = |what: &str| format!("v2/alerts/{alias}/{what}?identifierType=alias");
        let source = self.source.expand(told)?;
        if told.is_resolved() {
            let body = if source.is_empty() { json!({}) } else { json!({ "source": source }) };
            return Ok(vec![(Method::POST, of_alert("close"), go_json::line(&body))]);
        }
        let message = self.message.expand_to(told, MESSAGE_CHARS_MAX)?;
        let description = self.description.expand(told)?;
        let labels = told.notification.common_labels.iter();
        let mut details: BTreeMap<String, String> =
            labels.map(|label| (label.name.to_string(), label.value.to_string())).collect();
        for (name, text) in &self.details {
            details.insert(name.clone(), text.expand(told)?);
        }
        let alert = Alert {
            alias,
            message: &message,
            description: &description,
            details,
            source,
            responders: self.responders(told)?,
            tags: split(&self.tags.expand(told)?),
            note: self.note.expand(told)?,
            priority: self.priority.expand(told)?,
            entity: self.entity.expand(told)?,
            actions: split(&self.actions.expand(told)?),
        };
        let mut requests = vec![(Method::POST, "v2/alerts".to_owned(), go_json::line(&alert))];
        if self.updates {
            let (message, description) =
                (json!({ "message": message }), json!({ "description": description }));
            requests.push((Method::PUT, of_alert("message"), go_json::line(&message)));
            requests.push((Method::PUT, of_alert("description"), go_json::line(&description)));
        }
        Ok(requests)
    }

    fn responders(&self, told: &Told) -> Result<Vec<Responder>, SendError> {
        let mut all = Vec::new();
        for [id, name, username, r#type] in &self.responders {
            let responder = Responder {
                id: id.expand(told)?,
                name: name.expand(told)?,
                username: username.expand(told)?,
                r#type: r#type.expand(told)?.to_lowercase(),
            };
            match responder.r#type.as_str() {
                "teams" => all.extend(split(&responder.name).into_iter().map(|name| Responder {
                    name,
                    r#type: "team".to_owned(),
                    ..Responder::default()
                })),
                _ if [&responder.id, &responder.name, &responder.username]
                    .iter()
                    .all(|text| text.is_empty()) => {}
                _ => all.push(responder),
            }
        }
        Ok(all)
    }
}

fn split(text: &str) -> Vec<String> {
    let parts = text.split(',').filter(|_| !text.is_empty());
    parts.map(str::to_owned).collect()
}

#[async_trait]
impl Sender for Opsgenie {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let requests = self.requests(&group_hash(letter), &Told::of(letter))?;
        let text = format!("GenieKey {}", read_secret(&self.key, &self.folder)?);
        let mut key = HeaderValue::from_str(&text)
            .map_err(|_| SendError::Address("api_key cannot stand in a header".to_owned()))?;
        key.set_sensitive(true);
        for (method, path, body) in requests {
            let (url, headers) = (format!("{}{path}", self.url), vec![(AUTHORIZATION, key.clone())]);
            let sent =
                self.connection.ask(method, &url, "application/json", headers, body, letter.timeout).await;
            let (status, answer) = sent?;
            checked(status, answer, &[StatusCode::TOO_MANY_REQUESTS])?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Alert<'a> {
    alias: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    details: BTreeMap<String, String>,
    source: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    responders: Vec<Responder>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    priority: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    entity: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
}

#[derive(Default, Serialize)]
struct Responder {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    r#type: String,
}
