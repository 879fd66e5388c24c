//! Aggregations.

use std::collections::BTreeMap;

use model::{Labels, LabelsBuilder};
use query::syntax::{Aggregate, AggregateOp};

use super::native::{mean_of, sum_of};
use super::windows::{extreme, mean, quantile, variance};
use super::{Element, Failed, Moment, Native, Result, Sample, Vector, count};

impl Moment<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate) -> Result<Vector> {
        let operand = self.vector(&aggregate.operand)?;
        let mut groups: BTreeMap<Labels, Vector> = BTreeMap::new();
        for element in operand {
            groups.entry(group_of(aggregate, &element.labels)).or_default().push(element);
        }
        if aggregate.op == AggregateOp::CountValues {
            return self.count_values(aggregate, groups);
        }
        let parameter = match &aggregate.parameter {
            Some(parameter) => self.scalar(parameter)?,
            None => f64::NAN,
        };
        // also where there are no series
        if aggregate.op == AggregateOp::LimitRatio && parameter.is_nan() {
            return Err(Failed("Ratio value is NaN".to_owned()));
        }
        let mut result = Vec::new();
        for (labels, members) in groups {
            // a name that is to go from one of them goes from all
            let drops_name = members.iter().any(|member| member.drops_name);
            let values: Vec<f64> = members.iter().filter_map(Element::float).collect();
            let histograms: Vec<&Native> = members
                .iter()
                .filter_map(|member| match &member.value {
                    Sample::Histogram(histogram) => Some(histogram),
                    Sample::Float(_) => None,
                })
                .collect();
            let all = histograms.iter().copied();
            let added = match aggregate.op {
                _ if histograms.is_empty() => None,
                // histograms and numbers do not add up, nor do histograms of different kinds
                AggregateOp::Sum | AggregateOp::Avg if !values.is_empty() => continue,
                AggregateOp::Sum => Some(sum_of(all)),
                AggregateOp::Avg => Some(mean_of(all)),
                _ => None,
            };
            if let Some(added) = added {
                if let Ok(Some(histogram)) = added {
                    result.push(Element { labels, drops_name, value: Sample::Histogram(histogram) });
                }
                continue;
            }
            let counts_all = matches!(
                aggregate.op,
                AggregateOp::Group | AggregateOp::Count | AggregateOp::Limitk | AggregateOp::LimitRatio
            );
            if values.is_empty() && !counts_all {
                continue;
            }
            let value = match aggregate.op {
                AggregateOp::Sum => values.iter().sum(),
                AggregateOp::Avg => mean(&values),
                AggregateOp::Min => extreme(&values, |value, least| value < least),
                AggregateOp::Max => extreme(&values, |value, most| value > most),
                AggregateOp::Group => 1.0,
                AggregateOp::Count => count(members.len()),
                AggregateOp::Stdvar => variance(&values),
                AggregateOp::Stddev => variance(&values).sqrt(),
                AggregateOp::Quantile => quantile(parameter, &values),
                AggregateOp::Topk => {
                    result.extend(best(members, parameter, |a, b| a > b)?);
                    continue;
                }
                AggregateOp::Limitk => {
                    if parameter.is_nan() {
                        return Err(Failed("Parameter value is NaN".to_owned()));
                    }
                    let places = (1..).map(f64::from).take_while(|place| *place <= parameter);
                    result.extend(members.into_iter().zip(places).map(|(member, _)| member));
                    continue;
                }
                AggregateOp::LimitRatio => {
                    result
                        .extend(members.into_iter().filter(|member| is_in_share(&member.labels, parameter)));
                    continue;
                }
                AggregateOp::Bottomk => {
                    result.extend(best(members, parameter, |a, b| a < b)?);
                    continue;
                }
                other => return Err(Failed(format!("no such aggregation: {other:?}"))),
            };
            result.push(Element { labels, drops_name, value: Sample::Float(value) });
        }
        Ok(result)
    }

    fn count_values(&self, aggregate: &Aggregate, groups: BTreeMap<Labels, Vector>) -> Result<Vector> {
        let parameter = aggregate.parameter.as_ref().ok_or_else(|| Failed("no label".to_owned()))?;
        let label = self.text(parameter)?;
        let mut counts: BTreeMap<Labels, f64> = BTreeMap::new();
        for (group, members) in groups {
            for value in members.iter().filter_map(Element::float) {
                let labels = group.to_builder().set(label.as_str(), decimal(value)).build();
                *counts.entry(labels).or_default() += 1.0;
            }
        }
        let element = |(labels, count)| Element { labels, drops_name: false, value: Sample::Float(count) };
        Ok(counts.into_iter().map(element).collect())
    }
}

/// Whether a series is in a share of all of them, or, of a negative share, in what another share leaves.
fn is_in_share(labels: &Labels, share: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    let place = labels.prometheus_hash() as f64 / 2.0_f64.powi(64);
    if share < 0.0 { place >= 1.0 + share } else { place < share }
}

/// Without an exponent, however large.
fn decimal(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => value.to_string(),
    }
}

fn group_of(aggregate: &Aggregate, labels: &Labels) -> Labels {
    let named = |name: &str| aggregate.labels.iter().any(|label| **label == *name);
    let mut builder: LabelsBuilder = labels.to_builder();
    match aggregate.without {
        true => builder.retain(|name| name != Labels::NAME && !named(name)),
        false => builder.retain(named),
    };
    builder.build()
}

/// The so many best numbers among the members; NaN is worse than all others.
fn best(mut members: Vector, wanted: f64, better: fn(f64, f64) -> bool) -> Result<Vector> {
    if wanted.is_nan() {
        return Err(Failed("Parameter value is NaN".to_owned()));
    }
    let order = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (false, false) if better(a, b) => std::cmp::Ordering::Less,
        (false, false) if better(b, a) => std::cmp::Ordering::Greater,
        (a_nan, b_nan) => a_nan.cmp(&b_nan),
    };
    members.retain(|member| member.float().is_some());
    let value = |member: &Element| member.float().unwrap_or(f64::NAN);
    members.sort_by(|a, b| order(value(a), value(b)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
    members.truncate(wanted.max(0.0) as usize);
    Ok(members)
}
