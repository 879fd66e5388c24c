//! How the results of fragments are written.

use model::{Compensated, CounterReset, Histogram, Label, Labels, Span};

use super::codec::{CodecError, Result, Wire, codes, fields};
use super::partial::{GroupState, HistogramSeries, Partial, Yield};
use crate::annotations::{Annotation, Annotations, Severity};
use crate::exec::{Line, Mean, Points, Running, Spread, Tally};

codes! {
    Severity { Warning = 0, Info = 1 }
    CounterReset { Unknown = 0, Reset = 1, NotReset = 2, Gauge = 3 }
}

fields! {
    Partial { yields, notes, tally }
    GroupState { labels, drop_name, running }
    Line { labels, drop_name, points }
    Annotation { severity, text, range }
    Label { name, value }
    Span { offset, length }
    Histogram {
        schema, zero_threshold, zero_count, count, sum, positive_spans, negative_spans, positive_counts,
        negative_counts, custom_bounds, counter_reset,
    }
}

impl Wire for HistogramSeries {
    fn put(&self, out: &mut Vec<u8>) {
        self.place.put(out);
        self.name.put(out);
        self.points.put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        Ok(Self { place: usize::take(input)?, name: String::take(input)?, points: Points::take(input)? })
    }
}

impl Wire for Yield {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Lines(lines) => {
                out.push(0);
                lines.put(out);
            }
            Self::Groups { groups, histograms } => {
                out.push(1);
                groups.put(out);
                histograms.put(out);
            }
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        match u8::take(input)? {
            0 => Vec::take(input).map(Self::Lines),
            1 => {
                let (groups, histograms) = (Vec::take(input)?, Vec::<HistogramSeries>::take(input)?);
                if histograms.iter().any(|series| series.place >= groups.len()) {
                    return Err(CodecError::broken("a series of no group"));
                }
                Ok(Self::Groups { groups, histograms })
            }
            _ => Err(CodecError::broken("Yield")),
        }
    }
}

impl Wire for Tally {
    fn put(&self, out: &mut Vec<u8>) {
        let (looked_at, read) = self.counts();
        looked_at.to_vec().put(out);
        read.to_vec().put(out);
        self.gave().put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        let (looked_at, read) = (Vec::take(input)?, Vec::take(input)?);
        Self::from_counts(looked_at, read, Wire::take(input)?).ok_or_else(|| CodecError::broken("Tally"))
    }
}

impl Wire for Labels {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        self.iter().for_each(|label| label.put(out));
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        Vec::take(input).map(Self::from_sorted)
    }
}

impl Wire for Annotations {
    fn put(&self, out: &mut Vec<u8>) {
        let all: Vec<Annotation> = self.iter().cloned().collect();
        all.put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        Vec::take(input).map(Self::from_iter)
    }
}

impl Wire for Points {
    fn put(&self, out: &mut Vec<u8>) {
        let (first, floats, histograms) = self.parts();
        first.put(out);
        floats.to_vec().put(out);
        histograms.to_vec().put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        let (first, floats, histograms) = (usize::take(input)?, Vec::take(input)?, Vec::take(input)?);
        Self::from_parts(first, floats, histograms).ok_or(CodecError::broken("Points"))
    }
}

impl Wire for Compensated {
    fn put(&self, out: &mut Vec<u8>) {
        self.parts().put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        <(f64, f64)>::take(input).map(|(sum, lost)| Self::from_parts(sum, lost))
    }
}

impl Wire for Mean {
    fn put(&self, out: &mut Vec<u8>) {
        let (sum, count, incremental) = self.parts();
        sum.put(out);
        count.put(out);
        incremental.put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        Ok(Self::from_parts(Wire::take(input)?, Wire::take(input)?, Wire::take(input)?))
    }
}

impl Wire for Spread {
    fn put(&self, out: &mut Vec<u8>) {
        self.parts().iter().for_each(|part| part.put(out));
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        Ok(Self::from_parts([f64::take(input)?, f64::take(input)?, f64::take(input)?]))
    }
}

/// States of fragments hold no native histograms: those are handed over one by one.
impl Wire for Running {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sum(sums, _) => {
                out.push(0);
                sums.put(out);
            }
            Self::Mean(means, _) => {
                out.push(1);
                means.put(out);
            }
            Self::Count(counts) => {
                out.push(2);
                counts.put(out);
            }
            Self::Group(present) => {
                out.push(3);
                present.put(out);
            }
            Self::Extreme { most, values } => {
                out.push(4);
                most.put(out);
                values.put(out);
            }
            Self::Spread { root, values } => {
                out.push(5);
                root.put(out);
                values.put(out);
            }
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        match u8::take(input)? {
            0 => Vec::take(input).map(Self::of_sums),
            1 => Vec::take(input).map(Self::of_means),
            2 => Vec::take(input).map(Self::Count),
            3 => Vec::take(input).map(Self::Group),
            4 => Ok(Self::Extreme { most: Wire::take(input)?, values: Wire::take(input)? }),
            5 => Ok(Self::Spread { root: Wire::take(input)?, values: Wire::take(input)? }),
            _ => Err(CodecError::broken("Running")),
        }
    }
}
