//! Numbers and parts cut off the front of a page.

use parquet::errors::{ParquetError, Result};

/// Cuts `length` bytes off.
pub(super) fn split(bytes: &[u8], length: u64) -> Result<(&[u8], &[u8])> {
    usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(|| damaged("a part of a page runs past its end"))
}

/// A number that `bytes` hold, at most eight of them.
pub(super) fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The value at position `at` of bit-packed values, `width` bits each.
pub(super) fn unpack(bits: &[u8], at: u64, width: u64) -> u64 {
    let bit = |at: u64| u64::from(bits[(at / 8) as usize] >> (at % 8) & 1);
    (0..width).fold(0, |value, n| value | bit(at * width + n) << n)
}

/// A varint, unsigned.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for (position, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            *bytes = &bytes[position + 1..];
            return Ok(value);
        }
    }
    Err(damaged("the length of a run is missing or too large"))
}

/// A zigzag varint.
pub(super) fn take_signed(bytes: &mut &[u8]) -> Result<i64> {
    let value = take_varint(bytes)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// What says that a page is damaged.
pub(super) fn damaged(message: &str) -> ParquetError {
    ParquetError::General(message.to_owned())
}
