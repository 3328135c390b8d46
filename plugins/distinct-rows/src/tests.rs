use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, StructArray,
};
use arrow_schema::{DataType, Field};
use pinion_sdk::testing;
use proptest::prelude::*;

use super::*;

fn table(batch: &RecordBatch, piece: usize) -> Table {
    let starts = (0..batch.num_rows()).step_by(piece);
    let batches = starts.map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
    Table::local(batch.schema().fields().to_vec(), batches.collect())
}

/// A batch of `columns` and row numbers.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let rows = columns[0].1.len() as i64;
    let numbers: ArrayRef = Arc::new((0..rows).collect::<Int64Array>());
    let columns = columns.into_iter().chain([("row", numbers)]);
    RecordBatch::try_from_iter(columns).unwrap()
}

fn numbers(batches: Vec<Vec<RecordBatch>>) -> Vec<i64> {
    let batches = batches.into_iter().flatten();
    batches
        .flat_map(|batch| batch["row"].as_primitive::<Int64Type>().values().to_vec())
        .collect()
}

/// The numbers of the rows that stay, in memory or sorted, and however rows are cut.
fn kept(batch: &RecordBatch, by: &[&str], keep: Keep) -> Vec<i64> {
    let run = |memory, piece| {
        let rows = table(batch, piece);
        let keys: Vec<FieldRef> = by.iter().map(|name| rows.field(name).unwrap()).collect();
        let mut writer = TableWriter::local();
        distinct(&rows, &keys, keep, memory, &mut writer).unwrap();
        numbers(writer.into_partitions())
    };
    let expected = run(MEMORY_BYTES, 100);
    for piece in 1..4 {
        assert_eq!(run(1, piece), expected, "{piece}");
        assert_eq!(run(MEMORY_BYTES, piece), expected, "{piece}");
    }
    expected
}

fn flights() -> RecordBatch {
    let carrier = vec![Some("b"), None, Some("a"), Some("b"), None, Some("a")];
    let km = vec![
        Some(-0.0),
        Some(f64::NAN),
        None,
        Some(0.0),
        Some(-f64::NAN),
        Some(2.0),
    ];
    batch(vec![
        ("carrier", Arc::new(StringArray::from(carrier))),
        ("km", Arc::new(Float64Array::from(km))),
    ])
}

