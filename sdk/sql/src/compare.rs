//! Comparison: text by bytes, floats in an order with one zero and NaN above all.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayAccessor, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};

use crate::syntax::CompareOp;
use crate::value::{Value, nulls_of, rows_of};

/// `left op right`, both of one type; null where one of them is.
pub(crate) fn compare(op: CompareOp, left: &Value, right: &Value) -> BooleanArray {
    BooleanArray::new(compare_values(op, left, right), nulls_of(left, right))
}

/// Whether the two differ, where null is a value like any other.
pub(crate) fn distinct(left: &Value, right: &Value) -> BooleanBuffer {
    let rows = rows_of(left, right);
    let differ = compare_values(CompareOp::NotEqual, left, right);
    let valid = |value: &Value| {
        value
            .nulls(rows)
            .map_or_else(|| BooleanBuffer::new_set(rows), NullBuffer::into_inner)
    };
    let (left, right) = (valid(left), valid(right));
    // Both there and different, or only one there.
    &(&(&left & &right) & &differ) | &(&left ^ &right)
}

/// The comparison with unspecified bits where an operand is null.
///
/// Two tests make all six: the less code for each type, the smaller the component.
fn compare_values(op: CompareOp, left: &Value, right: &Value) -> BooleanBuffer {
    match op {
        CompareOp::Equal => test_values(Test::Equal, left, right),
        CompareOp::NotEqual => !&test_values(Test::Equal, left, right),
        CompareOp::Less => test_values(Test::Less, left, right),
        CompareOp::GreaterOrEqual => !&test_values(Test::Less, left, right),
        CompareOp::Greater => test_values(Test::Less, right, left),
        CompareOp::LessOrEqual => !&test_values(Test::Less, right, left),
    }
}

#[derive(Debug, Clone, Copy)]
enum Test {
    Equal,
    Less,
}

fn test_values(test: Test, left: &Value, right: &Value) -> BooleanBuffer {
    let (l, r) = (left.array.as_ref(), right.array.as_ref());
    let scalars = (left.scalar, right.scalar);
    let rows = rows_of(left, right);
    macro_rules! primitive {
        ($type:ty) => {
            test_arrays(
                test,
                l.as_primitive::<$type>(),
                r.as_primitive::<$type>(),
                scalars,
                rows,
            )
        };
    }
    // Types of one native type share its code.
    macro_rules! reinterpreted {
        ($type:ty, $as:ty) => {{
            let l = l.as_primitive::<$type>().reinterpret_cast::<$as>();
            let r = r.as_primitive::<$type>().reinterpret_cast::<$as>();
            test_arrays(test, &l, &r, scalars, rows)
        }};
    }
    match l.data_type() {
        DataType::Boolean => test_arrays(test, l.as_boolean(), r.as_boolean(), scalars, rows),
        DataType::Utf8 => test_arrays(
            test,
            l.as_string::<i32>(),
            r.as_string::<i32>(),
            scalars,
            rows,
        ),
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
        DataType::Date32 => reinterpreted!(Date32Type, Int32Type),
        DataType::Decimal128(..) => primitive!(Decimal128Type),
        DataType::Timestamp(TimeUnit::Second, _) => reinterpreted!(TimestampSecondType, Int64Type),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            reinterpreted!(TimestampMillisecondType, Int64Type)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            reinterpreted!(TimestampMicrosecondType, Int64Type)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            reinterpreted!(TimestampNanosecondType, Int64Type)
        }
        // Only the type of `NULL` is left, all of whose rows are null.
        _ => BooleanBuffer::new_unset(rows),
    }
}

fn test_arrays<A>(
    test: Test,
    left: A,
    right: A,
    scalars: (bool, bool),
    rows: usize,
) -> BooleanBuffer
where
    A: ArrayAccessor + Copy,
    A::Item: Order,
{
    match test {
        Test::Equal => collect(left, right, scalars, rows, |a, b| a.equal(b)),
        Test::Less => collect(left, right, scalars, rows, |a, b| a.less(b)),
    }
}

fn collect<A>(
    left: A,
    right: A,
    scalars: (bool, bool),
    rows: usize,
    test: impl Fn(&A::Item, &A::Item) -> bool,
) -> BooleanBuffer
where
    A: ArrayAccessor + Copy,
{
    match scalars {
        (true, _) if !left.is_empty() => {
            let a = left.value(0);
            BooleanBuffer::collect_bool(rows, |row| test(&a, &right.value(row)))
        }
        (_, true) if !right.is_empty() => {
            let b = right.value(0);
            BooleanBuffer::collect_bool(rows, |row| test(&left.value(row), &b))
        }
        _ => BooleanBuffer::collect_bool(rows, |row| test(&left.value(row), &right.value(row))),
    }
}

/// A total order up to equality.
trait Order {
    fn equal(&self, other: &Self) -> bool;
    fn less(&self, other: &Self) -> bool;
}

macro_rules! plain_order {
    ($($type:ty),*) => {$(
        impl Order for $type {
            fn equal(&self, other: &Self) -> bool {
                self == other
            }
            fn less(&self, other: &Self) -> bool {
                self < other
            }
        }
    )*};
}

macro_rules! float_order {
    ($($type:ty),*) => {$(
        impl Order for $type {
            fn equal(&self, other: &Self) -> bool {
                self == other || (self.is_nan() && other.is_nan())
            }
            fn less(&self, other: &Self) -> bool {
                self < other || (other.is_nan() && !self.is_nan())
            }
        }
    )*};
}

plain_order!(bool, i8, i16, i32, i64, i128, u8, u16, u32, u64, &str);
float_order!(f32, f64);
