//! Native histograms in descriptions of series: `{{schema:0 count:3 sum:5 buckets:[1 2]}}x3`.

use std::sync::Arc;

use model::{CounterReset, Histogram, HistogramSum, Span};

use super::error::ParseError;
use super::series::{SeriesItem, Values};

/// A histogram as it is written.
#[derive(Clone)]
struct Written {
    histogram: Histogram,
    states_reset: bool,
}

impl Values<'_> {
    /// One histogram, or several: `{{…}}x3`, `{{…}}+{{…}}x3`.
    pub(super) fn histograms(&mut self) -> Result<(), ParseError> {
        let first = self.histogram()?;
        let start = self.lexer.at;
        let sign = if self.lexer.take(b'+') {
            1.0
        } else if self.lexer.take(b'-') {
            -1.0
        } else {
            let count = self.times()?.map_or(1, |times| times + 1);
            let value = Arc::new(first.histogram);
            let states_reset = first.states_reset;
            return self.push(count, |_| SeriesItem::Histogram { value: Arc::clone(&value), states_reset });
        };
        let step = self.histogram()?;
        let Some(times) = self.times()? else {
            return self.error(start, "expected x and a number of repetitions");
        };
        if first.histogram.schema > step.histogram.schema {
            let (from, to) = (first.histogram.schema, step.histogram.schema);
            return self.error(
                start,
                format!("error combining histograms: cannot merge from schema {from} to {to}"),
            );
        }
        let mut all = vec![Arc::new(first.histogram)];
        for _ in 0..times {
            let mut sum = HistogramSum::of(&all[all.len() - 1]);
            let combined = if sign > 0.0 { sum.add(&step.histogram) } else { sum.subtract(&step.histogram) };
            if let Err(error) = combined {
                return self.error(start, error.to_string());
            }
            all.push(Arc::new(sum.value()));
        }
        let states_reset = first.states_reset;
        self.push(all.len(), |index| SeriesItem::Histogram { value: Arc::clone(&all[index]), states_reset })
    }

    fn histogram(&mut self) -> Result<Written, ParseError> {
        let start = self.lexer.at;
        if !(self.lexer.take(b'{') && self.lexer.take(b'{')) {
            return self.error(start, "expected a histogram");
        }
        let mut written = Written { histogram: Histogram::default(), states_reset: false };
        let (mut offset, mut negative_offset) = (0, 0);
        let mut seen: Vec<String> = Vec::new();
        loop {
            self.blanks();
            if self.lexer.take(b'}') {
                if !self.lexer.take(b'}') {
                    return self.error(start, "expected }} at the end of a histogram");
                }
                break;
            }
            let key_start = self.lexer.at;
            self.lexer.take_while(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let key = self.text[key_start..self.lexer.at].to_owned();
            if !self.lexer.take(b':') {
                return self
                    .error(key_start, format!("expected a key and a colon in a histogram, found {key:?}"));
            }
            if seen.contains(&key) {
                return self.error(key_start, format!("duplicate key {key:?} in histogram"));
            }
            let histogram = &mut written.histogram;
            match key.as_str() {
                "schema" => histogram.schema = self.integer()?,
                "sum" => histogram.sum = self.number()?,
                "count" => histogram.count = self.number()?,
                "z_bucket" => histogram.zero_count = self.number()?,
                "z_bucket_w" => histogram.zero_threshold = self.number()?,
                "offset" => offset = self.integer()?,
                "n_offset" => negative_offset = self.integer()?,
                "buckets" => histogram.positive_counts = self.numbers()?,
                "n_buckets" => histogram.negative_counts = self.numbers()?,
                "custom_values" => histogram.custom_bounds = self.numbers()?,
                "counter_reset_hint" => {
                    histogram.counter_reset = self.reset()?;
                    written.states_reset = true;
                }
                _ => return self.error(key_start, format!("unknown key {key:?} in histogram")),
            }
            seen.push(key);
        }
        let histogram = &mut written.histogram;
        histogram.positive_spans = span(offset, histogram.positive_counts.len());
        histogram.negative_spans = span(negative_offset, histogram.negative_counts.len());
        Ok(written)
    }

    fn blanks(&mut self) {
        self.lexer.take_while(|byte| byte.is_ascii_whitespace());
    }

    fn integer<T: TryFrom<i64>>(&mut self) -> Result<T, ParseError> {
        let start = self.lexer.at;
        self.lexer.take(b'-');
        self.lexer.take_while(|byte| byte.is_ascii_digit());
        let value = self.text[start..self.lexer.at].parse::<i64>().ok();
        match value.and_then(|value| T::try_from(value).ok()) {
            Some(value) => Ok(value),
            None => self.error(start, "expected an integer in a histogram"),
        }
    }

    fn numbers(&mut self) -> Result<Vec<f64>, ParseError> {
        let start = self.lexer.at;
        if !self.lexer.take(b'[') {
            return self.error(start, "expected a list of numbers in a histogram");
        }
        let mut numbers = Vec::new();
        loop {
            self.blanks();
            if self.lexer.take(b']') {
                return Ok(numbers);
            }
            numbers.push(self.number()?);
        }
    }

    fn reset(&mut self) -> Result<CounterReset, ParseError> {
        let start = self.lexer.at;
        self.lexer.take_while(|byte| byte.is_ascii_lowercase() || byte == b'_');
        match &self.text[start..self.lexer.at] {
            "unknown" => Ok(CounterReset::Unknown),
            "reset" => Ok(CounterReset::Reset),
            "not_reset" => Ok(CounterReset::NotReset),
            "gauge" => Ok(CounterReset::Gauge),
            other => self.error(start, format!("unknown counter reset hint {other:?}")),
        }
    }
}

fn span(offset: i32, length: usize) -> Vec<Span> {
    match u32::try_from(length) {
        Ok(length) if length > 0 => vec![Span { offset, length }],
        _ => Vec::new(),
    }
}
