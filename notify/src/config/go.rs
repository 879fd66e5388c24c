//! Texts that Go's libraries take, with their messages.

use model::quote::quoted;

const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-6),
    ("us", 1e-3),
    ("\u{b5}s", 1e-3),
    ("\u{3bc}s", 1e-3),
    ("ms", 1.0),
    ("s", 1e3),
    ("m", 60e3),
    ("h", 3600e3),
];

/// Milliseconds of a duration as `time.ParseDuration` takes it: `1.5h`, `-1m30s`, `0`.
pub(super) fn duration_ms(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (unit, behind) = rest.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let Some((_, ms)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("time: unknown unit {} in duration {}", quoted(unit), quoted(text)));
        };
        total += number * ms;
        rest = behind;
    }
    // what Go counts in 64 bits of nanoseconds
    if total >= 9.2e12 {
        return Err(invalid());
    }
    Ok(if negative { -(total as i64) } else { total as i64 })
}

/// Whether a text is `HOST:PORT`, as `net.SplitHostPort` takes it.
pub(super) fn check_host_port(text: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("address {text}: {why}"));
    let Some(colon) = text.rfind(':') else { return wrong("missing port in address") };
    let host = &text[..colon];
    if let Some(rest) = text.strip_prefix('[') {
        match rest.find(']').map(|end| end + 1) {
            None => return wrong("missing ']' in address"),
            Some(end) if end + 1 == text.len() => return wrong("missing port in address"),
            Some(end) if end + 1 == colon => {}
            Some(end) if text[end + 1..].starts_with(':') => return wrong("too many colons in address"),
            Some(_) => return wrong("missing port in address"),
        }
    } else if host.contains(':') {
        return wrong("too many colons in address");
    } else if text.contains('[') {
        return wrong("unexpected '[' in address");
    } else if text.contains(']') {
        return wrong("unexpected ']' in address");
    }
    if colon + 1 == text.len() {
        return Err(format!("address {}: port cannot be empty", quoted(text)));
    }
    Ok(())
}

/// Whether a text is a URL that can be asked over HTTP.
pub(super) fn check_http_url(text: &str) -> Result<(), String> {
    let url = parse_url(text)?;
    if !matches!(url.scheme.as_str(), "http" | "https") {
        return Err(format!("unsupported scheme {} for URL", quoted(&url.scheme)));
    }
    if url.host.is_empty() {
        return Err("missing host for URL".to_owned());
    }
    Ok(())
}

/// What is looked at of a URL.
pub(super) struct Url {
    scheme: String,
    host: String,
}

/// The parts of a URL as `url.Parse` finds them.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    parts(text).map_err(|why| format!("parse {}: {why}", quoted(text)))
}

fn parts(text: &str) -> Result<Url, String> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let text = text.split_once('#').map_or(text, |(before, _)| before);
    let (scheme, rest) = scheme(text)?;
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    let Some(authority) = rest.strip_prefix("//") else {
        let first = rest.split('/').next().unwrap_or("");
        if scheme.is_empty() && !rest.starts_with('/') && first.contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
        check_escapes(rest)?;
        return Ok(Url { scheme, host: String::new() });
    };
    let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
    let host = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(allowed) {
                return Err("net/url: invalid userinfo".to_owned());
            }
            host
        }
        None => authority,
    };
    check_host(host)?;
    check_escapes(path)?;
    Ok(Url { scheme, host: host.to_owned() })
}

/// The scheme in lower case, and what follows its colon.
fn scheme(text: &str) -> Result<(String, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((text[..at].to_ascii_lowercase(), &text[at + 1..])),
            _ => break,
        }
    }
    Ok((String::new(), text))
}

fn check_host(host: &str) -> Result<(), String> {
    let port = match host.strip_prefix('[') {
        Some(rest) => match rest.rfind(']') {
            Some(end) => &rest[end + 1..],
            None => return Err("missing ']' in host".to_owned()),
        },
        None => host.rfind(':').map_or("", |colon| &host[colon..]),
    };
    let digits = port.strip_prefix(':');
    if !port.is_empty() && !digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("invalid port {} after host", quoted(port)));
    }
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c);
    if let Some(wrong) = host.chars().find(|c| !allowed(*c)) {
        return Err(format!("invalid character {} in host name", quoted(&wrong.to_string())));
    }
    check_escapes(host)
}

fn check_escapes(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('%') {
        let escape: String = text[at..].chars().take(3).collect();
        let digits = &escape[1..];
        if digits.len() != 2 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("invalid URL escape {}", quoted(&escape)));
        }
    }
    Ok(())
}

/// Whether the actions of a template are closed: a template that does more wrong is told of when it is expanded.
pub(super) fn check_template(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let Some(end) = rest[at..].find("}}") else {
            return Err("template: :1: unclosed action".to_owned());
        };
        rest = &rest[at + end + 2..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expect: Result<i64, &str>| {
            assert_eq!(duration_ms(text), expect.map_err(str::to_owned), "{text}");
        };
        check("1.5h", Ok(5_400_000));
        check("-1m30s", Ok(-90_000));
        check("0", Ok(0));
        check("100us", Ok(0));
        check("5", Err("time: missing unit in duration \"5\""));
        check("5d", Err("time: unknown unit \"d\" in duration \"5d\""));
        check("", Err("time: invalid duration \"\""));
        check("x", Err("time: invalid duration \"x\""));
    }

    #[test]
    fn addresses() {
        let check = |text: &str, expect: Result<(), &str>| {
            assert_eq!(check_host_port(text), expect.map_err(str::to_owned), "{text}");
        };
        check("localhost:25", Ok(()));
        check(":25", Ok(()));
        check("[::1]:25", Ok(()));
        check("foo", Err("address foo: missing port in address"));
        check("a:b:c", Err("address a:b:c: too many colons in address"));
        check("[::1", Err("address [::1: missing ']' in address"));
        check("[::1]", Err("address [::1]: missing port in address"));
        check("foo:", Err("address \"foo:\": port cannot be empty"));
    }
}
