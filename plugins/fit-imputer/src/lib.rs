//! Fits a value for each column that stands in for missing ones, for `std:transform`.
//!
//! | port | kind | what |
//! |---|---|---|
//! | in `rows` | table | columns of numbers, where null and NaN are missing, or of text |
//! | out `imputer` | blob | one value for each column |
//!
//! The strategies are those of scikit-learn's `SimpleImputer`; of equally frequent values the smallest
//! is taken. Medians are exact. One round, and so only new partitions are read after an append; four
//! rounds over the columns that take the median.

mod median;
mod statistic;

use std::collections::BTreeMap;

use pinion_models::{Fill, ImputedColumn, Imputer, Model, is_number, is_text};
use pinion_sdk::{Descriptor, Error, Inputs, Outputs, Reduce, Result, Round, Shape, Shapes, Table};
use serde::{Deserialize, Serialize};

use crate::statistic::{Count, Progress, Takes};

/// The step.
#[derive(Debug)]
pub struct FitImputer;

/// What the pipeline file gives under `params`: the columns by strategy, each under one of them.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Params {
    /// Columns of numbers that take their mean.
    mean: Vec<String>,
    /// Columns of numbers that take their median.
    median: Vec<String>,
    /// Columns of numbers or text that take their most frequent value.
    most_frequent: Vec<String>,
    /// Columns that take a value given here.
    constant: BTreeMap<String, Constant>,
}

/// A number or a text.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected a number or a string")]
pub enum Constant {
    /// For a column of numbers.
    Number(f64),
    /// For a column of text.
    Text(String),
}

/// One column while it is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    missing: u64,
    rows: u64,
    progress: Progress,
}

/// What one partition says of one column in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    missing: u64,
    rows: u64,
    count: Count,
}

impl Params {
    /// Every column with its strategy, in a fixed order.
    fn columns(&self) -> impl Iterator<Item = (&str, Progress)> {
        let mean = self.mean.iter().map(|name| (name.as_str(), Progress::Mean));
        let median = self
            .median
            .iter()
            .map(|name| (name.as_str(), Progress::Median));
        let frequent = self
            .most_frequent
            .iter()
            .map(|name| (name.as_str(), Progress::MostFrequent));
        let constant = self
            .constant
            .iter()
            .map(|(name, value)| (name.as_str(), Progress::Constant(value.fill())));
        mean.chain(median).chain(frequent).chain(constant)
    }
}

impl Constant {
    fn fill(&self) -> Fill {
        match self {
            Constant::Number(number) => Fill::Number(*number),
            Constant::Text(text) => Fill::Text(text.clone()),
        }
    }
}

impl Reduce for FitImputer {
    type Params = Params;
    type State = Vec<Column>;
    type Partial = Vec<Share>;
    type Carry = ();

    fn describe() -> Descriptor {
        Descriptor::new("Fits a value for each column that stands in for missing ones.")
            .input(
                "rows",
                "Columns of numbers, where null and NaN are missing, or of text.",
            )
            .output_blob("imputer", Imputer::MEDIA_TYPE, "One value for each column.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let mut seen: Vec<&str> = Vec::new();
        for (name, progress) in params.columns() {
            if seen.contains(&name) {
                return Err(
                    Error::bad_params(format!("column `{name}` stands twice")).with("column", name)
                );
            }
            seen.push(name);
            let data_type = rows.field(name)?.data_type();
            let (expected, fits) = match progress.takes() {
                Takes::Numbers => ("a number", is_number(data_type)),
                Takes::Text => ("text, as the constant is", is_text(data_type)),
                Takes::Both => (
                    "a number or text",
                    is_number(data_type) || is_text(data_type),
                ),
            };
            if !fits {
                return Err(Error::wrong_type(name, expected, data_type));
            }
        }
        if seen.is_empty() {
            return Err(Error::bad_params("no column is named").with(
                "expected",
                "columns under `mean`, `median`, `most-frequent` or `constant`",
            ));
        }
        Ok(vec![Shape::blob("imputer", Imputer::MEDIA_TYPE)])
    }

    fn init(params: &Params, _side: &Inputs) -> Result<Vec<Column>> {
        Ok(params
            .columns()
            .map(|(_, progress)| Column {
                missing: 0,
                rows: 0,
                progress,
            })
            .collect())
    }

    fn partial(
        params: &Params,
        _round: u32,
        state: &Vec<Column>,
        _carry: (),
        rows: &Table,
    ) -> Result<(Vec<Share>, ())> {
        let share = |((name, _), column): ((&str, Progress), &Column)| {
            let (count, missing) = column.progress.count(name, rows)?;
            Ok(Share {
                missing,
                rows: rows.rows(),
                count,
            })
        };
        Ok((
            params
                .columns()
                .zip(state)
                .map(share)
                .collect::<Result<_>>()?,
            (),
        ))
    }

    fn merge(_params: &Params, left: Vec<Share>, right: Vec<Share>) -> Result<Vec<Share>> {
        let merge = |(left, right): (Share, Share)| Share {
            missing: left.missing + right.missing,
            rows: left.rows + right.rows,
            count: left.count.merge(right.count),
        };
        Ok(left.into_iter().zip(right).map(merge).collect())
    }

    fn update(
        params: &Params,
        round: u32,
        state: Vec<Column>,
        merged: Option<Vec<Share>>,
    ) -> Result<Round<Vec<Column>>> {
        let shares = merged.ok_or_else(|| Error::new("no-values", "there is no row to fit on"))?;
        let mut next = Vec::with_capacity(state.len());
        for (((name, _), mut column), share) in params.columns().zip(state).zip(shares) {
            if round == 0 {
                (column.missing, column.rows) = (share.missing, share.rows);
            }
            column.progress = column
                .progress
                .advance(share.count, column.rows - column.missing)
                .ok_or_else(|| {
                    Error::new(
                        "no-values",
                        format!("column `{name}` has no value to fit on"),
                    )
                    .with("column", name)
                    .with("rows", column.rows)
                    .with("hint", "give it a value under `constant`")
                })?;
            next.push(column);
        }
        let done = next.iter().all(|column| column.progress.found().is_some());
        Ok(if done {
            Round::Done(next)
        } else {
            Round::Next(next)
        })
    }

    fn finish(params: &Params, state: Vec<Column>, outputs: &mut Outputs) -> Result<()> {
        let mut columns = BTreeMap::new();
        for ((name, started), column) in params.columns().zip(state) {
            let fill = column
                .progress
                .found()
                .cloned()
                .ok_or_else(|| Error::new("bad-step", "a round is missing"))?;
            if matches!(fill, Fill::Number(number) if !number.is_finite()) {
                let message = format!("column `{name}` has values that are infinite or too large");
                return Err(Error::new("not-finite", message).with("column", name));
            }
            let strategy = started.name().to_owned();
            columns.insert(
                name.to_owned(),
                ImputedColumn {
                    fill,
                    missing: column.missing,
                    rows: column.rows,
                    strategy,
                },
            );
        }
        outputs
            .blob("imputer")?
            .write(&Imputer { columns }.to_bytes()?)
    }
}

pinion_sdk::export!(FitImputer: Reduce);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
