//! `mayfly template render`

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alert::{Form, Notification, NotificationTemplates};
use anyhow::Context;
use clap::{Args, ValueEnum};
use edge::{SystemClock, glob};
use model::Clock;

#[derive(Args, Debug)]
pub(crate) struct Render {
    /// Files with definitions, beside Alertmanager's own: paths or patterns; may be given several times
    #[arg(long = "template.glob", value_name = "PATTERN")]
    globs: Vec<PathBuf>,

    /// What is expanded
    #[arg(long = "template.text", value_name = "TEXT")]
    text: String,

    /// What the text is
    #[arg(long = "template.type", value_name = "TYPE", default_value = "text")]
    form: Type,

    /// The notification, in JSON as Alertmanager sends it to webhooks; without it an example
    #[arg(long = "template.data", value_name = "FILE")]
    data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Type {
    /// Anything
    Text,
    /// HTML: values are escaped
    Html,
}

const EXAMPLE: &str = include_str!("render_example.json");

pub(crate) fn run(flags: &Render) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for pattern in &flags.globs {
        for path in glob::files(pattern).with_context(|| pattern.display().to_string())? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, read(&path)?));
        }
    }
    let notification = match &flags.data {
        Some(path) => Notification::from_json(&read(path)?).with_context(|| path.display().to_string())?,
        None => Notification::from_json(EXAMPLE)?,
    };
    let form = match flags.form {
        Type::Text => Form::Plain,
        Type::Html => Form::Html,
    };
    let template = NotificationTemplates::new(&files)?.parse(&flags.text, form)?;
    let expanded = template.expand(&notification, SystemClock.now_us() / 1_000)?;
    std::io::stdout().write_all(expanded.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
