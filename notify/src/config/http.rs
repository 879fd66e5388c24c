//! `http_config` and `tls_config`: how a receiver is spoken to.

use super::error::refused;
use super::schema::{Object, Preset, Schema, Type, Value, unchecked};

pub(super) static HTTP: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("authorization", Type::Object(&AUTHORIZATION)),
        ("basic_auth", Type::Object(&BASIC_AUTH)),
        ("bearer_token", Type::Secret),
        ("bearer_token_file", Type::Text),
        ("enable_http2", Type::Bool),
        ("follow_redirects", Type::Bool),
        ("http_headers", Type::Objects(&HEADER, "config.Headers")),
        ("no_proxy", Type::Text),
        ("oauth2", Type::Object(&OAUTH2)),
        ("proxy_connect_header", Type::SecretsMap),
        ("proxy_from_environment", Type::Bool),
        ("proxy_url", Type::ProxyUrl),
        ("tls_config", Type::Object(&TLS)),
    ],
    defaults: &[("follow_redirects", Preset::Bool(true)), ("enable_http2", Preset::Bool(true))],
    check: http,
};

static BASIC_AUTH: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("password", Type::Secret),
        ("password_file", Type::Text),
        ("password_ref", Type::Text),
        ("username", Type::Text),
        ("username_file", Type::Text),
        ("username_ref", Type::Text),
    ],
    defaults: &[],
    check: unchecked,
};

static AUTHORIZATION: Schema = Schema {
    go_type: "config.Authorization",
    fields: &[
        ("credentials", Type::Secret),
        ("credentials_file", Type::Text),
        ("credentials_ref", Type::Text),
        ("type", Type::Text),
    ],
    defaults: &[],
    check: unchecked,
};

static OAUTH2: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("audience", Type::Text),
        ("claims", Type::TreeMap),
        ("client_certificate_key", Type::Secret),
        ("client_certificate_key_file", Type::Text),
        ("client_certificate_key_id", Type::Text),
        ("client_certificate_key_ref", Type::Text),
        ("client_id", Type::Text),
        ("client_secret", Type::Secret),
        ("client_secret_file", Type::Text),
        ("client_secret_ref", Type::Text),
        ("endpoint_params", Type::TextMap),
        ("grant_type", Type::Text),
        ("iss", Type::Text),
        ("no_proxy", Type::Text),
        ("proxy_connect_header", Type::SecretsMap),
        ("proxy_from_environment", Type::Bool),
        ("proxy_url", Type::ProxyUrl),
        ("scopes", Type::Texts),
        ("signature_algorithm", Type::Text),
        ("tls_config", Type::Object(&TLS)),
        ("token_url", Type::Text),
    ],
    defaults: &[],
    check: proxy,
};

static HEADER: Schema = Schema {
    go_type: "config.Header",
    fields: &[("files", Type::Texts), ("secrets", Type::Secrets), ("values", Type::Texts)],
    defaults: &[],
    check: unchecked,
};

pub(super) static TLS: Schema = Schema {
    go_type: "config.plain",
    fields: &[
        ("ca", Type::Text),
        ("ca_file", Type::Text),
        ("ca_ref", Type::Text),
        ("cert", Type::Text),
        ("cert_file", Type::Text),
        ("cert_ref", Type::Text),
        ("insecure_skip_verify", Type::Bool),
        ("key", Type::Secret),
        ("key_file", Type::Text),
        ("key_ref", Type::Text),
        ("max_version", Type::Text),
        ("min_version", Type::Text),
        ("server_name", Type::Text),
    ],
    defaults: &[],
    check: tls,
};

fn set_count<const N: usize>(object: &Object, names: [&str; N]) -> usize {
    names.iter().filter(|name| object.is_set(name)).count()
}

fn http(http: &mut Object) -> Result<(), String> {
    let bearers = set_count(http, ["bearer_token", "bearer_token_file"]);
    if bearers > 1 {
        return refused("at most one of bearer_token & bearer_token_file must be configured");
    }
    if bearers > 0 && (http.has("basic_auth") || http.has("oauth2")) {
        return refused(
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
        );
    }
    if let Some(basic) = http.object("basic_auth") {
        for base in ["username", "password"] {
            let names = [base.to_owned(), format!("{base}_file"), format!("{base}_ref")];
            if set_count(basic, [&names[0], &names[1], &names[2]]) > 1 {
                return refused(format!(
                    "at most one of basic_auth {base}, {base}_file & {base}_ref must be configured"
                ));
            }
        }
    }
    authorization(http, bearers > 0)?;
    if let Some(oauth2) = http.object("oauth2") {
        check_oauth2(oauth2)?;
    }
    proxy(http)?;
    if let Some(Value::Objects(headers)) = http.get("http_headers") {
        for name in headers.keys() {
            ::config::header::check(name)?;
        }
    }
    Ok(())
}

