//! The file of tokens.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate};
use model::Matcher;
use model::quote::quoted;
use yaml::{Content, Node, PlacedMistake, Reader, YamlError};

use crate::bounds::Bounds;
use crate::grant::Grant;
use crate::hash::Hash;
use crate::scope::{Scope, Scopes};

/// The largest file that is read.
pub const TOKENS_BYTES_MAX: usize = 4 << 20;

/// All tokens that are known, by their hashes.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    by_hash: HashMap<Hash, Token>,
}

/// What is known about a token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it allows.
    pub grant: Grant,
    /// From when on it is good for nothing, in milliseconds.
    pub expires_ms: Option<i64>,
}

/// Everything that is wrong with a file of tokens, a line for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.iter().map(|mistake| format!("{file}{mistake}")).collect::<Vec<_>>().join("\n"))]
pub struct TokensError {
    /// The path as it was given.
    pub file: String,
    /// What is wrong, in the order of the file.
    pub mistakes: Vec<TokensMistake>,
}

/// One thing that is wrong. `Display` is what follows the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensMistake {
    /// It is larger than such a file may be.
    #[error(": the file has {bytes} bytes; the limit is {TOKENS_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It is no YAML.
    #[error(": {0}")]
    Yaml(#[from] YamlError),
    /// Something in it.
    #[error(":{0}")]
    Placed(PlacedMistake),
    /// Nobody could do anything.
    #[error(": there are no tokens in it")]
    NoTokens,
}

/// Why a token is good for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// There is none of this hash.
    #[error("the token is not known")]
    Unknown,
    /// There was.
    #[error("token {name:?} has expired")]
    Expired {
        /// What it is called.
        name: String,
    },
}

const FIELDS: [&str; 6] = ["name", "hash", "scopes", "match", "tenant", "expires"];

impl Tokens {
    /// Reads a file. `file` names it in mistakes; `selector` reads matchers in PromQL's syntax, or says what is wrong with them.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(
        file: &str,
        text: &str,
        selector: fn(&str) -> Result<Vec<Matcher>, String>,
    ) -> Result<Self, TokensError> {
        let tokens = Self::read_again(file, text, selector)?;
        if tokens.is_empty() {
            return Err(TokensError { file: file.to_owned(), mistakes: vec![TokensMistake::NoTokens] });
        }
        Ok(tokens)
    }

    /// The same, where other tokens are in force: a list without any takes them from everybody. A file that has no list, as when
    /// half of it is written, stays a mistake.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read_again(
        file: &str,
        text: &str,
        selector: fn(&str) -> Result<Vec<Matcher>, String>,
    ) -> Result<Self, TokensError> {
        let wrong = |mistakes| TokensError { file: file.to_owned(), mistakes };
        if text.len() > TOKENS_BYTES_MAX {
            return Err(wrong(vec![TokensMistake::TooLarge { bytes: text.len() }]));
        }
        let document = yaml::parse(text).map_err(|error| wrong(vec![TokensMistake::Yaml(error)]))?;
        let mut reading = Reading { reader: Reader::new(), selector, names: HashMap::new() };
        let (mut tokens, mut has_list) = (Self::default(), false);
        if let Some(root) = &document.root {
            for (key, value) in reading.reader.entries(root, "the file of tokens") {
                match &*key.0 {
                    "tokens" => {
                        has_list = matches!(value.content, Content::Sequence(_));
                        reading.tokens(&value, &mut tokens);
                    }
                    _ => reading.reader.unknown(&key, "the file of tokens", &["tokens"]),
                }
            }
        }
        let placed = |mistakes: Vec<_>| mistakes.into_iter().map(TokensMistake::Placed).collect();
        reading.reader.finish().map_err(|mistakes| wrong(placed(mistakes)))?;
        if !has_list {
            return Err(wrong(vec![TokensMistake::NoTokens]));
        }
        Ok(tokens)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Every one.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.by_hash.values()
    }

    /// What a token allows at this time. It is looked up by its hash, which nobody can choose, so how long that takes says nothing.
    ///
    /// # Errors
    /// If it allows nothing.
    pub fn grant(&self, token: &[u8], now_ms: i64) -> Result<&Grant, NotAdmitted> {
        let Token { grant, expires_ms } = self.by_hash.get(&Hash::of(token)).ok_or(NotAdmitted::Unknown)?;
        match expires_ms {
            Some(expires_ms) if *expires_ms <= now_ms => {
                Err(NotAdmitted::Expired { name: grant.name().unwrap_or_default().to_owned() })
            }
            _ => Ok(grant),
        }
    }
}

/// A file that is being read.
struct Reading {
    reader: Reader,
    selector: fn(&str) -> Result<Vec<Matcher>, String>,
    /// The lines in which names stand.
    names: HashMap<String, usize>,
}

