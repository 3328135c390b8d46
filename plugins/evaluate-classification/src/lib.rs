//! Measures how well probabilities and predictions agree with what happened, over all rows and by slice.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | `target` boolean or 0/1, `probability` from 0 to 1, `prediction` boolean or 0/1; none missing |
//! | out `metrics` | table | one row for all rows, then one for each value of each slice |
//!
//! | column | type | what |
//! |---|---|---|
//! | `slice` | utf8 | `overall`, or the columns of the slice joined by `, ` |
//! | `value` | utf8, null for `overall` | the values of those columns, joined likewise; a null is written `null` |
//! | `rows`, `positives` | int64 | rows, and rows whose target is true |
//! | `accuracy`, `precision`, `recall`, `f1` | float64 | of the predictions |
//! | `log_loss`, `brier`, `auc` | float64 | of the probabilities; log loss in nats, AUC exact, with ties counted half |
//! | `selection_rate` | float64 | share of positive predictions |
//! | `true_positive_rate`, `false_positive_rate` | float64 | share of positive predictions among positives and negatives |
//!
//! Definitions are scikit-learn's, but a metric that is not defined for a slice (no positives, no
//! negatives, no positive prediction) is null, never 0. Slices are in the order of the params and their
//! values in ascending order, null last; a slice is text, integer or boolean, or several such columns.
//!
//! Exact AUC needs every score: a partial holds 24 bytes or less for each row and slice.

mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array};
use arrow_schema::{DataType, Field};
use pinion_models::{
    Slice, SliceKey, check_label, check_number, check_present, gather, labels, numbers,
};
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table,
};
use serde::Deserialize;

use crate::tally::{Metrics, Row, Tally};

/// The step.
#[derive(Debug)]
pub struct EvaluateClassification;

/// What the pipeline file gives under `params`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The column of what happened: boolean, or an integer that is 0 or 1.
    target: String,
    /// The column of probabilities.
    #[serde(default = "default_probability")]
    probability: String,
    /// The column of predictions. Without one, a prediction is whether the probability is at least `threshold`.
    prediction: Option<String>,
    /// The least probability of a positive prediction, from 0 to 1; 0.5 unless given. Not with `prediction`.
    threshold: Option<f64>,
    /// Slices: each a column, or a list of columns whose values are taken together.
    #[serde(default)]
    by: Vec<Slice>,
}

fn default_probability() -> String {
    "probability".to_owned()
}

