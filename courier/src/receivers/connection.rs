//! How a receiver is spoken to over HTTP: `http_config`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use config::{Auth, Secret, Tls, TlsVersion};
use edge::{Authorization, Endpoint, HttpClient, Proxies, read_secret};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use notify::{Object, Value};

use super::{SendError, Unfit};

/// How much of an answer is told.
const TOLD_CHARS: usize = 500;

/// What is not there of `http_config`.
const UNSUPPORTED: [&str; 2] = ["oauth2", "proxy_connect_header"];

/// Sends requests as a receiver's `http_config` says.
pub(crate) struct Connection {
    client: HttpClient,
    authorization: Authorization,
    headers: Vec<(HeaderName, Vec<Secret>)>,
    /// Whether redirections are followed.
    follows: bool,
    folder: PathBuf,
}

impl Connection {
    pub(crate) fn new(settings: &Object, folder: &Path) -> Result<Self, Unfit> {
        let none = Object::default();
        let http = settings.object("http_config").unwrap_or(&none);
        if let Some(field) = UNSUPPORTED.iter().find(|field| http.get(field).is_some()) {
            return Err(Unfit::Unsupported(format!("with http_config.{field}")));
        }
        let tls = tls(http.object("tls_config").unwrap_or(&none))?;
        let client = HttpClient::through(proxies(http)?, &tls, folder)
            .map_err(|error| Unfit::Files(format!("http_config.tls_config: {error}")))?;
        let authorization = Authorization::new(auth(http)?, folder);
        let follows = http.is_true("follow_redirects");
        Ok(Self { client, authorization, headers: headers(http)?, follows, folder: folder.to_owned() })
    }

    /// Sends, and gives the answer whatever its status.
    pub(crate) async fn ask(
        &self,
        method: Method,
        url: &str,
        content_type: &'static str,
        more: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(StatusCode, Bytes), SendError> {
        let endpoint = Endpoint::exactly(url).map_err(|error| SendError::Address(error.reason.to_owned()))?;
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))];
        headers.extend(self.authorization.headers(url, &body).await?);
        for (name, secrets) in &self.headers {
            for secret in secrets {
                let text = read_secret(secret, &self.folder)?;
                let mut value = HeaderValue::from_str(&text).map_err(|_| {
                    SendError::Address(format!("http_headers.{name} cannot stand in a header"))
                })?;
                value.set_sensitive(true);
                headers.push((name.clone(), value));
            }
        }
        headers.extend(more);
        Ok(match self.follows {
            true => self.client.send_on(&endpoint, method, headers, body, timeout).await?,
            false => self.client.send_to(&endpoint, method, headers, body, timeout).await?,
        })
    }

    /// POSTs JSON; any 2xx is success, 5xx and the statuses in `again` may be tried another time.
    pub(crate) async fn post(
        &self,
        url: &str,
        more: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
        timeout: Duration,
        again: &[StatusCode],
    ) -> Result<Bytes, SendError> {
        let (status, answer) = self.ask(Method::POST, url, "application/json", more, body, timeout).await?;
        checked(status, answer, again)
    }
}

