//! How large a selection of rows would be, counted before any kernel runs.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, cast::AsArray as _, make_array};
use arrow_buffer::ArrowNativeType as _;
use arrow_schema::DataType;

use crate::arrow::layout::{Layout, OffsetWidth, layout};
use crate::arrow::rows::{BadRows, Rows};
use crate::arrow::type_name;
use crate::arrow::values;

/// Refuses selections whose 32-bit offsets would overflow, at any depth: some kernels panic there.
///
/// `ranges` are row ranges, each of one of the arrays, which are of one type.
pub(crate) fn check_size(
    arrays: &[ArrayRef],
    mut ranges: Vec<(usize, Range<usize>)>,
) -> Result<(), BadRows> {
    /// Maps row ranges to ranges of what the offsets point into.
    fn map<'a>(ranges: &mut [(usize, Range<usize>)], offset: impl Fn(usize, usize) -> usize + 'a) {
        for (array, range) in ranges {
            *range = offset(*array, range.start)..offset(*array, range.end);
        }
    }

    let Some(data_type) = arrays.first().map(|array| array.data_type()) else {
        return Ok(());
    };
    let too_large = |found| BadRows::TooLarge {
        data_type: type_name(data_type),
        found,
    };
    let check = |width: OffsetWidth, ranges: &[(usize, Range<usize>)]| {
        let found: u64 = ranges.iter().map(|(_, range)| range.len() as u64).sum();
        match width == OffsetWidth::Four && found > i32::MAX as u64 {
            true => Err(too_large(found)),
            false => Ok(()),
        }
    };
    match layout(data_type) {
        Some(Layout::Bytes(width)) => {
            match data_type {
                DataType::Utf8 => map(&mut ranges, |array, row| {
                    arrays[array].as_string::<i32>().offsets()[row].as_usize()
                }),
                DataType::Binary => map(&mut ranges, |array, row| {
                    arrays[array].as_binary::<i32>().offsets()[row].as_usize()
                }),
                _ => return Ok(()),
            }
            check(width, &ranges)
        }
        Some(Layout::List(width, _)) => {
            let children: Vec<ArrayRef> = match data_type {
                DataType::List(_) => {
                    map(&mut ranges, |array, row| {
                        arrays[array].as_list::<i32>().offsets()[row].as_usize()
                    });
                    arrays
                        .iter()
                        .map(|array| Arc::clone(array.as_list::<i32>().values()))
                        .collect()
                }
                DataType::LargeList(_) => {
                    map(&mut ranges, |array, row| {
                        arrays[array].as_list::<i64>().offsets()[row].as_usize()
                    });
                    arrays
                        .iter()
                        .map(|array| Arc::clone(array.as_list::<i64>().values()))
                        .collect()
                }
                _ => {
                    map(&mut ranges, |array, row| {
                        arrays[array].as_map().offsets()[row].as_usize()
                    });
                    arrays
                        .iter()
                        .map(|array| Arc::new(array.as_map().entries().clone()) as _)
                        .collect()
                }
            };
            check(width, &ranges)?;
            check_size(&children, ranges)
        }
        Some(Layout::FixedList(size, _)) => {
            map(&mut ranges, |_, row| row * size);
            let children: Vec<_> = arrays
                .iter()
                .map(|array| Arc::clone(array.as_fixed_size_list().values()))
                .collect();
            check(OffsetWidth::Four, &ranges)?;
            check_size(&children, ranges)
        }
        Some(Layout::Struct(fields)) => {
            for at in 0..fields.len() {
                let children: Vec<_> = arrays
                    .iter()
                    .map(|array| Arc::clone(array.as_struct().column(at)))
                    .collect();
                check_size(&children, ranges.clone())?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Rows of an array: ranges of them, any number of times, and some rows of nulls.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    ranges: Vec<Range<usize>>,
    nulls: u64,
}

impl Chosen {
    /// Every row.
    pub(crate) fn all(rows: usize) -> Self {
        let every = std::iter::once(0..rows);
        Self::of(every.collect(), 0)
    }

    /// Rows that are there, and rows of nulls.
    pub(crate) fn of(ranges: Vec<Range<usize>>, nulls: u64) -> Self {
        Self { ranges, nulls }
    }

    /// The rows that `rows` selects of the first `of` rows, as far as they are there.
    pub(crate) fn rows(rows: &Rows, of: u64) -> Self {
        let place = |row: u64| usize::try_from(row.min(of)).unwrap_or(usize::MAX);
        match rows {
            Rows::All(len) => Self::all(place(*len)),
            Rows::Range { start, len } => {
                let range = place(*start)..place(start.saturating_add(*len));
                Self::of(vec![range], 0)
            }
            Rows::Indices(indices) => {
                let there = indices.iter().flatten().filter(|row| *row < of);
                let ranges = there.map(|row| place(row)..place(row) + 1);
                Self::of(ranges.collect(), indices.null_count() as u64)
            }
        }
    }

    fn count(&self) -> u64 {
        let rows = self.ranges.iter().map(|range| range.len() as u64);
        rows.fold(self.nulls, u64::saturating_add)
    }

    /// The values that these rows have in a child.
    fn map(&self, nulls: u64, offset: impl Fn(usize) -> usize) -> Self {
        let ranges = self.ranges.iter();
        let ranges = ranges.map(|range| offset(range.start)..offset(range.end));
        Self::of(ranges.collect(), nulls)
    }
}

/// Bytes that one null of a type takes.
pub(crate) fn null_bytes(data_type: &DataType) -> u64 {
    match layout(data_type) {
        Some(Layout::Fixed(width) | Layout::Dictionary(width, _)) => width as u64 + 1,
        Some(Layout::View) => 17,
        Some(Layout::Bytes(width) | Layout::List(width, _)) => width.bytes() as u64 + 1,
        Some(Layout::FixedList(size, item)) => {
            let item = null_bytes(item.data_type()).saturating_add(INDEX_BYTES);
            item.saturating_mul(size as u64).saturating_add(1)
        }
        Some(Layout::Struct(fields)) => {
            let fields = fields.iter().map(|field| null_bytes(field.data_type()));
            fields.fold(1, u64::saturating_add)
        }
        Some(Layout::Null | Layout::Boolean) | None => 1,
    }
}

/// Bytes that kernels allocate at most to select rows of arrays laid end to end; see [`taken_bytes`].
pub(crate) fn taken_bytes_of(pieces: &[ArrayRef], rows: &Rows) -> u64 {
    let Some(first) = pieces.first() else {
        return 0;
    };
    if let [only] = pieces {
        return taken_bytes(only, &Chosen::rows(rows, only.len() as u64));
    }
    let starts = values::starts(pieces.iter().map(|piece| piece.len() as u64));
    let (parts, nulls) = values::split(&starts, rows);
    // Row numbers, and one null for all.
    let own = rows.len().saturating_mul(4 * INDEX_BYTES);
    let nulls = null_bytes(first.data_type()).saturating_mul(nulls + u64::from(nulls > 0));
    let parts = parts.iter().map(|(piece, rows)| {
        let piece = &pieces[*piece];
        taken_bytes(piece, &Chosen::rows(rows, piece.len() as u64))
    });
    parts.fold(own.saturating_add(nulls), u64::saturating_add)
}

/// Bytes of a row number: kernels make one for every value of a fixed-size list.
const INDEX_BYTES: u64 = 8;

/// Bytes that an array takes besides its values. There may be many columns in one of a struct.
const ARRAY_BYTES: u64 = 256;

/// Bytes that kernels allocate at most to select rows of an array, a row as often as it is named, counted before
/// any of them runs: neither how wide a type is nor how often a row is named is bounded.
pub(crate) fn taken_bytes(array: &dyn Array, chosen: &Chosen) -> u64 {
    bytes(array, chosen, true)
}

/// Bytes of an array's own values: of a slice only what belongs to it, at every depth.
pub(crate) fn own_bytes(array: &dyn Array) -> u64 {
    bytes(array, &Chosen::all(array.len()), false)
}

/// Bytes of the values of rows, and if `working` what kernels need on the way.
fn bytes(array: &dyn Array, chosen: &Chosen, working: bool) -> u64 {
    let rows = chosen.count();
    let fixed = |width: usize| rows.saturating_mul(width as u64);
    let validity = rows / 8 + 1;
    let own = match layout(array.data_type()) {
        Some(Layout::Fixed(width)) => fixed(width),
        Some(Layout::Dictionary(width, _)) => {
            let data = array.to_data();
            let values = make_array(data.child_data()[0].clone());
            fixed(width).saturating_add(bytes(&values, &Chosen::all(values.len()), working))
        }
        Some(Layout::View) => fixed(16),
        Some(Layout::Bytes(width)) => {
            let values = match array.data_type() {
                DataType::Utf8 => span(chosen, array.as_string::<i32>().offsets()),
                DataType::Binary => span(chosen, array.as_binary::<i32>().offsets()),
                DataType::LargeUtf8 => span(chosen, array.as_string::<i64>().offsets()),
                _ => span(chosen, array.as_binary::<i64>().offsets()),
            };
            let values = values.count();
            fixed(width.bytes())
                .saturating_add(width.bytes() as u64)
                .saturating_add(values)
        }
        Some(Layout::List(width, item)) => {
            let (child, values): (ArrayRef, _) = match array.data_type() {
                DataType::List(_) => {
                    let list = array.as_list::<i32>();
                    (Arc::clone(list.values()), span(chosen, list.offsets()))
                }
                DataType::LargeList(_) => {
                    let list = array.as_list::<i64>();
                    (Arc::clone(list.values()), span(chosen, list.offsets()))
                }
                _ => {
                    let map = array.as_map();
                    (Arc::new(map.entries().clone()), span(chosen, map.offsets()))
                }
            };
            // arrow-rs reserves room for as many values as lists have on average, those not selected among them.
            let average = (child.len() as u64).checked_div(array.len() as u64);
            let reserved = average
                .filter(|_| working)
                .unwrap_or_default()
                .saturating_mul(rows)
                .saturating_mul(null_bytes(item.data_type()));
            fixed(width.bytes())
                .saturating_add(width.bytes() as u64)
                .saturating_add(reserved)
                .saturating_add(bytes(&child, &values, working))
        }
        Some(Layout::FixedList(size, _)) => {
            let nulls = chosen.nulls.saturating_mul(size as u64);
            let values = chosen.map(nulls, |row| row * size);
            let index = if working { INDEX_BYTES } else { 0 };
            let item = array.as_fixed_size_list().values();
            fixed(size)
                .saturating_mul(index)
                .saturating_add(bytes(item, &values, working))
        }
        Some(Layout::Struct(_)) => {
            let columns = array.as_struct().columns().iter();
            let columns = columns.map(|column| bytes(column, chosen, working));
            columns.fold(0, |sum, bytes| {
                u64::saturating_add(sum, bytes).saturating_add(ARRAY_BYTES)
            })
        }
        Some(Layout::Boolean) => validity,
        Some(Layout::Null) | None => 0,
    };
    own.saturating_add(validity)
}

/// Where the values of rows lie.
fn span<O: arrow_array::OffsetSizeTrait>(
    chosen: &Chosen,
    offsets: &arrow_buffer::OffsetBuffer<O>,
) -> Chosen {
    chosen.map(0, |row| offsets[row].as_usize())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::UInt64Array;

    use super::*;
    use crate::arrow::rows::take;
    use crate::arrow::samples::{Random, build, random_field, random_values};
    use crate::arrow::values::byte_size;

    #[test]
    fn a_copy_takes_no_more_bytes_than_are_counted() {
        for seed in 0..500 {
            let mut random = Random(seed + 1);
            let field = random_field("x", 3, &mut random);
            let values = random_values(&field, 20, &mut random);
            let array = build(&field, &values, &mut random);
            let rows = [Some(3), Some(3), Some(19), None, Some(0), Some(7), Some(3)];
            let rows = Rows::Indices(UInt64Array::from_iter(rows));
            let counted = taken_bytes(&array, &Chosen::rows(&rows, 20));
            let copy = take(&[array], &rows).unwrap();
            assert!(
                byte_size(&copy) <= counted,
                "{seed}: {:?}: {counted}",
                field.data_type()
            );
        }
    }

    #[test]
    fn long_values_are_counted_as_often_as_they_are_named() {
        let text: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["a", "four"]));
        let chosen = Chosen::of(vec![1..2, 1..2, 0..2], 0);
        let offsets = 4 * 5;
        assert_eq!(taken_bytes(&text, &chosen), 13 + offsets + 1);
    }

    #[test]
    fn nulls_of_wide_types_are_counted_without_an_overflow() {
        let wide = DataType::FixedSizeBinary(i32::MAX);
        let none = arrow_array::new_empty_array(&wide);
        let chosen = Chosen::of(Vec::new(), 100_000);
        assert_eq!(
            taken_bytes(&none, &chosen),
            100_000 * i32::MAX as u64 + 100_000 / 8 + 1
        );
        let item = Arc::new(arrow_schema::Field::new("item", wide, true));
        let wider = DataType::FixedSizeList(item, i32::MAX);
        let item = Arc::new(arrow_schema::Field::new("item", wider, true));
        let widest = DataType::FixedSizeList(item, i32::MAX);
        assert_eq!(null_bytes(&widest), u64::MAX);
        let field = arrow_schema::Field::new("a", widest, true);
        let of_widest = DataType::Struct(vec![field].into());
        let none = arrow_array::new_empty_array(&of_widest);
        let chosen = Chosen::of(Vec::new(), u64::MAX);
        assert_eq!(taken_bytes(&none, &chosen), u64::MAX);
    }
}
