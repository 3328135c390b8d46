use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray};
use pinion_sdk::testing;
use proptest::prelude::*;

use super::*;

/// Rows with a number each, and a group, some of them null.
fn batch(rows: i64) -> RecordBatch {
    let group = |row: i64| (row % 4 != 3).then(|| ["a", "b", "a", ""][(row % 4) as usize]);
    let groups: StringArray = (0..rows).map(group).collect();
    let numbers: Int64Array = (0..rows).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("row", Arc::new(numbers) as ArrayRef, false),
        ("group", Arc::new(groups), true),
    ])
    .unwrap()
}

fn table(batch: &RecordBatch, piece: usize) -> Table {
    let starts = (0..batch.num_rows()).step_by(piece);
    let batches = starts.map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
    Table::local(batch.schema().fields().to_vec(), batches.collect())
}

/// The numbers of the rows in a sample.
fn run(params: &str, batch: &RecordBatch, memory: usize, piece: usize) -> Vec<i64> {
    let params: Params = pinion_sdk::guest::params(params).unwrap();
    let mut writer = TableWriter::local();
    let numbers = SplitMix::new(params.seed.unwrap_or_else(|| context::seed(0)));
    sample(&table(batch, piece), &params, numbers, memory, &mut writer).unwrap();
    let batches = writer.into_partitions().into_iter().flatten();
    batches
        .flat_map(|batch| batch["row"].as_primitive::<Int64Type>().values().to_vec())
        .collect()
}

/// The same however rows are cut and whatever fits into memory.
fn sampled(params: &str, rows: i64) -> Vec<i64> {
    let batch = batch(rows);
    let expected = run(params, &batch, MEMORY_BYTES, 1000);
    assert!(expected.is_sorted());
    for piece in [1, 7, 64] {
        assert_eq!(run(params, &batch, 1, piece), expected);
    }
    expected
}

