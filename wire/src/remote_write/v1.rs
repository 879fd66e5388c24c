//! `prometheus.WriteRequest`.

use std::hash::Hasher;
use std::sync::Arc;

use foldhash::HashMap;
use model::{EXEMPLAR_CHARS_MAX, Labels, Metadata, MetricType};

use super::decode::{Allowance, DecodeError, Points, WriteRequest, WriteSeries, type_of};
use super::known::{KnownLabels, Sent};
use super::labels::{self, Symbol};
use crate::fields::{FieldError, Fields};
use crate::{Exemplar, Limits};

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

pub(super) fn decode(body: &[u8], limits: &Limits, known: &KnownLabels) -> Result<WriteRequest, DecodeError> {
    let mut request = WriteRequest::default();
    let (mut texts, mut allowance) = (Texts::default(), Allowance::of(limits));
    let mut fields = Fields::of(body);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => {
                allowance.take(1)?;
                let message = field.bytes("Timeseries")?;
                series(message, limits, known, &mut texts, &mut allowance, &mut request)?;
            }
            3 => {
                allowance.take(1)?;
                let told = family(field.bytes("Metadata")?, &mut texts)?;
                request.families.extend(told.filter(|(name, _)| !name.is_empty()));
            }
            _ => {}
        }
    }
    Ok(request)
}

/// A family's name and what is told of it; `None` if that is no text.
fn family<'a>(message: &'a [u8], texts: &mut Texts<'a>) -> Result<Option<(Arc<str>, Metadata)>, FieldError> {
    let (mut r#type, mut name, mut help, mut unit): (MetricType, &[u8], &[u8], &[u8]) =
        (MetricType::Untyped, b"", b"", b"");
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => r#type = type_of(field.uint("Type")?),
            2 => name = field.bytes("MetricFamilyName")?,
            4 => help = field.bytes("Help")?,
            5 => unit = field.bytes("Unit")?,
            _ => {}
        }
    }
    let mut text = |bytes| Text::of(bytes, texts).1;
    let (Some(name), Some(help), Some(unit)) = (text(name), text(help), text(unit)) else { return Ok(None) };
    Ok(Some((name, Metadata { r#type, help, unit })))
}

/// An exemplar; `None` if its labels are no texts.
fn exemplar<'a>(message: &'a [u8], texts: &mut Texts<'a>) -> Result<Option<Exemplar>, FieldError> {
    let (mut labels, mut value, mut at_ms) = (Some(Vec::new()), 0.0, 0);
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => {
                let (name, value) = pair(field.bytes("Labels")?)?;
                // with more of them it is longer than any may be
                let fits = labels.as_ref().is_some_and(|labels| labels.len() < EXEMPLAR_CHARS_MAX);
                let label = Text::of(name, texts).1.zip(Text::of(value, texts).1).filter(|_| fits);
                labels = labels.zip(label).map(|(mut labels, label): (Vec<_>, _)| {
                    labels.push(label);
                    labels
                });
            }
            2 => value = field.double("Value")?,
            3 => at_ms = field.int("Timestamp")?,
            _ => {}
        }
    }
    Ok(labels.map(|labels| Exemplar { labels, value, timestamp_ms: Some(at_ms) }))
}

fn series<'a>(
    message: &'a [u8],
    limits: &Limits,
    known: &KnownLabels,
    texts: &mut Texts<'a>,
    allowance: &mut Allowance,
    request: &mut WriteRequest,
) -> Result<(), DecodeError> {
    let (mut points, mut exemplars) = (Points::default(), Vec::new());
    // senders put the labels before all else
    let (mut labels_end, mut is_one_run) = (0, true);
    let mut fields = Fields::of(message);
    loop {
        let begin = message.len() - fields.rest().len();
        let Some((tag, field)) = fields.next()? else { break };
        match tag {
            1 => {
                field.bytes("Labels")?;
                is_one_run &= labels_end == begin;
                labels_end = message.len() - fields.rest().len();
            }
            2 => {
                allowance.take(1)?;
                points.add_sample(field.bytes("Samples")?)?;
            }
            3 => {
                allowance.take(1)?;
                exemplars.extend(exemplar(field.bytes("Exemplars")?, texts)?);
            }
            4 => {
                allowance.take(1)?;
                points.add_histogram(field.bytes("Histograms")?, allowance)?;
            }
            _ => {}
        }
    }
    let sent = LabelFields(&message[..labels_end]);
    let labels = match is_one_run.then(|| known.get(&sent, limits.labels_max)).flatten() {
        Some(labels) => labels,
        None => {
            let pairs = pairs(sent.0, texts)?;
            let Some(labels) = labels::build(pairs, limits.labels_max, &mut request.faults) else {
                return Ok(());
            };
            if is_one_run { known.put(&sent, labels) } else { labels }
        }
    };
    for fault in &points.faults {
        request.faults.add(|| fault.of_series(&labels));
    }
    request.series.push(WriteSeries {
        labels,
        points: points.points,
        exemplars,
        metadata: Metadata::default(),
    });
    Ok(())
}

/// Labels as they were sent: fields of a message, without others between them.
struct LabelFields<'a>(&'a [u8]);

impl Sent for LabelFields<'_> {
    fn hash(&self, hasher: &mut impl Hasher) {
        hasher.write(self.0);
    }

    fn is(&self, labels: &Labels) -> bool {
        let (mut fields, mut labels) = (Fields::of(self.0), labels.iter());
        while let Ok(Some((_, field))) = fields.next() {
            let Ok(Ok((name, value))) = field.bytes("Labels").map(pair) else { return false };
            let is_next =
                labels.next().is_some_and(|l| l.name.as_bytes() == name && l.value.as_bytes() == value);
            if !is_next {
                return false;
            }
        }
        fields.rest().is_empty() && labels.next().is_none()
    }
}

/// The labels of a series.
fn pairs<'a>(message: &'a [u8], texts: &mut Texts<'a>) -> Result<Vec<(Text<'a>, Text<'a>)>, FieldError> {
    let mut pairs = Vec::new();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        if tag == 1 {
            let (name, value) = pair(field.bytes("Labels")?)?;
            pairs.push((Text::of(name, texts), Text::of(value, texts)));
        }
    }
    Ok(pairs)
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
