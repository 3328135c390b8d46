//! Columns as the types that models compute with.
//!
//! Written out by type: Arrow's cast and concatenation kernels cover every pair of types and would make
//! each of these components several megabytes larger.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Error, Result, Table};

/// One column of all rows of a table or partition, each batch read by `read`.
///
/// # Errors
/// `missing-column`, and what `read` refuses.
pub fn gather<A, T>(
    rows: &Table,
    name: &str,
    read: impl Fn(&str, &ArrayRef) -> Result<A>,
) -> Result<A>
where
    A: FromIterator<Option<T>>,
    for<'a> &'a A: IntoIterator<Item = Option<T>>,
{
    let read = |batch: pinion_sdk::Batch| read(name, &batch.array(name)?);
    let mut parts = rows.batches().map(read).collect::<Result<Vec<A>>>()?;
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            parts.extend(last);
            Ok(parts.iter().flatten().collect())
        }
    }
}

/// Refuses a field that [`numbers`] would not take: it takes integers, floats and booleans.
///
/// # Errors
/// `wrong-type`.
pub fn check_number(field: &Field) -> Result<()> {
    check(field, NUMBER, is_number(field.data_type()))
}

/// Refuses a field that [`labels`] would not take: it takes booleans and integers.
///
/// # Errors
/// `wrong-type`.
pub fn check_label(field: &Field) -> Result<()> {
    check(field, LABEL, is_label(field.data_type()))
}

/// Refuses a field that [`codes`] would not take: it takes integers.
///
/// # Errors
/// `wrong-type`.
pub fn check_code(field: &Field) -> Result<()> {
    check(field, CODE, field.data_type().is_integer())
}

/// Whether a column of this type is one of numbers: integers, floats of 32 and 64 bits, and booleans.
#[must_use]
pub fn is_number(data_type: &DataType) -> bool {
    is_label(data_type) || matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// Whether a column of this type is text.
#[must_use]
pub fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8),
    }
}

/// The column as `float64`; booleans become 0 and 1. Missing values, NaN included, are null.
///
/// 64-bit integers beyond 2^53 are rounded to the nearest float.
///
/// # Errors
/// `wrong-type` if the column is not one of numbers.
pub fn numbers(name: &str, column: &ArrayRef) -> Result<Float64Array> {
    macro_rules! widened {
        ($arrow:ty) => {
            column.as_primitive::<$arrow>().unary(f64::from)
        };
    }
    let floats: Float64Array = match column.data_type() {
        DataType::Boolean => {
            let number = |value: bool| if value { 1.0 } else { 0.0 };
            column
                .as_boolean()
                .iter()
                .map(|value| value.map(number))
                .collect()
        }
        DataType::Int8 => widened!(Int8Type),
        DataType::Int16 => widened!(Int16Type),
        DataType::Int32 => widened!(Int32Type),
        DataType::Int64 => column
            .as_primitive::<Int64Type>()
            .unary(|value| value as f64),
        DataType::UInt8 => widened!(UInt8Type),
        DataType::UInt16 => widened!(UInt16Type),
        DataType::UInt32 => widened!(UInt32Type),
        DataType::UInt64 => column
            .as_primitive::<UInt64Type>()
            .unary(|value| value as f64),
        DataType::Float32 => widened!(Float32Type),
        DataType::Float64 => column.as_primitive::<Float64Type>().clone(),
        other => return Err(Error::wrong_type(name, NUMBER, other)),
    };
    if floats.values().iter().any(|value| value.is_nan()) {
        return Ok(floats
            .iter()
            .map(|value| value.filter(|value| !value.is_nan()))
            .collect());
    }
    Ok(floats)
}

/// The column as classes: booleans as they are, integers 1 and 0 as true and false. Nulls stay.
///
/// # Errors
/// - `wrong-type` if the column is neither boolean nor integer.
/// - `bad-data` if an integer is neither 0 nor 1.
pub fn labels(name: &str, column: &ArrayRef) -> Result<BooleanArray> {
    if let Some(labels) = column.as_boolean_opt() {
        return Ok(labels.clone());
    }
    if !is_label(column.data_type()) {
        return Err(Error::wrong_type(name, LABEL, column.data_type()));
    }
    let label = |value: Option<i64>| match value {
        None => Ok(None),
        Some(0) => Ok(Some(false)),
        Some(1) => Ok(Some(true)),
        Some(other) => Err(bad_value(name, "0 or 1", other)),
    };
    integers(name, column)?.into_iter().map(label).collect()
}

