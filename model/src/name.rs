//! What a metric or label may be called.

/// Whether `name` matches `[a-zA-Z_:][a-zA-Z0-9_:]*`: a metric name that needs no quotes.
pub fn is_legacy_metric_name(name: &str) -> bool {
    is_name(name, |byte| byte == b':')
}

/// Whether `name` matches `[a-zA-Z_][a-zA-Z0-9_]*`: a label name that needs no quotes.
pub fn is_legacy_label_name(name: &str) -> bool {
    is_name(name, |_| false)
}

fn is_name(name: &str, also: impl Fn(u8) -> bool) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also(byte);
    match name.as_bytes() {
        [first, rest @ ..] => letter(*first) && rest.iter().all(|&b| letter(b) || b.is_ascii_digit()),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, metric: bool, label: bool| {
            assert_eq!((is_legacy_metric_name(name), is_legacy_label_name(name)), (metric, label), "{name}");
        };
        check("up", true, true);
        check("job:up:sum", true, false);
        check("_1", true, true);
        check("1a", false, false);
        check("a.b", false, false);
        check("é", false, false);
        check("", false, false);
    }
}
