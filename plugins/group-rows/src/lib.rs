//! Computes figures of groups of rows, however many groups there are.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types; keys as below |
//! | out `groups` | table | `(n_groups, n_by + n_aggregates)`: the columns `by`, then the aggregates by name |
//!
//! ```toml
//! params = { by = ["carrier"], aggregates = { flights = { function = "count" }, mean_delay = { column = "delay", function = "mean" } } }
//! ```
//!
//! Groups are in ascending order of their keys, nulls last. Keys are of every type but nested ones and
//! intervals; nulls are equal to each other, and so are the zeros and the NaNs of floats.
//!
//! As in SQL, nulls are ignored in an aggregate, and one of no values is null, a count 0.
//!
//! | function | of | type |
//! |---|---|---|
//! | `count` | anything; rows if there is no `column` | `int64` |
//! | `count-distinct` | what can be a key | `int64`; exact, equal as keys are |
//! | `sum` | integers | `int64`, or `uint64` of unsigned ones; exact, `overflow` if it does not fit |
//! | `sum` | decimals | `decimal128` of 38 digits; exact, `overflow` if it does not fit |
//! | `sum` | floats | `float64`; compensated, added in the order of the rows |
//! | `mean` | numbers | `float64`: the sum, divided by the count |
//! | `min`, `max` | what can be a key | as it is; NaN is greater than every number |
//! | `first`, `last` | anything | as it is; in the order of the rows |
//!
//! Reads the columns that the params name. Holds groups in memory as long as they take less than
//! [`MEMORY_BYTES`]; if there are more, sorts the rows by their keys in scratch, with the same result.
//! Deterministic; asks for no capabilities.

mod marks;
mod output;
mod params;
mod state;

use std::collections::BTreeMap;

use arrow_array::{ArrayRef, UInt64Array};
use arrow_schema::FieldRef;
use pinion_sdk::{
    Batch, Descriptor, Inputs, Outputs, Result, Shape, Shapes, Table, TableWriter, WholeTable,
    context,
};
use pinion_tables::key::{self, Encoder, Order};
use pinion_tables::{KeyMap, MEMORY_BYTES, Sorter};

use marks::Marks;
use output::Output;
use params::Params;
use state::State;

struct GroupRows;

impl WholeTable for GroupRows {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Computes figures of groups of rows.")
            .input("rows", "The rows to group.")
            .output(
                "groups",
                "One row for each group, in the order of the keys.",
            )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        params.check()?;
        let rows = inputs.table("rows")?;
        let mut fields: Vec<FieldRef> = Vec::new();
        for name in &params.by {
            let field = rows.field(name)?;
            key::check(field)?;
            fields.push(field.clone().into());
        }
        for (name, aggregate) in &params.aggregates {
            let column = aggregate.column.as_deref();
            let column = column.map(|column| rows.field(column)).transpose()?;
            let state = State::new(name, aggregate, column)?;
            fields.push(state.output().clone().into());
        }
        Ok(vec![Shape::table("groups", fields)])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        group(rows, params, MEMORY_BYTES, outputs.table("groups")?)
    }
}

/// Writes the groups of `rows`, held within about `memory` bytes.
fn group(rows: &Table, params: &Params, memory: usize, to: &mut TableWriter) -> Result<()> {
    let keys = params
        .by
        .iter()
        .map(|name| rows.field(name))
        .collect::<Result<Vec<_>>>()?;
    let mut output = Output {
        rows,
        by: params.by.iter().map(String::as_str).collect(),
        to,
    };
    if !in_memory(rows, params, &keys, memory, &mut output)? {
        sorted(rows, params, &keys, memory, &mut output)?;
    }
    Ok(())
}

fn states(rows: &Table, params: &Params) -> Result<Vec<State>> {
    let state = |(name, aggregate): (&String, &params::Aggregate)| {
        let column = aggregate.column.as_deref();
        let field = column.map(|column| rows.field(column)).transpose()?;
        State::new(name, aggregate, field.as_deref())
    };
    params.aggregates.iter().map(state).collect()
}

/// Adds rows of `batch`, of the groups `ids` and the numbers `numbers`, to all states.
fn update(
    states: &mut [State],
    groups: usize,
    ids: &[u32],
    numbers: &[u64],
    batch: &Batch,
) -> Result<()> {
    let mut columns: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for state in states {
        let values = match &state.column {
            None => None,
            Some(name) => {
                if !columns.contains_key(name) {
                    columns.insert(name.clone(), batch.array(name)?);
                }
                columns.get(name)
            }
        };
        state.update(groups, ids, numbers, values)?;
    }
    Ok(())
}

