//! Delta-encoded integers, and the lengths that they are.

use parquet::errors::Result;

use super::parts::{damaged, split, take_signed, take_varint, unpack};

/// Delta-encoded integers that are packed alike. The first integer of all is a delta of zero.
pub(super) struct Miniblock<'a> {
    /// What each delta is above.
    least: i64,
    /// By how much, `width` bits each.
    packed: &'a [u8],
    width: u8,
    /// Number of integers.
    pub(super) count: u64,
}

/// Checks one run of delta-encoded integers, of which there are at most `most`, and hands out its
/// miniblocks. Gives what follows it.
pub(super) fn deltas<'a>(
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
pub(super) fn lengths(bytes: &[u8], most: u64) -> Result<(u64, &[u8])> {
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
}
