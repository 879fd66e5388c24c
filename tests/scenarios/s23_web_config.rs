//! `--web.config.file`: TLS with and without certificates of clients, users, headers, and a file that changes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mayfly_tests::{Fixture, mayfly};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use testkit::http::{self, Request};

/// Of the password `pw`.
const PW: &str = "$2y$04$HhxrtpTHFGxVQLgGJDZ8GOM2ejmvxsrVNMpx9tQq7c7lbusFnXn32";
/// ann:pw, and ann:no
const ANN: &str = "authorization: Basic YW5uOnB3\r\n";
const NO: &str = "authorization: Basic YW5uOm5v\r\n";

/// An authority, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key for these names.
    fn sign(&self, names: &[&str]) -> (String, String) {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn write(&self, folder: &Path, names: &[&str]) {
        let (cert, key) = self.sign(names);
        std::fs::write(folder.join("cert.pem"), cert).unwrap();
        std::fs::write(folder.join("key.pem"), key).unwrap();
        std::fs::write(folder.join("ca.pem"), &self.pem).unwrap();
    }
}

/// What a client knows and has.
struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    fn of(authority: &Authority, own: Option<(String, String)>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let cert = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
                builder
                    .with_client_auth_cert(vec![cert], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                    .unwrap()
            }
        };
        Self { config: Arc::new(config) }
    }

    fn open(&self, base: &str) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let address = base.strip_prefix("https://").expect("an address of TLS");
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let connection =
            ClientConnection::new(Arc::clone(&self.config), ServerName::try_from("localhost").unwrap());
        Ok(StreamOwned::new(connection.unwrap(), stream))
    }

    /// The whole answer as text.
    fn ask(
        &self,
        base: &str,
        method: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> std::io::Result<String> {
        let mut stream = self.open(base)?;
        let length = body.len();
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}

fn fixture(authority: &Authority, web: &str, more: &[&str]) -> Fixture {
    Fixture::with_args(|folder| {
        authority.write(folder.path(), &["localhost"]);
        std::fs::write(folder.path().join("web.yml"), web).unwrap();
        let file = folder.path().join("web.yml").display().to_string();
        ["--web.config.file", &file].iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    })
}

fn folder(fixture: &Fixture) -> &'static Path {
    Box::leak(fixture.storage().parent().unwrap().to_owned().into_boxed_path())
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const TLS: &str = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n";

#[test]
fn both_ports_speak_tls_and_know_users_of_whom_the_file_tells() {
    let authority = Authority::new();
    let headers = "http_server_config: {headers: {X-Frame-Options: deny}}\n";
    let users = |hash: &str| format!("{TLS}{headers}basic_auth_users: {{ann: '{hash}'}}\n");
    let fixture = fixture(&authority, &users(PW), &["--web.enable-admin-api"]);
    let (client, folder, server) = (Client::of(&authority, None), folder(&fixture), fixture.server());
    for base in [&server.gateway, &server.query] {
        let ask = |headers: &str, target: &str| client.ask(base, "GET", target, headers, "").unwrap();
        let answer = ask("", "/metrics");
        assert!(
            answer.starts_with("HTTP/1.1 401 Unauthorized\r\n") && answer.ends_with("\r\n\r\nUnauthorized\n"),
            "{answer}"
        );
        assert!(
            answer.contains("www-authenticate: Basic\r\n") && answer.contains("x-frame-options: deny\r\n"),
            "{answer}"
        );
        assert!(ask(NO, "/metrics").starts_with("HTTP/1.1 401 "));
        let answer = ask(ANN, "/metrics");
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("x-frame-options: deny\r\n"),
            "{answer}"
        );
        assert!(ask("", "/-/ready").starts_with("HTTP/1.1 200 "));
        let plain = http::get(&base.replace("https", "http"), "/metrics").unwrap();
        assert_eq!(
            (plain.status, plain.text().as_str()),
            (400, "Client sent an HTTP request to an HTTPS server.\n")
        );
    }
    let pushed = client.ask(&server.gateway, "PUT", "/metrics/job/a", ANN, "rows 7\n").unwrap();
    assert!(pushed.starts_with("HTTP/1.1 200 "), "{pushed}");
    let rows = || client.ask(&server.query, "GET", "/api/v1/query?query=rows", ANN, "");
    assert!(rows().unwrap().contains("\"7\""));

    // another password
    let write = |text: &str| std::fs::write(folder.join("web.yml"), text).unwrap();
    write(&users("$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"));
    until("another password", || rows().is_ok_and(|answer| answer.starts_with("HTTP/1.1 401 ")));
    write("x: 1\n");
    until("a broken file", || rows().is_err());
    assert!(fixture.log().contains("field x not found in type web.Config"));
    write(&users(PW));
    until("a good file", || rows().is_ok_and(|answer| answer.contains("\"7\"")));
    // another certificate, of another authority
    let other = Authority::new();
    other.write(folder, &["localhost"]);
    until("another certificate", || rows().is_err());
    let client = Client::of(&other, None);
    assert!(client.ask(&server.query, "GET", "/api/v1/query?query=rows", ANN, "").unwrap().contains("\"7\""));
}

