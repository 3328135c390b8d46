//! Levels and dictionary indices: runs of equal numbers and of bit-packed ones.

use parquet::basic::Encoding;
use parquet::errors::Result;

use super::parts::{damaged, little_endian, split, take_varint, unpack};

/// Checks one level section of a version 1 page. Gives what follows it, and, if asked to count, how many
/// levels are the highest.
pub(super) fn v1_levels(
    buf: &[u8],
    encoding: Encoding,
    max_level: i16,
    values: u64,
    count: bool,
) -> Result<(&[u8], u64)> {
    if max_level <= 0 {
        return Ok((buf, values));
    }
    #[expect(deprecated, reason = "old files still have it")]
    match encoding {
        Encoding::RLE => {
            let (length, rest) = split(buf, 4)?;
            let (levels, rest) = split(rest, little_endian(length))?;
            Ok((rest, run_lengths(levels, max_level, values, count)?))
        }
        // Nobody writes these levels together with an encoding whose values are counted.
        Encoding::BIT_PACKED if !count => Ok((
            split(buf, (values * u64::from(width(max_level))).div_ceil(8))?.1,
            0,
        )),
        _ => Err(damaged("levels are of an unknown encoding")),
    }
}

/// Checks that runs of levels make `values` levels. Gives, if asked to count, how many are `max_level`.
pub(super) fn run_lengths(
    mut runs: &[u8],
    max_level: i16,
    values: u64,
    count: bool,
) -> Result<u64> {
    if max_level <= 0 {
        return Ok(values);
    }
    let width = u64::from(width(max_level));
    let (mut highest, mut left) = (0, values);
    while left > 0 {
        let header = take_varint(&mut runs)?;
        let length = header >> 1;
        let taken = if header & 1 == 1 {
            let taken = left.min(length.saturating_mul(8));
            let (bits, _) = split(runs, (taken * width).div_ceil(8))?;
            if count {
                let is_highest = |at: &u64| unpack(bits, *at, width) == max_level as u64;
                highest += (0..taken).filter(is_highest).count() as u64;
            }
            let stored = length.saturating_mul(width).min(runs.len() as u64);
            runs = split(runs, stored)?.1;
            taken
        } else {
            let (level, rest) = split(runs, width.div_ceil(8))?;
            runs = rest;
            let taken = left.min(length);
            if little_endian(level) == max_level as u64 {
                highest += taken;
            }
            taken
        };
        left -= taken;
    }
    Ok(highest)
}

/// Checks the headers of runs of dictionary indices, and, given the number of `entries`, the indices too.
/// The last run may be cut short: some writers do that.
pub(super) fn index_runs(mut runs: &[u8], width: u8, entries: Option<u64>) -> Result<()> {
    let known = |index: u64| entries.is_none_or(|entries| index < entries);
    let width = u64::from(width);
    while !runs.is_empty() {
        let header = take_varint(&mut runs)?;
        // Padding, as fastparquet writes it.
        if header == 0 {
            break;
        }
        let packed = header & 1 == 1;
        let length = if packed {
            (header >> 1).saturating_mul(width).min(runs.len() as u64)
        } else {
            width.div_ceil(8)
        };
        let (run, rest) = split(runs, length)?;
        runs = rest;
        let all_known = if !packed {
            known(little_endian(run))
        } else if entries.is_some() {
            (0..length * 8 / width.max(1)).all(|at| known(unpack(run, at, width)))
        } else {
            true
        };
        if !all_known {
            return Err(damaged("an index is not in the dictionary"));
        }
    }
    Ok(())
}

fn width(max_level: i16) -> u32 {
    i16::BITS - max_level.leading_zeros()
}
