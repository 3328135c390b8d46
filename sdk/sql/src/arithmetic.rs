//! Arithmetic: integers checked, floats with one NaN, division by zero null.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;

use crate::syntax::ArithmeticOp;
use crate::types::sql_name;
use crate::value::{Fault, Value, nulls_of, pairs};

/// Calls a macro with the Arrow and the Rust type of an integer or floating-point column.
macro_rules! for_number {
    ($data_type:expr, $integer:ident, $float:ident, $otherwise:expr) => {
        match $data_type {
            DataType::Int8 => $integer!(Int8Type, i8),
            DataType::Int16 => $integer!(Int16Type, i16),
            DataType::Int32 => $integer!(Int32Type, i32),
            DataType::Int64 => $integer!(Int64Type, i64),
            DataType::UInt8 => $integer!(UInt8Type, u8),
            DataType::UInt16 => $integer!(UInt16Type, u16),
            DataType::UInt32 => $integer!(UInt32Type, u32),
            DataType::UInt64 => $integer!(UInt64Type, u64),
            DataType::Float32 => $float!(Float32Type, f32),
            DataType::Float64 => $float!(Float64Type, f64),
            _ => $otherwise,
        }
    };
}

/// `left op right`, both of one numeric type, which is the result's.
pub(crate) fn arithmetic(op: ArithmeticOp, left: &Value, right: &Value) -> Result<ArrayRef, Fault> {
    macro_rules! integer {
        ($arrow:ty, $native:ty) => {{
            let zero_divides = |f: fn($native, $native) -> ($native, bool)| {
                move |a: $native, b: $native| if b == 0 { (0, false) } else { f(a, b) }
            };
            match op {
                ArithmeticOp::Add => checked::<$arrow>(op, left, right, <$native>::overflowing_add),
                ArithmeticOp::Subtract => {
                    checked::<$arrow>(op, left, right, <$native>::overflowing_sub)
                }
                ArithmeticOp::Multiply => {
                    checked::<$arrow>(op, left, right, <$native>::overflowing_mul)
                }
                ArithmeticOp::Divide | ArithmeticOp::IntegerDivide => {
                    checked::<$arrow>(op, left, right, zero_divides(<$native>::overflowing_div))
                }
                ArithmeticOp::Modulo => {
                    checked::<$arrow>(op, left, right, zero_divides(<$native>::overflowing_rem))
                }
            }
        }};
    }
    macro_rules! float {
        ($arrow:ty, $native:ty) => {{
            let step: fn($native, $native) -> $native = match op {
                ArithmeticOp::Add => |a, b| a + b,
                ArithmeticOp::Subtract => |a, b| a - b,
                ArithmeticOp::Multiply => |a, b| a * b,
                ArithmeticOp::Divide | ArithmeticOp::IntegerDivide => |a, b| a / b,
                // Exact, so the same everywhere.
                ArithmeticOp::Modulo => |a, b| a % b,
            };
            Ok(floats::<$arrow>(op, left, right, |a, b| {
                let result = step(a, b);
                // The sign and payload of a new NaN are the machine's.
                if result.is_nan() {
                    <$native>::NAN
                } else {
                    result
                }
            }))
        }};
    }
    for_number!(
        left.array.data_type(),
        integer,
        float,
        Ok(nothing(left, right))
    )
}

/// A date `days` later or earlier.
pub(crate) fn shift_date(op: ArithmeticOp, date: &Value, days: &Value) -> Result<ArrayRef, Fault> {
    let (dates, shifts) = (
        date.array.as_primitive::<Date32Type>(),
        days.array.as_primitive::<Int32Type>(),
    );
    let shift = match op {
        ArithmeticOp::Subtract => i32::overflowing_sub,
        _ => i32::overflowing_add,
    };
    let mut overflows = false;
    let left = (dates.values().as_ref(), date.scalar);
    let values = pairs(left, (shifts.values().as_ref(), days.scalar), |a, b| {
        let (value, overflow) = shift(a, b);
        overflows |= overflow;
        value
    });
    let nulls = nulls_of(date, days);
    if overflows {
        for row in (0..values.len()).filter(|row| is_valid(nulls.as_ref(), *row)) {
            let (a, b) = (dates.value(date.at(row)), shifts.value(days.at(row)));
            if shift(a, b).1 {
                let what = format!(
                    "{b} days from {} are out of the range of `DATE`",
                    crate::calendar::format_date(a.into())
                );
                return Err(Fault { row, what });
            }
        }
    }
    Ok(Arc::new(PrimitiveArray::<Date32Type>::new(
        values.into(),
        nulls,
    )))
}

