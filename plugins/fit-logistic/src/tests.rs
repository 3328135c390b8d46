use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch};
use pinion_models::{Categories, ColumnCategories, sigmoid};
use pinion_sdk::{Blob, testing};

use super::*;

/// From `tests/oracles/machine_learning.py`.
#[derive(Deserialize)]
struct Oracle {
    c: f64,
    target: Vec<bool>,
    numeric: Vec<Vec<f64>>,
    categorical: Vec<Vec<Option<i32>>>,
    coefficients: Vec<f64>,
    intercept: f64,
    objective: f64,
    log_loss: f64,
    auc: f64,
}

impl Oracle {
    fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap()
    }

    fn batch(&self) -> RecordBatch {
        let target: ArrayRef = Arc::new(BooleanArray::from(self.target.clone()));
        let numeric = self.numeric.iter().enumerate().map(|(i, values)| {
            (
                format!("x{i}"),
                Arc::new(Float64Array::from(values.clone())) as ArrayRef,
                true,
            )
        });
        let categorical = self.categorical.iter().enumerate().map(|(i, codes)| {
            (
                format!("c{i}"),
                Arc::new(Int32Array::from(codes.clone())) as ArrayRef,
                true,
            )
        });
        let columns = [("y".to_owned(), target, true)]
            .into_iter()
            .chain(numeric)
            .chain(categorical);
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn params(&self) -> serde_json::Value {
        let names = |letter: &str, count: usize| {
            (0..count)
                .map(|i| format!("{letter}{i}"))
                .collect::<Vec<_>>()
        };
        serde_json::json!({
            "target": "y",
            "features": names("x", self.numeric.len()),
            "categorical": names("c", self.categorical.len()),
            "c": self.c,
        })
    }

    /// The model's probability for each row.
    fn scores(&self, model: &Logistic) -> Vec<f64> {
        (0..self.target.len())
            .map(|row| {
                let numeric = self
                    .numeric
                    .iter()
                    .zip(&model.numeric)
                    .map(|(x, feature)| x[row] * feature.coefficient);
                let categorical = self.categorical.iter().zip(&model.categorical);
                let ones = categorical.filter_map(|(codes, feature)| {
                    Some(feature.coefficients[codes[row]? as usize])
                });
                sigmoid(model.intercept + numeric.sum::<f64>() + ones.sum::<f64>())
            })
            .collect()
    }
}

fn fit(
    params: &serde_json::Value,
    side: &Inputs,
    batch: &RecordBatch,
    partitions: usize,
) -> Result<Logistic> {
    let rows = batch.num_rows().div_ceil(partitions);
    let cut = |i: usize| {
        vec![batch.slice(
            (i * rows).min(batch.num_rows()),
            rows.min(batch.num_rows().saturating_sub(i * rows)),
        )]
    };
    let partitions: Vec<_> = (0..partitions).map(cut).collect();
    let fields = batch.schema().fields().clone();
    let outputs = testing::reduce::<FitLogistic>(&params.to_string(), side, &fields, &partitions)?;
    Logistic::parse(outputs.written_blob("model").unwrap())
}

fn auc(target: &[bool], scores: &[f64]) -> f64 {
    let of = |class: bool| {
        target
            .iter()
            .zip(scores)
            .filter(move |(target, _)| **target == class)
            .map(|(_, score)| *score)
    };
    let pairs = of(true).flat_map(|p| {
        of(false).map(move |n| {
            if p > n {
                1.0
            } else if p == n {
                0.5
            } else {
                0.0
            }
        })
    });
    pairs.sum::<f64>() / (of(true).count() * of(false).count()) as f64
}

fn agrees_with_scikit_learn(json: &str) {
    let oracle = Oracle::read(json);
    for partitions in [1, 3] {
        let model = fit(
            &oracle.params(),
            &Inputs::default(),
            &oracle.batch(),
            partitions,
        )
        .unwrap();
        let categorical = model
            .categorical
            .iter()
            .flat_map(|feature| feature.coefficients.iter().copied());
        let found: Vec<f64> = model
            .numeric
            .iter()
            .map(|feature| feature.coefficient)
            .chain(categorical)
            .collect();
        assert_eq!(found.len(), oracle.coefficients.len());
        let largest = oracle
            .coefficients
            .iter()
            .fold(oracle.intercept.abs(), |largest, w| largest.max(w.abs()));
        for (i, (found, expected)) in found.iter().zip(&oracle.coefficients).enumerate() {
            assert!(
                (found - expected).abs() <= 1e-6 * largest,
                "coefficient {i}: {found} is not {expected}"
            );
        }
        assert!(
            (model.intercept - oracle.intercept).abs() <= 1e-6 * largest,
            "intercept {}",
            model.intercept
        );
        // Not above scikit-learn's, and below it only by rounding.
        assert!(
            (model.fit.objective - oracle.objective).abs() <= 1e-10 * oracle.objective,
            "{}",
            model.fit.objective
        );
        let scores = oracle.scores(&model);
        assert!((auc(&oracle.target, &scores) - oracle.auc).abs() <= 1e-9);
        let loss = oracle
            .target
            .iter()
            .zip(&scores)
            .map(|(target, p)| if *target { -p.ln() } else { -(1.0 - p).ln() });
        assert!((loss.sum::<f64>() / scores.len() as f64 - oracle.log_loss).abs() <= 1e-8);
        assert!(model.fit.rounds <= 15, "{} rounds", model.fit.rounds);
        assert_eq!(model.fit.rows, oracle.target.len() as u64);
    }
}