/// The column as category codes, `int32`, counted from 0. Nulls stay.
///
/// # Errors
/// - `wrong-type` if the column is not an integer.
/// - `bad-data` if a code is negative or does not fit `int32`.
pub fn codes(name: &str, column: &ArrayRef) -> Result<Int32Array> {
    if !column.data_type().is_integer() {
        return Err(Error::wrong_type(name, CODE, column.data_type()));
    }
    let code = |value: i64| match i32::try_from(value) {
        Ok(code) if code >= 0 => Ok(code),
        _ => Err(bad_value(name, "a code from 0 to 2147483647", value)),
    };
    integers(name, column)?
        .into_iter()
        .map(|value| value.map(code).transpose())
        .collect()
}

/// The column of integers as `int64`. Nulls stay.
///
/// # Errors
/// - `wrong-type` if the column is not one of integers.
/// - `bad-data` if a value does not fit.
pub(crate) fn integers(name: &str, column: &ArrayRef) -> Result<Vec<Option<i64>>> {
    macro_rules! widened {
        ($arrow:ty) => {
            column
                .as_primitive::<$arrow>()
                .iter()
                .map(|value| value.map(i64::from))
                .collect()
        };
    }
    Ok(match column.data_type() {
        DataType::Int8 => widened!(Int8Type),
        DataType::Int16 => widened!(Int16Type),
        DataType::Int32 => widened!(Int32Type),
        DataType::Int64 => widened!(Int64Type),
        DataType::UInt8 => widened!(UInt8Type),
        DataType::UInt16 => widened!(UInt16Type),
        DataType::UInt32 => widened!(UInt32Type),
        DataType::UInt64 => {
            let fitted = |value: u64| {
                i64::try_from(value).map_err(|_| bad_value(name, "a value of int64", value))
            };
            let values = column.as_primitive::<UInt64Type>().iter();
            values
                .map(|value| value.map(fitted).transpose())
                .collect::<Result<_>>()?
        }
        other => return Err(Error::wrong_type(name, "an integer", other)),
    })
}

/// The column of text, dictionary-encoded or not. Nulls stay.
///
/// # Errors
/// `wrong-type` if the column is not text.
pub fn texts<'a>(name: &str, column: &'a ArrayRef) -> Result<Vec<Option<&'a str>>> {
    match column.data_type() {
        DataType::Utf8 => Ok(column.as_string::<i32>().iter().collect()),
        DataType::LargeUtf8 => Ok(column.as_string::<i64>().iter().collect()),
        DataType::Dictionary(_, values) if is_text(values) => {
            let dictionary = column.as_any_dictionary();
            let values = texts(name, dictionary.values())?;
            let valid = |row| dictionary.keys().is_valid(row);
            let keys = if values.is_empty() {
                vec![0; column.len()]
            } else {
                dictionary.normalized_keys()
            };
            let text = |(row, key): (usize, usize)| {
                values.get(key).copied().flatten().filter(|_| valid(row))
            };
            Ok(keys.into_iter().enumerate().map(text).collect())
        }
        other => Err(Error::wrong_type(name, "text", other)),
    }
}

/// Refuses missing values.
///
/// # Errors
/// `missing-values`, with the column and how many of how many rows.
pub fn check_present(name: &str, column: &dyn Array) -> Result<()> {
    match column.null_count() {
        0 => Ok(()),
        missing => Err(Error::new(
            "missing-values",
            format!("column `{name}` has missing values"),
        )
        .with("column", name)
        .with("missing", missing)
        .with("rows", column.len())
        .with(
            "hint",
            "impute the column with `std:transform`, or drop the rows with `std:filter-rows`",
        )),
    }
}

/// The column as [`numbers`] over all rows of a table or partition, none of them missing or infinite.
///
/// # Errors
/// `missing-column`, `wrong-type`, `missing-values`, or `not-finite`.
pub fn gather_finite(rows: &Table, name: &str) -> Result<Float64Array> {
    let numbers = gather(rows, name, numbers)?;
    check_present(name, &numbers)?;
    match numbers.values().iter().find(|value| value.is_infinite()) {
        Some(value) => Err(Error::new(
            "not-finite",
            format!("column `{name}` has an infinite value"),
        )
        .with("column", name)
        .with("found", value)),
        None => Ok(numbers),
    }
}

