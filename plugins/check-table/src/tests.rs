//! Checks of a small table in two batches.
#![expect(clippy::unwrap_used, reason = "tests")]

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{
    Date32Array, Decimal128Array, PrimitiveArray, RecordBatch, TimestampSecondArray,
};
use pinion_sdk::{Table, testing};

use super::*;

/// 2013-10-01.
const DAY: i32 = 15_979;

fn table() -> Vec<RecordBatch> {
    let batch = |ids: Vec<Option<i64>>, scores: Vec<f32>, carriers: Vec<&str>| {
        let rows = ids.len() as i32;
        let days: Date32Array = (0..rows).map(|day| Some(DAY + day)).collect();
        let times: TimestampSecondArray = (0..rows)
            .map(|hour| Some(i64::from(hour) * 3_600))
            .collect();
        let prices: Decimal128Array = (0..rows).map(|cents| Some(i128::from(cents) * 5)).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(Int64Array::from(ids)) as ArrayRef, true),
            (
                "score",
                Arc::new(PrimitiveArray::<Float32Type>::from(scores)),
                true,
            ),
            ("carrier", Arc::new(StringArray::from(carriers)), true),
            ("day", Arc::new(days), true),
            ("time", Arc::new(times.with_timezone("UTC")), true),
            (
                "price",
                Arc::new(prices.with_precision_and_scale(10, 2).unwrap()),
                true,
            ),
        ])
        .unwrap()
    };
    vec![
        batch(
            vec![Some(1), None, Some(2)],
            vec![0.1, f32::NAN, 0.3],
            vec!["AA", "UA", "AA"],
        ),
        batch(vec![Some(2), None], vec![0.4, 0.5], vec!["ZZ", "AA"]),
    ]
}

fn run(params: &str) -> Result<Outputs> {
    let fields = table()[0].schema().fields().to_vec();
    testing::whole_table::<CheckTable>(
        params,
        &Inputs::default().with_table("rows", Table::local(fields, table())),
    )
}

fn failure(params: &str) -> String {
    let error = run(params).unwrap_err();
    assert_eq!(error.code, "check-failed", "{error}");
    error.to_string()
}

#[test]
fn what_passes_is_passed_on_with_a_report() {
    let params = r#"{
        "not_null": ["carrier"],
        "range": {
            "id": {"min": 0.5, "max": 2},
            "day": {"min": "2013-10-01"},
            "time": {"max": "1970-01-01T04:00:00+02:00"},
            "price": {"min": 0, "max": 0.1}
        },
        "set": {"carrier": ["AA", "UA", "ZZ"], "day": ["2013-10-01", "2013-10-02", "2013-10-03"], "price": [0, 0.05, "0.10"]},
        "unique": ["carrier", "day"],
        "rows": {"min": 5, "max": 5}
    }"#;
    assert_eq!(run(params).unwrap().into_table("rows"), [table()]);
    let report = run(params)
        .unwrap()
        .into_table("report")
        .remove(0)
        .remove(0);
    let checks: Vec<_> = report["check"]
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(
        checks,
        [
            "not_null", "range", "range", "range", "range", "set", "set", "set", "unique", "rows"
        ]
    );
    assert_eq!(report["column"].as_string::<i32>().value(8), "carrier, day");
    assert!(
        report["passed"]
            .as_boolean()
            .iter()
            .all(|passed| passed == Some(true))
    );
    assert_eq!(report["rows"].as_primitive::<Int64Type>().value(0), 5);
    assert_eq!(
        report["bad_rows"]
            .as_primitive::<Int64Type>()
            .iter()
            .collect::<Vec<_>>()
            .last(),
        Some(&None)
    );
}

