//! Where targets are found.

use model::quote::quoted;
use yaml::{Node, Reader};

use crate::client::{self, ClientFields, HttpClientConfig};
use crate::known::refuse;

/// Targets stand in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiscovery {
    /// Files, of which the last part may be a pattern; relative to the folder of the configuration.
    pub files: Vec<String>,
    /// They are read again as often.
    pub refresh_ms: i64,
}

/// Another server says what the targets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpDiscovery {
    /// What is asked.
    pub url: String,
    /// It is asked as often.
    pub refresh_ms: i64,
    /// Whether redirections are followed.
    pub follow_redirects: bool,
    /// Who asks.
    pub client: HttpClientConfig,
}

/// Targets are records of the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsDiscovery {
    /// Names that are asked for.
    pub names: Vec<String>,
    /// They are asked for as often.
    pub refresh_ms: i64,
    /// Which records.
    pub record: DnsRecord,
    /// The port of all targets, where records name none.
    pub port: u16,
}

/// Which records of a name are targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsRecord {
    /// Addresses of version 4.
    A,
    /// Addresses of version 6.
    Aaaa,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
    /// Services, which have ports.
    Srv,
}

const FILE_REFRESH_MS: i64 = 5 * 60_000;
const HTTP_REFRESH_MS: i64 = 60_000;
const DNS_REFRESH_MS: i64 = 30_000;
const HTTP_UNSUPPORTED: [(&str, &str); 2] = [
    ("oauth2", "there are basic_auth and authorization"),
    ("proxy_connect_header", client::NO_CONNECT_HEADER),
];

pub(super) fn refresh(reader: &mut Reader, value: &Node, otherwise: i64) -> i64 {
    reader.parsed(value, model::duration::parse).filter(|ms| *ms > 0).unwrap_or(otherwise)
}

pub(super) fn file(reader: &mut Reader, node: &Node) -> FileDiscovery {
    const FIELDS: [&str; 2] = ["files", "refresh_interval"];
    let mut found = FileDiscovery { files: Vec::new(), refresh_ms: FILE_REFRESH_MS };
    for (key, value) in reader.entries(node, "file_sd_configs") {
        match &*key.0 {
            "files" => {
                for item in reader.items(&value, "files") {
                    let path = reader.string(&item);
                    if !is_file_of_targets(&path) {
                        let text = format!("path name {} is not valid for file discovery", quoted(&path));
                        reader.complain(item.position, text);
                    }
                    found.files.push(path);
                }
            }
            "refresh_interval" => found.refresh_ms = refresh(reader, &value, FILE_REFRESH_MS),
            _ => reader.unknown(&key, "file_sd_configs", &FIELDS),
        }
    }
    if found.files.is_empty() {
        reader.complain(node.position, "file service discovery config must contain at least one path name");
    }
    found
}

/// One star at most, behind the last slash, and an end that says how it is written.
fn is_file_of_targets(path: &str) -> bool {
    let ends = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"];
    let Some(name) = ends.iter().find_map(|end| path.strip_suffix(end)) else { return false };
    name.split_once('*').is_none_or(|(_, rest)| !rest.contains(['/', '*']))
}

pub(super) fn http(reader: &mut Reader, node: &Node) -> HttpDiscovery {
    let (mut url, mut refresh_ms, mut fields) = (String::new(), HTTP_REFRESH_MS, ClientFields::default());
    let mut follow_redirects = true;
    for (key, value) in reader.entries(node, "http_sd_configs") {
        if fields.take(reader, &key, &value) {
            continue;
        }
        match &*key.0 {
            "url" => url = reader.string(&value),
            "refresh_interval" => refresh_ms = refresh(reader, &value, HTTP_REFRESH_MS),
            "follow_redirects" => follow_redirects = reader.bool(&value),
            // HTTP/1.1 is spoken whatever this says
            "enable_http2" => _ = reader.bool(&value),
            _ => {
                let known = [&["url", "refresh_interval", "follow_redirects"][..], &client::FIELDS].concat();
                refuse(reader, &key, "http_sd_configs", &known, &HTTP_UNSUPPORTED);
            }
        }
    }
    let host = match url.split_once("://") {
        _ if url.is_empty() => Err("URL is missing"),
        Some(("http" | "https", rest)) => Ok(rest.split(['/', '?']).next().unwrap_or_default()),
        _ => Err("URL scheme must be 'http' or 'https'"),
    };
    match host {
        Err(text) => reader.complain(node.position, text),
        Ok("") => reader.complain(node.position, "host is missing in URL"),
        Ok(_) => {}
    }
    HttpDiscovery { url, refresh_ms, follow_redirects, client: fields.finish(reader) }
}

pub(super) fn dns(reader: &mut Reader, node: &Node) -> DnsDiscovery {
    const FIELDS: [&str; 4] = ["names", "refresh_interval", "type", "port"];
    let mut found =
        DnsDiscovery { names: Vec::new(), refresh_ms: DNS_REFRESH_MS, record: DnsRecord::Srv, port: 0 };
    for (key, value) in reader.entries(node, "dns_sd_configs") {
        match &*key.0 {
            "names" => {
                let items = reader.items(&value, "names");
                found.names = items.iter().map(|item| reader.string(item)).collect();
            }
            "refresh_interval" => found.refresh_ms = refresh(reader, &value, DNS_REFRESH_MS),
            "type" => found.record = reader.parsed(&value, record).unwrap_or(DnsRecord::Srv),
            "port" => found.port = reader.parsed(&value, str::parse::<u16>).unwrap_or(0),
            _ => reader.unknown(&key, "dns_sd_configs", &FIELDS),
        }
    }
    if found.names.is_empty() {
        reader.complain(node.position, "DNS-SD config must contain at least one SRV record name");
    } else if found.record != DnsRecord::Srv && found.port == 0 {
        let text = "a port is required in DNS-SD configs for all record types except SRV";
        reader.complain(node.position, text);
    }
    found
}

fn record(text: &str) -> Result<DnsRecord, String> {
    match text.to_uppercase().as_str() {
        "A" => Ok(DnsRecord::A),
        "AAAA" => Ok(DnsRecord::Aaaa),
        "MX" => Ok(DnsRecord::Mx),
        "NS" => Ok(DnsRecord::Ns),
        "SRV" => Ok(DnsRecord::Srv),
        _ => Err(format!("invalid DNS-SD records type {text}")),
    }
}
