//! The values of one label in a table of series.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use model::{MatchOp, Matcher};

/// See the module.
#[derive(Debug)]
pub(super) struct LabelColumn {
    pub(super) label: Arc<str>,
    /// Of each series: 0, if it lacks the label, or one more than the place of its value.
    codes: Vec<u32>,
    texts: SortedTexts,
    places: OnceLock<Places>,
}

/// Texts in order.
#[derive(Debug, Default)]
struct SortedTexts {
    /// One behind the other.
    all: String,
    ends: Vec<u32>,
    /// Where many series have the same value, each is in memory once for all that ask.
    shared: Vec<OnceLock<Arc<str>>>,
}

/// Values that fewer series have, on the average, are not shared.
const SHARED_BY_MIN: usize = 4;

/// Where the series stand that have a value.
#[derive(Debug)]
struct Places {
    /// By code.
    starts: Vec<u32>,
    /// Ascending for each code.
    places: Vec<u32>,
}

/// What a matcher says of series.
pub(super) enum Verdicts<'a> {
    /// By code.
    All(Vec<bool>),
    /// It matches those of one code, if there is one.
    One(Option<u32>),
    /// It is asked for each: there are more values than series that are looked at.
    Asked(&'a Matcher),
}

impl LabelColumn {
    /// The value of a label in the same memory each time, where that is worth while.
    pub(super) fn shared(&self, place: usize) -> Option<Arc<str>> {
        Some(self.value(self.codes[place].checked_sub(1)? as usize))
    }

    /// One of its values.
    pub(super) fn value(&self, index: usize) -> Arc<str> {
        match self.texts.shared.get(index) {
            Some(shared) => Arc::clone(shared.get_or_init(|| self.texts.get(index).into())),
            None => self.texts.get(index).into(),
        }
    }

    pub(super) fn text(&self, place: usize) -> Option<&str> {
        Some(self.texts.get(self.codes[place].checked_sub(1)? as usize))
    }

    pub(super) fn code(&self, place: usize) -> u64 {
        self.codes[place].into()
    }

    pub(super) fn text_count(&self) -> usize {
        self.texts.ends.len()
    }

    /// About how much memory it takes, with its index.
    pub(super) fn memory_bytes(&self) -> usize {
        let texts = &self.texts;
        let shared: usize =
            if texts.shared.is_empty() { 0 } else { texts.all.len() + texts.shared.len() * 48 };
        self.codes.len() * 8 + texts.all.len() + texts.ends.len() * 8 + shared
    }

    /// What a matcher says of so many series.
    pub(super) fn matching<'a>(&self, matcher: &'a Matcher, series: usize) -> Verdicts<'a> {
        match matcher.op {
            MatchOp::Equal if !matcher.value.is_empty() => {
                let index = self.texts.find(&matcher.value);
                Verdicts::One(index.and_then(|index| u32::try_from(index + 1).ok()))
            }
            _ if self.texts.ends.len() <= series => {
                let texts = (0..self.texts.ends.len()).map(|index| matcher.matches(self.texts.get(index)));
                Verdicts::All([matcher.matches("")].into_iter().chain(texts).collect())
            }
            _ => Verdicts::Asked(matcher),
        }
    }

    pub(super) fn passes(&self, verdicts: &Verdicts<'_>, place: usize) -> bool {
        match verdicts {
            Verdicts::All(verdicts) => verdicts[self.codes[place] as usize],
            Verdicts::One(code) => Some(self.codes[place]) == *code,
            Verdicts::Asked(matcher) => matcher.matches(self.text(place).unwrap_or("")),
        }
    }

    /// The places in a range of the series that have a value.
    pub(super) fn places(&self, value: &str, range: &Range<usize>) -> &[u32] {
        let Some(index) = self.texts.find(value) else { return &[] };
        let Places { starts, places } =
            self.places.get_or_init(|| Places::of(&self.codes, self.texts.ends.len()));
        let places = &places[starts[index + 1] as usize..starts[index + 2] as usize];
        let start = places.partition_point(|&place| (place as usize) < range.start);
        let end = places.partition_point(|&place| (place as usize) < range.end);
        &places[start..end]
    }
}

impl Places {
    fn of(codes: &[u32], texts: usize) -> Self {
        let mut starts = vec![0_u32; texts + 2];
        codes.iter().for_each(|code| starts[*code as usize + 1] += 1);
        for code in 0..=texts {
            starts[code + 1] += starts[code];
        }
        let mut next = starts.clone();
        let mut places = vec![0; codes.len()];
        for (place, code) in (0..).zip(codes) {
            let slot = &mut next[*code as usize];
            places[*slot as usize] = place;
            *slot += 1;
        }
        Self { starts, places }
    }
}

impl SortedTexts {
    fn get(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[start as usize..self.ends[index] as usize]
    }

    fn find(&self, text: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.get(middle).cmp(text) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }
}

/// A column that is made series by series.
#[derive(Debug, Default)]
pub(super) struct LabelColumnBuilder {
    /// Of each series: 0, or one more than the number of its value.
    codes: Vec<u32>,
    numbers: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
    bytes: usize,
}

impl LabelColumnBuilder {
    /// The code of a value.
    pub(super) fn code(&mut self, value: &Arc<str>) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len() + 1).unwrap_or(u32::MAX);
        self.bytes += value.len();
        self.numbers.insert(Arc::clone(value), number);
        number
    }

    /// Says of the series at a place which code it has; those before it that were not spoken of lack the label.
    pub(super) fn set(&mut self, place: usize, code: u32) {
        self.codes.resize(place, 0);
        self.codes.push(code);
    }

    /// How many bytes its texts have.
    pub(super) fn text_bytes(&self) -> usize {
        self.bytes
    }

    /// The column of so many series; `None` if none has the label.
    pub(super) fn finish(mut self, label: Arc<str>, series: usize) -> Option<LabelColumn> {
        self.codes.resize(series, 0);
        let mut values: Vec<(Arc<str>, u32)> = self.numbers.into_iter().collect();
        if values.is_empty() {
            return None;
        }
        values.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut texts = SortedTexts {
            all: String::with_capacity(values.iter().map(|(value, _)| value.len()).sum()),
            ends: Vec::with_capacity(values.len()),
            shared: Vec::new(),
        };
        let mut ranks = vec![0; values.len() + 1];
        for ((value, number), rank) in values.iter().zip(1..) {
            ranks[*number as usize] = rank;
            texts.all.push_str(value);
            texts.ends.push(u32::try_from(texts.all.len()).unwrap_or(u32::MAX));
        }
        if values.len() * SHARED_BY_MIN <= series {
            texts.shared.resize_with(values.len(), OnceLock::new);
        }
        self.codes.iter_mut().for_each(|code| *code = ranks[*code as usize]);
        self.codes.shrink_to_fit();
        Some(LabelColumn { label, codes: self.codes, texts, places: OnceLock::new() })
    }
}
