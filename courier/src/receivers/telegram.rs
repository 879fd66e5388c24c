//! Telegram: a message of a bot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use config::Secret;
use edge::read_secret;
use http::Method;

use super::connection::{Connection, secret};
use super::text::{Parser, Text, Told, cut_chars};
use super::{Letter, SendError, Sender, Unfit};
use crate::go_json;

const TEXT_CHARS_MAX: usize = 4096;

/// What is sent for a text that is too long: marked up as it is, it cannot be cut.
const TOO_LONG: &str = "Alertmanager notification could not be sent: message length exceeds Telegram limits.\n\t\t\tPlease check \
                        the template used for producing the message content.";

pub(super) struct Telegram {
    connection: Connection,
    url: String,
    token: Secret,
    chat: Secret,
    thread: i64,
    is_silent: bool,
    parse_mode: String,
    message: Text,
    folder: PathBuf,
}

impl Telegram {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        let parse_mode = settings.text("parse_mode").to_owned();
        let chat = match settings.int("chat_id") {
            0 => secret(settings, "chat_id").unwrap_or_else(|| Secret::Inline(String::new())),
            id => Secret::Inline(id.to_string()),
        };
        Ok(Self {
            connection: Connection::new(settings, folder)?,
            url: settings.text("api_url").trim_end_matches('/').to_owned(),
            token: secret(settings, "bot_token").unwrap_or_else(|| Secret::Inline(String::new())),
            chat,
            thread: settings.int("message_thread_id"),
            is_silent: settings.is_true("disable_notifications"),
            message: if parse_mode == "HTML" { parser.html("message")? } else { parser.text("message")? },
            parse_mode,
            folder: folder.to_owned(),
        })
    }

    fn body(&self, told: &Told) -> Result<Vec<u8>, SendError> {
        let (text, is_cut) = cut_chars(self.message.expand(told)?, TEXT_CHARS_MAX);
        let text = if is_cut && self.parse_mode == "HTML" { TOO_LONG.to_owned() } else { text };
        let yes = || "true".to_owned();
        let mut fields = BTreeMap::from([
            ("chat_id", read_secret(&self.chat, &self.folder)?),
            ("disable_web_page_preview", yes()),
            ("text", text),
        ]);
        if self.is_silent {
            fields.insert("disable_notification", yes());
        }
        if self.thread != 0 {
            fields.insert("message_thread_id", self.thread.to_string());
        }
        if !self.parse_mode.is_empty() {
            fields.insert("parse_mode", self.parse_mode.clone());
        }
        Ok(go_json::line(&fields))
    }
}

#[async_trait]
impl Sender for Telegram {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let body = self.body(&Told::of(letter))?;
        let url = format!("{}/bot{}/sendMessage", self.url, read_secret(&self.token, &self.folder)?);
        let asked =
            self.connection.ask(Method::POST, &url, "application/json", Vec::new(), body, letter.timeout);
        let (status, answer) = asked.await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status.is_success() && answer["ok"].as_bool() != Some(false) {
            return Ok(());
        }
        let reason = answer["description"].as_str().unwrap_or("no reason");
        // as in Alertmanager, whatever Telegram says
        Err(SendError::Answer { reason: format!("answered {status}: {reason}"), may_be_tried: true })
    }
}
