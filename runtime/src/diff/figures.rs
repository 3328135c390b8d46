//! Tables of figures, compared value by value: metrics, reports, and what is made of them.
//!
//! A table is one of figures if it is small and a step that sees all rows at once made every column of it,
//! as `evaluate-…`, `measure-…`, `check-table` and `group-rows` do; or if it was made of such tables only.
//! Rows are matched by their key: of the columns before the first float, as many as it takes for no two
//! rows to have the same.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, DecimalType, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use serde::{Serialize, Serializer};

use super::{OutputDiff, OutputSide, Stored, column_differs};
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

/// A single value.
///
/// Floats are equal if their bits are.
#[derive(Clone, Debug)]
pub enum Cell {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// An integer of any width.
    Integer(i128),
    /// A float of 32 bits, or of 16.
    Float32(f32),
    /// A float of 64 bits.
    Float64(f64),
    /// Text; also a date, a point in time, or a decimal as it is written.
    Text(String),
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.sort_key() == other.sort_key()
    }
}

impl Cell {
    /// What tells two values apart.
    fn sort_key(&self) -> (u8, i128, &str) {
        match self {
            Self::Null => (0, 0, ""),
            Self::Boolean(value) => (1, i128::from(*value), ""),
            Self::Integer(value) => (2, *value, ""),
            Self::Float32(value) => (3, i128::from(value.to_bits()), ""),
            Self::Float64(value) => (4, i128::from(value.to_bits()), ""),
            Self::Text(text) => (5, 0, text),
        }
    }
}

