//! Decompresses pages in pure Rust.
//!
//! The `parquet` crate can do most of this too, but its zstd is C, and it allocates whatever size a page
//! header claims. Here the output grows with what the codec really yields, and never past a limit.

use std::io::{self, Read};

use parquet::basic::Compression;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// Whether [`Decompressor`] can read pages of this codec.
pub(crate) fn supported(codec: Compression) -> bool {
    !matches!(codec, Compression::LZO)
}

/// Decompresses the pages of one column chunk.
pub(crate) struct Decompressor {
    codec: Compression,
    /// Bytes that one page may have at most.
    limit: usize,
    /// Kept between pages, as its tables are large.
    zstd: FrameDecoder,
}

impl Decompressor {
    /// A decompressor for `codec` that refuses pages of more than `limit` bytes.
    pub(crate) fn new(codec: Compression, limit: usize) -> Self {
        Self {
            codec,
            limit,
            zstd: FrameDecoder::new(),
        }
    }

    /// Whether pages are stored as they are.
    pub(crate) fn is_identity(&self) -> bool {
        self.codec == Compression::UNCOMPRESSED
    }

    /// The bytes that `input` stands for. Empty input, as of a page with nothing but nulls, stays empty.
    ///
    /// # Errors
    /// If `input` is damaged, longer than the limit once decompressed, or of an unsupported codec.
    pub(crate) fn decompress(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        if input.is_empty() {
            return Ok(Vec::new());
        }
        match self.codec {
            Compression::UNCOMPRESSED => Ok(input.to_vec()),
            Compression::SNAPPY => self.snappy(input),
            Compression::GZIP(_) => bounded(flate2::read::MultiGzDecoder::new(input), self.limit),
            Compression::BROTLI(_) => bounded(
                brotli_decompressor::Decompressor::new(input, 8192),
                self.limit,
            ),
            Compression::LZ4_RAW => lz4_block(input, self.limit),
            // The format never said which LZ4 it meant, so writers differ: Hadoop's blocks, bare blocks
            // (early C++), frames (early Rust). Bare blocks have no marks of their own and come last.
            Compression::LZ4 => lz4_hadoop(input, self.limit)
                .or_else(|_| bounded(lz4_flex::frame::FrameDecoder::new(input), self.limit))
                .or_else(|_| lz4_block(input, self.limit)),
            Compression::ZSTD(_) => self.zstd(input),
            Compression::LZO => Err(io::Error::other("codec not supported")),
        }
    }

    fn snappy(&self, input: &[u8]) -> io::Result<Vec<u8>> {
        if snap::raw::decompress_len(input)? > self.limit {
            return Err(too_long(self.limit));
        }
        Ok(snap::raw::Decoder::new().decompress_vec(input)?)
    }

    fn zstd(&mut self, mut input: &[u8]) -> io::Result<Vec<u8>> {
        let mut output = Vec::new();
        while !input.is_empty() {
            let frame = StreamingDecoder::new_with_decoder(&mut input, &mut self.zstd)
                .map_err(io::Error::other)?;
            output.append(&mut bounded(frame, self.limit - output.len())?);
        }
        Ok(output)
    }
}

/// All of `reader`, or an error once there are more than `limit` bytes.
fn bounded(reader: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut output)?;
    if output.len() > limit {
        return Err(too_long(limit));
    }
    Ok(output)
}

/// One bare LZ4 block. It does not say how long it will be, so room doubles until it is enough.
fn lz4_block(input: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut room = input.len().saturating_mul(4).max(4096).min(limit);
    loop {
        let mut output = vec![0; room];
        match lz4_flex::block::decompress_into(input, &mut output) {
            Ok(written) => {
                output.truncate(written);
                return Ok(output);
            }
            Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room < limit => {
                room = room.saturating_mul(2).min(limit);
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// Hadoop's framing: blocks, each after its length decompressed and compressed, in big-endian.
fn lz4_hadoop(mut input: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    while !input.is_empty() {
        let (length, compressed) = match input {
            [a, b, c, d, e, f, g, h, rest @ ..] => {
                let compressed = u32::from_be_bytes([*e, *f, *g, *h]) as usize;
                input = rest;
                (u32::from_be_bytes([*a, *b, *c, *d]) as usize, compressed)
            }
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        if length > limit - output.len() {
            return Err(too_long(limit));
        }
        let block = input
            .split_off(..compressed)
            .ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let start = output.len();
        output.resize(start + length, 0);
        let written = lz4_flex::block::decompress_into(block, &mut output[start..])
            .map_err(io::Error::other)?;
        if written != length {
            return Err(io::Error::other("an LZ4 block is shorter than it says"));
        }
    }
    Ok(output)
}

fn too_long(limit: usize) -> io::Error {
    io::Error::other(format!(
        "a page is longer than the {limit} bytes its column chunk has"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"a page, a page, a page, a page, a page, a page, a page, and the last";

    #[test]
    fn three_things_that_are_called_lz4() {
        let block = lz4_flex::block::compress(TEXT);
        let (first, second) = TEXT.split_at(30);
        let mut hadoop = Vec::new();
        for part in [first, second] {
            let block = lz4_flex::block::compress(part);
            hadoop.extend((part.len() as u32).to_be_bytes());
            hadoop.extend((block.len() as u32).to_be_bytes());
            hadoop.extend(block);
        }
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        io::Write::write_all(&mut frame, TEXT).unwrap();
        let frame = frame.finish().unwrap();
        let mut decompressor = Decompressor::new(Compression::LZ4, 100);
        for page in [&hadoop, &frame, &block] {
            assert_eq!(decompressor.decompress(page).unwrap(), TEXT);
        }
        let long = vec![7; 1 << 20];
        let page = lz4_flex::block::compress(&long);
        let mut decompressor = Decompressor::new(Compression::LZ4_RAW, 1 << 20);
        assert_eq!(decompressor.decompress(&page).unwrap(), long);
    }

    #[test]
    fn a_page_is_no_longer_than_its_limit() {
        let snappy = snap::raw::Encoder::new().compress_vec(TEXT).unwrap();
        let lz4 = lz4_flex::block::compress(TEXT);
        for (codec, page) in [(Compression::SNAPPY, &snappy), (Compression::LZ4_RAW, &lz4)] {
            assert_eq!(
                Decompressor::new(codec, TEXT.len())
                    .decompress(page)
                    .unwrap(),
                TEXT
            );
            assert!(
                Decompressor::new(codec, TEXT.len() - 1)
                    .decompress(page)
                    .is_err()
            );
        }
        assert!(bounded(TEXT, TEXT.len()).is_ok());
        assert!(bounded(TEXT, TEXT.len() - 1).is_err());
    }

    #[test]
    fn nothing_stays_nothing() {
        for codec in [
            Compression::SNAPPY,
            Compression::LZ4,
            Compression::ZSTD(Default::default()),
        ] {
            assert_eq!(Decompressor::new(codec, 10).decompress(&[]).unwrap(), b"");
        }
    }
}
