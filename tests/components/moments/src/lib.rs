//! A reduce step of two rounds: the mean, then with a carry the variance, both from a side input's origin.

use std::sync::Arc;

use arrow_array::{Float64Array, UInt64Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table, context,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// A `float64` column.
    column: String,
}

#[derive(Serialize, Deserialize)]
struct State {
    origin: f64,
    seed: u64,
    rows: u64,
    mean: f64,
    variance: f64,
}

struct Moments;

impl Reduce for Moments {
    type Params = Params;
    type State = State;
    /// Rows and a sum.
    type Partial = (u64, f64);
    /// Values without nulls, which the second round need not read again.
    type Carry = Vec<f64>;

    fn describe() -> Descriptor {
        Descriptor::new("Computes mean and variance of a column.")
            .input("rows", "Needs the column.")
            .side_table("origin", "One row: `value` is subtracted first.")
            .optional()
            .output("summary", "`rows`, `mean`, `variance` and a `seed`.")
            .output_blob("model", "application/x-moments", "The mean, little-endian.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let found = inputs.table("rows")?.field(&params.column)?.data_type();
        if *found != DataType::Float64 {
            return Err(Error::wrong_type(&params.column, "Float64", found));
        }
        let fields = [
            ("rows", DataType::UInt64),
            ("mean", DataType::Float64),
            ("variance", DataType::Float64),
            ("seed", DataType::UInt64),
        ];
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type, false).into());
        Ok(vec![
            Shape::table("summary", fields.to_vec()),
            Shape::blob("model", "application/x-moments"),
        ])
    }

    fn init(_params: &Params, side: &Inputs) -> Result<State> {
        let origin = match side.find_table("origin") {
            Some(table) => {
                let batch = table
                    .batches()
                    .next()
                    .ok_or_else(|| Error::bad_data("the origin has no row"))?;
                batch.column::<Float64Array>("value")?.value(0)
            }
            None => 0.0,
        };
        Ok(State {
            origin,
            seed: context::seed(7),
            rows: 0,
            mean: 0.0,
            variance: 0.0,
        })
    }

    fn partial(
        params: &Params,
        round: u32,
        state: &State,
        carry: Vec<f64>,
        rows: &Table,
    ) -> Result<(Self::Partial, Vec<f64>)> {
        let mut values = carry;
        if round == 0 {
            for batch in rows.batches() {
                let column: Float64Array = batch.column(&params.column)?;
                values.extend(column.iter().flatten().map(|value| value - state.origin));
            }
        }
        let sum = match round {
            0 => values.iter().sum(),
            _ => values
                .iter()
                .map(|value| (value - state.mean) * (value - state.mean))
                .sum(),
        };
        Ok(((values.len() as u64, sum), values))
    }

    fn merge(_params: &Params, left: Self::Partial, right: Self::Partial) -> Result<Self::Partial> {
        Ok((left.0 + right.0, left.1 + right.1))
    }

    fn update(
        _params: &Params,
        round: u32,
        state: State,
        merged: Option<Self::Partial>,
    ) -> Result<Round<State>> {
        let (rows, sum) = merged.unwrap_or_default();
        let average = if rows == 0 { 0.0 } else { sum / rows as f64 };
        Ok(match round {
            0 => Round::Next(State {
                rows,
                mean: average,
                ..state
            }),
            _ => Round::Done(State {
                variance: average,
                ..state
            }),
        })
    }

    fn finish(_params: &Params, state: State, outputs: &mut Outputs) -> Result<()> {
        let batch = Batch::new(
            1,
            vec![
                (
                    Field::new("rows", DataType::UInt64, false),
                    Arc::new(UInt64Array::from(vec![state.rows])),
                ),
                (
                    Field::new("mean", DataType::Float64, false),
                    Arc::new(Float64Array::from(vec![state.mean])),
                ),
                (
                    Field::new("variance", DataType::Float64, false),
                    Arc::new(Float64Array::from(vec![state.variance])),
                ),
                (
                    Field::new("seed", DataType::UInt64, false),
                    Arc::new(UInt64Array::from(vec![state.seed])),
                ),
            ],
        )?;
        outputs.table("summary")?.write(&batch)?;
        outputs.blob("model")?.write(&state.mean.to_le_bytes())
    }
}

pinion_sdk::export!(Moments: Reduce);
