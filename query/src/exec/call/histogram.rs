//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, over classic and over native histograms.

use std::collections::{BTreeMap, HashMap};

use model::{Histogram, Labels, Skew};

use super::classic_histogram::{self, Bucket, Repair};
use crate::exec::points::{Line, Points};
use crate::exec::scalar::Scalar;
use crate::exec::{Executor, Held, Result, Sink, names, order, remarks};
use crate::plan::Node;
use crate::syntax::ByteRange;

/// The label that holds the upper bound of a bucket.
const BOUND: &str = "le";

/// The series that describe the same thing.
struct Family {
    /// As the classic histogram is called.
    line: Line,
    /// The name before it was dropped.
    name: String,
    /// The bound, and the place among the held series; by bound.
    buckets: Vec<(f64, usize)>,
    /// Places of series with native histograms.
    natives: Vec<usize>,
}

/// As OpenMetrics writes numbers: whole ones end in `.0`.
fn with_point(value: f64) -> String {
    let text = model::float::shortest(value);
    if value.is_finite() && !text.contains(['.', 'e']) { text + ".0" } else { text }
}

/// What is asked of histograms; the numbers are given per time.
#[derive(Clone, Copy)]
pub(super) enum Question<'s> {
    Quantile(&'s Scalar),
    Fraction(&'s Scalar, &'s Scalar),
}