/// Days from `right` to `left`.
pub(crate) fn days_between(left: &Value, right: &Value) -> ArrayRef {
    let (lefts, rights) = (
        left.array.as_primitive::<Date32Type>(),
        right.array.as_primitive::<Date32Type>(),
    );
    let values = pairs(
        (lefts.values().as_ref(), left.scalar),
        (rights.values().as_ref(), right.scalar),
        |a, b| i64::from(a) - i64::from(b),
    );
    Arc::new(PrimitiveArray::<Int64Type>::new(
        values.into(),
        nulls_of(left, right),
    ))
}

/// `-operand`.
pub(crate) fn negate(operand: &ArrayRef) -> Result<ArrayRef, Fault> {
    macro_rules! integer {
        ($arrow:ty, $native:ty) => {
            each::<$arrow>(operand, |a| a.checked_neg(), |a| format!("-({a})"))
        };
    }
    macro_rules! float {
        ($arrow:ty, $native:ty) => {
            each::<$arrow>(
                operand,
                |a| Some(if a.is_nan() { a } else { -a }),
                |_| String::new(),
            )
        };
    }
    for_number!(operand.data_type(), integer, float, Ok(operand.clone()))
}

/// The absolute value.
pub(crate) fn abs(operand: &ArrayRef) -> Result<ArrayRef, Fault> {
    macro_rules! integer {
        ($arrow:ty, $native:ty) => {
            each::<$arrow>(
                operand,
                |a| {
                    if a < <$native>::MIN.max(1) {
                        (0 as $native).checked_sub(a)
                    } else {
                        Some(a)
                    }
                },
                |a| format!("abs({a})"),
            )
        };
    }
    macro_rules! float {
        ($arrow:ty, $native:ty) => {
            each::<$arrow>(operand, |a| Some(a.abs()), |_| String::new())
        };
    }
    for_number!(operand.data_type(), integer, float, Ok(operand.clone()))
}

/// The whole number above or below, for floats.
pub(crate) fn whole(operand: &ArrayRef, up: bool) -> ArrayRef {
    macro_rules! integer {
        ($arrow:ty, $native:ty) => {
            operand.clone()
        };
    }
    macro_rules! float {
        ($arrow:ty, $native:ty) => {{
            let array = operand.as_primitive::<$arrow>();
            Arc::new(array.unary::<_, $arrow>(|a| match up {
                _ if a.is_nan() => <$native>::NAN,
                true => a.ceil(),
                false => a.floor(),
            }))
        }};
    }
    for_number!(operand.data_type(), integer, float, operand.clone())
}

/// Rounds half away from zero to `digits` decimal places, which may be negative; none means 0.
///
/// Floats as DuckDB does it: scaled by a power of ten, rounded, scaled back, in doubles. What would
/// leave the range stays as it is, or is 0 for negative places.
pub(crate) fn round(operand: &Value, digits: Option<&Value>) -> Result<ArrayRef, Fault> {
    let zero = Value {
        array: Arc::new(PrimitiveArray::<Int32Type>::from(vec![0])),
        scalar: true,
    };
    let digits = digits.unwrap_or(&zero);
    let places = digits.array.as_primitive::<Int32Type>();
    let nulls = nulls_of(operand, digits);
    let rows = crate::value::rows_of(operand, digits);
    macro_rules! integer {
        ($arrow:ty, $native:ty) => {{
            let array = operand.array.as_primitive::<$arrow>();
            let mut values = Vec::with_capacity(rows);
            for row in 0..rows {
                let (value, places) = (array.value(operand.at(row)), places.value(digits.at(row)));
                let rounded = <$native>::try_from(round_integer(i128::from(value), places));
                values.push(match rounded {
                    Ok(rounded) => rounded,
                    Err(_) if !is_valid(nulls.as_ref(), row) => 0,
                    Err(_) => {
                        return Err(out_of_range(
                            row,
                            &format!("round({value}, {places})"),
                            array.data_type(),
                        ));
                    }
                });
            }
            Ok(Arc::new(PrimitiveArray::<$arrow>::new(values.into(), nulls)) as ArrayRef)
        }};
    }
    macro_rules! float {
        ($arrow:ty, $native:ty) => {{
            let array = operand.array.as_primitive::<$arrow>();
            let left = (array.values().as_ref(), operand.scalar);
            let values = pairs(
                left,
                (places.values().as_ref(), digits.scalar),
                |value, places| round_float(f64::from(value), places) as $native,
            );
            Ok(Arc::new(PrimitiveArray::<$arrow>::new(values.into(), nulls)) as ArrayRef)
        }};
    }
    for_number!(
        operand.array.data_type(),
        integer,
        float,
        Ok(nothing(operand, digits))
    )
}

fn round_integer(value: i128, places: i32) -> i128 {
    match places {
        0.. => value,
        // No 64-bit integer is as large as half of 10^20.
        ..=-20 => 0,
        _ => {
            let unit = 10_i128.pow(places.unsigned_abs());
            let magnitude = (value.abs() + unit / 2) / unit * unit;
            if value < 0 { -magnitude } else { magnitude }
        }
    }
}

