//! Bits in a row, and the ways in which Prometheus' chunks write numbers with few of them.

/// Bits, the first of which is the highest of the first byte.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// How many bits of the last byte are not written yet.
    free: u32,
}

impl Bits {
    /// Behind these bytes.
    pub(super) fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The lowest `count` bits of a number, of which there are 64 at most.
    pub(super) fn push(&mut self, number: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = left.min(self.free);
            let part = (number >> (left - taken)) & ((1 << taken) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part as u8) << (self.free - taken);
            }
            self.free -= taken;
            left -= taken;
        }
    }

    pub(super) fn float(&mut self, value: f64) {
        self.push(value.to_bits(), 64);
    }

    /// A number in groups of seven bits, the lowest first.
    pub(super) fn uvarint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.push(number & 0x7f | 0x80, 8);
            number >>= 7;
        }
        self.push(number, 8);
    }

    /// The same with a sign.
    pub(super) fn varint(&mut self, number: i64) {
        self.uvarint((number << 1 ^ number >> 63).cast_unsigned());
    }

    /// A prefix of ones and a zero that tells how many bits follow.
    fn class(&mut self, index: u32, classes: u32, bits: u32, number: u64) {
        // the last class ends with its ones
        if index == classes {
            self.push((1 << index) - 1, index);
        } else {
            self.push((1 << (index + 1)) - 2, index + 1);
        }
        self.push(number, bits);
    }

    /// A number in the least of these sizes that holds it, or in 64 bits; 0 in one bit.
    fn sized(&mut self, sizes: &[u32], fits: impl Fn(u32) -> bool, number: u64) {
        if number == 0 {
            return self.push(0, 1);
        }
        let found = sizes.iter().position(|&bits| fits(bits));
        let index = found.unwrap_or(sizes.len());
        let bits = sizes.get(index).copied().unwrap_or(64);
        self.class(index as u32 + 1, sizes.len() as u32 + 1, bits, number);
    }

    /// How much a distance in time differs from the one before, in chunks of floats.
    pub(super) fn change_of_distance(&mut self, number: i64) {
        self.sized(&[14, 17, 20], |bits| fits_signed(number, bits), number.cast_unsigned());
    }

    /// A number in a chunk of histograms.
    pub(super) fn varbit(&mut self, number: i64) {
        self.sized(&VARBIT_SIZES, |bits| fits_signed(number, bits), number.cast_unsigned());
    }

    /// A number without a sign in a chunk of histograms.
    pub(super) fn unsigned_varbit(&mut self, number: u64) {
        self.sized(&VARBIT_SIZES, |bits| number >> bits == 0, number);
    }
}

const VARBIT_SIZES: [u32; 7] = [3, 6, 9, 12, 18, 25, 56];

/// Whether so many bits hold a number. They hold one more above zero than below.
fn fits_signed(number: i64, bits: u32) -> bool {
    let half = 1_i64 << (bits - 1);
    (1 - half..=half).contains(&number)
}

/// The float before, and where it differed from the one before that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Xor {
    before: u64,
    /// How many zeros stood before and behind the bits that differed.
    zeros: Option<(u32, u32)>,
}

impl Xor {
    /// Behind a float that was written whole.
    pub(super) fn behind(value: f64) -> Self {
        Self { before: value.to_bits(), zeros: None }
    }

    /// Writes the bits of a float that differ from the one before.
    pub(super) fn push(&mut self, bits: &mut Bits, value: f64) {
        /// What has five bits.
        const LEADING_MAX: u32 = 31;
        let changed = value.to_bits() ^ self.before;
        self.before = value.to_bits();
        if changed == 0 {
            return bits.push(0, 1);
        }
        let (leading, trailing) = (changed.leading_zeros().min(LEADING_MAX), changed.trailing_zeros());
        match self.zeros {
            Some((before, behind)) if leading >= before && trailing >= behind => {
                bits.push(0b10, 2);
                bits.push(changed >> behind, 64 - before - behind);
            }
            _ => {
                self.zeros = Some((leading, trailing));
                let differing = 64 - leading - trailing;
                bits.push(0b11, 2);
                bits.push(leading.into(), 5);
                // 64 is written as 0
                bits.push(differing.into(), 6);
                bits.push(changed >> trailing, differing);
            }
        }
    }
}
