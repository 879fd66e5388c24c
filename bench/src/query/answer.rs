//! What the answers of several programs have in common.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// Sums of floats end in other digits if they are added up in another order.
const SAME_WITHIN: f64 = 1e-9;

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// By label set: times and values.
    Series(BTreeMap<String, Vec<(f64, f64)>>),
    /// Label sets or texts.
    Names(BTreeSet<String>),
}

impl Answer {
    /// Reads one.
    ///
    /// # Errors
    /// If it is none.
    pub fn of(body: &[u8]) -> anyhow::Result<Self> {
        let answer: Value = serde_json::from_slice(body)?;
        ensure!(answer["status"] == "success", "it failed: {answer}");
        if let Some(names) = answer["data"].as_array() {
            return Ok(Self::Names(names.iter().map(ToString::to_string).collect()));
        }
        let mut series = BTreeMap::new();
        for one in answer["data"]["result"].as_array().context("no result")? {
            let points = match (one["values"].as_array(), one["value"].as_array()) {
                (Some(points), _) => points.iter().map(point).collect::<anyhow::Result<Vec<_>>>()?,
                (None, Some(_)) => vec![point(&one["value"])?],
                _ => bail!("neither floats nor a float: {one}"),
            };
            // keys of objects are in order
            let before = series.insert(one["metric"].to_string(), points);
            ensure!(before.is_none(), "twice: {}", one["metric"]);
        }
        Ok(Self::Series(series))
    }

    /// How many series or names.
    pub fn len(&self) -> usize {
        match self {
            Self::Series(series) => series.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fails with the first difference to another, if there is one.
    ///
    /// # Errors
    /// See above.
    pub fn is_same_as(&self, other: &Self) -> anyhow::Result<()> {
        let (Self::Series(ours), Self::Series(theirs)) = (self, other) else {
            ensure!(self == other, "{} names instead of {}", self.len(), other.len());
            return Ok(());
        };
        for (labels, theirs) in theirs {
            let ours = ours.get(labels).with_context(|| format!("{labels} is missing"))?;
            ensure!(
                ours.len() == theirs.len(),
                "{labels}: {} points instead of {}",
                ours.len(),
                theirs.len()
            );
            for (our, their) in ours.iter().zip(theirs) {
                let is_same = our.0 == their.0 && is_close(our.1, their.1);
                ensure!(is_same, "{labels}: {our:?} instead of {their:?}");
            }
        }
        ensure!(ours.len() == theirs.len(), "{} series instead of {}", ours.len(), theirs.len());
        Ok(())
    }
}

fn point(pair: &Value) -> anyhow::Result<(f64, f64)> {
    let at = pair[0].as_f64().context("time")?;
    Ok((at, pair[1].as_str().context("value")?.parse()?))
}

fn is_close(ours: f64, theirs: f64) -> bool {
    ours == theirs
        || (ours.is_nan() && theirs.is_nan())
        || (ours - theirs).abs() <= SAME_WITHIN * ours.abs().max(theirs.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found() {
        let answer = |values: &str| {
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"b":"1","a":"2"}},"values":[{values}]}}]}}}}"#
            );
            Answer::of(body.as_bytes()).expect("an answer")
        };
        let check = |ours: &str, theirs: &str| answer(ours).is_same_as(&answer(theirs)).is_ok();
        assert!(check(r#"[1,"2"],[2,"0.30000000000000004"]"#, r#"[1,"2"],[2,"0.3"]"#));
        assert!(!check(r#"[1,"2"]"#, r#"[1,"2.1"]"#));
        assert!(!check(r#"[1,"2"]"#, r#"[1,"2"],[2,"2"]"#));
        assert!(!check(r#"[1,"2"]"#, r#"[2,"2"]"#));
        assert!(Answer::of(br#"{"status":"error"}"#).is_err());
    }
}
