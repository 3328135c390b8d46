//! Applies a fitted imputer, scaler and encoder, in this order.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | any columns; only those listed in the params are read |
//! | in `imputer` | blob, optional | from `std:fit-imputer` |
//! | in `scaler` | blob, optional | from `std:fit-scaler` |
//! | in `encoder` | blob, optional | from `std:fit-encoder` |
//! | out `rows` | table | the listed columns replaced in place, all others as they were |
//!
//! The params list the columns for each model, so that the types that come out are known before any
//! data: an imputed column is `float64`, or `utf8` if it is text, and not nullable; a scaled one is
//! `float64`, and nullable unless imputed; an encoded one is `int32` and nullable.

mod change;

use pinion_models::{Encoder, Imputer, Model, Scaler};
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap, Shape, Shapes};
use serde::Deserialize;

use crate::change::Change;

/// The step.
#[derive(Debug)]
pub struct Transform {
    changes: Vec<(String, Change)>,
}

/// What the pipeline file gives under `params`.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Columns whose missing values the imputer fills. Null and NaN are missing.
    impute: Vec<String>,
    /// Columns of numbers that the scaler scales. A missing value becomes null.
    scale: Vec<String>,
    /// Columns of text, integers or booleans that become codes: positions in the encoder's sorted
    /// categories, null for null and for a value that is no category.
    encode: Vec<String>,
}

impl Params {
    /// Every listed column once.
    fn columns(&self) -> Result<Vec<&str>> {
        let mut columns: Vec<&str> = Vec::new();
        for list in [&self.impute, &self.scale, &self.encode] {
            for (position, column) in list.iter().enumerate() {
                if list[..position].contains(column) {
                    return Err(Error::bad_params(format!("column `{column}` stands twice"))
                        .with("column", column));
                }
                if !columns.contains(&column.as_str()) {
                    columns.push(column);
                }
            }
        }
        if let Some(column) = self
            .scale
            .iter()
            .find(|column| self.encode.contains(column))
        {
            return Err(
                Error::bad_params(format!("column `{column}` is both scaled and encoded"))
                    .with("column", column),
            );
        }
        Ok(columns)
    }
}

impl RowMap for Transform {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Applies a fitted imputer, scaler and encoder, in this order.")
            .input(
                "rows",
                "Any columns; only those listed in the params are read.",
            )
            .side_blob("imputer", &[Imputer::MEDIA_TYPE], "Fills missing values.")
            .optional()
            .side_blob(
                "scaler",
                &[Scaler::MEDIA_TYPE],
                "Centres and divides numbers.",
            )
            .optional()
            .side_blob(
                "encoder",
                &[Encoder::MEDIA_TYPE],
                "Turns categories into codes.",
            )
            .optional()
            .output(
                "rows",
                "The listed columns replaced in place, all others as they were.",
            )
            .same_rows_as("rows")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        for (port, list, columns) in [
            ("imputer", "impute", &params.impute),
            ("scaler", "scale", &params.scale),
            ("encoder", "encode", &params.encode),
        ] {
            if columns.is_empty() == inputs.has(port) {
                return Err(unmatched(port, list, inputs.has(port)));
            }
        }
        let mut fields = Vec::new();
        let columns = params.columns()?;
        for column in &columns {
            let field = rows.field(column)?;
            let listed = |list: &[String]| list.iter().any(|name| name == column);
            let (impute, scale, encode) = (
                listed(&params.impute),
                listed(&params.scale),
                listed(&params.encode),
            );
            fields.push(change::output_field(field, impute, scale, encode)?);
        }
        Ok(vec![
            Shape::table("rows", rows.with(fields)).passes(rows, &columns),
        ])
    }

    fn open(params: Params, side: Inputs) -> Result<Self> {
        let imputer = Imputer::read(&side, "imputer")?;
        let scaler = Scaler::read(&side, "scaler")?;
        let encoder = Encoder::read(&side, "encoder")?;
        let mut changes = Vec::new();
        for column in params.columns()? {
            let listed = |list: &[String]| list.iter().any(|name| name == column);
            let mut change = Change::default();
            if listed(&params.impute) {
                let imputer = imputer
                    .as_ref()
                    .ok_or_else(|| unmatched("imputer", "impute", false))?;
                change.fill = Some(imputer.column(column)?.fill.clone());
            }
            if listed(&params.scale) {
                let scaler = scaler
                    .as_ref()
                    .ok_or_else(|| unmatched("scaler", "scale", false))?;
                change.scale = Some(scaler.column(column)?.clone());
            }
            if listed(&params.encode) {
                let encoder = encoder
                    .as_ref()
                    .ok_or_else(|| unmatched("encoder", "encode", false))?;
                change.categories = Some(encoder.column(column)?.categories.clone());
            }
            changes.push((column.to_owned(), change));
        }
        Ok(Transform { changes })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let mut columns = Vec::with_capacity(self.changes.len());
        for (name, change) in &self.changes {
            columns.push(change.apply(name, &rows.array(name)?)?);
        }
        Ok(vec![Output::new("rows", rows.with_columns(columns)?)])
    }
}

pinion_sdk::export!(Transform: RowMap);

/// A model without columns to apply it to, or columns without a model.
fn unmatched(port: &str, list: &str, bound: bool) -> Error {
    if bound {
        Error::bad_params(format!(
            "port `{port}` is bound, but `{list}` names no column"
        ))
    } else {
        Error::new(
            "missing-port",
            format!("`{list}` names columns, but nothing is bound to port `{port}`"),
        )
    }
    .with("port", port)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
