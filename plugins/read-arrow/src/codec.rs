//! Buffers as they were before they were compressed, in pure Rust.
//!
//! A compressed buffer begins with its length decompressed, eight bytes in little-endian; -1 says that the
//! bytes after it are stored as they are.

use std::io::{self, Read};

use arrow_buffer::Buffer;
use lz4_flex::frame::FrameDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::Damage;
use crate::message::Stored;
use crate::window::Window;

/// Bytes before what is compressed.
const PREFIX_BYTES: u64 = 8;
/// How much longer than what is compressed the memory is that is asked for before anything is decompressed.
const LIKELY_FACTOR: usize = 16;

/// How the buffers of a message are compressed.
#[derive(Clone, Copy)]
pub(crate) enum Codec {
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// `len` bytes from byte `start` of a buffer. Of one that is not compressed, nothing else is fetched.
///
/// # Errors
/// [`Damage::Short`], [`Damage::Compressed`], [`Damage::TooMany`].
pub(crate) fn read(
    bytes: &Window<'_>,
    codec: Option<Codec>,
    buffer: Stored,
    start: u64,
    len: u64,
) -> Result<Buffer, Damage> {
    let end = start.checked_add(len).ok_or(Damage::TooMany)?;
    let within = |found: u64| match end <= found {
        true => Ok(()),
        false => Err(Damage::Short {
            expected: end,
            found,
        }),
    };
    let fetch = |buffer: Stored, start: u64, len: u64| {
        let fetched = bytes.read(buffer.offset + start, len);
        // The buffer lies in the file, so nothing less can come.
        match fetched.len() as u64 == len {
            true => Ok(fetched),
            false => Err(Damage::Short {
                expected: len,
                found: fetched.len() as u64,
            }),
        }
    };
    let Some(codec) = codec else {
        within(buffer.len)?;
        return fetch(buffer, start, len);
    };
    // Empty buffers may go without the prefix.
    if len == 0 {
        return Ok(Buffer::default());
    }
    let content = Stored {
        offset: buffer.offset.saturating_add(PREFIX_BYTES),
        len: buffer.len.checked_sub(PREFIX_BYTES).ok_or(Damage::Short {
            expected: PREFIX_BYTES,
            found: buffer.len,
        })?,
    };
    let prefix = fetch(buffer, 0, PREFIX_BYTES)?;
    let length = prefix
        .iter()
        .rev()
        .fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length == u64::MAX {
        within(content.len)?;
        return fetch(content, start, len);
    }
    within(length)?;
    let compressed = fetch(content, 0, content.len)?;
    let compressed = compressed.as_slice();
    let bytes = match codec {
        Codec::Lz4 => part(FrameDecoder::new(compressed), compressed, start, len),
        Codec::Zstd => part(
            StreamingDecoder::new(compressed).map_err(io::Error::other)?,
            compressed,
            start,
            len,
        ),
    };
    bytes.map(Buffer::from_vec)
}

/// `len` bytes from byte `start` of what `decoder` makes of `compressed`. Memory grows with what there really is.
fn part(
    mut decoder: impl Read,
    compressed: &[u8],
    start: u64,
    len: u64,
) -> Result<Vec<u8>, Damage> {
    let wanted = usize::try_from(len).map_err(|_| Damage::TooMany)?;
    io::copy(&mut decoder.by_ref().take(start), &mut io::sink())?;
    let likely = compressed.len().saturating_mul(LIKELY_FACTOR);
    let mut output = Vec::with_capacity(wanted.min(likely));
    decoder.take(len).read_to_end(&mut output)?;
    match output.len() == wanted {
        true => Ok(output),
        false => Err(Damage::Short {
            expected: start + len,
            found: start + output.len() as u64,
        }),
    }
}