impl Reading {
    fn tokens(&mut self, node: &Node, tokens: &mut Tokens) {
        for item in self.reader.items(node, "tokens") {
            let Some((hash, token)) = self.token(&item) else { continue };
            if let Some(first) = tokens.by_hash.get(&hash) {
                let name = quoted(first.grant.name().unwrap_or_default());
                self.reader.complain(item.position, format!("it has the hash of token {name}"));
            } else {
                tokens.by_hash.insert(hash, token);
            }
        }
    }

    fn token(&mut self, item: &Node) -> Option<(Hash, Token)> {
        let (mut name, mut hash, mut scopes, mut bounds) = (None, None, None, Bounds::default());
        let (mut tenant, mut expires_ms) = (None, None);
        let before = self.reader.mistakes();
        for (key, value) in self.reader.entries(item, "a token") {
            match &*key.0 {
                "name" => name = self.name(&value),
                "hash" => hash = self.reader.parsed(&value, Hash::of_hex),
                "scopes" => scopes = Some(self.scopes(&value)),
                "match" => {
                    let selector = self.selector;
                    bounds = self.reader.parsed(&value, selector).map(Bounds::new).unwrap_or_default();
                    // nothing at all would bind to nothing, and whoever writes the field wants to bind
                    if bounds.is_everything() && self.reader.mistakes() == before {
                        self.reader
                            .complain(value.position, "match must be matchers like {job=~\"team-.*\"}");
                    }
                }
                "tenant" => {
                    tenant = Some(self.reader.string(&value));
                    if tenant.as_deref() == Some("") {
                        self.reader.complain(value.position, "a tenant must have a name");
                    }
                }
                "expires" => expires_ms = self.reader.parsed(&value, instant_ms),
                _ => self.reader.unknown(&key, "a token", &FIELDS),
            }
        }
        if self.reader.mistakes() > before {
            return None;
        }
        for (is_there, field) in
            [(name.is_some(), "name"), (hash.is_some(), "hash"), (scopes.is_some(), "scopes")]
        {
            if !is_there {
                self.reader.complain(item.position, format!("a token must have the field {field}"));
            }
        }
        let grant = Grant::new(name?, scopes?, tenant, bounds);
        Some((hash?, Token { grant, expires_ms }))
    }

    fn name(&mut self, node: &Node) -> Option<String> {
        let name = self.reader.string(node);
        if name.is_empty() {
            self.reader.complain(node.position, "a token must have a name: it stands in answers and logs");
            return None;
        }
        if let Some(line) = self.names.insert(name.clone(), node.position.line) {
            let text = format!("there is a token {} already, in line {line}", quoted(&name));
            self.reader.complain(node.position, text);
        }
        Some(name)
    }

    fn scopes(&mut self, node: &Node) -> Scopes {
        let (mut scopes, items) = (Vec::new(), self.reader.items(node, "scopes"));
        if items.is_empty() {
            self.reader.complain(node.position, "a token must have a scope: push, read, delete or admin");
        }
        for item in items {
            let word = self.reader.string(&item);
            match Scope::from_word(&word) {
                Some(scope) => scopes.push(scope),
                None => {
                    let known = Scope::ALL.map(Scope::as_str).join(", ");
                    let text = format!("unknown scope {}; there are {known}", quoted(&word));
                    self.reader.complain(item.position, text);
                }
            }
        }
        scopes.into_iter().collect()
    }
}

