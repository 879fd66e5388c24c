//! Lists that stand beside a run: entries of one length in ascending order, between a magic and the XXH3-64 of all before it,
//! big endian.

use xxhash_rust::xxh3::xxh3_64;

/// What such a list holds.
pub(crate) trait Entry: Ord + Sized {
    /// What the object begins with.
    const MAGIC: &'static [u8; 8];

    /// How many bytes an entry has.
    const BYTES: usize;

    /// Puts exactly so many.
    fn put(&self, bytes: &mut Vec<u8>);

    /// Reads exactly so many; `None`: they are no entry.
    fn get(bytes: &[u8]) -> Option<Self>;
}

const CHECK_BYTES: usize = 8;

/// The object of some entries, given in any order.
pub(crate) fn encode<E: Entry>(mut entries: Vec<E>) -> Vec<u8> {
    entries.sort_unstable();
    entries.dedup();
    let mut bytes = Vec::with_capacity(E::MAGIC.len() + entries.len() * E::BYTES + CHECK_BYTES);
    bytes.extend(E::MAGIC);
    entries.iter().for_each(|entry| entry.put(&mut bytes));
    let check = xxh3_64(&bytes);
    bytes.extend(check.to_be_bytes());
    bytes
}

/// The entries of an object, in ascending order; `None` if it is damaged.
pub(crate) fn decode<E: Entry>(bytes: &[u8]) -> Option<Vec<E>> {
    let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    if xxh3_64(body) != u64::from_be_bytes(*check) {
        return None;
    }
    let entries = body.strip_prefix(E::MAGIC)?;
    if !entries.len().is_multiple_of(E::BYTES) {
        return None;
    }
    entries.chunks_exact(E::BYTES).map(E::get).collect()
}

/// That entries come back in order, each once, and that damage is found wherever it is.
#[cfg(test)]
pub(super) fn check<E: Entry + Clone + std::fmt::Debug>(given: &[E], expect: &[E]) {
    let bytes = encode(given.to_vec());
    assert_eq!(decode::<E>(&bytes).as_deref(), Some(expect));
    assert_eq!(decode::<E>(&encode::<E>(Vec::new())).as_deref(), Some(&[][..]));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(decode::<E>(&damaged), None, "byte {at}");
        assert_eq!(decode::<E>(&bytes[..at]), None, "{at} bytes");
    }
}
