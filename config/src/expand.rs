//! `$NAME` and `${NAME}` in external labels.

/// The text with variables of the environment put in, as Go's `os.Expand` does it: `$$` is `$`, and what is not set is empty.
pub(crate) fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let (name, after) = name(&rest[at + 1..]);
        match name {
            Some("$") => out.push('$'),
            Some(name) => out.push_str(&variable(name).unwrap_or_default()),
            // what begins no name stands for itself, and `${}` for nothing
            None if after.len() == rest.len() - at - 1 => out.push('$'),
            None => {}
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The name behind a dollar sign, and what follows it.
fn name(text: &str) -> (Option<&str>, &str) {
    if let Some(rest) = text.strip_prefix('{') {
        return match rest.find('}') {
            Some(0) => (None, &rest[1..]),
            Some(end) => (Some(&rest[..end]), &rest[end + 1..]),
            None => (None, rest),
        };
    }
    let special = |c: char| matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9');
    if text.starts_with(special) {
        return (Some(&text[..1]), &text[1..]);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if end == 0 { (None, text) } else { (Some(&text[..end]), &text[end..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let variable = |name: &str| (name == "A_1").then(|| "x".to_owned());
        let check = |text: &str, expect: &str| assert_eq!(expand(text, &variable), expect, "{text}");
        check("plain", "plain");
        check("$A_1/${A_1}y$B.", "x/xy.");
        check("$$A_1 $ ${} %", "$A_1 $  %");
        check("${A_1", "A_1");
        check("é$A_1é", "éxé");
    }
}
