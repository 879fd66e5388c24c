//! Content encodings of a body, inflated up to a limit.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};

use flate2::read::MultiGzDecoder;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    #[default]
    Identity,
    /// One gzip stream or several one after the other.
    Gzip,
    /// The framed stream format of Snappy, not the block format.
    SnappyFramed,
}

/// A body that cannot be inflated. The texts are those that clients of the Pushgateway know.
#[derive(Debug, thiserror::Error)]
pub enum EncodingError {
    /// There is no byte of gzip.
    #[error("EOF")]
    Empty,
    /// The body ends too early.
    #[error("unexpected EOF")]
    Truncated,
    /// No gzip, or something else after gzip.
    #[error("gzip: invalid header")]
    GzipHeader,
    /// Damaged gzip.
    #[error("gzip: corrupt input")]
    Gzip(#[source] std::io::Error),
    /// Damaged Snappy, or its block format.
    #[error("snappy: corrupt input")]
    Snappy(#[source] std::io::Error),
    /// It is larger than allowed once inflated.
    #[error("inflated body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// Whoever was asked for memory has none.
    #[error("no memory to inflate the body")]
    NoRoom,
}

impl Encoding {
    /// What a `Content-Encoding` header says. As with the Pushgateway, anything but the single words `gzip` and
    /// `snappy` (in any case) is ignored, and the bytes are taken as they are.
    pub fn of_header(content_encoding: Option<&str>) -> Self {
        match content_encoding {
            Some(word) if word.eq_ignore_ascii_case("gzip") => Self::Gzip,
            Some(word) if word.eq_ignore_ascii_case("snappy") => Self::SnappyFramed,
            _ => Self::Identity,
        }
    }
}

/// Inflates a body to at most `bytes_max` bytes.
///
/// # Errors
/// If it is damaged or larger.
pub fn inflate(encoding: Encoding, body: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, EncodingError> {
    inflate_within(encoding, body, bytes_max, |_| true)
}

/// The same, asking before each piece is inflated whether there is memory for so many bytes more; a body that is not compressed is one
/// piece.
///
/// # Errors
/// If it is damaged or larger, or there is no memory.
pub fn inflate_within(
    encoding: Encoding,
    body: &[u8],
    bytes_max: usize,
    mut takes: impl FnMut(usize) -> bool,
) -> Result<Cow<'_, [u8]>, EncodingError> {
    let inflated = match encoding {
        Encoding::Identity if body.len() <= bytes_max && !takes(body.len()) => {
            return Err(EncodingError::NoRoom);
        }
        Encoding::Identity => Cow::Borrowed(body),
        Encoding::Gzip => {
            gzip_header(body)?;
            Cow::Owned(read(MultiGzDecoder::new(body), bytes_max, takes, gzip_error)?)
        }
        Encoding::SnappyFramed => {
            Cow::Owned(read(snap::read::FrameDecoder::new(body), bytes_max, takes, EncodingError::Snappy)?)
        }
    };
    if inflated.len() > bytes_max { Err(EncodingError::TooLarge { bytes_max }) } else { Ok(inflated) }
}

/// Inflates the block format of Snappy, which remote write uses, to at most `bytes_max` bytes.
///
/// # Errors
/// If it is damaged or larger.
pub fn snappy_block(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, EncodingError> {
    /// An element of three bytes copies 64, and there is none that does more with less.
    const BYTES_PER_BYTE_MAX: usize = 22;
    let corrupt = |error: snap::Error| EncodingError::Snappy(std::io::Error::other(error));
    let length = snappy_block_length(body).map_err(corrupt)?;
    if length > bytes_max {
        return Err(EncodingError::TooLarge { bytes_max });
    }
    if length > body.len().saturating_mul(BYTES_PER_BYTE_MAX) {
        // it cannot become as long as it says, so there is no need for so much memory to find that out
        return Err(corrupt(snap::Error::Header));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(corrupt)
}

/// Bytes for which memory is asked at once.
const PIECE_BYTES: usize = 64 << 10;

/// How long a body in the block format of Snappy says that it is once it is inflated.
///
/// # Errors
/// If it does not say so.
pub fn snappy_block_length(body: &[u8]) -> Result<usize, snap::Error> {
    if body.is_empty() {
        return Err(snap::Error::Empty);
    }
    snap::raw::decompress_len(body)
}

/// Reads up to one byte more than allowed: enough to know that it is too much.
fn read(
    mut decoder: impl Read,
    bytes_max: usize,
    mut takes: impl FnMut(usize) -> bool,
    wrong: fn(std::io::Error) -> EncodingError,
) -> Result<Vec<u8>, EncodingError> {
    let mut inflated = Vec::new();
    while inflated.len() <= bytes_max {
        let piece = PIECE_BYTES.min((bytes_max - inflated.len()).saturating_add(1));
        if !takes(piece) {
            return Err(EncodingError::NoRoom);
        }
        let read = decoder.by_ref().take(piece as u64).read_to_end(&mut inflated).map_err(wrong)?;
        if read < piece {
            break;
        }
    }
    Ok(inflated)
}

const GZIP_HEADER_BYTES: usize = 10;

fn gzip_header(body: &[u8]) -> Result<(), EncodingError> {
    match body.len() {
        0 => Err(EncodingError::Empty),
        1..GZIP_HEADER_BYTES => Err(EncodingError::Truncated),
        _ if !body.starts_with(&[0x1f, 0x8b, 8]) => Err(EncodingError::GzipHeader),
        _ => Ok(()),
    }
}

fn gzip_error(error: std::io::Error) -> EncodingError {
    match error.kind() {
        ErrorKind::UnexpectedEof => EncodingError::Truncated,
        ErrorKind::InvalidInput if error.to_string().contains("header") => EncodingError::GzipHeader,
        _ => EncodingError::Gzip(error),
    }
}

/// How an answer is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub enum AnswerEncoding {
    /// Not at all.
    #[default]
    Identity,
    /// zlib, which is what HTTP calls deflate
    Deflate,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
}

impl AnswerEncoding {
    /// What an `Accept-Encoding` header likes best of what is on offer; of several that it likes the same, the smallest.
    pub fn of_header(accept_encoding: Option<&str>) -> Self {
        let mut best = (0.0, Self::Identity);
        for part in accept_encoding.unwrap_or("").split(',') {
            let mut words = part.split(';').map(str::trim);
            let encoding = match words.next() {
                Some(word) if word.eq_ignore_ascii_case("gzip") => Self::Gzip,
                Some(word) if word.eq_ignore_ascii_case("zstd") => Self::Zstd,
                Some(word) if word.eq_ignore_ascii_case("deflate") => Self::Deflate,
                _ => continue,
            };
            let quality = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")));
            let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            // those that are listed later above make answers smaller
            if quality > 0.0 && (quality, encoding) > best {
                best = (quality, encoding);
            }
        }
        best.1
    }

    /// Its name in a `Content-Encoding` header.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Deflate => Some("deflate"),
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// Compresses an answer.
    ///
    /// # Errors
    /// If the compressor has no memory.
    pub fn compress(self, plain: Vec<u8>) -> std::io::Result<Vec<u8>> {
        /// What zstd calls fast and good enough.
        const ZSTD_LEVEL: i32 = 1;
        match self {
            Self::Identity => Ok(plain),
            Self::Deflate => {
                let mut encoder = flate2::read::ZlibEncoder::new(&plain[..], flate2::Compression::fast());
                let mut compressed = Vec::with_capacity(plain.len() / 4);
                encoder.read_to_end(&mut compressed)?;
                Ok(compressed)
            }
            Self::Gzip => Ok(gzip(&plain)),
            Self::Zstd => zstd::encode_all(&plain[..], ZSTD_LEVEL),
        }
    }
}

/// Compresses an answer with gzip.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::with_capacity(plain.len() / 4);
    let mut encoder = flate2::read::GzEncoder::new(plain, flate2::Compression::fast());
    // reading from memory into memory cannot fail
    let _ = encoder.read_to_end(&mut compressed);
    compressed
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn snappy(plain: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(plain).expect("memory");
        encoder.into_inner().expect("memory")
    }

    fn check(encoding: Encoding, body: &[u8], bytes_max: usize, expect: Result<&[u8], &str>) {
        let found = inflate(encoding, body, bytes_max).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(|e| &**e), expect, "{encoding:?} {body:?}");
    }

    #[test]
    fn headers() {
        let check =
            |header: Option<&str>, expect| assert_eq!(Encoding::of_header(header), expect, "{header:?}");
        check(None, Encoding::Identity);
        check(Some("gzip"), Encoding::Gzip);
        check(Some("GZip"), Encoding::Gzip);
        check(Some("snappy"), Encoding::SnappyFramed);
        check(Some("gzip, snappy"), Encoding::Identity);
        check(Some("x-gzip"), Encoding::Identity);
        check(Some("zstd"), Encoding::Identity);
    }

    #[test]
    fn answers() {
        let check = |header: &str, expect| {
            assert_eq!(AnswerEncoding::of_header(Some(header)), expect, "{header:?}");
        };
        check("", AnswerEncoding::Identity);
        check("gzip", AnswerEncoding::Gzip);
        check("deflate, GZIP;q=0.5", AnswerEncoding::Deflate);
        check("gzip, deflate, br", AnswerEncoding::Gzip);
        check("deflate;q=0.5, GZIP;q=0.5", AnswerEncoding::Gzip);
        check("gzip;q=0", AnswerEncoding::Identity);
        check("gzip, zstd", AnswerEncoding::Zstd);
        check("zstd, gzip", AnswerEncoding::Zstd);
        check("zstd;q=0.4, gzip;q=0.5", AnswerEncoding::Gzip);
        check("zstd;q=nonsense", AnswerEncoding::Identity);
        let plain = b"a 1\n".repeat(100);
        let packed = AnswerEncoding::Zstd.compress(plain.clone()).expect("packs");
        assert!(packed.len() < 50);
        assert_eq!(zstd::decode_all(&packed[..]).expect("unpacks"), plain);
        assert_eq!(AnswerEncoding::Identity.compress(plain.clone()).expect("stays"), plain);
    }

    #[test]
    fn whole_bodies() {
        check(Encoding::Identity, b"a 1\n", 4, Ok(b"a 1\n"));
        check(Encoding::Gzip, &gzip(b"a 1\n"), 4, Ok(b"a 1\n"));
        check(Encoding::Gzip, &[gzip(b"a 1\n"), gzip(b"b 2\n")].concat(), 8, Ok(b"a 1\nb 2\n"));
        check(Encoding::SnappyFramed, &snappy(b"a 1\n"), 4, Ok(b"a 1\n"));
        check(Encoding::SnappyFramed, b"", 4, Ok(b""));
    }

    #[test]
    fn damaged_bodies() {
        let whole = gzip(b"a 1\n");
        check(Encoding::Gzip, b"", 4, Err("EOF"));
        check(Encoding::Gzip, b"a 1\n", 4, Err("unexpected EOF"));
        check(Encoding::Gzip, b"a_long_name 1\n", 99, Err("gzip: invalid header"));
        check(Encoding::Gzip, &whole[..whole.len() - 6], 4, Err("unexpected EOF"));
        let mut checksum = whole.clone();
        checksum[whole.len() - 8] ^= 1;
        check(Encoding::Gzip, &checksum, 4, Err("gzip: corrupt input"));
        check(Encoding::Gzip, &[&whole[..], b"something else"].concat(), 99, Err("gzip: invalid header"));
        check(Encoding::SnappyFramed, b"\x04\x0ca 1\n", 4, Err("snappy: corrupt input"));
        check(Encoding::SnappyFramed, &snappy(b"a 1\n")[..12], 4, Err("snappy: corrupt input"));
    }

    #[test]
    fn snappy_blocks() {
        let packed = |plain: &[u8]| snap::raw::Encoder::new().compress_vec(plain).expect("packs");
        let check = |body: &[u8], bytes_max, expect: Result<&[u8], &str>| {
            let found = snappy_block(body, bytes_max).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(|e| &**e), expect, "{body:?}");
        };
        let zeros = vec![0; 1 << 20];
        check(&packed(b"a 1\n"), 4, Ok(b"a 1\n"));
        check(&packed(b""), 4, Ok(b""));
        check(&packed(&zeros), 1 << 20, Ok(&zeros));
        check(&packed(&zeros), (1 << 20) - 1, Err("inflated body is larger than 1048575 bytes"));
        check(b"", 4, Err("snappy: corrupt input"));
        check(b"hello world", 1 << 20, Err("snappy: corrupt input"));
        check(&packed(b"a 1\n")[..3], 4, Err("snappy: corrupt input"));
        // says that it is 64 MiB
        check(b"\x80\x80\x80\x20", 64 << 20, Err("snappy: corrupt input"));
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let zeros = vec![0; 1 << 20];
        let error = "inflated body is larger than 1048575 bytes";
        check(Encoding::Identity, &zeros, (1 << 20) - 1, Err(error));
        check(Encoding::Gzip, &gzip(&zeros), (1 << 20) - 1, Err(error));
        check(Encoding::SnappyFramed, &snappy(&zeros), (1 << 20) - 1, Err(error));
        check(Encoding::Gzip, &gzip(&zeros), 1 << 20, Ok(&zeros));
    }

    #[test]
    fn memory_is_asked_for_piece_by_piece() {
        let zeros = vec![0; 1 << 20];
        for (encoding, body) in [
            (Encoding::Identity, zeros.clone()),
            (Encoding::Gzip, gzip(&zeros)),
            (Encoding::SnappyFramed, snappy(&zeros)),
        ] {
            let asked = |max: usize| {
                let mut taken = 0;
                let inflated = inflate_within(encoding, &body, 1 << 20, |bytes| {
                    taken += bytes;
                    taken <= max
                });
                (inflated.map(|inflated| inflated.len()).map_err(|error| error.to_string()), taken)
            };
            let (inflated, taken) = asked(usize::MAX);
            assert_eq!(inflated, Ok(1 << 20));
            assert!((1 << 20..=(1 << 20) + PIECE_BYTES).contains(&taken), "{encoding:?} {taken}");
            let (refused, taken) = asked(100_000);
            assert_eq!(refused, Err("no memory to inflate the body".to_owned()));
            assert!(encoding == Encoding::Identity || taken <= 100_000 + PIECE_BYTES, "{encoding:?} {taken}");
        }
    }
}
