//! Adds columns computed by SQL expressions, or replaces columns in place.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | `(n_rows, n_columns + n_new)` |
//!
//! ```toml
//! [steps.features.params.columns]
//! speed = "distance / air_time * 60"
//! late  = "arr_delay > 15"
//! ```
//!
//! A table of columns has no order, so its expressions all see the table that came in, and what is new
//! is added in byte order of the names. A list has one: each expression sees the columns before it.
//!
//! ```toml
//! [[steps.features.params.columns]]
//! name = "speed"
//! expression = "distance / air_time * 60"
//!
//! [[steps.features.params.columns]]
//! name = "fast"
//! expression = "speed > 500"
//! ```
//!
//! Only the columns that an expression names are read; all others pass. `pinion-sql` describes the
//! language. Deterministic; asks for no capabilities.

mod columns;

use arrow_array::ArrayRef;
use arrow_schema::Field;
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap};
use pinion_sql::{Expression, SqlError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::columns::Columns;

/// Which columns to derive, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// SQL expressions by column name, or a list of `{ name, expression }` in which each expression
    /// sees the columns before it.
    columns: Columns,
}

struct DeriveColumns {
    columns: Vec<(String, Expression)>,
    /// Whether an expression sees the columns before it.
    in_order: bool,
}

impl RowMap for DeriveColumns {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Adds columns computed by SQL expressions.")
            .input(
                "rows",
                "Any table with the columns that the expressions name.",
            )
            .output("rows", "The same rows with the derived columns.")
            .same_rows_as("rows")
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        let in_order = matches!(params.columns, Columns::List(_));
        let columns = params
            .columns
            .into_pairs()?
            .into_iter()
            .map(|(name, expression)| match Expression::parse(&expression) {
                Ok(expression) => Ok((name, expression)),
                Err(error) => Err(refusal(&name, error)),
            })
            .collect::<Result<_>>()?;
        Ok(Self { columns, in_order })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let mut derived: Vec<(Field, ArrayRef)> = Vec::with_capacity(self.columns.len());
        for (name, expression) in &self.columns {
            let seen = if self.in_order {
                derived.as_slice()
            } else {
                &[]
            };
            let column = derive(name, expression, rows, seen)?;
            derived.push(column);
        }
        Ok(vec![Output::new("rows", rows.with_columns(derived)?)])
    }
}

/// One column over `rows`, of which `seen` replaces or adds columns.
fn derive(
    name: &str,
    expression: &Expression,
    rows: &Batch,
    seen: &[(Field, ArrayRef)],
) -> Result<(Field, ArrayRef)> {
    let names = expression.columns();
    let derived = |wanted: &str| seen.iter().find(|(field, _)| field.name() == wanted);
    let mut fields = Vec::with_capacity(names.len());
    for wanted in &names {
        fields.push(match derived(wanted) {
            Some((field, _)) => Some(field.clone()),
            None => rows.find(wanted)?.map(|field| field.as_ref().clone()),
        });
    }
    let field = |wanted: &str| {
        let index = names.iter().position(|name| name == wanted)?;
        fields.get(index)?.clone()
    };
    let typed = match expression.resolve(&field) {
        // Only a step that fails anyway looks at all the names.
        Err(error @ SqlError::UnknownColumn { .. }) => {
            let schema = rows.schema()?;
            let known = schema.iter().map(|field| field.name().as_str());
            let known = known.chain(seen.iter().map(|(field, _)| field.name().as_str()));
            return Err(refusal(name, error.suggest(known)));
        }
        typed => typed.map_err(|error| refusal(name, error))?,
    };
    let columns = names
        .iter()
        .map(|wanted| {
            derived(wanted).map_or_else(|| rows.array(wanted), |(_, array)| Ok(array.clone()))
        })
        .collect::<Result<Vec<_>>>()?;
    let values = typed.evaluate_columns(&columns, rows.rows() as usize);
    Ok((
        typed.field(name),
        values.map_err(|error| refusal(name, error))?,
    ))
}

/// The step's error for the expression of the column `derived`.
fn refusal(derived: &str, error: SqlError) -> Error {
    let mut refusal = Error::new(error.code(), error.to_string());
    for column in error.columns() {
        refusal = refusal.with("column", column);
    }
    if !error.columns().is_empty() {
        refusal = refusal.with("port", "rows");
    }
    refusal = refusal.with("derives", derived);
    match error.hint() {
        Some(hint) => refusal.with("hint", hint),
        None => refusal,
    }
}

pinion_sdk::export!(DeriveColumns: RowMap);

#[cfg(test)]
mod tests;
