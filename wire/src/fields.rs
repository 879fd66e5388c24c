//! The fields of a protobuf message, one after the other, without a copy: for messages that are read field by field, because one of
//! them may hold a whole body.

/// One field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// Bytes that are no message of the type that was expected. The texts are those that senders know from Go's decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A field begins that does not end.
    #[error("unexpected EOF")]
    Truncated,
    /// A number of more than 64 bits.
    #[error("proto: integer overflow")]
    Overflow,
    /// A kind of field that nobody sends any more, or that there is not.
    #[error("proto: illegal wireType {0}")]
    IllegalWireType(u64),
    /// Field numbers begin at 1.
    #[error("proto: illegal tag {0}")]
    IllegalTag(u64),
    /// A field of another kind than its number stands for.
    #[error("proto: wrong wireType for field {0}")]
    WrongWireType(&'static str),
    /// A text that is none.
    #[error("proto: field {0} contains invalid UTF-8")]
    NotUtf8(&'static str),
    /// Messages within messages within messages.
    #[error("proto: field {0} is nested too deeply")]
    TooDeep(&'static str),
}

/// What is left of a message.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field and its number; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, FieldError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.rest)?;
        let tag = u32::try_from(key >> 3).ok().filter(|tag| (1..1 << 29).contains(tag));
        let tag = tag.ok_or(FieldError::IllegalTag(key >> 3))?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(fixed(&mut self.rest)?)),
            2 => {
                let length = varint(&mut self.rest)?;
                Value::Bytes(take(&mut self.rest, usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(fixed(&mut self.rest)?)),
            other => return Err(FieldError::IllegalWireType(other)),
        };
        Ok(Some((tag, value)))
    }
}

impl<'a> Value<'a> {
    /// A message, a string or bytes.
    pub(crate) fn bytes(self, field: &'static str) -> Result<&'a [u8], FieldError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(FieldError::WrongWireType(field)),
        }
    }

    pub(crate) fn uint(self, field: &'static str) -> Result<u64, FieldError> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(FieldError::WrongWireType(field)),
        }
    }

    /// An `int64` or `int32`.
    pub(crate) fn int(self, field: &'static str) -> Result<i64, FieldError> {
        Ok(self.uint(field)?.cast_signed())
    }

    /// A `sint64` or `sint32`.
    pub(crate) fn sint(self, field: &'static str) -> Result<i64, FieldError> {
        self.uint(field).map(zigzag)
    }

    pub(crate) fn double(self, field: &'static str) -> Result<f64, FieldError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(FieldError::WrongWireType(field)),
        }
    }

    /// Adds repeated numbers, which come packed or one by one.
    pub(crate) fn uints(self, field: &'static str, into: &mut Vec<u64>) -> Result<(), FieldError> {
        self.uints_up_to(field, usize::MAX, into)
    }

    /// The same, but of more than so many in all only the first: a number may be one byte here, and is eight there.
    pub(crate) fn uints_up_to(
        self,
        field: &'static str,
        max: usize,
        into: &mut Vec<u64>,
    ) -> Result<(), FieldError> {
        let mut put = |number| {
            if into.len() < max {
                into.push(number);
            }
        };
        match self {
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    put(varint(&mut packed)?);
                }
            }
            _ => put(self.uint(field)?),
        }
        Ok(())
    }

    /// Adds repeated numbers of eight bytes, which come packed or one by one.
    pub(crate) fn fixed64s(self, field: &'static str, into: &mut Vec<u64>) -> Result<(), FieldError> {
        match self {
            Self::Bytes(mut packed) => {
                into.reserve(packed.len() / 8);
                while !packed.is_empty() {
                    into.push(u64::from_le_bytes(fixed(&mut packed)?));
                }
                Ok(())
            }
            Self::Fixed64(bits) => {
                into.push(bits);
                Ok(())
            }
            _ => Err(FieldError::WrongWireType(field)),
        }
    }

    /// Adds repeated doubles.
    pub(crate) fn doubles(self, field: &'static str, into: &mut Vec<f64>) -> Result<(), FieldError> {
        let mut bits = Vec::new();
        self.fixed64s(field, &mut bits)?;
        into.extend(bits.into_iter().map(f64::from_bits));
        Ok(())
    }
}

/// What a `sint64` says.
pub(crate) fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn varint(rest: &mut &[u8]) -> Result<u64, FieldError> {
    let mut number = 0;
    for (index, &byte) in rest.iter().enumerate().take(10) {
        if index == 9 && byte > 1 {
            return Err(FieldError::Overflow);
        }
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok(number);
        }
    }
    Err(if rest.len() < 10 { FieldError::Truncated } else { FieldError::Overflow })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], FieldError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(FieldError::Truncated)?;
    *rest = left;
    Ok(taken)
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], FieldError> {
    let (taken, left) = rest.split_first_chunk().ok_or(FieldError::Truncated)?;
    *rest = left;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut message: Fields<'_>) -> Result<Vec<(u32, Value<'_>)>, FieldError> {
        let mut fields = Vec::new();
        while let Some(field) = message.next()? {
            fields.push(field);
        }
        Ok(fields)
    }

    #[test]
    fn every_kind() {
        let message = b"\x08\x96\x01\x12\x02hi\x19\0\0\0\0\0\0\xf0\x3f\x25\x01\0\0\0";
        let expect = vec![
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed64(1.0_f64.to_bits())),
            (4, Value::Fixed32(1)),
        ];
        assert_eq!(all(Fields::of(message)), Ok(expect));
    }

    #[test]
    fn damage_is_told() {
        let check = |message: &[u8], expect| assert_eq!(all(Fields::of(message)), Err(expect), "{message:?}");
        check(b"\x08", FieldError::Truncated);
        check(b"\x08\x80", FieldError::Truncated);
        check(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", FieldError::Overflow);
        check(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", FieldError::Overflow);
        check(b"\x12\xff\xff\xff\xff\x0f", FieldError::Truncated);
        check(b"\x19\0\0", FieldError::Truncated);
        check(b"\x25\0", FieldError::Truncated);
        check(b"\x0b", FieldError::IllegalWireType(3));
        check(b"\x00\x01", FieldError::IllegalTag(0));
    }

    #[test]
    fn repeated_numbers_come_packed_or_not() {
        let (mut uints, mut doubles) = (Vec::new(), Vec::new());
        Value::Bytes(b"\x01\x96\x01").uints("x", &mut uints).expect("packed");
        Value::Varint(7).uints("x", &mut uints).expect("one");
        assert_eq!(uints, [1, 150, 7]);
        Value::Bytes(&2.5_f64.to_le_bytes()).doubles("x", &mut doubles).expect("packed");
        Value::Fixed64(1.0_f64.to_bits()).doubles("x", &mut doubles).expect("one");
        assert_eq!(doubles, [2.5, 1.0]);
        assert_eq!(Value::Bytes(b"1234567").doubles("x", &mut doubles), Err(FieldError::Truncated));
        assert_eq!(Value::Varint(1).doubles("x", &mut doubles), Err(FieldError::WrongWireType("x")));
    }

    #[test]
    fn signed_numbers() {
        assert_eq!([0, 1, 2, 3, u64::MAX].map(zigzag), [0, -1, 1, -2, i64::MIN]);
        assert_eq!(Value::Varint(u64::MAX).int("x"), Ok(-1));
    }
}
