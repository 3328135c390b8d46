//! Adds what came before each row: lags, and figures of windows, within groups and in the order of a column.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`; `by` and `order_by` of any type but nested ones and intervals |
//! | out `rows` | table | the same rows in the same order, with a column for each feature, in the order of their names |
//!
//! ```toml
//! params = { by = ["carrier"], order_by = "time", features = { last = { function = "lag", column = "delay", rows = 1 }, mean_7d = { function = "mean", column = "delay", duration = "7 d" } } }
//! ```
//!
//! The rows of a group are in the order of `order_by`; where it is equal, in that of the table. A feature of a row
//! sees rows before it in this order, and with `include_current` the row itself, but never one after it.
//!
//! | function | type | what |
//! |---|---|---|
//! | `lag` | the column's | the value `rows` rows before, null or not; null if there are not as many |
//! | `count` | `int64` | values in the window, or rows if there is no `column` |
//! | `sum`, `mean`, `min`, `max` | `float64` | of the values in the window; null if there is none |
//! | `std` | `float64` | sample standard deviation (divided by one less than their number); null if there are not two |
//!
//! A window of `rows = n` has the `n` rows before a row, or with `include_current` the row and the `n - 1` before it.
//! A window of a `duration` has the rows of a time that is earlier, by at most the duration; with `include_current`
//! the row and those before it, of a time that is not earlier by the duration or more. So they are in pandas:
//! `rolling(…, closed="left", min_periods=1)`, and `closed="right"`. At the start of a group windows are shorter.
//! Missing values (null or NaN) are in no figure.
//!
//! In `by` nulls are equal to each other, as are the zeros and the NaNs of floats; a null in `order_by` is an error,
//! and so is an infinite value in a window.
//!
//! Reads the columns that the params name, but those of lags. Sorts like `std:sort-rows`, with keys, figures and row
//! numbers in scratch, and holds the rows of the longest window. Deterministic; asks for no capabilities.

mod groups;
mod params;
mod window;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, UInt64Builder};
use arrow_array::{Array, ArrayRef, Float64Array, UInt64Array};
use arrow_schema::{DataType, Field};
use pinion_models::{is_number, numbers};
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Outputs, Result, Scratch, Shape, Shapes, Table, TableWriter,
    WholeTable, context,
};
use pinion_tables::key::Order;
use pinion_tables::{MEMORY_BYTES, Sorter};
use pinion_values::{Column, Value};

use crate::groups::Groups;
use crate::params::{Extent, Feature, Function, Params};
use crate::window::{Row, Window};

struct WindowFeatures;

impl WholeTable for WindowFeatures {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Adds lags and figures of what came before each row, within groups.")
            .input("rows", "The rows to add features to.")
            .output(
                "rows",
                "The same rows in the same order, with a column for each feature.",
            )
            .same_rows_as("rows")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let added = params.check(rows)?;
        let lagged = |name: &str| {
            let feature = params.features.get(name)?;
            feature.lag().and(feature.column.clone())
        };
        Ok(vec![
            Shape::table("rows", rows.with(added))
                .passes(rows, &[])
                .looks_up(rows, lagged),
        ])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        add(rows, params, MEMORY_BYTES, outputs.table("rows")?)
    }
}

pinion_sdk::export!(WindowFeatures: WholeTable);

/// Writes `rows` with the features, holding about `memory` bytes of keys.
fn add(rows: &Table, params: &Params, memory: usize, to: &mut TableWriter) -> Result<()> {
    let mut pass = Pass::new(rows, params)?;
    let row_number = Field::new("row", DataType::UInt64, false);
    // By row number, where in the order the row stands.
    let mut places = Sorter::new(&[(&row_number, Order::default())], memory)?;
    in_order(rows, params, memory, |numbers| {
        let numbers = UInt64Array::from(numbers);
        pass.add(&numbers)?;
        places.push(&[Arc::new(numbers)])
    })?;
    let features = pass.figures.seal();
    let mut batches = rows.batches().filter(|batch| batch.rows() > 0);
    let mut batch = batches.next();
    let mut held: Vec<u64> = Vec::new();
    places.finish(|_, place| {
        held.push(place);
        match batch.take() {
            Some(full) if full.rows() == held.len() as u64 => {
                let places = UInt64Array::from(std::mem::take(&mut held));
                to.write(&joined(rows, params, &full, &features.take(&places)?)?)?;
                batch = batches.next();
            }
            other => batch = other,
        }
        Ok(())
    })
}

