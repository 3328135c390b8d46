//! Casts between SQL types, with DuckDB's rounding and text.

mod number;

use std::fmt::Display;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayAccessor, ArrayRef, BooleanArray, PrimitiveArray};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::{DataType, TimeUnit};

use crate::calendar;
use crate::gather::nulls;
use crate::syntax::CastFailure;
use crate::types::{WIDE_INTEGER, sql_name};
use crate::value::Fault;

/// Calls a macro with the Arrow and the Rust type of a number.
macro_rules! for_number {
    ($data_type:expr, $number:ident, $otherwise:expr) => {
        match $data_type {
            DataType::Int8 => $number!(Int8Type, i8),
            DataType::Int16 => $number!(Int16Type, i16),
            DataType::Int32 => $number!(Int32Type, i32),
            DataType::Int64 => $number!(Int64Type, i64),
            DataType::UInt8 => $number!(UInt8Type, u8),
            DataType::UInt16 => $number!(UInt16Type, u16),
            DataType::UInt32 => $number!(UInt32Type, u32),
            DataType::UInt64 => $number!(UInt64Type, u64),
            DataType::Float32 => $number!(Float32Type, f32),
            DataType::Float64 => $number!(Float64Type, f64),
            _ => $otherwise,
        }
    };
}

/// Casts every value. What has no counterpart is an error, or null.
pub(crate) fn cast(
    array: &ArrayRef,
    to: &DataType,
    fallback: CastFailure,
) -> Result<ArrayRef, Fault> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    if *from == DataType::Null {
        return Ok(nulls(to, array.len()));
    }
    match to {
        DataType::Utf8 => Ok(to_text(array)),
        DataType::Boolean => to_boolean(array, fallback),
        DataType::Date32 => to_date(array, fallback),
        DataType::Timestamp(unit, _) => to_timestamp(array, *unit, to, fallback),
        to if *to == WIDE_INTEGER => to_wide_integer(array, fallback),
        to => to_number(array, to, fallback),
    }
}

fn to_number(array: &ArrayRef, to: &DataType, fallback: CastFailure) -> Result<ArrayRef, Fault> {
    // By way of `i128` or `f64`, which hold every number of their kind.
    macro_rules! convert_to {
        ($arrow:ty, $native:ty) => {{
            macro_rules! convert_from {
                ($from:ty, $native_from:ty) => {
                    convert::<_, $arrow>(array.as_primitive::<$from>(), to, fallback, |value| {
                        <$native as number::Number>::from_number(number::Number::widen(value))
                    })
                };
            }
            match array.data_type() {
                DataType::Boolean => {
                    convert::<_, $arrow>(array.as_boolean(), to, fallback, |value| {
                        <$native as number::Number>::from_number(number::Wide::Integer(
                            value.into(),
                        ))
                    })
                }
                DataType::Utf8 => {
                    convert::<_, $arrow>(array.as_string::<i32>(), to, fallback, |text| {
                        <$native as number::Number>::parse(text)
                    })
                }
                from => for_number!(from, convert_from, impossible(array, to)),
            }
        }};
    }
    for_number!(to, convert_to, impossible(array, to))
}

fn to_boolean(array: &ArrayRef, fallback: CastFailure) -> Result<ArrayRef, Fault> {
    macro_rules! is_not_zero {
        ($arrow:ty, $native:ty) => {
            Ok(Arc::new(BooleanArray::from_unary(
                array.as_primitive::<$arrow>(),
                |value| value != 0 as $native,
            )))
        };
    }
    if *array.data_type() != DataType::Utf8 {
        return for_number!(
            array.data_type(),
            is_not_zero,
            impossible(array, &DataType::Boolean)
        );
    }
    let texts = array.as_string::<i32>();
    let mut values = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        values.push(match text.map(parse_boolean) {
            None => None,
            Some(Some(value)) => Some(value),
            Some(None) if fallback == CastFailure::Null => None,
            Some(None) => return Err(not_a(row, text.unwrap_or_default(), &DataType::Boolean)),
        });
    }
    Ok(Arc::new(BooleanArray::from(values)))
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn to_date(array: &ArrayRef, fallback: CastFailure) -> Result<ArrayRef, Fault> {
    let to = DataType::Date32;
    macro_rules! days {
        ($type:ty, $unit:expr) => {
            convert::<_, Date32Type>(array.as_primitive::<$type>(), &to, fallback, |ticks| {
                i32::try_from(ticks.div_euclid(calendar::ticks_per_day($unit))).ok()
            })
        };
    }
    match array.data_type() {
        DataType::Utf8 => convert::<_, Date32Type>(
            array.as_string::<i32>(),
            &to,
            fallback,
            calendar::parse_date,
        ),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => days!(TimestampSecondType, *unit),
            TimeUnit::Millisecond => days!(TimestampMillisecondType, *unit),
            TimeUnit::Microsecond => days!(TimestampMicrosecondType, *unit),
            TimeUnit::Nanosecond => days!(TimestampNanosecondType, *unit),
        },
        _ => impossible(array, &to),
    }
}

