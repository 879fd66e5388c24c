//! An `alertmanager.yml` that can be acted upon: who is told what, and how they are reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use alert::{NotificationTemplates, TemplateSyntaxError};
use config::Secret;
use edge::SecretReference;
use model::quote::quoted;
use notify::{Config, ConfigMistake, Dispatcher, Integration};

use crate::receivers::{self, Recipient, Unfit};

/// All that the courier goes by.
pub struct Book {
    pub(crate) dispatcher: Dispatcher,
    /// By receiver, kind, and place among those of its kind.
    pub(crate) recipients: BTreeMap<(String, String, usize), Arc<Recipient>>,
    pub(crate) config: Config,
    /// Where users reach the query page, without a slash at its end.
    pub(crate) external_url: String,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").field("receivers", &self.config.receivers.len()).finish_non_exhaustive()
    }
}

/// Why a configuration cannot be acted upon.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// It is mistaken.
    #[error("{}", one_line(.0))]
    Config(#[from] ConfigMistake),
    /// A file of templates is mistaken.
    #[error(transparent)]
    Templates(#[from] TemplateSyntaxError),
    /// It is valid, and asks for what is not there.
    #[error("valid, but not supported: {}", .0.join("; "))]
    Unsupported(Vec<String>),
    /// Texts of receivers are no templates.
    #[error("{}", .0.join("; "))]
    Texts(Vec<String>),
    /// Certificates and keys cannot be read, or are none.
    #[error("{}", .0.join("; "))]
    Certificates(Vec<String>),
}

fn one_line(mistake: &ConfigMistake) -> String {
    mistake.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

impl Book {
    /// What a text says, with templates of files: names and texts. Files with secrets are relative to `folder`; `secrets` are those
    /// that it refers to. A courier that ticks every `tick_ms`, or at all times that are named to it if that is 0, goes by it.
    ///
    /// # Errors
    /// All that is wrong, or not supported.
    pub fn read(
        text: &str,
        templates: &[(String, String)],
        secrets: &BTreeMap<SecretReference, Secret>,
        folder: &Path,
        external_url: &str,
        tick_ms: i64,
    ) -> Result<Self, BookError> {
        let mut config = Config::read(text)?;
        config.fill_files(&mut |file| match secrets.get(&SecretReference::of(file.file)?)? {
            Secret::Inline(text) => Some(text.clone()),
            Secret::File(_) => None,
        });
        let templates = Arc::new(NotificationTemplates::new(templates)?);
        let (mut unsupported, mut texts, mut files) = (Vec::new(), Vec::new(), Vec::new());
        let mut recipients = BTreeMap::new();
        for receiver in &config.receivers {
            for integration in &receiver.integrations {
                let Integration { kind, index, settings, .. } = integration;
                let place = || format!("receiver {}: {}", quoted(&receiver.name), kind.field());
                match receivers::recipient(*kind, settings, &templates, folder) {
                    Ok(recipient) => {
                        let key = (receiver.name.clone(), kind.name().to_owned(), *index);
                        recipients.insert(key, Arc::new(recipient));
                    }
                    Err(Unfit::Unsupported(what)) if what.is_empty() => unsupported.push(place()),
                    Err(Unfit::Unsupported(what)) => unsupported.push(format!("{} {what}", place())),
                    Err(Unfit::Template(why)) => texts.push(format!("{}: {why}", place())),
                    Err(Unfit::Files(why)) => files.push(format!("{}: {why}", place())),
                }
            }
        }
        match (unsupported.is_empty(), texts.is_empty(), files.is_empty()) {
            (false, ..) => return Err(BookError::Unsupported(unsupported)),
            (_, false, _) => return Err(BookError::Texts(texts)),
            (_, _, false) => return Err(BookError::Certificates(files)),
            _ => {}
        }
        for warning in &config.warnings {
            tracing::warn!(warning, "alertmanager.yml");
        }
        let dispatcher = Dispatcher::new(&config).ticking_every(tick_ms);
        let external_url = external_url.trim_end_matches('/').to_owned();
        Ok(Self { dispatcher, recipients, config, external_url })
    }
}
