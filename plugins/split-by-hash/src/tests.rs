use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use pinion_sdk::{Content, Shape, testing};
use pinion_tables::split::PARTS;

use super::*;

/// A batch of `columns` and row numbers.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let rows = columns[0].1.len() as i64;
    let numbers: ArrayRef = Arc::new((0..rows).collect::<Int64Array>());
    let columns = columns.into_iter().chain([("row", numbers)]);
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The part of every row, the rows cut into pieces.
fn parts(params: &str, batch: &RecordBatch, piece: usize) -> Result<Vec<usize>> {
    let starts = (0..batch.num_rows()).step_by(piece);
    let batches: Vec<RecordBatch> = starts
        .map(|start| batch.slice(start, piece.min(batch.num_rows() - start)))
        .collect();
    let mut parts = vec![usize::MAX; batch.num_rows()];
    for (part, port) in PARTS.iter().enumerate() {
        let out = testing::row_map::<SplitByHash>(params, Inputs::default(), &batches, port)?;
        for row in out
            .iter()
            .flat_map(|batch| batch["row"].as_primitive::<Int64Type>().values())
        {
            assert_eq!(parts[*row as usize], usize::MAX, "a row is in two parts");
            parts[*row as usize] = part;
        }
    }
    assert!(parts.iter().all(|part| *part < PARTS.len()));
    Ok(parts)
}

fn numbers(rows: i64) -> RecordBatch {
    batch(vec![("k", Arc::new((0..rows).collect::<Int64Array>()))])
}

const PARAMS: &str = r#"{"by": ["k"], "weights": {"train": 0.7, "validation": 0.2, "test": 0.1}}"#;

#[test]
fn parts_are_about_as_large_as_their_weights() {
    let parts = parts(PARAMS, &numbers(5000), 5000).unwrap();
    let of = |part| parts.iter().filter(|of| **of == part).count();
    for (part, expected) in [3500, 1000, 500].into_iter().enumerate() {
        assert!(of(part).abs_diff(expected) < 120, "{part}: {}", of(part));
    }
}

#[test]
fn a_row_stays_where_it_is() {
    let before = parts(PARAMS, &numbers(200), 200).unwrap();
    for piece in [1, 7, 300] {
        assert_eq!(parts(PARAMS, &numbers(300), piece).unwrap()[..200], before);
    }
    // A test set that grows takes rows from its neighbour only.
    let grown = PARAMS
        .replace("0.2", "0.1")
        .replace(r#""test": 0.1"#, r#""test": 0.2"#);
    let after = parts(&grown, &numbers(200), 200).unwrap();
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || (*before, *after) == (1, 2));
    }
    assert_ne!(before, after);
    // In whatever unit, and whatever the width of the key.
    let percent = r#"{"by": ["k"], "weights": {"train": 70, "validation": 20, "test": 10}}"#;
    let narrow = batch(vec![("k", Arc::new((0..200).collect::<Int32Array>()))]);
    assert_eq!(parts(percent, &narrow, 200).unwrap(), before);
}

