//! `info`: adds the labels of info series, such as `target_info`, to the series of the same job and instance.

use std::collections::{BTreeMap, HashMap};

use model::{Labels, LabelsBuilder, Matcher, Series};

use crate::exec::instant::tally_points;
use crate::exec::points::{Line, Points};
use crate::exec::{ExecError, Executor, Result, Sink, names};
use crate::plan::{Asked, InstantNode, Node, NodeKind};

/// The labels by which info series and others find each other.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// An info series: when its newest sample was taken, at each time where it has one.
struct Info<'s> {
    labels: &'s Labels,
    seen: Points,
}

/// What the second argument of `info` says.
struct Wanted<'p> {
    names: Vec<&'p Matcher>,
    data: Vec<&'p Matcher>,
}

impl<'p> Wanted<'p> {
    fn of(matchers: &'p [Matcher]) -> Self {
        let (names, data) = matchers.iter().partition(|matcher| &*matcher.name == Labels::NAME);
        Self { names, data }
    }

    /// Whether a series is itself one of those that give labels.
    fn is_info(&self, labels: &Labels) -> bool {
        self.names.iter().all(|matcher| matcher.matches(labels.metric_name()))
    }

    /// Whether a series without an info series stays.
    fn allows_none(&self) -> bool {
        self.data.iter().all(|matcher| matcher.matches(""))
    }

    /// Whether a label of an info series is taken over.
    fn takes(&self, name: &str) -> bool {
        name != Labels::NAME
            && !IDENTIFYING.contains(&name)
            && (self.data.is_empty() || self.data.iter().any(|matcher| &*matcher.name == name))
    }
}

impl Executor<'_> {
    pub(super) fn info(&self, operand: &Node, info: &Node, node: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let NodeKind::Instant(info) = &info.kind else {
            return Err(ExecError::Internal { what: "info takes a selector" });
        };
        let wanted = Wanted::of(&self.plan.selections[info.selection].matchers);
        let infos = self.info_series(info)?;
        let mut lines = Vec::new();
        let held = self.collect(operand)?;
        for line in &held.lines {
            if wanted.is_info(&line.labels) {
                lines.push(line.clone());
                continue;
            }
            let candidates = identity(&line.labels).and_then(|identity| infos.get(&identity));
            let none = Vec::new();
            let mut enriched: BTreeMap<Labels, Points> = BTreeMap::new();
            for index in 0..node.grid.count {
                let Some(value) = line.points.get(index) else { continue };
                let labels = enrich(&line.labels, candidates.unwrap_or(&none), index, &wanted)?;
                if let Some(labels) = labels {
                    enriched.entry(labels).or_default().push_value(index, value);
                }
            }
            let named = |(labels, points)| Line { labels, drop_name: line.drop_name, points };
            lines.extend(enriched.into_iter().map(named));
        }
        names::merge_same(lines)?.into_iter().try_for_each(sink)
    }

    /// The info series by what identifies them.
    fn info_series(&self, info: &InstantNode) -> Result<HashMap<Labels, Vec<Info<'_>>>> {
        let times = InstantNode { asked: Asked::Time, ..info.clone() };
        let mut infos: HashMap<Labels, Vec<Info<'_>>> = HashMap::new();
        for series in &self.data[info.selection] {
            if has_histograms(series) {
                return Err(ExecError::InfoNotFloat { name: series.labels.metric_name().to_owned() });
            }
            let Some(identity) = identity(&series.labels) else { continue };
            let mut seen = Points::default();
            self.look_up(series, &times, &mut seen)?;
            tally_points(&seen, &mut self.tally.borrow_mut());
            infos.entry(identity).or_default().push(Info { labels: &series.labels, seen });
        }
        Ok(infos)
    }
}

fn has_histograms(series: &Series) -> bool {
    series.samples.histograms.iter().chain(&series.steps.histograms).any(Option::is_some)
}

/// The identifying labels; `None` if there are none.
fn identity(labels: &Labels) -> Option<Labels> {
    let identity = labels.to_builder().retain(|name| IDENTIFYING.contains(&name)).build();
    (!identity.is_empty()).then_some(identity)
}

/// The labels of a series with those of its info series at one time; `None` if it has none but must.
fn enrich(base: &Labels, infos: &[Info<'_>], index: usize, wanted: &Wanted<'_>) -> Result<Option<Labels>> {
    // of each info metric, the series with the newest sample counts
    let mut newest: BTreeMap<&str, (f64, &Info<'_>)> = BTreeMap::new();
    for info in infos {
        let Some(seen) = info.seen.float(index) else { continue };
        match newest.get(info.labels.metric_name()) {
            Some((known, _)) if *known > seen => {}
            Some((known, other)) if *known >= seen => {
                return Err(ExecError::DuplicateInfo {
                    first: other.labels.to_string(),
                    second: info.labels.to_string(),
                });
            }
            _ => {
                newest.insert(info.labels.metric_name(), (seen, info));
            }
        }
    }
    if newest.is_empty() {
        return Ok(wanted.allows_none().then(|| base.clone()));
    }
    let mut added = LabelsBuilder::default();
    for (_, info) in newest.values() {
        for label in info.labels.iter().filter(|label| wanted.takes(&label.name)) {
            if base.get(&label.name).is_some() {
                continue;
            }
            let known = added.build();
            if known.get(&label.name).is_some_and(|value| value != &*label.value) {
                return Err(ExecError::ConflictingInfo { label: label.name.to_string() });
            }
            added.set(label.name.clone(), label.value.clone());
        }
    }
    let mut labels = base.to_builder();
    for label in &added.build() {
        labels.set(label.name.clone(), label.value.clone());
    }
    Ok(Some(labels.build()))
}
