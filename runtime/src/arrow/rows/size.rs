//! How large a selection of rows would be, counted before any kernel runs.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, cast::AsArray as _};
use arrow_buffer::ArrowNativeType as _;
use arrow_schema::DataType;

use crate::arrow::layout::{Layout, OffsetWidth, layout};
use crate::arrow::rows::BadRows;
use crate::arrow::type_name;

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

/// Bytes of the values in row ranges of an array, a row as often as it is named: what a copy would take at least.
pub(crate) fn copied_bytes(array: &dyn Array, ranges: Vec<Range<usize>>) -> u64 {
    fn map(ranges: Vec<Range<usize>>, offset: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
        let ends = |range: Range<usize>| offset(range.start)..offset(range.end);
        ranges.into_iter().map(ends).collect()
    }
    let count = |ranges: &[Range<usize>]| ranges.iter().map(|range| range.len() as u64).sum();
    let bytes = |ranges: Vec<Range<usize>>| -> u64 { count(&ranges) };
    // What lies under a null is not copied.
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let ranges = match (layout(array.data_type()), nulls) {
        (Some(Layout::Bytes(_) | Layout::List(..) | Layout::FixedList(..)), Some(nulls)) => {
            let rows = ranges.into_iter().flatten();
            let valid = rows.filter(|row| nulls.is_valid(*row));
            valid.map(|row| row..row + 1).collect()
        }
        _ => ranges,
    };
    match layout(array.data_type()) {
        Some(Layout::Fixed(width) | Layout::Dictionary(width, _)) => width as u64 * bytes(ranges),
        Some(Layout::View) => 16 * bytes(ranges),
        Some(Layout::Bytes(_)) => bytes(match array.data_type() {
            DataType::Utf8 => {
                let offsets = array.as_string::<i32>().offsets();
                map(ranges, |row| offsets[row].as_usize())
            }
            DataType::Binary => {
                let offsets = array.as_binary::<i32>().offsets();
                map(ranges, |row| offsets[row].as_usize())
            }
            DataType::LargeUtf8 => {
                let offsets = array.as_string::<i64>().offsets();
                map(ranges, |row| offsets[row].as_usize())
            }
            _ => {
                let offsets = array.as_binary::<i64>().offsets();
                map(ranges, |row| offsets[row].as_usize())
            }
        }),
        Some(Layout::List(..)) => match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let ranges = map(ranges, |row| list.offsets()[row].as_usize());
                copied_bytes(list.values(), ranges)
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let ranges = map(ranges, |row| list.offsets()[row].as_usize());
                copied_bytes(list.values(), ranges)
            }
            _ => {
                let entries = array.as_map();
                let ranges = map(ranges, |row| entries.offsets()[row].as_usize());
                copied_bytes(entries.entries(), ranges)
            }
        },
        Some(Layout::FixedList(size, _)) => {
            let ranges = map(ranges, |row| row * size);
            copied_bytes(array.as_fixed_size_list().values(), ranges)
        }
        Some(Layout::Struct(_)) => {
            let columns = array.as_struct().columns().iter();
            columns
                .map(|column| copied_bytes(column, ranges.clone()))
                .sum()
        }
        Some(Layout::Null | Layout::Boolean) | None => 0,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::UInt64Array;

    use super::*;
    use crate::arrow::rows::{Rows, take};
    use crate::arrow::samples::{Random, build, random_field, random_values};
    use crate::arrow::values::byte_size;

    #[test]
    fn a_copy_takes_no_fewer_bytes_than_are_counted() {
        for seed in 0..500 {
            let mut random = Random(seed + 1);
            let field = random_field("x", 3, &mut random);
            let values = random_values(&field, 20, &mut random);
            let array = build(&field, &values, &mut random);
            let rows = [3, 3, 19, 0, 7, 3];
            let ranges = rows.map(|row| row..row + 1).to_vec();
            let counted = copied_bytes(&array, ranges);
            let indices = UInt64Array::from_iter_values(rows.map(|row| row as u64));
            let copy = take(&[array], &Rows::Indices(indices)).unwrap();
            assert!(
                counted <= byte_size(&copy),
                "{seed}: {:?}: {counted}",
                field.data_type()
            );
        }
    }

    #[test]
    fn long_values_are_counted_as_often_as_they_are_named() {
        let text: ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["a", "four"]));
        assert_eq!(copied_bytes(&text, vec![1..2, 1..2, 0..2]), 13);
        let numbers: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1, 2]));
        assert_eq!(copied_bytes(&numbers, vec![1..2, 0..2]), 24);
    }
}
