//! Measures how far the columns of a table moved from a reference.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | the current rows |
//! | in `reference` | table | the rows they are compared with, of the same types |
//! | out `drift` | table | one row for each column, in the order of the params |
//!
//! | column | type | what |
//! |---|---|---|
//! | `column`, `kind` | utf8 | the column; `numeric` or `categorical` |
//! | `psi` | float64 | population stability index, in nats: by deciles of the reference, or by value |
//! | `ks`, `p_value` | float64, null unless numeric | two-sample Kolmogorov–Smirnov test, p two-sided and asymptotic |
//! | `reference_rows`, `current_rows` | int64 | all rows |
//! | `reference_missing`, `current_missing` | int64 | of these: null, NaN or infinite; they are left out |
//! | `drifted` | boolean | whether a threshold is passed |
//!
//! Shares below 0.0001 count as 0.0001, so that an empty bin does not make the index infinite. If one
//! side has no values nothing can be said, and the figures and `drifted` are null.
//!
//! One column of both tables is in memory at a time, and exact quantiles need it as a whole: hence a
//! whole-table step.

mod kolmogorov;
mod stability;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_schema::{DataType, Field};
use pinion_models::{Categories, is_number, numbers};
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, Table, WholeTable,
};
use serde::Deserialize;

/// The step.
#[derive(Debug)]
pub struct MeasureDrift;

/// What the pipeline file gives under `params`.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Columns compared by distribution if they are numbers, and by value if they are text or booleans.
    columns: Vec<String>,
    /// Which of `columns` are integers to be compared by value, as months or codes are.
    #[serde(default)]
    categorical: Vec<String>,
    /// A column has drifted if its stability index is at least this.
    #[serde(default = "default_psi")]
    psi: f64,
    /// A numeric column has drifted, too, if the p-value of its test is at most this. Not looked at
    /// unless given: with many rows the smallest shift is significant.
    p_value: Option<f64>,
}

fn default_psi() -> f64 {
    0.2
}

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Numeric,
    Categorical,
}

/// The figures of one column.
#[derive(Clone, Debug, PartialEq)]
struct Drift {
    column: String,
    kind: Kind,
    psi: Option<f64>,
    test: Option<kolmogorov::Test>,
    reference: Counts,
    current: Counts,
}

/// Of one column of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    rows: u64,
    missing: u64,
}

impl WholeTable for MeasureDrift {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Measures how far the columns of a table moved from a reference.")
            .input("rows", "The current rows.")
            .side_table(
                "reference",
                "The rows they are compared with, of the same types.",
            )
            .output("drift", "One row for each column.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let (rows, reference) = (inputs.table("rows")?, inputs.table("reference")?);
        if params.columns.is_empty() {
            return Err(Error::bad_params("`columns` names no column"));
        }
        if let Some(column) = params
            .categorical
            .iter()
            .find(|column| !params.columns.contains(column))
        {
            return Err(Error::bad_params(format!(
                "`categorical` names `{column}`, which `columns` does not"
            ))
            .with("column", column));
        }
        for column in &params.columns {
            let kinds =
                [reference.field(column)?, rows.field(column)?].map(|field| params.kind(field));
            let [reference_kind, kind] = kinds;
            if reference_kind? != kind? {
                return Err(Error::wrong_type(
                    column,
                    format!(
                        "a type like {}, as in the reference",
                        reference.field(column)?.data_type()
                    ),
                    rows.field(column)?.data_type(),
                ));
            }
        }
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        if params.psi.is_nan() || params.psi < 0.0 {
            return Err(Error::bad_params("`psi` must be at least 0").with("found", params.psi));
        }
        match params.p_value.filter(|p_value| !is_share(*p_value)) {
            Some(p_value) => {
                Err(Error::bad_params("`p_value` must be from 0 to 1").with("found", p_value))
            }
            None => Ok(vec![Shape::table(
                "drift",
                fields().into_iter().map(Arc::new).collect(),
            )]),
        }
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let (reference, current) = (inputs.table("reference")?, inputs.table("rows")?);
        let drift = |column: &String| measure(params, column, reference, current);
        let drifts = params
            .columns
            .iter()
            .map(drift)
            .collect::<Result<Vec<_>>>()?;
        let count = |of: fn(&Drift) -> u64| -> ArrayRef {
            Arc::new(
                drifts
                    .iter()
                    .map(|drift| Some(of(drift) as i64))
                    .collect::<Int64Array>(),
            )
        };
        let figure = |of: fn(&Drift) -> Option<f64>| -> ArrayRef {
            Arc::new(drifts.iter().map(of).collect::<Float64Array>())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(
                drifts
                    .iter()
                    .map(|drift| Some(&drift.column))
                    .collect::<StringArray>(),
            ),
            Arc::new(
                drifts
                    .iter()
                    .map(|drift| Some(drift.kind.name()))
                    .collect::<StringArray>(),
            ),
            figure(|drift| drift.psi),
            figure(|drift| drift.test.map(|test| test.statistic)),
            figure(|drift| drift.test.map(|test| test.p_value)),
            count(|drift| drift.reference.rows),
            count(|drift| drift.current.rows),
            count(|drift| drift.reference.missing),
            count(|drift| drift.current.missing),
            Arc::new(
                drifts
                    .iter()
                    .map(|drift| drift.passes(params))
                    .collect::<BooleanArray>(),
            ),
        ];
        let batch = Batch::new(drifts.len(), fields().into_iter().zip(columns).collect())?;
        outputs.table("drift")?.write(&batch)
    }
}

