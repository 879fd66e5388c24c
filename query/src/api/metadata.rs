//! `series`, `labels`, `label/NAME/values`, `metadata`.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use model::{Matcher, Metadata, MetricType, Selection};

use super::answer::{ApiError, Success};
use super::json::{self, Fields};
use super::parameters::Parameters;
use super::queries::TRUNCATED;
use super::seen::Seen;
use super::time;
use crate::source::SourceNotes;
use crate::syntax::parse_metric_selector;

pub(super) async fn series(seen: Seen, parameters: Parameters) -> Result<Success, ApiError> {
    let limit = parameters.limit()?;
    if parameters.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let named = |reason: String| ApiError::parameter("match[]", reason);
    let selections = selections(&parameters, named)?;
    let notes = SourceNotes::default();
    let found = seen.source.series(&selections, &notes).await?;
    Ok(limited(found, notes, limit, json::labels))
}

pub(super) async fn label_names(seen: Seen, parameters: Parameters) -> Result<Success, ApiError> {
    let limit = parameters.limit()?;
    let selections = selections(&parameters, ApiError::bad_data)?;
    let notes = SourceNotes::default();
    let found = seen.source.label_names(&selections, &notes).await?;
    Ok(limited(found, notes, limit, |out, name| json::string(out, name)))
}

pub(super) async fn label_values(
    seen: Seen,
    name: Result<Path<String>, PathRejection>,
    parameters: Parameters,
) -> Result<Success, ApiError> {
    let Ok(Path(name)) = name else {
        return Err(ApiError::bad_data("invalid label name: it is not UTF-8"));
    };
    let limit = parameters.limit()?;
    let name = unescape(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {name:?}")));
    }
    let selections = selections(&parameters, ApiError::bad_data)?;
    let notes = SourceNotes::default();
    let found = seen.source.label_values(&name, &selections, &notes).await?;
    Ok(limited(found, notes, limit, |out, value| json::string(out, value)))
}

pub(super) async fn metadata(seen: Seen, parameters: Parameters) -> Result<Success, ApiError> {
    let limit = parameters.count_or_all("limit")?;
    let per_metric = parameters.count_or_all("limit_per_metric")?.filter(|&limit| limit > 0);
    let notes = SourceNotes::default();
    let mut found = seen.source.metadata(&notes).await?;
    let wanted = parameters.get("metric");
    if !wanted.is_empty() {
        found.retain(|(name, _)| **name == *wanted);
    }
    found.truncate(limit.unwrap_or(usize::MAX));
    let mut success = Success { warnings: notes.into_texts(), ..Success::default() };
    Fields::object(&mut success.data, |fields| {
        for (name, descriptions) in &found {
            let mut shown: Vec<&Metadata> = Vec::new();
            for told in descriptions {
                if !shown.contains(&&told.metadata) {
                    shown.push(&told.metadata);
                }
            }
            shown.truncate(per_metric.unwrap_or(usize::MAX));
            json::list(fields.field(name), shown.into_iter(), description);
        }
    });
    Ok(success)
}

/// As this API and OpenMetrics call it.
pub(super) fn type_name(metric_type: MetricType) -> &'static str {
    match metric_type {
        MetricType::Untyped => "unknown",
        other => other.as_str(),
    }
}

fn description(out: &mut String, metadata: &Metadata) {
    let r#type = type_name(metadata.r#type);
    Fields::object(out, |fields| {
        json::string(fields.field("type"), r#type);
        json::string(fields.field("help"), &metadata.help);
        json::string(fields.field("unit"), &metadata.unit);
    });
}

/// What `match[]` asks for; everything without it. `told` makes an error of what is wrong with one.
fn selections(
    parameters: &Parameters,
    told: impl Fn(String) -> ApiError,
) -> Result<Vec<Selection>, ApiError> {
    let start_ms = parameters.time_ms_or("start", -time::TIME_MS_MAX)?;
    let end_ms = parameters.time_ms_or("end", time::TIME_MS_MAX)?;
    let mut selections = Vec::new();
    for text in parameters.all("match[]") {
        let matchers = matchers(text).map_err(&told)?;
        selections.push(Selection { matchers, start_ms, end_ms });
    }
    if selections.is_empty() {
        selections.push(Selection { matchers: Vec::new(), start_ms, end_ms });
    }
    Ok(selections)
}

/// The matchers of a `match[]`.
///
/// # Errors
/// What is wrong with it.
pub fn matchers(text: &str) -> Result<Vec<Matcher>, String> {
    parse_metric_selector(text).map_err(|error| match error.message.ends_with(ALL_EMPTY) {
        true => format!("match[] must contain {ALL_EMPTY}"),
        false => error.to_string(),
    })
}

/// What a selector lacks that would select everything.
const ALL_EMPTY: &str = "at least one non-empty matcher";

fn limited<T>(
    mut found: Vec<T>,
    notes: SourceNotes,
    limit: Option<usize>,
    mut write: impl FnMut(&mut String, &T),
) -> Success {
    let mut success = Success { warnings: notes.into_texts(), ..Success::default() };
    if let Some(limit) = limit
        && found.len() > limit
    {
        found.truncate(limit);
        success.warnings.push(TRUNCATED.to_owned());
    }
    json::list(&mut success.data, found.iter(), |out, item| write(out, item));
    success
}

/// A label name in a path may be escaped: `U__a_2e_b` is `a.b`, and `__` is `_`.
fn unescape(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let Some((code, after)) = rest.split_once('_') else { return name.to_owned() };
        // a sign is no digit of a code, though it is one of a number
        let is_code = code.len() <= 6 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
        let character = u32::from_str_radix(code, 16).ok().and_then(char::from_u32).filter(|_| is_code);
        let Some(character) = character else { return name.to_owned() };
        out.push(character);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escaped_names() {
        let check = |name: &str, expect: &str| assert_eq!(unescape(name), expect);
        check("job", "job");
        check("U__a_2e_b", "a.b");
        check("U__a_+2e_b", "U__a_+2e_b");
        check("U__a_000002e_b", "U__a_000002e_b");
        check("U__a__b", "a_b");
        check("U__a_2f_b_e9_", "a/bé");
        check("U__a_zz_", "U__a_zz_");
        check("U__a_2e", "U__a_2e");
    }
}
