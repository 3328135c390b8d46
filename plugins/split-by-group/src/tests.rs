use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray};
use pinion_sdk::testing;
use proptest::prelude::*;

use super::*;

fn batch(keys: &[Option<i64>]) -> RecordBatch {
    let keys: Int64Array = keys.iter().copied().collect();
    let rows: Int64Array = (0..keys.len() as i64).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("k", Arc::new(keys) as ArrayRef, true),
        ("row", Arc::new(rows), false),
    ])
    .unwrap()
}

fn table(batch: &RecordBatch, piece: usize) -> Table {
    let starts = (0..batch.num_rows()).step_by(piece);
    let batches = starts.map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
    Table::local(batch.schema().fields().to_vec(), batches.collect())
}

/// The part of every row, which must be the same however rows are cut.
fn parts(params: &str, batch: &RecordBatch) -> Vec<usize> {
    let run = |piece| {
        let mut parts = vec![usize::MAX; batch.num_rows()];
        for (part, port) in PARTS.iter().enumerate() {
            let inputs = Inputs::default().with_table("rows", table(batch, piece));
            let outputs = testing::whole_table::<SplitByGroup>(params, &inputs).unwrap();
            let rows = outputs.into_table(port).into_iter().flatten();
            for batch in rows {
                for row in batch["row"].as_primitive::<Int64Type>().values() {
                    assert_eq!(parts[*row as usize], usize::MAX, "a row is in two parts");
                    parts[*row as usize] = part;
                }
            }
        }
        assert!(parts.iter().all(|part| *part < PARTS.len()));
        parts
    };
    let parts = run(1000);
    assert_eq!(run(7), parts);
    parts
}

/// The groups of each part.
fn groups(keys: &[Option<i64>], parts: &[usize]) -> Vec<BTreeSet<Option<i64>>> {
    let mut groups = vec![BTreeSet::new(); PARTS.len()];
    for (key, part) in keys.iter().zip(parts) {
        groups[*part].insert(*key);
    }
    groups
}

#[test]
fn parts_have_their_share_of_the_groups() {
    // 20 groups, a null among them, of one row up to twenty.
    let keys: Vec<Option<i64>> = (0..20)
        .flat_map(|key| std::iter::repeat_n((key > 0).then_some(key), key as usize + 1))
        .collect();
    let params = r#"{"by": ["k"], "weights": {"train": 0.7, "validation": 0.1, "test": 0.2}}"#;
    let parts = parts(params, &batch(&keys));
    let groups = groups(&keys, &parts);
    assert_eq!(
        groups.iter().map(BTreeSet::len).collect::<Vec<_>>(),
        [14, 2, 4]
    );
    assert_eq!(groups.iter().flatten().collect::<BTreeSet<_>>().len(), 20);
}

#[test]
fn parts_have_about_their_share_of_the_rows() {
    let keys: Vec<Option<i64>> = (0..40)
        .flat_map(|key| std::iter::repeat_n(Some(key), key as usize % 7 + 1))
        .collect();
    let params = r#"{"by": ["k"], "count": "rows", "weights": {"train": 3, "test": 1}}"#;
    let parts = parts(params, &batch(&keys));
    let train = parts.iter().filter(|part| **part == 0).count();
    // Half of the largest group is 3.5 rows.
    let most = keys.len() as f64 * 0.75;
    assert!(
        (train as f64 - most).abs() <= 3.5,
        "{train} of {}",
        keys.len()
    );
    let groups = groups(&keys, &parts);
    assert!(groups[0].is_disjoint(&groups[2]) && groups[1].is_empty());
}

#[test]
fn the_order_of_the_rows_does_not_matter() {
    let keys: Vec<Option<i64>> = (0..90).map(|row| Some(row % 13)).collect();
    let params = r#"{"by": ["k"], "seed": 5, "weights": {"train": 1, "test": 1}}"#;
    let of = |keys: &[Option<i64>]| groups(keys, &parts(params, &batch(keys)));
    let reversed: Vec<_> = keys.iter().rev().copied().collect();
    assert_eq!(of(&keys), of(&reversed));
    let other = params.replace('5', "6");
    assert_ne!(of(&keys), groups(&keys, &parts(&other, &batch(&keys))));
}

