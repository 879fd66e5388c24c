//! Protobuf messages by field number, for tests of decoders: it writes what it is told, also what no sender would.

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, tag: u32, wire_type: u64) {
        put_varint(&mut self.0, u64::from(tag) << 3 | wire_type);
    }

    /// `uint64`, `int64`, `bool` and enumerations.
    #[must_use]
    pub fn varint(mut self, tag: u32, number: u64) -> Self {
        self.key(tag, 0);
        put_varint(&mut self.0, number);
        self
    }

    /// `int64`, with negative numbers in ten bytes.
    #[must_use]
    pub fn int(self, tag: u32, number: i64) -> Self {
        self.varint(tag, number.cast_unsigned())
    }

    /// `sint64`
    #[must_use]
    pub fn sint(self, tag: u32, number: i64) -> Self {
        self.varint(tag, zigzag(number))
    }

    /// `double`
    #[must_use]
    pub fn double(self, tag: u32, number: f64) -> Self {
        self.fixed64(tag, number.to_bits())
    }

    /// `fixed64` and `sfixed64`
    #[must_use]
    pub fn fixed64(mut self, tag: u32, number: u64) -> Self {
        self.key(tag, 1);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// `string` and `bytes`
    #[must_use]
    pub fn bytes(mut self, tag: u32, bytes: impl AsRef<[u8]>) -> Self {
        self.key(tag, 2);
        put_varint(&mut self.0, bytes.as_ref().len() as u64);
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    /// A message.
    #[must_use]
    pub fn message(self, tag: u32, message: Self) -> Self {
        self.bytes(tag, message.0)
    }

    /// Packed `uint64`.
    #[must_use]
    pub fn varints(self, tag: u32, numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut packed = Vec::new();
        numbers.into_iter().for_each(|number| put_varint(&mut packed, number));
        self.bytes(tag, packed)
    }

    /// Packed `sint64`.
    #[must_use]
    pub fn sints(self, tag: u32, numbers: impl IntoIterator<Item = i64>) -> Self {
        self.varints(tag, numbers.into_iter().map(zigzag))
    }

    /// Packed `double`.
    #[must_use]
    pub fn doubles(self, tag: u32, numbers: impl IntoIterator<Item = f64>) -> Self {
        self.fixed64s(tag, numbers.into_iter().map(f64::to_bits))
    }

    /// Packed `fixed64`.
    #[must_use]
    pub fn fixed64s(self, tag: u32, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.bytes(tag, numbers.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
    }
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