#[test]
fn clients_are_known_by_their_certificates_and_may_what_their_token_says() {
    let authority = Authority::new();
    let web = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  client_ca_file: ca.pem\n  \
               client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [jobs.example, 10.1.2.3]\n  min_version: TLS13\n";
    let tokens = tempfile::tempdir().unwrap();
    let new = ["token", "new", "--name", "t", "--scope", "read", "--file", "tokens.yml"];
    let token = mayfly(tokens.path(), &new).1;
    let file = tokens.path().join("tokens.yml").display().to_string();
    let fixture = fixture(&authority, web, &["--access.tokens-file", &file]);
    let header = format!("authorization: Bearer {}\r\n", token.trim_end());
    let ask = |client: &Client, headers: &str| {
        client.ask(&fixture.server().query, "GET", "/api/v1/labels", headers, "")
    };
    for names in [&["jobs.example"][..], &["other.example", "10.1.2.3"]] {
        let known = Client::of(&authority, Some(authority.sign(names)));
        assert!(ask(&known, &header).unwrap().starts_with("HTTP/1.1 200 "));
        assert!(ask(&known, "").unwrap().starts_with("HTTP/1.1 401 "));
    }
    let other = Client::of(&authority, Some(authority.sign(&["other.example"])));
    assert!(ask(&other, &header).is_err());
    let stranger = Client::of(&authority, Some(Authority::new().sign(&["jobs.example"])));
    assert!(ask(&stranger, &header).is_err());
    assert!(ask(&Client::of(&authority, None), &header).is_err());
}

#[test]
fn without_tls_a_broken_file_is_answered_as_the_toolkit_answers_it() {
    let authority = Authority::new();
    let fixture = fixture(&authority, &format!("basic_auth_users: {{ann: '{PW}'}}\n"), &[]);
    let get = || {
        http::send(
            &fixture.server().query,
            &Request::new("GET", "/api/v1/labels").header("authorization", "Basic YW5uOnB3"),
        )
    };
    assert_eq!(get().unwrap().status, 200);
    std::fs::write(folder(&fixture).join("web.yml"), "x: 1\n").unwrap();
    until("a broken file", || get().unwrap().status == 500);
    assert_eq!(get().unwrap().text(), "Internal Server Error\n");
    // whether it is TLS was decided at the start
    std::fs::write(folder(&fixture).join("web.yml"), TLS).unwrap();
    until("a good file", || get().unwrap().status == 200);

    let (code, _, told) =
        mayfly(folder(&fixture), &["serve", "--storage=memory:", "--web.config.file=none.yml"]);
    assert_eq!(
        (code, told.trim_end()),
        (Some(1), "mayfly: --web.config.file: open none.yml: no such file or directory")
    );
}

const VERIFIED: &str = "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem, \
                        client_auth_type: RequireAndVerifyClientCert}\n";

#[test]
fn certificates_instead_of_users_open_no_connection_that_began_without_one() {
    const LABELS: &str = "GET /api/v1/labels HTTP/1.1\r\nhost: localhost\r\n";
    let authority = Authority::new();
    let users = format!("basic_auth_users: {{ann: '{PW}'}}\n");

    // a port without TLS stays one
    let plain = fixture(&authority, &users, &[]);
    let get = |target: &str| http::get(&plain.server().query, target).unwrap();
    assert_eq!(get("/api/v1/labels").status, 401);
    std::fs::write(folder(&plain).join("web.yml"), VERIFIED).unwrap();
    until("another file", || get("/api/v1/labels").status == 403);
    assert!(get("/api/v1/labels").text().contains("began without a certificate of the client"));
    assert_eq!(get("/-/healthy").status, 200);
    let pushed = http::send(&plain.server().gateway, &Request::new("PUT", "/metrics/job/a").body("x 1\n"));
    assert_eq!(pushed.unwrap().status, 403);

    // and so does a connection of TLS that is open
    let over_tls = fixture(&authority, &format!("{TLS}{users}"), &[]);
    let base = &over_tls.server().query;
    let mut open = Client::of(&authority, None).open(base).unwrap();
    write!(open, "{LABELS}{ANN}\r\n").unwrap();
    let mut start = [0; 12];
    open.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    std::fs::write(folder(&over_tls).join("web.yml"), format!("{VERIFIED}# instead of users\n")).unwrap();
    let known = Client::of(&authority, Some(authority.sign(&["jobs.example"])));
    let ask = |client: &Client| client.ask(base, "GET", "/api/v1/labels", "", "");
    until("another file", || ask(&known).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 ")));
    assert!(ask(&Client::of(&authority, None)).is_err());
    write!(open, "{LABELS}\r\n").unwrap();
    let mut text = String::new();
    // it is closed, so that the next one begins with a certificate
    open.read_to_string(&mut text).unwrap();
    assert!(text.contains("HTTP/1.1 403 Forbidden\r\n") && !text.contains("HTTP/1.1 200"), "{text}");
}

#[test]
fn files_are_checked_before_they_are_used() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().write(folder.path(), &["localhost"]);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("good.yml", TLS);
    write("bad.yml", "x: 1\n");
    let ended = mayfly(folder.path(), &["check", "web-config", "good.yml", "bad.yml"]);
    let told = "bad.yml FAILED: yaml: unmarshal errors:\n  line 1: field x not found in type web.Config\n";
    assert_eq!(ended, (Some(1), "good.yml SUCCESS\n".to_owned(), told.to_owned()));
    assert_eq!(mayfly(folder.path(), &["check", "web-config", "good.yml"]).0, Some(0));

    mayfly(folder.path(), &["token", "new", "--name", "a", "--scope", "read", "--file", "tokens.yml"]);
    write("none.yml", "tokens: []\n");
    let ended = mayfly(folder.path(), &["check", "tokens", "tokens.yml", "none.yml"]);
    let told = "none.yml FAILED: none.yml: there are no tokens in it\n";
    assert_eq!(ended, (Some(1), "tokens.yml SUCCESS\n".to_owned(), told.to_owned()));
}