/// Hands over the numbers of the rows in order, at most as many at once as a batch has rows.
fn in_order(
    rows: &Table,
    params: &Params,
    memory: usize,
    mut each: impl FnMut(Vec<u64>) -> Result<()>,
) -> Result<()> {
    let names = params.by.iter().chain([&params.order_by]);
    let names: Vec<&String> = names.collect();
    let fields = names.iter().map(|name| rows.field(name));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let by: Vec<_> = fields
        .iter()
        .map(|field| (field.as_ref(), Order::default()))
        .collect();
    let mut sorter = Sorter::new(&by, memory)?;
    for batch in rows.batches() {
        let columns = names.iter().map(|name| batch.array(name));
        sorter.push(&columns.collect::<Result<Vec<_>>>()?)?;
    }
    let most = context::batch_rows().max(1) as usize;
    let mut held = Vec::with_capacity(most);
    sorter.finish(|_, row| {
        held.push(row);
        match held.len() == most {
            true => each(std::mem::replace(&mut held, Vec::with_capacity(most))),
            false => Ok(()),
        }
    })?;
    match held.is_empty() {
        true => Ok(()),
        false => each(held),
    }
}

/// The pass over the rows in their order.
struct Pass<'a> {
    rows: &'a Table,
    params: &'a Params,
    groups: Groups,
    /// Rows of the group so far.
    position: u64,
    /// The windows there are, with the column whose values are in them.
    windows: Vec<(Option<&'a str>, Extent, Window)>,
    /// Of each feature the window it is of; none for a lag.
    of: Vec<Option<usize>>,
    /// Numbers of the last rows of the group, the last one first, as many as the longest lag needs.
    recent: VecDeque<u64>,
    longest: usize,
    /// For each row, in order, the figures of windows, and of lags the number of the row that has the value.
    figures: Scratch,
}

impl<'a> Pass<'a> {
    fn new(rows: &'a Table, params: &'a Params) -> Result<Self> {
        let mut windows: Vec<(Option<&str>, Extent, Window)> = Vec::new();
        let mut of = Vec::with_capacity(params.features.len());
        for (name, feature) in &params.features {
            let column = feature.column.as_deref();
            of.push(feature.extent(name)?.map(|extent| {
                let known = |window: &(Option<&str>, Extent, Window)| {
                    (window.0, window.1) == (column, extent)
                };
                windows.iter().position(known).unwrap_or_else(|| {
                    windows.push((column, extent, Window::new(extent, params.include_current)));
                    windows.len() - 1
                })
            }));
        }
        let lags = params.features.values().filter_map(Feature::lag);
        Ok(Pass {
            rows,
            params,
            groups: Groups::new(rows, &params.by)?,
            position: 0,
            windows,
            of,
            recent: VecDeque::new(),
            longest: lags.max().unwrap_or(0) as usize,
            figures: Scratch::new(),
        })
    }

    /// Adds the rows with these numbers, which come next.
    fn add(&mut self, numbers: &UInt64Array) -> Result<()> {
        let batch = self.rows.take(numbers)?;
        let times = self.times(&batch, numbers)?;
        let values = self
            .windows
            .iter()
            .map(|(column, ..)| values(&batch, *column));
        let values = values.collect::<Result<Vec<_>>>()?;
        let begins = self.groups.begins(&batch)?;
        let mut made: Vec<Made> = self
            .params
            .features
            .values()
            .map(|feature| Made::new(feature.function))
            .collect();
        for at in 0..numbers.len() {
            if begins.get(at).copied().unwrap_or(false) {
                self.position = 0;
                self.recent.clear();
                self.windows
                    .iter_mut()
                    .for_each(|(.., window)| window.clear());
            }
            let row = Row {
                position: self.position,
                time: times.get(at).copied().unwrap_or_default(),
            };
            for ((.., window), values) in self.windows.iter_mut().zip(&values) {
                window.begin(row, values.of(at));
            }
            let features = self.params.features.values().zip(&self.of);
            for ((feature, of), made) in features.zip(&mut made) {
                match (made, of.and_then(|of| self.windows.get(of))) {
                    (Made::Rows(rows), _) => {
                        let back = feature.lag().and_then(|lag| lag.checked_sub(1));
                        let lag = back.and_then(|back| self.recent.get(back as usize));
                        rows.append_option(lag.copied());
                    }
                    (Made::Counts(counts), Some((.., window))) => {
                        let count = window.figure(Function::Count).unwrap_or_default();
                        counts.append_value(count as i64);
                    }
                    (Made::Figures(figures), Some((.., window))) => {
                        figures.append_option(window.figure(feature.function));
                    }
                    (_, None) => return Err(Error::new("bad-step", "a window is missing")),
                }
            }
            for ((.., window), values) in self.windows.iter_mut().zip(&values) {
                window.end(row, values.of(at));
            }
            self.recent.push_front(numbers.value(at));
            self.recent.truncate(self.longest);
            self.position += 1;
        }
        let columns = self.params.features.keys().zip(made);
        let columns = columns.map(|(name, made)| made.finish(name));
        self.figures
            .write(&Batch::new(numbers.len(), columns.collect())?)
    }