pinion_sdk::export!(MeasureDrift: WholeTable);

impl Params {
    fn kind(&self, field: &Field) -> Result<Kind> {
        if *field.data_type() != DataType::Boolean
            && is_number(field.data_type())
            && !self.categorical.contains(field.name())
        {
            return Ok(Kind::Numeric);
        }
        Categories::check(field).map(|()| Kind::Categorical)
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Numeric => "numeric",
            Kind::Categorical => "categorical",
        }
    }
}

impl Drift {
    /// None if nothing can be said.
    fn passes(&self, params: &Params) -> Option<bool> {
        let far = self.psi? >= params.psi;
        let significant = params
            .p_value
            .zip(self.test)
            .is_some_and(|(limit, test)| test.p_value <= limit);
        Some(far || significant)
    }
}

/// Of the table of figures.
fn fields() -> Vec<Field> {
    vec![
        Field::new("column", DataType::Utf8, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("psi", DataType::Float64, true),
        Field::new("ks", DataType::Float64, true),
        Field::new("p_value", DataType::Float64, true),
        Field::new("reference_rows", DataType::Int64, false),
        Field::new("current_rows", DataType::Int64, false),
        Field::new("reference_missing", DataType::Int64, false),
        Field::new("current_missing", DataType::Int64, false),
        Field::new("drifted", DataType::Boolean, true),
    ]
}

fn measure(params: &Params, column: &str, reference: &Table, current: &Table) -> Result<Drift> {
    let kind = params.kind(&*reference.field(column)?)?;
    let (psi, test, present) = match kind {
        Kind::Numeric => {
            let [left, right] = [sorted(column, reference)?, sorted(column, current)?];
            let psi = stability::numeric(&left, &right);
            (
                psi,
                kolmogorov::test(&left, &right),
                [left.len() as u64, right.len() as u64],
            )
        }
        Kind::Categorical => {
            let known = Categories::of_rows(column, reference)?;
            let all = known.union(Categories::of_rows(column, current)?)?;
            let left = occurrences(&all, column, reference)?;
            let right = occurrences(&all, column, current)?;
            let present = [left.values().sum(), right.values().sum()];
            (stability::categorical(&left, &right), None, present)
        }
    };
    let counts = |table: &Table, present| Counts {
        rows: table.rows(),
        missing: table.rows() - present,
    };
    Ok(Drift {
        column: column.to_owned(),
        kind,
        psi,
        test,
        reference: counts(reference, present[0]),
        current: counts(current, present[1]),
    })
}

/// The finite values in ascending order; zeros are of one sign.
fn sorted(name: &str, rows: &Table) -> Result<Vec<f64>> {
    let mut values = Vec::new();
    for batch in rows.batches() {
        let numbers = numbers(name, &batch.array(name)?)?;
        values.extend(
            numbers
                .iter()
                .flatten()
                .filter(|value| value.is_finite())
                .map(|value| value + 0.0),
        );
    }
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

/// How often each category occurs, by code.
fn occurrences(categories: &Categories, name: &str, rows: &Table) -> Result<BTreeMap<i32, u64>> {
    let mut counts = BTreeMap::new();
    for batch in rows.batches() {
        for code in categories
            .encode(name, &batch.array(name)?)?
            .iter()
            .flatten()
        {
            *counts.entry(code).or_default() += 1;
        }
    }
    Ok(counts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
