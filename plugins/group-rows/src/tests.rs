use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    UInt64Array,
};
use pinion_sdk::testing;
use proptest::prelude::*;

use super::*;

fn table(batch: &RecordBatch, piece: usize) -> Table {
    let starts = (0..batch.num_rows()).step_by(piece);
    let batches = starts.map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
    Table::local(batch.schema().fields().to_vec(), batches.collect())
}

fn try_group(
    params: &str,
    batch: &RecordBatch,
    memory: usize,
    piece: usize,
) -> Result<RecordBatch> {
    let params: Params = pinion_sdk::guest::params(params)?;
    params.check()?;
    let mut writer = TableWriter::local();
    group(&table(batch, piece), &params, memory, &mut writer)?;
    Ok(writer.into_partitions().remove(0).remove(0))
}

/// The groups, which must be the same in memory and sorted, and what `check` promised.
fn run(params: &str, batch: &RecordBatch) -> RecordBatch {
    let groups = try_group(params, batch, MEMORY_BYTES, 100).unwrap();
    for piece in 1..4 {
        assert_eq!(try_group(params, batch, 1, piece).unwrap(), groups);
    }
    let shapes = Shapes::new(vec![Shape::table("rows", batch.schema().fields().to_vec())]);
    let shapes = GroupRows::check(pinion_sdk::guest::params(params).unwrap(), &shapes).unwrap();
    let promised = Shape::table("groups", groups.schema().fields().to_vec());
    let nullable = |shape: &Shape| match &shape.content {
        pinion_sdk::Content::Table(fields) => fields
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect::<Vec<_>>(),
        pinion_sdk::Content::Blob(_) => Vec::new(),
    };
    assert_eq!(nullable(&shapes[0]), nullable(&promised));
    groups
}

fn flights() -> RecordBatch {
    let carrier = vec![
        Some("b"),
        None,
        Some("a"),
        Some("b"),
        Some("a"),
        None,
        Some("c"),
    ];
    let delay = vec![Some(3), Some(5), None, Some(1), Some(7), Some(5), None];
    let km = vec![
        Some(0.1),
        Some(f64::NAN),
        Some(2.0),
        Some(0.2),
        None,
        Some(1.0),
        None,
    ];
    RecordBatch::try_from_iter_with_nullable([
        (
            "carrier",
            Arc::new(StringArray::from(carrier)) as ArrayRef,
            true,
        ),
        ("delay", Arc::new(Int32Array::from(delay)), true),
        ("km", Arc::new(Float64Array::from(km)), true),
    ])
    .unwrap()
}

fn integers(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let values = batch[name].as_primitive_opt::<Int64Type>();
    match values {
        Some(values) => values.iter().collect(),
        None => batch[name]
            .as_primitive::<arrow_array::types::Int32Type>()
            .iter()
            .map(|value| value.map(i64::from))
            .collect(),
    }
}

fn floats(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    batch[name].as_primitive::<Float64Type>().iter().collect()
}

#[test]
fn groups_are_in_order_and_nulls_are_ignored() {
    let groups = run(
        r#"{"by": ["carrier"], "aggregates": {
            "n": {"function": "count"}, "delays": {"column": "delay", "function": "count"},
            "sum": {"column": "delay", "function": "sum"}, "mean": {"column": "delay", "function": "mean"},
            "min": {"column": "delay", "function": "min"}, "max": {"column": "km", "function": "max"},
            "first": {"column": "km", "function": "first"}, "last": {"column": "delay", "function": "last"}}}"#,
        &flights(),
    );
    let carriers: Vec<_> = groups["carrier"].as_string::<i32>().iter().collect();
    assert_eq!(carriers, [Some("a"), Some("b"), Some("c"), None]);
    assert_eq!(integers(&groups, "n"), [2, 2, 1, 2].map(Some));
    assert_eq!(integers(&groups, "delays"), [1, 2, 0, 2].map(Some));
    assert_eq!(integers(&groups, "sum"), [Some(7), Some(4), None, Some(10)]);
    assert_eq!(
        floats(&groups, "mean"),
        [Some(7.0), Some(2.0), None, Some(5.0)]
    );
    assert_eq!(integers(&groups, "min"), [Some(7), Some(1), None, Some(5)]);
    assert_eq!(integers(&groups, "last"), [Some(7), Some(1), None, Some(5)]);
    let max = floats(&groups, "max");
    assert_eq!(max[..3], [Some(2.0), Some(0.2), None]);
    assert!(max[3].is_some_and(f64::is_nan));
    let first = floats(&groups, "first");
    assert_eq!(first[..3], [Some(2.0), Some(0.1), None]);
    assert!(first[3].is_some_and(f64::is_nan));
}

