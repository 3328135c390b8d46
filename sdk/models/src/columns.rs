//! Columns as the types that models compute with.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, new_empty_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat;
use pinion_sdk::{Error, Result, Table};

/// One column of all rows of a table or partition, as one array.
///
/// # Errors
/// `missing-column`.
pub fn gather(rows: &Table, name: &str) -> Result<ArrayRef> {
    let parts = rows.batches().map(|batch| batch.array(name)).collect::<Result<Vec<_>>>()?;
    match parts.as_slice() {
        [] => Ok(new_empty_array(rows.field(name)?.data_type())),
        [part] => Ok(part.clone()),
        parts => Ok(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
}

/// Refuses a field that [`numbers`] would not take: it takes integers, floats, decimals and booleans.
///
/// # Errors
/// `wrong-type`.
pub fn check_number(field: &Field) -> Result<()> {
    check(field, "a number", is_number(field.data_type()))
}

/// Refuses a field that [`labels`] would not take: it takes booleans and integers.
///
/// # Errors
/// `wrong-type`.
pub fn check_label(field: &Field) -> Result<()> {
    let fits = field.data_type().is_integer() || *field.data_type() == DataType::Boolean;
    check(field, "boolean, or an integer that is 0 or 1", fits)
}

/// Refuses a field that [`codes`] would not take: it takes integers.
///
/// # Errors
/// `wrong-type`.
pub fn check_code(field: &Field) -> Result<()> {
    check(field, "category codes, as `int32`", field.data_type().is_integer())
}

/// Whether a column of this type is one of numbers: integers, floats, decimals and booleans.
#[must_use]
pub fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || *data_type == DataType::Boolean
}

/// The column as `float64`; booleans become 0 and 1. Missing values, NaN included, are null.
///
/// 64-bit integers beyond 2^53 are rounded to the nearest float.
///
/// # Errors
/// `wrong-type` if the column is not one of numbers.
pub fn numbers(name: &str, column: &ArrayRef) -> Result<Float64Array> {
    check(&field(name, column), "a number", is_number(column.data_type()))?;
    let column = cast(name, column, &DataType::Float64)?;
    let floats = column.as_primitive::<Float64Type>();
    if floats.values().iter().any(|value| value.is_nan()) {
        return Ok(floats.iter().map(|value| value.filter(|value| !value.is_nan())).collect());
    }
    Ok(floats.clone())
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
    check_label(&field(name, column))?;
    let column = cast(name, column, &DataType::Int64)?;
    column
        .as_primitive::<Int64Type>()
        .iter()
        .map(|value| match value {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => Err(bad_value(name, "0 or 1", other)),
        })
        .collect()
}

/// The column as category codes, `int32`, counted from 0. Nulls stay.
///
/// # Errors
/// - `wrong-type` if the column is not an integer.
/// - `bad-data` if a code is negative or does not fit `int32`.
pub fn codes(name: &str, column: &ArrayRef) -> Result<Int32Array> {
    check_code(&field(name, column))?;
    let column = cast(name, column, &DataType::Int32)?;
    let codes = column.as_primitive::<Int32Type>();
    match codes.iter().flatten().find(|code| *code < 0) {
        Some(code) => Err(bad_value(name, "a code of at least 0", code)),
        None => Ok(codes.clone()),
    }
}

/// Refuses missing values.
///
/// # Errors
/// `missing-values`, with the column and how many of how many rows.
pub fn check_present(name: &str, column: &dyn Array) -> Result<()> {
    match column.null_count() {
        0 => Ok(()),
        missing => Err(Error::new("missing-values", format!("column `{name}` has missing values"))
            .with("column", name)
            .with("missing", missing)
            .with("rows", column.len())
            .with("hint", "impute the column with `std:transform`, or drop the rows with `std:filter-rows`")),
    }
}

/// A value that does not fit is an error: the default of Arrow's cast makes it null.
pub(crate) fn cast(name: &str, column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, to, &options)
        .map_err(|error| bad_value(name, &format!("a value of {to}"), error))
}

pub(crate) fn field(name: &str, column: &ArrayRef) -> Field {
    Field::new(name, column.data_type().clone(), true)
}

fn check(field: &Field, expected: &str, fits: bool) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::wrong_type(field.name(), expected, field.data_type())) }
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

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn nan_and_null_are_both_missing() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN)]));
        let numbers = numbers("x", &column).unwrap();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(1.0), None, None]);
        let error = check_present("x", &numbers).unwrap_err();
        assert_eq!((error.code.as_str(), error.details[1].1.as_str()), ("missing-values", "2"));
    }

    #[test]
    fn labels_are_two_classes() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(0), None]));
        assert_eq!(labels("y", &column).unwrap().iter().collect::<Vec<_>>(), [Some(true), Some(false), None]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![2]));
        assert_eq!(labels("y", &column).unwrap_err().code, "bad-data");
        let column: ArrayRef = Arc::new(StringArray::from(vec!["yes"]));
        assert_eq!(labels("y", &column).unwrap_err().code, "wrong-type");
    }

    #[test]
    fn codes_are_not_negative() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None]));
        assert_eq!(codes("c", &column).unwrap().iter().collect::<Vec<_>>(), [Some(3), None]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![-1]));
        assert_eq!(codes("c", &column).unwrap_err().code, "bad-data");
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1i64 << 40]));
        assert_eq!(codes("c", &column).unwrap_err().code, "bad-data");
    }
}
