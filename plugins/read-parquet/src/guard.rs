//! Checks what the `parquet` and `arrow-ipc` decoders take for granted.
//!
//! They slice, index and unwrap on a few numbers that come straight from the file. A damaged file must be an
//! error, so those numbers are looked at first. Everything else they check themselves, but for two things, which
//! can still end in a trap: the reader of maps unwraps what the reader of lists refuses, and lengths of
//! `DELTA_BYTE_ARRAY` strings are added up unchecked.

use arrow_ipc::{DateUnit, Field, IntervalUnit, Precision, TimeUnit, Type, root_as_message};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::Page;
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

/// What is known of a column before its next page.
#[derive(Clone, Copy)]
pub(crate) struct PageGuard {
    max_rep_level: i16,
    max_def_level: i16,
    physical_type: PhysicalType,
    type_length: i32,
    /// Bytes of the dictionary, once there is one.
    dictionary: Option<u64>,
}

impl PageGuard {
    pub(crate) fn new(column: &ColumnDescriptor) -> Self {
        Self {
            max_rep_level: column.max_rep_level(),
            max_def_level: column.max_def_level(),
            physical_type: column.physical_type(),
            type_length: column.type_length(),
            dictionary: None,
        }
    }

    /// Checks a decompressed page before it is decoded.
    ///
    /// # Errors
    /// If levels, dictionary indices or values do not fit their page.
    pub(crate) fn check(&mut self, page: &mut Page) -> Result<()> {
        let values = u64::from(page.num_values());
        let (buf, levels, encoding, nulls, present) = match page {
            Page::DictionaryPage { buf, .. } => {
                if self.physical_type == PhysicalType::BYTE_ARRAY {
                    buf.truncate(plain_byte_arrays(buf, values)?);
                }
                self.dictionary = Some(buf.len() as u64);
                return Ok(());
            }
            Page::DataPage {
                buf,
                rep_level_encoding,
                def_level_encoding,
                encoding,
                ..
            } => {
                let count = counted(*encoding);
                let (rest, _) =
                    v1_levels(buf, *rep_level_encoding, self.max_rep_level, values, false)?;
                let (rest, present) =
                    v1_levels(rest, *def_level_encoding, self.max_def_level, values, count)?;
                let levels = buf.len() - rest.len();
                (buf, levels, *encoding, 0, present)
            }
            Page::DataPageV2 {
                buf,
                num_nulls,
                rep_levels_byte_len,
                def_levels_byte_len,
                encoding,
                ..
            } => {
                let (rep, rest) = split(buf, u64::from(*rep_levels_byte_len))?;
                let (def, rest) = split(rest, u64::from(*def_levels_byte_len))?;
                let count = counted(*encoding);
                run_lengths(rep, self.max_rep_level, values, false)?;
                let present = run_lengths(def, self.max_def_level, values, count)?;
                let levels = buf.len() - rest.len();
                (buf, levels, *encoding, u64::from(*num_nulls), present)
            }
        };
        let Some(stored) = values.checked_sub(nulls) else {
            return Err(damaged("a page has more nulls than values"));
        };
        if encoding == Encoding::PLAIN && self.physical_type == PhysicalType::BYTE_ARRAY {
            let length = plain_byte_arrays(buf.get(levels..).unwrap_or_default(), stored)?;
            buf.truncate(levels + length);
        }
        self.check_values(buf, levels, encoding, values, present)
    }

