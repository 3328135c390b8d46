use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field};
use pinion_sdk::testing;

use super::*;

/// From `tests/oracles/machine_learning.py`.
#[derive(Deserialize)]
struct Oracle {
    columns: BTreeMap<String, Vec<Option<f64>>>,
    mean: BTreeMap<String, f64>,
    median: BTreeMap<String, f64>,
    most_frequent: BTreeMap<String, f64>,
    text: Vec<Option<String>>,
    text_most_frequent: String,
}

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("../tests/data/scikit-learn.json")).unwrap()
}

fn batch(oracle: &Oracle) -> RecordBatch {
    let numbers = oracle.columns.iter().map(|(name, values)| {
        (
            name.clone(),
            Arc::new(Float64Array::from(values.clone())) as ArrayRef,
            true,
        )
    });
    let text = Arc::new(StringArray::from(oracle.text.clone())) as ArrayRef;
    RecordBatch::try_from_iter_with_nullable(numbers.chain([("text".to_owned(), text, true)]))
        .unwrap()
}

fn fit(params: &serde_json::Value, batch: &RecordBatch, cut: usize) -> Result<Imputer> {
    let partitions = [
        vec![batch.slice(0, cut)],
        vec![batch.slice(cut, batch.num_rows() - cut)],
    ];
    let fields = batch.schema().fields().clone();
    let outputs = testing::reduce::<FitImputer>(
        &params.to_string(),
        &Inputs::default(),
        &fields,
        &partitions,
    )?;
    Imputer::parse(outputs.written_blob("imputer").unwrap())
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let oracle = oracle();
    let names: Vec<&String> = oracle.columns.keys().collect();
    for cut in [0, 1, 97] {
        for (strategy, expected) in [
            ("mean", &oracle.mean),
            ("median", &oracle.median),
            ("most-frequent", &oracle.most_frequent),
        ] {
            let imputer = fit(
                &serde_json::json!({ strategy: names }),
                &batch(&oracle),
                cut,
            )
            .unwrap();
            for (name, column) in &imputer.columns {
                let Fill::Number(found) = column.fill else {
                    panic!("{name} is text")
                };
                let tolerance = if strategy == "mean" {
                    1e-14 * expected[name].abs()
                } else {
                    0.0
                };
                assert!(
                    (found - expected[name]).abs() <= tolerance,
                    "{strategy} of {name}: {found}, not {}",
                    expected[name]
                );
                assert_eq!(
                    column.missing,
                    oracle.columns[name]
                        .iter()
                        .filter(|value| value.is_none())
                        .count() as u64
                );
                assert_eq!((column.rows, column.strategy.as_str()), (240, strategy));
            }
        }
    }
}

#[test]
fn text_takes_its_most_frequent_value_or_a_constant() {
    let oracle = oracle();
    let imputer = fit(
        &serde_json::json!({ "most-frequent": ["text"] }),
        &batch(&oracle),
        10,
    )
    .unwrap();
    assert_eq!(
        imputer.column("text").unwrap().fill,
        Fill::Text(oracle.text_most_frequent.clone())
    );
    let params =
        serde_json::json!({ "constant": { "text": "none", "whole": -1 }, "median": ["normal"] });
    let imputer = fit(&params, &batch(&oracle), 10).unwrap();
    assert_eq!(
        imputer.column("text").unwrap().fill,
        Fill::Text("none".to_owned())
    );
    assert_eq!(imputer.column("whole").unwrap().fill, Fill::Number(-1.0));
    assert_eq!(
        imputer.column("normal").unwrap().fill,
        Fill::Number(oracle.median["normal"])
    );
    assert_eq!(
        imputer.column("skewed").unwrap_err().code,
        "column-not-in-model"
    );
}

#[test]
fn a_column_without_values_is_refused_unless_given_one() {
    let batch = RecordBatch::try_from_iter_with_nullable([(
        "x",
        Arc::new(Float64Array::from(vec![None, Some(f64::NAN)])) as ArrayRef,
        true,
    )])
    .unwrap();
    for strategy in ["mean", "median", "most-frequent"] {
        assert_eq!(
            fit(&serde_json::json!({ strategy: ["x"] }), &batch, 1)
                .unwrap_err()
                .code,
            "no-values"
        );
    }
    let imputer = fit(&serde_json::json!({ "constant": { "x": 0.5 } }), &batch, 1).unwrap();
    assert_eq!(
        imputer.column("x").unwrap(),
        &ImputedColumn {
            fill: Fill::Number(0.5),
            missing: 2,
            rows: 2,
            strategy: "constant".to_owned()
        }
    );
}

#[test]
fn check_refuses_what_cannot_be_fitted() {
    let fields = vec![
        Arc::new(Field::new("x", DataType::Int32, true)),
        Arc::new(Field::new("text", DataType::Utf8, true)),
    ];
    let check = |params: &str| {
        let params = serde_json::from_str(params).unwrap();
        FitImputer::check(
            params,
            &Shapes::new(vec![Shape::table("rows", fields.clone())]),
        )
        .map_err(|error| error.code)
    };
    assert!(check(r#"{"mean": ["x"], "most-frequent": ["text"]}"#).is_ok());
    assert_eq!(check(r#"{"mean": ["text"]}"#), Err("wrong-type".to_owned()));
    assert_eq!(
        check(r#"{"constant": {"x": "none"}}"#),
        Err("wrong-type".to_owned())
    );
    assert_eq!(
        check(r#"{"median": ["y"]}"#),
        Err("missing-column".to_owned())
    );
    assert_eq!(
        check(r#"{"median": ["x"], "mean": ["x"]}"#),
        Err("bad-params".to_owned())
    );
    assert_eq!(check("{}"), Err("bad-params".to_owned()));
}
