//! The columns that hold most of a file: what stays the same for the rows of a series, and numbers of each row.

use bytes::Bytes;
use foldhash::HashMap;
use parquet::basic::Encoding;
use parquet::column::writer::ColumnCloseResult;

use super::SegmentError;
use super::chunk::{Body, Chunk, Layout, levels};
use super::hybrid::{Hybrid, width_of};

/// A label with many values, like an instance that lives for one run, stays a dictionary up to this size: it stands once
/// per row group then, and not once per series.
pub(super) const DICTIONARY_BYTES_MAX: usize = 16 << 20;

/// Stands where a run has no value.
const NO_CODE: u32 = u32::MAX;

/// What stands in the rows of a series, and how many they are.
pub(super) type Run<'a> = (Option<&'a [u8]>, usize);

/// How values stand in a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Each with its length before it.
    Text,
    /// All of the same length.
    Fixed,
}

impl Form {
    fn write(self, value: &[u8], bytes: &mut Vec<u8>) -> Result<(), SegmentError> {
        if self == Self::Text {
            let length = u32::try_from(value.len()).map_err(|_| SegmentError::Text { bytes: value.len() })?;
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        bytes.extend_from_slice(value);
        Ok(())
    }
}

/// The values of some runs, each once, and which of them each run has.
struct Dictionary {
    bytes: Vec<u8>,
    count: u32,
    /// By run.
    codes: Vec<u32>,
}

impl Dictionary {
    /// `None` if it would be larger than it may.
    fn of<'a>(runs: impl Iterator<Item = Run<'a>>, form: Form) -> Result<Option<Self>, SegmentError> {
        let mut known: HashMap<&[u8], u32> = HashMap::default();
        let mut dictionary = Self { bytes: Vec::new(), count: 0, codes: Vec::new() };
        let mut last: (Option<&[u8]>, u32) = (None, NO_CODE);
        for (value, _) in runs {
            if value != last.0 {
                let code = match value {
                    None => NO_CODE,
                    Some(value) => match known.get(value) {
                        Some(code) => *code,
                        None => {
                            let code = dictionary.count;
                            known.insert(value, code);
                            form.write(value, &mut dictionary.bytes)?;
                            dictionary.count += 1;
                            code
                        }
                    },
                };
                if dictionary.bytes.len() > DICTIONARY_BYTES_MAX {
                    return Ok(None);
                }
                last = (value, code);
            }
            dictionary.codes.push(last.1);
        }
        Ok(Some(dictionary))
    }
}

/// A page that is being filled.
struct Filling<'a> {
    rows: usize,
    nulls: usize,
    levels: Hybrid,
    values: Values,
    /// Of the values, if anybody asks for them.
    bounds: Option<(&'a [u8], &'a [u8])>,
    bounded: bool,
}

enum Values {
    Codes(Hybrid),
    Plain(Vec<u8>),
}

impl<'a> Filling<'a> {
    /// `width`: of the codes, if there is a dictionary.
    fn new(width: Option<usize>, bounded: bool) -> Self {
        let values = match width {
            #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
            Some(width) => Values::Codes(Hybrid::new(width, vec![width as u8])),
            None => Values::Plain(Vec::new()),
        };
        Self { rows: 0, nulls: 0, levels: Hybrid::new(1, vec![0; 4]), values, bounds: None, bounded }
    }

    fn len(&self) -> usize {
        self.levels.len()
            + match &self.values {
                Values::Codes(codes) => codes.len(),
                Values::Plain(bytes) => bytes.len(),
            }
    }

    fn push(
        &mut self,
        value: Option<&'a [u8]>,
        code: u32,
        rows: usize,
        form: Form,
    ) -> Result<(), SegmentError> {
        self.rows += rows;
        self.levels.push(u32::from(value.is_some()), rows);
        let Some(value) = value else {
            self.nulls += rows;
            return Ok(());
        };
        if self.bounded {
            self.bounds =
                Some(self.bounds.map_or((value, value), |(least, most)| (least.min(value), most.max(value))));
        }
        match &mut self.values {
            Values::Codes(codes) => codes.push(code, rows),
            Values::Plain(bytes) => {
                for _ in 0..rows {
                    form.write(value, bytes)?;
                }
            }
        }
        Ok(())
    }

    fn finish(self, chunk: &mut Chunk) -> Result<(), SegmentError> {
        let mut bytes = if chunk.is_nullable() { levels(self.levels) } else { Vec::new() };
        let encoding = match self.values {
            Values::Codes(codes) => {
                bytes.append(&mut codes.finish());
                Encoding::RLE_DICTIONARY
            }
            Values::Plain(mut plain) => {
                bytes.append(&mut plain);
                Encoding::PLAIN
            }
        };
        let body = chunk.body(encoding, &bytes)?;
        chunk.page(self.rows, self.nulls, self.bounds, body)
    }
}

