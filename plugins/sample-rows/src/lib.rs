//! Keeps a random sample of the rows, in their order.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types; the columns `by` as below |
//! | out `rows` | table | the rows of the sample, in their order |
//!
//! ```toml
//! params = { fraction = 0.1 }               # every row with this probability
//! params = { rows = 10_000 }                # as many rows
//! params = { rows = 100, by = ["carrier"] } # as many of each carrier
//! ```
//!
//! Row `n` of a table, counted from 0, has the `n + 1`th number that SplitMix64 gives for a seed. A
//! `fraction` keeps the rows whose number, divided by 2^64, is below it; `rows` keeps those with the smallest
//! numbers. So a sample depends on the seed and on where rows stand in the table, and on nothing else:
//! neither on values, nor on how the table is cut into batches and partitions. Appending rows leaves a
//! sample by `fraction` as it was before them, and a smaller `fraction` of the same `seed` is a sample of
//! the larger.
//!
//! With `by`, rows are drawn from each group on its own, where all values of these columns are equal: as many
//! of each, or `fraction` of its rows, rounded to the nearest whole number, halves up. Which, follows from
//! the same numbers. Group columns are of every type but nested ones and intervals; nulls are equal to each
//! other, and so are the zeros and the NaNs of floats.
//!
//! Reads the columns `by` and no others. Holds at most [`MEMORY_BYTES`] of them, and lays the rest aside in
//! scratch. Deterministic; asks for no capabilities.

mod params;
mod split_mix;

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{
    Batch, Descriptor, Inputs, Outputs, Result, Shape, Shapes, Table, TableWriter, WholeTable,
    context,
};
use pinion_tables::key::{self, Order};
use pinion_tables::{MEMORY_BYTES, RowNumbers, RunWriter, Sorter, TakenRows};

use params::{Params, Size};
use split_mix::SplitMix;

struct SampleRows;

impl WholeTable for SampleRows {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Keeps a random sample of the rows.")
            .input("rows", "Any table.")
            .output("rows", "The rows of the sample, in their order.")
            .same_columns()
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        params.size()?;
        let rows = inputs.table("rows")?;
        for name in params.by.iter().flatten() {
            key::check(rows.field(name)?)?;
        }
        Ok(vec![
            Shape::table("rows", rows.fields().to_vec()).passes(rows, &[]),
        ])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        let numbers = SplitMix::new(params.seed.unwrap_or_else(|| context::seed(0)));
        sample(rows, params, numbers, MEMORY_BYTES, outputs.table("rows")?)
    }
}

/// Writes a sample of `rows`, holding about `memory` bytes of keys.
fn sample(
    rows: &Table,
    params: &Params,
    numbers: SplitMix,
    memory: usize,
    to: &mut TableWriter,
) -> Result<()> {
    let size = params.size()?;
    match (&params.by, size) {
        (Some(by), _) => {
            let by = by
                .iter()
                .map(|name| rows.field(name))
                .collect::<Result<Vec<_>>>()?;
            let mut taken = TakenRows::new(rows, to);
            let chosen = of_groups(rows, &by, size, numbers, memory)?;
            chosen.finish(|row| taken.push(row))?;
            taken.finish()
        }
        (None, Size::Fraction(fraction)) => {
            let end = (fraction * (1u128 << 64) as f64).ceil() as u128;
            write(rows, to, |row| u128::from(numbers.number(row)) < end)
        }
        (None, Size::Rows(0)) => Ok(()),
        (None, Size::Rows(count)) if count >= rows.rows() => write(rows, to, |_| true),
        (None, Size::Rows(count)) => {
            let last = numbers.smallest(count, rows.rows());
            write(rows, to, |row| numbers.number(row) <= last)
        }
    }
}

/// Writes the rows of the numbers that `stays` is true for.
fn write(rows: &Table, to: &mut TableWriter, stays: impl Fn(u64) -> bool) -> Result<()> {
    let mut start = 0;
    for batch in rows.batches() {
        let end = start + batch.rows();
        let mask: BooleanArray = (start..end).map(|row| Some(stays(row))).collect();
        start = end;
        to.write(&batch.filter(&mask)?)?;
    }
    Ok(())
}

/// The rows that are drawn from each group.
///
/// Rows are sorted twice: by group, to know how large each is, and by group and number, to take the first
/// of each. Groups come in the same order both times.
fn of_groups(
    rows: &Table,
    by: &[FieldRef],
    size: Size,
    numbers: SplitMix,
    memory: usize,
) -> Result<RowNumbers> {
    let sizes = group_sizes(rows, by, memory)?;
    let number = Field::new("number", DataType::UInt64, false);
    let mut sorter = Sorter::new(
        &orders(by.iter().map(AsRef::as_ref).chain([&number])),
        memory,
    )?;
    let mut start = 0;
    for batch in rows.batches() {
        let end = start + batch.rows();
        let mut columns = columns(&batch, by)?;
        let drawn: UInt64Array = (start..end).map(|row| Some(numbers.number(row))).collect();
        columns.push(Arc::new(drawn));
        start = end;
        sorter.push(&columns)?;
    }
    let mut chosen = RowNumbers::new(memory)?;
    let mut groups = Groups::new(&sizes);
    let (mut left, mut stay) = (0, 0);
    sorter.finish(|_, row| {
        if left == 0 {
            left = groups.next_size()?;
            stay = size.of(left);
        }
        left -= 1;
        if stay > 0 {
            stay -= 1;
            chosen.push(row)?;
        }
        Ok(())
    })?;
    Ok(chosen)
}

/// The number of rows in each group, in the order of the groups, as a column `key`.
fn group_sizes(rows: &Table, by: &[FieldRef], memory: usize) -> Result<Table> {
    let mut sorter = Sorter::new(&orders(by.iter().map(AsRef::as_ref)), memory)?;
    for batch in rows.batches() {
        sorter.push(&columns(&batch, by)?)?;
    }
    let mut sizes = RunWriter::<UInt64Array>::default();
    let mut size = 0;
    sorter.finish_groups(|is_new, _| {
        if is_new && size > 0 {
            sizes.push(size, 0)?;
            size = 0;
        }
        size += 1;
        Ok(())
    })?;
    if size > 0 {
        sizes.push(size, 0)?;
    }
    sizes.finish()
}

/// Sizes of groups, read one by one.
struct Groups<'a> {
    sizes: &'a Table,
    next_block: u64,
    block: UInt64Array,
    at: usize,
}

impl<'a> Groups<'a> {
    fn new(sizes: &'a Table) -> Self {
        Self {
            sizes,
            next_block: 0,
            block: UInt64Array::from(Vec::<u64>::new()),
            at: 0,
        }
    }

    /// The size of the next group, of which there is one.
    fn next_size(&mut self) -> Result<u64> {
        if self.at == self.block.values().len() {
            self.block = self.sizes.batch(self.next_block).column("key")?;
            self.next_block += 1;
            self.at = 0;
        }
        self.at += 1;
        Ok(self.block.value(self.at - 1))
    }
}

fn orders<'a>(fields: impl Iterator<Item = &'a Field>) -> Vec<(&'a Field, Order)> {
    fields.map(|field| (field, Order::default())).collect()
}

fn columns(batch: &Batch, by: &[FieldRef]) -> Result<Vec<ArrayRef>> {
    by.iter().map(|field| batch.array(field.name())).collect()
}

pinion_sdk::export!(SampleRows: WholeTable);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
