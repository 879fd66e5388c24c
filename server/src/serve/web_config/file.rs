//! The file: its fields, and what is wrong with it in the words of the toolkit.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use yaml::{Decoder, MergeError, Mistakes, Node, YamlError};

/// A configuration without mistakes that can be seen without the files that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct File {
    /// `None`: no TLS.
    pub(super) tls: Option<TlsFile>,
    pub(super) http2: bool,
    pub(super) headers: BTreeMap<String, String>,
    pub(in crate::serve) users: BTreeMap<String, String>,
    /// Between two requests in the long run, and how many may come at once.
    pub(in crate::serve) rate: Option<(Duration, u64)>,
}

/// What is said about TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct TlsFile {
    pub(super) cert: Pem,
    pub(super) key: Pem,
    pub(super) clients: Clients,
    pub(super) client_ca: Option<Pem>,
    /// `None`: any.
    pub(super) client_sans: Option<Vec<String>>,
    pub(super) min_version: String,
    pub(super) max_version: String,
    pub(super) cipher_suites: Vec<String>,
    pub(super) curves: Vec<String>,
    pub(super) prefers_own_order: bool,
}

/// A text, or the file that holds it. A file goes before a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pem {
    pub(super) text: String,
    pub(super) file: String,
}

impl Pem {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.file.is_empty()
    }
}

/// What is asked of clients about themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Clients {
    #[default]
    None,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

impl Clients {
    /// Whether it is known of each who it is.
    pub(super) fn are_known(self) -> bool {
        self == Self::RequireAndVerify
    }
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum WebConfigError {
    /// As Go tells it.
    #[error("open {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error(transparent)]
    Yaml(#[from] YamlError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// `cert` or `key` is not there.
    #[error("missing one of {what} or {what}_file")]
    Missing { what: &'static str },
    #[error("failed to read {what}_file ({path}): {source}")]
    NamedFile { what: &'static str, path: String, source: Box<Self> },
    #[error("unknown TLS version: {0}")]
    Version(String),
    #[error("{field} {version}: there are TLS12 and TLS13 only, older ones are not safe")]
    OldVersion { field: &'static str, version: String },
    #[error("min_version {min} is above max_version {max}")]
    NoVersion { min: String, max: String },
    #[error("unknown cipher: {0}")]
    Cipher(String),
    #[error("cipher {name} is not there: of TLS 1.2 there are {there}")]
    NoCipher { name: String, there: String },
    #[error("unknown curve: {0}")]
    Curve(String),
    #[error("curve {name} is not there: there are {there}")]
    NoCurve { name: String, there: String },
    #[error("invalid ClientAuth: {0}")]
    ClientAuth(String),
    #[error("client CA's have been configured without a Client Auth Policy")]
    CaWithoutAuth,
    #[error(
        "client_auth_type {0} needs client_ca or client_ca_file: the system's certificates say nothing about clients"
    )]
    NoCa(&'static str),
    #[error(
        "client_allowed_sans: {0:?} is an e-mail address: of a certificate, names of hosts, IP addresses and URIs are looked at"
    )]
    MailSan(String),
    #[error("failed to load X509KeyPair: {0}")]
    KeyPair(String),
    #[error("client_ca: {0}")]
    ClientCa(String),
    #[error("HTTP header {0:?} can not be configured")]
    Header(String),
    #[error("invalid value for {name}. Expected one of: [{expected}], but got: {value:?}")]
    HeaderValue { name: String, expected: String, value: String },
    /// A hash of a password that is none.
    #[error("crypto/bcrypt: {0}")]
    Hash(String),
    /// What was there at the start is gone.
    #[error("nobody would be asked who they are any more, and others can reach this port")]
    Anonymous,
}

impl WebConfigError {
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        Self::Unreadable { path: path.display().to_string(), reason }
    }
}

const VERSIONS: [&str; 4] = ["TLS10", "TLS11", "TLS12", "TLS13"];

impl File {
    pub(super) fn read(text: &str) -> Result<Self, WebConfigError> {
        let document = yaml::parse(text)?;
        let mut file = Self { http2: true, ..Self::default() };
        let Some(root) = &document.root else { return Ok(file) };
        let mut decoder = Decoder::new(false);
        let mut checks = Checks::default();
        for (key, value) in decoder.entries(root, "web.Config")? {
            match &*key.0 {
                "tls_server_config" => file.tls = tls(&mut decoder, &mut checks, &value)?,
                "http_server_config" => file.http(&mut decoder, &value)?,
                "rate_limit" => file.rate = rate(&mut decoder, &value)?,
                "basic_auth_users" => {
                    for ((user, _), value) in decoder.entries(&value, "map[string]config.Secret")? {
                        file.users.insert(user.to_string(), decoder.string(&value));
                    }
                }
                _ => decoder.unknown(&key, "web.Config"),
            }
        }
        checks.0.map_or(Ok(()), Err)?;
        decoder.finish()?;
        file.users.values().try_for_each(|hash| check_hash(hash))?;
        file.headers()?;
        file.tls = file.tls.take().map(TlsFile::checked).transpose()?.flatten();
        Ok(file)
    }

