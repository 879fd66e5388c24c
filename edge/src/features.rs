//! The names of Prometheus' feature flags, and what they switch on.

use query::Settings;

/// What can be switched on: the name that Prometheus gives it, and what it is.
pub const FEATURES: [(&str, &str); 8] = [
    ("promql-experimental-functions", "info(), limitk, limit_ratio, mad_over_time, sort_by_label and others"),
    ("promql-extended-range-selectors", "anchored and smoothed behind selectors"),
    ("promql-binop-fill-modifiers", "fill, fill_left and fill_right in binary operations"),
    (
        "promql-delayed-name-removal",
        "Metric names go away at the end of a query instead of with the first operation",
    ),
    (
        "use-start-timestamps",
        "rate, increase, irate and resets heed since when the samples of a counter count",
    ),
    ("promql-per-step-stats", "stats=all in a query tells how many samples were looked at for each time"),
    (
        "type-and-unit-labels",
        "What is pushed and received gets labels __type__ and __unit__, and rate and increase judge by them what a counter is",
    ),
    ("promql-duration-expr", "Nothing: arithmetic in durations is always on"),
];

/// A name that is not among [`FEATURES`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} is no feature: expected one of {names}", names = FEATURES.map(|(name, _)| name).join(", "))]
pub struct UnknownFeature(pub String);

/// Switches a feature on.
///
/// # Errors
/// If there is none of this name.
pub fn enable_feature(settings: &mut Settings, name: &str) -> Result<(), UnknownFeature> {
    match name {
        "promql-experimental-functions" => settings.syntax.experimental_functions = true,
        "promql-extended-range-selectors" => settings.syntax.extended_range_selectors = true,
        "promql-binop-fill-modifiers" => settings.syntax.fill_modifiers = true,
        "promql-delayed-name-removal" => settings.delayed_name_removal = true,
        "use-start-timestamps" => settings.start_timestamps = true,
        "promql-per-step-stats" => settings.per_step_stats = true,
        "type-and-unit-labels" => settings.type_labels = true,
        "promql-duration-expr" => {}
        other => return Err(UnknownFeature(other.to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_known_and_together_they_switch_all_on() {
        let mut settings = Settings::default();
        for (name, _) in FEATURES {
            enable_feature(&mut settings, name).expect("is known");
        }
        let expect = Settings {
            syntax: query::syntax::Options::all(),
            delayed_name_removal: true,
            start_timestamps: true,
            type_labels: true,
            per_step_stats: true,
            ..Settings::default()
        };
        assert_eq!(settings, expect);
        assert_eq!(enable_feature(&mut settings, "x"), Err(UnknownFeature("x".to_owned())));
    }
}
