//! Runs the step natively.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{BooleanArray, Float64Array, Int32Array, RecordBatch};
use arrow_schema::DataType;
use pinion_sdk::{Shape, testing};

use super::*;

fn flights() -> RecordBatch {
    let distance = Int32Array::from(vec![Some(1_400), Some(200), None]);
    let air_time = Int32Array::from(vec![Some(200), Some(0), Some(60)]);
    RecordBatch::try_from_iter([
        ("distance", Arc::new(distance) as _),
        ("air_time", Arc::new(air_time) as _),
    ])
    .unwrap()
}

fn derive(columns: &str) -> Result<RecordBatch> {
    let params = format!(r#"{{"columns": {columns}}}"#);
    let mut out =
        testing::row_map::<DeriveColumns>(&params, Inputs::default(), &[flights()], "rows")?;
    Ok(out.remove(0))
}

fn names(batch: &RecordBatch) -> Vec<String> {
    batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

#[test]
fn a_table_adds_columns_in_byte_order_of_their_names() {
    let out = derive(r#"{"speed": "distance / air_time * 60", "far": "distance > 1000"}"#).unwrap();
    assert_eq!(names(&out), ["distance", "air_time", "far", "speed"]);
    assert_eq!(
        out.column(2).as_boolean(),
        &BooleanArray::from(vec![Some(true), Some(false), None])
    );
    assert_eq!(
        out.column(3).as_primitive::<Float64Type>(),
        &Float64Array::from(vec![Some(420.0), None, None])
    );
}

#[test]
fn columns_of_a_table_do_not_see_each_other() {
    let out = derive(r#"{"distance": "distance + 1", "next": "distance + 1"}"#).unwrap();
    assert_eq!(names(&out), ["distance", "air_time", "next"]);
    assert_eq!(out.column(0), out.column(2));
    assert_eq!(
        derive(r#"{"a": "distance", "b": "a"}"#).unwrap_err().code,
        "missing-column"
    );
}

#[test]
fn columns_of_a_list_see_those_before_them() {
    let out = derive(
        r#"[{"name": "distance", "expression": "distance * 2"},
            {"name": "more", "expression": "distance + 1"},
            {"name": "most", "expression": "more + 1"}]"#,
    )
    .unwrap();
    assert_eq!(names(&out), ["distance", "air_time", "more", "most"]);
    let most = Int32Array::from(vec![Some(2_802), Some(402), None]);
    assert_eq!(out.column(3).as_primitive::<Int32Type>(), &most);
}

#[test]
fn a_column_that_is_never_null_says_so() {
    let out = derive(r#"{"known": "distance IS NOT NULL"}"#).unwrap();
    assert!(!out.schema().field(2).is_nullable());
}

#[test]
fn check_promises_the_types() {
    let shapes = vec![Shape::table("rows", flights().schema().fields().to_vec())];
    let params = r#"{"columns": {"speed": "distance / air_time"}}"#;
    let out = testing::check_row_map::<DeriveColumns>(params, shapes).unwrap();
    let mut fields = flights().schema().fields().to_vec();
    fields.push(Arc::new(Field::new("speed", DataType::Float64, true)));
    assert_eq!(out, [Shape::table("rows", fields)]);
}

#[test]
fn refusals_name_what_is_derived() {
    for (columns, code) in [
        (r#"{"x": "distance +"}"#, "invalid-expression"),
        (r#"{"x": "distence"}"#, "missing-column"),
        (r#"{"x": "distance + true"}"#, "type-mismatch"),
        (r#"{"x": "distance * 2000000"}"#, "invalid-value"),
    ] {
        let error = derive(columns).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert_eq!(
            error.details.iter().find(|(label, _)| label == "derives"),
            Some(&("derives".to_owned(), "x".to_owned())),
            "{error}"
        );
    }
    assert_eq!(
        derive(r#"{"x": "distence + 1"}"#).unwrap_err().to_string(),
        "there is no column `distence`\n  in distence + 1\n     ^\n  column distence\n  port rows\n  \
         derives x\n  hint did you mean `distance`?"
    );
    let list = r#"[{"name": "speed", "expression": "distance / 2"}, {"name": "x", "expression": "sped * 2"}]"#;
    assert!(
        derive(list)
            .unwrap_err()
            .to_string()
            .ends_with("derives x\n  hint did you mean `speed`?")
    );
}

#[test]
fn refuses_params_that_say_nothing_or_twice() {
    for columns in [
        "{}",
        "[]",
        r#""distance""#,
        r#"{"x": 1}"#,
        r#"[{"name": "x"}]"#,
        r#"[{"name": "x", "expression": "1"}, {"name": "x", "expression": "2"}]"#,
    ] {
        assert_eq!(derive(columns).unwrap_err().code, "bad-params", "{columns}");
    }
}
