//! Headers that a configuration adds to requests.

use model::quote::quoted;

/// Headers that the client sets, or that stand in the way of it.
const RESERVED: [&str; 27] = [
    "Accept-Charset",
    "Accept-Encoding",
    "Age",
    "Allow",
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "Date",
    "Expect",
    "Host",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Referer",
    "Te",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "Www-Authenticate",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
];

/// Whether a text may be the name of a header.
pub(crate) fn is_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

/// A header's name as Go writes it: `content-type` is `Content-Type`. One that cannot be a name stays as it is.
pub fn canonical(name: &str) -> String {
    if !is_name(name) {
        return name.to_owned();
    }
    let mut first = true;
    let cased = name.chars().map(|c| {
        let c = if first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        first = c == '-';
        c
    });
    cased.collect()
}

/// Whether a configuration may set a header.
///
/// # Errors
/// If it may not, in Prometheus' words.
pub fn check(name: &str) -> Result<(), String> {
    let name = canonical(name);
    match RESERVED.contains(&name.as_str()) {
        true => Err(format!("setting header {} is not allowed", quoted(&name))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_go_writes_them() {
        assert_eq!(canonical("in-reply-TO"), "In-Reply-To");
        assert_eq!(canonical("a b"), "a b");
        assert_eq!((is_name("x-a"), is_name("a b"), is_name("")), (true, false, false));
    }
}
