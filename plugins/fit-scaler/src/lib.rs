//! Fits what columns are centred on and divided by, for `std:transform`.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | the columns are numbers; missing values (null or NaN) are left out |
//! | out `scaler` | blob | centre and scale of each column, in its units |
//!
//! `standard` gives mean 0 and population standard deviation 1, `min-max` the range from 0 to 1, both as
//! scikit-learn's `StandardScaler` and `MinMaxScaler`; a constant column gets scale 1. One round: after an
//! append only the new partitions are read.

mod moments;

use std::collections::BTreeMap;

use pinion_models::{Model, Scaler, check_number, gather, numbers};
use pinion_sdk::{Descriptor, Error, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table};
use serde::Deserialize;

use crate::moments::{Method, Moments, Unscalable};

/// The step.
#[derive(Debug)]
pub struct FitScaler;

/// What the pipeline file gives under `params`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The columns to scale.
    columns: Vec<String>,
    /// How they are scaled.
    #[serde(default)]
    method: Method,
}

impl Reduce for FitScaler {
    type Params = Params;
    type State = Vec<Moments>;
    type Partial = Vec<Moments>;
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new("Fits what columns are centred on and divided by.")
            .input(
                "rows",
                "The columns are numbers; missing values are left out.",
            )
            .output_blob(
                "scaler",
                Scaler::MEDIA_TYPE,
                "Centre and scale of each column.",
            )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        if params.columns.is_empty() {
            return Err(Error::bad_params("`columns` names no column"));
        }
        for column in &params.columns {
            check_number(rows.field(column)?)?;
        }
        Ok(vec![Shape::blob("scaler", Scaler::MEDIA_TYPE)])
    }

    fn init(_params: &Params, _side: &Inputs) -> Result<Vec<Moments>> {
        Ok(Vec::new())
    }

    fn partial(
        params: &Params,
        _round: u32,
        _state: &Vec<Moments>,
        _carry: (),
        rows: &Table,
    ) -> Result<(Vec<Moments>, ())> {
        let of = |column: &String| Ok(Moments::of(gather(rows, column, numbers)?.iter()));
        Ok((params.columns.iter().map(of).collect::<Result<_>>()?, ()))
    }

    fn merge(_params: &Params, left: Vec<Moments>, right: Vec<Moments>) -> Result<Vec<Moments>> {
        Ok(left
            .into_iter()
            .zip(right)
            .map(|(left, right)| left.merge(right))
            .collect())
    }

    fn update(
        params: &Params,
        _round: u32,
        _state: Vec<Moments>,
        merged: Option<Vec<Moments>>,
    ) -> Result<Round<Vec<Moments>>> {
        let nothing = || {
            params
                .columns
                .iter()
                .map(|_| Moments::of(std::iter::empty()))
                .collect()
        };
        Ok(Round::Done(merged.unwrap_or_else(nothing)))
    }

    fn finish(params: &Params, state: Vec<Moments>, outputs: &mut Outputs) -> Result<()> {
        let mut columns = BTreeMap::new();
        for (column, moments) in params.columns.iter().zip(state) {
            let scaled = moments
                .scaled(params.method)
                .map_err(|reason| refusal(column, reason))?;
            columns.insert(column.clone(), scaled);
        }
        let scaler = Scaler {
            columns,
            method: params.method.name().to_owned(),
        };
        outputs.blob("scaler")?.write(&scaler.to_bytes()?)
    }
}

pinion_sdk::export!(FitScaler: Reduce);

fn refusal(column: &str, reason: Unscalable) -> Error {
    match reason {
        Unscalable::Empty => Error::new(
            "no-values",
            format!("column `{column}` has no value to fit on"),
        ),
        Unscalable::NotFinite => Error::new(
            "not-finite",
            format!("column `{column}` has values that are infinite or too large"),
        ),
    }
    .with("column", column)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
