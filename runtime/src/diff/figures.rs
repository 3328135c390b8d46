//! Tables of figures, compared value by value: metrics, reports, and what is made of them.
//!
//! A table is one of figures if it is small and a step that sees all rows at once made every column of it,
//! as `evaluate-…`, `measure-…`, `check-table` and `group-rows` do; or if it was made of such tables only.
//! Rows are matched by their key: of the columns before the first float, as many as it takes for no two
//! rows to have the same.

use std::collections::{BTreeMap, BTreeSet};

use super::{OutputDiff, OutputSide, Stored, column_differs};
use crate::arrow::cell::{Cell, cells};
use crate::digest::Digest;
use crate::pipeline::StepName;
use crate::record::{Artifact, RunRecord, Size, StepRecord, TableSummary};
use crate::table::Table;

/// Most rows of a table of figures.
const MOST_ROWS: u64 = 1_000;

/// What differs between two tables of figures.
#[derive(Clone, Debug)]
pub struct TableFigures {
    /// The step that made it.
    pub step: StepName,
    /// The port it came out of.
    pub port: String,
    /// The columns that rows are matched by; none if each table has one row.
    pub key: Vec<String>,
    /// The rows that differ: those of the new table in its order, then those that only the old one has.
    pub rows: Vec<FigureRow>,
    /// Columns that differ and are not compared by value, because of their types.
    pub uncompared: Vec<String>,
}

/// A row that differs.
#[derive(Clone, Debug)]
pub struct FigureRow {
    /// Its values in the key columns.
    pub key: Vec<Cell>,
    /// The values that differ, in the order of the new table. All of them, with one side, of a row that only
    /// one table has.
    pub figures: Vec<FigureDiff>,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureDiff {
    /// The column.
    pub column: String,
    /// The value before; none if there was no such row or column.
    pub old: Option<Cell>,
    /// The value now; none if there is no such row or column.
    pub new: Option<Cell>,
}

/// Compares the tables of figures among the outputs that differ.
pub(super) fn compare(
    old: &RunRecord,
    new: &RunRecord,
    outputs: &[OutputDiff],
    stored: &mut Stored<'_>,
) -> Vec<TableFigures> {
    let (of_old, of_new) = (tables_of_figures(old), tables_of_figures(new));
    let mut found = Vec::new();
    for output in outputs {
        let (
            Some(OutputSide::Table { digest: before, .. }),
            Some(OutputSide::Table { digest: after, .. }),
        ) = (&output.old, &output.new)
        else {
            continue;
        };
        let name = format!("{}.{}", output.step, output.port);
        if !of_old.contains(&name) || !of_new.contains(&name) {
            continue;
        }
        if let Some(figures) = compare_tables(before, after, output, stored) {
            found.push(figures);
        }
    }
    found
}

/// The outputs that are tables of figures, as `evaluate.metrics`.
fn tables_of_figures(run: &RunRecord) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for step in &run.steps {
        let mut tables = step
            .inputs
            .iter()
            .filter(|input| matches!(input.size, Size::Rows(_)))
            .peekable();
        let of_figures = tables.peek().is_some() && tables.all(|input| found.contains(&input.from));
        for output in &step.outputs {
            if let Artifact::Table(table) = &output.artifact
                && table.rows <= MOST_ROWS
                && (of_figures || is_summary(step, &output.port, table))
            {
                found.insert(format!("{}.{}", step.name, output.port));
            }
        }
    }
    found
}

/// Whether a step that sees all rows made every column of a table.
fn is_summary(step: &StepRecord, port: &str, table: &TableSummary) -> bool {
    let made: BTreeSet<&String> = step
        .units
        .iter()
        .filter_map(|unit| unit.made.get(port))
        .flatten()
        .collect();
    matches!(step.kind.as_str(), "reduce" | "whole-table")
        && table.fields.iter().all(|field| made.contains(field))
}

/// A table with its values; those of types that are not compared are none.
struct Values {
    columns: Vec<(String, Option<Vec<Cell>>)>,
    rows: usize,
    /// The columns before the first float that can be a key.
    leading: Vec<String>,
}

fn compare_tables(
    old: &Digest,
    new: &Digest,
    output: &OutputDiff,
    stored: &mut Stored<'_>,
) -> Option<TableFigures> {
    let (before, after) = (stored.table(old)?, stored.table(new)?);
    let (old, new) = (values(&before, stored)?, values(&after, stored)?);
    let key = key(&old, &new)?;
    let (rows_of_old, rows_of_new) = (old.by_key(&key), new.by_key(&key));
    let is_key = |column: &str| key.iter().any(|name| name == column);
    let compared: Vec<&str> = new
        .names()
        .chain(old.names().filter(|name| new.column(name).is_none()))
        .filter(|name| !is_key(name))
        .collect();
    let mut rows = Vec::new();
    let gone = rows_of_old
        .iter()
        .filter(|(key, _)| find(&rows_of_new, key).is_none());
    for (key, _) in rows_of_new.iter().chain(gone) {
        let (was, is) = (find(&rows_of_old, key), find(&rows_of_new, key));
        let figures = compared.iter().filter_map(|column| {
            let figure = FigureDiff {
                column: (*column).to_owned(),
                old: was.and_then(|row| old.cell(column, row)),
                new: is.and_then(|row| new.cell(column, row)),
            };
            (figure.old != figure.new).then_some(figure)
        });
        let figures: Vec<FigureDiff> = figures.collect();
        if !figures.is_empty() || was.is_none() || is.is_none() {
            rows.push(FigureRow {
                key: key.clone(),
                figures,
            });
        }
    }
    let opaque = |values: &Values, name: &str| matches!(values.column(name), Some(None));
    let uncompared = compared
        .into_iter()
        .filter(|name| opaque(&old, name) || opaque(&new, name))
        .filter(|name| column_differs(&before, &after, name));
    let uncompared: Vec<String> = uncompared.map(str::to_owned).collect();
    Some(TableFigures {
        step: output.step.clone(),
        port: output.port.clone(),
        uncompared,
        key,
        rows,
    })
}

