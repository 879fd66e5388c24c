//! Discord: a message with one embed.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use config::Secret;
use edge::read_secret;
use serde::Serialize;

use super::connection::{Connection, secret};
use super::text::{Parser, Text, Told};
use super::{Letter, SendError, Sender, Unfit};
use crate::go_json;

const CONTENT_CHARS_MAX: usize = 2000;
const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 4096;

const RED: u32 = 0x99_2d_22;
const GREEN: u32 = 0x2e_cc_71;

pub(super) struct Discord {
    connection: Connection,
    url: Secret,
    content: Text,
    title: Text,
    message: Text,
    /// As it stands, no template.
    username: String,
    avatar_url: String,
    folder: PathBuf,
}

impl Discord {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        Ok(Self {
            connection: Connection::new(settings, folder)?,
            url: secret(settings, "webhook_url").unwrap_or_else(|| Secret::Inline(String::new())),
            content: parser.text("content")?,
            title: parser.text("title")?,
            message: parser.text("message")?,
            username: settings.text("username").to_owned(),
            avatar_url: settings.text("avatar_url").to_owned(),
            folder: folder.to_owned(),
        })
    }

    fn body(&self, told: &Told) -> Result<Vec<u8>, SendError> {
        let embed = Embed {
            title: self.title.expand_to(told, TITLE_CHARS_MAX)?,
            description: self.message.expand_to(told, DESCRIPTION_CHARS_MAX)?,
            color: if told.is_resolved() { GREEN } else { RED },
        };
        Ok(go_json::line(&Message {
            content: self.content.expand_to(told, CONTENT_CHARS_MAX)?,
            embeds: [embed],
            username: &self.username,
            avatar_url: &self.avatar_url,
        }))
    }
}

#[async_trait]
impl Sender for Discord {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let body = self.body(&Told::of(letter))?;
        let url = read_secret(&self.url, &self.folder)?;
        self.connection.post(&url, Vec::new(), body, letter.timeout, &[]).await.map(|_| ())
    }
}

#[derive(Serialize)]
struct Message<'a> {
    content: String,
    embeds: [Embed; 1],
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    avatar_url: &'a str,
}

#[derive(Serialize)]
struct Embed {
    title: String,
    description: String,
    color: u32,
}
