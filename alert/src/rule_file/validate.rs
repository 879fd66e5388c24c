//! What the fields of a rule file must satisfy, and the rules that come of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Labels;

use super::decode::{RawFile, RawGroup, RawRule};
use super::error::{Mistake, Place, RuleMistake};
use super::{NameScheme, RuleFileOptions};
use crate::ports::InstantQuery;
use crate::rules::{Group, Rule, RuleKind};
use crate::template::{RuleTemplate, TemplateSyntaxError};

/// Checks every group and rule of a file, and reports all mistakes at once.
pub(super) fn groups(
    path: &str,
    raw: RawFile,
    check: &dyn InstantQuery,
    options: &RuleFileOptions,
) -> (Vec<Group>, Vec<Mistake>) {
    let mut names = BTreeSet::new();
    let mut groups = Vec::with_capacity(raw.groups.len());
    let mut mistakes = Vec::new();
    for group in raw.groups {
        group_mistakes(&group, &mut names, options, &mut mistakes);
        let rules = group.rules.iter().enumerate().filter_map(|(index, rule)| {
            rule_of(&group, rule, check, options)
                .map_err(|found| {
                    mistakes.extend(found.into_iter().map(|(place, mistake)| Mistake::Rule {
                        place,
                        group: group.name.clone(),
                        rule: index + 1,
                        name:
                            if rule.alert.text.is_empty() { &rule.record } else { &rule.alert }.text.clone(),
                        mistake,
                    }));
                })
                .ok()
        });
        let rules = rules.collect();
        groups.push(Group {
            file: Arc::from(path),
            name: Arc::from(group.name),
            interval_ms: (group.interval_ms > 0).then_some(group.interval_ms),
            query_offset_ms: group.query_offset_ms,
            // As in Prometheus, a limit below zero is none.
            limit: usize::try_from(group.limit).unwrap_or(0),
            rules,
        });
    }
    (groups, mistakes)
}

fn group_mistakes(
    group: &RawGroup,
    names: &mut BTreeSet<String>,
    options: &RuleFileOptions,
    mistakes: &mut Vec<Mistake>,
) {
    let (line, column) = (group.position.line, group.position.column);
    if group.name.is_empty() {
        mistakes.push(Mistake::GroupNameEmpty { line, column });
    }
    if !names.insert(group.name.clone()) {
        mistakes.push(Mistake::GroupNameRepeated { line, column, name: group.name.clone() });
    }
    mistakes.extend(label_mistakes(&group.labels, options).map(Mistake::GroupLabel));
}

type Found = Vec<(Place, RuleMistake)>;

fn rule_of(
    group: &RawGroup,
    raw: &RawRule,
    check: &dyn InstantQuery,
    options: &RuleFileOptions,
) -> Result<Rule, Found> {
    let mut found = kind_mistakes(raw);
    let expr = expression(raw, check, &mut found);
    found.extend(recording_mistakes(raw, options));
    let anywhere = |mistake| (Place::default(), mistake);
    found.extend(label_mistakes(&raw.labels, options).map(anywhere));
    found.extend(annotation_mistakes(&raw.annotations, options).map(anywhere));
    let (labels, annotations) = templates(raw, &mut found);
    if !found.is_empty() {
        return Err(found);
    }
    let mut merged = group.labels.clone();
    merged.extend(raw.labels.clone());
    let merged: Vec<(Arc<str>, Arc<str>)> =
        merged.into_iter().map(|(name, value)| (Arc::from(name), Arc::from(value))).collect();
    let all_labels = Labels::from_pairs(merged.iter().cloned());
    let kind = if raw.alert.text.is_empty() {
        RuleKind::Recording { labels: merged }
    } else {
        RuleKind::Alerting {
            for_ms: raw.for_ms,
            keep_firing_for_ms: raw.keep_firing_for_ms,
            label_templates: group_templates(group, raw, labels),
            annotations,
        }
    };
    let name = if raw.alert.text.is_empty() { &raw.record } else { &raw.alert };
    Ok(Rule { name: Arc::from(name.text.as_str()), expr, labels: all_labels, kind })
}

