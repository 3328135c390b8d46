use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use pinion_sdk::testing;
use serde::Deserialize;

use super::*;

/// From `tests/oracles/machine_learning.py`.
#[derive(Deserialize)]
struct Oracle {
    columns: BTreeMap<String, Vec<Option<f64>>>,
    mean: BTreeMap<String, f64>,
    scale: BTreeMap<String, f64>,
    min: BTreeMap<String, f64>,
    range: BTreeMap<String, f64>,
}

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("../tests/data/scikit-learn.json")).unwrap()
}

/// Fits on the oracle's columns, cut into partitions before the rows at `cuts`.
fn fit(oracle: &Oracle, method: &str, cuts: &[usize]) -> Scaler {
    let columns = oracle.columns.iter().map(|(name, values)| {
        (
            name.clone(),
            Arc::new(Float64Array::from(values.clone())) as ArrayRef,
            true,
        )
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let ends = cuts.iter().copied().chain([batch.num_rows()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let partitions: Vec<_> = starts
        .zip(ends)
        .map(|(start, end)| vec![batch.slice(start, end - start)])
        .collect();
    let names: Vec<&String> = oracle.columns.keys().collect();
    let params = serde_json::json!({ "columns": names, "method": method }).to_string();
    let outputs = testing::reduce::<FitScaler>(
        &params,
        &Inputs::default(),
        batch.schema().fields(),
        &partitions,
    )
    .unwrap();
    Scaler::parse(outputs.written_blob("scaler").unwrap()).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs(),
        "{what}: {found} is not {expected}"
    );
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let oracle = oracle();
    for cuts in [&[][..], &[100], &[1, 1, 50, 200]] {
        let standard = fit(&oracle, "standard", cuts);
        for (name, column) in &standard.columns {
            close(column.center, oracle.mean[name], 1e-13, name);
            close(column.scale, oracle.scale[name], 1e-13, name);
            assert_eq!(
                column.missing,
                oracle.columns[name]
                    .iter()
                    .filter(|value| value.is_none())
                    .count() as u64
            );
        }
        let min_max = fit(&oracle, "min-max", cuts);
        for (name, column) in &min_max.columns {
            assert_eq!(column.center, oracle.min[name]);
            close(column.scale, oracle.range[name], 1e-14, name);
        }
    }
}

#[test]
fn a_column_without_values_is_refused() {
    let batch = RecordBatch::try_from_iter_with_nullable([(
        "x",
        Arc::new(Float64Array::from(vec![None, Some(f64::NAN)])) as ArrayRef,
        true,
    )])
    .unwrap();
    let run = |partitions: &[Vec<RecordBatch>]| {
        let fields = batch.schema().fields().clone();
        testing::reduce::<FitScaler>(
            r#"{"columns": ["x"]}"#,
            &Inputs::default(),
            &fields,
            partitions,
        )
        .unwrap_err()
        .code
    };
    assert_eq!(run(&[vec![batch.clone()]]), "no-values");
    assert_eq!(run(&[]), "no-values");
}