    /// The time of each row, if a window asks for it. Refuses rows without.
    fn times(&self, batch: &Batch, numbers: &UInt64Array) -> Result<Vec<i128>> {
        let name = &self.params.order_by;
        let array = batch.array(name)?;
        let nulls = array.logical_nulls();
        if let Some(at) = nulls.and_then(|nulls| nulls.iter().position(|is_valid| !is_valid)) {
            let message = format!("a row has no value in column `{name}`");
            return Err(Error::new("missing-values", message)
                .with("column", name)
                .with("row", numbers.value(at))
                .with("hint", "drop such rows with `std:filter-rows`"));
        }
        let needs =
            |window: &(Option<&str>, Extent, Window)| matches!(window.1, Extent::Nanoseconds(_));
        if !self.windows.iter().any(needs) {
            return Ok(Vec::new());
        }
        let column = Column::new(name, &array)?;
        let time = |at| match column.value(at) {
            Some(Value::Integer(nanoseconds)) => Ok(nanoseconds),
            _ => Err(Error::bad_data(format!(
                "column `{name}` has a value that is no time"
            ))),
        };
        (0..array.len()).map(time).collect()
    }
}

/// The values of a column that go into a window.
enum Values {
    /// Numbers.
    Numbers(Float64Array),
    /// Of another type, of which it only counts whether they are there.
    Others(Vec<bool>),
    /// Rows.
    Rows,
}

fn values(batch: &Batch, column: Option<&str>) -> Result<Values> {
    let Some(name) = column else {
        return Ok(Values::Rows);
    };
    let array = batch.array(name)?;
    if !is_number(array.data_type()) {
        let nulls = array.logical_nulls();
        let is_there = |row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        return Ok(Values::Others((0..array.len()).map(is_there).collect()));
    }
    let numbers = numbers(name, &array)?;
    match numbers.iter().flatten().find(|value| value.is_infinite()) {
        Some(value) => Err(Error::new(
            "not-finite",
            format!("column `{name}` has an infinite value"),
        )
        .with("column", name)
        .with("found", value)),
        None => Ok(Values::Numbers(numbers)),
    }
}

impl Values {
    fn of(&self, row: usize) -> Option<f64> {
        match self {
            Values::Numbers(numbers) => numbers.is_valid(row).then(|| numbers.value(row)),
            Values::Others(there) => there.get(row).is_some_and(|there| *there).then_some(1.0),
            Values::Rows => Some(1.0),
        }
    }
}

/// The column of a feature as it is made.
enum Made {
    Rows(UInt64Builder),
    Counts(Int64Builder),
    Figures(Float64Builder),
}

impl Made {
    fn new(function: Function) -> Self {
        match function {
            Function::Lag => Made::Rows(UInt64Builder::new()),
            Function::Count => Made::Counts(Int64Builder::new()),
            _ => Made::Figures(Float64Builder::new()),
        }
    }

    fn finish(self, name: &str) -> (Field, ArrayRef) {
        let (array, nullable): (ArrayRef, _) = match self {
            Made::Rows(mut rows) => (Arc::new(rows.finish()), true),
            Made::Counts(mut counts) => (Arc::new(counts.finish()), false),
            Made::Figures(mut figures) => (Arc::new(figures.finish()), true),
        };
        (Field::new(name, array.data_type().clone(), nullable), array)
    }
}

/// A batch of rows with its features.
fn joined(rows: &Table, params: &Params, batch: &Batch, features: &Batch) -> Result<Batch> {
    let mut joined = batch.duplicate()?;
    for (name, feature) in &params.features {
        joined = match (&feature.column, feature.function) {
            (Some(column), Function::Lag) => {
                let lagged: UInt64Array = features.column(name)?;
                let lagged = rows.take(&lagged)?.select(&[column])?;
                joined.zip(&lagged.rename(column, name)?)?
            }
            (_, function) => {
                let figures = features.array(name)?;
                let nullable = function != Function::Count;
                let field = Field::new(name, figures.data_type().clone(), nullable);
                joined.with_columns(vec![(field, figures)])?
            }
        };
    }
    Ok(joined)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
