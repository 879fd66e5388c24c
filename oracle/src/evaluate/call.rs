//! Functions of instant vectors and numbers.

use chrono::{DateTime, Datelike, Days, Timelike, Utc};
use model::{Labels, MatchOp};
use query::syntax::{Call, Expr, ExprKind, Function, ValueType};

use super::{Failed, Moment, Result, Value, Vector, classic, distinct, name_of, seconds};

impl Moment<'_> {
    pub(super) fn call(&self, call: &Call) -> Result<Value> {
        let (function, arguments) = (call.function.function, call.arguments.as_slice());
        if let Some(position) =
            arguments.iter().position(|argument| argument.value_type() == ValueType::Matrix)
        {
            return self.over_windows(call, position).map(Value::Vector);
        }
        let vector = match function {
            Function::Time => return Ok(Value::Scalar(seconds(self.at_ms))),
            Function::Pi => return Ok(Value::Scalar(std::f64::consts::PI)),
            Function::Scalar => {
                let vector = self.vector(&arguments[0])?;
                let value = if let [(_, value)] = vector.as_slice() { *value } else { f64::NAN };
                return Ok(Value::Scalar(value));
            }
            Function::Vector => vec![(Labels::empty(), self.scalar(&arguments[0])?)],
            Function::Absent => match self.vector(&arguments[0])?.is_empty() {
                true => vec![(absent_labels(&arguments[0]), 1.0)],
                false => Vec::new(),
            },
            Function::Timestamp => match &arguments[0].without_parens().kind {
                ExprKind::Selector(selector) => distinct(self.times_of(selector)?)?,
                _ => self.each(&arguments[0], |_| seconds(self.at_ms))?,
            },
            Function::Sort | Function::SortDesc | Function::SortByLabel | Function::SortByLabelDesc => {
                self.vector(&arguments[0])?
            }
            Function::Info => self.info(arguments)?,
            Function::LabelReplace => self.label_replace(arguments)?,
            Function::LabelJoin => self.label_join(arguments)?,
            Function::HistogramQuantile => {
                let phi = self.scalar(&arguments[0])?;
                classic::each(&self.vector(&arguments[1])?, |buckets| classic::quantile(phi, buckets))?
            }
            Function::HistogramFraction => {
                let (lower, upper) = (self.scalar(&arguments[0])?, self.scalar(&arguments[1])?);
                let share = |buckets: &[(f64, f64)]| classic::fraction(lower, upper, buckets);
                classic::each(&self.vector(&arguments[2])?, share)?
            }
            Function::HistogramQuantiles => self.histogram_quantiles(arguments)?,
            Function::Clamp => {
                let (least, most) = (self.scalar(&arguments[1])?, self.scalar(&arguments[2])?);
                let clamped = self.each(&arguments[0], |value| at_least(at_most(value, most), least))?;
                if least > most { Vec::new() } else { clamped }
            }
            Function::ClampMin => {
                let least = self.scalar(&arguments[1])?;
                self.each(&arguments[0], |value| at_least(value, least))?
            }
            Function::ClampMax => {
                let most = self.scalar(&arguments[1])?;
                self.each(&arguments[0], |value| at_most(value, most))?
            }
            Function::Round => {
                let to = arguments.get(1).map_or(Ok(1.0), |to| self.scalar(to))?;
                self.each(&arguments[0], |value| (value * (1.0 / to) + 0.5).floor() / (1.0 / to))?
            }
            _ if arguments.is_empty() => vec![(Labels::empty(), of_number(function, seconds(self.at_ms))?)],
            _ => {
                of_number(function, 0.0)?;
                self.each(&arguments[0], |value| of_number(function, value).unwrap_or(f64::NAN))?
            }
        };
        Ok(Value::Vector(vector))
    }

    fn each(&self, argument: &Expr, of: impl Fn(f64) -> f64) -> Result<Vector> {
        let vector = self.vector(argument)?;
        distinct(
            vector.into_iter().map(|(labels, value)| (labels.without_metric_name(), of(value))).collect(),
        )
    }

    fn histogram_quantiles(&self, arguments: &[Expr]) -> Result<Vector> {
        let [vector, label, shares @ ..] = arguments else { return Err(Failed("arguments".to_owned())) };
        let (vector, label) = (self.vector(vector)?, self.text(label)?);
        let mut result = Vec::new();
        for share in shares {
            let share = self.scalar(share)?;
            let quantiles = classic::each(&vector, |buckets| classic::quantile(share, buckets))?;
            let labelled = quantiles.into_iter().map(|(labels, value)| {
                (labels.to_builder().set(label.as_str(), open_metrics(share)).build(), value)
            });
            result.extend(labelled);
        }
        distinct(result)
    }

    fn label_replace(&self, arguments: &[Expr]) -> Result<Vector> {
        let [vector, to, template, from, pattern] = arguments else {
            return Err(Failed("arguments".to_owned()));
        };
        let (to, template, from) = (self.text(to)?, self.text(template)?, self.text(from)?);
        let pattern = regex::Regex::new(&format!("^(?s:{})$", self.text(pattern)?))
            .map_err(|error| Failed(error.to_string()))?;
        let rows = self.vector(vector)?.into_iter().map(|(labels, value)| {
            let Some(captures) = pattern.captures(labels.get(&from).unwrap_or("")) else {
                return (labels, value);
            };
            let mut replaced = String::new();
            captures.expand(&template, &mut replaced);
            (labels.to_builder().set(to.as_str(), replaced).build(), value)
        });
        distinct(rows.collect())
    }

    fn label_join(&self, arguments: &[Expr]) -> Result<Vector> {
        let texts: Vec<String> = arguments[1..].iter().map(|text| self.text(text)).collect::<Result<_>>()?;
        let [to, separator, from @ ..] = texts.as_slice() else { return Err(Failed("arguments".to_owned())) };
        let rows = self.vector(&arguments[0])?.into_iter().map(|(labels, value)| {
            let parts: Vec<&str> = from.iter().map(|name| labels.get(name).unwrap_or("")).collect();
            (labels.to_builder().set(to.as_str(), parts.join(separator)).build(), value)
        });
        distinct(rows.collect())
    }
}

