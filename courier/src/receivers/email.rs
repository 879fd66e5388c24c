//! E-mail: a text and its HTML, given to one server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alert::Form;
use async_trait::async_trait;
use config::Secret;
use edge::{client_config, read_secret};
use jiff::Timestamp;
use jiff::fmt::strtime;
use notify::Object;
use rustls::ClientConfig;
use sha2::{Digest, Sha256};

use super::connection::{secret, tls};
use super::mime;
use super::smtp::{self, Login, Security, Server};
use super::text::{Parser, Text, Told};
use super::{Letter, SendError, Sender, Unfit, group_hash};

/// Where TLS is spoken from the beginning, unless something else is said.
const TLS_PORT: u16 = 465;

pub(super) struct Email {
    host: String,
    port: u16,
    hello: String,
    security: Security,
    tls: Arc<ClientConfig>,
    tls_name: Option<String>,
    login: Option<LoginSettings>,
    from: Text,
    to: Text,
    headers: BTreeMap<String, Text>,
    text: Option<Text>,
    html: Option<Text>,
    threads: Option<ThreadBy>,
    folder: PathBuf,
}

struct LoginSettings {
    identity: String,
    username: String,
    password: Option<Secret>,
    secret: Option<Secret>,
}

/// Which mails of a group belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ThreadBy {
    Group,
    Day,
}

