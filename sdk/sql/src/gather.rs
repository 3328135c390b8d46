//! Puts arrays together from rows of others.
//!
//! Arrow's own kernels for this, and its casts, carry code for every type and layout there is, which
//! makes a component several times as large. Expressions have few types.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, NullArray, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};

/// A row of one of several sources: source, row. Null if none.
pub(crate) type Pick = Option<(usize, usize)>;

/// An array of `data_type` with one value for each pick. Sources are of that type.
pub(crate) fn gather(data_type: &DataType, sources: &[&ArrayRef], picks: &[Pick]) -> ArrayRef {
    let is_valid = |pick: &Pick| {
        pick.is_some_and(|(source, row)| {
            sources.get(source).is_some_and(|array| array.is_valid(row))
        })
    };
    let valid =
        BooleanBuffer::collect_bool(picks.len(), |index| picks.get(index).is_some_and(is_valid));
    let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
    macro_rules! primitive {
        ($type:ty) => {
            primitives::<$type>(data_type, sources, picks, nulls)
        };
    }
    match data_type {
        DataType::Boolean => {
            let arrays: Vec<_> = sources.iter().map(|array| array.as_boolean()).collect();
            let values = BooleanBuffer::collect_bool(picks.len(), |index| match picks.get(index) {
                Some(Some((source, row))) => {
                    arrays.get(*source).is_some_and(|array| array.value(*row))
                }
                _ => false,
            });
            Arc::new(BooleanArray::new(values, nulls))
        }
        DataType::Utf8 => {
            let arrays: Vec<_> = sources
                .iter()
                .map(|array| array.as_string::<i32>())
                .collect();
            let mut builder = StringBuilder::with_capacity(picks.len(), picks.len() * 8);
            for pick in picks {
                match pick.and_then(|(source, row)| Some((arrays.get(source)?, row))) {
                    Some((array, row)) if array.is_valid(row) => {
                        builder.append_value(array.value(row))
                    }
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::Int8 => primitive!(Int8Type),
        DataType::Int16 => primitive!(Int16Type),
        DataType::Int32 => primitive!(Int32Type),
        DataType::Int64 => primitive!(Int64Type),
        DataType::UInt8 => primitive!(UInt8Type),
        DataType::UInt16 => primitive!(UInt16Type),
        DataType::UInt32 => primitive!(UInt32Type),
        DataType::UInt64 => primitive!(UInt64Type),
        DataType::Float32 => primitive!(Float32Type),
        DataType::Float64 => primitive!(Float64Type),
        DataType::Date32 => primitive!(Date32Type),
        DataType::Decimal128(..) => primitive!(Decimal128Type),
        DataType::Timestamp(TimeUnit::Second, _) => primitive!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitive!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive!(TimestampNanosecondType),
        // Only the type of `NULL` is left.
        _ => Arc::new(NullArray::new(picks.len())),
    }
}

/// The rows at `rows`, in that order.
pub(crate) fn take(array: &ArrayRef, rows: impl Iterator<Item = Option<usize>>) -> ArrayRef {
    let picks: Vec<Pick> = rows.map(|row| row.map(|row| (0, row))).collect();
    gather(array.data_type(), &[array], &picks)
}

/// `yes` in the rows of `mask`, `no` in the others.
pub(crate) fn choose(mask: &BooleanBuffer, yes: &ArrayRef, no: &ArrayRef) -> ArrayRef {
    let picks: Vec<Pick> = mask
        .iter()
        .enumerate()
        .map(|(row, yes)| Some((usize::from(!yes), row)))
        .collect();
    gather(yes.data_type(), &[yes, no], &picks)
}

/// `rows` nulls.
pub(crate) fn nulls(data_type: &DataType, rows: usize) -> ArrayRef {
    gather(data_type, &[], &vec![None; rows])
}

fn primitives<T: ArrowPrimitiveType>(
    data_type: &DataType,
    sources: &[&ArrayRef],
    picks: &[Pick],
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let slices: Vec<&[T::Native]> = sources
        .iter()
        .map(|array| array.as_primitive::<T>().values().as_ref())
        .collect();
    let value = |(source, row): (usize, usize)| slices.get(source)?.get(row).copied();
    let values: Vec<T::Native> = picks
        .iter()
        .map(|pick| pick.and_then(value).unwrap_or_default())
        .collect();
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
}
