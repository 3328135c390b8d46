//! Every expression of `duckdb.jsonl` must have the type and the values that DuckDB gives.
//!
//! The file is written by `tests/oracles/sql_expressions.py`, which says what it holds.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, TimeUnit};
use pinion_sql::{Expression, SqlError};
use serde_json::Value;

#[test]
fn every_expression_agrees_with_duckdb() {
    let lines: Vec<Value> = include_str!("duckdb.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (header, expressions) = lines.split_first().unwrap();
    let table: BTreeMap<String, ArrayRef> = header["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            let values = column["values"].as_array().unwrap();
            let array = array(column["type"].as_str().unwrap(), values);
            (column["name"].as_str().unwrap().to_owned(), array)
        })
        .collect();

    let (mut agree, mut refused, mut deviate) = (0, 0, 0);
    let mut wrong = Vec::new();
    for expected in expressions {
        let sql = expected["sql"].as_str().unwrap();
        let found = evaluate(sql, &table);
        let difference = match (&found, expected["fails"].as_bool()) {
            (Err(_), Some(true)) => None,
            (Err(error), _) => Some(format!("fails: {error}")),
            (Ok(found), Some(true)) => Some(format!("DuckDB refuses it, found {found:?}")),
            (Ok(found), _) => difference(expected, found),
        };
        match (difference, expected.get("deviation")) {
            (None, None) if found.is_err() => refused += 1,
            (None, None) => agree += 1,
            (Some(_), Some(_)) => deviate += 1,
            (None, Some(_)) => {
                wrong.push(format!("{sql}\n    is listed as a deviation, and is none"))
            }
            (Some(difference), None) => wrong.push(format!("{sql}\n    {difference}")),
        }
    }
    println!(
        "{agree} expressions agree with DuckDB, {refused} are refused by both, {deviate} deviate as listed"
    );
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong\n{}",
        wrong.len(),
        expressions.len(),
        wrong.join("\n")
    );
    assert!(agree > 300);
}

fn evaluate(sql: &str, table: &BTreeMap<String, ArrayRef>) -> Result<ArrayRef, SqlError> {
    let rows = table.values().next().unwrap().len();
    let field = |name: &str| {
        let array = table.get(name)?;
        Some(Field::new(name, array.data_type().clone(), true))
    };
    let typed = Expression::parse(sql)?.resolve(&field)?;
    let array = typed.evaluate(&|name| table.get(name).unwrap().clone(), rows)?;
    assert_eq!(array.data_type(), typed.data_type(), "{sql}");
    assert_eq!(array.len(), rows, "{sql}");
    assert!(typed.nullable() || array.logical_null_count() == 0, "{sql}");
    Ok(array)
}

fn difference(expected: &Value, found: &ArrayRef) -> Option<String> {
    let (wanted, values) = (
        expected["type"].as_str().unwrap(),
        expected["values"].as_array().unwrap(),
    );
    // An expression of nothing but NULL has no type in DuckDB where it has one here.
    let untyped = wanted == "\"NULL\"" && found.logical_null_count() == found.len();
    let name = duckdb_name(found.data_type());
    if name != wanted && !untyped {
        return Some(format!("expected type {wanted}, found {name}"));
    }
    (0..found.len()).find_map(|row| {
        let (wanted, value) = (&values[row], value(found, row));
        let same = match (wanted.as_str(), value.as_str(), found.data_type()) {
            (Some(a), Some(b), DataType::Float32 | DataType::Float64) => same_float(a, b),
            _ => *wanted == value,
        };
        (!same).then(|| format!("expected {wanted} in row {row}, found {value}"))
    })
}

/// Bit by bit, but for NaN, of which there is one.
fn same_float(left: &str, right: &str) -> bool {
    let (left, right): (f64, f64) = (left.parse().unwrap(), right.parse().unwrap());
    left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan())
}

fn array(data_type: &str, values: &[Value]) -> ArrayRef {
    fn integers<T: TryFrom<i128>>(values: &[Value]) -> Vec<Option<T>> {
        let integer = |value: &Value| value.to_string().parse::<i128>().ok()?.try_into().ok();
        values.iter().map(integer).collect()
    }
    fn floats(values: &[Value]) -> impl Iterator<Item = Option<f64>> {
        values
            .iter()
            .map(|value| value.as_str().map(|text| text.parse().unwrap()))
    }
    let ticks = |unit, zone: Option<&str>| {
        let array: ArrayRef = Arc::new(Int64Array::from(integers::<i64>(values)));
        arrow_cast::cast(&array, &DataType::Timestamp(unit, zone.map(Arc::from))).unwrap()
    };
    match data_type {
        "int8" => Arc::new(Int8Array::from(integers::<i8>(values))),
        "int16" => Arc::new(Int16Array::from(integers::<i16>(values))),
        "int32" => Arc::new(Int32Array::from(integers::<i32>(values))),
        "int64" => Arc::new(Int64Array::from(integers::<i64>(values))),
        "uint8" => Arc::new(UInt8Array::from(integers::<u8>(values))),
        "uint16" => Arc::new(UInt16Array::from(integers::<u16>(values))),
        "uint32" => Arc::new(UInt32Array::from(integers::<u32>(values))),
        "uint64" => Arc::new(UInt64Array::from(integers::<u64>(values))),
        "float" => Arc::new(
            floats(values)
                .map(|value| value.map(|value| value as f32))
                .collect::<Float32Array>(),
        ),
        "double" => Arc::new(floats(values).collect::<Float64Array>()),
        "bool" => Arc::new(values.iter().map(Value::as_bool).collect::<BooleanArray>()),
        "string" => Arc::new(values.iter().map(Value::as_str).collect::<StringArray>()),
        "date32[day]" => {
            let array: ArrayRef = Arc::new(Int32Array::from(integers::<i32>(values)));
            arrow_cast::cast(&array, &DataType::Date32).unwrap()
        }
        "timestamp[s]" => ticks(TimeUnit::Second, None),
        "timestamp[ms]" => ticks(TimeUnit::Millisecond, None),
        "timestamp[us]" => ticks(TimeUnit::Microsecond, None),
        "timestamp[ns]" => ticks(TimeUnit::Nanosecond, None),
        "timestamp[us, tz=UTC]" => ticks(TimeUnit::Microsecond, Some("UTC")),
        other => panic!("a column of {other}"),
    }
}

fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Float32 | DataType::Float64 => {
            let wide = arrow_cast::cast(array, &DataType::Float64).unwrap();
            format!(
                "{:e}",
                wide.as_primitive::<arrow_array::types::Float64Type>()
                    .value(row)
            )
            .into()
        }
        DataType::UInt64 => array
            .as_primitive::<arrow_array::types::UInt64Type>()
            .value(row)
            .into(),
        _ => {
            let wide = arrow_cast::cast(array, &DataType::Int64).unwrap();
            wide.as_primitive::<Int64Type>().value(row).into()
        }
    }
}

fn duckdb_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "\"NULL\"",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "UINTEGER",
        DataType::UInt64 => "UBIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 => "VARCHAR",
        DataType::Date32 => "DATE",
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        other => panic!("a result of {other}"),
    }
}
