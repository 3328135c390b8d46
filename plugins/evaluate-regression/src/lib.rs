//! Measures how far predicted numbers are from what they turned out to be, over all rows and by slice.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | `target`, `prediction` and `sample_weight` numbers; none missing |
//! | out `metrics` | table | one row for all rows, then one for each value of each slice |
//!
//! | column | type | what |
//! |---|---|---|
//! | `slice` | utf8 | `overall`, or the columns of the slice joined by `, ` |
//! | `value` | utf8, null for `overall` | the values of those columns, joined likewise; a null is written `null` |
//! | `rows` | int64 | rows, those of weight 0 included |
//! | `weight` | float64 | what their weights add up to; each has weight 1 unless it was given another |
//! | `r2` | float64 | 1 less the share of the target's variance that is left in the errors |
//! | `rmse`, `mae` | float64 | root of the mean squared error, mean absolute error; in units of the target |
//! | `median_absolute_error` | float64 | half of the weight has at most this error; exact, in units of the target |
//! | `bias` | float64 | mean of prediction less target, in units of the target |
//! | `mape` | float64 | mean of the absolute error divided by the target's size; 0.1 is ten per cent |
//!
//! Definitions are scikit-learn's, but a metric that is not defined for a slice is null, never 0 or very large:
//! all if the weights add up to 0, `r2` if the target is constant, `mape` if a target is 0. A slice is text,
//! integer or boolean, or several such columns together; slices are in the order of the params and their values
//! in ascending order, null last.
//!
//! Four rounds, for the sake of the median. A partial holds at most 65,536 sums for each slice, however many
//! rows there are.

mod median;
mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array};
use arrow_schema::{DataType, Field};
use pinion_models::{Slice, SliceKey, check_number, gather_finite, gather_weights};
use pinion_sdk::{Batch, Descriptor, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table};
use serde::{Deserialize, Serialize};

use crate::median::{Median, ROUNDS, Weights};
use crate::tally::{Metrics, Row, Tally};

/// The step.
#[derive(Debug)]
pub struct EvaluateRegression;

/// What the pipeline file gives under `params`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The column of what was: numbers.
    target: String,
    /// The column of what was predicted: numbers.
    #[serde(default = "default_prediction")]
    prediction: String,
    /// A column of weights of at least 0. Unless given, each row has weight 1.
    #[serde(default)]
    sample_weight: Option<String>,
    /// Slices: each a column, or a list of columns whose values are taken together.
    #[serde(default)]
    by: Vec<Slice>,
}

fn default_prediction() -> String {
    "prediction".to_owned()
}

/// What is known of one slice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    tally: Tally,
    median: Median,
}

/// What one partition says of one slice in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// In the first round.
    tally: Option<Tally>,
    errors: Weights,
}

