//! What the file says about TLS, for rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::client_certificates::{AnyClient, OnlyNamed};
use super::file::{Clients, Pem, TlsFile, WebConfigError};

/// The names that Go has for the suites of TLS 1.2, in the order of Go's list.
const CIPHERS: [&str; 12] = [
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
];

/// And for those of TLS 1.3, which cannot be left out.
const CIPHERS_13: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/// The toolkit's names of curves.
const CURVES: [(&str, &str); 4] = [
    ("CurveP256", "secp256r1"),
    ("CurveP384", "secp384r1"),
    ("CurveP521", "secp521r1"),
    ("X25519", "X25519"),
];

/// What a port speaks.
pub(super) fn server(tls: &TlsFile, folder: &Path, http2: bool) -> Result<ServerConfig, WebConfigError> {
    let provider = rustls::crypto::ring::default_provider();
    let provider = CryptoProvider {
        cipher_suites: cipher_suites(&provider, &tls.cipher_suites)?,
        kx_groups: curves(&provider, &tls.curves)?,
        ..provider
    };
    let provider = Arc::new(provider);
    let key_pair = |error: &dyn std::fmt::Display| WebConfigError::KeyPair(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(&versions(tls)).map_err(|error| key_pair(&error))?;
    let builder = match clients(tls, folder, &provider)? {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let (cert, key) = (read("cert", &tls.cert, folder)?, read("key", &tls.key, folder)?);
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(cert.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| key_pair(&format!("cert: {error}")))?;
    if certificates.is_empty() {
        return Err(key_pair(&"tls: failed to find any PEM data in certificate input"));
    }
    let key =
        PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| key_pair(&format!("key: {error}")))?;
    let mut config = builder.with_single_cert(certificates, key).map_err(|error| key_pair(&error))?;
    config.ignore_client_order = tls.prefers_own_order;
    config.alpn_protocols =
        if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(config)
}

/// A file that is named, or else the text.
fn read(what: &'static str, pem: &Pem, folder: &Path) -> Result<String, WebConfigError> {
    if pem.file.is_empty() {
        return Ok(pem.text.clone());
    }
    let path = folder.join(&pem.file);
    std::fs::read_to_string(&path).map_err(|error| WebConfigError::NamedFile {
        what,
        path: path.display().to_string(),
        source: Box::new(WebConfigError::unreadable(&path, &error)),
    })
}

fn versions(tls: &TlsFile) -> Vec<&'static SupportedProtocolVersion> {
    let all = [("TLS12", &rustls::version::TLS12), ("TLS13", &rustls::version::TLS13)];
    // their names are in order
    let allowed = |name: &str| {
        (tls.min_version.is_empty() || tls.min_version.as_str() <= name)
            && (tls.max_version.is_empty() || name <= tls.max_version.as_str())
    };
    all.into_iter().filter(|(name, _)| allowed(name)).map(|(_, version)| version).collect()
}

/// All of TLS 1.3, and of TLS 1.2 those that are named; all if none is.
fn cipher_suites(
    provider: &CryptoProvider,
    names: &[String],
) -> Result<Vec<SupportedCipherSuite>, WebConfigError> {
    let is_12 = |suite: &SupportedCipherSuite| suite.tls13().is_none();
    let name_of = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite());
    let there = || provider.cipher_suites.iter().filter(|suite| is_12(suite));
    let meant = |name: &str| match name {
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305" | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" => {
            format!("{name}_SHA256")
        }
        name => name.to_owned(),
    };
    for name in names.iter().filter(|name| !CIPHERS_13.contains(&name.as_str())) {
        if !CIPHERS.contains(&name.as_str()) {
            return Err(WebConfigError::Cipher(name.clone()));
        }
        if !there().any(|suite| name_of(suite) == meant(name)) {
            let there = there().map(name_of).collect::<Vec<_>>().join(", ");
            return Err(WebConfigError::NoCipher { name: name.clone(), there });
        }
    }
    let wanted: Vec<String> = names.iter().map(|name| meant(name)).collect();
    let is_wanted = |suite: &&SupportedCipherSuite| {
        !is_12(suite) || wanted.is_empty() || wanted.contains(&name_of(suite))
    };
    Ok(provider.cipher_suites.iter().filter(is_wanted).copied().collect())
}

/// Those that are named, in their order; all if none is.
fn curves(
    provider: &CryptoProvider,
    names: &[String],
) -> Result<Vec<&'static dyn SupportedKxGroup>, WebConfigError> {
    if names.is_empty() {
        return Ok(provider.kx_groups.clone());
    }
    let found = |name: &String| {
        let known = CURVES.into_iter().find(|(known, _)| known == name);
        let (_, own) = known.ok_or_else(|| WebConfigError::Curve(name.clone()))?;
        let is_it = |group: &&&'static dyn SupportedKxGroup| format!("{:?}", group.name()) == own;
        provider.kx_groups.iter().find(is_it).copied().ok_or_else(|| WebConfigError::NoCurve {
            name: name.clone(),
            there: "CurveP256, CurveP384, X25519".to_owned(),
        })
    };
    names.iter().map(found).collect()
}

fn clients(
    tls: &TlsFile,
    folder: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>, WebConfigError> {
    let verifier: Arc<dyn rustls::server::danger::ClientCertVerifier> = match tls.clients {
        Clients::None => return Ok(None),
        Clients::Request | Clients::RequireAny => {
            Arc::new(AnyClient::new(Arc::clone(provider), tls.clients == Clients::RequireAny))
        }
        Clients::VerifyIfGiven | Clients::RequireAndVerify => {
            let wrong = |error: &dyn std::fmt::Display| WebConfigError::ClientCa(error.to_string());
            let pem = tls
                .client_ca
                .as_ref()
                .map(|ca| read("client_ca", ca, folder))
                .transpose()?
                .unwrap_or_default();
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            }
            let roots = Arc::new(roots);
            let builder =
                rustls::server::WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
            let builder =
                if tls.clients == Clients::VerifyIfGiven { builder.allow_unauthenticated() } else { builder };
            builder.build().map_err(|error| wrong(&error))?
        }
    };
    Ok(Some(match &tls.client_sans {
        None => verifier,
        Some(names) => Arc::new(OnlyNamed::new(verifier, names.clone())),
    }))
}
