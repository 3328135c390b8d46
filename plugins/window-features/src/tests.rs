use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use pinion_sdk::testing;
use serde::Deserialize;

use super::*;

/// From `tests/oracles/window_features.py`.
#[derive(Deserialize)]
struct Oracle {
    carrier: Vec<Option<String>>,
    time_us: Vec<i64>,
    delay: Vec<Option<f64>>,
    /// Features by name, of windows without the row itself and with it.
    before: Features,
    current: Features,
}

type Features = std::collections::BTreeMap<String, Vec<Option<f64>>>;

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("../tests/data/pandas.json")).unwrap()
}

fn batch(oracle: &Oracle) -> RecordBatch {
    let id: Int64Array = (0..oracle.delay.len() as i64).collect();
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("id", Arc::new(id), false),
        (
            "carrier",
            Arc::new(StringArray::from(oracle.carrier.clone())),
            true,
        ),
        (
            "time",
            Arc::new(TimestampMicrosecondArray::from(oracle.time_us.clone())),
            false,
        ),
        (
            "delay",
            Arc::new(Float64Array::from(oracle.delay.clone())),
            true,
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Every feature of the oracle, named as there.
fn params(features: &Features, include_current: bool) -> serde_json::Value {
    let feature = |name: &String| {
        let (function, window) = name.split_once('_').unwrap();
        let mut feature = serde_json::json!({ "function": function, "column": "delay" });
        match window.split_once('_') {
            None => feature["rows"] = window.parse::<u32>().unwrap().into(),
            Some(("rows", rows)) => feature["rows"] = rows.parse::<u32>().unwrap().into(),
            Some((unit, number)) => feature["duration"] = format!("{number} {}", &unit[..1]).into(),
        }
        (name.clone(), feature)
    };
    let features: serde_json::Map<_, _> = features.keys().map(feature).collect();
    serde_json::json!({
        "by": ["carrier"], "order_by": "time", "include_current": include_current, "features": features,
    })
}

/// The rows with features, the rows in batches of so many.
fn run(
    params: &serde_json::Value,
    rows: &RecordBatch,
    piece: usize,
    memory: usize,
) -> Result<Vec<RecordBatch>> {
    let starts = (0..rows.num_rows()).step_by(piece);
    let batches = starts.map(|start| rows.slice(start, piece.min(rows.num_rows() - start)));
    let table = Table::local(rows.schema().fields().to_vec(), batches.collect());
    let params: Params = serde_json::from_value(params.clone()).unwrap();
    let shapes = Shapes::new(vec![Shape::table("rows", rows.schema().fields().to_vec())]);
    params.check(shapes.table("rows")?)?;
    let mut writer = TableWriter::local();
    add(&table, &params, memory, &mut writer)?;
    Ok(writer.into_partitions().concat())
}

/// The values of a column as floats.
fn floats(batches: &[RecordBatch], name: &str) -> Vec<Option<f64>> {
    let values = batches.iter().flat_map(|batch| {
        let column = &batch[name];
        match column.as_primitive_opt::<Int64Type>() {
            Some(integers) => integers
                .iter()
                .map(|n| n.map(|n| n as f64))
                .collect::<Vec<_>>(),
            None => column.as_primitive::<Float64Type>().iter().collect(),
        }
    });
    values.collect()
}

#[test]
fn features_are_those_of_pandas() {
    let oracle = oracle();
    let rows = batch(&oracle);
    for (expected, include_current) in [(&oracle.before, false), (&oracle.current, true)] {
        for (piece, memory) in [(1000, MEMORY_BYTES), (7, MEMORY_BYTES), (50, 1)] {
            let params = params(expected, include_current);
            let found = run(&params, &rows, piece, memory).unwrap();
            let ids: Vec<_> = floats(&found, "id").into_iter().flatten().collect();
            assert!(ids.iter().enumerate().all(|(at, id)| at as f64 == *id));
            assert_eq!(ids.len(), rows.num_rows());
            for (name, expected) in expected {
                let found = floats(&found, name);
                for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let is_close = match (found, expected) {
                        (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                        (found, expected) => found == expected,
                    };
                    let what = format!("{name} of row {row}, with it {include_current}");
                    assert!(is_close, "{what}: {found:?} is not {expected:?}");
                }
            }
        }
    }
}

/// Twice two rows of one day, a null and a third day.
fn days() -> RecordBatch {
    let columns: [(&str, ArrayRef, bool); 3] = [
        (
            "day",
            Arc::new(Date32Array::from(vec![2, 1, 1, 2, 9])),
            false,
        ),
        (
            "city",
            Arc::new(StringArray::from(vec![
                Some("a"),
                Some("b"),
                None,
                Some("d"),
                Some("e"),
            ])),
            true,
        ),
        ("n", Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4])), false),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn lags_are_of_any_type_and_rows_stay_in_their_order() {
    let params = serde_json::json!({
        "order_by": "day",
        "features": {
            "city_before": { "function": "lag", "column": "city", "rows": 1 },
            "n_before": { "function": "lag", "column": "n", "rows": 2 },
            "cities": { "function": "count", "column": "city", "rows": 10 },
            "rows": { "function": "count", "duration": "1 d" },
        },
    });
    for piece in 1..=5 {
        let found = run(&params, &days(), piece, MEMORY_BYTES).unwrap();
        // In order the rows are 1, 2, 0, 3, 4.
        assert_eq!(
            floats(&found, "n_before"),
            [Some(1.0), None, None, Some(2.0), Some(0.0)]
        );
        let cities = found.iter().flat_map(|batch| {
            let cities = batch["city_before"].as_string::<i32>().iter();
            cities
                .map(|city| city.map(str::to_owned))
                .collect::<Vec<_>>()
        });
        let cities: Vec<_> = cities.collect();
        let expected = [None, None, Some("b"), Some("a"), Some("d")];
        assert_eq!(cities, expected.map(|city| city.map(str::to_owned)));
        assert_eq!(
            floats(&found, "cities"),
            [1.0, 0.0, 1.0, 2.0, 3.0].map(Some)
        );
        // Of the day before, and nothing of the same day.
        assert_eq!(floats(&found, "rows"), [2.0, 0.0, 0.0, 2.0, 0.0].map(Some));
    }
}

#[test]
fn groups_go_on_from_batch_to_batch() {
    // More rows than are looked at at once, of two groups.
    let count = 20_000;
    let columns: [(&str, ArrayRef, bool); 2] = [
        (
            "half",
            Arc::new((0..count).map(|n| Some(n % 2)).collect::<Int64Array>()),
            false,
        ),
        ("n", Arc::new((0..count).collect::<Int64Array>()), false),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let params = serde_json::json!({
        "by": ["half"], "order_by": "n",
        "features": {
            "before": { "function": "lag", "column": "n", "rows": 1 },
            "rows": { "function": "count", "rows": 1_000_000 },
        },
    });
    let found = run(&params, &rows, 20_000, MEMORY_BYTES).unwrap();
    let expected = (0..count).map(|n| (n >= 2).then(|| (n - 2) as f64));
    assert_eq!(floats(&found, "before"), expected.collect::<Vec<_>>());
    let expected = (0..count).map(|n| Some((n / 2) as f64));
    assert_eq!(floats(&found, "rows"), expected.collect::<Vec<_>>());
}

#[test]
fn check_promises_what_is_written() {
    let params = serde_json::json!({
        "by": ["city"], "order_by": "day",
        "features": {
            "lag": { "function": "lag", "column": "n", "rows": 1 },
            "mean": { "function": "mean", "column": "n", "rows": 2 },
            "rows": { "function": "count", "rows": 2 },
        },
    });
    let inputs = Inputs::default().with_table(
        "rows",
        Table::local(days().schema().fields().to_vec(), vec![days()]),
    );
    let written = testing::whole_table::<WindowFeatures>(&params.to_string(), &inputs).unwrap();
    let written = written.into_table("rows").remove(0).remove(0);
    let shapes = Shapes::new(vec![Shape::table(
        "rows",
        days().schema().fields().to_vec(),
    )]);
    let promised = WindowFeatures::check(serde_json::from_value(params).unwrap(), &shapes);
    let pinion_sdk::Content::Table(promised) = promised.unwrap().remove(0).content else {
        panic!("a blob is promised");
    };
    let names = |fields: &[arrow_schema::FieldRef]| {
        let names = fields
            .iter()
            .map(|field| (field.name().clone(), field.data_type().clone()));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&promised), names(written.schema().fields()));
    assert!(promised[3].is_nullable() && promised[4].is_nullable());
}

#[test]
fn no_rows_are_no_rows() {
    let params = serde_json::json!({
        "order_by": "day", "features": { "rows": { "function": "count", "rows": 2 } },
    });
    let empty = days().slice(0, 0);
    assert!(run(&params, &empty, 1, MEMORY_BYTES).unwrap().is_empty());
    let inputs = Inputs::default().with_table(
        "rows",
        Table::local(empty.schema().fields().to_vec(), vec![empty]),
    );
    let outputs = testing::whole_table::<WindowFeatures>(&params.to_string(), &inputs).unwrap();
    assert!(outputs.into_table("rows").is_empty());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |features: serde_json::Value| {
        let params = serde_json::json!({ "order_by": "day", "features": features });
        let error = run(&params, &days(), 5, MEMORY_BYTES).unwrap_err();
        (error.code, error.message)
    };
    for (features, code, message) in [
        (
            serde_json::json!({}),
            "bad-params",
            "`features` names no feature",
        ),
        (
            serde_json::json!({ "n": { "function": "count", "rows": 1 } }),
            "duplicate-column",
            "there is a column `n` already",
        ),
        (
            serde_json::json!({ "x": { "function": "mean", "rows": 1 } }),
            "bad-params",
            "feature `x` names no column",
        ),
        (
            serde_json::json!({ "x": { "function": "mean", "column": "city", "rows": 1 } }),
            "wrong-type",
            "column `city` has the wrong type",
        ),
        (
            serde_json::json!({ "x": { "function": "mean", "column": "n" } }),
            "bad-params",
            "feature `x` does not say how far it goes back",
        ),
        (
            serde_json::json!({ "x": { "function": "lag", "column": "n", "duration": "1 d" } }),
            "bad-params",
            "feature `x` does not say how far it goes back",
        ),
        (
            serde_json::json!({ "x": { "function": "lag", "column": "n", "rows": 0 } }),
            "bad-params",
            "`rows` of feature `x` must be at least 1",
        ),
        (
            serde_json::json!({ "x": { "function": "sum", "column": "n", "duration": "soon" } }),
            "bad-params",
            "`duration` of feature `x` is none",
        ),
    ] {
        assert_eq!(refused(features), (code.to_owned(), message.to_owned()));
    }
    let params = serde_json::json!({
        "order_by": "n", "features": { "x": { "function": "count", "duration": "1 d" } },
    });
    assert_eq!(
        run(&params, &days(), 5, MEMORY_BYTES).unwrap_err().code,
        "wrong-type"
    );
}

#[test]
fn values_that_cannot_be_ordered_or_added_are_errors() {
    let rows = |time: Option<i64>, value: f64| {
        let times = TimestampMicrosecondArray::from(vec![Some(5), time, Some(7)]);
        let values = Float64Array::from(vec![1.0, value, 2.0]);
        RecordBatch::try_from_iter_with_nullable([
            ("time", Arc::new(times) as ArrayRef, true),
            ("x", Arc::new(values), true),
        ])
        .unwrap()
    };
    let params = serde_json::json!({
        "order_by": "time", "features": { "sum": { "function": "sum", "column": "x", "rows": 2 } },
    });
    let refused = |rows| run(&params, &rows, 1, MEMORY_BYTES).unwrap_err();
    let error = refused(rows(None, 1.0));
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("missing-values", "a row has no value in column `time`")
    );
    assert_eq!(error.details[1], ("row".to_owned(), "1".to_owned()));
    assert_eq!(refused(rows(Some(1), f64::INFINITY)).code, "not-finite");
    let fine = run(&params, &rows(Some(1), f64::NAN), 1, MEMORY_BYTES).unwrap();
    assert_eq!(floats(&fine, "sum"), [None, None, Some(1.0)]);
}
