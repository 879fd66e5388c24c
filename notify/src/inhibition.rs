//! Inhibition: alerts that fire keep others from being notified of.

use std::collections::HashMap;

use model::Labels;

use crate::config::InhibitRule;

/// The rules, with the sources that fire at one time.
#[derive(Clone, Debug)]
pub struct Inhibition<'a> {
    rules: Vec<Rule<'a>>,
}

#[derive(Clone, Debug)]
struct Rule<'a> {
    config: &'a InhibitRule,
    /// Alerts that fire and match the source side, by the labels that must be equal.
    sources: HashMap<Vec<&'a str>, Sources>,
}

/// What is known of the sources with the same values.
#[derive(Clone, Copy, Debug, Default)]
struct Sources {
    /// One of them.
    any: Option<u64>,
    /// One that does not match the target side.
    of_source_side_only: Option<u64>,
}

impl<'a> Inhibition<'a> {
    /// The rules over all alerts that fire, with what they are known by.
    pub fn new(rules: &'a [InhibitRule], firing: impl IntoIterator<Item = (u64, &'a Labels)>) -> Self {
        let mut all: Vec<Rule<'a>> =
            rules.iter().map(|config| Rule { config, sources: HashMap::new() }).collect();
        for (id, labels) in firing {
            for rule in &mut all {
                if rule.config.source.matches(labels) {
                    let sources = rule.sources.entry(equal_values(rule.config, labels)).or_default();
                    sources.any = sources.any.or(Some(id));
                    if !rule.config.target.matches(labels) {
                        sources.of_source_side_only = sources.of_source_side_only.or(Some(id));
                    }
                }
            }
        }
        Self { rules: all }
    }

    /// Whether an alert must not be notified of.
    pub fn mutes(&self, labels: &'a Labels) -> bool {
        self.inhibitor(labels).is_some()
    }

    /// The alert for which another one must not be notified of.
    ///
    /// An alert that matches both sides of a rule is kept only by one that matches the source side alone: it would else keep
    /// itself, or two would keep each other.
    pub fn inhibitor(&self, labels: &'a Labels) -> Option<u64> {
        self.rules.iter().filter(|rule| rule.config.target.matches(labels)).find_map(|rule| {
            let sources = rule.sources.get(&equal_values(rule.config, labels))?;
            if rule.config.source.matches(labels) { sources.of_source_side_only } else { sources.any }
        })
    }
}

/// The values that must be equal; a label that is not there is empty.
fn equal_values<'a>(rule: &InhibitRule, labels: &'a Labels) -> Vec<&'a str> {
    rule.equal.iter().map(|name| labels.get(name).unwrap_or("")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Which of some alerts, all of which fire, are kept from being notified of.
    fn muted(rule: &str, alerts: &[&[(&str, &str)]]) -> Vec<usize> {
        let text = format!("route: {{receiver: r}}\nreceivers: [{{name: r}}]\ninhibit_rules: [{rule}]\n");
        let config = Config::read(&text).expect("reads");
        let alerts: Vec<Labels> =
            alerts.iter().map(|pairs| Labels::from_pairs(pairs.iter().copied())).collect();
        let inhibition = Inhibition::new(&config.inhibit_rules, (0..).zip(&alerts));
        (0..alerts.len()).filter(|at| inhibition.mutes(&alerts[*at])).collect()
    }

    #[test]
    fn sources_keep_targets_with_equal_labels() {
        let rule = "{source_matchers: [s=1], target_matchers: [t=1], equal: [e]}";
        assert_eq!(muted(rule, &[&[("s", "1"), ("e", "1")], &[("t", "1"), ("e", "1")]]), [1]);
        assert_eq!(muted(rule, &[&[("s", "1"), ("e", "1")], &[("t", "1"), ("e", "2")]]), [0_usize; 0]);
        // a label that is not there is as good as an empty one
        assert_eq!(muted(rule, &[&[("s", "1")], &[("t", "1")]]), [1]);
        assert_eq!(muted(rule, &[&[("t", "1")]]), [0_usize; 0]);
    }

    #[test]
    fn an_alert_on_both_sides_does_not_keep_itself() {
        let rule = "{source_match: {s: '1'}, target_match_re: {t: '1|2'}, equal: [e]}";
        let both: &[(&str, &str)] = &[("s", "1"), ("t", "1")];
        assert_eq!(muted(rule, &[both]), [0_usize; 0]);
        assert_eq!(muted(rule, &[both, both]), [0_usize; 0]);
        assert_eq!(muted(rule, &[both, &[("s", "1")]]), [0]);
        assert_eq!(muted(rule, &[both, &[("t", "2")]]), [1]);
    }
}
