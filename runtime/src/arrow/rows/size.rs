//! How large a selection of rows would be, counted before any kernel runs.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, cast::AsArray as _};
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