#[test]
fn failures_show_the_first_bad_rows_of_the_whole_table() {
    let text = failure(
        r#"{"not_null": ["id"], "range": {"score": {"min": 0.1, "max": 0.4}}, "set": {"carrier": ["AA"]}}"#,
    );
    let expected = "3 of 3 checks failed
  not_null `id` is null in 2 of 5 rows
  row 1: `id` is null
  row 4: `id` is null
  range `score` is not in 0.1 to 0.4 in 2 of 5 rows
  row 1: `score` is NaN
  row 4: `score` is 0.5
  set `carrier` is not one of the allowed values in 2 of 5 rows
  row 1: `carrier` is UA
  row 3: `carrier` is ZZ";
    assert_eq!(text, expected);
}

#[test]
fn repeated_keys_and_wrong_row_counts_are_shown() {
    let text = failure(r#"{"unique": [["id"], ["carrier", "day"]], "rows": {"min": 6}}"#);
    let expected = "2 of 3 checks failed
  unique `id` repeats an earlier row in 1 of 5 rows
  row 3: `id` is 2, as in row 2
  rows there are 5, not at least 6";
    assert_eq!(text, expected);
    assert!(failure(r#"{"unique": "carrier"}"#).contains("row 4: `carrier` is AA, as in row 0"));
}

#[test]
fn five_rows_are_shown_at_most() {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
    let rows = Table::local(batch.schema().fields().to_vec(), vec![batch]);
    let inputs = Inputs::default().with_table("rows", rows);
    let error = testing::whole_table::<CheckTable>(r#"{"range": {"x": {"max": 9}}}"#, &inputs)
        .err()
        .unwrap();
    assert_eq!(error.details.len(), 6);
    assert_eq!(error.details[0].1, "`x` is not at most 9 in 90 of 100 rows");
}

#[test]
fn a_failure_may_be_reported_only() {
    let report = run(r#"{"unique": "carrier", "on_failure": "report"}"#)
        .unwrap()
        .into_table("report")
        .remove(0)
        .remove(0);
    assert_eq!(report["bad_rows"].as_primitive::<Int64Type>().value(0), 2);
    assert!(!report["passed"].as_boolean().value(0));
}

#[test]
fn what_makes_no_sense_is_refused_before_any_row() {
    let refused = |params: &str, code: &str| {
        let shapes = Shapes::new(vec![Shape::table(
            "rows",
            table()[0].schema().fields().to_vec(),
        )]);
        let shapes = testing_check(params, &shapes);
        assert_eq!(shapes.unwrap_err().code, code, "{params}");
    };
    for params in [
        "{}",
        r#"{"range": {"id": {}}}"#,
        r#"{"range": {"id": {"min": 2, "max": 1}}}"#,
        r#"{"range": {"id": {"min": "1"}}}"#,
        r#"{"range": {"day": {"min": 5}}}"#,
        r#"{"range": {"day": {"min": "2013-10-01T00:00:00Z"}}}"#,
        r#"{"range": {"price": {"min": 0.005}}}"#,
        r#"{"set": {"carrier": []}}"#,
        r#"{"set": {"carrier": [1]}}"#,
        r#"{"set": {"id": [1.5]}}"#,
        r#"{"unique": []}"#,
        r#"{"unique": [[]]}"#,
        r#"{"rows": {}}"#,
        r#"{"rows": {"min": 2, "max": 1}}"#,
    ] {
        refused(params, "bad-params");
    }
    refused(r#"{"range": {"carrier": {"min": "A"}}}"#, "wrong-type");
    for params in [
        r#"{"not_null": ["x"]}"#,
        r#"{"set": {"x": [1]}}"#,
        r#"{"unique": ["id", "x"]}"#,
    ] {
        refused(params, "missing-column");
    }
    for params in [
        r#"{"nulls": ["id"]}"#,
        r#"{"unique": 3}"#,
        r#"{"set": {"id": [null]}}"#,
        r#"{"rows": {"min": -1}}"#,
    ] {
        assert_eq!(run(params).unwrap_err().code, "bad-params", "{params}");
    }
}

fn testing_check(params: &str, shapes: &Shapes) -> Result<Vec<Shape>> {
    CheckTable::check(pinion_sdk::guest::params(params)?, shapes)
}
