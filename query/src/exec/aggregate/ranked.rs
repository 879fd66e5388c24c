//! Aggregations that compare the series of a group: `topk`, `quantile`, `count_values`, `limitk`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use model::{Labels, Value};

use super::Groups;
use crate::exec::points::{Line, Points};
use crate::exec::remarks;
use crate::exec::scalar::HeldScalar;
use crate::exec::{ExecError, Executor, Held, Result, Sink, order};
use crate::plan::{AggregateNode, Node};
use crate::syntax::{AggregateOp, ByteRange, has_raw_bytes};

/// The series of a group, by their place among all series.
struct Group {
    labels: Labels,
    drop_name: bool,
    members: Vec<usize>,
}

impl<'a> Executor<'a> {
    fn grouped(&self, node: &AggregateNode) -> Result<(Held<'a>, Vec<Group>)> {
        let held = self.collect(&node.operand)?;
        let mut groups = Groups::of(node);
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (index, line) in held.lines.iter().enumerate() {
            let place = groups.place(line);
            match members.get_mut(place) {
                Some(members) => members.push(index),
                None => members.push(vec![index]),
            }
        }
        let groups = groups.labels.into_iter().zip(members);
        let groups =
            groups.map(|((labels, drop_name), members)| Group { labels, drop_name, members }).collect();
        Ok((held, groups))
    }