#[test]
fn one_row_of_each_key_stays() {
    let rows = flights();
    assert_eq!(kept(&rows, &["carrier"], Keep::First), [0, 1, 2]);
    assert_eq!(kept(&rows, &["carrier"], Keep::Last), [3, 4, 5]);
    assert_eq!(kept(&rows, &["carrier", "km"], Keep::First), [0, 1, 2, 5]);
    assert_eq!(kept(&rows, &["row"], Keep::Last), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn zeros_are_equal_and_so_are_nans() {
    let rows = flights();
    assert_eq!(kept(&rows, &["km"], Keep::First), [0, 1, 2, 5]);
    assert_eq!(kept(&rows, &["km"], Keep::Last), [2, 3, 4, 5]);
    // The row that stays is as it was.
    let inputs = Inputs::default().with_table("rows", table(&rows, 4));
    let outputs = testing::whole_table::<DistinctRows>(r#"{"by": ["km"]}"#, &inputs).unwrap();
    let out = outputs.into_table("rows").remove(0).remove(0);
    let km = out["km"].as_primitive::<Float64Type>();
    assert_eq!(km.value(0).to_bits(), (-0.0f64).to_bits());
}

#[test]
fn all_columns_are_the_key_unless_told() {
    let run = |params: &str, rows: RecordBatch| {
        let inputs = Inputs::default().with_table("rows", table(&rows, 2));
        let outputs = testing::whole_table::<DistinctRows>(params, &inputs).unwrap();
        let rows = outputs.into_table("rows").into_iter().flatten();
        rows.map(|batch| batch.num_rows()).sum::<usize>()
    };
    assert_eq!(run("{}", flights()), 6);
    assert_eq!(run("{}", flights().project(&[0, 1]).unwrap()), 4);
    assert_eq!(run(r#"{"by": ["carrier"]}"#, flights()), 3);
    assert_eq!(run("{}", flights().slice(0, 0)), 0);
}

#[test]
fn keys_are_of_many_types() {
    let columns: [ArrayRef; 4] = [
        Arc::new(BooleanArray::from(vec![true, false, true])),
        Arc::new(Date32Array::from(vec![1, 2, 1])),
        Arc::new(Decimal128Array::from(vec![10, -10, 10])),
        Arc::new(arrow_array::NullArray::new(3)),
    ];
    for column in columns {
        let is_null = column.data_type() == &DataType::Null;
        let rows = batch(vec![("x", column)]);
        let expected = if is_null { vec![2] } else { vec![1, 2] };
        assert_eq!(kept(&rows, &["x"], Keep::Last), expected);
    }
}

#[test]
fn bad_params_are_refused() {
    let item = Arc::new(Field::new("i", DataType::Int64, true));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let nested = StructArray::from(vec![(item, values)]);
    let rows = batch(vec![("s", Arc::new(nested))]);
    let shapes = Shapes::new(vec![Shape::table("rows", rows.schema().fields().to_vec())]);
    let check = |params: &str| {
        pinion_sdk::guest::params(params).and_then(|params| DistinctRows::check(params, &shapes))
    };
    for (params, code) in [
        (r#"{"by": []}"#, "bad-params"),
        (r#"{"by": ["row", "row"]}"#, "bad-params"),
        (r#"{"by": ["m"]}"#, "missing-column"),
        (r#"{"by": ["row"], "keep": "any"}"#, "bad-params"),
        (r#"{"by": ["s"]}"#, "wrong-type"),
    ] {
        assert_eq!(check(params).unwrap_err().code, code, "{params}");
    }
    let details = check("{}").unwrap_err().details;
    assert!(
        details.iter().any(|(label, _)| label == "param"),
        "{details:?}"
    );
    assert!(check(r#"{"by": ["row"]}"#).is_ok());
}

/// What DuckDB finds, from `tests/oracles/tables.py`.
#[test]
fn rows_are_those_that_duckdb_finds() {
    let oracle: serde_json::Value =
        serde_json::from_str(include_str!("../tests/data/duckdb.json")).unwrap();
    let values = |column: usize| oracle["columns"][column].as_array().unwrap().iter();
    let rows = batch(vec![
        (
            "k",
            Arc::new(
                values(1)
                    .map(|value| value.as_i64())
                    .collect::<Int64Array>(),
            ),
        ),
        (
            "t",
            Arc::new(
                values(2)
                    .map(|value| value.as_str())
                    .collect::<StringArray>(),
            ),
        ),
        (
            "x",
            Arc::new(
                values(3)
                    .map(|value| value.as_f64())
                    .collect::<Float64Array>(),
            ),
        ),
    ]);
    for (by, expected) in oracle["rows"].as_object().unwrap() {
        let names: Vec<&str> = by.split(", ").collect();
        for (keep, name) in [(Keep::First, "first"), (Keep::Last, "last")] {
            let expected: Vec<i64> = serde_json::from_value(expected[name].clone()).unwrap();
            assert!(expected.len() > 5 && expected.len() < rows.num_rows());
            assert_eq!(kept(&rows, &names, keep), expected, "{by} {keep:?}");
        }
    }
}

proptest! {
    /// In memory or sorted, and however rows are cut, rows are those of a map.
    #[test]
    fn rows_are_those_of_a_map(
        keys in prop::collection::vec(prop::option::of(0..9i64), 1..60),
        memory in prop::sample::select(vec![1, 200, MEMORY_BYTES]),
        piece in 1..20usize,
    ) {
        let rows = batch(vec![("k", Arc::new(keys.iter().copied().collect::<Int64Array>()))]);
        for keep in [Keep::First, Keep::Last] {
            let mut expected = BTreeMap::new();
            for (key, row) in keys.iter().zip(0i64..) {
                match keep {
                    Keep::First => { expected.entry(key).or_insert(row); }
                    Keep::Last => { expected.insert(key, row); }
                }
            }
            let mut expected: Vec<i64> = expected.into_values().collect();
            expected.sort_unstable();
            let table = table(&rows, piece);
            let mut writer = TableWriter::local();
            distinct(&table, &[table.field("k").unwrap()], keep, memory, &mut writer).unwrap();
            prop_assert_eq!(numbers(writer.into_partitions()), expected);
        }
    }
}
