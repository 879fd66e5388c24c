use super::*;

/// With a certificate and its key.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).expect("is written");
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).expect("is written");
    folder
}

fn told(text: &str) -> String {
    let folder = folder();
    let path = folder.path().join("web.yml");
    std::fs::write(&path, text).expect("is written");
    let place = format!("{}/", folder.path().display());
    WebConfig::open(&path).err().map_or_else(String::new, |error| error.to_string().replace(&place, ""))
}

/// What the toolkit says of the same files, but for the last block.
#[test]
fn mistakes_are_told_as_the_toolkit_tells_them() {
    let check = |text: &str, expect: &str| assert_eq!(told(text), expect, "{text}");
    let tls = |more: &str| format!("tls_server_config: {{cert_file: cert.pem, key_file: key.pem{more}}}");
    for well in [
        "",
        "tls_server_config: {}",
        "tls_server_config: {min_version: TLS12}",
        "http_server_config: {http2: true}",
        "rate_limit: {interval: 1s, burst: 2}",
        "rate_limit: {interval: 1s, burst: 0}",
        &tls(""),
        &tls(", cert: x"),
        &tls(", client_allowed_sans: [a]"),
        &tls(", client_auth_type: RequestClientCert, client_ca_file: cert.pem"),
        &tls(", client_auth_type: RequireClientCert"),
        &tls(
            ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: cert.pem, client_allowed_sans: [a, 127.0.0.1]",
        ),
        &tls(
            ", cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256], curve_preferences: [CurveP384, X25519], min_version: TLS12",
        ),
    ] {
        check(well, "");
    }
    let go = |text: &str| format!("yaml: unmarshal errors:\n  line 1: {text}");
    check("x: 1", &go("field x not found in type web.Config"));
    check("[]", &go("cannot unmarshal !!seq into web.Config"));
    check("tls_server_config: {x: 1}", &go("field x not found in type web.TLSConfig"));
    check("http_server_config: {x: 1}", &go("field x not found in type web.HTTPConfig"));
    check("http_server_config: {http2: maybe}", &go("cannot unmarshal !!str `maybe` into bool"));
    check("rate_limit: {x: 1}", &go("field x not found in type web.RateLimiterConfig"));
    check("rate_limit: {interval: x}", &go("cannot unmarshal !!str `x` into time.Duration"));
    check("basic_auth_users: [a]", &go("cannot unmarshal !!seq into map[string]config.Secret"));
    check("tls_server_config: {cert_file: cert.pem}", "missing one of key or key_file");
    check("tls_server_config: {key_file: key.pem}", "missing one of cert or cert_file");
    check("tls_server_config: {client_auth_type: NoClientCert}", "missing one of cert or cert_file");
    check(
        "tls_server_config: {cert_file: cert.pem, key_file: no.pem}",
        "failed to read key_file (no.pem): open no.pem: no such file or directory",
    );
    check(&tls(", min_version: TLS9"), "unknown TLS version: TLS9");
    check(&tls(", min_version: 12, cipher_suites: a"), "unknown TLS version: 12");
    check(&tls(", client_auth_type: Foo"), "invalid ClientAuth: Foo");
    check(
        &tls(", client_ca_file: cert.pem"),
        "client CA's have been configured without a Client Auth Policy",
    );
    check(&tls(", cipher_suites: [FOO]"), "unknown cipher: FOO");
    check(&tls(", curve_preferences: [FOO]"), "unknown curve: FOO");
    check("http_server_config: {headers: {Foo: bar}}", "HTTP header \"Foo\" can not be configured");
    check(
        "http_server_config: {headers: {x-frame-options: deny}}",
        "HTTP header \"x-frame-options\" can not be configured",
    );
    check(
        "http_server_config: {headers: {X-Frame-Options: DENY}}",
        "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"DENY\"",
    );
    let user = |hash: &str| format!("basic_auth_users: {{a: '{hash}'}}");
    check(&user("notahash"), "crypto/bcrypt: hashedSecret too short to be a bcrypted password");
    let hash = "2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
    check(&user(&format!("${hash}")), "");
    check(
        &user(&format!("$3{}", &hash[1..])),
        "crypto/bcrypt: bcrypt algorithm version '3' requested is newer than current version '2'",
    );
    // what the toolkit does, and rustls does not
    check(
        &tls(", min_version: TLS10"),
        "min_version TLS10: there are TLS12 and TLS13 only, older ones are not safe",
    );
    check(&tls(", min_version: TLS13, max_version: TLS12"), "min_version TLS13 is above max_version TLS12");
    check(
        &tls(", cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]"),
        "cipher TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is not there: of TLS 1.2 there are TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
         TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
         TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    );
    check(
        &tls(", curve_preferences: [CurveP521]"),
        "curve CurveP521 is not there: there are CurveP256, CurveP384, X25519",
    );
    check(
        &tls(", client_auth_type: VerifyClientCertIfGiven"),
        "client_auth_type VerifyClientCertIfGiven needs client_ca or client_ca_file: the system's certificates say nothing about clients",
    );
    check(
        &tls(", client_allowed_sans: [a@b]"),
        "client_allowed_sans: \"a@b\" is an e-mail address: of a certificate, names of hosts, IP addresses and URIs are looked at",
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_changed_is_in_force_and_what_is_broken_is_an_error() {
    let folder = folder();
    let path = folder.path().join("web.yml");
    let write = |text: &str| std::fs::write(&path, text).expect("is written");
    let later = async || tokio::time::advance(LOOK_INTERVAL).await;
    write("basic_auth_users: {}");
    let config = WebConfig::open(&path).expect("opens");
    assert!(!config.authenticates() && !config.has_tls());
    let users = "basic_auth_users: {a: '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'}";
    write(users);
    assert!(!config.authenticates(), "a second has not passed");
    later().await;
    assert!(config.authenticates());
    assert!(config.admits(&config.in_force().expect("is well"), b"a", b"fakepassword").await == Ok(true));
    write("x: 1");
    later().await;
    let error = config.in_force().err().expect("is broken");
    assert!(error.contains("field x not found"), "{error}");
    write(users);
    later().await;
    assert!(config.in_force().is_ok());
    // so is a file that is named
    write("tls_server_config: {cert_file: new.pem, key_file: key.pem}");
    later().await;
    assert!(config.in_force().is_err());
    std::fs::copy(folder.path().join("cert.pem"), folder.path().join("new.pem")).expect("is copied");
    write("tls_server_config: {cert_file: new.pem,  key_file: key.pem}");
    later().await;
    assert!(config.has_tls());
    std::fs::write(folder.path().join("new.pem"), "nothing").expect("is written");
    later().await;
    assert!(config.in_force().is_err());
    // a port that others reach does not lose its lock
    write(users);
    later().await;
    config.must_ask();
    write("basic_auth_users:  {}");
    later().await;
    assert!(config.in_force().err().expect("is refused").contains("nobody would be asked"));
}
