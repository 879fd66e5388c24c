//! What is sent when an alert fires or is over, and its form in the API v2 of Alertmanager.

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::go::{query_escape, rfc3339_millis};

/// An alert as receivers get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its labels, external labels included: what it is known by.
    #[serde(with = "crate::state::labels_map")]
    pub labels: Labels,
    /// Its annotations.
    #[serde(with = "crate::state::labels_map")]
    pub annotations: Labels,
    /// When it fired; milliseconds since the Unix epoch.
    pub starts_at_ms: i64,
    /// When it was over; for an alert that fires, until when it counts as firing if nothing else is heard.
    pub ends_at_ms: i64,
    /// Whether it is over.
    pub resolved: bool,
    /// A page that shows its expression.
    pub generator_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PostableAlert<'a> {
    #[serde(with = "crate::state::labels_map")]
    labels: &'a Labels,
    #[serde(with = "crate::state::labels_map")]
    annotations: &'a Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
}

/// The body of `POST /api/v2/alerts`.
///
/// # Panics
/// Never: texts and label sets have a JSON form.
pub fn api_v2_body(alerts: &[Alert]) -> String {
    let postable: Vec<_> = alerts
        .iter()
        .map(|alert| PostableAlert {
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: rfc3339_millis(alert.starts_at_ms),
            ends_at: rfc3339_millis(alert.ends_at_ms),
            generator_url: &alert.generator_url,
        })
        .collect();
    serde_json::to_string(&postable).unwrap_or_else(|_| "[]".to_owned())
}

/// The page that shows a query as a table, below the external URL.
pub(crate) fn table_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", query_escape(expr))
}

/// The page that shows a query as a graph, below the external URL.
pub(crate) fn graph_link(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=0", query_escape(expr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_alertmanager_takes() {
        let alert = Alert {
            labels: Labels::from_pairs([("alertname", "Down"), ("job", "a\"b")]),
            annotations: Labels::empty(),
            starts_at_ms: 1_767_323_045_151,
            ends_at_ms: 1_767_323_285_000,
            resolved: false,
            generator_url: format!("http://m{}", table_link("up == 0")),
        };
        assert_eq!(
            api_v2_body(&[alert]),
            concat!(
                r#"[{"labels":{"alertname":"Down","job":"a\"b"},"annotations":{},"#,
                r#""startsAt":"2026-01-02T03:04:05.151Z","endsAt":"2026-01-02T03:08:05.000Z","#,
                r#""generatorURL":"http://m/graph?g0.expr=up+%3D%3D+0&g0.tab=1"}]"#
            )
        );
    }
}
