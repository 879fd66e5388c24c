//! Fragments and their results as bytes: numbers little-endian, lists with their length before them, enums by a code.
//!
//! There is one way to write a value, so equal values have equal bytes. Both ends are of the same version of this program;
//! the first byte says which format it is, and another one is refused.

use std::sync::Arc;

/// The format. A change of anything below or of what is written with it makes it another one.
const VERSION: u8 = 5;

/// Bytes that are no fragment or result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They are of another version of this program.
    #[error("format {found} of a fragment, expected {VERSION}")]
    Version {
        /// What they say they are.
        found: u8,
    },
    /// They end too early, go on too long, or hold what cannot be.
    #[error("broken bytes of a fragment: {what}")]
    Broken {
        /// Where.
        what: &'static str,
    },
}

impl CodecError {
    pub(super) fn broken(what: &'static str) -> Self {
        Self::Broken { what }
    }
}

pub(super) type Result<T, E = CodecError> = std::result::Result<T, E>;

/// Can be written as bytes and read back.
pub(super) trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);

    /// Takes what [`Wire::put`] wrote away from the front of `input`.
    fn take(input: &mut &[u8]) -> Result<Self>;
}

/// A whole value with its version.
pub(super) fn to_bytes(value: &impl Wire) -> Vec<u8> {
    let mut out = vec![VERSION];
    value.put(&mut out);
    out
}

/// The value, if the bytes hold it and nothing else.
pub(super) fn from_bytes<T: Wire>(bytes: &[u8]) -> Result<T> {
    let Some((&version, mut rest)) = bytes.split_first() else {
        return Err(CodecError::broken("nothing there"));
    };
    if version != VERSION {
        return Err(CodecError::Version { found: version });
    }
    let value = T::take(&mut rest)?;
    if rest.is_empty() { Ok(value) } else { Err(CodecError::broken("more than a whole")) }
}

fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N]> {
    let (found, rest) = input.split_first_chunk().ok_or(CodecError::broken("they end too early"))?;
    *input = rest;
    Ok(*found)
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Wire for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(input: &mut &[u8]) -> Result<Self> {
                take_array(input).map(Self::from_le_bytes)
            }
        }
    )*};
}

numbers!(u8 i8 u32 i32 u64 i64 f64);

impl Wire for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        Self::try_from(u64::take(input)?).map_err(|_| CodecError::broken("a number is too large"))
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::broken("neither true nor false")),
        }
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        let length = usize::take(input)?;
        let (text, rest) = input.split_at_checked(length).ok_or(CodecError::broken("they end too early"))?;
        *input = rest;
        Self::from_utf8(text.to_vec()).map_err(|_| CodecError::broken("a text is not UTF-8"))
    }
}

impl Wire for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        String::take(input).map(Self::from)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        if bool::take(input)? { T::take(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        let length = usize::take(input)?;
        // every value takes a byte at least, so a length that lies makes no room for itself
        if length > input.len() {
            return Err(CodecError::broken("they end too early"));
        }
        (0..length).map(|_| T::take(input)).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

impl<T: Wire> Wire for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self> {
        T::take(input).map(Self::new)
    }
}

/// Writes structs field by field.
macro_rules! fields {
    ($($type:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::fragment::codec::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::fragment::codec::Wire::put(&self.$field, out);)*
            }

            fn take(input: &mut &[u8]) -> $crate::fragment::codec::Result<Self> {
                Ok(Self { $($field: $crate::fragment::codec::Wire::take(input)?,)* })
            }
        }
    )*};
}

/// Writes enums without fields by a code.
macro_rules! codes {
    ($($type:ident { $($variant:ident = $code:literal),* $(,)? })*) => {$(
        impl $crate::fragment::codec::Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self { $(Self::$variant => $code,)* });
            }

            fn take(input: &mut &[u8]) -> $crate::fragment::codec::Result<Self> {
                match u8::take(input)? {
                    $($code => Ok(Self::$variant),)*
                    _ => Err($crate::fragment::codec::CodecError::broken(stringify!($type))),
                }
            }
        }
    )*};
}

pub(super) use {codes, fields};