/// A figure's column and where it is found.
type Figure = (&'static str, fn(&Metrics) -> Option<f64>);

const FIGURES: [Figure; 10] = [
    ("accuracy", |metrics| metrics.accuracy),
    ("precision", |metrics| metrics.precision),
    ("recall", |metrics| metrics.recall),
    ("f1", |metrics| metrics.f1),
    ("log_loss", |metrics| metrics.log_loss),
    ("brier", |metrics| metrics.brier),
    ("auc", |metrics| metrics.auc),
    ("selection_rate", |metrics| metrics.selection_rate),
    ("true_positive_rate", |metrics| metrics.recall),
    ("false_positive_rate", |metrics| metrics.false_positive_rate),
];

impl Reduce for EvaluateClassification {
    type Params = Params;
    type State = BTreeMap<SliceKey, Tally>;
    type Partial = BTreeMap<SliceKey, Tally>;
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new("Measures how well probabilities and predictions agree with what happened.")
            .input(
                "rows",
                "The target, the probability, the prediction and the columns to slice by.",
            )
            .output(
                "metrics",
                "One row for all rows, then one for each value of each slice.",
            )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        check_label(rows.field(&params.target)?)?;
        check_number(rows.field(&params.probability)?)?;
        if let Some(prediction) = &params.prediction {
            check_label(rows.field(prediction)?)?;
        }
        Slice::check(&params.by, rows)?;
        match params.threshold {
            Some(_) if params.prediction.is_some() => Err(Error::bad_params(
                "`threshold` has no effect where `prediction` is given",
            )),
            Some(threshold) if !(0.0..=1.0).contains(&threshold) => {
                Err(Error::bad_params("`threshold` must be from 0 to 1").with("found", threshold))
            }
            _ => Ok(vec![Shape::table(
                "metrics",
                fields().into_iter().map(Arc::new).collect(),
            )]),
        }
    }

    fn init(_params: &Params, _side: &Inputs) -> Result<Self::State> {
        Ok(BTreeMap::new())
    }

    fn partial(
        params: &Params,
        _round: u32,
        _state: &Self::State,
        _carry: (),
        table: &Table,
    ) -> Result<(Self::Partial, ())> {
        let rows = rows(params, table)?;
        let mut tallies = BTreeMap::from([(SliceKey::overall(), Tally::of(rows.iter().copied()))]);
        for (position, slice) in params.by.iter().enumerate() {
            for (key, members) in slice.groups(position, table)? {
                let tally = Tally::of(members.iter().filter_map(|row| rows.get(*row)).copied());
                tallies.insert(key, tally);
            }
        }
        Ok((tallies, ()))
    }

    fn merge(
        _params: &Params,
        mut left: Self::Partial,
        right: Self::Partial,
    ) -> Result<Self::Partial> {
        for (key, tally) in right {
            let merged = left.remove(&key).unwrap_or_default().merge(tally);
            left.insert(key, merged);
        }
        Ok(left)
    }

    fn update(
        _params: &Params,
        _round: u32,
        _state: Self::State,
        merged: Option<Self::Partial>,
    ) -> Result<Round<Self::State>> {
        let nothing = || BTreeMap::from([(SliceKey::overall(), Tally::default())]);
        Ok(Round::Done(merged.unwrap_or_else(nothing)))
    }

    fn finish(params: &Params, state: Self::State, outputs: &mut Outputs) -> Result<()> {
        let metrics: Vec<Metrics> = state.values().map(Tally::metrics).collect();
        let counts = |of: fn(&Metrics) -> u64| -> Int64Array {
            metrics
                .iter()
                .map(|metrics| of(metrics) as i64)
                .collect::<Vec<_>>()
                .into()
        };
        let mut columns = Vec::from(SliceKey::arrays(state.keys(), &params.by));
        for count in [
            counts(|metrics| metrics.rows),
            counts(|metrics| metrics.positives),
        ] {
            columns.push(Arc::new(count) as ArrayRef);
        }
        for (_, figure) in FIGURES {
            columns.push(Arc::new(
                metrics.iter().map(figure).collect::<Float64Array>(),
            ));
        }
        let batch = Batch::new(metrics.len(), fields().into_iter().zip(columns).collect())?;
        outputs.table("metrics")?.write(&batch)
    }
}

pinion_sdk::export!(EvaluateClassification: Reduce);

/// Of the table of metrics.
fn fields() -> Vec<Field> {
    let mut fields = Vec::from(SliceKey::fields());
    fields.extend(["rows", "positives"].map(|name| Field::new(name, DataType::Int64, false)));
    fields.extend(FIGURES.map(|(name, _)| Field::new(name, DataType::Float64, true)));
    fields
}

/// The rows of one partition.
fn rows(params: &Params, table: &Table) -> Result<Vec<Row>> {
    let target = gather(table, &params.target, labels)?;
    check_present(&params.target, &target)?;
    let name = &params.probability;
    let probability = gather(table, name, numbers)?;
    check_present(name, &probability)?;
    if let Some(value) = probability
        .values()
        .iter()
        .find(|value| !(0.0..=1.0).contains(*value))
    {
        return Err(Error::bad_data(format!(
            "column `{name}` has a value that is no probability"
        ))
        .with("column", name)
        .with("expected", "a number from 0 to 1")
        .with("found", value));
    }
    let prediction = match &params.prediction {
        Some(name) => {
            let prediction = gather(table, name, labels)?;
            check_present(name, &prediction)?;
            prediction
        }
        None => {
            let threshold = params.threshold.unwrap_or(0.5);
            probability
                .values()
                .iter()
                .map(|probability| Some(*probability >= threshold))
                .collect()
        }
    };
    let outcomes = target
        .values()
        .iter()
        .zip(prediction.values().iter())
        .zip(probability.values());
    Ok(outcomes
        .map(|((outcome, prediction), probability)| Row {
            outcome,
            prediction,
            probability: *probability,
        })
        .collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