/// Floats in the shortest form that reads back to the same bits.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float32(value) => write!(f, "{value:?}"),
            Self::Float64(value) => write!(f, "{value:?}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// As in JSON; floats that are no numbers as text, since JSON has none.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i128(*value),
            Self::Float32(value) if value.is_finite() => serializer.serialize_f32(*value),
            Self::Float64(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Float32(_) | Self::Float64(_) => serializer.collect_str(self),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
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

/// The values of an array; none if its type is not compared.
fn cells(array: &ArrayRef) -> Option<Vec<Cell>> {
    fn integers<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &ArrayRef) -> Vec<Cell> {
        of::<T>(array, |value| Cell::Integer(value.into()))
    }

    fn of<T: ArrowPrimitiveType>(array: &ArrayRef, cell: fn(T::Native) -> Cell) -> Vec<Cell> {
        let values = array.as_primitive::<T>().iter();
        values.map(|value| value.map_or(Cell::Null, cell)).collect()
    }

    /// Text that arrow-rs makes of each value.
    fn texts(array: &ArrayRef, text: impl Fn(usize) -> Option<String>) -> Vec<Cell> {
        let cell = |row| match array.is_null(row) {
            true => Cell::Null,
            false => text(row).map_or(Cell::Null, Cell::Text),
        };
        (0..array.len()).map(cell).collect()
    }

    fn times<T>(array: &ArrayRef, zoned: bool) -> Vec<Cell>
    where
        T: arrow_array::types::ArrowTemporalType,
        i64: From<T::Native>,
    {
        // Points in time in UTC, as everywhere.
        let zone = if zoned { "Z" } else { "" };
        texts(array, |row| {
            let time = array.as_primitive::<T>().value_as_datetime(row)?;
            Some(format!("{time:?}{zone}"))
        })
    }

    fn decimals<T: DecimalType>(array: &ArrayRef) -> Vec<Cell> {
        texts(array, |row| {
            Some(array.as_primitive::<T>().value_as_string(row))
        })
    }

    Some(match array.data_type() {
        DataType::Null => vec![Cell::Null; array.len()],
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            values
                .map(|value| value.map_or(Cell::Null, Cell::Boolean))
                .collect()
        }
        DataType::Int8 => integers::<Int8Type>(array),
        DataType::Int16 => integers::<Int16Type>(array),
        DataType::Int32 => integers::<Int32Type>(array),
        DataType::Int64 => integers::<Int64Type>(array),
        DataType::UInt8 => integers::<UInt8Type>(array),
        DataType::UInt16 => integers::<UInt16Type>(array),
        DataType::UInt32 => integers::<UInt32Type>(array),
        DataType::UInt64 => integers::<UInt64Type>(array),
        DataType::Float16 => of::<Float16Type>(array, |value| Cell::Float32(value.into())),
        DataType::Float32 => of::<Float32Type>(array, Cell::Float32),
        DataType::Float64 => of::<Float64Type>(array, Cell::Float64),
        DataType::Utf8 => texts(array, |row| {
            Some(array.as_string::<i32>().value(row).to_owned())
        }),
        DataType::LargeUtf8 => texts(array, |row| {
            Some(array.as_string::<i64>().value(row).to_owned())
        }),
        DataType::Date32 => texts(array, |row| {
            let date = array.as_primitive::<Date32Type>().value_as_date(row)?;
            Some(date.to_string())
        }),
        DataType::Date64 => texts(array, |row| {
            let date = array.as_primitive::<Date64Type>().value_as_date(row)?;
            Some(date.to_string())
        }),
        DataType::Timestamp(unit, zone) => {
            let zoned = zone.is_some();
            match unit {
                TimeUnit::Second => times::<TimestampSecondType>(array, zoned),
                TimeUnit::Millisecond => times::<TimestampMillisecondType>(array, zoned),
                TimeUnit::Microsecond => times::<TimestampMicrosecondType>(array, zoned),
                TimeUnit::Nanosecond => times::<TimestampNanosecondType>(array, zoned),
            }
        }
        DataType::Decimal128(..) => decimals::<Decimal128Type>(array),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = cells(dictionary.values())?;
            if values.is_empty() {
                return Some(vec![Cell::Null; array.len()]);
            }
            let keys = dictionary.normalized_keys().into_iter().enumerate();
            keys.map(|(row, key)| match array.is_null(row) {
                true => Some(Cell::Null),
                false => values.get(key).cloned(),
            })
            .collect::<Option<_>>()?
        }
        _ => return None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        Int64Array, ListArray, StringArray, TimestampMicrosecondArray, UInt64Array,
    };

    use super::*;

    fn shown(array: ArrayRef) -> Vec<String> {
        let cells = cells(&array).unwrap();
        cells.iter().map(Cell::to_string).collect()
    }

    #[test]
    fn values_are_shown_as_they_are_stored() {
        let floats = [0.1, 1.0 / 3.0, -0.0, 1e300, 5e-324, f64::NAN];
        assert_eq!(
            shown(Arc::new(Float64Array::from(floats.to_vec()))),
            [
                "0.1",
                "0.3333333333333333",
                "-0.0",
                "1e300",
                "5e-324",
                "NaN"
            ]
        );
        assert_eq!(
            shown(Arc::new(Float32Array::from(vec![0.1, 16_777_216.0]))),
            ["0.1", "16777216.0"]
        );
        assert_eq!(
            shown(Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
            ["18446744073709551615", "null"]
        );
        assert_eq!(
            shown(Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ["true", "null"]
        );
        assert_eq!(
            shown(Arc::new(Date32Array::from(vec![19_723]))),
            ["2024-01-01"]
        );
        let time = || TimestampMicrosecondArray::from(vec![1_380_600_000_000_000, 1]);
        assert_eq!(
            shown(Arc::new(time())),
            ["2013-10-01T04:00:00", "1970-01-01T00:00:00.000001"]
        );
        assert_eq!(
            shown(Arc::new(time().with_timezone("America/New_York"))),
            ["2013-10-01T04:00:00Z", "1970-01-01T00:00:00.000001Z"]
        );
        let decimals = Decimal128Array::from(vec![12_345]);
        let decimals = decimals.with_precision_and_scale(10, 2).unwrap();
        assert_eq!(shown(Arc::new(decimals)), ["123.45"]);
        let words: DictionaryArray<Int32Type> =
            vec![Some("b"), None, Some("b")].into_iter().collect();
        assert_eq!(shown(Arc::new(words)), ["b", "null", "b"]);
        let nothing: DictionaryArray<Int32Type> = vec![None::<&str>].into_iter().collect();
        assert_eq!(shown(Arc::new(nothing)), ["null"]);
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
        assert!(cells(&(Arc::new(list) as ArrayRef)).is_none());
    }

    #[test]
    fn floats_are_equal_if_their_bits_are() {
        assert_eq!(Cell::Float64(f64::NAN), Cell::Float64(f64::NAN));
        assert_ne!(Cell::Float64(0.0), Cell::Float64(-0.0));
        assert_ne!(Cell::Float64(1.0), Cell::Integer(1));
        assert_ne!(Cell::Null, Cell::Text(String::new()));
    }

    #[test]
    fn json_has_every_value() {
        let cells = [
            Cell::Null,
            Cell::Boolean(true),
            Cell::Integer(u64::MAX.into()),
            Cell::Float32(0.1),
            Cell::Float64(1e300),
            Cell::Float64(f64::NEG_INFINITY),
            Cell::Text("a".to_owned()),
        ];
        assert_eq!(
            serde_json::to_string(&cells).unwrap(),
            r#"[null,true,18446744073709551615,0.1,1e+300,"-inf","a"]"#
        );
    }

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