fn kind_mistakes(raw: &RawRule) -> Found {
    let both = || Place::of([raw.record.position, raw.alert.position]);
    match (raw.record.text.is_empty(), raw.alert.text.is_empty()) {
        (false, false) => vec![(both(), RuleMistake::RecordAndAlert)],
        (true, true) => vec![(both(), RuleMistake::NeitherRecordNorAlert)],
        _ => Vec::new(),
    }
}

fn expression(raw: &RawRule, check: &dyn InstantQuery, found: &mut Found) -> Arc<str> {
    let place = Place::of([raw.expr.position]);
    if raw.expr.text.is_empty() {
        found.push((place, RuleMistake::NoExpr));
        return Arc::from("");
    }
    match check.check(&raw.expr.text) {
        Ok(normalised) => Arc::from(normalised),
        Err(reason) => {
            found.push((place, RuleMistake::Expr { reason }));
            Arc::from("")
        }
    }
}

fn recording_mistakes(raw: &RawRule, options: &RuleFileOptions) -> Found {
    let name = &raw.record.text;
    if name.is_empty() {
        return Vec::new();
    }
    let legacy = options.names == NameScheme::Legacy && !model::name::is_legacy_metric_name(name);
    let checks = [
        (!raw.annotations.is_empty(), RuleMistake::FieldInRecordingRule { field: "annotations" }),
        (raw.for_ms != 0, RuleMistake::FieldInRecordingRule { field: "for" }),
        (raw.keep_firing_for_ms != 0, RuleMistake::FieldInRecordingRule { field: "keep_firing_for" }),
        (legacy, RuleMistake::RecordName { name: name.clone() }),
        (name.contains(['{', '}']), RuleMistake::RecordBraces { name: name.clone() }),
    ];
    let place = || Place::of([raw.record.position]);
    checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, mistake)| (place(), mistake)).collect()
}

fn label_mistakes(
    labels: &BTreeMap<String, String>,
    options: &RuleFileOptions,
) -> impl Iterator<Item = RuleMistake> {
    labels
        .keys()
        .filter(|name| !options.names.allows(name) || *name == Labels::NAME)
        .map(|name| RuleMistake::LabelName { name: name.clone() })
}

fn annotation_mistakes(
    annotations: &BTreeMap<String, String>,
    options: &RuleFileOptions,
) -> impl Iterator<Item = RuleMistake> {
    annotations
        .keys()
        .filter(|name| !options.names.allows(name))
        .map(|name| RuleMistake::AnnotationName { name: name.clone() })
}

type Templates = Vec<(Arc<str>, RuleTemplate)>;

fn templates(raw: &RawRule, found: &mut Found) -> (Templates, Templates) {
    if raw.alert.text.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let alert = &raw.alert.text;
    let labels =
        parse_all(alert, &raw.labels, found, |name, error| RuleMistake::LabelTemplate { name, error });
    let annotations = parse_all(alert, &raw.annotations, found, |name, error| {
        RuleMistake::AnnotationTemplate { name, error }
    });
    (labels, annotations)
}

fn parse_all(
    alert: &str,
    texts: &BTreeMap<String, String>,
    found: &mut Found,
    mistake: impl Fn(String, TemplateSyntaxError) -> RuleMistake,
) -> Templates {
    let mut templates = Vec::with_capacity(texts.len());
    for (name, text) in texts {
        match RuleTemplate::parse(alert, text) {
            Ok(template) => templates.push((Arc::from(name.as_str()), template)),
            Err(error) => found.push((Place::default(), mistake(name.clone(), error))),
        }
    }
    templates
}

/// The rule's own labels and those of its group that it does not set. Labels of groups are templates too, which
/// Prometheus does not check when it loads them: one that does not parse expands to its error.
fn group_templates(group: &RawGroup, raw: &RawRule, own: Templates) -> Templates {
    let inherited = group.labels.iter().filter(|(name, _)| !raw.labels.contains_key(*name));
    let mut all: Templates = inherited
        .map(|(name, text)| (Arc::from(name.as_str()), RuleTemplate::parse_late(&raw.alert.text, text)))
        .chain(own)
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}