#[test]
fn salt_makes_another_split() {
    let salted = PARAMS.replace(r#""by""#, r#""salt": "a", "by""#);
    let [plain, salted] =
        [PARAMS, &salted].map(|params| parts(params, &numbers(200), 200).unwrap());
    assert_ne!(plain, salted);
}

#[test]
fn equal_keys_are_never_apart() {
    let text = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let keys: StringArray = (0..400usize)
        .map(|row| (row % 9 < 8).then(|| text[row % 9]))
        .collect();
    let parts = parts(PARAMS, &batch(vec![("k", Arc::new(keys))]), 50).unwrap();
    for (row, part) in parts.iter().enumerate() {
        assert_eq!(*part, parts[row % 9]);
    }
    assert!(parts.contains(&0) && parts.iter().any(|part| *part > 0));
}

#[test]
fn no_rows_are_no_rows() {
    assert!(parts(PARAMS, &numbers(0), 1).unwrap().is_empty());
    let fields = numbers(1).schema().fields().to_vec();
    let shapes = vec![Shape::table("rows", fields.clone())];
    let out = testing::check_row_map::<SplitByHash>(PARAMS, shapes).unwrap();
    assert_eq!(out, PARTS.map(|part| Shape::table(part, fields.clone())));
    assert!(matches!(out[2].content, Content::Table(_)));
}

#[test]
fn bad_params_are_refused() {
    let weights = r#""weights": {"train": 1, "test": 1}"#;
    for (params, code) in [
        (format!(r#"{{"by": [], {weights}}}"#), "bad-params"),
        (format!(r#"{{"by": ["k", "k"], {weights}}}"#), "bad-params"),
        (format!(r#"{{"by": ["m"], {weights}}}"#), "missing-column"),
        (r#"{"by": ["k"]}"#.to_owned(), "bad-params"),
        (
            r#"{"by": ["k"], "weights": {"train": 0.8}}"#.to_owned(),
            "bad-params",
        ),
        (
            r#"{"by": ["k"], "weights": {"train": 2, "test": -1}}"#.to_owned(),
            "bad-params",
        ),
        (
            r#"{"by": ["k"], "weights": {"train": 2, "dev": 1}}"#.to_owned(),
            "bad-params",
        ),
    ] {
        let error = parts(&params, &numbers(3), 3).unwrap_err();
        assert_eq!(error.code, code, "{params}");
    }
    let nested = arrow_array::StructArray::new_empty_fields(2, None);
    let error = parts(PARAMS, &batch(vec![("k", Arc::new(nested))]), 2).unwrap_err();
    assert_eq!(error.code, "wrong-type");
}

/// The parts that Python finds with a hash of its own, from `tests/oracles/tables.py`.
#[test]
fn parts_are_those_of_the_promised_bytes() {
    let oracle: serde_json::Value =
        serde_json::from_str(include_str!("../tests/data/python.json")).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let columns = case["columns"].as_array().unwrap().iter();
        let columns: Vec<(&str, ArrayRef)> = columns
            .map(|column| (column["name"].as_str().unwrap(), array(column)))
            .collect();
        let batch = batch(columns);
        let expected: Vec<usize> = serde_json::from_value(case["parts"].clone()).unwrap();
        assert!(expected.contains(&0) && expected.contains(&2));
        let params = case["params"].to_string();
        assert_eq!(parts(&params, &batch, 16).unwrap(), expected, "{params}");
    }
}

/// A column of the oracle's file.
fn array(column: &serde_json::Value) -> ArrayRef {
    let values = column["values"].as_array().unwrap().iter();
    let integers = values.clone().map(serde_json::Value::as_i64);
    let text = values.clone().map(serde_json::Value::as_str);
    match column["type"].as_str().unwrap() {
        "boolean" => Arc::new(
            values
                .map(|value| value.as_bool())
                .collect::<BooleanArray>(),
        ),
        "int64" => Arc::new(integers.collect::<Int64Array>()),
        "decimal" => {
            let units: Decimal128Array = integers.map(|value| value.map(i128::from)).collect();
            Arc::new(units.with_data_type(DataType::Decimal128(20, 2)))
        }
        "date32" => Arc::new(
            integers
                .map(|value| value.map(|day| day as i32))
                .collect::<Date32Array>(),
        ),
        "timestamp" => Arc::new(
            integers
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("America/New_York"),
        ),
        // JSON has no NaN and no sign of zero: bits in hexadecimal.
        "float64" => Arc::new(
            text.map(|bits| {
                bits.map(|bits| f64::from_bits(u64::from_str_radix(bits, 16).unwrap()))
            })
            .collect::<Float64Array>(),
        ),
        "text" => Arc::new(text.collect::<StringArray>()),
        "binary" => Arc::new(
            text.map(|text| text.map(str::as_bytes))
                .collect::<BinaryArray>(),
        ),
        other => panic!("{other}"),
    }
}