#[test]
fn breast_cancer() {
    agrees_with_scikit_learn(include_str!("../tests/data/breast-cancer.json"));
}

#[test]
fn features_that_are_not_scaled() {
    agrees_with_scikit_learn(include_str!("../tests/data/breast-cancer-raw.json"));
}

#[test]
fn categories() {
    agrees_with_scikit_learn(include_str!("../tests/data/categorical.json"));
    agrees_with_scikit_learn(include_str!("../tests/data/categorical-weak-penalty.json"));
}

#[test]
fn separable_classes() {
    agrees_with_scikit_learn(include_str!("../tests/data/separable.json"));
}

#[test]
fn collinear_columns() {
    agrees_with_scikit_learn(include_str!("../tests/data/collinear.json"));
}

#[test]
fn the_encoder_tells_the_width() {
    let oracle = Oracle::read(include_str!("../tests/data/categorical.json"));
    let encoder = |widths: [i64; 2]| {
        let columns = widths.into_iter().enumerate().map(|(i, width)| {
            let categories = Categories::Integer((0..width).collect());
            (
                format!("c{i}"),
                ColumnCategories {
                    categories,
                    missing: 0,
                    rows: 0,
                },
            )
        });
        let bytes = Encoder {
            columns: columns.collect::<BTreeMap<_, _>>(),
        }
        .to_bytes()
        .unwrap();
        Inputs::default().with_blob("encoder", Blob::local(Encoder::MEDIA_TYPE, bytes))
    };
    let model = fit(&oracle.params(), &encoder([20, 3]), &oracle.batch(), 2).unwrap();
    let carrier = &model.categorical[0].coefficients;
    assert_eq!(carrier.len(), 20);
    // A category that no row has is left where the penalty wants it.
    assert_eq!(carrier[16..], [0.0; 4]);
    assert!((carrier[3] - oracle.coefficients[5]).abs() < 1e-7);
    assert_eq!(
        fit(&oracle.params(), &encoder([15, 3]), &oracle.batch(), 2)
            .unwrap_err()
            .code,
        "bad-data"
    );
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let oracle = Oracle::read(include_str!("../tests/data/collinear.json"));
    let batch = oracle.batch();
    let replaced = |name: &str, values: ArrayRef| {
        let schema = batch.schema();
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| {
                (
                    field.name().clone(),
                    if field.name() == name {
                        values.clone()
                    } else {
                        column.clone()
                    },
                    true,
                )
            });
        RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
    };
    let refused = |params: &serde_json::Value, batch: &RecordBatch| {
        fit(params, &Inputs::default(), batch, 2).unwrap_err()
    };

    let missing: Float64Array = (0..200).map(|i| (i != 7).then_some(f64::from(i))).collect();
    let error = refused(&oracle.params(), &replaced("x1", Arc::new(missing)));
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("missing-values", "column `x1` has missing values")
    );
    let one_class = replaced("y", Arc::new(BooleanArray::from(vec![true; 200])));
    assert_eq!(refused(&oracle.params(), &one_class).code, "one-class");
    let infinite = replaced("x0", Arc::new(Float64Array::from(vec![f64::INFINITY; 200])));
    assert_eq!(refused(&oracle.params(), &infinite).code, "not-finite");

    let mut hasty = oracle.params();
    hasty["max_rounds"] = 3.into();
    let error = refused(&hasty, &batch);
    assert_eq!(error.code, "not-converged");
    assert_eq!(error.details[0], ("rounds".to_owned(), "3".to_owned()));
    let mut unpenalised = oracle.params();
    unpenalised["c"] = 1e18.into();
    assert_eq!(refused(&unpenalised, &batch).code, "singular");
}

#[test]
fn a_table_without_rows_is_an_error() {
    let oracle = Oracle::read(include_str!("../tests/data/separable.json"));
    let fields = oracle.batch().schema().fields().clone();
    let run = |partitions: &[Vec<RecordBatch>]| {
        testing::reduce::<FitLogistic>(
            &oracle.params().to_string(),
            &Inputs::default(),
            &fields,
            partitions,
        )
        .unwrap_err()
    };
    assert_eq!(run(&[]).code, "no-values");
    assert_eq!(run(&[vec![]]).code, "one-class");
}
