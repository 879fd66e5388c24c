//! A tree as text, in the normal form that Prometheus gives queries.

use std::fmt::{self, Display, Formatter, Write};
use std::sync::Arc;

use model::{Matcher, float, name};

use super::ast::{
    Aggregate, At, Binary, Call, Duration, DurationExpr, DurationKind, Edges, Expr, ExprKind, Grouping,
    Matching, Number, RangeSelector, Selector, Shift, Side, Subquery,
};
use super::format_duration_ms;
use super::quote::quoted;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(text) => f.write_str(&quoted(text)),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
            ExprKind::Unary(unary) => {
                write!(f, "{}{}", if unary.negative { "-" } else { "+" }, unary.operand)
            }
            ExprKind::Binary(binary) => chain(binary, self, f),
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
            ExprKind::Call(call) => call.fmt(f),
            ExprKind::Selector(selector) => selector.fmt(f),
            ExprKind::Range(range) => range.fmt(f),
            ExprKind::Subquery(subquery) => subquery.fmt(f),
        }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            #[expect(clippy::cast_possible_truncation, reason = "read from a whole number of milliseconds")]
            return f.write_str(&format_duration_ms((self.value * 1_000.0).round() as i64));
        }
        f.write_str(&plain_number(self.value))
    }
}

/// All digits, never an exponent: Go's format `f`.
fn plain_number(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { float::api(value) }
}

fn chain(binary: &Binary, outermost: &Expr, f: &mut Formatter<'_>) -> fmt::Result {
    let (innermost, links) = binary.chain(outermost);
    innermost.fmt(f)?;
    for (_, binary) in links {
        write!(f, " {}{} {}", binary.op, modifiers(binary), binary.right)?;
    }
    Ok(())
}

/// What stands between an operator and its right operand, each word with a space before it.
pub(super) fn modifiers(binary: &Binary) -> String {
    let mut out = String::new();
    if binary.return_bool {
        out.push_str(" bool");
    }
    let Matching { labels, group, fill_left, fill_right } = &binary.matching;
    if let Some(labels) = labels
        && (!labels.names.is_empty() || labels.on || group.is_some())
    {
        out.push_str(if labels.on { " on " } else { " ignoring " });
        out.push_str(&label_list(&labels.names));
    }
    if let Some(Grouping { many, include }) = group {
        out.push_str(if *many == Side::Left { " group_left " } else { " group_right " });
        out.push_str(&label_list(include));
    }
    match (fill_left, fill_right) {
        (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
            out.push_str(&format!(" fill ({})", plain_number(*left)));
        }
        _ => {
            for (word, value) in [("fill_left", fill_left), ("fill_right", fill_right)] {
                if let Some(value) = value {
                    out.push_str(&format!(" {word} ({})", plain_number(*value)));
                }
            }
        }
    }
    out
}

fn label_list(names: &[Arc<str>]) -> String {
    // of what is quoted elsewhere, names of metrics are not here
    let written =
        |name: &Arc<str>| if name::is_legacy_metric_name(name) { name.to_string() } else { quoted(name) };
    let names: Vec<String> = names.iter().map(written).collect();
    format!("({})", names.join(", "))
}

/// The name of a label, in quotes where it needs some.
pub(crate) fn label_name(text: &str) -> String {
    if name::is_legacy_label_name(text) { text.to_owned() } else { quoted(text) }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&aggregate_head(self))?;
        f.write_char('(')?;
        if let Some(parameter) = &self.parameter {
            write!(f, "{parameter}, ")?;
        }
        write!(f, "{})", self.operand)
    }
}

/// `sum by (job) `, everything before the parenthesis.
pub(super) fn aggregate_head(aggregate: &Aggregate) -> String {
    let labels = label_list(&aggregate.labels);
    match (aggregate.without, aggregate.labels.is_empty()) {
        (true, _) => format!("{} without {labels} ", aggregate.op),
        (false, false) => format!("{} by {labels} ", aggregate.op),
        (false, true) => aggregate.op.to_string(),
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        for (index, argument) in self.arguments.iter().enumerate() {
            write!(f, "{}{argument}", if index == 0 { "" } else { ", " })?;
        }
        f.write_char(')')
    }
}

impl Selector {
    /// Name and matchers, without modifiers.
    fn bare(&self) -> String {
        let mut matchers: &[Matcher] = &self.matchers;
        if self.name.is_some() {
            matchers = &matchers[..matchers.len() - 1];
        }
        let name = self.name.as_deref().unwrap_or("");
        if matchers.is_empty() && self.name.is_some() {
            return name.to_owned();
        }
        let mut inner: Vec<String> = matchers.iter().map(matcher).collect();
        inner.sort_unstable();
        format!("{name}{{{}}}", inner.join(","))
    }

    fn edges(&self) -> &'static str {
        match self.edges {
            Edges::Plain => "",
            Edges::Anchored => " anchored",
            Edges::Smoothed => " smoothed",
        }
    }
}

fn matcher(matcher: &Matcher) -> String {
    format!("{}{}{}", label_name(&matcher.name), matcher.op.as_str(), quoted(&matcher.value))
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bare())?;
        self.shift.write_at(f)?;
        f.write_str(self.edges())?;
        self.shift.write_offset(f)
    }
}

impl Display for RangeSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let selector = &self.selector;
        write!(f, "{}[{}]{}{}", selector.bare(), self.range, selector.edges(), selector.shift)
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.operand, self.suffix())
    }
}

impl Subquery {
    /// `[5m:1m] offset 1m`
    pub(super) fn suffix(&self) -> String {
        let step = self.step.as_ref().map_or_else(String::new, ToString::to_string);
        format!("[{}:{step}]{}", self.range, self.shift)
    }
}

impl Shift {
    fn write_at(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.at {
            #[expect(clippy::cast_precision_loss, reason = "as Prometheus prints it")]
            Some(At::Time(ms)) => write!(f, " @ {:.3}", ms as f64 / 1_000.0),
            Some(At::Start) => f.write_str(" @ start()"),
            Some(At::End) => f.write_str(" @ end()"),
            None => Ok(()),
        }
    }

    fn write_offset(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.offset {
            Some(Duration::Ms(0)) | None => Ok(()),
            Some(offset) => write!(f, " offset {offset}"),
        }
    }
}

impl Display for Shift {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_at(f)?;
        self.write_offset(f)
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ms(ms) => f.write_str(&format_duration_ms(*ms)),
            Self::Computed(expr) => expr.fmt(f),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DurationKind::Number(number) => number.fmt(f),
            DurationKind::Paren(inner) => write!(f, "({inner})"),
            DurationKind::Sign(negative, operand) => {
                write!(f, "{}{operand}", if *negative { "-" } else { "+" })
            }
            DurationKind::Binary(op, left, right) => write!(f, "{left} {op} {right}"),
            DurationKind::Step => f.write_str("step()"),
            DurationKind::Range => f.write_str("range()"),
            DurationKind::MinOf(a, b) => write!(f, "min_of({a}, {b})"),
            DurationKind::MaxOf(a, b) => write!(f, "max_of({a}, {b})"),
        }
    }
}
