//! A reduce step that tells what it read, or how its input is cut, in the way that its params name.

#[path = "../../tell/src/secret.rs"]
mod secret;

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_schema::{DataType, Field};
use pinion_sdk::{
    Batch, Descriptor, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table, context,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The column that it reads; none unless given, and then all that it knows is where batches end.
    secret: Option<String>,
    /// How it tells.
    how: How,
    /// A column that it reads in a second round, if it comes to that.
    later: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// The sum of the numbers is a column.
    Values,
    /// As many rows that say nothing.
    Count,
    /// As many partitions that say nothing.
    Partitions,
    /// It is bytes of the blob.
    Bytes,
    /// There are so many rounds.
    Rounds,
    /// Another column is read in a second round, if the numbers are odd.
    Later,
    /// It decides on the substream of a seed.
    Seed,
    /// How often partials were merged.
    Merges,
}

#[derive(Serialize, Deserialize)]
struct State {
    sum: i64,
    rounds: u32,
    merges: i64,
}

struct TellAll;

impl Reduce for TellAll {
    type Params = Params;
    type State = State;
    /// A sum, and how many merges it took.
    type Partial = (i64, i64);
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new("Tells what it read.")
            .input("rows", "Any table.")
            .output("told", "`told`.")
            .output_blob("note", "application/octet-stream", "Anything.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        for column in params.secret.iter().chain(&params.later) {
            pinion_values::kind(column, rows.field(column)?.data_type())?;
        }
        Ok(vec![
            Shape::table("told", vec![told().into()]),
            Shape::blob("note", "application/octet-stream"),
        ])
    }

    fn init(_params: &Params, _side: &Inputs) -> Result<State> {
        Ok(State {
            sum: 0,
            rounds: 0,
            merges: 0,
        })
    }

    fn partial(
        params: &Params,
        round: u32,
        state: &State,
        _carry: (),
        rows: &Table,
    ) -> Result<((i64, i64), ())> {
        let column = match (params.how, round) {
            (How::Later, 1) => params.later.as_deref(),
            _ => params.secret.as_deref(),
        };
        if params.how == How::Rounds && round > 0 {
            return Ok(((state.sum, 0), ()));
        }
        let mut sum = 0_i64;
        for batch in rows.batches() {
            let numbers = secret::of_batch(&batch, column)?;
            sum = numbers.into_iter().fold(sum, i64::wrapping_add);
        }
        Ok(((sum, 0), ()))
    }

    fn merge(_params: &Params, left: (i64, i64), right: (i64, i64)) -> Result<(i64, i64)> {
        Ok((left.0.wrapping_add(right.0), left.1 + right.1 + 1))
    }

    fn update(
        params: &Params,
        round: u32,
        state: State,
        merged: Option<(i64, i64)>,
    ) -> Result<Round<State>> {
        let (sum, merges) = merged.unwrap_or_default();
        let sum = if params.how == How::Rounds && round > 0 {
            state.sum
        } else {
            sum
        };
        let state = State {
            sum,
            rounds: round + 1,
            merges: state.merges + merges,
        };
        let goes_on = match params.how {
            How::Rounds => u64::from(round) < sum.unsigned_abs() % 3,
            How::Later => round == 0 && sum & 1 == 1,
            _ => false,
        };
        Ok(if goes_on {
            Round::Next(state)
        } else {
            Round::Done(state)
        })
    }

    fn finish(params: &Params, state: State, outputs: &mut Outputs) -> Result<()> {
        let batch = |value: i64, rows: usize| {
            let values = Int64Array::from(vec![value; rows]);
            Batch::new(rows, vec![(told(), Arc::new(values) as _)])
        };
        let small = (state.sum.unsigned_abs() % 5) as usize;
        let to = outputs.table("told")?;
        match params.how {
            How::Values | How::Later => to.write(&batch(state.sum, 1)?),
            How::Count => to.write(&batch(1, small)?),
            How::Partitions => {
                for _ in 0..small {
                    to.write(&batch(1, 1)?)?;
                    to.cut();
                }
                Ok(())
            }
            How::Bytes => {
                to.write(&batch(1, 1)?)?;
                outputs.blob("note")?.write(&state.sum.to_le_bytes())
            }
            How::Rounds => to.write(&batch(i64::from(state.rounds), 1)?),
            How::Seed => to.write(&batch(
                context::seed(state.sum.cast_unsigned()).cast_signed(),
                1,
            )?),
            How::Merges => to.write(&batch(state.merges, 1)?),
        }
    }
}

fn told() -> Field {
    Field::new("told", DataType::Int64, true)
}

pinion_sdk::export!(TellAll: Reduce);