    /// Checks the values of a page, which start at `levels`. There are at most `most`; `present` of them
    /// are not null, if counted.
    fn check_values(
        &self,
        buf: &mut Bytes,
        levels: usize,
        encoding: Encoding,
        most: u64,
        present: u64,
    ) -> Result<()> {
        let values = buf.get(levels..).unwrap_or_default();
        match encoding {
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
                let Some(dictionary) = self.dictionary else {
                    return Err(damaged("a page wants a dictionary and there is none"));
                };
                // For values of any other type, the decoder looks.
                let entries = (self.physical_type == PhysicalType::FIXED_LEN_BYTE_ARRAY)
                    .then(|| dictionary / self.type_length.max(1) as u64);
                match values {
                    // All null. The decoder wants the width of its indices even so.
                    [] => *buf = Bytes::from([buf.as_ref(), &[0]].concat()),
                    [width @ 0..=32, indices @ ..] => index_runs(indices, *width, entries)?,
                    _ => return Err(damaged("the indices of a page are too wide")),
                }
            }
            Encoding::RLE if self.physical_type == PhysicalType::BOOLEAN => {
                index_runs(values.get(4..).unwrap_or_default(), 1, None)?;
            }
            Encoding::BYTE_STREAM_SPLIT => {
                let width = match self.physical_type {
                    PhysicalType::INT32 | PhysicalType::FLOAT => 4,
                    PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
                    _ => u64::try_from(self.type_length).unwrap_or(0).max(1),
                };
                if values.len() as u64 != present * width {
                    return Err(damaged(
                        "a page has more or fewer bytes than its values take",
                    ));
                }
            }
            Encoding::DELTA_BINARY_PACKED => {
                let mut none = true;
                deltas(values, most, |block| {
                    none &= block.count == 0;
                    Ok(())
                })?;
                if none && present > 0 {
                    return Err(damaged("a page has values and no deltas"));
                }
            }
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                let (lengths, bytes) = lengths(values, most)?;
                split(bytes, lengths)?;
            }
            Encoding::DELTA_BYTE_ARRAY => {
                let (_, suffixes) = lengths(values, most)?;
                let (lengths, bytes) = lengths(suffixes, most)?;
                split(bytes, lengths)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether it matters for an encoding how many values of a page are not null.
fn counted(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::BYTE_STREAM_SPLIT | Encoding::DELTA_BINARY_PACKED
    )
}

/// Checks one level section of a version 1 page. Gives what follows it, and, if asked to count, how many
/// levels are the highest.
fn v1_levels(
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
fn run_lengths(mut runs: &[u8], max_level: i16, values: u64, count: bool) -> Result<u64> {
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

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Checks the headers of runs of dictionary indices, and, given the number of `entries`, the indices too.
/// The last run may be cut short: some writers do that.
fn index_runs(mut runs: &[u8], width: u8, entries: Option<u64>) -> Result<()> {
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

/// The value at position `at` of bit-packed values, `width` bits each.
fn unpack(bits: &[u8], at: u64, width: u64) -> u64 {
    let bit = |at: u64| u64::from(bits[(at / 8) as usize] >> (at % 8) & 1);
    (0..width).fold(0, |value, n| value | bit(at * width + n) << n)
}

/// Checks that byte arrays lie in their page. Gives the bytes that the first `most` take: what is behind
/// them the decoder would divide among values that are no longer there.
fn plain_byte_arrays(bytes: &[u8], most: u64) -> Result<usize> {
    let mut rest = bytes;
    for _ in 0..most {
        if rest.is_empty() {
            break;
        }
        let (length, after) = split(rest, 4)?;
        rest = split(after, little_endian(length))?.1;
    }
    Ok(bytes.len() - rest.len())
}

/// Delta-encoded integers that are packed alike. The first integer of all is a delta of zero.
struct Miniblock<'a> {
    /// What each delta is above.
    least: i64,
    /// By how much, `width` bits each.
    packed: &'a [u8],
    width: u8,
    /// Number of integers.
    count: u64,
}

/// Checks one run of delta-encoded integers, of which there are at most `most`, and hands out its
/// miniblocks. Gives what follows it.
fn deltas<'a>(
    mut bytes: &'a [u8],
    most: u64,
    mut visit: impl FnMut(Miniblock<'a>) -> Result<()>,
) -> Result<&'a [u8]> {
    let block = take_varint(&mut bytes)?;
    let miniblocks = take_varint(&mut bytes)?;
    let count = take_varint(&mut bytes)?;
    if count > most {
        return Err(damaged("a page has more deltas than values"));
    }
    visit(Miniblock {
        least: take_signed(&mut bytes)?,
        packed: &[],
        width: 0,
        count: count.min(1),
    })?;
    let mut left = count.saturating_sub(1);
    let values = block.checked_div(miniblocks).filter(|values| *values > 0);
    let values = values.ok_or_else(|| damaged("a block of deltas is empty"))?;
    while left > 0 {
        let least = take_signed(&mut bytes)?;
        let (widths, mut rest) = split(bytes, miniblocks)?;
        for width in widths.iter().copied() {
            if left == 0 {
                break;
            }
            if width > 64 {
                return Err(damaged("deltas are too wide"));
            }
            // The last one may be cut short: some writers do that.
            let length = values
                .saturating_mul(width.into())
                .div_ceil(8)
                .min(rest.len() as u64);
            let (packed, after) = split(rest, length)?;
            let count = left.min(values);
            visit(Miniblock {
                least,
                packed,
                width,
                count,
            })?;
            rest = after;
            left -= count;
        }
        bytes = rest;
    }
    Ok(bytes)
}

/// Checks one run of delta-encoded lengths, at most `most`. Gives their sum, and what follows the run.
fn lengths(bytes: &[u8], most: u64) -> Result<(u64, &[u8])> {
    let (mut length, mut sum) = (0_i32, 0_u64);
    let rest = deltas(bytes, most, |block| {
        let width = u64::from(block.width);
        split(block.packed, (block.count * width).div_ceil(8))?;
        for at in 0..block.count {
            // The decoder wraps too.
            let delta = block.least as i32;
            let above = unpack(block.packed, at, width) as i32;
            length = length.wrapping_add(delta).wrapping_add(above);
            sum += u64::try_from(length).map_err(|_| damaged("a length is negative"))?;
        }
        Ok(())
    })?;
    Ok((sum, rest))
}

/// A zigzag varint.
fn take_signed(bytes: &mut &[u8]) -> Result<i64> {
    let value = take_varint(bytes)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64> {
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

fn width(max_level: i16) -> u32 {
    i16::BITS - max_level.leading_zeros()
}

fn split(bytes: &[u8], length: u64) -> Result<(&[u8], &[u8])> {
    usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(|| damaged("a part of a page runs past its end"))
}

fn damaged(message: &str) -> ParquetError {
    ParquetError::General(message.to_owned())
}

/// Whether the Arrow schema that a file carries, in base64, can be converted.
pub(crate) fn embedded_schema(encoded: &str) -> bool {
    let Ok(bytes) = BASE64_STANDARD.decode(encoded) else {
        return false;
    };
    // Newer writers put a marker and a length before the message, older ones only the length.
    let message = match bytes.as_slice() {
        [0xff, 0xff, 0xff, 0xff, _, _, _, _, message @ ..] => message,
        message => message,
    };
    root_as_message(message)
        .ok()
        .and_then(|message| message.header_as_schema()?.fields())
        .is_some_and(|fields| fields.iter().all(field))
}

fn field(node: Field<'_>) -> bool {
    let int = |int: arrow_ipc::Int<'_>| matches!(int.bitWidth(), 8 | 16 | 32 | 64);
    let unit = |unit: TimeUnit| unit.variant_name().is_some();
    let children = || node.children().map_or(0, |children| children.len());
    let type_ = match node.type_type() {
        Type::Null | Type::Bool | Type::Struct_ | Type::Binary | Type::Utf8 => true,
        Type::LargeBinary | Type::LargeUtf8 | Type::BinaryView | Type::Utf8View => true,
        Type::Int => node.type_as_int().is_some_and(int),
        Type::FloatingPoint => node.type_as_floating_point().is_some_and(|float| {
            matches!(
                float.precision(),
                Precision::HALF | Precision::SINGLE | Precision::DOUBLE
            )
        }),
        Type::FixedSizeBinary => node
            .type_as_fixed_size_binary()
            .is_some_and(|binary| binary.byteWidth() >= 0),
        Type::Date => node
            .type_as_date()
            .is_some_and(|date| matches!(date.unit(), DateUnit::DAY | DateUnit::MILLISECOND)),
        Type::Time => node.type_as_time().is_some_and(|time| {
            matches!(
                (time.bitWidth(), time.unit()),
                (32, TimeUnit::SECOND | TimeUnit::MILLISECOND)
                    | (64, TimeUnit::MICROSECOND | TimeUnit::NANOSECOND)
            )
        }),
        Type::Timestamp => node
            .type_as_timestamp()
            .is_some_and(|stamp| unit(stamp.unit())),
        Type::Duration => node
            .type_as_duration()
            .is_some_and(|duration| unit(duration.unit())),
        Type::Interval => node.type_as_interval().is_some_and(|interval| {
            matches!(
                interval.unit(),
                IntervalUnit::YEAR_MONTH | IntervalUnit::DAY_TIME | IntervalUnit::MONTH_DAY_NANO
            )
        }),
        Type::Decimal => node.type_as_decimal().is_some_and(|decimal| {
            matches!(decimal.bitWidth(), 32 | 64 | 128 | 256)
                && u8::try_from(decimal.precision()).is_ok()
                && i8::try_from(decimal.scale()).is_ok()
        }),
        Type::List | Type::LargeList | Type::ListView | Type::LargeListView | Type::Map => {
            children() == 1
        }
        Type::FixedSizeList => {
            children() == 1
                && node
                    .type_as_fixed_size_list()
                    .is_some_and(|list| list.listSize() >= 0)
        }
        Type::RunEndEncoded => children() == 2,
        _ => false,
    };
    type_
        && node.name().is_some()
        && node
            .dictionary()
            .is_none_or(|dictionary| dictionary.indexType().is_some_and(int))
        && node
            .children()
            .is_none_or(|children| children.iter().all(field))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A block of 128 in four miniblocks, of three values: 5, then two deltas of `delta`.
    fn run(delta: i8) -> Vec<u8> {
        let zigzag = |value: i8| (value << 1 ^ value >> 7) as u8;
        vec![0x80, 1, 4, 3, zigzag(5), zigzag(delta), 0, 0, 0, 0]
    }

    #[test]
    fn lengths_are_added_up() {
        let bytes = [run(2), b"rest".to_vec()].concat();
        assert_eq!(lengths(&bytes, 3).unwrap(), (5 + 7 + 9, &b"rest"[..]));
    }

    #[test]
    fn lengths_that_are_too_many_or_negative_are_damage() {
        let message = |bytes: &[u8], most| lengths(bytes, most).unwrap_err().to_string();
        let expect = |found: String, words: &str| assert!(found.ends_with(words), "{found}");
        expect(message(&run(2), 2), "a page has more deltas than values");
        expect(message(&run(-3), 3), "a length is negative");
        expect(
            message(&run(2)[..5], 3),
            "the length of a run is missing or too large",
        );
    }

    #[test]
    fn byte_arrays_end_in_their_page() {
        let page = b"\x01\0\0\0a\x02\0\0\0bc";
        assert_eq!(plain_byte_arrays(page, 2).unwrap(), 11);
        assert_eq!(plain_byte_arrays(page, 1).unwrap(), 5);
        assert!(plain_byte_arrays(&page[..10], 2).is_err());
        assert!(plain_byte_arrays(b"\xff\xff\xff\xff", 1).is_err());
    }
}