fn authorization(http: &Object, has_bearer: bool) -> Result<(), String> {
    const ONE: &str = "at most one of basic_auth, oauth2 & authorization must be configured";
    let Some(authorization) = http.object("authorization") else {
        let both = http.has("basic_auth") && http.has("oauth2");
        return if both { refused(ONE) } else { Ok(()) };
    };
    if has_bearer {
        return refused("authorization is not compatible with bearer_token & bearer_token_file");
    }
    if set_count(authorization, ["credentials", "credentials_file", "credentials_ref"]) > 1 {
        return refused("at most one of authorization credentials & credentials_file must be configured");
    }
    if authorization.text("type").trim().eq_ignore_ascii_case("basic") {
        return refused("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    }
    if http.has("basic_auth") || http.has("oauth2") { refused(ONE) } else { Ok(()) }
}

fn check_oauth2(oauth2: &Object) -> Result<(), String> {
    if !oauth2.is_set("client_id") {
        return refused("oauth2 client_id must be configured");
    }
    if !oauth2.is_set("token_url") {
        return refused("oauth2 token_url must be configured");
    }
    if oauth2.text("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
        let names = ["client_certificate_key", "client_certificate_key_file", "client_certificate_key_ref"];
        if set_count(oauth2, names) > 1 {
            return refused(
                "at most one of oauth2 client_certificate_key, client_certificate_key_file & \
                 client_certificate_key_ref must be configured using \
                 grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer",
            );
        }
        if !matches!(oauth2.text("signature_algorithm"), "" | "RS256" | "RS384" | "RS512") {
            return refused("valid signature algorithms are RS256, RS384 and RS512");
        }
    } else if set_count(oauth2, ["client_secret", "client_secret_file", "client_secret_ref"]) > 1 {
        return refused(
            "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured \
             using grant-type=client_credentials",
        );
    }
    Ok(())
}

fn proxy(client: &mut Object) -> Result<(), String> {
    let has_headers =
        matches!(client.get("proxy_connect_header"), Some(Value::Texts(names)) if !names.is_empty());
    let from_environment = client.is_true("proxy_from_environment");
    if has_headers && !from_environment && !client.is_set("proxy_url") {
        return refused(
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
        );
    }
    if from_environment && client.is_set("proxy_url") {
        return refused("if proxy_from_environment is configured, proxy_url must not be configured");
    }
    if from_environment && client.is_set("no_proxy") {
        return refused("if proxy_from_environment is configured, no_proxy must not be configured");
    }
    if client.is_set("no_proxy") && !client.is_set("proxy_url") {
        return refused("if no_proxy is configured, proxy_url must also be configured");
    }
    Ok(())
}

fn tls(tls: &mut Object) -> Result<(), String> {
    for name in ["min_version", "max_version"] {
        let version = tls.text(name);
        if !matches!(version, "" | "TLS10" | "TLS11" | "TLS12" | "TLS13") {
            return refused(format!("unknown TLS version: {version}"));
        }
    }
    if set_count(tls, ["ca", "ca_file", "ca_ref"]) > 1 {
        return refused("at most one of ca, ca_file & ca_ref must be configured");
    }
    let certs = set_count(tls, ["cert", "cert_file", "cert_ref"]);
    let keys = set_count(tls, ["key", "key_file", "key_ref"]);
    if certs > 1 {
        return refused("at most one of cert, cert_file & cert_ref must be configured");
    }
    if keys > 1 {
        return refused("at most one of key and key_file must be configured");
    }
    if certs > 0 && keys == 0 {
        return refused(
            "exactly one of key or key_file must be configured when a client certificate is configured",
        );
    }
    if keys > 0 && certs == 0 {
        return refused(
            "exactly one of cert or cert_file must be configured when a client key is configured",
        );
    }
    Ok(())
}