fn to_timestamp(
    array: &ArrayRef,
    unit: TimeUnit,
    to: &DataType,
    fallback: CastFailure,
) -> Result<ArrayRef, Fault> {
    let ticks = match array.data_type() {
        DataType::Utf8 => convert::<_, Int64Type>(array.as_string::<i32>(), to, fallback, |text| {
            calendar::parse_timestamp(text, unit, matches!(to, DataType::Timestamp(_, Some(_))))
        }),
        DataType::Date32 => {
            convert::<_, Int64Type>(array.as_primitive::<Date32Type>(), to, fallback, |days| {
                i64::from(days).checked_mul(calendar::ticks_per_day(unit))
            })
        }
        DataType::Timestamp(from, _) => {
            let rescale = |ticks: i64| calendar::rescale(ticks.into(), *from, unit);
            macro_rules! rescaled {
                ($type:ty) => {
                    convert::<_, Int64Type>(array.as_primitive::<$type>(), to, fallback, rescale)
                };
            }
            match from {
                TimeUnit::Second => rescaled!(TimestampSecondType),
                TimeUnit::Millisecond => rescaled!(TimestampMillisecondType),
                TimeUnit::Microsecond => rescaled!(TimestampMicrosecondType),
                TimeUnit::Nanosecond => rescaled!(TimestampNanosecondType),
            }
        }
        _ => return impossible(array, to),
    }?;
    let ticks = ticks.as_primitive::<Int64Type>();
    macro_rules! stamps {
        ($type:ty) => {
            Arc::new(ticks.reinterpret_cast::<$type>().with_data_type(to.clone()))
        };
    }
    Ok(match unit {
        TimeUnit::Second => stamps!(TimestampSecondType),
        TimeUnit::Millisecond => stamps!(TimestampMillisecondType),
        TimeUnit::Microsecond => stamps!(TimestampMicrosecondType),
        TimeUnit::Nanosecond => stamps!(TimestampNanosecondType),
    })
}

/// Integers as `DECIMAL(38, 0)`, in which all of them can be compared.
fn to_wide_integer(array: &ArrayRef, fallback: CastFailure) -> Result<ArrayRef, Fault> {
    macro_rules! widen {
        ($arrow:ty, $native:ty) => {
            convert::<_, Decimal128Type>(
                array.as_primitive::<$arrow>(),
                &WIDE_INTEGER,
                fallback,
                |value| match number::Number::widen(value) {
                    number::Wide::Integer(value) => Some(value),
                    number::Wide::Float(_) => None,
                },
            )
        };
    }
    let wide = for_number!(array.data_type(), widen, impossible(array, &WIDE_INTEGER))?;
    Ok(Arc::new(
        wide.as_primitive::<Decimal128Type>()
            .clone()
            .with_data_type(WIDE_INTEGER),
    ))
}

fn to_text(array: &ArrayRef) -> ArrayRef {
    macro_rules! numbers {
        ($arrow:ty, $native:ty) => {
            texts(array.as_primitive::<$arrow>(), |value| {
                number::Number::format(value)
            })
        };
    }
    macro_rules! stamps {
        ($type:ty, $unit:expr, $zone:expr) => {
            texts(array.as_primitive::<$type>(), |ticks| {
                calendar::format_timestamp(ticks, $unit, $zone.is_some())
            })
        };
    }
    match array.data_type() {
        DataType::Boolean => texts(array.as_boolean(), |value| value.to_string()),
        DataType::Date32 => texts(array.as_primitive::<Date32Type>(), |days| {
            calendar::format_date(i64::from(days))
        }),
        DataType::Timestamp(unit, zone) => match unit {
            TimeUnit::Second => stamps!(TimestampSecondType, *unit, zone),
            TimeUnit::Millisecond => stamps!(TimestampMillisecondType, *unit, zone),
            TimeUnit::Microsecond => stamps!(TimestampMicrosecondType, *unit, zone),
            TimeUnit::Nanosecond => stamps!(TimestampNanosecondType, *unit, zone),
        },
        from => for_number!(from, numbers, nulls(&DataType::Utf8, array.len())),
    }
}

fn texts<A: ArrayAccessor>(array: A, format: impl Fn(A::Item) -> String) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
        } else {
            builder.append_value(format(array.value(row)));
        }
    }
    Arc::new(builder.finish())
}

fn convert<A: ArrayAccessor, T: ArrowPrimitiveType>(
    array: A,
    to: &DataType,
    fallback: CastFailure,
    step: impl Fn(A::Item) -> Option<T::Native>,
) -> Result<ArrayRef, Fault>
where
    A::Item: Display + Copy,
    T::Native: Default,
{
    let mut values = Vec::with_capacity(array.len());
    let mut nulls = NullBufferBuilder::new(array.len());
    for row in 0..array.len() {
        let result = match array.is_null(row) {
            true => None,
            false => {
                let value = array.value(row);
                match step(value) {
                    None if fallback == CastFailure::Error => return Err(not_a(row, value, to)),
                    result => result,
                }
            }
        };
        nulls.append(result.is_some());
        values.push(result.unwrap_or_default());
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(
        values.into(),
        nulls.finish(),
    )))
}

fn not_a(row: usize, value: impl Display, to: &DataType) -> Fault {
    Fault {
        row,
        what: format!("`{value}` cannot be cast to `{}`", sql_name(to)),
    }
}

/// The resolver lets no such cast through.
fn impossible(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, Fault> {
    let what = format!(
        "`{}` cannot be cast to `{}`",
        sql_name(array.data_type()),
        sql_name(to)
    );
    Err(Fault { row: 0, what })
}
