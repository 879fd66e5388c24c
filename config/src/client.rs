//! How requests to another server are made: Prometheus' `http_config`, which tools take as a file of its own.

use model::quote::quoted;
use yaml::{Key, Node, Position, Reader};

use crate::auth::{self, Auth};
use crate::config::ConfigError;
use crate::file;
use crate::header;
use crate::known::refuse;
use crate::secret::Secret;
use crate::tls::{self, Tls};

/// Who asks, and whom is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpClientConfig {
    /// Who asks.
    pub auth: Auth,
    /// What is trusted.
    pub tls: Tls,
    /// Which way requests go.
    pub proxy: Proxy,
    /// Headers that requests have besides, with their values.
    pub headers: Vec<(String, Vec<Secret>)>,
}

/// Which way requests go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// Straight to the server.
    #[default]
    None,
    /// As variables of the environment say: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    Environment,
    /// Through a proxy.
    At {
        /// `http://HOST:PORT`, maybe with user and password.
        url: Secret,
        /// Hosts that are asked straight, with commas between them.
        no_proxy: String,
    },
}

pub(crate) const FIELDS: [&str; 10] = [
    "basic_auth",
    "authorization",
    "sigv4",
    "bearer_token",
    "bearer_token_file",
    "tls_config",
    "proxy_url",
    "no_proxy",
    "proxy_from_environment",
    "http_headers",
];
pub(crate) const NO_CONNECT_HEADER: &str = "a proxy is told user and password of proxy_url, and nothing else";
const STRAIGHT: &str = "requests are sent over HTTP/1.1, and not redirected";
const UNSUPPORTED: [(&str, &str); 4] = [
    ("oauth2", "there are basic_auth and authorization"),
    ("proxy_connect_header", NO_CONNECT_HEADER),
    ("follow_redirects", STRAIGHT),
    ("enable_http2", STRAIGHT),
];

impl HttpClientConfig {
    /// Reads a file of it. `file` names it in mistakes; files that it names are relative to its folder.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::read(file, text, Self::of)
    }

    /// All secrets of it but those of TLS.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let of_auth = match &self.auth {
            Auth::None => [None, None],
            Auth::Basic { username, password } => [Some(username), Some(password)],
            Auth::Authorization { credentials, .. } => [Some(credentials), None],
            Auth::SigV4(settings) => [settings.keys.as_ref().map(|(_, secret)| secret), None],
        };
        of_auth.into_iter().flatten().chain(self.headers.iter().flat_map(|(_, values)| values))
    }

    fn of(reader: &mut Reader, root: &Node) -> Self {
        let mut fields = ClientFields::default();
        for (key, value) in reader.entries(root, "the configuration of a client") {
            if !fields.take(reader, &key, &value) {
                refuse(reader, &key, "the configuration of a client", &FIELDS, &UNSUPPORTED);
            }
        }
        fields.finish(reader)
    }
}

/// The fields of a client as they are found, also among others.
#[derive(Default)]
pub(crate) struct ClientFields {
    auths: Vec<(Position, Auth)>,
    tls: Tls,
    proxy_url: Option<(Position, String)>,
    no_proxy: Option<(Position, String)>,
    proxy_from_environment: bool,
    headers: Vec<(String, Vec<Secret>)>,
}