#[test]
fn small_tables_are_split_too() {
    let params = r#"{"by": ["k"], "weights": {"train": 0.6, "test": 0.4}}"#;
    assert!(parts(params, &batch(&[])).is_empty());
    assert_eq!(parts(params, &batch(&[None, None])), [0, 0]);
    let two = parts(params, &batch(&[Some(1), Some(2)]));
    assert_eq!(two.iter().sum::<usize>(), 2, "{two:?}");
}

#[test]
fn bad_params_are_refused() {
    let nested = arrow_array::StructArray::new_empty_fields(1, None);
    let rows = RecordBatch::try_from_iter([
        ("k", Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
        ("s", Arc::new(nested)),
    ])
    .unwrap();
    let shapes = Shapes::new(vec![Shape::table("rows", rows.schema().fields().to_vec())]);
    let check = |params: &str| {
        pinion_sdk::guest::params(params).and_then(|params| SplitByGroup::check(params, &shapes))
    };
    let weights = r#""weights": {"train": 1, "test": 1}"#;
    for (params, code) in [
        (format!(r#"{{"by": [], {weights}}}"#), "bad-params"),
        (format!(r#"{{"by": ["m"], {weights}}}"#), "missing-column"),
        (format!(r#"{{"by": ["s"], {weights}}}"#), "wrong-type"),
        (
            format!(r#"{{"by": ["k"], "count": "bytes", {weights}}}"#),
            "bad-params",
        ),
        (
            r#"{"by": ["k"], "weights": {"train": 1}}"#.to_owned(),
            "bad-params",
        ),
    ] {
        assert_eq!(check(&params).unwrap_err().code, code, "{params}");
    }
    let shapes = check(&format!(r#"{{"by": ["k"], {weights}}}"#)).unwrap();
    assert_eq!(shapes.len(), PARTS.len());
}

/// The parts that Python finds, from `tests/oracles/tables.py`.
#[test]
fn parts_are_those_of_the_documentation() {
    let oracle: serde_json::Value =
        serde_json::from_str(include_str!("../tests/data/python.json")).unwrap();
    let keys: Vec<Option<i64>> = serde_json::from_value(oracle["keys"].clone()).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let expected: Vec<usize> = serde_json::from_value(case["parts"].clone()).unwrap();
        let params = case["params"].to_string();
        assert_eq!(parts(&params, &batch(&keys)), expected, "{params}");
    }
}

proptest! {
    /// Whatever fits into memory, cuts are the same, and each part has its share of the groups.
    #[test]
    fn cuts_are_where_the_weights_say(
        keys in prop::collection::vec(prop::option::of(0..30i64), 1..120),
        weights in (1..9u32, 0..9u32, 1..9u32),
        piece in 1..20usize,
    ) {
        let (train, validation, test) = weights;
        let params = format!(
            r#"{{"by": ["k"], "weights": {{"train": {train}, "validation": {validation}, "test": {test}}}}}"#
        );
        let params: Params = pinion_sdk::guest::params(&params).unwrap();
        let batch = batch(&keys);
        let ends = cut(&table(&batch, piece), &params, 3, MEMORY_BYTES).unwrap();
        prop_assert_eq!(cut(&table(&batch, piece), &params, 3, 1).unwrap(), ends);
        let hashes = split::hashes(&batch.into(), &params.by, 3).unwrap();
        let mut groups: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        for hash in &hashes {
            groups.entry(ends.part(*hash)).or_default().insert(*hash);
        }
        let total = groups.values().map(BTreeSet::len).sum::<usize>() as f64;
        let all = f64::from(train + validation + test);
        for (part, weight) in [train, validation, test].into_iter().enumerate() {
            let found = groups.get(&part).map_or(0, BTreeSet::len) as f64;
            // Each of its two ends is rounded by a half at most.
            prop_assert!((found - total * f64::from(weight) / all).abs() < 1.0 + 1e-9);
        }
    }
}
