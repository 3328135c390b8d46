//! Gives each row the probability that a fitted model sees.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | the model's features, without missing values; codes may be null |
//! | in `model` | blob | from `std:fit-logistic` |
//! | out `rows` | table | two columns added: the probability, `float64` in 0 to 1, and the prediction, boolean |
//!
//! Only the model's features are read. The prediction is whether the probability is at least `threshold`.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Float64Array};
use arrow_schema::{DataType, Field};
use pinion_models::{Logistic, Model, check_present, codes, numbers, sigmoid};
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap, Shape, Shapes};
use serde::Deserialize;

/// The step.
#[derive(Debug)]
pub struct Predict {
    model: Logistic,
    params: Params,
}

/// What the pipeline file gives under `params`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// The column of probabilities to add.
    probability: String,
    /// The column of predictions to add.
    prediction: String,
    /// The least probability of a positive prediction, from 0 to 1.
    threshold: f64,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            probability: "probability".to_owned(),
            prediction: "prediction".to_owned(),
            threshold: 0.5,
        }
    }
}

impl RowMap for Predict {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Gives each row the probability that a fitted model sees.")
            .input(
                "rows",
                "The model's features, without missing values; codes may be null.",
            )
            .side_blob("model", &[Logistic::MEDIA_TYPE], "The fitted model.")
            .output("rows", "Adds the probability and the prediction.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        if !(0.0..=1.0).contains(&params.threshold) {
            return Err(Error::bad_params("`threshold` must be from 0 to 1")
                .with("found", params.threshold));
        }
        if params.probability == params.prediction {
            return Err(Error::bad_params(
                "`probability` and `prediction` name one column",
            ));
        }
        Ok(vec![Shape::table(
            "rows",
            inputs.table("rows")?.with(fields(&params)),
        )])
    }

    fn open(params: Params, side: Inputs) -> Result<Self> {
        let model = Logistic::parse(&side.blob("model")?.read_all())?;
        Ok(Predict { model, params })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let log_odds = self.log_odds(rows)?;
        let probability: Float64Array = log_odds
            .iter()
            .map(|log_odds| Some(sigmoid(*log_odds)))
            .collect();
        let positive = |probability: &f64| Some(*probability >= self.params.threshold);
        let prediction: BooleanArray = probability.values().iter().map(positive).collect();
        let [probability_field, prediction_field] = fields(&self.params);
        let columns: Vec<(Field, Arc<dyn Array>)> = vec![
            (probability_field, Arc::new(probability)),
            (prediction_field, Arc::new(prediction)),
        ];
        Ok(vec![Output::new("rows", rows.with_columns(columns)?)])
    }
}

pinion_sdk::export!(Predict: RowMap);

impl Predict {
    /// The intercept plus each feature's share, feature by feature in the order of the model.
    fn log_odds(&self, rows: &Batch) -> Result<Vec<f64>> {
        let mut log_odds = vec![0.0; rows.rows() as usize];
        for feature in &self.model.numeric {
            let name = &feature.column;
            let values = numbers(name, &rows.array(name)?)?;
            check_present(name, &values)?;
            for (sum, value) in log_odds.iter_mut().zip(values.values()) {
                *sum += feature.coefficient * value;
            }
        }
        for feature in &self.model.categorical {
            let name = &feature.column;
            for (sum, code) in log_odds.iter_mut().zip(&codes(name, &rows.array(name)?)?) {
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
        log_odds
            .iter_mut()
            .for_each(|sum| *sum += self.model.intercept);
        match log_odds.iter().any(|sum| sum.is_nan()) {
            true => Err(Error::new(
                "not-finite",
                "a row has features too large to add up",
            )),
            false => Ok(log_odds),
        }
    }
}

/// Of the probability and the prediction.
fn fields(params: &Params) -> [Field; 2] {
    [
        Field::new(&params.probability, DataType::Float64, false),
        Field::new(&params.prediction, DataType::Boolean, false),
    ]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    use arrow_array::{ArrayRef, Int32Array, RecordBatch};
    use pinion_models::{CategoricalFeature, Fit, NumericFeature};
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
        let shapes = vec![
            Shape::table("rows", rows.schema().fields().to_vec()),
            Shape::blob("model", Logistic::MEDIA_TYPE),
        ];
        let promised = testing::check_row_map::<Predict>("{}", shapes).unwrap();
        assert_eq!(
            promised,
            [Shape::table("rows", out[0].schema().fields().to_vec())]
        );
    }

    #[test]
    fn refuses_what_it_cannot_score() {
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
