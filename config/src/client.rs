//! How requests to another server are made: Prometheus' `http_config`, which tools take as a file of its own.

use model::quote::quoted;
use yaml::{Key, Node, Position, Reader};

use crate::auth::{self, Auth};
use crate::config::ConfigError;
use crate::file;
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
}

pub(crate) const FIELDS: [&str; 6] =
    ["basic_auth", "authorization", "sigv4", "bearer_token", "bearer_token_file", "tls_config"];
const STRAIGHT: &str = "requests go straight to the server, over HTTP/1.1, and are not redirected";
const UNSUPPORTED: [(&str, &str); 8] = [
    ("oauth2", "there are basic_auth and authorization"),
    ("proxy_url", STRAIGHT),
    ("no_proxy", STRAIGHT),
    ("proxy_from_environment", STRAIGHT),
    ("proxy_connect_header", STRAIGHT),
    ("follow_redirects", STRAIGHT),
    ("enable_http2", STRAIGHT),
    ("http_headers", "there is the flag --header"),
];

impl HttpClientConfig {
    /// Reads a file of it. `file` names it in mistakes; files that it names are relative to its folder.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Self, ConfigError> {
        file::read(file, text, Self::of)
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
        HttpClientConfig { auth: self.auths.pop().map_or(Auth::None, |(_, auth)| auth), tls: self.tls }
    }
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
    fn mistakes_are_told_with_their_place() {
        let check = |text: &str, expect: &str| {
            let error = HttpClientConfig::read("c.yml", text).expect_err("refused").to_string();
            assert!(error.starts_with("c.yml:") && error.contains(expect), "{error}");
        };
        check("bearer_token: a\nauthorization: {credentials: b}", "at most one of");
        check("proxy_url: http://x", "is not supported: requests go straight to the server");
        check("proxy: http://x", "proxy");
        check("tls_config: {ca: [}", "1");
    }
}