#[test]
fn keys_may_be_all_there_is() {
    let groups = run(r#"{"by": ["delay"]}"#, &flights());
    assert_eq!(
        integers(&groups, "delay"),
        [Some(1), Some(3), Some(5), Some(7), None]
    );
    assert_eq!(groups.num_columns(), 1);
}

#[test]
fn text_has_a_least_and_a_greatest() {
    let groups = run(
        r#"{"by": ["delay"], "aggregates": {
            "carrier_min": {"column": "carrier", "function": "min"},
            "carrier_max": {"column": "carrier", "function": "max"}}}"#,
        &flights(),
    );
    let text = |name: &str| groups[name].as_string::<i32>().iter().collect::<Vec<_>>();
    assert_eq!(
        text("carrier_min"),
        [Some("b"), Some("b"), None, Some("a"), Some("a")]
    );
    assert_eq!(
        text("carrier_max"),
        [Some("b"), Some("b"), None, Some("a"), Some("c")]
    );
}

#[test]
fn different_values_are_counted() {
    let groups = run(
        r#"{"by": ["carrier"], "aggregates": {
            "delays": {"column": "delay", "function": "count-distinct"},
            "km": {"column": "km", "function": "count-distinct"},
            "carriers": {"column": "carrier", "function": "count-distinct"}}}"#,
        &flights(),
    );
    assert_eq!(integers(&groups, "delays"), [1, 2, 0, 1].map(Some));
    assert_eq!(integers(&groups, "km"), [1, 2, 0, 2].map(Some));
    assert_eq!(integers(&groups, "carriers"), [1, 1, 1, 0].map(Some));

    // Zeros are equal, and so are NaNs.
    let x = vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0];
    let same = RecordBatch::try_from_iter([
        ("k", Arc::new(Int64Array::from(vec![1; 5])) as ArrayRef),
        ("x", Arc::new(Float64Array::from(x))),
    ]);
    let distinct =
        r#"{"by": ["k"], "aggregates": {"n": {"column": "x", "function": "count-distinct"}}}"#;
    assert_eq!(integers(&run(distinct, &same.unwrap()), "n"), [Some(3)]);
}

#[test]
fn sums_are_exact_or_refused() {
    let batch = |values: ArrayRef| {
        let keys = Int64Array::from(vec![1; values.len()]);
        RecordBatch::try_from_iter([("k", Arc::new(keys) as ArrayRef), ("x", values)]).unwrap()
    };
    let sum = r#"{"by": ["k"], "aggregates": {"s": {"column": "x", "function": "sum"}}}"#;
    let fits = batch(Arc::new(Int64Array::from(vec![i64::MAX, 1, -1])));
    assert_eq!(integers(&run(sum, &fits), "s"), [Some(i64::MAX)]);
    let large = batch(Arc::new(Int64Array::from(vec![i64::MAX, 1])));
    let error = try_group(sum, &large, MEMORY_BYTES, 9).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sum of column `x` is too large\n  expected Int64\n  found 9223372036854775808"
    );
    let unsigned = batch(Arc::new(UInt64Array::from(vec![u64::MAX, 1])));
    assert_eq!(
        try_group(sum, &unsigned, 1, 9).unwrap_err().code,
        "overflow"
    );
    let decimals = Decimal128Array::from(vec![125, 250])
        .with_precision_and_scale(5, 2)
        .unwrap();
    let decimals = batch(Arc::new(decimals));
    let groups = run(sum, &decimals);
    assert_eq!(
        groups["s"].data_type(),
        &arrow_schema::DataType::Decimal128(38, 2)
    );
    let mean = run(&sum.replace("sum", "mean"), &decimals);
    assert_eq!(floats(&mean, "s"), [Some(1.875)]);
}

