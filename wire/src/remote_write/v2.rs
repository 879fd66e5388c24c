//! `io.prometheus.write.v2.Request`.

use std::hash::Hasher;
use std::sync::Arc;

use model::{Labels, Metadata};

use super::decode::{Allowance, DecodeError, Points, WriteRequest, WriteSeries, type_of};
use super::faults::Faults;
use super::known::{self, KnownLabels};
use super::labels::{self, Symbol};
use crate::fields::{FieldError, Fields};
use crate::{Exemplar, Limits};

/// The texts that references point to.
struct Symbols<'a> {
    bytes: Vec<&'a [u8]>,
    texts: Vec<Option<Arc<str>>>,
}

#[derive(Clone, Copy)]
struct Reference<'a>(&'a Symbols<'a>, usize);

impl Symbol for Reference<'_> {
    fn bytes(&self) -> &[u8] {
        self.0.bytes[self.1]
    }

    fn text(&self) -> Option<Arc<str>> {
        self.0.texts[self.1].clone()
    }
}

impl<'a> Symbols<'a> {
    /// Symbols may come after what refers to them, so they are read first.
    fn of(body: &'a [u8], allowance: &mut Allowance) -> Result<Self, DecodeError> {
        let mut bytes = Vec::new();
        let mut fields = Fields::of(body);
        while let Some((tag, field)) = fields.next()? {
            if tag == 4 {
                allowance.take(1)?;
                bytes.push(field.bytes("Symbols")?);
            }
        }
        let texts = bytes.iter().map(|bytes| std::str::from_utf8(bytes).ok().map(Arc::from)).collect();
        Ok(Self { bytes, texts })
    }

    /// What a reference stands for; `None` beyond the symbols.
    fn get(&self, reference: u64) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(reference).ok()?).copied()
    }

    /// The names and values that references stand for.
    fn pairs(&'a self, references: &[u64]) -> Result<Vec<(Reference<'a>, Reference<'a>)>, String> {
        if !references.len().is_multiple_of(2) {
            return Err(format!("invalid labelRefs length {}", references.len()));
        }
        let size = self.bytes.len();
        let at = |reference: u64| usize::try_from(reference).ok().filter(|index| *index < size);
        let pair = |pair: &[u64]| match (at(pair[0]), at(pair[1])) {
            (Some(name), Some(value)) => Ok((Reference(self, name), Reference(self, value))),
            _ => Err(format!(
                "labelRefs {} (name) = {} (value) outside of symbols table (size {size})",
                pair[0], pair[1]
            )),
        };
        references.chunks_exact(2).map(pair).collect()
    }
}

/// What references stand for.
struct Referred<'a>(&'a Symbols<'a>, &'a [u64]);

impl Referred<'_> {
    fn symbols(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.1.iter().map(|reference| self.0.get(*reference))
    }

    fn bytes(&self) -> usize {
        self.symbols().flatten().map(<[u8]>::len).sum()
    }
}

impl known::Sent for Referred<'_> {
    fn hash(&self, hasher: &mut impl Hasher) {
        for symbol in self.symbols() {
            let symbol = symbol.unwrap_or_default();
            hasher.write_usize(symbol.len());
            hasher.write(symbol);
        }
    }

    fn is(&self, labels: &Labels) -> bool {
        let texts = labels.iter().flat_map(|label| [&label.name, &label.value]);
        self.symbols().eq(texts.map(|text| Some(text.as_bytes())))
    }
}

/// One series as it was sent.
#[derive(Default)]
struct Sent<'a> {
    references: Vec<u64>,
    points: Points,
    floats: usize,
    exemplars: Vec<&'a [u8]>,
    metadata: Option<&'a [u8]>,
    created_ms: i64,
}

pub(super) fn decode(body: &[u8], limits: &Limits, known: &KnownLabels) -> Result<WriteRequest, DecodeError> {
    let mut request = WriteRequest::default();
    let mut allowance = Allowance::of(limits);
    let symbols = Symbols::of(body, &mut allowance)?;
    let mut label_bytes_left = limits.bytes_max;
    let mut fields = Fields::of(body);
    while let Some((tag, field)) = fields.next()? {
        if tag != 5 {
            continue;
        }
        allowance.take(1)?;
        let sent = read(field.bytes("Timeseries")?, limits.labels_max, &mut allowance)?;
        // a reference of one byte may stand for a long text, which would be hashed
        let referred = Referred(&symbols, &sent.references);
        label_bytes_left = label_bytes_left
            .checked_sub(referred.bytes())
            .ok_or(DecodeError::LabelsTooLarge { bytes_max: limits.bytes_max })?;
        let labels = match known.get(&referred, limits.labels_max) {
            Some(labels) => labels,
            None => {
                let labels = series_labels(&sent, &symbols, limits.labels_max, &mut request.faults);
                let Some(labels) = labels else { continue };
                known.put(&referred, labels)
            }
        };
        if let Some(series) = series(sent, labels, &symbols, &mut request.faults)? {
            request.series.push(series);
        }
    }
    Ok(request)
}

