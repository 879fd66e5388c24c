//! Whether the alerts that fire are those that should.

use std::collections::BTreeMap;

use alert::FiringAlert;
use model::{Labels, quote};

use crate::file::AlertTest;

/// What is wrong with the alerts of one name, in promtool's words; nothing if they are as expected.
pub(crate) fn difference(
    test_name: &str,
    test: &AlertTest,
    time: &str,
    mut got: Vec<FiringAlert>,
) -> Option<String> {
    let mut expected: Vec<FiringAlert> = test
        .expected
        .iter()
        .map(|(labels, annotations)| {
            let mut labels = of_map(labels).to_builder();
            labels.set("alertname", test.alertname.as_str());
            FiringAlert { labels: labels.build(), annotations: of_map(annotations) }
        })
        .collect();
    expected.sort();
    got.sort();
    if expected == got {
        return None;
    }
    let name = if test_name.is_empty() { String::new() } else { format!("    name: {test_name},\n") };
    let shown = |alerts| indented(&list(alerts), "            ");
    Some(format!(
        "{name}    alertname: {}, time: {time}, \n        exp:{}, \n        got:{}",
        test.alertname,
        shown(&expected),
        shown(&got)
    ))
}

fn of_map(texts: &BTreeMap<String, String>) -> Labels {
    Labels::from_pairs(texts.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn list(alerts: &[FiringAlert]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let items = alerts.iter().enumerate().map(|(index, alert)| {
        let shown = format!("\nLabels:{}\nAnnotations:{}", braces(&alert.labels), braces(&alert.annotations));
        format!("{index}:{}", indented(&shown, "  "))
    });
    format!("[\n{}\n]", items.collect::<Vec<_>>().join(",\n"))
}

/// Every line but the first, further to the right.
fn indented(lines: &str, by: &str) -> String {
    lines.replace('\n', &format!("\n{by}"))
}

/// Labels as Go's Prometheus prints them: the metric name is one among them.
pub(crate) fn braces(labels: &Labels) -> String {
    let shown = labels.iter().map(|label| {
        let name = if model::name::is_legacy_label_name(&label.name) {
            label.name.to_string()
        } else {
            quote::quoted(&label.name)
        };
        format!("{name}={}", quote::quoted(&label.value))
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
}
