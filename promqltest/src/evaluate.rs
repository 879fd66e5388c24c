//! Asks one query in all the ways that must give the same, and judges the answers.

use query::syntax::Expr;
use query::{Engine, Outcome, QueryError, Severity, Value, VectorSample};

use crate::check::{self, Mismatch};
use crate::memory::Memory;
use crate::rewrite;
use crate::script::{Eval, Expected, ExpectedValue, Times};

/// One query of a script.
pub(crate) struct Evaluation<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) memory: &'a Memory,
    pub(crate) eval: &'a Eval,
}

/// A wrong answer, and to what.
pub(crate) struct Wrong {
    pub(crate) asked: Option<String>,
    pub(crate) mismatch: Mismatch,
}

/// How far the ends of a range are from the time of an instant query, and how far its times are apart.
const AROUND_MS: i64 = 60_000;

impl Evaluation<'_> {
    /// Asks as the script says; an instant query also with `@` at other times, and each of those as a range query.
    pub(crate) async fn run(&self) -> Result<(), Wrong> {
        let eval = self.eval;
        let plain = |mismatch| Wrong { asked: None, mismatch };
        let expr = self.parse().map_err(plain)?;
        let outcome = self.judge(self.query(&expr, eval.times).await).map_err(plain)?;
        if let Some(outcome) = outcome {
            let texts = |severity| outcome.annotations.texts(severity, &eval.expr);
            texts_of("warning", &eval.warnings, &texts(Severity::Warning)).map_err(plain)?;
            texts_of("info", &eval.infos, &texts(Severity::Info)).map_err(plain)?;
        }
        let Times::At(at_ms) = eval.times else { return Ok(()) };
        self.in_a_range(&expr, at_ms).await?;
        for other_ms in other_times(at_ms) {
            let mut pinned = self.parse().map_err(plain)?;
            if !rewrite::pin(&mut pinned, at_ms) {
                break;
            }
            let answer = self.query(&pinned, Times::At(other_ms)).await;
            self.judge(answer)
                .map_err(|mismatch| Wrong { asked: Some(format!("{pinned} at {other_ms} ms")), mismatch })?;
            self.in_a_range(&pinned, other_ms).await?;
        }
        Ok(())
    }

    fn parse(&self) -> Result<Expr, Mismatch> {
        let parsed = self.engine.parse(&self.eval.expr);
        parsed.map_err(|error| Mismatch::new("an expression", error.to_string()))
    }

    async fn query(&self, expr: &Expr, times: Times) -> Result<Outcome, QueryError> {
        match times {
            Times::At(at_ms) => self.engine.instant(self.memory, expr, at_ms).await,
            Times::Range { start, end, step } => self.engine.range(self.memory, expr, start, end, step).await,
        }
    }

    /// Whether an answer is the expected one but for the texts of annotations, some of which name the time of the query.
    /// Gives the outcome, if there is one.
    fn judge(&self, answer: Result<Outcome, QueryError>) -> Result<Option<Outcome>, Mismatch> {
        let eval = self.eval;
        let outcome = match (answer, &eval.fail) {
            (Ok(_), _) if eval.fails => return Err(Mismatch::new("an error", "none")),
            (Ok(outcome), _) => outcome,
            (Err(error), Some(expected)) if !expected.matches(&error.to_string()) => {
                return Err(Mismatch::new(format!("the error {expected}"), error.to_string()));
            }
            (Err(_), _) if eval.fails => return Ok(None),
            (Err(error), _) => return Err(Mismatch::new("no error", error.to_string())),
        };
        let texts = |severity| outcome.annotations.texts(severity, &eval.expr);
        presence("warning", &eval.warnings, &texts(Severity::Warning))?;
        presence("info", &eval.infos, &texts(Severity::Info))?;
        check::value(eval, &outcome.value)?;
        Ok(Some(outcome))
    }

    /// The instant query as the middle of a range query.
    async fn in_a_range(&self, expr: &Expr, at_ms: i64) -> Result<(), Wrong> {
        let eval = self.eval;
        let text = eval.expr.to_lowercase();
        let depends_on_range =
            ["start()", "end()", "range()", "step()"].iter().any(|call| text.contains(call));
        let has_no_range = eval.fails
            || eval.ordered
            || eval.range_vector.is_some()
            || matches!(eval.value, ExpectedValue::String(_));
        if has_no_range || depends_on_range {
            return Ok(());
        }
        let wrong =
            |mismatch| Wrong { asked: Some(format!("{expr} in a range around {at_ms} ms")), mismatch };
        let (start, end) = (at_ms.saturating_sub(AROUND_MS), at_ms.saturating_add(AROUND_MS));
        let answer = self.query(expr, Times::Range { start, end, step: AROUND_MS }).await;
        let outcome = answer.map_err(|error| wrong(Mismatch::new("no error", error.to_string())))?;
        if let Value::Matrix(all) = &outcome.value {
            check::in_order(all).map_err(wrong)?;
        }
        check::value(eval, &middle(outcome.value, at_ms, &eval.value)).map_err(wrong)
    }
}

/// Times at which a query with `@` must give the same as at `at_ms`.
fn other_times(at_ms: i64) -> Vec<i64> {
    match at_ms {
        0 => vec![-1_000, 0, 1_000],
        _ => vec![at_ms.saturating_mul(-10), 0, at_ms / 5, at_ms, at_ms.saturating_mul(10)],
    }
}

fn presence(kind: &str, expected: &Expected, found: &[String]) -> Result<(), Mismatch> {
    if expected.none && !found.is_empty() {
        return Err(Mismatch::new(format!("no {kind}"), found.join("; ")));
    }
    if expected.any && found.is_empty() {
        return Err(Mismatch::new(format!("a {kind}"), "none"));
    }
    Ok(())
}

/// Each text that is expected stands for at least one annotation, and there is no annotation without one.
fn texts_of(kind: &str, expected: &Expected, found: &[String]) -> Result<(), Mismatch> {
    if expected.texts.is_empty() {
        return Ok(());
    }
    let unseen = expected.texts.iter().find(|text| !found.iter().any(|found| text.matches(found)));
    if let Some(text) = unseen {
        return Err(Mismatch::new(format!("the {kind} {text}"), found.join("; ")));
    }
    match found.iter().find(|found| !expected.texts.iter().any(|text| text.matches(found))) {
        Some(extra) => Err(Mismatch::new(format!("no other {kind}"), extra)),
        None => Ok(()),
    }
}

/// The values of a range query at one time, as an instant query would give them.
fn middle(value: Value, at_ms: i64, expected: &ExpectedValue) -> Value {
    let Value::Matrix(series) = value else { return value };
    let mut samples = Vec::new();
    for one in series {
        let float =
            one.floats.iter().find(|(at, _)| *at == at_ms).map(|(_, value)| model::Value::Float(*value));
        let histogram = one.histograms.iter().find(|(at, _)| *at == at_ms);
        let histogram = histogram.map(|(_, histogram)| model::Value::Histogram(histogram.clone()));
        if let Some(value) = float.or(histogram) {
            samples.push(VectorSample { labels: one.labels, at_ms, value });
        }
    }
    match (expected, samples.as_slice()) {
        (ExpectedValue::Scalar(_), [VectorSample { value: model::Value::Float(value), .. }]) => {
            Value::Scalar { at_ms, value: *value }
        }
        _ => Value::Vector(samples),
    }
}
