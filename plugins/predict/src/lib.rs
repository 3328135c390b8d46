//! Gives each row what a fitted model sees in it.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | the model's features, without missing values; codes may be null |
//! | in `model` | blob | from `std:fit-logistic` or `std:fit-linear` |
//! | out `rows` | table | columns added, as below |
//!
//! A logistic model adds two columns: the probability, `float64` in 0 to 1, and the prediction, boolean, which is
//! whether the probability is at least `threshold`. A linear model adds one: the prediction, `float64`, in units of
//! the target. Only the model's features are read.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Float64Array};
use arrow_schema::{DataType, Field};
use pinion_models::{
    CategoricalFeature, Linear, Logistic, Model as _, NumericFeature, check_present, codes,
    numbers, sigmoid,
};
use pinion_sdk::{
    Batch, Content, Descriptor, Error, Inputs, Output, Result, RowMap, Shape, Shapes,
};
use serde::Deserialize;

/// The step.
#[derive(Debug)]
pub struct Predict {
    model: Model,
    params: Params,
}

/// What the pipeline file gives under `params`.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The column of probabilities to add; `probability` unless given. Not with a linear model.
    probability: Option<String>,
    /// The column of predictions to add; `prediction` unless given.
    prediction: Option<String>,
    /// The least probability of a positive prediction, from 0 to 1; 0.5 unless given. Not with a linear model.
    threshold: Option<f64>,
}

/// A model of one of the kinds that there are.
#[derive(Debug)]
enum Model {
    Linear(Linear),
    Logistic(Logistic),
}

/// What a model of one kind adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    Logistic,
}

impl RowMap for Predict {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Gives each row what a fitted model sees in it.")
            .input(
                "rows",
                "The model's features, without missing values; codes may be null.",
            )
            .side_blob(
                "model",
                &[Logistic::MEDIA_TYPE, Linear::MEDIA_TYPE],
                "The fitted model.",
            )
            .output(
                "rows",
                "Adds the prediction, and of a logistic model the probability before it.",
            )
            .same_rows_as("rows")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let kind = inputs
            .iter()
            .find_map(|shape| match &shape.content {
                Content::Blob(media_type) if shape.port == "model" => Some(media_type),
                _ => None,
            })
            .ok_or_else(|| Error::new("missing-port", "there is no blob at port `model`"))?;
        let kind = Kind::of(kind)?;
        params.check(kind)?;
        let (rows, made) = (inputs.table("rows")?, params.fields(kind));
        let names: Vec<&str> = made.iter().map(|field| field.name().as_str()).collect();
        Ok(vec![
            Shape::table("rows", rows.with(made.clone())).passes(rows, &names),
        ])
    }

    fn open(params: Params, side: Inputs) -> Result<Self> {
        let blob = side.blob("model")?;
        let bytes = blob.read_all();
        let model = match Kind::of(&blob.media_type())? {
            Kind::Linear => Model::Linear(Linear::parse(&bytes)?),
            Kind::Logistic => Model::Logistic(Logistic::parse(&bytes)?),
        };
        Ok(Predict { model, params })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let (kind, columns): (_, Vec<Arc<dyn Array>>) = match &self.model {
            Model::Linear(model) => {
                let sums = sums(rows, model.intercept, &model.numeric, &model.categorical)?;
                // Log-odds may be infinite, a prediction may not.
                if sums.iter().any(|sum| sum.is_infinite()) {
                    return Err(too_large());
                }
                (Kind::Linear, vec![Arc::new(Float64Array::from(sums))])
            }
            Model::Logistic(model) => {
                let log_odds = sums(rows, model.intercept, &model.numeric, &model.categorical)?;
                let probability = log_odds.into_iter().map(|log_odds| Some(sigmoid(log_odds)));
                let probability: Float64Array = probability.collect();
                let threshold = self.params.threshold.unwrap_or(0.5);
                let positive = |probability: &f64| Some(*probability >= threshold);
                let prediction: BooleanArray = probability.values().iter().map(positive).collect();
                (
                    Kind::Logistic,
                    vec![Arc::new(probability), Arc::new(prediction)],
                )
            }
        };
        let columns = self.params.fields(kind).into_iter().zip(columns).collect();
        Ok(vec![Output::new("rows", rows.with_columns(columns)?)])
    }
}

pinion_sdk::export!(Predict: RowMap);

impl Kind {
    fn of(media_type: &str) -> Result<Self> {
        match media_type {
            Linear::MEDIA_TYPE => Ok(Kind::Linear),
            Logistic::MEDIA_TYPE => Ok(Kind::Logistic),
            _ => Err(
                Error::new("bad-model", "the blob is no model to predict with")
                    .with(
                        "expected",
                        format!("{} or {}", Linear::MEDIA_TYPE, Logistic::MEDIA_TYPE),
                    )
                    .with("found", media_type),
            ),
        }
    }
}

