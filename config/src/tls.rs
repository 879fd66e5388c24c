//! What is trusted, and who we are, on a connection over TLS.

use model::quote::quoted;
use yaml::{Node, Reader};

use crate::secret::Secret;

/// How connections over TLS are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates that are trusted instead of the system's, as PEM.
    pub ca: Option<Secret>,
    /// Our own certificate and its key, as PEM.
    pub client: Option<(Secret, Secret)>,
    /// The name that the other side's certificate must have, instead of its host.
    pub server_name: Option<String>,
    /// Whether any certificate will do.
    pub insecure_skip_verify: bool,
    /// The oldest version of TLS.
    pub min_version: Option<TlsVersion>,
    /// The newest version of TLS.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

const FIELDS: [&str; 10] = [
    "ca",
    "ca_file",
    "cert",
    "cert_file",
    "key",
    "key_file",
    "server_name",
    "insecure_skip_verify",
    "min_version",
    "max_version",
];

pub(crate) fn read(reader: &mut Reader, node: &Node) -> Tls {
    let mut tls = Tls::default();
    // certificate authority, certificate, key
    let mut found: [Option<Secret>; 3] = [None, None, None];
    for (key, value) in reader.entries(node, "tls_config") {
        let name = &*key.0;
        let place = match name.trim_end_matches("_file") {
            "ca" => Some(0),
            "cert" => Some(1),
            "key" => Some(2),
            _ => None,
        };
        match (name, place) {
            (_, Some(place)) => {
                let text = reader.string(&value);
                if found[place].is_some() {
                    let base = name.trim_end_matches("_file");
                    reader
                        .complain(key.1, format!("at most one of {base} and {base}_file must be configured"));
                }
                found[place] =
                    Some(if name.ends_with("_file") { Secret::File(text) } else { Secret::Inline(text) });
            }
            ("server_name", _) => {
                tls.server_name = Some(reader.string(&value)).filter(|name| !name.is_empty());
            }
            ("insecure_skip_verify", _) => tls.insecure_skip_verify = reader.bool(&value),
            ("min_version", _) => tls.min_version = reader.parsed(&value, version),
            ("max_version", _) => tls.max_version = reader.parsed(&value, version),
            _ => reader.unknown(&key, "tls_config", &FIELDS),
        }
    }
    let [ca, cert, key] = found;
    tls.ca = ca;
    tls.client = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            let text =
                "exactly one of key or key_file must be configured when a client certificate is configured";
            reader.complain(node.position, text);
            None
        }
        (None, Some(_)) => {
            let text = "exactly one of cert or cert_file must be configured when a client key is configured";
            reader.complain(node.position, text);
            None
        }
    };
    if tls.min_version.zip(tls.max_version).is_some_and(|(min, max)| min > max) {
        reader.complain(node.position, "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified");
    }
    tls
}

fn version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "TLS12" => Ok(TlsVersion::Tls12),
        "TLS13" => Ok(TlsVersion::Tls13),
        "TLS10" | "TLS11" => Err(format!("{text} is not supported; there are TLS12 and TLS13")),
        _ => Err(format!("unknown TLS version: {}; there are TLS12 and TLS13", quoted(text))),
    }
}
