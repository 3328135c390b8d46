//! Keeps the rows where an SQL expression is true.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | `(n_kept, n_columns)`, in the same order |
//!
//! ```toml
//! params = { where = "arr_delay IS NOT NULL AND carrier IN ('UA', 'AA')" }
//! ```
//!
//! A row where the expression is null goes, as in SQL. Only the columns that the expression names are
//! read. `pinion-sql` describes the language. Deterministic; asks for no capabilities.

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Output, Result, RowMap};
use pinion_sql::{Expression, SqlError};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which rows stay.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// An SQL expression that is true for the rows that stay.
    #[serde(rename = "where")]
    condition: String,
}

struct FilterRows(Expression);

impl RowMap for FilterRows {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Keeps the rows where an SQL expression is true.")
            .input(
                "rows",
                "Any table with the columns that the expression names.",
            )
            .output("rows", "The rows where it is true.")
            .same_columns()
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        Expression::parse(&params.condition)
            .map(Self)
            .map_err(refusal)
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let mask = evaluate(&self.0, rows)?;
        Ok(vec![Output::new("rows", rows.filter(&mask)?)])
    }
}

fn evaluate(condition: &Expression, rows: &Batch) -> Result<BooleanArray> {
    let names = condition.columns();
    let fields = names
        .iter()
        .map(|name| rows.find(name))
        .collect::<Result<Vec<_>>>()?;
    let field = |wanted: &str| {
        let index = names.iter().position(|name| name == wanted)?;
        Some(fields.get(index)?.as_ref()?.as_ref().clone())
    };
    let typed = match condition.resolve(&field) {
        // Only a step that fails anyway looks at all the names.
        Err(error @ SqlError::UnknownColumn { .. }) => {
            let schema = rows.schema()?;
            return Err(refusal(
                error.suggest(schema.iter().map(|field| field.name().as_str())),
            ));
        }
        typed => typed.map_err(refusal)?,
    };
    let columns = names
        .iter()
        .map(|name| rows.array(name))
        .collect::<Result<Vec<ArrayRef>>>()?;
    let values = typed
        .evaluate_columns(&columns, rows.rows() as usize)
        .map_err(refusal)?;
    let mask = values.as_boolean_opt().cloned();
    mask.ok_or_else(|| {
        Error::new("type-mismatch", "the expression is not a condition")
            .with("expected", "Boolean")
            .with("found", typed.data_type())
            .with("in", condition.text())
    })
}

fn refusal(error: SqlError) -> Error {
    let mut refusal = Error::new(error.code(), error.to_string());
    for column in error.columns() {
        refusal = refusal.with("column", column);
    }
    if !error.columns().is_empty() {
        refusal = refusal.with("port", "rows");
    }
    match error.hint() {
        Some(hint) => refusal.with("hint", hint),
        None => refusal,
    }
}

pinion_sdk::export!(FilterRows: RowMap);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{Int32Array, RecordBatch, StringArray};
    use pinion_sdk::testing;

    use super::*;

    fn flights() -> RecordBatch {
        let delay = Int32Array::from(vec![Some(30), None, Some(-5), Some(16)]);
        let carrier = StringArray::from(vec![Some("UA"), Some("UA"), None, Some("AA")]);
        RecordBatch::try_from_iter([
            ("delay", Arc::new(delay) as _),
            ("carrier", Arc::new(carrier) as _),
        ])
        .unwrap()
    }

    fn filter(condition: &str) -> Result<Vec<Option<i32>>> {
        let params = format!(r#"{{"where": "{condition}"}}"#);
        let out = testing::row_map::<FilterRows>(&params, Inputs::default(), &[flights()], "rows")?;
        Ok(out[0]
            .column(0)
            .as_primitive::<Int32Type>()
            .iter()
            .collect())
    }

    #[test]
    fn keeps_the_rows_where_it_is_true() {
        assert_eq!(filter("delay > 15").unwrap(), [Some(30), Some(16)]);
        assert_eq!(filter("carrier = 'UA'").unwrap(), [Some(30), None]);
        assert_eq!(
            filter("delay IS NULL OR carrier IS NULL").unwrap(),
            [None, Some(-5)]
        );
        assert_eq!(filter("false").unwrap(), []);
        assert_eq!(filter("1 = 1").unwrap().len(), 4);
    }

    #[test]
    fn null_counts_as_false() {
        assert_eq!(filter("NOT delay > 15").unwrap(), [Some(-5)]);
    }

    #[test]
    fn refuses_what_is_no_condition_on_these_columns() {
        for (condition, code) in [
            ("delay +", "invalid-expression"),
            ("sqrt(delay) > 1", "unsupported-expression"),
            ("dely > 1", "missing-column"),
            ("delay + 1", "type-mismatch"),
            ("carrier > 1", "type-mismatch"),
            ("NULL", "type-mismatch"),
        ] {
            assert_eq!(filter(condition).unwrap_err().code, code, "{condition}");
        }
    }

    #[test]
    fn refusals_name_the_column_and_the_port() {
        assert_eq!(
            filter("dely > 1").unwrap_err().to_string(),
            "there is no column `dely`\n  in dely > 1\n     ^\n  column dely\n  port rows\n  \
             hint did you mean `delay`?"
        );
        assert_eq!(
            filter("1 < carrier").unwrap_err().to_string(),
            "`INTEGER` and `VARCHAR` cannot be compared without a cast\n  in 1 < carrier\n     ^\n  \
             column carrier\n  port rows"
        );
        assert_eq!(
            filter("delay + 1").unwrap_err().to_string(),
            "the expression is not a condition\n  expected Boolean\n  found Int32\n  in delay + 1"
        );
    }

    #[test]
    fn a_value_without_a_result_names_its_row() {
        let error = filter("CAST(carrier AS INTEGER) > 1").unwrap_err();
        assert_eq!(error.code, "invalid-value");
        assert!(
            error
                .message
                .ends_with("in `CAST(carrier AS INTEGER)`, row 0 of the batch"),
            "{error}"
        );
    }

    #[test]
    fn check_promises_the_same_columns() {
        let fields = flights().schema().fields().to_vec();
        let shapes = vec![pinion_sdk::Shape::table("rows", fields.clone())];
        let out =
            testing::check_row_map::<FilterRows>(r#"{"where": "delay > 0"}"#, shapes).unwrap();
        assert_eq!(out, [pinion_sdk::Shape::table("rows", fields)]);
    }
}