impl Params {
    fn check(&self, kind: Kind) -> Result<()> {
        if kind == Kind::Linear {
            let given = [
                ("probability", self.probability.is_some()),
                ("threshold", self.threshold.is_some()),
            ];
            return match given.into_iter().find(|(_, is_given)| *is_given) {
                Some((name, _)) => Err(Error::bad_params(format!(
                    "`{name}` has no effect with a linear model"
                ))),
                None => Ok(()),
            };
        }
        if let Some(threshold) = self.threshold
            && !(0.0..=1.0).contains(&threshold)
        {
            return Err(
                Error::bad_params("`threshold` must be from 0 to 1").with("found", threshold)
            );
        }
        let [probability, prediction] = self.names();
        if probability == prediction {
            return Err(Error::bad_params(
                "`probability` and `prediction` name one column",
            ));
        }
        Ok(())
    }

    /// Of the probability and the prediction.
    fn names(&self) -> [&str; 2] {
        [
            self.probability.as_deref().unwrap_or("probability"),
            self.prediction.as_deref().unwrap_or("prediction"),
        ]
    }

    /// The columns that a model of this kind adds.
    fn fields(&self, kind: Kind) -> Vec<Field> {
        let [probability, prediction] = self.names();
        match kind {
            Kind::Linear => vec![Field::new(prediction, DataType::Float64, false)],
            Kind::Logistic => vec![
                Field::new(probability, DataType::Float64, false),
                Field::new(prediction, DataType::Boolean, false),
            ],
        }
    }
}

/// The intercept plus each feature's share, feature by feature in the order of the model.
fn sums(
    rows: &Batch,
    intercept: f64,
    numeric: &[NumericFeature],
    categorical: &[CategoricalFeature],
) -> Result<Vec<f64>> {
    let mut sums = vec![0.0; rows.rows() as usize];
    for feature in numeric {
        let name = &feature.column;
        let values = numbers(name, &rows.array(name)?)?;
        check_present(name, &values)?;
        for (sum, value) in sums.iter_mut().zip(values.values()) {
            *sum += feature.coefficient * value;
        }
    }
    for feature in categorical {
        let name = &feature.column;
        for (sum, code) in sums.iter_mut().zip(&codes(name, &rows.array(name)?)?) {
            let Some(code) = code else { continue };
            let coefficient = usize::try_from(code)
                .ok()
                .and_then(|code| feature.coefficients.get(code));
            *sum += coefficient.ok_or_else(|| {
                Error::bad_data(format!(
                    "column `{name}` has a code that the model does not know"
                ))
                .with("column", name)
                .with(
                    "expected",
                    format!("a code below {}", feature.coefficients.len()),
                )
                .with("found", code)
            })?;
        }
    }
    sums.iter_mut().for_each(|sum| *sum += intercept);
    match sums.iter().any(|sum| sum.is_nan()) {
        true => Err(too_large()),
        false => Ok(sums),
    }
}