/// Groups by a table of all keys. False, and nothing is written, if that outgrows the memory.
fn in_memory(
    rows: &Table,
    params: &Params,
    keys: &[FieldRef],
    memory: usize,
    output: &mut Output<'_>,
) -> Result<bool> {
    let encoder = Encoder::new(keys.iter().map(|field| (field.as_ref(), Order::default())))?;
    let mut states = states(rows, params)?;
    let mut map = KeyMap::new(encoder.makes_words());
    // The number of each group's first row.
    let mut firsts = Vec::new();
    let mut ids = Vec::new();
    let mut start = 0;
    for batch in rows.batches() {
        let columns = params
            .by
            .iter()
            .map(|name| batch.array(name))
            .collect::<Result<Vec<_>>>()?;
        map.insert(&encoder.encode(&columns)?, &mut ids);
        let numbers: Vec<u64> = (start..start + batch.rows()).collect();
        start += batch.rows();
        for (id, number) in ids.iter().zip(&numbers) {
            if *id as usize == firsts.len() {
                firsts.push(*number);
            }
        }
        update(&mut states, map.len(), &ids, &numbers, &batch)?;
        let held = states.iter().map(State::bytes).sum::<usize>();
        if map.bytes() + 8 * firsts.capacity() + held > memory {
            return Ok(false);
        }
    }
    for ids in map.sorted().chunks(batch_rows()) {
        output.write(&firsts, &states, ids)?;
    }
    Ok(true)
}

/// Groups by sorting: rows come in the order of their keys, and those of one group in their own.
fn sorted(
    rows: &Table,
    params: &Params,
    keys: &[FieldRef],
    memory: usize,
    output: &mut Output<'_>,
) -> Result<()> {
    let by: Vec<_> = keys
        .iter()
        .map(|field| (field.as_ref(), Order::default()))
        .collect();
    let mut sorter = Sorter::new(&by, memory)?;
    for batch in rows.batches() {
        let columns = params
            .by
            .iter()
            .map(|name| batch.array(name))
            .collect::<Result<Vec<_>>>()?;
        sorter.push(&columns)?;
    }
    let mut states = states(rows, params)?;
    for state in states.iter_mut().filter(|state| state.wants_marks()) {
        let column = rows.field(state.column.as_deref().unwrap_or_default())?;
        state.mark(Marks::new(rows, keys, &column, memory)?);
    }
    let mut stream = Stream {
        rows,
        states,
        firsts: Vec::new(),
        ids: Vec::new(),
        numbers: Vec::new(),
        batch_rows: batch_rows(),
        output,
    };
    sorter.finish_groups(|is_new, row| stream.push(is_new, row))?;
    stream.finish()
}

/// Groups whose rows come one after the other.
struct Stream<'a, 'b> {
    rows: &'a Table,
    states: Vec<State>,
    /// The number of each group's first row.
    firsts: Vec<u64>,
    /// Groups and numbers of rows that are not yet in the states.
    ids: Vec<u32>,
    numbers: Vec<u64>,
    /// Asked once: a call for every row takes longer than the row.
    batch_rows: usize,
    output: &'a mut Output<'b>,
}

impl Stream<'_, '_> {
    /// Adds a row, which begins a group or belongs to the last one.
    fn push(&mut self, is_new: bool, row: u64) -> Result<()> {
        if is_new {
            self.firsts.push(row);
        }
        self.ids.push(self.firsts.len() as u32 - 1);
        self.numbers.push(row);
        if self.numbers.len() < self.batch_rows {
            return Ok(());
        }
        self.update()?;
        // Rows of the last group may follow.
        let complete = self.firsts.len() - 1;
        if complete >= self.batch_rows {
            self.write(complete)?;
            self.firsts.drain(..complete);
            self.states.iter_mut().for_each(State::keep_last);
        }
        Ok(())
    }

    fn update(&mut self) -> Result<()> {
        let numbers = UInt64Array::from(std::mem::take(&mut self.numbers));
        let batch = self.rows.take(&numbers)?;
        let groups = self.firsts.len();
        update(
            &mut self.states,
            groups,
            &self.ids,
            numbers.values(),
            &batch,
        )?;
        self.ids.clear();
        Ok(())
    }

    fn write(&mut self, groups: usize) -> Result<()> {
        let ids: Vec<u32> = (0..groups as u32).collect();
        ids.chunks(self.batch_rows)
            .try_for_each(|ids| self.output.write(&self.firsts, &self.states, ids))
    }

    fn finish(mut self) -> Result<()> {
        self.update()?;
        self.write(self.firsts.len())
    }
}

/// Rows of a batch.
fn batch_rows() -> usize {
    context::batch_rows().max(1) as usize
}

pinion_sdk::export!(GroupRows: WholeTable);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
