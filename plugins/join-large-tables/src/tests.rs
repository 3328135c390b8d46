use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
    Float64Array, Int8Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    TimestampMillisecondArray, TimestampSecondArray, UInt64Array,
};
use pinion_sdk::testing;
use proptest::prelude::*;

use super::*;

const LARGE: usize = 1 << 30;

fn table(batch: &RecordBatch, piece: usize) -> Table {
    let starts = (0..batch.num_rows()).step_by(piece);
    let batches = starts.map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
    Table::local(batch.schema().fields().to_vec(), batches.collect())
}

fn inputs(left: &RecordBatch, right: &RecordBatch, piece: usize) -> Inputs {
    Inputs::default()
        .with_table("left", table(left, piece))
        .with_table("right", table(right, piece))
}

fn join(params: &str, inputs: &Inputs, memory: usize) -> Result<Vec<RecordBatch>> {
    let params: Params = pinion_sdk::guest::params(params)?;
    let mut writer = TableWriter::local();
    Join::new(&params, inputs, memory, &mut writer)?.run()?;
    Ok(writer.into_partitions().into_iter().flatten().collect())
}

/// A column of row numbers beside the keys.
fn keyed(key: ArrayRef, numbers: &str) -> RecordBatch {
    let rows: Int64Array = (0..key.len() as i64).map(Some).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("k", key, true),
        (numbers, Arc::new(rows) as ArrayRef, true),
    ])
    .unwrap()
}

/// The left rows, of a join that adds nothing.
fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    let mut numbers = Vec::new();
    for batch in batches {
        assert!(batch.column_by_name("b").is_none());
        numbers.extend(batch["a"].as_primitive::<Int64Type>().values());
    }
    numbers
}

fn pairs(batches: &[RecordBatch]) -> Vec<(i64, Option<i64>)> {
    let numbers = |batch: &RecordBatch, name| {
        let numbers = batch[name].as_primitive::<Int64Type>().iter();
        numbers.collect::<Vec<_>>()
    };
    let pairs = batches
        .iter()
        .flat_map(|batch| numbers(batch, "a").into_iter().zip(numbers(batch, "b")));
    pairs.map(|(left, right)| (left.unwrap(), right)).collect()
}

