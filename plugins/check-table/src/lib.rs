//! Checks that a table is as it must be, and passes it on.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types |
//! | out `rows` | table | the same rows in the same order, cut as they were |
//! | out `report` | table | a row for every check: `check`, `column`, `bad_rows`, `rows`, `passed` |
//!
//! `not_null`, `range`, `set` and `unique` look at columns, `rows` at the number of rows. If a check fails, the
//! run fails with `check-failed` and the first five bad rows of each check, counted from 0 over the whole
//! table; with `on_failure = "report"` it goes on. In `report`, `column` lists the columns, and it and
//! `bad_rows` are null for `rows`. Reads only the columns that checks name, and holds the keys of `unique` in
//! memory. Promises its rows: what it reads reaches the report, and of `rows` no more than that no check failed.
//! Deterministic; asks for no capabilities.

mod check;
mod params;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Batch, Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, WholeTable};

use check::Check;
use params::{OnFailure, Params};

struct CheckTable;

impl WholeTable for CheckTable {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Checks that a table is as it must be, and passes it on.")
            .input("rows", "Any table.")
            .output("rows", "The same rows.")
            .same_rows_as("rows")
            .output(
                "report",
                "A row for every check: what it looked at, and how many rows are bad.",
            )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        Check::all(&params, |name| Ok(rows.field(name)?.data_type().clone()))?;
        let report = report_fields().into_iter().map(Arc::new).collect();
        Ok(vec![
            Shape::table("rows", rows.fields().to_vec()).passes(rows, &[]),
            Shape::table("report", report),
        ])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let table = inputs.table("rows")?;
        let mut checks = Check::all(params, |name| Ok(table.field(name)?.data_type().clone()))?;
        let mut rows = 0;
        for batch in table.batches() {
            let mut arrays: BTreeMap<&str, ArrayRef> = BTreeMap::new();
            for name in checks.iter().flat_map(Check::columns) {
                if !arrays.contains_key(name) {
                    arrays.insert(name, batch.array(name)?);
                }
            }
            for check in &mut checks {
                check.see(&arrays, rows, batch.rows() as usize)?;
            }
            rows += batch.rows();
            outputs.table("rows")?.write(&batch)?;
        }
        let failed: Vec<&Check<'_>> = checks.iter().filter(|check| !check.passed(rows)).collect();
        if !failed.is_empty() && params.on_failure == OnFailure::Fail {
            let error = Error::new(
                "check-failed",
                format!("{} of {} checks failed", failed.len(), checks.len()),
            );
            return Err(failed
                .iter()
                .fold(error, |error, check| check.explain(error, rows)));
        }
        outputs.table("report")?.write(&report(&checks, rows)?)
    }
}

fn report_fields() -> [Field; 5] {
    [
        Field::new("check", DataType::Utf8, false),
        Field::new("column", DataType::Utf8, true),
        Field::new("bad_rows", DataType::Int64, true),
        Field::new("rows", DataType::Int64, false),
        Field::new("passed", DataType::Boolean, false),
    ]
}

fn report(checks: &[Check<'_>], rows: u64) -> Result<Batch> {
    let columns =
        |check: &Check<'_>| (!check.columns().is_empty()).then(|| check.columns().join(", "));
    let arrays: [ArrayRef; 5] = [
        Arc::new(StringArray::from_iter_values(
            checks.iter().map(Check::name),
        )),
        Arc::new(checks.iter().map(columns).collect::<StringArray>()),
        Arc::new(
            checks
                .iter()
                .map(|check| check.bad_rows().map(u64::cast_signed))
                .collect::<Int64Array>(),
        ),
        Arc::new(Int64Array::from_value(rows.cast_signed(), checks.len())),
        Arc::new(
            checks
                .iter()
                .map(|check| Some(check.passed(rows)))
                .collect::<BooleanArray>(),
        ),
    ];
    Batch::new(
        checks.len(),
        report_fields().into_iter().zip(arrays).collect(),
    )
}

pinion_sdk::export!(CheckTable: WholeTable);

#[cfg(test)]
mod tests;