fn too_large() -> Error {
    Error::new("not-finite", "a row has features too large to add up")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    use arrow_array::{ArrayRef, Int32Array, RecordBatch};
    use pinion_models::{Fit, LinearFit};
    use pinion_sdk::{Blob, testing};

    use super::*;

    fn side() -> Inputs {
        let model = Logistic {
            categorical: vec![CategoricalFeature {
                coefficients: vec![1.0, -1.0],
                column: "carrier".into(),
            }],
            fit: Fit {
                c: 1.0,
                gradient_norm: 0.0,
                objective: 1.0,
                positives: 1,
                rounds: 3,
                rows: 2,
            },
            intercept: 0.5,
            numeric: vec![NumericFeature {
                coefficient: 2.0,
                column: "distance".into(),
            }],
            target: "late".into(),
        };
        Inputs::default().with_blob(
            "model",
            Blob::local(Logistic::MEDIA_TYPE, model.to_bytes().unwrap()),
        )
    }

    fn linear() -> Inputs {
        let model = Linear {
            categorical: vec![CategoricalFeature {
                coefficients: vec![1.0, -1.0],
                column: "carrier".into(),
            }],
            fit: LinearFit {
                alpha: 0.0,
                fit_intercept: true,
                objective: 1.0,
                rank: 2,
                rows: 4,
                weight: 4.0,
            },
            intercept: 0.5,
            numeric: vec![NumericFeature {
                coefficient: 2.0,
                column: "distance".into(),
            }],
            target: "delay".into(),
        };
        Inputs::default().with_blob(
            "model",
            Blob::local(Linear::MEDIA_TYPE, model.to_bytes().unwrap()),
        )
    }

    /// The shapes of `rows` and of a model of this media type.
    fn shapes(rows: &RecordBatch, model: &str) -> Vec<Shape> {
        vec![
            Shape::table("rows", rows.schema().fields().to_vec()),
            Shape::blob("model", model),
        ]
    }

    fn batch(distance: Vec<Option<f64>>, carrier: Vec<Option<i32>>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([
            (
                "distance",
                Arc::new(Float64Array::from(distance)) as ArrayRef,
                true,
            ),
            ("carrier", Arc::new(Int32Array::from(carrier)), true),
        ])
        .unwrap()
    }

    #[test]
    fn adds_the_probability_and_the_prediction() {
        let rows = batch(
            vec![Some(0.25), Some(-1.0), Some(-0.25)],
            vec![Some(0), Some(1), None],
        );
        let out = testing::row_map::<Predict>(
            r#"{"threshold": 0.5}"#,
            side(),
            std::slice::from_ref(&rows),
            "rows",
        )
        .unwrap();
        let probability = out[0]
            .column_by_name("probability")
            .unwrap()
            .as_primitive::<Float64Type>();
        assert_eq!(
            probability.values().to_vec(),
            [sigmoid(2.0), sigmoid(-2.5), 0.5]
        );
        let prediction = out[0].column_by_name("prediction").unwrap().as_boolean();
        assert_eq!(
            prediction.iter().flatten().collect::<Vec<_>>(),
            [true, false, true]
        );
        let shapes = shapes(&rows, Logistic::MEDIA_TYPE);
        let promised = testing::check_row_map::<Predict>("{}", shapes).unwrap();
        assert_eq!(
            promised,
            [Shape::table("rows", out[0].schema().fields().to_vec())]
        );
    }

    #[test]
    fn a_linear_model_predicts_numbers() {
        let rows = batch(
            vec![Some(0.25), Some(-1.0), Some(-0.25)],
            vec![Some(0), Some(1), None],
        );
        for cut in 0..3 {
            let pieces = [rows.slice(0, cut), rows.slice(cut, 3 - cut)];
            let params = r#"{"prediction": "expected"}"#;
            let out = testing::row_map::<Predict>(params, linear(), &pieces, "rows").unwrap();
            let found = out.iter().flat_map(|batch| {
                assert_eq!(batch.num_columns(), 3);
                batch["expected"]
                    .as_primitive::<Float64Type>()
                    .values()
                    .to_vec()
            });
            assert_eq!(found.collect::<Vec<_>>(), [2.0, -2.5, 0.0]);
            let shapes = shapes(&rows, Linear::MEDIA_TYPE);
            let promised = testing::check_row_map::<Predict>(params, shapes).unwrap();
            let written = out[0].schema().fields().to_vec();
            assert_eq!(promised, [Shape::table("rows", written)]);
        }
        let huge = batch(vec![Some(1e308)], vec![None]);
        let error = testing::row_map::<Predict>("{}", linear(), &[huge], "rows").unwrap_err();
        assert_eq!(error.code, "not-finite");
    }

    #[test]
    fn params_that_do_not_fit_the_model_are_refused() {
        let rows = batch(vec![], vec![]);
        let refused = |params, model| {
            let error = testing::check_row_map::<Predict>(params, shapes(&rows, model));
            error.unwrap_err().message
        };
        assert_eq!(
            refused(r#"{"threshold": 0.5}"#, Linear::MEDIA_TYPE),
            "`threshold` has no effect with a linear model"
        );
        assert_eq!(
            refused(r#"{"probability": "p"}"#, Linear::MEDIA_TYPE),
            "`probability` has no effect with a linear model"
        );
        assert_eq!(
            refused(r#"{"threshold": 1.5}"#, Logistic::MEDIA_TYPE),
            "`threshold` must be from 0 to 1"
        );
        assert_eq!(
            refused(r#"{"prediction": "probability"}"#, Logistic::MEDIA_TYPE),
            "`probability` and `prediction` name one column"
        );
        assert_eq!(
            refused("{}", "application/json"),
            "the blob is no model to predict with"
        );
    }

    #[test]
    fn refuses_what_it_cannot_score() {
        for side in [side, linear] {
            let refused = |rows| {
                testing::row_map::<Predict>("{}", side(), &[rows], "rows")
                    .unwrap_err()
                    .code
            };
            assert_eq!(refused(batch(vec![None], vec![Some(0)])), "missing-values");
            assert_eq!(
                refused(batch(vec![Some(f64::NAN)], vec![Some(0)])),
                "missing-values"
            );
            assert_eq!(refused(batch(vec![Some(1.0)], vec![Some(2)])), "bad-data");
        }
    }
}