/// The answer, if its status is success.
pub(crate) fn checked(status: StatusCode, answer: Bytes, again: &[StatusCode]) -> Result<Bytes, SendError> {
    if status.is_success() {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(&answer).trim().chars().take(TOLD_CHARS).collect();
    Err(SendError::Status { status, text, may_be_tried: status.is_server_error() || again.contains(&status) })
}

/// A secret of two fields, `name` and `name_file`.
pub(crate) fn secret(settings: &Object, name: &str) -> Option<Secret> {
    let given = |text: &String| !text.is_empty();
    if let Some(Value::Text(text) | Value::Secret(text)) = settings.get(name)
        && given(text)
    {
        return Some(Secret::Inline(text.clone()));
    }
    match settings.get(&format!("{name}_file")) {
        Some(Value::Text(file)) if given(file) => Some(Secret::File(file.clone())),
        // what stood there was a reference, and this is what it refers to
        Some(Value::Secret(text)) => Some(Secret::Inline(text.clone())),
        _ => None,
    }
}

/// Whom requests go through.
fn proxies(http: &Object) -> Result<Option<Proxies>, Unfit> {
    let unfit = |field: &str| {
        let field = field.to_owned();
        move |reason| Unfit::Unsupported(format!("with http_config.{field}: {reason}"))
    };
    if http.is_true("proxy_from_environment") {
        return Proxies::of_environment().map(Some).map_err(unfit("proxy_from_environment"));
    }
    match http.text("proxy_url") {
        "" => Ok(None),
        url => Proxies::at(url, http.text("no_proxy")).map(Some).map_err(unfit("proxy_url")),
    }
}

fn auth(http: &Object) -> Result<Auth, Unfit> {
    let reference = |object: &Object, names: &[&'static str]| {
        let of = |name: &&&'static str| !object.text(name).is_empty();
        names.iter().find(of).map(|name| Unfit::Unsupported(format!("with http_config.…{name}")))
    };
    let empty = || Secret::Inline(String::new());
    if let Some(basic) = http.object("basic_auth") {
        if let Some(unsupported) = reference(basic, &["username_ref", "password_ref"]) {
            return Err(unsupported);
        }
        let of = |name| secret(basic, name).unwrap_or_else(empty);
        return Ok(Auth::Basic { username: of("username"), password: of("password") });
    }
    if let Some(authorization) = http.object("authorization") {
        if let Some(unsupported) = reference(authorization, &["credentials_ref"]) {
            return Err(unsupported);
        }
        let r#type = match authorization.text("type").trim() {
            "" => "Bearer",
            given => given,
        };
        let credentials = secret(authorization, "credentials").unwrap_or_else(empty);
        return Ok(Auth::Authorization { r#type: r#type.to_owned(), credentials });
    }
    let bearer = |credentials| Auth::Authorization { r#type: "Bearer".to_owned(), credentials };
    Ok(secret(http, "bearer_token").map_or(Auth::None, bearer))
}

fn headers(http: &Object) -> Result<Vec<(HeaderName, Vec<Secret>)>, Unfit> {
    let Some(Value::Objects(given)) = http.get("http_headers") else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for (name, object) in given {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            Unfit::Unsupported(format!("with http_config.http_headers {}", model::quote::quoted(name)))
        })?;
        let mut values = Vec::new();
        for field in ["values", "secrets", "files"] {
            let (Some(Value::Texts(texts)) | Some(Value::Secrets(texts))) = object.get(field) else {
                continue;
            };
            let to_secret = |text: &String| match field {
                "files" => Secret::File(text.clone()),
                _ => Secret::Inline(text.clone()),
            };
            values.extend(texts.iter().map(to_secret));
        }
        headers.push((parsed, values));
    }
    Ok(headers)
}

/// `tls_config`, of HTTP and of SMTP.
pub(crate) fn tls(object: &Object) -> Result<Tls, Unfit> {
    for name in ["ca_ref", "cert_ref", "key_ref"] {
        if !object.text(name).is_empty() {
            return Err(Unfit::Unsupported(format!("with tls_config.{name}")));
        }
    }
    let version = |name: &str| match object.text(name) {
        "TLS12" => Ok(Some(TlsVersion::Tls12)),
        "TLS13" => Ok(Some(TlsVersion::Tls13)),
        // older ones are not spoken, which is no more than was asked for
        "TLS10" | "TLS11" if name == "min_version" => Ok(None),
        "" => Ok(None),
        old => Err(Unfit::Unsupported(format!("with tls_config.{name} {old}"))),
    };
    Ok(Tls {
        ca: secret(object, "ca"),
        client: secret(object, "cert").zip(secret(object, "key")),
        server_name: Some(object.text("server_name").to_owned()).filter(|name| !name.is_empty()),
        insecure_skip_verify: object.is_true("insecure_skip_verify"),
        min_version: version("min_version")?,
        max_version: version("max_version")?,
    })
}
