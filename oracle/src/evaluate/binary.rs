//! Operations with two operands.

use std::collections::{BTreeMap, BTreeSet};

use model::Labels;
use query::syntax::{Binary, BinaryOp, Matching, Side};

use super::native::Cut;
use super::{Element, Failed, Moment, Result, Sample, Value, Vector};

impl Moment<'_> {
    pub(super) fn binary(&self, binary: &Binary) -> Result<Value> {
        let (op, left, right) = (binary.op, self.eval(&binary.left)?, self.eval(&binary.right)?);
        let drops_name = !(op.is_comparison() || op.is_trim()) || binary.return_bool;
        let result = match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let answer = operate(op, &Sample::Float(left), &Sample::Float(right));
                let value = answer.value(binary.return_bool);
                return Ok(Value::Scalar(value.and_then(|value| value.float()).unwrap_or(f64::NAN)));
            }
            (Value::Vector(left), Value::Scalar(right)) => self.each_of(left, drops_name, |left| {
                operate(op, left, &Sample::Float(right)).kept(left, binary.return_bool)
            }),
            (Value::Scalar(left), Value::Vector(right)) => self.each_of(right, drops_name, |right| {
                operate(op, &Sample::Float(left), right).kept(right, binary.return_bool)
            }),
            (Value::Vector(left), Value::Vector(right)) if op.is_set() => Ok(sets(binary, left, right)),
            (Value::Vector(left), Value::Vector(right)) => self.join(binary, left, right, drops_name),
            _ => Err(Failed("an operation with a text".to_owned())),
        };
        result.map(Value::Vector)
    }

    fn each_of(
        &self,
        vector: Vector,
        drops_name: bool,
        of: impl Fn(&Sample) -> Option<Sample>,
    ) -> Result<Vector> {
        let elements = vector.into_iter().filter_map(|element| {
            let value = of(&element.value)?;
            Some(if drops_name { self.renamed(element, value) } else { Element { value, ..element } })
        });
        self.distinct(elements.collect())
    }
}

/// What an operator says about two values.
enum Answer {
    Value(Sample),
    Holds(bool),
    /// They are of kinds that it does not know.
    Nothing,
}

impl Answer {
    /// The value of the result; a comparison without `bool` filters the value given.
    fn kept(self, compared: &Sample, return_bool: bool) -> Option<Sample> {
        match self {
            Self::Holds(holds) if !return_bool => holds.then(|| compared.clone()),
            answer => answer.value(return_bool),
        }
    }

    fn value(self, return_bool: bool) -> Option<Sample> {
        match self {
            Self::Value(value) => Some(value),
            Self::Holds(holds) => return_bool.then_some(Sample::Float(f64::from(u8::from(holds)))),
            Self::Nothing => None,
        }
    }
}

fn operate(op: BinaryOp, left: &Sample, right: &Sample) -> Answer {
    let added = |sum: std::result::Result<_, _>| {
        sum.map_or(Answer::Nothing, |sum| Answer::Value(Sample::Histogram(sum)))
    };
    match (left, right) {
        (Sample::Float(left), Sample::Float(right)) => of_numbers(op, *left, *right),
        (Sample::Float(number), Sample::Histogram(histogram)) if op == BinaryOp::Mul => {
            Answer::Value(Sample::Histogram(histogram.clone().times(*number)))
        }
        (Sample::Histogram(histogram), Sample::Float(number)) => {
            let histogram = match op {
                BinaryOp::Mul => histogram.clone().times(*number),
                BinaryOp::Div => histogram.clone().divided(*number),
                BinaryOp::TrimUpper => histogram.trimmed(Cut::Above, *number),
                BinaryOp::TrimLower => histogram.trimmed(Cut::Below, *number),
                _ => return Answer::Nothing,
            };
            Answer::Value(Sample::Histogram(histogram))
        }
        (Sample::Histogram(left), Sample::Histogram(right)) => match op {
            BinaryOp::Add => added(left.plus(right)),
            BinaryOp::Sub => added(left.minus(right)),
            BinaryOp::Equal => Answer::Holds(left.same(right)),
            BinaryOp::NotEqual => Answer::Holds(!left.same(right)),
            _ => Answer::Nothing,
        },
        _ => Answer::Nothing,
    }
}

