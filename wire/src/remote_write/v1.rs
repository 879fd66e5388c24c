//! `prometheus.WriteRequest`.

use std::collections::HashMap;
use std::sync::Arc;

use model::MetricType;

use super::decode::{Allowance, DecodeError, Points, WriteRequest, WriteSeries};
use super::labels::{self, Symbol};
use crate::Limits;
use crate::fields::{FieldError, Fields};

/// Texts of one body: those that it repeats are held once.
type Texts<'a> = HashMap<&'a [u8], Option<Arc<str>>>;

struct Text<'a>(&'a [u8], Option<Arc<str>>);

impl Symbol for Text<'_> {
    fn bytes(&self) -> &[u8] {
        self.0
    }

    fn text(&self) -> Option<Arc<str>> {
        self.1.clone()
    }
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8], texts: &mut Texts<'a>) -> Self {
        let text = texts.entry(bytes).or_insert_with(|| std::str::from_utf8(bytes).ok().map(Arc::from));
        Self(bytes, text.clone())
    }
}

pub(super) fn decode(body: &[u8], limits: &Limits) -> Result<WriteRequest, DecodeError> {
    let mut request = WriteRequest::default();
    let (mut texts, mut allowance) = (Texts::new(), Allowance::of(limits));
    let mut fields = Fields::of(body);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => {
                allowance.take(1)?;
                series(field.bytes("Timeseries")?, limits, &mut texts, &mut allowance, &mut request)?;
            }
            // what families are has no place among samples yet; but it must be a message
            3 => check_message(field.bytes("Metadata")?)?,
            _ => {}
        }
    }
    Ok(request)
}

fn check_message(message: &[u8]) -> Result<(), FieldError> {
    let mut fields = Fields::of(message);
    while fields.next()?.is_some() {}
    Ok(())
}

fn series<'a>(
    message: &'a [u8],
    limits: &Limits,
    texts: &mut Texts<'a>,
    allowance: &mut Allowance,
    request: &mut WriteRequest,
) -> Result<(), DecodeError> {
    let (mut pairs, mut points, mut exemplars) = (Vec::new(), Points::default(), 0);
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => {
                let (name, value) = pair(field.bytes("Labels")?)?;
                pairs.push((Text::of(name, texts), Text::of(value, texts)));
            }
            2 => {
                allowance.take(1)?;
                points.add_sample(field.bytes("Samples")?)?;
            }
            3 => {
                allowance.take(1)?;
                check_message(field.bytes("Exemplars")?)?;
                exemplars += 1;
            }
            4 => {
                allowance.take(1)?;
                points.add_histogram(field.bytes("Histograms")?, allowance)?;
            }
            _ => {}
        }
    }
    let Some(labels) = labels::build(pairs, limits.labels_max, &mut request.faults) else { return Ok(()) };
    for fault in &points.faults {
        request.faults.add(|| fault.of_series(&labels));
    }
    request.series.push(WriteSeries {
        labels,
        points: points.points,
        exemplars,
        r#type: MetricType::Untyped,
        unit: "".into(),
    });
    Ok(())
}

fn pair(message: &[u8]) -> Result<(&[u8], &[u8]), FieldError> {
    let (mut name, mut value): (&[u8], &[u8]) = (b"", b"");
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => name = field.bytes("Name")?,
            2 => value = field.bytes("Value")?,
            _ => {}
        }
    }
    Ok((name, value))
}
