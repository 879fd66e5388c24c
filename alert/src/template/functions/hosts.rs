//! Functions over texts: hosts, URLs and titles.

use std::net::IpAddr;

/// A host without its port.
pub(super) fn strip_port(host_port: &str) -> String {
    split(host_port).map_or(host_port, |(host, _)| host).to_owned()
}

/// The first label of a host name, with the port that it had; addresses stay as they are.
pub(super) fn strip_domain(host_port: &str) -> String {
    let (host, port) = split(host_port).unwrap_or((host_port, ""));
    if host.parse::<IpAddr>().is_ok() {
        return host_port.to_owned();
    }
    let first = host.split('.').next().unwrap_or(host);
    match (port, first.contains(':')) {
        ("", _) => first.to_owned(),
        (_, true) => format!("[{first}]:{port}"),
        _ => format!("{first}:{port}"),
    }
}

/// Go's `net.SplitHostPort`; `None` where that fails.
fn split(host_port: &str) -> Option<(&str, &str)> {
    let (host, port) = host_port.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let clean = !host.contains(['[', ']']) && !port.contains(['[', ']']);
    clean.then_some((host, port))
}

/// The path of a URL.
pub(super) fn url_path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or("")
}

/// Upper case for the first letter of every word; other letters stay.
pub(super) fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        if in_word {
            titled.push(c);
        } else {
            titled.extend(c.to_uppercase());
        }
        let joins = matches!(c, '\'' | '’' | '.' | ':' | '·') && in_word;
        let letter_follows = letters.peek().is_some_and(|next| next.is_alphanumeric());
        in_word = c.is_alphanumeric() || c == '_' || (joins && letter_follows);
    }
    titled
}