fn round_float(value: f64, places: i32) -> f64 {
    if value.is_nan() {
        return f64::NAN;
    }
    if value.is_infinite() {
        return value;
    }
    match places {
        0 => value.round(),
        1.. => {
            let scale = power_of_ten(places.unsigned_abs());
            let rounded = (value * scale).round() / scale;
            if rounded.is_finite() { rounded } else { value }
        }
        _ => {
            let scale = power_of_ten(places.unsigned_abs());
            let rounded = (value / scale).round() * scale;
            if rounded.is_finite() { rounded } else { 0.0 }
        }
    }
}

/// The double nearest to a power of ten, which `powi` does not promise to be.
fn power_of_ten(exponent: u32) -> f64 {
    const EXACT: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    match EXACT.get(exponent as usize) {
        Some(power) => *power,
        None => format!("1e{exponent}").parse().unwrap_or(f64::INFINITY),
    }
}

fn checked<T: ArrowPrimitiveType>(
    op: ArithmeticOp,
    left: &Value,
    right: &Value,
    step: impl Fn(T::Native, T::Native) -> (T::Native, bool),
) -> Result<ArrayRef, Fault>
where
    T::Native: std::fmt::Display + Default + PartialEq,
{
    let (lefts, rights) = (
        left.array.as_primitive::<T>(),
        right.array.as_primitive::<T>(),
    );
    let mut overflows = false;
    let values = pairs(
        (lefts.values().as_ref(), left.scalar),
        (rights.values().as_ref(), right.scalar),
        |a, b| {
            let (value, overflow) = step(a, b);
            overflows |= overflow;
            value
        },
    );
    let nulls = with_zero_divisors(op, nulls_of(left, right), rights, right, values.len());
    if overflows {
        // Slots of nulls may overflow: look again which rows are at fault.
        for row in (0..values.len()).filter(|row| is_valid(nulls.as_ref(), *row)) {
            let (a, b) = (lefts.value(left.at(row)), rights.value(right.at(row)));
            if step(a, b).1 {
                return Err(out_of_range(
                    row,
                    &format!("{a} {} {b}", op.symbol()),
                    &T::DATA_TYPE,
                ));
            }
        }
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), nulls)))
}

fn floats<T: ArrowPrimitiveType>(
    op: ArithmeticOp,
    left: &Value,
    right: &Value,
    step: impl Fn(T::Native, T::Native) -> T::Native,
) -> ArrayRef
where
    T::Native: Default + PartialEq,
{
    let (lefts, rights) = (
        left.array.as_primitive::<T>(),
        right.array.as_primitive::<T>(),
    );
    let values = pairs(
        (lefts.values().as_ref(), left.scalar),
        (rights.values().as_ref(), right.scalar),
        step,
    );
    let nulls = with_zero_divisors(op, nulls_of(left, right), rights, right, values.len());
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
}

/// `nulls`, and null where a divisor is zero.
fn with_zero_divisors<T: ArrowPrimitiveType>(
    op: ArithmeticOp,
    nulls: Option<NullBuffer>,
    divisors: &PrimitiveArray<T>,
    right: &Value,
    rows: usize,
) -> Option<NullBuffer>
where
    T::Native: Default + PartialEq,
{
    if matches!(
        op,
        ArithmeticOp::Add | ArithmeticOp::Subtract | ArithmeticOp::Multiply
    ) {
        return nulls;
    }
    let zero = T::Native::default();
    let divides = BooleanBuffer::collect_bool(rows, |row| divisors.value(right.at(row)) != zero);
    NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(divides)))
}

fn each<T: ArrowPrimitiveType>(
    operand: &ArrayRef,
    step: impl Fn(T::Native) -> Option<T::Native>,
    name: impl Fn(T::Native) -> String,
) -> Result<ArrayRef, Fault> {
    let array = operand.as_primitive::<T>();
    let mut values = Vec::with_capacity(array.len());
    for (row, value) in array.values().iter().enumerate() {
        values.push(match step(*value) {
            Some(result) => result,
            None if array.is_null(row) => *value,
            None => return Err(out_of_range(row, &name(*value), &T::DATA_TYPE)),
        });
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(
        values.into(),
        array.nulls().cloned(),
    )))
}

fn out_of_range(row: usize, name: &str, data_type: &DataType) -> Fault {
    Fault {
        row,
        what: format!("{name} is out of the range of `{}`", sql_name(data_type)),
    }
}

fn is_valid(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(row))
}

/// What is left if both operands are of a type without values.
fn nothing(left: &Value, right: &Value) -> ArrayRef {
    crate::gather::nulls(left.array.data_type(), crate::value::rows_of(left, right))
}