    fn parameter(&self, node: &AggregateNode) -> Result<HeldScalar<'a>> {
        match &node.parameter {
            Some(parameter) => self.scalar(parameter),
            None => Err(ExecError::Internal { what: "an aggregation lacks its parameter" }),
        }
    }

    pub(super) fn quantiles(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let phi = self.parameter(node)?;
        let outside = (0..outer.grid.count).map(|index| phi.at(index)).find(|phi| !(0.0..=1.0).contains(phi));
        if let (Some(phi), Some(parameter)) = (outside, &node.parameter) {
            let text = remarks::quantile_out_of_range(phi);
            self.notes.borrow_mut().warn(parameter.range, text);
        }
        let (held, groups) = self.grouped(node)?;
        let mut values = Vec::new();
        for group in groups {
            self.budget.check_time()?;
            let points = Points::of_floats(outer.grid.count, |index| {
                values.clear();
                values.extend(
                    group.members.iter().filter_map(|&member| held.lines[member].points.float(index)),
                );
                (!values.is_empty()).then(|| order::quantile(phi.at(index), &mut values))
            });
            self.remark_on_histograms(&held, &group, node.op, node.operand_range);
            sink(Line { labels: group.labels, drop_name: group.drop_name, points })?;
        }
        Ok(())
    }

    pub(super) fn count_values(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let label = match &node.parameter {
            Some(parameter) => self.text(parameter)?,
            None => return Err(ExecError::Internal { what: "an aggregation lacks its parameter" }),
        };
        if label.is_empty() || has_raw_bytes(label) {
            return Err(ExecError::BadValueLabel { name: label.to_owned() });
        }
        let (held, groups) = self.grouped(node)?;
        // the label may hide what told groups apart: then they are counted together
        let mut counts: BTreeMap<Labels, (bool, Vec<f64>)> = BTreeMap::new();
        for group in groups {
            for &member in &group.members {
                self.budget.check_time()?;
                let points = &held.lines[member].points;
                for index in points.places() {
                    let text = match points.get(index) {
                        None => continue,
                        Some(Value::Histogram(histogram)) => histogram.to_string(),
                        Some(Value::Float(value)) if value.is_finite() => value.to_string(),
                        Some(Value::Float(value)) => model::float::api(value),
                    };
                    let labels = group.labels.to_builder().set(label, text).build();
                    let none = || (group.drop_name, vec![0.0; outer.grid.count]);
                    counts.entry(labels).or_insert_with(none).1[index] += 1.0;
                }
            }
        }
        for (labels, (drop_name, counts)) in counts {
            let points =
                Points::of_floats(counts.len(), |index| (counts[index] > 0.0).then_some(counts[index]));
            sink(Line { labels, drop_name, points })?;
        }
        Ok(())
    }

    pub(super) fn topk(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let limits = self.limits(node, outer.grid.count)?;
        let (held, groups) = self.grouped(node)?;
        let best = if node.op == AggregateOp::Topk { best_is_most } else { best_is_least };
        let mut kept: Vec<Points> = vec![Points::default(); held.lines.len()];
        let mut last_order = Vec::new();
        let mut ranking: Vec<(f64, usize)> = Vec::new();
        for group in &groups {
            self.remark_on_histograms(&held, group, node.op, outer.range);
            for (index, &limit) in limits.iter().enumerate() {
                self.budget.check_time()?;
                ranking.clear();
                let values = group.members.iter().filter_map(|&member| {
                    held.lines[member].points.float(index).map(|value| (value, member))
                });
                ranking.extend(values);
                keep_best(&mut ranking, limit, best);
                for &(value, member) in &ranking {
                    kept[member].push(index, value);
                    if self.settings.instant {
                        last_order.push(member);
                    }
                }
            }
        }
        // the answer to an instant query is sorted by value
        let order = if self.settings.instant && outer.grid.count == 1 {
            last_order
        } else {
            (0..kept.len()).collect()
        };
        for member in order {
            let line = &held.lines[member];
            let points = std::mem::take(&mut kept[member]);
            sink(Line { labels: line.labels.clone(), drop_name: line.drop_name, points })?;
        }
        Ok(())
    }

    /// How many series may stay at each time.
    fn limits(&self, node: &AggregateNode, count: usize) -> Result<Vec<usize>> {
        let parameter = self.parameter(node)?;
        (0..count)
            .map(|index| {
                let value = parameter.at(index);
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked"
                )]
                if value.is_nan() {
                    Err(ExecError::ParameterNan)
                } else if value >= i64::MAX as f64 || value <= i64::MIN as f64 {
                    Err(ExecError::ParameterOverflow { value: model::float::shortest(value) })
                } else {
                    Ok(value.max(0.0) as usize)
                }
            })
            .collect()
    }

    pub(super) fn limitk(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let limits = self.limits(node, outer.grid.count)?;
        let (held, groups) = self.grouped(node)?;
        let mut kept: Vec<Vec<bool>> = vec![Vec::new(); held.lines.len()];
        for group in &groups {
            let mut used = vec![0; outer.grid.count];
            for &member in &group.members {
                self.budget.check_time()?;
                let points = &held.lines[member].points;
                let stays = |(index, used): (usize, &mut usize)| {
                    let stays = points.has(index) && *used < limits[index];
                    *used += usize::from(stays);
                    stays
                };
                kept[member] = used.iter_mut().enumerate().map(stays).collect();
            }
        }
        for (line, kept) in held.lines.iter().zip(kept) {
            let mut line = line.clone();
            line.points.retain(|index| kept[index]);
            sink(line)?;
        }
        Ok(())
    }

    pub(super) fn limit_ratio(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let ratio = self.parameter(node)?;
        let mut ratios = Vec::with_capacity(outer.grid.count);
        for index in 0..outer.grid.count {
            let ratio = ratio.at(index);
            if ratio.is_nan() {
                return Err(ExecError::RatioNan);
            }
            let capped = ratio.clamp(-1.0, 1.0);
            if let (true, Some(parameter)) = (ratio.abs() > 1.0, &node.parameter) {
                let (got, capped) = (model::float::shortest(ratio), model::float::shortest(capped));
                let text = format!("ratio value should be between -1 and 1, got {got}, capping to {capped}");
                self.notes.borrow_mut().warn(parameter.range, text);
            }
            ratios.push(capped);
        }
        self.each_line(&node.operand, &mut |mut line| {
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
            let place = line.labels.prometheus_hash() as f64 / u64::MAX as f64;
            line.points.retain(|index| {
                let ratio = ratios[index];
                if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio }
            });
            sink(line)
        })
    }

    fn remark_on_histograms(&self, held: &Held<'_>, group: &Group, op: AggregateOp, range: ByteRange) {
        if group.members.iter().any(|&member| held.lines[member].points.has_histograms()) {
            self.remark_on_ignored(op, range);
        }
    }
}

/// Leaves the best values, the best first; of equal ones, the one that came first.
fn keep_best(ranking: &mut Vec<(f64, usize)>, limit: usize, best: fn(f64, f64) -> Ordering) {
    let order = |a: &(f64, usize), b: &(f64, usize)| best(a.0, b.0).then(a.1.cmp(&b.1));
    if limit == 0 {
        return ranking.clear();
    }
    if limit < ranking.len() {
        ranking.select_nth_unstable_by(limit - 1, order);
        ranking.truncate(limit);
    }
    ranking.sort_unstable_by(order);
}

fn best_is_most(a: f64, b: f64) -> Ordering {
    order::nan_last(-a, -b)
}

fn best_is_least(a: f64, b: f64) -> Ordering {
    order::nan_last(a, b)
}
