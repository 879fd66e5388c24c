//! Limits of what a body holds, beyond those that decoders enforce.

use wire::Metric;

use super::body::too_many_labels;
use super::error::IntakeError;
use crate::settings::Settings;

/// Checks a family's name and help.
pub(super) fn check_family(name: &str, help: &str, settings: &Settings) -> Result<(), IntakeError> {
    check_bytes(name, settings.metric_name_bytes_max, "metric_name_bytes_max", || {
        format!("the name of metric {}", beginning(name))
    })?;
    check_bytes(help, settings.help_bytes_max, "help_bytes_max", || format!("the help of metric {name:?}"))
}

/// Checks the labels of a metric, those of its group included.
pub(super) fn check_labels(family: &str, metric: &Metric, settings: &Settings) -> Result<(), IntakeError> {
    if metric.labels.len() > settings.labels_per_series_max {
        let what = format!("the number of labels of metric {family:?}");
        return Err(too_many_labels(what, settings.labels_per_series_max));
    }
    for (name, value) in &metric.labels {
        check_bytes(name, settings.label_name_bytes_max, "label_name_bytes_max", || {
            format!("the name of label {} of metric {family:?}", beginning(name))
        })?;
        check_bytes(value, settings.label_value_bytes_max, "label_value_bytes_max", || {
            format!("the value of label {name:?} of metric {family:?}")
        })?;
    }
    Ok(())
}

fn check_bytes(
    text: &str,
    max: usize,
    limit: &'static str,
    what: impl Fn() -> String,
) -> Result<(), IntakeError> {
    if text.len() <= max {
        return Ok(());
    }
    Err(IntakeError::Limit { what: format!("{} ({} bytes)", what(), text.len()), limit, max })
}

/// Enough of a name that is too long to find it.
fn beginning(name: &str) -> String {
    format!("{:?}…", name.chars().take(40).collect::<String>())
}
