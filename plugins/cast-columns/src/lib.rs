//! Gives columns other types.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | the same rows; the columns named have their new types, in their old places |
//!
//! Casts are those of Arrow: a float becomes an integer, and a time a coarser one, by cutting off what is
//! too fine; a timestamp that gets a zone is read as that zone's clock, and one that loses it becomes
//! UTC's clock. What has no value in the new type, such as 300 as `int8` or `n/a` as `date32`, ends the
//! run, or becomes null. Reads only columns that change their type.
//! Deterministic; asks for no capabilities.

mod types;

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which columns get which types.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// New types by column: Arrow types in lower case, such as `int64`, `float64`, `boolean`, `utf8`,
    /// `date32`, `timestamp[us]`, `timestamp[us, UTC]`, `timestamp[ms, +02:00]` or `decimal128(10, 2)`.
    columns: BTreeMap<String, String>,
    /// What happens to a value that the new type cannot hold.
    #[serde(default)]
    on_error: OnError,
}

/// What happens to a value that the new type cannot hold.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnError {
    /// It ends the run.
    #[default]
    Fail,
    /// It becomes null.
    Null,
}

/// A column and its new type.
struct Cast {
    column: String,
    type_name: String,
    to: DataType,
}

struct CastColumns {
    casts: Vec<Cast>,
    on_error: OnError,
}

impl RowMap for CastColumns {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Gives columns other types.")
            .input("rows", "Any table.")
            .output(
                "rows",
                "The same rows; the columns named have their new types.",
            )
            .same_rows_as("rows")
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        if params.columns.is_empty() {
            return Err(Error::bad_params("`columns` names no column"));
        }
        let parse = |(column, type_name): (String, String)| match types::parse(&type_name) {
            Some(to) => Ok(Cast {
                column,
                type_name,
                to,
            }),
            None => Err(Error::bad_params(format!(
                "`columns` gives column `{column}` an unknown type"
            ))
            .with("expected", types::EXPECTED)
            .with("found", format!("`{type_name}`"))),
        };
        Ok(Self {
            casts: params
                .columns
                .into_iter()
                .map(parse)
                .collect::<Result<_>>()?,
            on_error: params.on_error,
        })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let mut changed = Vec::new();
        for cast in &self.casts {
            let field = rows.field(&cast.column)?;
            if *field.data_type() != cast.to {
                let values = cast.apply(&rows.array(&cast.column)?, self.on_error)?;
                changed.push((cast.field(&field, self.on_error), values));
            }
        }
        let rows = if changed.is_empty() {
            rows.duplicate()?
        } else {
            rows.with_columns(changed)?
        };
        Ok(vec![Output::new("rows", rows)])
    }
}

impl Cast {
    fn apply(&self, values: &ArrayRef, on_error: OnError) -> Result<ArrayRef> {
        if !can_cast_types(values.data_type(), &self.to) {
            return Err(self.refuse("wrong-type").with("found", values.data_type()));
        }
        let refuse = |error: ArrowError| {
            self.refuse("bad-data")
                .with("found", values.data_type())
                .with("caused by", error)
        };
        let values = with_offset(values).map_err(refuse)?;
        let made = self.cast(&values).map_err(refuse)?;
        // Arrow gives null for what it cannot cast. A dictionary may have nulls among its values.
        let (before, after) = (values.logical_nulls(), made.logical_nulls());
        let is_lost = |row: &usize| {
            after.as_ref().is_some_and(|nulls| nulls.is_null(*row))
                && before.as_ref().is_none_or(|nulls| nulls.is_valid(*row))
        };
        match (0..values.len()).find(is_lost) {
            Some(row) if on_error == OnError::Fail => {
                let value = array_value_to_string(&values, row).map_err(refuse)?;
                Err(Error::bad_data(format!(
                    "a value in column `{}` cannot be cast to `{}`",
                    self.column, self.type_name
                ))
                .with("column", &self.column)
                .with("value", format!("`{value}`"))
                .with("row", format!("{row} of its batch")))
            }
            _ => Ok(made),
        }
    }

    fn cast(&self, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let to_timestamp = matches!(self.to, DataType::Timestamp(_, _));
        // Arrow multiplies a `date64` into a finer unit unchecked, but a timestamp checked.
        let values = match values.data_type() {
            DataType::Date64 if to_timestamp => {
                &cast(values, &DataType::Timestamp(TimeUnit::Millisecond, None))?
            }
            _ => values,
        };
        match &self.to {
            DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => cast(
                &cast(values, &DataType::Timestamp(*unit, Some("+00:00".into())))?,
                &self.to,
            ),
            to => cast(values, to),
        }
    }

    /// The new field. Its metadata stays, but it is of no extension type any more.
    fn field(&self, old: &Field, on_error: OnError) -> Field {
        let prefix = EXTENSION_TYPE_NAME_KEY.trim_end_matches("name");
        let metadata = old
            .metadata()
            .iter()
            .filter(|(key, _)| !key.starts_with(prefix));
        Field::new(
            &self.column,
            self.to.clone(),
            old.is_nullable() || on_error == OnError::Null,
        )
        .with_metadata(
            metadata
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )
    }

    fn refuse(&self, code: &str) -> Error {
        Error::new(
            code,
            format!(
                "column `{}` cannot be cast to `{}`",
                self.column, self.type_name
            ),
        )
        .with("column", &self.column)
    }
}

/// `values` with `UTC` written as an offset, which is how Arrow's casts know it without a table of zones.
fn with_offset(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match values.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.as_ref() == "UTC" => {
            cast(values, &DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        _ => Ok(values.clone()),
    }
}

fn cast(values: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(
        values,
        to,
        &CastOptions {
            safe: true,
            ..CastOptions::default()
        },
    )
}

pinion_sdk::export!(CastColumns: RowMap);

#[cfg(test)]
mod tests;