/// A column that stays the same for the rows of a series. Each value is looked up once per run. `bounded`: with statistics.
pub(super) fn runs<'a>(
    mut chunk: Chunk,
    layout: &Layout,
    runs: impl Iterator<Item = Run<'a>> + Clone,
    form: Form,
    bounded: bool,
) -> Result<(Bytes, ColumnCloseResult), SegmentError> {
    let dictionary = Dictionary::of(runs.clone(), form)?;
    let mut width = None;
    if let Some(dictionary) = &dictionary {
        chunk.dictionary(dictionary.count, &dictionary.bytes)?;
        width = Some(width_of(dictionary.count.saturating_sub(1) as usize));
    }
    let codes = dictionary.map_or_else(Vec::new, |dictionary| dictionary.codes);
    let (mut page, mut row, mut nulls) = (Filling::new(width, bounded), 0, 0);
    let mut bounds: Option<(&[u8], &[u8])> = None;
    for (run, (value, rows)) in runs.enumerate() {
        let code = codes.get(run).copied().unwrap_or(NO_CODE);
        let mut rest = rows;
        while rest > 0 {
            let take = match page.values {
                Values::Codes(_) => rest.min(layout.rows_left(page.rows)),
                Values::Plain(_) => 1,
            };
            page.push(value, code, take, form)?;
            (rest, row) = (rest - take, row + take);
            if layout.ends(page.rows, row, page.len(), bounded) {
                nulls += page.nulls;
                bounds = wider(bounds, page.bounds);
                std::mem::replace(&mut page, Filling::new(width, bounded)).finish(&mut chunk)?;
            }
        }
    }
    if page.rows > 0 {
        nulls += page.nulls;
        bounds = wider(bounds, page.bounds);
        page.finish(&mut chunk)?;
    }
    chunk.finish(layout, bounded.then_some((bounds, nulls)))
}

fn wider<'a>(
    a: Option<(&'a [u8], &'a [u8])>,
    b: Option<(&'a [u8], &'a [u8])>,
) -> Option<(&'a [u8], &'a [u8])> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Bytes of a number.
const WORD: usize = 8;

/// What is to be done with the numbers of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// They are integers, with statistics of each page.
    Bounded,
    /// They are floats, which are kept as all first bytes, all second bytes, and so on, page by page, unless they are
    /// much shorter as they are.
    Split,
}

/// Pages of plain floats take twice as long to decompress, since they are made of many short repetitions: they have to
/// be so much shorter, in hundredths.
const PLAIN_IN_100: usize = 90;

/// A column of a number for each row.
pub(super) fn numbers(
    mut chunk: Chunk,
    layout: &Layout,
    mut numbers: impl Iterator<Item = [u8; WORD]>,
    rows: usize,
    kind: Numbers,
) -> Result<(Bytes, ColumnCloseResult), SegmentError> {
    let (mut row, mut plain, mut streams) = (0, Vec::new(), Vec::new());
    let mut bounds: Option<(i64, i64)> = None;
    while row < rows {
        let end = layout.end(row, rows, WORD);
        let count = end - row;
        let all_present = |bytes: &mut Vec<u8>| {
            bytes.clear();
            if chunk.is_nullable() {
                let mut all = Hybrid::new(1, vec![0; 4]);
                all.push(1, count);
                bytes.append(&mut levels(all));
            }
        };
        all_present(&mut plain);
        all_present(&mut streams);
        let head = plain.len();
        for number in numbers.by_ref().take(count) {
            plain.extend_from_slice(&number);
        }
        let mut body: Body = chunk.body(Encoding::PLAIN, &plain)?;
        if kind == Numbers::Split {
            split_streams(&plain[head..], &mut streams);
            let (levels, bytes) = streams.split_at(head);
            let parts = [levels].into_iter().chain(bytes.chunks(count));
            let of_streams = chunk.body_of_parts(Encoding::BYTE_STREAM_SPLIT, parts)?;
            if of_streams.len() * PLAIN_IN_100 <= body.len() * 100 {
                body = of_streams;
            }
        }
        row = end;
        if kind != Numbers::Bounded {
            chunk.page(count, 0, None, body)?;
            continue;
        }
        let (words, _) = plain[head..].as_chunks::<WORD>();
        let of_page = words.iter().map(|word| i64::from_le_bytes(*word));
        let (least, most) = of_page.fold((i64::MAX, i64::MIN), |(a, b), word| (a.min(word), b.max(word)));
        bounds = Some(bounds.map_or((least, most), |(a, b)| (a.min(least), b.max(most))));
        chunk.page(count, 0, Some((&least.to_le_bytes(), &most.to_le_bytes())), body)?;
    }
    let of_all = bounds.map(|(least, most)| (least.to_le_bytes(), most.to_le_bytes()));
    let of_all = of_all.as_ref().map(|(least, most)| (&least[..], &most[..]));
    chunk.finish(layout, of_all.is_some().then_some((of_all, 0)))
}

/// Of all numbers the first byte, then of all the second, and so on.
fn split_streams(plain: &[u8], streams: &mut Vec<u8>) {
    let (words, _) = plain.as_chunks::<WORD>();
    for byte in 0..WORD {
        streams.extend(words.iter().map(|word| word[byte]));
    }
}