/// A time as RFC 3339 writes it, or a day, at whose beginning (UTC) it is.
fn instant_ms(text: &str) -> Result<i64, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    let expected =
        || format!("{text:?}: expected a time like 2027-01-31T12:00:00Z, or a day like 2027-01-31");
    Ok(day.ok_or_else(expected)?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use model::{Labels, MatchOp};

    use super::*;

    /// `job~x` for `job=~"x"`; the syntax of PromQL is elsewhere.
    fn selector(text: &str) -> Result<Vec<Matcher>, String> {
        let (name, value) = text.split_once('~').ok_or("1:1: parse error")?;
        Ok(vec![Matcher::new(name, MatchOp::Regex, value).map_err(|error| error.to_string())?])
    }

    fn read(text: &str) -> Result<Tokens, String> {
        Tokens::read("t.yml", text, selector).map_err(|error| error.to_string())
    }

    /// Of `secret` and `other`.
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    const OTHER: &str = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";

    #[test]
    fn tokens_are_known_by_their_hash() {
        let text = format!(
            "tokens:\n- {{name: ci, hash: {SECRET}, scopes: [push]}}\n- name: team\n  hash: {}\n  scopes: [push, read]\n  \
             match: job~team-.*\n  tenant: default\n  expires: 2027-01-31T00:00:00Z\n",
            OTHER.to_uppercase()
        );
        let tokens = read(&text).expect("reads");
        assert_eq!((tokens.len(), tokens.is_empty(), tokens.iter().count()), (2, false, 2));
        let expires_ms = 1_801_353_600_000;
        let ci = tokens.grant(b"secret", i64::MAX).expect("known");
        assert_eq!((ci.name(), ci.scopes().to_string().as_str(), ci.tenant()), (Some("ci"), "push", None));
        assert!(!ci.is_bounded());
        let team = tokens.grant(b"other", expires_ms - 1).expect("known");
        assert_eq!((team.name(), team.tenant()), (Some("team"), Some("default")));
        let job = |job: &str| Labels::from_pairs([("job", job)]);
        assert!(team.admits(&job("team-a")) && !team.admits(&job("x")));
        let expired = tokens.grant(b"other", expires_ms).expect_err("is over");
        assert_eq!(expired.to_string(), "token \"team\" has expired");
        for unknown in [&b""[..], b"Secret", b"secret ", SECRET.as_bytes()] {
            assert_eq!(tokens.grant(unknown, 0).expect_err("unknown"), NotAdmitted::Unknown);
        }
    }

    #[test]
    fn a_list_of_none_takes_tokens_away() {
        let again = |text: &str| Tokens::read_again("t.yml", text, selector);
        assert!(again("tokens: []\n").expect("reads").is_empty());
        for no_list in ["", "# nothing\n", "tokens:\n"] {
            let told = again(no_list).expect_err("is refused").to_string();
            assert_eq!(told, "t.yml: there are no tokens in it", "{no_list}");
        }
    }

    #[test]
    fn days_and_times() {
        assert_eq!(instant_ms("2027-01-31"), instant_ms("2027-01-31T01:00:00+01:00"));
        assert!(instant_ms("tomorrow").is_err_and(|error| error.contains("like 2027-01-31T12:00:00Z")));
    }

    #[test]
    fn mistakes_have_their_places() {
        let check = |text: &str, expect: &[&str]| {
            let told = read(text).expect_err("is refused");
            assert_eq!(told.lines().collect::<Vec<_>>(), expect, "{text}");
        };
        check("", &["t.yml: there are no tokens in it"]);
        check("tokens: []\n", &["t.yml: there are no tokens in it"]);
        check("token: []\n", &["t.yml:1:1: unknown field \"token\" in the file of tokens; there are tokens"]);
        check("tokens: {a: b}\n", &["t.yml:1:9: tokens must be a list"]);
        let entry =
            |fields: &str| format!("tokens:\n- {{name: a, hash: {SECRET}, scopes: [push], {fields}}}\n");
        let at =
            |fields: &str| 2 + "- {name: a, hash: , scopes: [push], ".len() + SECRET.len() + fields.len() - 1;
        let place = |fields: &str, text: &str| format!("t.yml:2:{}: {text}", at(fields));
        check(
            &entry("hosh: 1"),
            &[&place(
                "",
                "unknown field \"hosh\" in a token; there are name, hash, scopes, match, tenant, expires",
            )],
        );
        check(&entry("match: job"), &[&place("match: ", "1:1: parse error")]);
        check(&entry("match: ~"), &[&place("match: ", "match must be matchers like {job=~\"team-.*\"}")]);
        check(&entry("tenant: ''"), &[&place("tenant: ", "a tenant must have a name")]);
        check(
            "tokens:\n- {name: a}\n",
            &["t.yml:2:3: a token must have the field hash", "t.yml:2:3: a token must have the field scopes"],
        );
        check(
            "tokens:\n- name: ''\n  hash: secret\n  scopes: [pull]\n- {scopes: []}\n",
            &[
                "t.yml:2:9: a token must have a name: it stands in answers and logs",
                "t.yml:3:9: expected 64 hexadecimal digits, the SHA-256 of a token as sha256sum prints it",
                "t.yml:4:12: unknown scope \"pull\"; there are push, read, delete, admin",
                "t.yml:5:12: a token must have a scope: push, read, delete or admin",
            ],
        );
        let twice = format!(
            "{}- {{name: b, hash: {SECRET}, scopes: [read]}}\n- {{name: a, hash: {OTHER}, scopes: [read]}}\n",
            entry("")
        );
        check(
            &twice,
            &[
                "t.yml:3:3: it has the hash of token \"a\"",
                "t.yml:4:10: there is a token \"a\" already, in line 2",
            ],
        );
        check(
            "tokens: [\n",
            &["t.yml: yaml: line 2: while parsing a node, did not find expected node content"],
        );
        let large = "#".repeat(TOKENS_BYTES_MAX + 1);
        check(
            &large,
            &[&format!("t.yml: the file has {} bytes; the limit is {TOKENS_BYTES_MAX}", large.len())],
        );
    }
}
