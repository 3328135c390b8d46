use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, Int32Array, RecordBatch, StringArray};
use pinion_sdk::testing;

use super::*;

/// From `tests/oracles/machine_learning.py`.
#[derive(Deserialize)]
struct Oracle {
    target: Vec<f64>,
    prediction: Vec<f64>,
    carrier: Vec<Option<String>>,
    month: Vec<i32>,
    weights: Vec<f64>,
    metrics: Vec<(String, Option<String>, Figures)>,
    weighted_metrics: Vec<(String, Option<String>, Figures)>,
}

/// By column of the metrics.
type Figures = BTreeMap<String, Option<f64>>;

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("../tests/data/scikit-learn.json")).unwrap()
}

fn batch(oracle: &Oracle) -> RecordBatch {
    let floats = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let columns: [(&str, ArrayRef); 5] = [
        ("delay", floats(&oracle.target)),
        ("prediction", floats(&oracle.prediction)),
        ("weight", floats(&oracle.weights)),
        (
            "carrier",
            Arc::new(StringArray::from(oracle.carrier.clone())),
        ),
        ("month", Arc::new(Int32Array::from(oracle.month.clone()))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn evaluate(
    params: &serde_json::Value,
    batch: &RecordBatch,
    cuts: &[usize],
) -> Result<RecordBatch> {
    let ends = cuts.iter().copied().chain([batch.num_rows()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let partitions: Vec<_> = starts
        .zip(ends)
        .map(|(start, end)| vec![batch.slice(start, end - start)])
        .collect();
    let fields = batch.schema().fields().clone();
    let outputs = testing::reduce::<EvaluateRegression>(
        &params.to_string(),
        &Inputs::default(),
        &fields,
        &partitions,
    )?;
    Ok(outputs.into_table("metrics").remove(0).remove(0))
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let oracle = oracle();
    let by = serde_json::json!(["carrier", "month", ["carrier", "month"]]);
    for (weight, metrics) in [
        (None, &oracle.metrics),
        (Some("weight"), &oracle.weighted_metrics),
    ] {
        let params = serde_json::json!({ "target": "delay", "sample_weight": weight, "by": by });
        for cuts in [&[][..], &[131], &[1, 1, 200, 399]] {
            let found = evaluate(&params, &batch(&oracle), cuts).unwrap();
            assert_eq!(found.num_rows(), metrics.len());
            for (row, (slice, value, metrics)) in metrics.iter().enumerate() {
                assert_eq!(found["slice"].as_string::<i32>().value(row), slice);
                let values = found["value"].as_string::<i32>();
                let found_value = values.is_valid(row).then(|| values.value(row));
                assert_eq!(found_value, value.as_deref(), "{slice}");
                assert_eq!(metrics.len(), found.num_columns() - 2);
                for (name, expected) in metrics {
                    let what = format!("{name} of {slice} {value:?} with {weight:?}");
                    if let Some(counts) = found[name.as_str()].as_primitive_opt::<Int64Type>() {
                        assert_eq!(Some(counts.value(row) as f64), *expected, "{what}");
                        continue;
                    }
                    let figures = found[name.as_str()].as_primitive::<Float64Type>();
                    let figure = figures.is_valid(row).then(|| figures.value(row));
                    match (figure, *expected) {
                        (Some(found), Some(expected)) => assert!(
                            (found - expected).abs() <= 1e-13 * (1.0 + expected.abs()),
                            "{what}: {found} is not {expected}"
                        ),
                        (found, expected) => assert_eq!(found, expected, "{what}"),
                    }
                }
            }
        }
    }
}

#[test]
fn no_rows_have_no_figures() {
    let batch = batch(&oracle()).slice(0, 0);
    let params = serde_json::json!({ "target": "delay", "by": ["carrier"] });
    for partitions in [&[][..], &[vec![]], &[vec![], vec![batch.clone()]]] {
        let fields = batch.schema().fields().clone();
        let outputs = testing::reduce::<EvaluateRegression>(
            &params.to_string(),
            &Inputs::default(),
            &fields,
            partitions,
        )
        .unwrap();
        let metrics = outputs.into_table("metrics").remove(0).remove(0);
        assert_eq!(metrics.num_rows(), 1);
        assert!(
            metrics.columns()[4..]
                .iter()
                .all(|column| column.null_count() == 1)
        );
    }
}

#[test]
fn what_is_no_number_is_refused() {
    let whole = batch(&oracle());
    let params = serde_json::json!({ "target": "delay", "sample_weight": "weight" });
    let refused = |column: &str, value: Option<f64>| {
        let schema = whole.schema();
        let columns = schema.fields().iter().map(|field| {
            let values = whole[field.name().as_str()].clone();
            let values: ArrayRef = if field.name() == column {
                let values = values.as_primitive::<Float64Type>().iter().enumerate();
                let values = values.map(|(row, old)| if row == 300 { value } else { old });
                Arc::new(values.collect::<Float64Array>())
            } else {
                values
            };
            (field.name().clone(), values, true)
        });
        let columns = columns.collect::<Vec<_>>();
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let error = evaluate(&params, &batch, &[250]).unwrap_err();
        assert!(error.message.contains(&format!("`{column}`")), "{error:?}");
        error.code
    };
    for column in ["delay", "prediction", "weight"] {
        assert_eq!(refused(column, None), "missing-values");
        assert_eq!(refused(column, Some(f64::NAN)), "missing-values");
        assert_eq!(refused(column, Some(f64::INFINITY)), "not-finite");
    }
    assert_eq!(refused("weight", Some(-0.5)), "bad-data");
}

#[test]
fn check_promises_what_is_written() {
    let batch = batch(&oracle());
    let params = serde_json::json!({ "target": "delay", "by": ["carrier"] });
    let check = |params: serde_json::Value| {
        let rows = Shape::table("rows", batch.schema().fields().to_vec());
        EvaluateRegression::check(
            serde_json::from_value(params).unwrap(),
            &Shapes::new(vec![rows]),
        )
    };
    let written = evaluate(&params, &batch, &[]).unwrap();
    let written = Shape::table("metrics", written.schema().fields().to_vec());
    assert_eq!(check(params).unwrap(), [written]);
    for (params, code) in [
        (
            serde_json::json!({ "target": "delay", "by": ["weight"] }),
            "wrong-type",
        ),
        (
            serde_json::json!({ "target": "delay", "by": [[]] }),
            "bad-params",
        ),
        (serde_json::json!({ "target": "carrier" }), "wrong-type"),
        (serde_json::json!({ "target": "nowhere" }), "missing-column"),
        (
            serde_json::json!({ "target": "delay", "sample_weight": "nowhere" }),
            "missing-column",
        ),
    ] {
        assert_eq!(check(params).unwrap_err().code, code);
    }
}