    fn http(&mut self, decoder: &mut Decoder, node: &Node) -> Result<(), WebConfigError> {
        for (key, value) in decoder.entries(node, "web.HTTPConfig")? {
            match &*key.0 {
                "http2" => self.http2 = decoder.bool(&value),
                "headers" => self.headers = decoder.string_map(&value)?,
                _ => decoder.unknown(&key, "web.HTTPConfig"),
            }
        }
        Ok(())
    }

    /// The headers of every answer.
    pub(super) fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, WebConfigError> {
        const KNOWN: [(&str, &[&str]); 5] = [
            ("Content-Security-Policy", &[]),
            ("Strict-Transport-Security", &[]),
            ("X-Content-Type-Options", &["nosniff"]),
            ("X-Frame-Options", &["deny", "sameorigin"]),
            ("X-XSS-Protection", &[]),
        ];
        let header = |(name, value): (&String, &String)| {
            let known = KNOWN.into_iter().find(|(known, _)| known == name);
            let (_, values) = known.ok_or_else(|| WebConfigError::Header(name.clone()))?;
            let wrong = || WebConfigError::HeaderValue {
                name: name.clone(),
                expected: values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" "),
                value: value.clone(),
            };
            if !values.is_empty() && !values.contains(&value.as_str()) {
                return Err(wrong());
            }
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            Ok((name, HeaderValue::from_str(value).map_err(|_| wrong())?))
        };
        self.headers.iter().map(header).collect()
    }
}

/// The first mistake that Go's decoder ends at.
#[derive(Default)]
struct Checks(Option<WebConfigError>);

impl Checks {
    fn note(&mut self, error: WebConfigError) {
        self.0.get_or_insert(error);
    }

    fn version(&mut self, version: String) -> String {
        if !VERSIONS.contains(&version.as_str()) {
            self.note(WebConfigError::Version(version.clone()));
        }
        version
    }
}

fn tls(decoder: &mut Decoder, checks: &mut Checks, node: &Node) -> Result<Option<TlsFile>, WebConfigError> {
    let mut tls = TlsFile { prefers_own_order: true, ..TlsFile::default() };
    let (mut ca, mut auth) = (Pem::default(), String::new());
    for (key, value) in decoder.entries(node, "web.TLSConfig")? {
        match &*key.0 {
            "cert" => tls.cert.text = decoder.string(&value),
            "cert_file" => tls.cert.file = decoder.string(&value),
            "key" => tls.key.text = decoder.string(&value),
            "key_file" => tls.key.file = decoder.string(&value),
            "client_ca" => ca.text = decoder.string(&value),
            "client_ca_file" => ca.file = decoder.string(&value),
            "client_auth_type" => auth = decoder.string(&value),
            "client_allowed_sans" => tls.client_sans = Some(decoder.strings(&value)),
            "min_version" => tls.min_version = checks.version(decoder.string(&value)),
            "max_version" => tls.max_version = checks.version(decoder.string(&value)),
            "cipher_suites" => tls.cipher_suites = decoder.strings(&value),
            "curve_preferences" => tls.curves = decoder.strings(&value),
            "prefer_server_cipher_suites" => tls.prefers_own_order = decoder.bool(&value),
            _ => decoder.unknown(&key, "web.TLSConfig"),
        }
    }
    if tls.cert.is_empty() && tls.key.is_empty() && ca.is_empty() && auth.is_empty() {
        return Ok(None);
    }
    tls.clients = match auth.as_str() {
        "" | "NoClientCert" => Clients::None,
        "RequestClientCert" => Clients::Request,
        "RequireAnyClientCert" | "RequireClientCert" => Clients::RequireAny,
        "VerifyClientCertIfGiven" => Clients::VerifyIfGiven,
        "RequireAndVerifyClientCert" => Clients::RequireAndVerify,
        _ => {
            checks.note(WebConfigError::ClientAuth(auth));
            Clients::None
        }
    };
    tls.client_ca = Some(ca).filter(|ca| !ca.is_empty());
    Ok(Some(tls))
}

