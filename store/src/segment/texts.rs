//! Dictionary columns whose texts are shared: between rows, between batches, and with whoever keeps a label.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, StringArray};

/// The dictionaries of a file, by column. The batches of a row group share theirs, so a text that many rows use is
/// allocated once, and one that none uses not at all.
#[derive(Debug, Default)]
pub(super) struct Dictionaries {
    by_column: HashMap<String, Arc<Dictionary>>,
}

#[derive(Debug)]
struct Dictionary {
    values: StringArray,
    texts: Vec<OnceLock<Arc<str>>>,
}

/// A column of texts.
#[derive(Debug)]
pub(super) struct Texts<'a> {
    array: &'a DictionaryArray<Int32Type>,
    dictionary: Arc<Dictionary>,
}

impl Dictionaries {
    /// The texts of a column; `None` if it holds none.
    pub(super) fn texts<'a>(&mut self, column: &str, array: &'a ArrayRef) -> Option<Texts<'a>> {
        let array = array.as_dictionary_opt::<Int32Type>()?;
        let values = array.values().as_string_opt::<i32>()?;
        if let Some(known) = self.by_column.get(column)
            && is_same(&known.values, values)
        {
            return Some(Texts { array, dictionary: Arc::clone(known) });
        }
        let texts = vec![OnceLock::new(); values.len()];
        let dictionary = Arc::new(Dictionary { values: values.clone(), texts });
        self.by_column.insert(column.to_owned(), Arc::clone(&dictionary));
        Some(Texts { array, dictionary })
    }
}

/// Whether both are the same memory. The dictionary that is kept keeps its memory, so no other can have its address.
pub(super) fn is_same(a: &StringArray, b: &StringArray) -> bool {
    a.len() == b.len()
        && a.values().as_ptr() == b.values().as_ptr()
        && a.value_offsets().as_ptr() == b.value_offsets().as_ptr()
}

impl Texts<'_> {
    /// Whether a row has the same text as the row before it.
    pub(super) fn continues(&self, row: usize) -> bool {
        self.array.key(row) == self.array.key(row - 1)
    }

    /// The place in the dictionary of the text of a row, if it has one.
    pub(super) fn key(&self, row: usize) -> Option<usize> {
        self.array.key(row)
    }

    /// The places in the dictionary of all rows, if each has a text.
    pub(super) fn keys(&self) -> Option<&[i32]> {
        (self.array.null_count() == 0).then(|| self.array.keys().values().as_ref())
    }

    /// Whether all rows have this text.
    pub(super) fn are_all(&self, text: &str) -> bool {
        let Some(keys) = self.keys() else { return false };
        let first = keys.first().is_some_and(|_| self.get(0).is_some_and(|found| **found == *text));
        first && keys.iter().all(|key| *key == keys[0])
    }

    /// The text of a row, if it has one.
    pub(super) fn get(&self, row: usize) -> Option<&Arc<str>> {
        let key = self.array.key(row)?;
        let text = self.dictionary.texts.get(key)?;
        Some(text.get_or_init(|| Arc::from(self.dictionary.values.value(key))))
    }
}
