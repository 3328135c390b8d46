//! Parts of dates and timestamps.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_schema::{DataType, TimeUnit};

use crate::calendar::{nanos, part_of_days, part_of_ticks, rescale};
use crate::syntax::DatePart;

/// A part of every date or timestamp as `BIGINT`; seconds since 1970-01-01 as `DOUBLE`.
pub(crate) fn date_part(part: DatePart, operand: &ArrayRef) -> ArrayRef {
    match operand.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            part_of_timestamps::<TimestampSecondType>(part, operand, TimeUnit::Second)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            part_of_timestamps::<TimestampMillisecondType>(part, operand, TimeUnit::Millisecond)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            part_of_timestamps::<TimestampMicrosecondType>(part, operand, TimeUnit::Microsecond)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            part_of_timestamps::<TimestampNanosecondType>(part, operand, TimeUnit::Nanosecond)
        }
        _ => {
            let days = operand.as_primitive::<Date32Type>();
            match part {
                DatePart::Epoch => {
                    Arc::new(days.unary::<_, Float64Type>(|days| f64::from(days) * 86_400.0))
                }
                part => {
                    Arc::new(days.unary::<_, Int64Type>(|days| part_of_days(part, days.into())))
                }
            }
        }
    }
}

fn part_of_timestamps<T: ArrowPrimitiveType<Native = i64>>(
    part: DatePart,
    operand: &ArrayRef,
    unit: TimeUnit,
) -> ArrayRef {
    let ticks = operand.as_primitive::<T>();
    match part {
        DatePart::Epoch => Arc::new(ticks.unary::<_, Float64Type>(|ticks| epoch(ticks, unit))),
        part => Arc::new(ticks.unary::<_, Int64Type>(|ticks| part_of_ticks(part, ticks, unit))),
    }
}

/// Seconds since 1970-01-01, of whole microseconds.
fn epoch(ticks: i64, unit: TimeUnit) -> f64 {
    match rescale(ticks.into(), unit, TimeUnit::Microsecond) {
        Some(microseconds) => microseconds as f64 / 1e6,
        None => ticks as f64 * (nanos(unit) as f64 / 1e9),
    }
}
