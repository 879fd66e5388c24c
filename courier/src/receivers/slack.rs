//! Slack: a message with one attachment, to a webhook or as an app.

use std::path::{Path, PathBuf};

use alert::Form;
use async_trait::async_trait;
use config::Secret;
use edge::read_secret;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use notify::{Object, Value};
use serde::Serialize;

use super::connection::{Connection, secret};
use super::text::{Parser, Text, Told};
use super::{Letter, SendError, Sender, Unfit};
use crate::go_json;

const TITLE_CHARS_MAX: usize = 1024;

/// In which texts of an attachment Slack looks for its own marks.
const MARKED: [&str; 3] = ["fallback", "pretext", "text"];

pub(super) struct Slack {
    connection: Connection,
    url: Secret,
    token: Option<Secret>,
    link_names: bool,
    message: [Text; 5],
    attachment: [Text; 10],
    fields: Vec<([Text; 2], bool)>,
    actions: Vec<([Text; 6], Option<[Text; 4]>)>,
    marked: Vec<String>,
    folder: PathBuf,
}

impl Slack {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        if settings.is_true("update_message") {
            return Err(Unfit::Unsupported("with update_message".to_owned()));
        }
        let short = settings.is_true("short_fields");
        let shorts = settings.list("fields").iter().map(|field| field.bool("short").unwrap_or(short));
        let fields = parser.list("fields", ["title", "value"])?.into_iter().zip(shorts).collect();
        // as in Alertmanager, an action that opens a page has no name, and is not asked about
        let opens_page = |action: &Object| !action.text("url").is_empty();
        let confirm = |action: &Object| {
            let Some(confirm) = action.object("confirm").filter(|_| !opens_page(action)) else {
                return Ok(None);
            };
            let of = |name| parser.of("actions", confirm.text(name), Form::Plain);
            Ok(Some([of("text")?, of("title")?, of("ok_text")?, of("dismiss_text")?]))
        };
        let confirms: Result<Vec<_>, Unfit> = settings.list("actions").iter().map(confirm).collect();
        let mut actions = parser.list("actions", ["type", "text", "url", "style", "name", "value"])?;
        for (texts, action) in actions.iter_mut().zip(settings.list("actions")) {
            if opens_page(action) {
                texts[4] = parser.of("actions", "", Form::Plain)?;
                texts[5] = parser.of("actions", "", Form::Plain)?;
            }
        }
        let marked = match settings.get("mrkdwn_in") {
            Some(Value::Texts(texts)) if !texts.is_empty() => texts.clone(),
            _ => MARKED.map(str::to_owned).to_vec(),
        };
        let text = |name| parser.text(name);
        Ok(Self {
            connection: Connection::new(settings, folder)?,
            url: secret(settings, "api_url").unwrap_or_else(|| Secret::Inline(String::new())),
            token: secret(settings, "app_token"),
            link_names: settings.is_true("link_names"),
            message: [
                text("channel")?,
                text("username")?,
                text("icon_emoji")?,
                text("icon_url")?,
                text("message_text")?,
            ],
            attachment: [
                text("title")?,
                text("title_link")?,
                text("pretext")?,
                text("text")?,
                text("fallback")?,
                text("callback_id")?,
                text("image_url")?,
                text("thumb_url")?,
                text("footer")?,
                text("color")?,
            ],
            fields,
            actions: actions.into_iter().zip(confirms?).collect(),
            marked,
            folder: folder.to_owned(),
        })
    }

    fn body(&self, told: &Told) -> Result<Vec<u8>, SendError> {
        let all = expanded(&self.message, told)?;
        let [channel, username, icon_emoji, icon_url, text] = all;
        let title = self.attachment[0].expand_to(told, TITLE_CHARS_MAX)?;
        let [_, title_link, pretext, attached, fallback, callback_id, image_url, thumb_url, footer, color] =
            expanded(&self.attachment, told)?;
        let mut fields = Vec::new();
        for (texts, short) in &self.fields {
            let [title, value] = expanded(texts, told)?;
            fields.push(Field { title, value, short: *short });
        }
        let mut actions = Vec::new();
        for (texts, confirm) in &self.actions {
            let [r#type, text, url, style, name, value] = expanded(texts, told)?;
            let confirm = match confirm {
                Some(texts) => {
                    let [text, title, ok_text, dismiss_text] = expanded(texts, told)?;
                    Some(Confirm { text, title, ok_text, dismiss_text })
                }
                None => None,
            };
            actions.push(Action { r#type, text, url, style, name, value, confirm });
        }
        let attachment = Attachment {
            title,
            title_link,
            pretext,
            text: attached,
            fallback,
            callback_id,
            fields,
            actions,
            image_url,
            thumb_url,
            footer,
            color,
            mrkdwn_in: &self.marked,
        };
        let link_names = self.link_names;
        let attachments = [attachment];
        Ok(go_json::line(&Message { channel, username, icon_emoji, icon_url, link_names, text, attachments }))
    }
}

fn expanded<const N: usize>(texts: &[Text; N], told: &Told) -> Result<[String; N], SendError> {
    let mut all = [const { String::new() }; N];
    for (expanded, text) in all.iter_mut().zip(texts) {
        *expanded = text.expand(told)?;
    }
    Ok(all)
}

#[async_trait]
impl Sender for Slack {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let body = self.body(&Told::of(letter))?;
        let url = read_secret(&self.url, &self.folder)?;
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            let text = format!("Bearer {}", read_secret(token, &self.folder)?);
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| SendError::Address("app_token cannot stand in a header".to_owned()))?;
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        let answer = self.connection.post(&url, headers, body, letter.timeout, &[]).await?;
        match refusal(&String::from_utf8_lossy(&answer)) {
            None => Ok(()),
            Some(reason) => Err(SendError::Answer { reason, may_be_tried: false }),
        }
    }
}

/// What Slack says in an answer whose status is success.
fn refusal(answer: &str) -> Option<String> {
    let text = answer.trim();
    if let Ok(serde_json::Value::Object(answer)) = serde_json::from_str(text) {
        let is_ok = answer.get("ok").and_then(serde_json::Value::as_bool).unwrap_or(true);
        let error = answer.get("error").and_then(serde_json::Value::as_str).unwrap_or("no reason");
        return (!is_ok).then(|| error.to_owned());
    }
    (!text.is_empty() && text != "ok").then(|| text.chars().take(500).collect())
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_emoji: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_url: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    link_names: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    attachments: [Attachment<'a>; 1],
}

#[derive(Serialize)]
struct Attachment<'a> {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pretext: String,
    text: String,
    fallback: String,
    callback_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    #[serde(skip_serializing_if = "String::is_empty")]
    image_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thumb_url: String,
    footer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    color: String,
    mrkdwn_in: &'a [String],
}

#[derive(Serialize)]
struct Field {
    title: String,
    value: String,
    short: bool,
}

#[derive(Serialize)]
struct Action {
    r#type: String,
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    style: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<Confirm>,
}

#[derive(Serialize)]
struct Confirm {
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    ok_text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    dismiss_text: String,
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn an_answer_may_refuse_with_success() {
        assert_eq!(refusal("ok"), None);
        assert_eq!(refusal("{\"ok\":true}"), None);
        assert_eq!(
            refusal("{\"ok\":false,\"error\":\"channel_not_found\"}").as_deref(),
            Some("channel_not_found")
        );
        assert_eq!(refusal("no_text").as_deref(), Some("no_text"));
    }
}
