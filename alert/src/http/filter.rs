//! The parameters of `/api/v1/rules`.

use std::collections::BTreeSet;

use crate::go::quote;

/// Which rules are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    alerting: Option<bool>,
    rule_names: BTreeSet<String>,
    groups: BTreeSet<String>,
    files: BTreeSet<String>,
    /// Whether alerts are left out.
    pub(super) exclude_alerts: bool,
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FilterError {
    #[error("invalid parameter \"type\": not supported value {}", quote(.value))]
    Type { value: String },
    #[error("invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing {}: invalid syntax", quote(.value))]
    ExcludeAlerts { value: String },
    #[error("invalid parameter \"{name}\": not supported")]
    Unsupported { name: String },
}

impl Filter {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = unescape(value);
            match unescape(name).as_str() {
                "type" => filter.alerting = rule_type(&value)?,
                "rule_name[]" => _ = filter.rule_names.insert(value),
                "rule_group[]" => _ = filter.groups.insert(value),
                "file[]" => _ = filter.files.insert(value),
                "exclude_alerts" => filter.exclude_alerts = boolean(&value)?,
                // Leaving a condition out would answer another question.
                name @ ("match[]" | "group_next_token") => {
                    return Err(FilterError::Unsupported { name: name.to_owned() });
                }
                _ => {}
            }
        }
        Ok(filter)
    }

    pub(super) fn takes_group(&self, file: &str, name: &str) -> bool {
        let takes = |wanted: &BTreeSet<String>, value: &str| wanted.is_empty() || wanted.contains(value);
        takes(&self.files, file) && takes(&self.groups, name)
    }

    pub(super) fn takes_rule(&self, name: &str, alerting: bool) -> bool {
        let named = self.rule_names.is_empty() || self.rule_names.contains(name);
        named && self.alerting.is_none_or(|wanted| wanted == alerting)
    }
}

fn rule_type(value: &str) -> Result<Option<bool>, FilterError> {
    match value {
        "" => Ok(None),
        "alert" => Ok(Some(true)),
        "record" => Ok(Some(false)),
        _ => Err(FilterError::Type { value: value.to_owned() }),
    }
}

fn boolean(value: &str) -> Result<bool, FilterError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(FilterError::ExcludeAlerts { value: value.to_owned() }),
    }
}

/// Undoes the escapes of a query string; what is no escape stays.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let filter =
            Filter::parse("type=alert&rule_name%5B%5D=A+b&file[]=x%2fy&exclude_alerts=true").expect("parses");
        assert!(filter.exclude_alerts && filter.takes_rule("A b", true) && !filter.takes_rule("A b", false));
        assert!(filter.takes_group("x/y", "any") && !filter.takes_group("x", "any"));
        let error = |query: &str| Filter::parse(query).expect_err("is refused").to_string();
        assert_eq!(error("type=x"), r#"invalid parameter "type": not supported value "x""#);
        assert_eq!(
            error("exclude_alerts=maybe"),
            r#"invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "maybe": invalid syntax"#
        );
        assert_eq!(error("match[]=x"), r#"invalid parameter "match[]": not supported"#);
    }
}
