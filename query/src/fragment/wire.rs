//! How fragments are written.

use model::{MatchOp, Matcher, Selection};

use super::codec::{CodecError, Result, Wire, codes, fields};
use super::{Fold, Fragment, Leaf, Limits, Reading};
use crate::exec::{ExecSettings, Scalar};
use crate::plan::{Asked, Grid, InstantNode, Windows};
use crate::syntax::{AggregateOp, ByteRange, Edges, Function, Signature};

codes! {
    MatchOp { Equal = 0, NotEqual = 1, Regex = 2, NotRegex = 3 }
    Edges { Plain = 0, Anchored = 1, Smoothed = 2 }
    Asked { Value = 0, Time = 1, Start = 2 }
}

fields! {
    Fragment { selection, selected, parts, reading, leaf, fold, settings, limits }
    Reading { as_scraped_ms, totals_only }
    Limits { samples_max, bytes_max, timeout_ms }
    Fold { op, without, labels, range }
    Selection { matchers, start_ms, end_ms }
    ExecSettings {
        lookback_ms, hold_interval_ms, delayed_name_removal, start_timestamps, type_labels, tallied, instant,
    }
    Grid { start_ms, step_ms, count }
    ByteRange { start, end }
    InstantNode { selection, times, asked, smoothed, range }
    Windows { function, times, range_ms, edges, grid, range, parameter_range }
}

impl Wire for Matcher {
    fn put(&self, out: &mut Vec<u8>) {
        self.name.put(out);
        self.op.put(out);
        self.value.put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        let (name, op, value) = (String::take(input)?, MatchOp::take(input)?, String::take(input)?);
        Self::new(name, op, value).map_err(|_| CodecError::broken("a matcher is no regular expression"))
    }
}

impl Wire for Leaf {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Instant(node) => {
                out.push(0);
                node.put(out);
            }
            Self::Windows(node, parameters) => {
                out.push(1);
                node.put(out);
                parameters.put(out);
            }
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        match u8::take(input)? {
            0 => InstantNode::take(input).map(Self::Instant),
            1 => Ok(Self::Windows(Windows::take(input)?, Vec::take(input)?)),
            _ => Err(CodecError::broken("Leaf")),
        }
    }
}

impl Wire for Scalar {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Constant(value) => {
                out.push(0);
                value.put(out);
            }
            Self::Steps(values) => {
                out.push(1);
                values.put(out);
            }
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        match u8::take(input)? {
            0 => f64::take(input).map(Self::Constant),
            1 => Vec::take(input).map(Self::Steps),
            _ => Err(CodecError::broken("Scalar")),
        }
    }
}

/// Functions and aggregations go by their names, which stay.
impl Wire for Function {
    fn put(&self, out: &mut Vec<u8>) {
        self.name().to_owned().put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        let signature = Signature::by_name(&String::take(input)?);
        signature.map(|signature| signature.function).ok_or(CodecError::broken("Function"))
    }
}

impl Wire for AggregateOp {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().to_owned().put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        let name = String::take(input)?;
        Self::ALL.into_iter().find(|op| op.as_str() == name).ok_or(CodecError::broken("AggregateOp"))
    }
}