/// As a number stands in OpenMetrics: a whole one with a zero behind its point.
fn open_metrics(value: f64) -> String {
    format!("{value:?}")
}

fn at_least(value: f64, least: f64) -> f64 {
    if value.is_nan() || least.is_nan() { f64::NAN } else { value.max(least) }
}

fn at_most(value: f64, most: f64) -> f64 {
    if value.is_nan() || most.is_nan() { f64::NAN } else { value.min(most) }
}

fn of_number(function: Function, value: f64) -> Result<f64> {
    Ok(match function {
        Function::Abs => value.abs(),
        Function::Ceil => value.ceil(),
        Function::Floor => value.floor(),
        Function::Exp => value.exp(),
        Function::Sqrt => value.sqrt(),
        Function::Ln => value.ln(),
        Function::Log2 => value.log2(),
        Function::Log10 => value.log10(),
        Function::Sgn if value > 0.0 => 1.0,
        Function::Sgn if value < 0.0 => -1.0,
        Function::Sgn => value,
        Function::Sin => value.sin(),
        Function::Cos => value.cos(),
        Function::Tan => value.tan(),
        Function::Asin => value.asin(),
        Function::Acos => value.acos(),
        Function::Atan => value.atan(),
        Function::Sinh => value.sinh(),
        Function::Cosh => value.cosh(),
        Function::Tanh => value.tanh(),
        Function::Asinh => value.asinh(),
        Function::Acosh => value.acosh(),
        Function::Atanh => value.atanh(),
        Function::Rad => value * std::f64::consts::PI / 180.0,
        Function::Deg => value * 180.0 / std::f64::consts::PI,
        Function::Minute
        | Function::Hour
        | Function::DayOfMonth
        | Function::DayOfWeek
        | Function::DayOfYear
        | Function::DaysInMonth
        | Function::Month
        | Function::Year => of_date(function, value),
        other => return Err(Failed(format!("no such function: {}", name_of(other)))),
    })
}

fn of_date(function: Function, value: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "that is how a number becomes a time")]
    let Some(time) = DateTime::<Utc>::from_timestamp(value as i64, 0) else { return f64::NAN };
    let number = match function {
        Function::Minute => time.minute(),
        Function::Hour => time.hour(),
        Function::DayOfMonth => time.day(),
        Function::DayOfWeek => time.weekday().num_days_from_sunday(),
        Function::DayOfYear => time.ordinal(),
        Function::Month => time.month(),
        Function::Year => return f64::from(time.year()),
        _ => {
            // the last day from which the next is in another month
            let days = (0..31).map(|days| time.checked_add_days(Days::new(days)));
            let same_month = days.flatten().take_while(|day| day.month() == time.month()).last();
            same_month.map_or(0, |last| last.day())
        }
    };
    f64::from(number)
}

/// What `absent` can say about a series that is not there.
pub(super) fn absent_labels(argument: &Expr) -> Labels {
    let matchers = match &argument.without_parens().kind {
        ExprKind::Selector(selector) => &selector.matchers,
        ExprKind::Range(range) => &range.selector.matchers,
        _ => return Labels::empty(),
    };
    let mut builder = Labels::empty().to_builder();
    for matcher in matchers {
        let same_name = matchers.iter().filter(|other| other.name == matcher.name).count();
        if matcher.op == MatchOp::Equal && same_name == 1 && &*matcher.name != Labels::NAME {
            builder.set(matcher.name.clone(), matcher.value.clone());
        }
    }
    builder.build()
}