#[test]
fn a_fraction_of_the_rows_stays() {
    let some = sampled(r#"{"fraction": 0.3}"#, 1000);
    assert!((250..350).contains(&some.len()), "{}", some.len());
    assert_eq!(sampled(r#"{"fraction": 1.0}"#, 1000).len(), 1000);
    assert!(sampled(r#"{"fraction": 0.0}"#, 1000).is_empty());
    // More rows do not change a sample of those before, and a larger share has the smaller one in it.
    let more = sampled(r#"{"fraction": 0.3}"#, 1200);
    assert_eq!(more[..some.len()], some);
    let larger = sampled(r#"{"fraction": 0.5}"#, 1000);
    assert!(some.iter().all(|row| larger.contains(row)));
}

#[test]
fn as_many_rows_stay_as_are_asked_for() {
    for rows in [0, 1, 2, 100, 999, 1000, 5000] {
        let count = sampled(&format!(r#"{{"rows": {rows}}}"#), 1000).len();
        assert_eq!(count, rows.min(1000));
    }
    assert!(sampled(r#"{"rows": 5}"#, 0).is_empty());
    assert!(sampled(r#"{"rows": 5, "by": ["group"]}"#, 0).is_empty());
}

#[test]
fn another_seed_is_another_sample() {
    let of = |seed| sampled(&format!(r#"{{"rows": 20, "seed": {seed}}}"#), 500);
    assert_ne!(of(1), of(2));
    assert_eq!(of(0), sampled(r#"{"rows": 20}"#, 500));
    assert_eq!(of(u64::MAX).len(), 20);
}

#[test]
fn groups_are_sampled_one_by_one() {
    let counts = |params: &str, rows: i64| {
        let mut counts = BTreeMap::new();
        for row in sampled(params, rows) {
            *counts.entry([0, 1, 0, 3][(row % 4) as usize]).or_insert(0) += 1;
        }
        counts.into_values().collect::<Vec<_>>()
    };
    // Of 100 rows, 50 are in `a`, 25 in `b` and 25 in no group.
    assert_eq!(
        counts(r#"{"rows": 10, "by": ["group"]}"#, 100),
        [10, 10, 10]
    );
    assert_eq!(
        counts(r#"{"rows": 30, "by": ["group"]}"#, 100),
        [30, 25, 25]
    );
    assert_eq!(
        counts(r#"{"fraction": 0.1, "by": ["group"]}"#, 100),
        [5, 3, 3]
    );
    assert_eq!(
        counts(r#"{"fraction": 1, "by": ["group"]}"#, 100),
        [50, 25, 25]
    );
    assert!(counts(r#"{"fraction": 0, "by": ["group"]}"#, 100).is_empty());
}

#[test]
fn bad_params_are_refused() {
    let nested = arrow_array::StructArray::new_empty_fields(1, None);
    let rows = RecordBatch::try_from_iter([
        ("row", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("x", Arc::new(Float64Array::from(vec![1.0]))),
        ("s", Arc::new(nested)),
    ])
    .unwrap();
    let shapes = Shapes::new(vec![Shape::table("rows", rows.schema().fields().to_vec())]);
    let check = |params: &str| {
        pinion_sdk::guest::params(params).and_then(|params| SampleRows::check(params, &shapes))
    };
    for (params, code) in [
        ("{}", "bad-params"),
        (r#"{"fraction": 0.5, "rows": 3}"#, "bad-params"),
        (r#"{"fraction": 1.5}"#, "bad-params"),
        (r#"{"fraction": -0.5}"#, "bad-params"),
        (r#"{"rows": -1}"#, "bad-params"),
        (r#"{"rows": 1, "by": []}"#, "bad-params"),
        (r#"{"rows": 1, "by": ["x", "x"]}"#, "bad-params"),
        (r#"{"rows": 1, "by": ["m"]}"#, "missing-column"),
        (r#"{"rows": 1, "by": ["s"]}"#, "wrong-type"),
    ] {
        assert_eq!(check(params).unwrap_err().code, code, "{params}");
    }
    assert!(check(r#"{"rows": 1, "by": ["x"]}"#).is_ok());
    let inputs = Inputs::default().with_table("rows", table(&rows, 1));
    assert!(testing::whole_table::<SampleRows>(r#"{"fraction": 0.5}"#, &inputs).is_ok());
}

/// The rows that the formulas of the module's documentation give in Python, from `tests/oracles/tables.py`.
#[test]
fn rows_are_those_of_the_formula() {
    let oracle: serde_json::Value =
        serde_json::from_str(include_str!("../tests/data/python.json")).unwrap();
    let rows = oracle["rows"].as_i64().unwrap();
    let samples = oracle["samples"].as_array().unwrap();
    assert!(samples.len() > 4);
    for sample in samples {
        let expected: Vec<i64> = serde_json::from_value(sample["rows"].clone()).unwrap();
        assert!(!expected.is_empty());
        assert_eq!(sampled(&sample["params"].to_string(), rows), expected);
    }
}

proptest! {
    /// As many of each group as there should be, whatever the groups.
    #[test]
    fn every_group_has_its_share(
        keys in prop::collection::vec(prop::option::of(0..5i64), 1..80),
        fraction in 0.0..1.0f64,
        memory in prop::sample::select(vec![1, MEMORY_BYTES]),
        piece in 1..20usize,
    ) {
        let numbers: Int64Array = (0..keys.len() as i64).collect();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("row", Arc::new(numbers) as ArrayRef, false),
            ("k", Arc::new(keys.iter().copied().collect::<Int64Array>()), true),
        ]).unwrap();
        let params = format!(r#"{{"fraction": {fraction}, "by": ["k"]}}"#);
        let mut found = BTreeMap::new();
        for row in run(&params, &batch, memory, piece) {
            *found.entry(keys[row as usize]).or_insert(0u64) += 1;
        }
        let mut sizes = BTreeMap::new();
        for key in &keys {
            *sizes.entry(*key).or_insert(0u64) += 1;
        }
        let expected: BTreeMap<_, _> = sizes
            .into_iter()
            .map(|(key, size)| (key, (fraction * size as f64 + 0.5).floor() as u64))
            .filter(|(_, size)| *size > 0)
            .collect();
        prop_assert_eq!(found, expected);
    }
}
