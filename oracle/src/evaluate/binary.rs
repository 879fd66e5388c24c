//! Operations with two operands.

use std::collections::{BTreeMap, BTreeSet};

use model::Labels;
use query::syntax::{Binary, BinaryOp, Matching, Side};

use super::{Failed, Moment, Result, Value, Vector, distinct};

impl Moment<'_> {
    pub(super) fn binary(&self, binary: &Binary) -> Result<Value> {
        let (op, left, right) = (binary.op, self.eval(&binary.left)?, self.eval(&binary.right)?);
        let drops_name = !op.is_comparison() || binary.return_bool;
        let result = match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let value = operate(op, left, right);
                return Ok(Value::Scalar(value.number(binary.return_bool).unwrap_or(f64::NAN)));
            }
            (Value::Vector(left), Value::Scalar(right)) => {
                each(left, drops_name, |left| operate(op, left, right).kept(left, binary.return_bool))
            }
            (Value::Scalar(left), Value::Vector(right)) => {
                each(right, drops_name, |right| operate(op, left, right).kept(right, binary.return_bool))
            }
            (Value::Vector(left), Value::Vector(right)) if op.is_set() => Ok(sets(binary, left, right)),
            (Value::Vector(left), Value::Vector(right)) => join(binary, left, right, drops_name),
            _ => Err(Failed("an operation with a text".to_owned())),
        };
        result.map(Value::Vector)
    }
}

/// What an operator says about two numbers.
enum Answer {
    Number(f64),
    Holds(bool),
}

impl Answer {
    /// The value of the result; a comparison without `bool` filters the value given.
    fn kept(self, compared: f64, return_bool: bool) -> Option<f64> {
        match self {
            Self::Holds(holds) if !return_bool => holds.then_some(compared),
            answer => answer.number(true),
        }
    }

    fn number(self, return_bool: bool) -> Option<f64> {
        match self {
            Self::Number(value) => Some(value),
            Self::Holds(holds) => return_bool.then_some(f64::from(u8::from(holds))),
        }
    }
}

#[expect(clippy::float_cmp, reason = "that is what the operators mean")]
fn operate(op: BinaryOp, left: f64, right: f64) -> Answer {
    match op {
        BinaryOp::Add => Answer::Number(left + right),
        BinaryOp::Sub => Answer::Number(left - right),
        BinaryOp::Mul => Answer::Number(left * right),
        BinaryOp::Div => Answer::Number(left / right),
        BinaryOp::Mod => Answer::Number(left % right),
        BinaryOp::Pow => Answer::Number(left.powf(right)),
        BinaryOp::Atan2 => Answer::Number(left.atan2(right)),
        BinaryOp::Equal => Answer::Holds(left == right),
        BinaryOp::NotEqual => Answer::Holds(left != right),
        BinaryOp::Greater => Answer::Holds(left > right),
        BinaryOp::Less => Answer::Holds(left < right),
        BinaryOp::GreaterEqual => Answer::Holds(left >= right),
        BinaryOp::LessEqual => Answer::Holds(left <= right),
        _ => Answer::Number(f64::NAN),
    }
}

fn each(vector: Vector, drops_name: bool, mut of: impl FnMut(f64) -> Option<f64>) -> Result<Vector> {
    let rows = vector.into_iter().filter_map(|(labels, value)| {
        Some((if drops_name { labels.without_metric_name() } else { labels }, of(value)?))
    });
    distinct(rows.collect())
}

/// The labels by which series of the two sides find each other.
fn signature(matching: &Matching, labels: &Labels) -> Labels {
    let named = |name: &str, names: &[std::sync::Arc<str>]| names.iter().any(|one| **one == *name);
    let mut builder = labels.to_builder();
    match &matching.labels {
        Some(labels) if labels.on => builder.retain(|name| named(name, &labels.names)),
        Some(labels) => builder.retain(|name| name != Labels::NAME && !named(name, &labels.names)),
        None => builder.retain(|name| name != Labels::NAME),
    };
    builder.build()
}

fn sets(binary: &Binary, left: Vector, right: Vector) -> Vector {
    let of = |vector: &Vector| -> BTreeSet<Labels> {
        vector.iter().map(|(labels, _)| signature(&binary.matching, labels)).collect()
    };
    let (in_left, in_right) = (of(&left), of(&right));
    let is_in = |set: &BTreeSet<Labels>, labels: &Labels| set.contains(&signature(&binary.matching, labels));
    match binary.op {
        BinaryOp::And => left.into_iter().filter(|(labels, _)| is_in(&in_right, labels)).collect(),
        BinaryOp::Unless => left.into_iter().filter(|(labels, _)| !is_in(&in_right, labels)).collect(),
        _ => {
            let more = right.into_iter().filter(|(labels, _)| !is_in(&in_left, labels));
            left.into_iter().chain(more).collect()
        }
    }
}

/// What stands in for partners that are missing on a side: a value with the labels by which it would be found.
fn fill(matching: &Matching, side: &Vector, other: &Vector, value: Option<f64>) -> Vector {
    let of = |vector: &Vector| -> BTreeSet<Labels> {
        vector.iter().map(|(labels, _)| signature(matching, labels)).collect()
    };
    let Some(value) = value else { return Vec::new() };
    of(other).difference(&of(side)).map(|labels| (labels.clone(), value)).collect()
}

fn join(binary: &Binary, mut left: Vector, mut right: Vector, drops_name: bool) -> Result<Vector> {
    let missing_left = fill(&binary.matching, &left, &right, binary.matching.fill_left);
    let missing_right = fill(&binary.matching, &right, &left, binary.matching.fill_right);
    left.extend(missing_left);
    right.extend(missing_right);
    if left.is_empty() || right.is_empty() {
        return Ok(Vec::new());
    }
    let matching = &binary.matching;
    let swapped = matching.group.as_ref().is_some_and(|group| group.many == Side::Right);
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let mut partners: BTreeMap<Labels, (Labels, f64)> = BTreeMap::new();
    for (labels, value) in one {
        if partners.insert(signature(matching, &labels), (labels, value)).is_some() {
            return Err(Failed("found duplicate series for the match group".to_owned()));
        }
    }
    let (mut result, mut used) = (Vec::new(), BTreeSet::new());
    for (labels, value) in many {
        let signature = signature(matching, &labels);
        let Some((partner, other)) = partners.get(&signature) else { continue };
        let (a, b) = if swapped { (*other, value) } else { (value, *other) };
        let labels = labels_of_result(matching, &labels, partner, drops_name);
        // also where the comparison leaves nothing
        let key = if matching.group.is_some() { labels.clone() } else { signature };
        if !used.insert(key) {
            return Err(Failed("multiple matches for labels".to_owned()));
        }
        let Some(value) = operate(binary.op, a, b).kept(a, binary.return_bool) else { continue };
        result.push((labels, value));
    }
    distinct(result)
}

fn labels_of_result(matching: &Matching, labels: &Labels, partner: &Labels, drops_name: bool) -> Labels {
    let mut builder = labels.to_builder();
    if drops_name {
        builder.remove(Labels::NAME);
    }
    match (&matching.group, &matching.labels) {
        (None, Some(by)) => {
            builder.retain(|name| by.names.iter().any(|one| **one == *name) == by.on);
        }
        (None, None) => {}
        (Some(group), _) => {
            for name in &group.include {
                // an empty value takes the label away
                builder.set(name.clone(), partner.get(name).unwrap_or(""));
            }
        }
    }
    builder.build()
}