/// The column of weights over all rows of a table or partition, none of them missing, infinite or negative.
///
/// # Errors
/// As [`gather_finite`], and `bad-data` for a negative weight.
pub fn gather_weights(rows: &Table, name: &str) -> Result<Float64Array> {
    let weights = gather_finite(rows, name)?;
    match weights.values().iter().find(|weight| **weight < 0.0) {
        Some(weight) => Err(bad_value(name, "a weight of at least 0", weight)),
        None => Ok(weights),
    }
}

const NUMBER: &str = "a number: an integer, float32, float64 or boolean";
const LABEL: &str = "boolean, or an integer that is 0 or 1";
const CODE: &str = "category codes, as int32";

fn is_label(data_type: &DataType) -> bool {
    data_type.is_integer() || *data_type == DataType::Boolean
}

fn check(field: &Field, expected: &str, fits: bool) -> Result<()> {
    if fits {
        Ok(())
    } else {
        Err(Error::wrong_type(field.name(), expected, field.data_type()))
    }
}

fn bad_value(name: &str, expected: &str, found: impl std::fmt::Display) -> Error {
    Error::bad_data(format!("column `{name}` has a value that cannot be used"))
        .with("column", name)
        .with("expected", expected)
        .with("found", found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{DictionaryArray, Float32Array, Int64Array, StringArray, UInt64Array};

    use super::*;

    #[test]
    fn nan_and_null_are_both_missing() {
        let column: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.5), None, Some(f32::NAN)]));
        let numbers = numbers("x", &column).unwrap();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(1.5), None, None]);
        let error = check_present("x", &numbers).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.details[1].1.as_str()),
            ("missing-values", "2")
        );
    }

    #[test]
    fn labels_are_two_classes() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(0), None]));
        let found: Vec<_> = labels("y", &column).unwrap().iter().collect();
        assert_eq!(found, [Some(true), Some(false), None]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![2]));
        assert_eq!(labels("y", &column).unwrap_err().code, "bad-data");
        let column: ArrayRef = Arc::new(StringArray::from(vec!["yes"]));
        assert_eq!(labels("y", &column).unwrap_err().code, "wrong-type");
    }

    #[test]
    fn codes_are_not_negative_and_fit() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None]));
        assert_eq!(
            codes("c", &column).unwrap().iter().collect::<Vec<_>>(),
            [Some(3), None]
        );
        for bad in [-1, 1 << 40] {
            let column: ArrayRef = Arc::new(Int64Array::from(vec![bad]));
            assert_eq!(codes("c", &column).unwrap_err().code, "bad-data");
        }
        let column: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert_eq!(integers("c", &column).unwrap_err().code, "bad-data");
    }

    #[test]
    fn dictionaries_are_text() {
        let dictionary: DictionaryArray<Int32Type> = [Some("b"), None, Some("a"), Some("b")]
            .into_iter()
            .collect();
        let column: ArrayRef = Arc::new(dictionary);
        assert_eq!(
            texts("c", &column).unwrap(),
            [Some("b"), None, Some("a"), Some("b")]
        );
        let nulls: DictionaryArray<Int32Type> = [None::<&str>, None].into_iter().collect();
        let column: ArrayRef = Arc::new(nulls);
        assert_eq!(texts("c", &column).unwrap(), [None, None]);
    }

    #[test]
    fn gathering_keeps_the_order() {
        let column = |values: Vec<Option<i64>>| {
            let values: ArrayRef = Arc::new(Int64Array::from(values));
            arrow_array::RecordBatch::try_from_iter_with_nullable([("x", values, true)]).unwrap()
        };
        let batches = [
            column(vec![Some(1)]),
            column(vec![]),
            column(vec![None, Some(3)]),
        ];
        let fields = batches[0].schema().fields().to_vec();
        for count in 0..=3 {
            let table = Table::local(fields.clone(), batches[..count].to_vec());
            let found: Vec<_> = gather(&table, "x", numbers).unwrap().iter().collect();
            assert_eq!(found, [Some(1.0), None, Some(3.0)][..[0, 1, 1, 3][count]]);
        }
    }
}