impl Executor<'_> {
    pub(super) fn histogram_quantile(
        &self,
        phi: &Node,
        operand: &Node,
        node: &Node,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let range = phi.range;
        let phi = self.scalar(phi)?;
        self.remark_on_phi(&phi, node.grid.count, range);
        let held = self.collect(operand)?;
        let lines = self.answer(Question::Quantile(&phi), &held, operand, node)?;
        names::merge_same(lines)?.into_iter().try_for_each(sink)
    }

    /// Several quantiles, told apart by a label.
    pub(super) fn histogram_quantiles(
        &self,
        arguments: &[Node],
        node: &Node,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let [operand, label, phis @ ..] = arguments else { return Ok(()) };
        let label = self.text(label)?;
        super::labels::check_name("destination", "histogram_quantiles", label)?;
        let held = self.collect(operand)?;
        let mut lines = Vec::new();
        for phi in phis {
            let range = phi.range;
            let phi = self.scalar(phi)?;
            self.remark_on_phi(&phi, node.grid.count, range);
            for line in self.answer(Question::Quantile(&phi), &held, operand, node)? {
                // φ may be another one at each time
                let mut split: BTreeMap<Labels, Points> = BTreeMap::new();
                for (index, value) in line.points.floats() {
                    let text = with_point(phi.at(index));
                    let labels = line.labels.to_builder().set(label, text).build();
                    split.entry(labels).or_default().push(index, value);
                }
                let named = |(labels, points)| Line { labels, drop_name: line.drop_name, points };
                lines.extend(split.into_iter().map(named));
            }
        }
        names::merge_same(lines)?.into_iter().try_for_each(sink)
    }

    pub(super) fn histogram_fraction(
        &self,
        lower: &Node,
        upper: &Node,
        operand: &Node,
        node: &Node,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let (lower, upper) = (self.scalar(lower)?, self.scalar(upper)?);
        let held = self.collect(operand)?;
        let lines = self.answer(Question::Fraction(&lower, &upper), &held, operand, node)?;
        names::merge_same(lines)?.into_iter().try_for_each(sink)
    }

    fn remark_on_phi(&self, phi: &Scalar, count: usize, range: ByteRange) {
        let outside = (0..count).map(|index| phi.at(index)).find(|phi| !(0.0..=1.0).contains(phi));
        if let Some(outside) = outside {
            self.notes.borrow_mut().warn(range, remarks::quantile_out_of_range(outside));
        }
    }

    fn answer(
        &self,
        question: Question<'_>,
        held: &Held<'_>,
        operand: &Node,
        node: &Node,
    ) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut repairs: BTreeMap<String, Repair> = BTreeMap::new();
        let mut buckets = Vec::new();
        for family in self.families(held, operand) {
            self.budget.check_time()?;
            let mut classic = Points::default();
            let mut natives = vec![Points::default(); family.natives.len()];
            for index in 0..node.grid.count {
                buckets.clear();
                buckets.extend(family.buckets.iter().filter_map(|&(bound, place)| {
                    held.lines[place].points.float(index).map(|count| Bucket { bound, count })
                }));
                let present = |place: &usize| held.lines[*place].points.histogram(index);
                if !buckets.is_empty() {
                    if family.natives.iter().any(|place| present(place).is_some()) {
                        let text = "vector contains a mix of classic and native histograms";
                        self.notes.borrow_mut().warn(operand.range, self.named(text, &family.name));
                        continue;
                    }
                    let value = match question {
                        Question::Quantile(phi) => {
                            let (value, repair) = classic_histogram::quantile(phi.at(index), &mut buckets);
                            if let Some(repair) = repair {
                                let repair = repair.at(node.grid.at(index));
                                let known = repairs.entry(family.name.clone()).or_insert(repair);
                                *known = known.and(repair);
                            }
                            value
                        }
                        Question::Fraction(lower, upper) => {
                            classic_histogram::fraction(lower.at(index), upper.at(index), &mut buckets)
                        }
                    };
                    classic.push(index, value);
                }
                for (place, points) in family.natives.iter().zip(&mut natives) {
                    if let Some(histogram) = present(place) {
                        points.push(index, self.ask(question, index, histogram, &family.name, operand.range));
                    }
                }
            }
            for (&place, points) in family.natives.iter().zip(natives) {
                let mut line = held.lines[place].clone_without_points();
                line.points = points;
                self.drop_name(&mut line);
                lines.push(line);
            }
            lines.push(Line { points: classic, ..family.line });
        }
        lines.retain(|line| !line.points.is_empty());
        for (name, repair) in repairs {
            let text = "input to histogram_quantile needed to be fixed for monotonicity (see \
                        https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
            self.notes.borrow_mut().info(operand.range, format!("{}{repair}", self.named(text, &name)));
        }
        Ok(lines)
    }

    fn ask(
        &self,
        question: Question<'_>,
        index: usize,
        histogram: &Histogram,
        name: &str,
        range: ByteRange,
    ) -> f64 {
        let (value, text) = match question {
            Question::Quantile(phi) => match histogram.quantile(phi.at(index)) {
                (value, Skew::None) => return value,
                (value, Skew::Higher) => {
                    (value, "input to histogram_quantile has NaN observations, result is skewed higher")
                }
                (value, Skew::Nan) => {
                    (value, "input to histogram_quantile has NaN observations, result is NaN")
                }
            },
            Question::Fraction(lower, upper) => {
                let value = histogram.fraction(lower.at(index), upper.at(index));
                if value.is_nan() || !histogram.has_nan_observations() {
                    return value;
                }
                let text =
                    "input to histogram_fraction has NaN observations, which are excluded from all fractions";
                (value, text)
            }
        };
        self.notes.borrow_mut().info(range, self.named(text, name));
        value
    }

    /// A remark about a series: its name is known only if names go away at the end.
    fn named(&self, text: &str, name: &str) -> String {
        let name = if self.settings.delayed_name_removal { name } else { "" };
        remarks::with_name(text, name)
    }

    fn families(&self, held: &Held<'_>, operand: &Node) -> Vec<Family> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut families: Vec<Family> = Vec::new();
        for (index, line) in held.lines.iter().enumerate() {
            let bound = line.labels.get(BOUND).and_then(|text| text.parse::<f64>().ok());
            let has_floats = line.points.floats().next().is_some();
            if has_floats && bound.is_none() {
                let bound = crate::syntax::quoted(line.labels.get(BOUND).unwrap_or(""));
                let text = format!("bucket label \"le\" is missing or has a malformed value of {bound}");
                self.notes.borrow_mut().warn(operand.range, self.named(&text, line.labels.metric_name()));
            }
            let is_bucket = has_floats && bound.is_some();
            if !is_bucket && !line.points.has_histograms() {
                continue;
            }
            let mut named = line.clone_without_points();
            let name = named.labels.metric_name().to_owned();
            named.labels = named.labels.to_builder().remove(BOUND).build();
            let next = families.len();
            // histograms of several names are several, also if they become the same then
            let place = *places.entry(named.labels.clone()).or_insert(next);
            if place == next {
                self.drop_name(&mut named);
                families.push(Family { line: named, name, buckets: Vec::new(), natives: Vec::new() });
            }
            if let (true, Some(bound)) = (is_bucket, bound) {
                families[place].buckets.push((bound, index));
            }
            if line.points.has_histograms() {
                families[place].natives.push(index);
            }
        }
        for family in &mut families {
            family.buckets.sort_by(|a, b| order::nan_last(a.0, b.0));
        }
        families
    }
}