/// A figure's column and where it is found.
type Figure = (&'static str, fn(&Metrics, &Median) -> Option<f64>);

const FIGURES: [Figure; 6] = [
    ("r2", |metrics, _| metrics.r2),
    ("rmse", |metrics, _| metrics.rmse),
    ("mae", |metrics, _| metrics.mae),
    ("median_absolute_error", |metrics, median| {
        median
            .value()
            .filter(|error| metrics.weight > 0.0 && error.is_finite())
    }),
    ("bias", |metrics, _| metrics.bias),
    ("mape", |metrics, _| metrics.mape),
];

impl Reduce for EvaluateRegression {
    type Params = Params;
    type State = BTreeMap<SliceKey, Known>;
    type Partial = BTreeMap<SliceKey, Share>;
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new("Measures how far predicted numbers are from what they turned out to be.")
            .input(
                "rows",
                "The target, the prediction, the weights and the columns to slice by.",
            )
            .output(
                "metrics",
                "One row for all rows, then one for each value of each slice.",
            )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let columns = [&params.target, &params.prediction];
        for column in columns.into_iter().chain(&params.sample_weight) {
            check_number(rows.field(column)?)?;
        }
        Slice::check(&params.by, rows)?;
        Ok(vec![Shape::table(
            "metrics",
            fields().into_iter().map(Arc::new).collect(),
        )])
    }

    fn init(_params: &Params, _side: &Inputs) -> Result<Self::State> {
        Ok(BTreeMap::new())
    }

    fn partial(
        params: &Params,
        round: u32,
        state: &Self::State,
        _carry: (),
        table: &Table,
    ) -> Result<(Self::Partial, ())> {
        let rows = rows(params, table)?;
        let start = Median::default();
        let share = |key: &SliceKey, rows: &mut dyn Iterator<Item = Row>| {
            let rows: Vec<Row> = rows.collect();
            let rows = rows.iter().copied();
            let median = state.get(key).map_or(&start, |known| &known.median);
            Share {
                tally: (round == 0).then(|| Tally::of(rows.clone())),
                errors: Weights::of(median, rows.map(|row| (row.absolute_error(), row.weight))),
            }
        };
        let overall = SliceKey::overall();
        let all = share(&overall, &mut rows.iter().copied());
        let mut shares = BTreeMap::from([(overall, all)]);
        for (position, slice) in params.by.iter().enumerate() {
            for (key, members) in slice.groups(position, table)? {
                let mut members = members.iter().filter_map(|row| rows.get(*row)).copied();
                let share = share(&key, &mut members);
                shares.insert(key, share);
            }
        }
        Ok((shares, ()))
    }

    fn merge(
        _params: &Params,
        mut left: Self::Partial,
        right: Self::Partial,
    ) -> Result<Self::Partial> {
        for (key, share) in right {
            let merged = match left.remove(&key) {
                Some(known) => known.merge(share),
                None => share,
            };
            left.insert(key, merged);
        }
        Ok(left)
    }

    fn update(
        _params: &Params,
        round: u32,
        mut state: Self::State,
        merged: Option<Self::Partial>,
    ) -> Result<Round<Self::State>> {
        let Some(merged) = merged else {
            let nothing = (SliceKey::overall(), Known::default());
            return Ok(Round::Done(BTreeMap::from([nothing])));
        };
        for (key, share) in merged {
            let known = state.entry(key).or_default();
            if let Some(tally) = share.tally {
                known.tally = tally;
            }
            known.median.narrow(&share.errors, known.tally.weight());
        }
        match round + 1 < ROUNDS {
            true => Ok(Round::Next(state)),
            false => Ok(Round::Done(state)),
        }
    }

    fn finish(params: &Params, state: Self::State, outputs: &mut Outputs) -> Result<()> {
        let slices: Vec<(Metrics, &Median)> = state
            .values()
            .map(|known| (known.tally.metrics(), &known.median))
            .collect();
        let rows: Int64Array = slices
            .iter()
            .map(|(metrics, _)| Some(metrics.rows as i64))
            .collect();
        let weights: Float64Array = slices
            .iter()
            .map(|(metrics, _)| Some(metrics.weight))
            .collect();
        let mut columns = Vec::from(SliceKey::arrays(state.keys(), &params.by));
        columns.extend([Arc::new(rows) as ArrayRef, Arc::new(weights)]);
        for (_, figure) in FIGURES {
            let figures = slices
                .iter()
                .map(|(metrics, median)| figure(metrics, median));
            columns.push(Arc::new(figures.collect::<Float64Array>()));
        }
        let batch = Batch::new(slices.len(), fields().into_iter().zip(columns).collect())?;
        outputs.table("metrics")?.write(&batch)
    }
}

pinion_sdk::export!(EvaluateRegression: Reduce);

impl Share {
    /// Of these rows and then those.
    fn merge(self, other: Self) -> Self {
        let tally = match (self.tally, other.tally) {
            (Some(left), Some(right)) => Some(left.merge(right)),
            (left, right) => left.or(right),
        };
        Share {
            tally,
            errors: self.errors.merge(other.errors),
        }
    }
}

/// Of the table of metrics.
fn fields() -> Vec<Field> {
    let mut fields = Vec::from(SliceKey::fields());
    fields.extend([
        Field::new("rows", DataType::Int64, false),
        Field::new("weight", DataType::Float64, false),
    ]);
    fields.extend(FIGURES.map(|(name, _)| Field::new(name, DataType::Float64, true)));
    fields
}

/// The rows of one partition.
fn rows(params: &Params, table: &Table) -> Result<Vec<Row>> {
    let target = gather_finite(table, &params.target)?;
    let prediction = gather_finite(table, &params.prediction)?;
    let weights = params
        .sample_weight
        .as_ref()
        .map(|name| gather_weights(table, name))
        .transpose()?;
    let pairs = target.values().iter().zip(prediction.values()).enumerate();
    let rows = pairs.map(|(row, (target, prediction))| Row {
        target: *target,
        prediction: *prediction,
        weight: weights.as_ref().map_or(1.0, |weights| weights.value(row)),
    });
    Ok(rows.collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