#[test]
fn no_rows_are_no_groups() {
    let params: Params = pinion_sdk::guest::params(r#"{"by": ["delay"]}"#).unwrap();
    for memory in [0, MEMORY_BYTES] {
        let mut writer = TableWriter::local();
        group(
            &table(&flights().slice(0, 0), 1),
            &params,
            memory,
            &mut writer,
        )
        .unwrap();
        let rows = writer.into_partitions().into_iter().flatten();
        assert_eq!(rows.map(|batch| batch.num_rows()).sum::<usize>(), 0);
    }
}

#[test]
fn bad_params_are_refused() {
    let shapes = Shapes::new(vec![Shape::table(
        "rows",
        flights().schema().fields().to_vec(),
    )]);
    let code = |params: &str| {
        pinion_sdk::guest::params(params)
            .and_then(|params| GroupRows::check(params, &shapes))
            .unwrap_err()
            .code
    };
    for (params, expected) in [
        (r#"{"by": []}"#, "bad-params"),
        (r#"{"by": ["km", "km"]}"#, "bad-params"),
        (r#"{"by": ["m"]}"#, "missing-column"),
        (
            r#"{"by": ["km"], "aggregates": {"km": {"function": "count"}}}"#,
            "duplicate-column",
        ),
        (
            r#"{"by": ["km"], "aggregates": {"s": {"function": "sum"}}}"#,
            "bad-params",
        ),
        (
            r#"{"by": ["km"], "aggregates": {"s": {"function": "count-distinct"}}}"#,
            "bad-params",
        ),
        (
            r#"{"by": ["km"], "aggregates": {"s": {"function": "median", "column": "km"}}}"#,
            "bad-params",
        ),
        (
            r#"{"by": ["km"], "aggregates": {"s": {"function": "sum", "column": "carrier"}}}"#,
            "wrong-type",
        ),
        (
            r#"{"by": ["km"], "aggregates": {"s": {"function": "sum", "column": "x"}}}"#,
            "missing-column",
        ),
    ] {
        assert_eq!(code(params), expected, "{params}");
    }
    let inputs = Inputs::default().with_table("rows", table(&flights(), 3));
    assert!(testing::whole_table::<GroupRows>(r#"{"by": ["km"]}"#, &inputs).is_ok());
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
fn figures_are_those_that_duckdb_finds() {
    let oracle = oracle();
    let rows = oracle_rows(&oracle["columns"], ["row", "k", "t", "x"]);
    let groups = run(
        r#"{"by": ["k", "t"], "aggregates": {
            "2": {"function": "count"}, "3": {"function": "count", "column": "x"},
            "4": {"function": "sum", "column": "x"}, "5": {"function": "mean", "column": "x"},
            "6": {"function": "min", "column": "x"}, "7": {"function": "max", "column": "x"},
            "8": {"function": "sum", "column": "row"}, "9": {"function": "first", "column": "row"},
            "a": {"function": "count-distinct", "column": "x"},
            "b": {"function": "count-distinct", "column": "t"}}}"#,
        &rows,
    );
    let expected = oracle["groups"].as_array().unwrap();
    assert_eq!(groups.num_rows(), expected.len());
    for (row, expected) in expected.iter().enumerate() {
        let found = (0..12).map(|column| {
            let array = groups.column(column);
            match array.data_type() {
                _ if array.is_null(row) => serde_json::Value::Null,
                arrow_schema::DataType::Utf8 => array.as_string::<i32>().value(row).into(),
                arrow_schema::DataType::Int64 => {
                    array.as_primitive::<Int64Type>().value(row).into()
                }
                _ => array.as_primitive::<Float64Type>().value(row).into(),
            }
        });
        assert_eq!(&found.collect::<serde_json::Value>(), expected, "{row}");
    }
}

proptest! {
    /// In memory or sorted, and however rows are cut, groups are those of a map.
    #[test]
    fn groups_are_those_of_a_map(
        rows in prop::collection::vec((prop::option::of(0..4i64), prop::option::of(-9..9i64)), 1..60),
        memory in prop::sample::select(vec![1, MEMORY_BYTES]),
        piece in 1..20usize,
    ) {
        let mut expected: BTreeMap<(bool, Option<i64>), Vec<i64>> = BTreeMap::new();
        for (key, value) in &rows {
            expected.entry((key.is_none(), *key)).or_default().extend(value);
        }
        let keys: Int64Array = rows.iter().map(|row| row.0).collect();
        let values: Int64Array = rows.iter().map(|row| row.1).collect();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("k", Arc::new(keys) as ArrayRef, true),
            ("x", Arc::new(values), true),
        ]).unwrap();
        let params = r#"{"by": ["k"], "aggregates": {
            "a": {"column": "x", "function": "sum"}, "b": {"column": "x", "function": "max"},
            "c": {"column": "x", "function": "first"}, "d": {"column": "x", "function": "count-distinct"}}}"#;
        let groups = try_group(params, &batch, memory, piece).unwrap();
        prop_assert_eq!(integers(&groups, "k"), expected.keys().map(|key| key.1).collect::<Vec<_>>());
        let figures = |figure: fn(&[i64]) -> Option<i64>| expected.values().map(|values| figure(values)).collect::<Vec<_>>();
        prop_assert_eq!(integers(&groups, "a"), figures(|values| (!values.is_empty()).then(|| values.iter().sum())));
        prop_assert_eq!(integers(&groups, "b"), figures(|values| values.iter().max().copied()));
        prop_assert_eq!(integers(&groups, "c"), figures(|values| values.first().copied()));
        let distinct = |values: &[i64]| Some(values.iter().collect::<BTreeSet<_>>().len() as i64);
        prop_assert_eq!(integers(&groups, "d"), figures(distinct));
    }
}