/// The matches of both sides, in memory and in parts.
fn matches(left: ArrayRef, right: ArrayRef) -> Vec<(i64, Option<i64>)> {
    let (left, right) = (keyed(left, "a"), keyed(right, "b"));
    let found = |memory, piece| {
        let inputs = inputs(&left, &right, piece);
        pairs(&join(r#"{"on": "k"}"#, &inputs, memory).unwrap())
    };
    let all = found(LARGE, 100);
    assert_eq!(found(0, 2), all);
    all
}

#[test]
fn keys_of_other_widths_and_units_match() {
    let one = [(0, Some(0))];
    assert_eq!(
        matches(
            Arc::new(Int8Array::from(vec![Some(3), None, Some(-1)])),
            Arc::new(UInt64Array::from(vec![3, u64::MAX]))
        ),
        one
    );
    assert_eq!(
        matches(
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            Arc::new(UInt64Array::from(vec![u64::MAX, 1]))
        ),
        one
    );
    assert_eq!(
        matches(
            Arc::new(TimestampSecondArray::from(vec![-2, i64::MAX])),
            Arc::new(TimestampMillisecondArray::from(vec![-2_000, -1_999]))
        ),
        one
    );
    assert_eq!(
        matches(
            Arc::new(Date32Array::from(vec![1])),
            Arc::new(Date64Array::from(vec![86_400_000, 1]))
        ),
        one
    );
    assert_eq!(
        matches(
            Arc::new(BooleanArray::from(vec![true])),
            Arc::new(BooleanArray::from(vec![true, false]))
        ),
        one
    );
    let decimals = |precision, values: Vec<i128>| -> ArrayRef {
        let values = Decimal128Array::from(values);
        Arc::new(values.with_precision_and_scale(precision, 2).unwrap())
    };
    assert_eq!(
        matches(decimals(5, vec![100, 7]), decimals(20, vec![100])),
        one
    );
    let words: DictionaryArray<Int8Type> = vec![Some("b"), None, Some("")].into_iter().collect();
    assert_eq!(
        matches(
            Arc::new(words),
            Arc::new(LargeStringArray::from(vec!["b", "a"]))
        ),
        one
    );
}

#[test]
fn nulls_match_nothing_and_left_joins_keep_them() {
    let keys = |keys: Vec<Option<&str>>| Arc::new(StringArray::from(keys));
    let left = keyed(keys(vec![Some("x"), None, Some("y"), Some("z")]), "a");
    let right = keyed(keys(vec![None, Some("y"), Some("x"), Some("y")]), "b");
    for (memory, piece) in [(LARGE, 9), (0, 1), (0, 9)] {
        let inputs = inputs(&left, &right, piece);
        let found = |how: &str| {
            let params = format!(r#"{{"on": "k", "how": "{how}"}}"#);
            pairs(&join(&params, &inputs, memory).unwrap())
        };
        let kept = |how: &str| {
            let params = format!(r#"{{"on": "k", "how": "{how}"}}"#);
            numbers(&join(&params, &inputs, memory).unwrap())
        };
        assert_eq!(kept("semi"), [0, 2]);
        assert_eq!(kept("anti"), [1, 3]);
        assert_eq!(found("inner"), [(0, Some(2)), (2, Some(1)), (2, Some(3))]);
        assert_eq!(
            found("left"),
            [
                (0, Some(2)),
                (1, None),
                (2, Some(1)),
                (2, Some(3)),
                (3, None)
            ]
        );
    }
}

#[test]
fn empty_sides_match_nothing() {
    let rows = keyed(Arc::new(Int64Array::from(vec![1, 2])), "a");
    let none = keyed(Arc::new(Int64Array::from(vec![1])), "b").slice(0, 0);
    let left = r#"{"on": "k", "how": "left"}"#;
    let found = join(left, &inputs(&rows, &none, 1), LARGE).unwrap();
    assert_eq!(pairs(&found), [(0, None), (1, None)]);
    assert!(join(left, &inputs(&none, &rows, 1), 0).unwrap().is_empty());
    let (semi, anti) = (
        r#"{"on": "k", "how": "semi"}"#,
        r#"{"on": "k", "how": "anti"}"#,
    );
    for memory in [0, LARGE] {
        let found = |params| join(params, &inputs(&rows, &none, 1), memory).unwrap();
        assert!(found(semi).is_empty());
        assert_eq!(numbers(&found(anti)), [0, 1]);
        for params in [semi, anti] {
            let found = join(params, &inputs(&none, &rows, 1), memory).unwrap();
            assert!(found.is_empty());
        }
    }
}

#[test]
fn columns_are_named_as_check_promised() {
    let left = keyed(Arc::new(Int64Array::from(vec![1, 2])), "a");
    let right = keyed(Arc::new(Int64Array::from(vec![2])), "a");
    let params = r#"{"on": "k", "how": "left", "suffix": "_right", "columns": ["a", "k"]}"#;
    let shapes = |left: &RecordBatch, right: &RecordBatch| {
        let shape =
            |port, batch: &RecordBatch| Shape::table(port, batch.schema().fields().to_vec());
        Shapes::new(vec![shape("left", left), shape("right", right)])
    };
    let check = |params: &str, left: &RecordBatch, right: &RecordBatch| {
        let params = pinion_sdk::guest::params(params)?;
        JoinLargeTables::check(params, &shapes(left, right))
    };
    let promised = check(params, &left, &right).unwrap();
    let inputs = inputs(&left, &right, 1);
    let found = testing::whole_table::<JoinLargeTables>(params, &inputs).unwrap();
    let found = found.into_table("rows").remove(0).remove(0);
    assert_eq!(
        promised,
        [Shape::table("rows", found.schema().fields().to_vec())]
    );
    let names: Vec<_> = found
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["k", "a", "a_right", "k_right"]);

    for how in ["semi", "anti"] {
        let params = format!(r#"{{"on": "k", "how": "{how}"}}"#);
        assert_eq!(
            check(&params, &left, &right).unwrap(),
            [Shape::table("rows", left.schema().fields().to_vec())]
        );
        for (param, value) in [("columns", "[]"), ("prefix", "\"\""), ("suffix", "\"_r\"")] {
            let params = format!(r#"{{"on": "k", "how": "{how}", "{param}": {value}}}"#);
            let error = check(&params, &left, &right).unwrap_err();
            assert_eq!(error.code, "bad-params");
            let message =
                format!("`{param}` is given, but with `how = \"{how}\"` no columns are added");
            assert_eq!(error.message, message);
        }
    }

    let code = |params, right| check(params, &left, right).unwrap_err().code;
    assert_eq!(code(r#"{"on": "k"}"#, &right), "duplicate-column");
    assert_eq!(code(r#"{"on": []}"#, &right), "bad-params");
    assert_eq!(code(r#"{"on": "k", "unique": true}"#, &right), "bad-params");
    assert_eq!(code(r#"{"on": "z"}"#, &right), "missing-column");
    let floats = keyed(Arc::new(Float64Array::from(vec![1.0])), "b");
    assert_eq!(code(r#"{"on": "k"}"#, &floats), "wrong-type");
}

/// What DuckDB finds, from `tests/oracles/large_tables.py`.
fn oracle() -> serde_json::Value {
    serde_json::from_str(include_str!("../tests/data/duckdb.json")).unwrap()
}

/// The rows of a table in the oracle's file, the columns `row`, `k`, `t` and `x`, named anew.
fn oracle_rows(columns: &serde_json::Value, names: [&str; 4]) -> RecordBatch {
    let values = |column: usize| columns[column].as_array().unwrap().iter();
    let integers = |column| {
        values(column)
            .map(|value| value.as_i64())
            .collect::<Int64Array>()
    };
    let text: StringArray = values(2).map(|value| value.as_str()).collect();
    let floats: Float64Array = values(3).map(|value| value.as_f64()).collect();
    let arrays: [ArrayRef; 4] = [
        Arc::new(integers(0)),
        Arc::new(integers(1)),
        Arc::new(text),
        Arc::new(floats),
    ];
    let columns = names
        .into_iter()
        .zip(arrays)
        .map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn matches_are_those_that_duckdb_finds() {
    let oracle = oracle();
    let left = oracle_rows(&oracle["left"], ["a", "k", "t", "x"]);
    let right = oracle_rows(&oracle["right"], ["b", "k", "t", "y"]);
    for how in ["inner", "left"] {
        let expected: Vec<(i64, Option<i64>)> =
            serde_json::from_value(oracle["pairs"][how].clone()).unwrap();
        let params = format!(r#"{{"on": ["k", "t"], "how": "{how}"}}"#);
        for (memory, piece) in [(0, 7), (3000, 10), (LARGE, 200)] {
            let found = join(&params, &inputs(&left, &right, piece), memory).unwrap();
            assert_eq!(pairs(&found), expected, "{how} {memory}");
        }
    }
    for how in ["semi", "anti"] {
        let expected: Vec<i64> = serde_json::from_value(oracle["rows"][how].clone()).unwrap();
        let params = format!(r#"{{"on": ["k", "t"], "how": "{how}"}}"#);
        for (memory, piece) in [(0, 7), (3000, 10), (LARGE, 200)] {
            let found = join(&params, &inputs(&left, &right, piece), memory).unwrap();
            assert_eq!(numbers(&found), expected, "{how} {memory}");
        }
    }
}

#[test]
fn a_row_that_changes_nothing_takes_no_memory() {
    let right = keyed(Arc::new(Int64Array::from(vec![7; 10_000])), "b");
    let left = keyed(Arc::new(Int64Array::from(vec![7, 8])), "a");
    let side = |batch: &RecordBatch| table(batch, 100);
    let (left, right) = (side(&left), side(&right));
    let keys = [("k".to_owned(), "k".to_owned())];
    let (_, keys) = Side::both(&left, &right, &keys).unwrap();
    let bytes = |one_each| {
        let mut index = Index::new(keys.makes_words(), one_each);
        for batch in right.batches() {
            index.push(&keys.keys(&batch).unwrap(), 0..);
        }
        index.bytes()
    };
    assert!(bytes(true) < 1000 && bytes(false) > 100_000);
}

proptest! {
    /// In memory, in parts and in pieces of parts, a join is a loop over all pairs of rows.
    #[test]
    fn joins_are_nested_loops(
        left in prop::collection::vec((prop::option::of(0..4i64), prop::option::of("[ab]")), 1..30),
        right in prop::collection::vec((prop::option::of(0..4i64), prop::option::of("[ab]")), 1..30),
        two_keys: bool,
        how in prop::sample::select(vec!["inner", "left", "semi", "anti"]),
        memory in prop::sample::select(vec![0, 300, LARGE]),
        piece in 1..9usize,
    ) {
        let is_match = |(number, text): &(Option<i64>, Option<String>), other: &(Option<i64>, Option<String>)| {
            number.is_some() && *number == other.0 && (!two_keys || (text.is_some() && *text == other.1))
        };
        let mut expected = Vec::new();
        for (row, key) in (0..).zip(&left) {
            let before = expected.len();
            expected.extend((0..).zip(&right).filter(|(_, other)| is_match(key, other)).map(|(other, _)| (row, Some(other))));
            let is_matched = expected.len() > before;
            if !["inner", "left"].contains(&how) {
                expected.truncate(before);
            }
            if (how == "semi" && is_matched) || (["left", "anti"].contains(&how) && !is_matched) {
                expected.push((row, None));
            }
        }
        let side = |rows: &[(Option<i64>, Option<String>)], numbers: &str| {
            let keys: Int64Array = rows.iter().map(|row| row.0).collect();
            let text: StringArray = rows.iter().map(|row| row.1.clone()).collect();
            let count: Int64Array = (0..rows.len() as i64).map(Some).collect();
            RecordBatch::try_from_iter_with_nullable([
                ("k", Arc::new(keys) as ArrayRef, true),
                ("l", Arc::new(text), true),
                (numbers, Arc::new(count), true),
            ]).unwrap()
        };
        let on = if two_keys { r#"["k", "l"]"# } else { r#"["k"]"# };
        let columns = if ["inner", "left"].contains(&how) { r#", "columns": ["b"]"# } else { "" };
        let params = format!(r#"{{"on": {on}, "how": "{how}"{columns}}}"#);
        let inputs = inputs(&side(&left, "a"), &side(&right, "b"), piece);
        let found = join(&params, &inputs, memory).unwrap();
        let found = match how {
            "inner" | "left" => pairs(&found),
            _ => numbers(&found).into_iter().map(|row| (row, None)).collect(),
        };
        prop_assert_eq!(found, expected);
    }
}