/// Keys with the positions of their rows, in the order of the rows.
type Keyed = Vec<(Vec<Cell>, usize)>;

fn find(keyed: &Keyed, key: &[Cell]) -> Option<usize> {
    let found = keyed.iter().find(|(other, _)| other == key);
    found.map(|(_, row)| *row)
}

/// The columns that rows are matched by: the shortest beginning of the leading texts, or else of the
/// leading columns, that tells all rows of either table apart.
fn key(old: &Values, new: &Values) -> Option<Vec<String>> {
    let both = new.leading.iter().zip(&old.leading);
    let leading: Vec<String> = both
        .take_while(|(new, old)| new == old)
        .map(|(name, _)| name.clone())
        .collect();
    let texts = leading.iter().take_while(|name| new.is_text(name)).count();
    // Text is what names a row, even a single one.
    let lengths = (1..=texts).chain(0..=leading.len());
    lengths
        .filter_map(|len| leading.get(..len))
        .find(|key| old.is_unique(key) && new.is_unique(key))
        .map(<[String]>::to_vec)
}

impl Values {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    fn column(&self, name: &str) -> Option<Option<&[Cell]>> {
        let column = self.columns.iter().find(|(other, _)| other == name);
        column.map(|(_, cells)| cells.as_deref())
    }

    fn cell(&self, column: &str, row: usize) -> Option<Cell> {
        self.column(column)??.get(row).cloned()
    }

    fn is_text(&self, column: &str) -> bool {
        let cells = self.column(column).flatten().unwrap_or_default();
        let is_text = |cell: &Cell| matches!(cell, Cell::Text(_) | Cell::Null);
        cells.iter().all(is_text)
    }

    fn by_key(&self, key: &[String]) -> Keyed {
        let of = |row: usize| {
            let cells = key.iter().filter_map(|column| self.cell(column, row));
            (cells.collect(), row)
        };
        (0..self.rows).map(of).collect()
    }

    fn is_unique(&self, key: &[String]) -> bool {
        let keyed = self.by_key(key);
        let mut seen = BTreeSet::new();
        keyed.iter().all(|(cells, _)| {
            let cells: Vec<_> = cells.iter().map(Cell::sort_key).collect();
            seen.insert(cells)
        })
    }
}

fn values(table: &Table, stored: &mut Stored<'_>) -> Option<Values> {
    let mut columns: BTreeMap<usize, Option<Vec<Cell>>> = BTreeMap::new();
    for partition in &table.partitions {
        let chunks = table.fields.iter().zip(&partition.columns).enumerate();
        for (at, (field, chunk)) in chunks {
            let array = stored.store.load(field, chunk);
            let array = stored.noted("values of a table", array)?;
            let column = columns.entry(at).or_insert_with(|| Some(Vec::new()));
            *column = column.take().zip(cells(&array)).map(|(mut column, cells)| {
                column.extend(cells);
                column
            });
        }
    }
    let named = table.fields.iter().enumerate().map(|(at, field)| {
        let cells = columns.remove(&at).unwrap_or_else(|| Some(Vec::new()));
        (field.name().clone(), cells)
    });
    let columns: Vec<_> = named.collect();
    let leading = table
        .fields
        .iter()
        .zip(&columns)
        .take_while(|(field, (_, cells))| !field.data_type().is_floating() && cells.is_some());
    Some(Values {
        rows: usize::try_from(table.rows()).ok()?,
        leading: leading.map(|(field, _)| field.name().clone()).collect(),
        columns,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Array as _, ArrayRef, Int64Array, StringArray};

    use super::*;

    /// A table whose columns before the first float are `leading`.
    fn table(leading: &[(&str, ArrayRef)]) -> Values {
        let rows = leading.first().map_or(1, |(_, array)| array.len());
        let columns = leading
            .iter()
            .map(|(name, array)| ((*name).to_owned(), cells(array)));
        Values {
            columns: columns.collect(),
            rows,
            leading: leading.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }
    }

    fn text(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn integers(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn rows_are_matched_by_as_many_leading_columns_as_it_takes() {
        let metrics = || {
            table(&[
                (
                    "slice",
                    text(&[Some("overall"), Some("city"), Some("city")]),
                ),
                ("value", text(&[None, Some("Oslo"), Some("Turin")])),
                ("rows", integers(&[3, 2, 1])),
            ])
        };
        assert_eq!(key(&metrics(), &metrics()).unwrap(), ["slice", "value"]);
        // Text names even a single row; anything else does not.
        let only = || table(&[("metric", text(&[Some("auc")])), ("rows", integers(&[3]))]);
        assert_eq!(key(&only(), &only()).unwrap(), ["metric"]);
        let one = || table(&[("rows", integers(&[3]))]);
        assert_eq!(key(&one(), &one()).unwrap(), [""; 0]);
        // What tells the rows of one table apart has to do so in the other.
        let months = |months: &[i64], days: &[i64]| {
            table(&[("month", integers(months)), ("day", integers(days))])
        };
        assert_eq!(
            key(&months(&[1, 2], &[1, 1]), &months(&[1, 1], &[1, 2])).unwrap(),
            ["month", "day"]
        );
        let same = || months(&[1, 1], &[1, 1]);
        assert_eq!(key(&same(), &same()), None);
    }
}
