//! Microsoft Teams: a card, for connectors of old and for workflows.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use config::Secret;
use edge::read_secret;
use serde::Serialize;

use super::connection::{Connection, secret};
use super::text::{Parser, Text, Told};
use super::{Letter, SendError, Sender, Unfit};
use crate::go_json;

/// Which kind of card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    /// Of connectors, which Microsoft no longer makes.
    Message,
    /// Of workflows.
    Adaptive,
}

pub(super) struct Teams {
    card: Card,
    connection: Connection,
    url: Secret,
    title: Text,
    summary: Text,
    text: Text,
    folder: PathBuf,
}

impl Teams {
    pub(super) fn new(card: Card, parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        Ok(Self {
            card,
            connection: Connection::new(parser.settings, folder)?,
            url: secret(parser.settings, "webhook_url").unwrap_or_else(|| Secret::Inline(String::new())),
            title: parser.text("title")?,
            summary: parser.text("summary")?,
            text: parser.text("text")?,
            folder: folder.to_owned(),
        })
    }

    fn body(&self, told: &Told) -> Result<Vec<u8>, SendError> {
        let (title, text) = (self.title.expand(told)?, self.text.expand(told)?);
        if self.card == Card::Message {
            return Ok(go_json::line(&MessageCard {
                context: "http://schema.org/extensions",
                r#type: "MessageCard",
                title,
                summary: self.summary.expand(told)?,
                text,
                theme_color: if told.is_resolved() { "2DC72D" } else { "8C1A1A" },
            }));
        }
        let heading = TextBlock {
            r#type: "TextBlock",
            text: title,
            weight: "Bolder",
            size: "Medium",
            wrap: true,
            style: "heading",
            color: if told.is_resolved() { "Good" } else { "Attention" },
        };
        let body = TextBlock { r#type: "TextBlock", text, wrap: true, ..TextBlock::default() };
        let content = AdaptiveCard {
            schema: "http://adaptivecards.io/schemas/adaptive-card.json",
            r#type: "AdaptiveCard",
            version: "1.2",
            body: [heading, body],
            msteams: Width { width: "full" },
        };
        let content_type = "application/vnd.microsoft.card.adaptive";
        let attachment = CardAttachment { content_type, content_url: None, content };
        Ok(go_json::line(&Workflow { r#type: "message", attachments: [attachment] }))
    }
}

#[async_trait]
impl Sender for Teams {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let body = self.body(&Told::of(letter))?;
        let url = read_secret(&self.url, &self.folder)?;
        self.connection.post(&url, Vec::new(), body, letter.timeout, &[]).await.map(|_| ())
    }
}

#[derive(Serialize)]
struct MessageCard {
    #[serde(rename = "@context")]
    context: &'static str,
    r#type: &'static str,
    title: String,
    summary: String,
    text: String,
    #[serde(rename = "themeColor")]
    theme_color: &'static str,
}

#[derive(Serialize)]
struct Workflow {
    r#type: &'static str,
    attachments: [CardAttachment; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CardAttachment {
    content_type: &'static str,
    content_url: Option<&'static str>,
    content: AdaptiveCard,
}

#[derive(Serialize)]
struct AdaptiveCard {
    #[serde(rename = "$schema")]
    schema: &'static str,
    r#type: &'static str,
    version: &'static str,
    body: [TextBlock; 2],
    msteams: Width,
}

#[derive(Default, Serialize)]
struct TextBlock {
    r#type: &'static str,
    text: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    weight: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    size: &'static str,
    wrap: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    style: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    color: &'static str,
}

#[derive(Serialize)]
struct Width {
    width: &'static str,
}
