//! `info`: labels of the info series of the same job and instance.

use std::collections::BTreeMap;

use model::{Labels, MatchOp, Matcher, Selection, Series};
use query::syntax::{Expr, ExprKind};

use super::{Element, Failed, Moment, Result, Vector};

const IDENTIFYING: [&str; 2] = ["instance", "job"];

impl Moment<'_> {
    pub(super) fn info(&self, arguments: &[Expr]) -> Result<Vector> {
        let mut matchers = match arguments.get(1).map(|argument| &argument.without_parens().kind) {
            None => Vec::new(),
            Some(ExprKind::Selector(selector)) => selector.matchers.clone(),
            Some(_) => return Err(Failed("info takes a selector".to_owned())),
        };
        if matchers.iter().all(|matcher| &*matcher.name != Labels::NAME) {
            let name = Matcher::new(Labels::NAME, MatchOp::Equal, "target_info");
            matchers.push(name.map_err(|error| Failed(error.to_string()))?);
        }
        // info series are looked for where the series themselves are
        let at_ms = match &arguments[0].without_parens().kind {
            ExprKind::Selector(selector) => self.shifted(&selector.shift)?,
            _ => self.at_ms,
        };
        let there = Moment { at_ms, ..*self };
        let mut result = Vec::new();
        for element in self.vector(&arguments[0])? {
            if let Some(labels) = there.enriched(element.labels.clone(), &matchers)? {
                result.push(Element { labels, ..element });
            }
        }
        self.distinct(result)
    }

    /// The labels with those of the info series; `None` if there must be one and is none.
    fn enriched(&self, labels: Labels, matchers: &[Matcher]) -> Result<Option<Labels>> {
        let (names, data): (Vec<&Matcher>, Vec<&Matcher>) =
            matchers.iter().partition(|matcher| &*matcher.name == Labels::NAME);
        if names.iter().all(|matcher| matcher.matches(labels.metric_name())) {
            return Ok(Some(labels));
        }
        // of each info metric the series with the newest sample
        let mut newest: BTreeMap<&str, (i64, &Series)> = BTreeMap::new();
        for series in self.infos_of(&labels, matchers) {
            let Some((at_ms, _)) = self.newest(series, self.at_ms) else { continue };
            match newest.get(series.labels.metric_name()) {
                Some((known_ms, _)) if *known_ms == at_ms => {
                    return Err(Failed("two info series".to_owned()));
                }
                Some((known_ms, _)) if *known_ms > at_ms => {}
                _ => {
                    newest.insert(series.labels.metric_name(), (at_ms, series));
                }
            }
        }
        if newest.is_empty() {
            return Ok(data.iter().all(|matcher| matcher.matches("")).then_some(labels));
        }
        let is_wanted = |name: &str| {
            let is_asked_for = data.is_empty() || data.iter().any(|matcher| &*matcher.name == name);
            name != Labels::NAME && !IDENTIFYING.contains(&name) && is_asked_for && labels.get(name).is_none()
        };
        let mut added: BTreeMap<&str, &str> = BTreeMap::new();
        for (_, series) in newest.values() {
            for label in series.labels.iter().filter(|label| is_wanted(&label.name)) {
                if added.insert(&label.name, &label.value).is_some_and(|other| other != &*label.value) {
                    return Err(Failed("info series that contradict each other".to_owned()));
                }
            }
        }
        let mut builder = labels.to_builder();
        added.into_iter().for_each(|(name, value)| {
            builder.set(name, value);
        });
        Ok(Some(builder.build()))
    }

    fn infos_of(&self, labels: &Labels, matchers: &[Matcher]) -> impl Iterator<Item = &Series> {
        let identity = |labels: &Labels| IDENTIFYING.map(|name| labels.get(name).unwrap_or("").to_owned());
        let own = identity(labels);
        let selection = Selection { matchers: matchers.to_vec(), start_ms: 0, end_ms: 0 };
        let has_any = own.iter().any(|value| !value.is_empty());
        let all = self.oracle.series.iter().filter(move |_| has_any);
        all.filter(move |series| selection.matches(&series.labels) && identity(&series.labels) == own)
    }
}