#[expect(clippy::float_cmp, reason = "that is what the operators mean")]
fn of_numbers(op: BinaryOp, left: f64, right: f64) -> Answer {
    let number = |value| Answer::Value(Sample::Float(value));
    match op {
        BinaryOp::Add => number(left + right),
        BinaryOp::Sub => number(left - right),
        BinaryOp::Mul => number(left * right),
        BinaryOp::Div => number(left / right),
        BinaryOp::Mod => number(left % right),
        BinaryOp::Pow => number(left.powf(right)),
        BinaryOp::Atan2 => number(left.atan2(right)),
        BinaryOp::Equal => Answer::Holds(left == right),
        BinaryOp::NotEqual => Answer::Holds(left != right),
        BinaryOp::Greater => Answer::Holds(left > right),
        BinaryOp::Less => Answer::Holds(left < right),
        BinaryOp::GreaterEqual => Answer::Holds(left >= right),
        BinaryOp::LessEqual => Answer::Holds(left <= right),
        _ => Answer::Nothing,
    }
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
        vector.iter().map(|element| signature(&binary.matching, &element.labels)).collect()
    };
    let (in_left, in_right) = (of(&left), of(&right));
    let is_in = |set: &BTreeSet<Labels>, element: &Element| {
        set.contains(&signature(&binary.matching, &element.labels))
    };
    match binary.op {
        BinaryOp::And => left.into_iter().filter(|element| is_in(&in_right, element)).collect(),
        BinaryOp::Unless => left.into_iter().filter(|element| !is_in(&in_right, element)).collect(),
        _ => {
            let more = right.into_iter().filter(|element| !is_in(&in_left, element));
            left.into_iter().chain(more).collect()
        }
    }
}

/// What stands in for partners that are missing on a side: a value with the labels by which it would be found.
fn fill(matching: &Matching, side: &Vector, other: &Vector, value: Option<f64>) -> Vector {
    let of = |vector: &Vector| -> BTreeSet<Labels> {
        vector.iter().map(|element| signature(matching, &element.labels)).collect()
    };
    let Some(value) = value else { return Vec::new() };
    let missing: Vec<Labels> = of(other).difference(&of(side)).cloned().collect();
    let element = |labels| Element { labels, drops_name: false, value: Sample::Float(value) };
    missing.into_iter().map(element).collect()
}

impl Moment<'_> {
    fn join(&self, binary: &Binary, mut left: Vector, mut right: Vector, drops_name: bool) -> Result<Vector> {
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
        let mut partners: BTreeMap<Labels, Element> = BTreeMap::new();
        for element in one {
            if partners.insert(signature(matching, &element.labels), element).is_some() {
                return Err(Failed("found duplicate series for the match group".to_owned()));
            }
        }
        // arithmetic takes names away at once, `bool` does it with all others at the end
        let drops_at_once = drops_name && !(self.oracle.delayed_names && binary.return_bool);
        let (mut result, mut used) = (Vec::new(), BTreeSet::new());
        for element in many {
            let signature = signature(matching, &element.labels);
            let Some(partner) = partners.get(&signature) else { continue };
            let (a, b) =
                if swapped { (&partner.value, &element.value) } else { (&element.value, &partner.value) };
            let labels = labels_of_result(matching, &element.labels, &partner.labels, drops_at_once);
            // also where the comparison leaves nothing
            let key = if matching.group.is_some() { labels.clone() } else { signature };
            if !used.insert(key) {
                return Err(Failed("multiple matches for labels".to_owned()));
            }
            let Some(value) = operate(binary.op, a, b).kept(a, binary.return_bool) else { continue };
            let drops_name = self.oracle.delayed_names && binary.return_bool;
            result.push(Element { labels, drops_name, value });
        }
        self.distinct(result)
    }
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