/// Of labels no more than one that is too much is read.
fn read<'a>(
    message: &'a [u8],
    labels_max: usize,
    allowance: &mut Allowance,
) -> Result<Sent<'a>, DecodeError> {
    let references_max = 2 * labels_max.saturating_add(1);
    let mut sent = Sent::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => field.uints_up_to("LabelsRefs", references_max, &mut sent.references)?,
            2 => {
                allowance.take(1)?;
                sent.points.add_sample(field.bytes("Samples")?)?;
                sent.floats += 1;
            }
            3 => {
                allowance.take(1)?;
                sent.points.add_histogram(field.bytes("Histograms")?, allowance)?;
            }
            4 => {
                allowance.take(1)?;
                sent.exemplars.push(field.bytes("Exemplars")?);
            }
            5 => sent.metadata = Some(field.bytes("Metadata")?),
            6 => sent.created_ms = field.int("CreatedTimestamp")?,
            _ => {}
        }
    }
    Ok(sent)
}

fn series_labels(
    sent: &Sent<'_>,
    symbols: &Symbols<'_>,
    labels_max: usize,
    faults: &mut Faults,
) -> Option<Labels> {
    match symbols.pairs(&sent.references) {
        Ok(pairs) => labels::build(pairs, labels_max, faults),
        Err(fault) => {
            faults.add(|| {
                let most = &sent.references[..sent.references.len().min(2 * labels_max)];
                format!("parsing labels for series {most:?}: {fault}")
            });
            None
        }
    }
}

fn series(
    mut sent: Sent<'_>,
    labels: Labels,
    symbols: &Symbols<'_>,
    faults: &mut Faults,
) -> Result<Option<WriteSeries>, DecodeError> {
    let shown = || labels::show(labels.iter().map(|label| (label.name.as_bytes(), label.value.as_bytes())));
    match (sent.floats, sent.points.histograms) {
        (0, 0) if sent.exemplars.is_empty() => {
            faults.add(|| {
                format!("TimeSeries must contain at least one sample or histogram for series {}", shown())
            });
            return Ok(None);
        }
        (1.., 1..) => {
            faults.add(|| {
                format!(
                    "TimeSeries must contain either samples or histograms for series {} not both",
                    shown()
                )
            });
            return Ok(None);
        }
        _ => {}
    }
    for fault in &sent.points.faults {
        faults.add(|| fault.of_series(&labels));
    }
    let mut exemplars = Vec::new();
    for message in &sent.exemplars {
        match exemplar(message, symbols)? {
            Ok(exemplar) => exemplars.extend(exemplar),
            Err(fault) => faults.add(|| format!("parsing exemplar for series {}: {fault}", shown())),
        }
    }
    let metadata = match sent.metadata {
        Some(metadata) => metadata_of(metadata, symbols, faults, shown)?,
        None => Metadata::default(),
    };
    if sent.created_ms != 0 {
        for point in sent.points.points.iter_mut().filter(|point| point.start_ms == 0) {
            point.start_ms = sent.created_ms;
        }
    }
    Ok(Some(WriteSeries { labels, points: sent.points.points, exemplars, metadata }))
}

/// Of names and values of an exemplar's labels. With more of them it is longer than any may be.
const EXEMPLAR_REFERENCES_MAX: usize = 2 * model::EXEMPLAR_CHARS_MAX;

/// An exemplar, or what is wrong with its references; nothing if its labels are no texts.
fn exemplar(message: &[u8], symbols: &Symbols<'_>) -> Result<Result<Option<Exemplar>, String>, FieldError> {
    let (mut references, mut value, mut at_ms) = (Vec::new(), 0.0, 0);
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => field.uints_up_to("LabelsRefs", EXEMPLAR_REFERENCES_MAX + 1, &mut references)?,
            2 => value = field.double("Value")?,
            3 => at_ms = field.int("Timestamp")?,
            _ => {}
        }
    }
    if references.len() > EXEMPLAR_REFERENCES_MAX {
        return Ok(Ok(None));
    }
    Ok(symbols.pairs(&references).map(|pairs| {
        let labels = pairs.iter().map(|(name, value)| name.text().zip(value.text()));
        let labels = labels.collect::<Option<Vec<_>>>()?;
        Some(Exemplar { labels, value, timestamp_ms: Some(at_ms) })
    }))
}

/// Type, help and unit. References must lead somewhere; the samples are kept either way.
fn metadata_of(
    message: &[u8],
    symbols: &Symbols<'_>,
    faults: &mut Faults,
    shown: impl Fn() -> String,
) -> Result<Metadata, FieldError> {
    let mut metadata = Metadata::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        let name = match tag {
            1 => {
                metadata.r#type = type_of(field.uint("Type")?);
                continue;
            }
            3 => "HelpRef",
            4 => "UnitRef",
            _ => continue,
        };
        let (reference, size) = (field.uint(name)?, symbols.bytes.len());
        let symbol = usize::try_from(reference).ok().and_then(|reference| symbols.texts.get(reference));
        if let Some(Some(text)) = symbol {
            let place = if tag == 3 { &mut metadata.help } else { &mut metadata.unit };
            *place = Arc::clone(text);
        }
        if symbol.is_none() && reference != 0 {
            faults.add(|| {
                format!(
                    "parsing metadata for series {}: {name} {reference} outside of symbols table (size {size})",
                    shown()
                )
            });
        }
    }
    Ok(metadata)
}
