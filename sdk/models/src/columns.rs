//! Columns as the types that models compute with.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;

use crate::file::Error;

/// Whether [`numbers`] takes a column of this type: integers, floats, decimals and booleans.
#[must_use]
pub fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || *data_type == DataType::Boolean
}

/// Whether [`labels`] takes a column of this type: booleans and integers.
#[must_use]
pub fn is_label(data_type: &DataType) -> bool {
    data_type.is_integer() || *data_type == DataType::Boolean
}

/// Whether [`codes`] takes a column of this type: integers.
#[must_use]
pub fn is_code(data_type: &DataType) -> bool {
    data_type.is_integer()
}

/// The column as `float64`; booleans become 0 and 1. Missing values, NaN included, are null.
///
/// 64-bit integers beyond 2^53 are rounded to the nearest float.
///
/// # Errors
/// - [`Error::BadType`]: the column is not a number.
pub fn numbers(name: &str, column: &ArrayRef) -> Result<Float64Array, Error> {
    if !is_number(column.data_type()) {
        return Err(bad_type(name, "a number", column));
    }
    let column = cast(name, "a number", column, &DataType::Float64)?;
    let floats = column.as_primitive::<Float64Type>();
    if floats.values().iter().any(|value| value.is_nan()) {
        return Ok(floats.iter().map(|value| value.filter(|value| !value.is_nan())).collect());
    }
    Ok(floats.clone())
}

/// The column as classes: booleans as they are, integers 1 and 0 as true and false. Nulls stay.
///
/// # Errors
/// - [`Error::BadType`]: the column is neither boolean nor integer.
/// - [`Error::BadValue`]: an integer is neither 0 nor 1.
pub fn labels(name: &str, column: &ArrayRef) -> Result<BooleanArray, Error> {
    if let Some(labels) = column.as_boolean_opt() {
        return Ok(labels.clone());
    }
    if !is_label(column.data_type()) {
        return Err(bad_type(name, "boolean, or an integer that is 0 or 1", column));
    }
    let column = cast(name, "0 or 1", column, &DataType::Int64)?;
    column
        .as_primitive::<Int64Type>()
        .iter()
        .map(|value| match value {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => Err(Error::BadValue { column: name.to_owned(), expected: "0 or 1", found: other.to_string() }),
        })
        .collect()
}

/// The column as category codes, `int32`, counted from 0. Nulls stay.
///
/// # Errors
/// - [`Error::BadType`]: the column is not an integer.
/// - [`Error::BadValue`]: a code is negative or does not fit `int32`.
pub fn codes(name: &str, column: &ArrayRef) -> Result<Int32Array, Error> {
    if !is_code(column.data_type()) {
        return Err(bad_type(name, "category codes, as `int32`", column));
    }
    let column = cast(name, "a code of `int32`", column, &DataType::Int32)?;
    let codes = column.as_primitive::<Int32Type>();
    match codes.iter().flatten().find(|code| *code < 0) {
        Some(code) => Err(Error::BadValue { column: name.to_owned(), expected: "a code of at least 0", found: code.to_string() }),
        None => Ok(codes.clone()),
    }
}

fn cast(name: &str, expected: &'static str, column: &ArrayRef, to: &DataType) -> Result<ArrayRef, Error> {
    // A value that does not fit must be an error: the default makes it null.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, to, &options)
        .map_err(|error| Error::BadValue { column: name.to_owned(), expected, found: error.to_string() })
}

fn bad_type(name: &str, expected: &'static str, column: &ArrayRef) -> Error {
    Error::BadType { column: name.to_owned(), expected, found: column.data_type().to_string() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn nan_and_null_are_both_missing() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN)]));
        let numbers = numbers("x", &column).unwrap();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(1.0), None, None]);
    }

    #[test]
    fn labels_are_two_classes() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(0), None]));
        assert_eq!(labels("y", &column).unwrap().iter().collect::<Vec<_>>(), [Some(true), Some(false), None]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![2]));
        assert_eq!(labels("y", &column).unwrap_err().code(), "bad-value");
        let column: ArrayRef = Arc::new(StringArray::from(vec!["yes"]));
        assert_eq!(labels("y", &column).unwrap_err().code(), "bad-type");
    }

    #[test]
    fn codes_are_not_negative() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None]));
        assert_eq!(codes("c", &column).unwrap().iter().collect::<Vec<_>>(), [Some(3), None]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![-1]));
        assert_eq!(codes("c", &column).unwrap_err().code(), "bad-value");
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1i64 << 40]));
        assert_eq!(codes("c", &column).unwrap_err().code(), "bad-value");
    }
}
