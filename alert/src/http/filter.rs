//! The parameters of `/api/v1/rules`.

use std::collections::BTreeSet;

use access::Grant;
use model::{Labels, Matcher};

use crate::go::quote;

/// Reads a selector of series, or says what is wrong with it.
pub type Selector = fn(&str) -> Result<Vec<Matcher>, String>;

/// Which rules are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    alerting: Option<bool>,
    rule_names: BTreeSet<String>,
    groups: BTreeSet<String>,
    files: BTreeSet<String>,
    /// Of each set all must match, and one of the sets.
    matchers: Vec<Vec<Matcher>>,
    /// How many groups are told at once.
    pub(super) group_limit: Option<usize>,
    /// Names the first of them; of a page before.
    pub(super) group_next_token: String,
    /// Whether alerts are left out.
    pub(super) exclude_alerts: bool,
    /// What may be seen.
    pub(super) grant: Grant,
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FilterError {
    #[error("invalid parameter \"type\": not supported value {}", quote(.value))]
    Type { value: String },
    #[error("invalid parameter \"exclude_alerts\": error converting exclude_alerts: strconv.ParseBool: parsing {}: invalid syntax", quote(.value))]
    ExcludeAlerts { value: String },
    #[error("invalid parameter \"group_limit\": group_limit needs to be a valid number: strconv.ParseInt: parsing {}: invalid syntax", quote(.value))]
    GroupLimit { value: String },
    #[error("invalid parameter \"group_limit\": group_limit needs to be greater than 0")]
    GroupLimitNotPositive,
    #[error(
        "invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate over the groups"
    )]
    TokenAlone,
    #[error(
        "invalid parameter \"group_next_token\": invalid group_next_token '{token}'. were rule groups changed?"
    )]
    Token { token: String },
    #[error("{reason}")]
    Matchers { reason: String },
}

impl Filter {
    /// Reads a query string; `selector` reads what `match[]` says.
    pub(super) fn parse(query: &str, selector: Selector) -> Result<Self, FilterError> {
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
                "match[]" => {
                    let matchers = selector(&value).map_err(|reason| FilterError::Matchers { reason })?;
                    filter.matchers.push(matchers);
                }
                "group_limit" if !value.is_empty() => filter.group_limit = Some(group_limit(&value)?),
                "group_next_token" => filter.group_next_token = value,
                _ => {}
            }
        }
        if filter.group_limit.is_none() && !filter.group_next_token.is_empty() {
            return Err(FilterError::TokenAlone);
        }
        Ok(filter)
    }

    /// The same, of what may be seen.
    pub(super) fn within(self, grant: Grant) -> Self {
        Self { grant, ..self }
    }

    pub(super) fn takes_group(&self, file: &str, name: &str) -> bool {
        let takes = |wanted: &BTreeSet<String>, value: &str| wanted.is_empty() || wanted.contains(value);
        takes(&self.files, file) && takes(&self.groups, name)
    }

    /// Labels are those of the file: templates in them are not expanded.
    pub(super) fn takes_rule(&self, name: &str, labels: &Labels, alerting: bool) -> bool {
        let named = self.rule_names.is_empty() || self.rule_names.contains(name);
        let all = |matchers: &Vec<Matcher>| {
            matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
        };
        let matched = self.matchers.is_empty() || self.matchers.iter().any(all);
        self.grant.admits(labels) && named && matched && self.alerting.is_none_or(|wanted| wanted == alerting)
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

fn group_limit(value: &str) -> Result<usize, FilterError> {
    let number: i64 = value.parse().map_err(|_| FilterError::GroupLimit { value: value.to_owned() })?;
    usize::try_from(number).ok().filter(|limit| *limit > 0).ok_or(FilterError::GroupLimitNotPositive)
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

    fn selector(text: &str) -> Result<Vec<Matcher>, String> {
        let (name, value) = text.split_once('=').ok_or("no selector")?;
        Ok(vec![Matcher::new(name, model::MatchOp::Equal, value).map_err(|error| error.to_string())?])
    }

    #[test]
    fn parameters() {
        let parse = |query: &str| Filter::parse(query, selector);
        let filter =
            parse("type=alert&rule_name%5B%5D=A+b&file[]=x%2fy&exclude_alerts=true").expect("parses");
        let takes = |filter: &Filter, name: &str, labels: &[(&str, &str)]| {
            filter.takes_rule(name, &Labels::from_pairs(labels.iter().copied()), true)
        };
        assert!(filter.exclude_alerts && takes(&filter, "A b", &[]) && !takes(&filter, "A", &[]));
        assert!(!filter.takes_rule("A b", &Labels::empty(), false));
        assert!(filter.takes_group("x/y", "any") && !filter.takes_group("x", "any"));
        let either = parse("match[]=a%3d1&match[]=b%3d2&group_limit=3&group_next_token=t").expect("parses");
        assert_eq!((either.group_limit, either.group_next_token.as_str()), (Some(3), "t"));
        assert!(takes(&either, "r", &[("a", "1")]) && takes(&either, "r", &[("a", "0"), ("b", "2")]));
        assert!(!takes(&either, "r", &[("a", "2")]));
        let error = |query: &str| parse(query).expect_err("is refused").to_string();
        assert_eq!(error("type=x"), r#"invalid parameter "type": not supported value "x""#);
        assert_eq!(
            error("exclude_alerts=maybe"),
            r#"invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "maybe": invalid syntax"#
        );
        assert_eq!(error("match[]=x"), "no selector");
        assert_eq!(
            error("group_limit=x"),
            r#"invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "x": invalid syntax"#
        );
        for limit in ["group_limit=0", "group_limit=-1"] {
            let expect = r#"invalid parameter "group_limit": group_limit needs to be greater than 0"#;
            assert_eq!(error(limit), expect);
        }
        let alone = r#"invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups"#;
        assert_eq!(error("group_next_token=x"), alone);
    }
}