impl ClientFields {
    /// Whether it is such a field.
    pub(crate) fn take(&mut self, reader: &mut Reader, (key, at): &Key, value: &Node) -> bool {
        let bearer = |credentials| Auth::Authorization { r#type: "Bearer".to_owned(), credentials };
        let auth = match &**key {
            "basic_auth" => auth::basic(reader, value),
            "authorization" => auth::authorization(reader, value),
            "sigv4" => auth::sigv4(reader, value),
            "bearer_token" => bearer(Secret::Inline(reader.string(value))),
            "bearer_token_file" => bearer(Secret::File(reader.string(value))),
            "tls_config" => {
                self.tls = tls::read(reader, value);
                return true;
            }
            "proxy_url" => return given(&mut self.proxy_url, *at, reader.string(value)),
            "no_proxy" => return given(&mut self.no_proxy, *at, reader.string(value)),
            "proxy_from_environment" => {
                self.proxy_from_environment = reader.bool(value);
                return true;
            }
            "http_headers" => {
                self.headers = headers(reader, value);
                return true;
            }
            _ => return false,
        };
        self.auths.push((*at, auth));
        true
    }

    pub(crate) fn finish(mut self, reader: &mut Reader) -> HttpClientConfig {
        if let [_, (second, _), ..] = self.auths.as_slice() {
            let names = FIELDS[..5].iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
            reader.complain(*second, format!("at most one of {names} must be configured"));
        }
        let auth = self.auths.pop().map_or(Auth::None, |(_, auth)| auth);
        let proxy = self.proxy(reader);
        HttpClientConfig { auth, tls: self.tls, proxy, headers: self.headers }
    }

    fn proxy(&mut self, reader: &mut Reader) -> Proxy {
        let wrong = match (self.proxy_from_environment, &self.proxy_url, &self.no_proxy) {
            (true, Some((at, _)), _) => {
                Some((*at, "if proxy_from_environment is configured, proxy_url must not be configured"))
            }
            (true, None, Some((at, _))) => {
                Some((*at, "if proxy_from_environment is configured, no_proxy must not be configured"))
            }
            (false, None, Some((at, _))) => {
                Some((*at, "if no_proxy is configured, proxy_url must also be configured"))
            }
            (_, Some((at, url)), _) if !url.starts_with("http://") => {
                Some((*at, "proxy_url must be http://HOST:PORT: other proxies are not spoken to"))
            }
            _ => None,
        };
        if let Some((at, text)) = wrong {
            reader.complain(at, text);
        }
        match self.proxy_url.take() {
            _ if self.proxy_from_environment => Proxy::Environment,
            None => Proxy::None,
            Some((_, url)) => {
                let no_proxy = self.no_proxy.take().map_or_else(String::new, |(_, hosts)| hosts);
                Proxy::At { url: Secret::Inline(url), no_proxy }
            }
        }
    }
}

/// Notes a text; one that is empty is none.
fn given(field: &mut Option<(Position, String)>, at: Position, text: String) -> bool {
    *field = Some((at, text)).filter(|(_, text)| !text.is_empty());
    true
}

fn headers(reader: &mut Reader, node: &Node) -> Vec<(String, Vec<Secret>)> {
    let mut headers = Vec::new();
    for ((name, at), value) in reader.entries(node, "http_headers") {
        if !header::is_name(&name) {
            reader.complain(at, format!("{} is no name of a header", quoted(&name)));
        } else if let Err(text) = header::check(&name) {
            reader.complain(at, text);
        }
        headers.push((name.to_string(), header_values(reader, &value)));
    }
    headers
}

/// Values that may be shown, those that may not, and those of files, in this order.
fn header_values(reader: &mut Reader, node: &Node) -> Vec<Secret> {
    const FIELDS: [&str; 3] = ["values", "secrets", "files"];
    let mut found: [Vec<Secret>; 3] = Default::default();
    for (key, value) in reader.entries(node, "http_headers") {
        let Some(place) = FIELDS.iter().position(|field| *field == &*key.0) else {
            reader.unknown(&key, "http_headers", &FIELDS);
            continue;
        };
        let texts = reader.items(&value, FIELDS[place]);
        let texts = texts.iter().map(|text| reader.string(text));
        found[place] = match FIELDS[place] {
            "files" => texts.map(Secret::File).collect(),
            _ => texts.map(Secret::Inline).collect(),
        };
    }
    found.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_identity() {
        let check = |text: &str, expect: Auth| {
            assert_eq!(HttpClientConfig::read("c.yml", text).map(|config| config.auth), Ok(expect), "{text}");
        };
        let bearer = |credentials| Auth::Authorization { r#type: "Bearer".to_owned(), credentials };
        check("", Auth::None);
        check("authorization: {credentials: t}", bearer(Secret::Inline("t".into())));
        check("bearer_token_file: token", bearer(Secret::File("token".into())));
        check(
            "basic_auth: {username: u, password_file: p}",
            Auth::Basic { username: Secret::Inline("u".into()), password: Secret::File("p".into()) },
        );
    }

    #[test]
    fn requests_may_go_through_a_proxy_and_have_headers() {
        let config = HttpClientConfig::read(
            "c.yml",
            "{proxy_url: 'http://u:p@x:1', no_proxy: 'a,b', http_headers: {X-A: {files: [f], secrets: [s], values: [v]}}}",
        );
        let config = config.expect("is right");
        let url = Secret::Inline("http://u:p@x:1".into());
        assert_eq!(config.proxy, Proxy::At { url, no_proxy: "a,b".into() });
        let values = vec![Secret::Inline("v".into()), Secret::Inline("s".into()), Secret::File("f".into())];
        assert_eq!(config.headers, [("X-A".to_owned(), values)]);
        assert!(!format!("{config:?}").contains("u:p"), "{config:?}");
        let config = HttpClientConfig::read("c.yml", "{proxy_from_environment: true, proxy_url: ''}");
        assert_eq!(config.expect("is right").proxy, Proxy::Environment);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let check = |text: &str, expect: &str| {
            let error = HttpClientConfig::read("c.yml", text).expect_err("refused").to_string();
            assert!(error.starts_with("c.yml:") && error.contains(expect), "{error}");
        };
        check("bearer_token: a\nauthorization: {credentials: b}", "at most one of");
        check("oauth2: {}", "is not supported: there are basic_auth and authorization");
        check("no_proxy: x", "if no_proxy is configured, proxy_url must also be configured");
        check(
            "{proxy_url: 'http://x', proxy_from_environment: true}",
            "if proxy_from_environment is configured, proxy_url must not be configured",
        );
        check(
            "{no_proxy: x, proxy_from_environment: true}",
            "if proxy_from_environment is configured, no_proxy must not be configured",
        );
        check("proxy_url: socks5://x", "proxy_url must be http://HOST:PORT");
        check(
            "http_headers: {authorization: {values: [a]}}",
            "setting header \"Authorization\" is not allowed",
        );
        check("http_headers: {'a b': {values: [a]}}", "\"a b\" is no name of a header");
        check("http_headers: {a: {values: b}}", "values must be a list");
        check("http_headers: {a: {value: [b]}}", "unknown field \"value\" in http_headers");
        check("proxy: http://x", "proxy");
        check("tls_config: {ca: [}", "1");
    }
}