impl TlsFile {
    /// Whether all is there that must be.
    fn checked(self) -> Result<Option<Self>, WebConfigError> {
        for (what, pem) in [("cert", &self.cert), ("key", &self.key)] {
            if pem.is_empty() {
                return Err(WebConfigError::Missing { what });
            }
        }
        for (field, version) in [("min_version", &self.min_version), ("max_version", &self.max_version)] {
            if VERSIONS[..2].contains(&version.as_str()) {
                return Err(WebConfigError::OldVersion { field, version: version.clone() });
            }
        }
        if self.min_version == "TLS13" && self.max_version == "TLS12" {
            let (min, max) = (self.min_version, self.max_version);
            return Err(WebConfigError::NoVersion { min, max });
        }
        match (self.clients, &self.client_ca) {
            (Clients::None, Some(_)) => return Err(WebConfigError::CaWithoutAuth),
            (Clients::VerifyIfGiven, None) => return Err(WebConfigError::NoCa("VerifyClientCertIfGiven")),
            (Clients::RequireAndVerify, None) => {
                return Err(WebConfigError::NoCa("RequireAndVerifyClientCert"));
            }
            _ => {}
        }
        if let Some(mail) =
            self.client_sans.iter().flatten().find(|san| san.contains('@') && !san.contains("://"))
        {
            return Err(WebConfigError::MailSan(mail.clone()));
        }
        Ok(Some(self))
    }

    /// Those that are named.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let all = [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()];
        all.into_iter().flatten().map(|pem| pem.file.as_str()).filter(|file| !file.is_empty())
    }
}

fn rate(decoder: &mut Decoder, node: &Node) -> Result<Option<(Duration, u64)>, WebConfigError> {
    let (mut interval, mut burst) = (Duration::ZERO, 0);
    for (key, value) in decoder.entries(node, "web.RateLimiterConfig")? {
        match &*key.0 {
            "interval" => {
                let text = decoder.string(&value);
                match alert::parse_duration(&text).ok().and_then(|ms| u64::try_from(ms).ok()) {
                    Some(ms) => interval = Duration::from_millis(ms),
                    None => decoder.mismatch(&value, "time.Duration"),
                }
            }
            "burst" => burst = u64::try_from(decoder.int(&value)).unwrap_or(0),
            _ => decoder.unknown(&key, "web.RateLimiterConfig"),
        }
    }
    Ok((!interval.is_zero()).then_some((interval, burst)))
}

/// Whether it is one that bcrypt makes.
fn check_hash(hash: &str) -> Result<(), WebConfigError> {
    let wrong = |text: String| Err(WebConfigError::Hash(text));
    if hash.len() < 59 {
        return wrong("hashedSecret too short to be a bcrypted password".to_owned());
    }
    let bytes = hash.as_bytes();
    if bytes[0] != b'$' {
        let first = char::from(bytes[0]);
        return wrong(format!("bcrypt hashes must start with '$', but hashedSecret started with '{first}'"));
    }
    if bytes[1] > b'2' {
        let version = char::from(bytes[1]);
        return wrong(format!(
            "bcrypt algorithm version '{version}' requested is newer than current version '2'"
        ));
    }
    let cost = hash.split('$').nth(2).and_then(|cost| cost.parse::<u32>().ok());
    match cost {
        Some(4..=31) => Ok(()),
        Some(cost) => wrong(format!("cost {cost} is outside allowed inclusive range 4..31")),
        None => wrong("the hash names no cost".to_owned()),
    }
}