impl Email {
    pub(super) fn new(parser: Parser<'_>, folder: &Path) -> Result<Self, Unfit> {
        let settings = parser.settings;
        let smarthost = settings.text("smarthost");
        let (host, port) = smarthost.rsplit_once(':').unwrap_or((smarthost, ""));
        let port = port
            .parse()
            .map_err(|_| Unfit::Unsupported(format!("with the port of smarthost {smarthost}")))?;
        let none = Object::default();
        let tls = tls(settings.object("tls_config").unwrap_or(&none))?;
        let from_beginning = settings.bool("force_implicit_tls").unwrap_or(port == TLS_PORT);
        let security = match (from_beginning, settings.bool("require_tls").unwrap_or(true)) {
            (true, _) => Security::Always,
            (false, true) => Security::StartTls,
            (false, false) => Security::Never,
        };
        let username = settings.text("auth_username").to_owned();
        let login = (!username.is_empty()).then(|| LoginSettings {
            identity: settings.text("auth_identity").to_owned(),
            username,
            password: secret(settings, "auth_password"),
            secret: secret(settings, "auth_secret"),
        });
        let threads = settings.object("threading").filter(|threading| threading.is_true("enabled"));
        let threads = threads.map(|threading| match threading.text("thread_by_date") {
            "daily" => ThreadBy::Day,
            _ => ThreadBy::Group,
        });
        let mut headers = parser.map("headers")?;
        for (name, text) in
            [("Subject", "{{ template \"email.default.subject\" . }}"), ("To", ""), ("From", "")]
        {
            let text = match name {
                "To" => settings.text("to"),
                "From" => settings.text("from"),
                _ => text,
            };
            if !headers.contains_key(name) {
                headers.insert(name.to_owned(), parser.of("headers", text, Form::Plain)?);
            }
        }
        let given = |name: &str| !settings.text(name).is_empty();
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            hello: settings.text("hello").to_owned(),
            security,
            tls: Arc::new(
                client_config(&tls, folder).map_err(|error| Unfit::Files(format!("tls_config: {error}")))?,
            ),
            tls_name: tls.server_name,
            login,
            from: parser.text("from")?,
            to: parser.text("to")?,
            headers,
            text: given("text").then(|| parser.text("text")).transpose()?,
            html: given("html").then(|| parser.html("html")).transpose()?,
            threads,
            folder: folder.to_owned(),
        })
    }

    fn login(&self) -> Result<Option<Login>, SendError> {
        let Some(settings) = &self.login else { return Ok(None) };
        let of = |secret: &Option<Secret>| {
            secret.as_ref().map_or(Ok(String::new()), |secret| read_secret(secret, &self.folder))
        };
        Ok(Some(Login {
            identity: settings.identity.clone(),
            username: settings.username.clone(),
            password: of(&settings.password)?,
            secret: of(&settings.secret)?,
        }))
    }

    fn message(&self, letter: &Letter<'_>, told: &Told, from: &str) -> Result<String, SendError> {
        let hash = group_hash(letter);
        let at = Timestamp::from_millisecond(letter.now_ms).unwrap_or_default();
        // formats of ours are well formed
        let shown = |format: &str| strtime::format(format, at).unwrap_or_default();
        let mut message = String::new();
        // writing to a string cannot fail
        let mut line = |name: &str, value: &str| _ = write!(message, "{name}: {value}\r\n");
        for (name, text) in &self.headers {
            line(name, &mime::header(&text.expand(told)?));
        }
        // of one flush it is always the same, so that a mail that comes twice is known
        let about = format!("{} {} {}", letter.intent.group_key, letter.intent.receiver, letter.intent.index);
        let about = hex(&Sha256::digest(about.as_bytes()));
        if !self.headers.contains_key("Message-Id") {
            let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
            line("Message-Id", &format!("<{}.{}@{domain}>", letter.intent.flushed_at_ms, &about[..16]));
        }
        if let Some(threads) = self.threads {
            let day = if threads == ThreadBy::Day { shown("%Y-%m-%d") } else { String::new() };
            let thread = format!("<alert-{}-{day}@alertmanager>", &hash[..16]);
            line("References", &thread);
            line("In-Reply-To", &thread);
        }
        line("Date", &shown("%a, %d %b %Y %H:%M:%S +0000"));
        let boundary = &about[..60];
        line("Content-Type", &format!("multipart/alternative;  boundary={boundary}"));
        line("MIME-Version", "1.0");
        message.push_str("\r\n");
        for (kind, text) in [("plain", &self.text), ("html", &self.html)] {
            let Some(text) = text else { continue };
            let body = mime::quoted_printable(&text.expand(told)?);
            let head = "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text";
            // writing to a string cannot fail
            let _ = write!(message, "--{boundary}\r\n{head}/{kind}; charset=UTF-8\r\n\r\n{body}\r\n");
        }
        let _ = write!(message, "--{boundary}--\r\n");
        Ok(message)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The addresses of a list, `a@b.c, "D E" <d@e.f>`, without names.
fn addresses(list: &str) -> Result<Vec<String>, SendError> {
    if list.chars().any(char::is_control) {
        return Err(SendError::Address(format!("{list:?} is no list of addresses")));
    }
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in list.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => parts.push(std::mem::take(&mut part)),
            _ if is_quoted => {}
            c => part.push(c),
        }
    }
    parts.push(part);
    let address = |part: &String| {
        let text = match (part.find('<'), part.rfind('>')) {
            (Some(from), Some(to)) if from < to => &part[from + 1..to],
            _ => part,
        };
        let text = text.trim();
        let is_one = text.contains('@') && !text.contains(|c: char| c.is_whitespace() || "<>,;".contains(c));
        if is_one { Ok(text.to_owned()) } else { Err(SendError::Address(format!("{text:?} is no address"))) }
    };
    parts.iter().filter(|part| !part.trim().is_empty()).map(address).collect()
}

#[async_trait]
impl Sender for Email {
    async fn send(&self, letter: &Letter<'_>) -> Result<(), SendError> {
        let told = Told::of(letter);
        let from = addresses(&self.from.expand(&told)?)?;
        let [from] = from.as_slice() else {
            return Err(SendError::Address("from must be exactly one address".to_owned()));
        };
        let to = addresses(&self.to.expand(&told)?)?;
        let message = self.message(letter, &told, from)?;
        let server = Server {
            host: &self.host,
            port: self.port,
            hello: &self.hello,
            security: self.security,
            tls: Arc::clone(&self.tls),
            name: self.tls_name.as_deref(),
            login: self.login()?,
        };
        Ok(smtp::send(&server, from, &to, &message).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_addresses() {
        let check =
            |list: &str, expect: &[&str]| assert_eq!(addresses(list).expect("reads"), expect, "{list}");
        check("a@b.c", &["a@b.c"]);
        check("a@b.c, \"E, D\" <d@e.f>,", &["a@b.c", "d@e.f"]);
        for bad in ["nobody", "a@b.c\r\nRCPT TO:<x@y>", "a@b c@d"] {
            assert!(addresses(bad).is_err(), "{bad}");
        }
    }
}
