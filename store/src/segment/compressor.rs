//! Compresses pages.

use std::io;

use parquet::basic::{Compression, ZstdLevel};
use zstd::stream::raw::{Encoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::compress_bound;

/// How hard pages are compressed.
const LEVEL: i32 = 1;

/// What a block takes at most beside what is in it: its head, and which bytes are frequent.
const BLOCK_BYTES_MAX: usize = 256;

/// What becomes of the pages of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// They stay as they are.
    Plain,
    /// Each is a ZSTD frame.
    Zstd,
}

impl Packing {
    /// What the file says of it.
    pub(super) fn compression(self) -> Compression {
        match self {
            Self::Plain => Compression::UNCOMPRESSED,
            Self::Zstd => Compression::ZSTD(ZstdLevel::default()),
        }
    }
}

/// Makes of each page what stands in the file.
pub(super) enum Compressor {
    /// The same.
    Plain,
    /// One ZSTD frame.
    Zstd(Zstd),
}

pub(super) struct Zstd {
    whole: zstd::bulk::Compressor<'static>,
    /// Only columns of floats need it.
    blocks: Option<Encoder<'static>>,
}

impl Compressor {
    pub(super) fn new(packing: Packing) -> io::Result<Self> {
        Ok(match packing {
            Packing::Plain => Self::Plain,
            Packing::Zstd => Self::Zstd(Zstd { whole: zstd::bulk::Compressor::new(LEVEL)?, blocks: None }),
        })
    }

    /// As one.
    pub(super) fn whole(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(bytes.to_vec()),
            Self::Zstd(zstd) => zstd.whole.compress(bytes),
        }
    }

    /// With a block for each part, so that what one part is like says nothing of the next: bytes that are all the same take
    /// none, and random ones are copied.
    pub(super) fn blocks<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(parts.flatten().copied().collect()),
            Self::Zstd(zstd) => zstd.blocks(parts),
        }
    }
}

impl Zstd {
    fn blocks<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<Vec<u8>> {
        let (count, bytes) =
            parts.clone().fold((0, 0), |(count, bytes), part| (count + 1, bytes + part.len()));
        let encoder = match &mut self.blocks {
            Some(encoder) => {
                encoder.reinit()?;
                encoder
            }
            none => none.insert(Encoder::new(LEVEL)?),
        };
        // readers want to know it
        encoder.set_pledged_src_size(Some(bytes as u64))?;
        let mut compressed = Vec::with_capacity(compress_bound(bytes) + count * BLOCK_BYTES_MAX);
        let mut out = OutBuffer::around(&mut compressed);
        for part in parts {
            let mut part = InBuffer::around(part);
            while part.pos() < part.src.len() {
                encoder.run(&mut part, &mut out)?;
            }
            complete(encoder.flush(&mut out)?)?;
        }
        complete(encoder.finish(&mut out, true)?)?;
        Ok(compressed)
    }
}

/// What there is room for is written at once.
fn complete(left: usize) -> io::Result<()> {
    if left == 0 { Ok(()) } else { Err(io::Error::other("a compressed page is larger than it can be")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As readers do it: with the size that the page's head tells.
    fn check(parts: &[&[u8]]) -> usize {
        let plain = Compressor::new(Packing::Plain).and_then(|mut plain| plain.blocks(parts.iter().copied()));
        assert_eq!(plain.expect("is no work"), parts.concat());
        let mut compressor = Compressor::new(Packing::Zstd).expect("is made");
        for _ in 0..2 {
            let all = parts.concat();
            let compressed = compressor.blocks(parts.iter().copied()).expect("compresses");
            assert_eq!(zstd::bulk::decompress(&compressed, all.len()).expect("decompresses"), all);
            let told = zstd::zstd_safe::get_frame_content_size(&compressed);
            assert_eq!(told.expect("is a frame"), Some(all.len() as u64));
        }
        compressor.blocks(parts.iter().copied()).expect("compresses").len()
    }

    #[test]
    fn blocks_are_one_frame() {
        check(&[]);
        check(&[b"", b"a", b""]);
        let random: Vec<u8> =
            (1..20_001_u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        let few: Vec<u8> = random.iter().map(|byte| byte % 3).collect();
        let constant = [7; 20_000];
        let bytes = check(&[&constant, &few, &random, &constant]);
        assert!(bytes < 20_000 + 20_000 / 4 + 200, "{bytes}");
        // random bytes in many small blocks are no larger than they may be
        check(&random.chunks(1).collect::<Vec<_>>());
        check(&random.chunks(100).collect::<Vec<_>>());
    }
}
