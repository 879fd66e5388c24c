//! Parquet's hybrid of runs and packed bits, made from runs.
//!
//! Rows stand series by series, so what a series says is a run. A general writer sees one row after the other and keeps
//! runs of less than eight as packed bits, which no compression shortens; here each run takes the form that is shorter.

/// Encodes numbers of at most `width` bits.
#[derive(Debug)]
pub(super) struct Hybrid {
    width: usize,
    bytes: Vec<u8>,
    /// The run that may go on.
    run: (u32, usize),
    /// What will stand as packed bits.
    packed: Vec<u32>,
}

/// Packed bits come in groups of as many numbers.
const GROUP: usize = 8;

impl Hybrid {
    /// Appends to what is there already.
    pub(super) fn new(width: usize, bytes: Vec<u8>) -> Self {
        Self { width, bytes, run: (0, 0), packed: Vec::new() }
    }

    /// About how many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.packed.len() * self.width / 8
    }

    /// Adds a number `count` times.
    pub(super) fn push(&mut self, number: u32, count: usize) {
        if self.run.0 == number {
            self.run.1 += count;
        } else {
            let (number, count) = std::mem::replace(&mut self.run, (number, count));
            self.place(number, count);
        }
    }

    /// All of it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let (number, count) = self.run;
        self.place(number, count);
        self.flush_packed();
        self.bytes
    }

    fn place(&mut self, number: u32, mut count: usize) {
        // packed bits end only where a group does, or with the page
        let open = self.packed.len() % GROUP;
        if open > 0 {
            let fill = count.min(GROUP - open);
            self.packed.extend(std::iter::repeat_n(number, fill));
            count -= fill;
        }
        if count == 0 {
            return;
        }
        let value_bytes = self.width.div_ceil(8);
        // what is packed before and after needs a head of its own
        let heads = if self.packed.is_empty() { 1 } else { 2 };
        if self.width > 0 && count * self.width <= 8 * (heads + value_bytes) {
            self.packed.extend(std::iter::repeat_n(number, count));
            return;
        }
        self.flush_packed();
        self.head(count << 1);
        self.bytes.extend_from_slice(&number.to_le_bytes()[..value_bytes]);
    }

    fn flush_packed(&mut self) {
        if self.packed.is_empty() {
            return;
        }
        let groups = self.packed.len().div_ceil(GROUP);
        self.packed.resize(groups * GROUP, 0);
        self.head(groups << 1 | 1);
        let (mut bits, mut held) = (0_u64, 0);
        for &number in &self.packed {
            bits |= u64::from(number) << held;
            held += self.width;
            while held >= 8 {
                self.bytes.push(bits.to_le_bytes()[0]);
                bits >>= 8;
                held -= 8;
            }
        }
        self.packed.clear();
    }

    /// A number in groups of seven bits, the last one without the eighth.
    fn head(&mut self, mut head: usize) {
        while head > 0x7f {
            self.bytes.push(head.to_le_bytes()[0] | 0x80);
            head >>= 7;
        }
        self.bytes.push(head.to_le_bytes()[0]);
    }
}

/// The bits that a number up to `most` needs.
pub(super) fn width_of(most: usize) -> usize {
    (usize::BITS - most.leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(width: usize, runs: &[(u32, usize)]) -> Vec<u8> {
        let mut hybrid = Hybrid::new(width, Vec::new());
        runs.iter().for_each(|(number, count)| hybrid.push(*number, *count));
        hybrid.finish()
    }

    /// The format, read literally.
    fn decoded(width: usize, mut bytes: &[u8], count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        while !bytes.is_empty() {
            let (mut head, mut shift) = (0_usize, 0);
            loop {
                let (first, rest) = bytes.split_first().unwrap();
                head |= usize::from(first & 0x7f) << shift;
                shift += 7;
                bytes = rest;
                if first & 0x80 == 0 {
                    break;
                }
            }
            if head & 1 == 0 {
                let (value, rest) = bytes.split_at(width.div_ceil(8));
                let value = value.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
                numbers.extend(std::iter::repeat_n(value, head >> 1));
                bytes = rest;
            } else {
                let (packed, rest) = bytes.split_at((head >> 1) * width);
                let bit = |at: usize| u32::from(packed[at / 8] >> (at % 8) & 1);
                let number = |at: usize| (0..width).fold(0, |n, b| n | bit(at * width + b) << b);
                numbers.extend((0..(head >> 1) * GROUP).map(number));
                bytes = rest;
            }
        }
        assert!(numbers.len() >= count && numbers.len() < count + GROUP, "{} of {count}", numbers.len());
        numbers.truncate(count);
        numbers
    }

    #[test]
    fn short_runs_are_runs() {
        assert_eq!(encoded(8, &[(7, 3), (9, 3)]), [6, 7, 6, 9]);
        assert_eq!(encoded(18, &[(1, 3), (2, 3)]), [6, 1, 0, 0, 6, 2, 0, 0]);
        // the same number again goes on
        assert_eq!(encoded(8, &[(7, 1), (7, 1), (7, 1)]), [6, 7]);
        // what does not repeat is packed
        assert_eq!(encoded(1, &[(1, 1), (0, 1), (1, 1)]), [3, 0b101]);
        assert_eq!(encoded(0, &[(0, 300)]), [0xd8, 4]);
        assert!(encoded(3, &[]).is_empty());
    }

    #[test]
    fn widths() {
        assert_eq!([0, 1, 2, 3, 4, 255, 256].map(width_of), [0, 1, 2, 2, 3, 8, 9]);
    }

    proptest! {
        #[test]
        fn is_what_was_put_in(
            width in 0_usize..=32,
            runs in prop::collection::vec((any::<u32>(), prop_oneof![1_usize..12, 1_usize..2_000]), 0..60),
        ) {
            let most = u32::try_from((1_u64 << width) - 1).unwrap();
            let runs: Vec<_> = runs.into_iter().map(|(number, count)| (number & most, count)).collect();
            let all: Vec<u32> =
                runs.iter().flat_map(|(number, count)| std::iter::repeat_n(*number, *count)).collect();
            prop_assert_eq!(decoded(width, &encoded(width, &runs), all.len()), all);
        }
    }
}
