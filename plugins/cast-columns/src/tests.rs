//! Casts of small columns.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int8Type, TimestampMicrosecondType, TimestampSecondType};
use arrow_array::{
    Date64Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use pinion_sdk::{Content, Shape, testing};

use super::*;

fn params(to: &str, on_error: &str) -> String {
    format!(r#"{{"columns": {{"x": "{to}"}}, "on_error": "{on_error}"}}"#)
}

fn to(to: &str, values: impl Array + 'static) -> Result<ArrayRef> {
    to_or_null(&params(to, "fail"), values)
}

fn to_or_null(params: &str, values: impl Array + 'static) -> Result<ArrayRef> {
    let batch =
        RecordBatch::try_from_iter_with_nullable([("x", Arc::new(values) as ArrayRef, true)])
            .unwrap();
    let out = testing::row_map::<CastColumns>(params, Inputs::default(), &[batch], "rows")?;
    Ok(Arc::clone(&out[0]["x"]))
}

fn text(values: &ArrayRef) -> Vec<String> {
    (0..values.len())
        .map(|row| array_value_to_string(values, row).unwrap())
        .collect()
}

#[test]
fn text_becomes_numbers_dates_and_timestamps() {
    let numbers = to("float64", StringArray::from(vec![Some("1.5"), None])).unwrap();
    assert_eq!(
        numbers.as_primitive::<Float64Type>(),
        &Float64Array::from(vec![Some(1.5), None])
    );
    assert_eq!(
        text(&to("date32", StringArray::from(vec!["2013-10-01"])).unwrap()),
        ["2013-10-01"]
    );
    assert_eq!(
        text(&to("decimal128(10, 2)", StringArray::from(vec!["1.5"])).unwrap()),
        ["1.50"]
    );
    let times = to(
        "timestamp[s, UTC]",
        StringArray::from(vec!["1970-01-01T02:00:01+02:00"]),
    )
    .unwrap();
    assert_eq!(times.as_primitive::<TimestampSecondType>().value(0), 1);
    assert_eq!(
        *times.data_type(),
        DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))
    );
}

#[test]
fn numbers_become_text_and_other_numbers() {
    assert_eq!(
        text(&to("utf8", Int64Array::from(vec![-7])).unwrap()),
        ["-7"]
    );
    let whole = to("int8", Float64Array::from(vec![1.9, -1.9])).unwrap();
    assert_eq!(whole.as_primitive::<Int8Type>().values(), &[1, -1]);
    let decimals = Decimal128Array::from(vec![150])
        .with_precision_and_scale(5, 2)
        .unwrap();
    assert_eq!(
        to("float64", decimals)
            .unwrap()
            .as_primitive::<Float64Type>()
            .value(0),
        1.5
    );
}

#[test]
fn zones_are_changed_given_and_taken() {
    let utc = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
    let ahead = to("timestamp[us, +02:00]", utc.clone()).unwrap();
    assert_eq!(ahead.as_primitive::<TimestampMicrosecondType>().value(0), 0);
    assert_eq!(
        text(&to("utf8", utc.clone()).unwrap()),
        ["1970-01-01T00:00:00Z"]
    );
    assert_eq!(
        to("timestamp[us]", utc)
            .unwrap()
            .as_primitive::<TimestampMicrosecondType>()
            .value(0),
        0
    );
    let clock = to(
        "timestamp[us, +02:00]",
        TimestampMicrosecondArray::from(vec![0]),
    )
    .unwrap();
    assert_eq!(
        clock.as_primitive::<TimestampMicrosecondType>().value(0),
        -7_200_000_000
    );
}

#[test]
fn what_does_not_fit_ends_the_run_or_becomes_null() {
    let values = || StringArray::from(vec![None, Some("1"), Some("n/a")]);
    let error = to("int64", values()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a value in column `x` cannot be cast to `int64`\n  column x\n  value `n/a`\n  row 2 of its batch"
    );
    let nulls = to_or_null(&params("int64", "null"), values()).unwrap();
    assert_eq!(
        nulls.as_primitive::<arrow_array::types::Int64Type>(),
        &Int64Array::from(vec![None, Some(1), None])
    );
    assert_eq!(
        to("int8", Int64Array::from(vec![128])).unwrap_err().code,
        "bad-data"
    );
    assert_eq!(
        to("timestamp[ns]", Date64Array::from(vec![i64::MAX / 1000]))
            .unwrap_err()
            .code,
        "bad-data"
    );
}

#[test]
fn dictionaries_are_cast_by_their_values() {
    let values = || {
        [Some("1"), None, Some("2")]
            .into_iter()
            .collect::<DictionaryArray<Int8Type>>()
    };
    assert_eq!(text(&to("int64", values()).unwrap()), ["1", "", "2"]);
    assert_eq!(text(&to("utf8", values()).unwrap()), ["1", "", "2"]);
}

#[test]
fn check_tells_types_and_nullability() {
    let check = |params: &str, data_type: DataType| {
        let field = Field::new("x", data_type, false).with_metadata(
            [
                ("unit".to_owned(), "min".to_owned()),
                (EXTENSION_TYPE_NAME_KEY.to_owned(), "e".to_owned()),
            ]
            .into(),
        );
        let mut shapes = testing::check_row_map::<CastColumns>(
            params,
            vec![Shape::table("rows", vec![Arc::new(field)])],
        )?;
        let Content::Table(mut fields) = shapes.remove(0).content else {
            unreachable!()
        };
        Ok::<_, Error>(fields.remove(0))
    };
    let field = check(&params("int8", "fail"), DataType::Utf8).unwrap();
    assert_eq!(
        (field.data_type(), field.is_nullable()),
        (&DataType::Int8, false)
    );
    assert_eq!(field.metadata().keys().collect::<Vec<_>>(), ["unit"]);
    assert!(
        check(&params("int8", "null"), DataType::Utf8)
            .unwrap()
            .is_nullable()
    );
    assert_eq!(
        check(&params("date32", "fail"), DataType::Boolean)
            .unwrap_err()
            .code,
        "wrong-type"
    );
    let named = DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into()));
    assert!(check(&params("timestamp[us, UTC]", "fail"), named.clone()).is_ok());
    assert_eq!(
        check(&params("date32", "fail"), named).unwrap_err().code,
        "bad-data"
    );
    assert_eq!(
        check(&params("int", "fail"), DataType::Utf8)
            .unwrap_err()
            .code,
        "bad-params"
    );
    assert_eq!(
        check(r#"{"columns": {}}"#, DataType::Utf8)
            .unwrap_err()
            .code,
        "bad-params"
    );
    assert_eq!(
        check(r#"{"columns": {"y": "int8"}}"#, DataType::Utf8)
            .unwrap_err()
            .code,
        "missing-column"
    );
}
