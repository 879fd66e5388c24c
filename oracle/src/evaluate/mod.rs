//! The value of an expression at one time, by recursion over its tree.

mod aggregate;
mod binary;
mod call;
mod classic;
mod edges;
mod info;
mod native;
mod select;
mod steps;
mod windows;

use std::collections::BTreeMap;

pub use native::Native;

use model::{Labels, Series};
use query::syntax::{At, Duration, Expr, ExprKind, Function, Shift};

/// Evaluates over data in memory.
#[derive(Debug)]
pub struct Oracle<'a> {
    /// Everything there is.
    pub series: &'a [Series],
    /// How old a sample may be.
    pub lookback_ms: i64,
    /// The distance of virtual samples of pushed series.
    pub hold_interval_ms: i64,
    /// The step of subqueries that state none.
    pub subquery_step_ms: i64,
    /// Whether names go away at the end of the query only.
    pub delayed_names: bool,
}

/// The value of a series at a time.
#[derive(Clone, Debug)]
pub enum Sample {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Native),
}

impl Sample {
    fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Histogram(_) => None,
        }
    }
}

/// One series of a vector.
#[derive(Clone, Debug)]
struct Element {
    labels: Labels,
    /// Whether its name is to go away at the end of the query.
    drops_name: bool,
    value: Sample,
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub String);

/// The values of a series, by time in milliseconds.
pub type Row = (Labels, Vec<(i64, Sample)>);

type Result<T> = std::result::Result<T, Failed>;

/// A set of series with one value each.
type Vector = Vec<Element>;

/// What an expression yields at one time.
#[derive(Clone, Debug)]
enum Value {
    Scalar(f64),
    Vector(Vector),
    Text(String),
}

/// One evaluation at one time.
#[derive(Clone, Copy)]
struct Moment<'a> {
    oracle: &'a Oracle<'a>,
    at_ms: i64,
    /// The first and the last time of the whole query.
    query: (i64, i64),
}

impl Oracle<'_> {
    /// The values at one time; a scalar is a series without labels. Bare range vectors are not evaluated.
    ///
    /// # Errors
    /// If the query cannot be evaluated on these data.
    pub fn instant(&self, expr: &Expr, at_ms: i64) -> Result<Vec<Row>> {
        self.range(expr, at_ms, at_ms, 1)
    }

    /// The values at evenly spaced times.
    ///
    /// # Errors
    /// If the query cannot be evaluated on these data.
    pub fn range(&self, expr: &Expr, start_ms: i64, end_ms: i64, step_ms: i64) -> Result<Vec<Row>> {
        let mut rows: BTreeMap<Labels, Vec<(i64, Sample)>> = BTreeMap::new();
        let mut at_ms = start_ms;
        while at_ms <= end_ms {
            let moment = Moment { oracle: self, at_ms, query: (start_ms, end_ms) };
            let mut vector = match moment.eval(expr)? {
                Value::Scalar(value) => vec![Element::unnamed(value)],
                Value::Vector(vector) => vector,
                Value::Text(text) => return Err(Failed(format!("a text: {text}"))),
            };
            for element in vector.iter_mut().filter(|element| element.drops_name) {
                element.labels = element.labels.without_metric_name();
            }
            for Element { labels, value, .. } in distinct(vector)? {
                rows.entry(labels).or_default().push((at_ms, value));
            }
            at_ms += step_ms;
        }
        Ok(rows.into_iter().collect())
    }
}

impl Element {
    /// A number of no series.
    fn unnamed(value: f64) -> Self {
        Self { labels: Labels::empty(), drops_name: false, value: Sample::Float(value) }
    }

    fn float(&self) -> Option<f64> {
        self.value.float()
    }
}

impl Moment<'_> {
    fn eval(&self, expr: &Expr) -> Result<Value> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Value::Scalar(number.value)),
            ExprKind::String(text) => Ok(Value::Text(text.clone())),
            ExprKind::Paren(inner) => self.eval(inner),
            ExprKind::Unary(unary) => match (unary.negative, self.eval(&unary.operand)?) {
                (false, value) => Ok(value),
                (true, Value::Scalar(value)) => Ok(Value::Scalar(-value)),
                (true, Value::Vector(vector)) => {
                    let negated = vector.into_iter().map(|element| {
                        let value = match &element.value {
                            Sample::Float(value) => Sample::Float(-value),
                            Sample::Histogram(histogram) => Sample::Histogram(histogram.clone().times(-1.0)),
                        };
                        self.renamed(element, value)
                    });
                    self.distinct(negated.collect()).map(Value::Vector)
                }
                (true, Value::Text(_)) => Err(Failed("the negative of a text".to_owned())),
            },
            ExprKind::Binary(binary) => self.binary(binary),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate).map(Value::Vector),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Selector(selector) => Ok(Value::Vector(self.instant_selector(selector)?)),
            ExprKind::Range(_) | ExprKind::Subquery(_) => Err(Failed("a bare range vector".to_owned())),
        }
    }

    /// Something that was computed of an element, which is no longer what its name says.
    fn renamed(&self, element: Element, value: Sample) -> Element {
        match self.oracle.delayed_names {
            true => Element { drops_name: true, value, ..element },
            false => Element { labels: element.labels.without_metric_name(), drops_name: false, value },
        }
    }

    /// The vector, unless a label set is in it twice. While names stay, that is not looked at.
    fn distinct(&self, vector: Vector) -> Result<Vector> {
        if self.oracle.delayed_names { Ok(vector) } else { distinct(vector) }
    }

    fn vector(&self, expr: &Expr) -> Result<Vector> {
        match self.eval(expr)? {
            Value::Vector(vector) => Ok(vector),
            other => Err(Failed(format!("expected a vector, got {other:?}"))),
        }
    }

    fn scalar(&self, expr: &Expr) -> Result<f64> {
        match self.eval(expr)? {
            Value::Scalar(value) => Ok(value),
            other => Err(Failed(format!("expected a scalar, got {other:?}"))),
        }
    }

    fn text(&self, expr: &Expr) -> Result<String> {
        match self.eval(expr)? {
            Value::Text(text) => Ok(text),
            other => Err(Failed(format!("expected a text, got {other:?}"))),
        }
    }

    /// The time to which `@` and `offset` lead.
    fn shifted(&self, shift: &Shift) -> Result<i64> {
        let base = match shift.at {
            None => self.at_ms,
            Some(At::Time(at_ms)) => at_ms,
            Some(At::Start) => self.query.0,
            Some(At::End) => self.query.1,
        };
        Ok(base - shift.offset.as_ref().map_or(Ok(0), milliseconds)?)
    }
}

fn milliseconds(duration: &Duration) -> Result<i64> {
    match duration {
        Duration::Ms(ms) => Ok(*ms),
        Duration::Computed(_) => Err(Failed("a computed duration".to_owned())),
    }
}

/// The vector, unless a label set is in it twice.
fn distinct(vector: Vector) -> Result<Vector> {
    let mut labels: Vec<&Labels> = vector.iter().map(|element| &element.labels).collect();
    labels.sort();
    match labels.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Failed("vector cannot contain metrics with the same labelset".to_owned())),
        false => Ok(vector),
    }
}

fn name_of(function: Function) -> String {
    format!("{function:?}")
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn count(count: usize) -> f64 {
    count as f64
}
