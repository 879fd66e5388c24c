//! `mayfly token`: makes tokens, and tells what they may do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use access::{Hash, Scope, Tokens};
use anyhow::{Context, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use gateway::Web;

use crate::check_rules::say;
use crate::serve::admission::{Port, Routes, check_tenants};

#[derive(Args, Debug)]
pub(crate) struct NewToken {
    /// What it is called, in logs and where something is refused
    #[arg(long, value_name = "NAME")]
    name: String,

    /// What it may do; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)))]
    scopes: Vec<String>,

    /// The series that it is about, as PromQL selects them: {job=~"team-.*"} [default: all]
    #[arg(long = "match", value_name = "MATCHERS")]
    matchers: Option<String>,

    /// The tenant that it is for [default: any that a trusted header names, else default]
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,

    /// When it ends to be good: a day like 2027-01-31, or a time like 2027-01-31T12:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,

    /// Add it to this file of tokens, which is made if it is not there, and print the token alone
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Makes a token of 256 random bits.
pub(crate) fn new(flags: &NewToken) -> anyhow::Result<ExitCode> {
    let mut random = [0; 32];
    let got = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    anyhow::ensure!(got == random.len(), "the system gave {got} random bytes of {}", random.len());
    let token = access::token(&random);
    let entry = entry(flags, &Hash::of(token.as_bytes()))?;
    read("the new entry", &format!("tokens:\n{entry}"))?;
    match &flags.file {
        None => say(&format!(
            "{token}\n\n# for the file of --access.tokens-file, below \"tokens:\"\n{}",
            entry.trim_end()
        ))?,
        Some(file) => {
            add(file, &entry)?;
            say(&token)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &str, text: &str) -> anyhow::Result<Tokens> {
    let tokens = Tokens::read(file, text, query::api::matchers)?;
    check_tenants(file, &tokens).map_err(anyhow::Error::msg)?;
    Ok(tokens)
}

/// One item of the list of tokens.
fn entry(flags: &NewToken, hash: &Hash) -> anyhow::Result<String> {
    let mut lines = vec![
        format!("- name: {}", quoted(&flags.name)?),
        format!("  hash: {hash}"),
        format!("  scopes: [{}]", flags.scopes.join(", ")),
    ];
    let more = [("match", &flags.matchers), ("tenant", &flags.tenant), ("expires", &flags.expires)];
    for (field, value) in more {
        if let Some(value) = value {
            lines.push(format!("  {field}: {}", quoted(value)?));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// A text as YAML takes it as it stands.
fn quoted(text: &str) -> anyhow::Result<String> {
    if text.chars().any(char::is_control) {
        bail!("{text:?} has a line feed or the like in it");
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// Puts an entry at the end of a file, which is well before and after that; whoever reads it meanwhile sees either.
fn add(file: &Path, entry: &str) -> anyhow::Result<()> {
    let shown = file.display().to_string();
    let before = match std::fs::read_to_string(file) {
        Ok(text) => {
            read(&shown, &text)?;
            text
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "tokens:\n".to_owned(),
        Err(error) => return Err(error).context(shown),
    };
    let line_end = if before.ends_with('\n') { "" } else { "\n" };
    let after = format!("{before}{line_end}{entry}");
    read(&shown, &after).with_context(|| format!("could not be added at the end of {shown}"))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().with_context(|| format!("{shown} is no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let beside = folder.join(hidden);
    let written = write_beside(&beside, &after, file);
    if written.is_err() {
        // it is of no use to anybody
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(|| shown.clone())
}

fn write_beside(beside: &Path, text: &str, file: &Path) -> std::io::Result<()> {
    let mut new = std::fs::File::create_new(beside)?;
    if let Ok(known) = std::fs::metadata(file) {
        new.set_permissions(known.permissions())?;
    }
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    std::fs::rename(beside, file)
}

/// Lists all routes and what they need.
pub(crate) fn routes() -> anyhow::Result<ExitCode> {
    let web = Web { admin_api: true, lifecycle: true, ..Web::default() };
    for port in [Port::Gateway, Port::Query] {
        for route in Routes::of(port, &web).iter() {
            for method in route.methods.split(' ') {
                say(&format!("{:<8} {method:<7} {:<42} {}", port.as_str(), route.path, route.need))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        flags: NewToken,
    }

    fn flags(words: &[&str]) -> NewToken {
        let words = ["new", "--name", "a's", "--scope", "push", "--scope", "read"].iter().chain(words);
        Words::try_parse_from(words).expect("flags").flags
    }

    #[test]
    fn what_is_made_can_be_read() {
        let hash = Hash::of(b"secret");
        let more = ["--match", "{job=~\"team-.*\"}", "--tenant", "t", "--expires", "2027-01-31"];
        let entry = entry(&flags(&more), &hash).expect("an entry");
        assert_eq!(
            entry,
            format!(
                "- name: 'a''s'\n  hash: {hash}\n  scopes: [push, read]\n  match: '{{job=~\"team-.*\"}}'\n  tenant: 't'\n  \
                 expires: '2027-01-31'\n"
            )
        );
        let tokens = read("f", &format!("tokens:\n{entry}")).expect("reads");
        let grant = tokens.grant(b"secret", 0).expect("known");
        assert_eq!((grant.name(), grant.tenant(), grant.is_bounded()), (Some("a's"), Some("t"), true));
        assert!(quoted("a\nb").is_err());
    }

    #[test]
    fn files_get_longer() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tokens.yml");
        let add = |token: &str, name: &str| {
            let flags = NewToken { name: name.to_owned(), ..flags(&[]) };
            add(&file, &entry(&flags, &Hash::of(token.as_bytes())).expect("an entry"))
        };
        add("1", "one").expect("is made");
        add("2", "two").expect("is added");
        let error = add("3", "two").expect_err("is there already");
        assert!(format!("{error:#}").contains("there is a token \"two\" already"), "{error:#}");
        let text = std::fs::read_to_string(&file).expect("is there");
        assert_eq!(read("f", &text).expect("reads").len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 1);
    }
}
