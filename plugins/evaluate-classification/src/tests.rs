use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{BooleanArray, Int32Array, RecordBatch, StringArray};
use pinion_sdk::testing;

use super::*;

/// From `tests/oracles/machine_learning.py`.
#[derive(Deserialize)]
struct Oracle {
    target: Vec<bool>,
    probability: Vec<f64>,
    carrier: Vec<Option<String>>,
    month: Vec<i32>,
    threshold: f64,
    metrics: Vec<(String, Option<String>, Figures)>,
}

/// By column of the metrics.
type Figures = BTreeMap<String, Option<f64>>;

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("../tests/data/scikit-learn.json")).unwrap()
}

fn batch(oracle: &Oracle) -> RecordBatch {
    let columns: [(&str, ArrayRef); 4] = [
        ("late", Arc::new(BooleanArray::from(oracle.target.clone()))),
        (
            "probability",
            Arc::new(Float64Array::from(oracle.probability.clone())),
        ),
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
    let outputs = testing::reduce::<EvaluateClassification>(
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
    let params = serde_json::json!({
        "target": "late", "threshold": oracle.threshold, "by": ["carrier", "month", ["carrier", "month"]],
    });
    for cuts in [&[][..], &[131], &[1, 1, 200, 399]] {
        let found = evaluate(&params, &batch(&oracle), cuts).unwrap();
        assert_eq!(found.num_rows(), oracle.metrics.len());
        for (row, (slice, value, metrics)) in oracle.metrics.iter().enumerate() {
            assert_eq!(found.column(0).as_string::<i32>().value(row), slice);
            let values = found.column(1).as_string::<i32>();
            assert_eq!(
                values.is_valid(row).then(|| values.value(row)),
                value.as_deref(),
                "{slice}"
            );
            for (name, expected) in metrics {
                let column = found.column_by_name(name).unwrap();
                let what = format!("{name} of {slice} {value:?}");
                if let Some(counts) = column.as_primitive_opt::<Int64Type>() {
                    assert_eq!(Some(counts.value(row) as f64), *expected, "{what}");
                    continue;
                }
                let figures = column.as_primitive::<Float64Type>();
                match (figures.is_valid(row).then(|| figures.value(row)), *expected) {
                    (Some(found), Some(expected)) => {
                        assert!(
                            (found - expected).abs() <= 1e-14 * (1.0 + expected),
                            "{what}: {found} is not {expected}"
                        );
                    }
                    (found, expected) => assert_eq!(found, expected, "{what}"),
                }
            }
        }
    }
}

#[test]
fn predictions_may_be_a_column() {
    let oracle = oracle();
    let batch = batch(&oracle);
    let given = evaluate(
        &serde_json::json!({ "target": "late", "prediction": "late" }),
        &batch,
        &[],
    )
    .unwrap();
    let accuracy = given
        .column_by_name("accuracy")
        .unwrap()
        .as_primitive::<Float64Type>();
    assert_eq!(accuracy.value(0), 1.0);
}

#[test]
fn no_rows_have_no_figures() {
    let batch = batch(&oracle()).slice(0, 0);
    let params = serde_json::json!({ "target": "late", "by": ["carrier"] });
    for partitions in [&[][..], &[vec![]]] {
        let fields = batch.schema().fields().clone();
        let outputs = testing::reduce::<EvaluateClassification>(
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
fn what_is_no_probability_is_refused() {
    let refused = |values: Vec<Option<f64>>| {
        let late: ArrayRef = Arc::new(BooleanArray::from(vec![true; values.len()]));
        let columns = [
            ("late", late, true),
            (
                "probability",
                Arc::new(Float64Array::from(values)) as ArrayRef,
                true,
            ),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        evaluate(&serde_json::json!({ "target": "late" }), &batch, &[])
            .unwrap_err()
            .code
    };
    assert_eq!(refused(vec![Some(0.5), None]), "missing-values");
    assert_eq!(refused(vec![Some(f64::NAN)]), "missing-values");
    assert_eq!(refused(vec![Some(1.5)]), "bad-data");
}

#[test]
fn check_promises_what_is_written() {
    let batch = batch(&oracle());
    let params = serde_json::json!({ "target": "late", "by": ["carrier"] });
    let shapes = || Shapes::new(vec![Shape::table("rows", batch.schema().fields().to_vec())]);
    let promised =
        EvaluateClassification::check(serde_json::from_value(params.clone()).unwrap(), &shapes())
            .unwrap();
    let written = evaluate(&params, &batch, &[]).unwrap();
    assert_eq!(
        promised,
        [Shape::table("metrics", written.schema().fields().to_vec())]
    );
    let refused = |params| {
        EvaluateClassification::check(serde_json::from_value(params).unwrap(), &shapes())
            .unwrap_err()
            .code
    };
    assert_eq!(
        refused(serde_json::json!({ "target": "late", "by": ["probability"] })),
        "wrong-type"
    );
    assert_eq!(
        refused(serde_json::json!({ "target": "late", "prediction": "late", "threshold": 0.5 })),
        "bad-params"
    );
    assert_eq!(
        refused(serde_json::json!({ "target": "nowhere" })),
        "missing-column"
    );
}
