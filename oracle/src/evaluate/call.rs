//! Functions of instant vectors and numbers.

use chrono::{DateTime, Datelike, Days, Timelike, Utc};
use model::{Labels, MatchOp};
use query::syntax::{Call, Expr, ExprKind, Function, ValueType};

use super::{
    Element, Failed, Moment, Native, Result, Sample, Value, Vector, classic, distinct, name_of, seconds,
};

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
                let numbers: Vec<f64> = vector.iter().filter_map(Element::float).collect();
                let value = if let [value] = numbers.as_slice() { *value } else { f64::NAN };
                return Ok(Value::Scalar(value));
            }
            Function::Vector => vec![Element::unnamed(self.scalar(&arguments[0])?)],
            Function::Absent => match self.vector(&arguments[0])?.is_empty() {
                true => vec![Element { labels: absent_labels(&arguments[0]), ..Element::unnamed(1.0) }],
                false => Vec::new(),
            },
            Function::Timestamp => match &arguments[0].without_parens().kind {
                ExprKind::Selector(selector) => self.distinct(self.times_of(selector)?)?,
                _ => {
                    let now = |element| self.renamed(element, Sample::Float(seconds(self.at_ms)));
                    self.distinct(self.vector(&arguments[0])?.into_iter().map(now).collect())?
                }
            },
            Function::Sort | Function::SortDesc | Function::SortByLabel | Function::SortByLabelDesc => {
                self.vector(&arguments[0])?
            }
            Function::HistogramCount => self.of_native(self.vector(&arguments[0])?, Native::count),
            Function::HistogramSum => self.of_native(self.vector(&arguments[0])?, Native::sum),
            Function::HistogramAvg => self.of_native(self.vector(&arguments[0])?, Native::mean),
            Function::HistogramStdvar => self.of_native(self.vector(&arguments[0])?, Native::variance),
            Function::HistogramStddev => {
                self.of_native(self.vector(&arguments[0])?, |histogram| histogram.variance().sqrt())
            }
            Function::Info => self.info(arguments)?,
            Function::LabelReplace => self.label_replace(arguments)?,
            Function::LabelJoin => self.label_join(arguments)?,
            Function::HistogramQuantile => {
                let phi = self.scalar(&arguments[0])?;
                self.quantiles(self.vector(&arguments[1])?, phi)?
            }
            Function::HistogramFraction => {
                let (lower, upper) = (self.scalar(&arguments[0])?, self.scalar(&arguments[1])?);
                let vector = self.vector(&arguments[2])?;
                let share = |buckets: &[(f64, f64)]| classic::fraction(lower, upper, buckets);
                let mut shares = self.each_classic(&vector, share)?;
                shares.extend(self.of_native(vector, |histogram| histogram.fraction(lower, upper)));
                self.distinct(shares)?
            }
            Function::HistogramQuantiles => self.histogram_quantiles(arguments)?,
            Function::Clamp => {
                let (least, most) = (self.scalar(&arguments[1])?, self.scalar(&arguments[2])?);
                match least > most {
                    true => self.vector(&arguments[0]).map(|_| Vec::new())?,
                    false => self.each(&arguments[0], |value| at_least(at_most(value, most), least))?,
                }
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
            _ if arguments.is_empty() => vec![Element::unnamed(of_number(function, seconds(self.at_ms))?)],
            _ => {
                of_number(function, 0.0)?;
                self.each(&arguments[0], |value| of_number(function, value).unwrap_or(f64::NAN))?
            }
        };
        Ok(Value::Vector(vector))
    }

    /// What a function makes of every number; histograms it leaves out.
    fn each(&self, argument: &Expr, of: impl Fn(f64) -> f64) -> Result<Vector> {
        let elements = self.vector(argument)?.into_iter().filter_map(|element| {
            let value = Sample::Float(of(element.float()?));
            Some(self.renamed(element, value))
        });
        self.distinct(elements.collect())
    }

    /// A number for every native histogram; numbers are left out.
    fn of_native(&self, vector: Vector, of: impl Fn(&Native) -> f64) -> Vector {
        let number = |element: Element| match &element.value {
            Sample::Float(_) => None,
            Sample::Histogram(histogram) => {
                let value = Sample::Float(of(histogram));
                Some(self.renamed(element, value))
            }
        };
        vector.into_iter().filter_map(number).collect()
    }

    /// A quantile of every histogram, classic or native.
    fn quantiles(&self, vector: Vector, phi: f64) -> Result<Vector> {
        let mut quantiles = self.each_classic(&vector, |buckets| classic::quantile(phi, buckets))?;
        quantiles.extend(self.of_native(vector, |histogram| histogram.quantile(phi)));
        self.distinct(quantiles)
    }

    fn histogram_quantiles(&self, arguments: &[Expr]) -> Result<Vector> {
        let [vector, label, shares @ ..] = arguments else { return Err(Failed("arguments".to_owned())) };
        let (vector, label) = (self.vector(vector)?, self.text(label)?);
        let mut result = Vec::new();
        for share in shares {
            let share = self.scalar(share)?;
            let labelled = self.quantiles(vector.clone(), share)?.into_iter().map(|element| Element {
                labels: element.labels.to_builder().set(label.as_str(), open_metrics(share)).build(),
                ..element
            });
            result.extend(labelled);
        }
        self.distinct(result)
    }

    fn label_replace(&self, arguments: &[Expr]) -> Result<Vector> {
        let [vector, to, template, from, pattern] = arguments else {
            return Err(Failed("arguments".to_owned()));
        };
        let (to, template, from) = (self.text(to)?, self.text(template)?, self.text(from)?);
        let pattern = regex::Regex::new(&format!("^(?s:{})$", self.text(pattern)?))
            .map_err(|error| Failed(error.to_string()))?;
        let elements = self.vector(vector)?.into_iter().map(|element| {
            let Some(captures) = pattern.captures(element.labels.get(&from).unwrap_or("")) else {
                return element;
            };
            let mut replaced = String::new();
            captures.expand(&template, &mut replaced);
            relabelled(element, &to, replaced)
        });
        distinct(elements.collect())
    }

    fn label_join(&self, arguments: &[Expr]) -> Result<Vector> {
        let texts: Vec<String> = arguments[1..].iter().map(|text| self.text(text)).collect::<Result<_>>()?;
        let [to, separator, from @ ..] = texts.as_slice() else { return Err(Failed("arguments".to_owned())) };
        let elements = self.vector(&arguments[0])?.into_iter().map(|element| {
            let parts: Vec<&str> = from.iter().map(|name| element.labels.get(name).unwrap_or("")).collect();
            let joined = parts.join(separator);
            relabelled(element, to, joined)
        });
        distinct(elements.collect())
    }
}

/// With another value of a label. A name that is given anew stays.
fn relabelled(element: Element, name: &str, value: String) -> Element {
    let drops_name = element.drops_name && name != Labels::NAME;
    Element { labels: element.labels.to_builder().set(name, value).build(), drops_name, ..element }
}

/// As a number stands in OpenMetrics: a whole one with a zero behind its point.
fn open_metrics(value: f64) -> String {
    format!("{value:?}")
}

/// Infinity counts even beside NaN.
fn at_least(value: f64, least: f64) -> f64 {
    match value == f64::INFINITY || least == f64::INFINITY {
        true => f64::INFINITY,
        false if value.is_nan() || least.is_nan() => f64::NAN,
        false => value.max(least),
    }
}

fn at_most(value: f64, most: f64) -> f64 {
    -at_least(-value, -most)
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
