//! Keeps one row for each distinct key.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types; keys as below |
//! | out `rows` | table | the first or last row of each key, in their order |
//!
//! ```toml
//! params = { by = ["carrier", "flight"], keep = "last" }
//! ```
//!
//! Keys are of every type but nested ones and intervals. Nulls are equal to each other, and so are the NaNs
//! of floats, whatever their bits, and the zeros `0.0` and `-0.0`. The row that is kept is not changed: a
//! `-0.0` that comes first stays one.
//!
//! Reads the keys only. Holds distinct keys in memory as long as they take less than [`MEMORY_BYTES`]; if
//! there are more, sorts the rows by their keys in scratch, with the same result. Deterministic; asks for
//! no capabilities.

use arrow_schema::FieldRef;
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, Table, TableWriter,
    WholeTable,
};
use pinion_tables::key::{self, Encoder, Order};
use pinion_tables::split::check_names;
use pinion_tables::{KeyMap, MEMORY_BYTES, RowNumbers, Sorter, TakenRows};
use schemars::JsonSchema;
use serde::Deserialize;

/// What makes rows equal, and which of equal rows stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The columns whose values make a key. All columns unless given.
    by: Option<Vec<String>>,
    /// Which row of a key stays: the `first` or the `last`. `first` unless given.
    #[serde(default)]
    keep: Keep,
}

/// Which row of a key stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Keep {
    /// The one that comes first.
    #[default]
    First,
    /// The one that comes last.
    Last,
}

struct DistinctRows;

impl WholeTable for DistinctRows {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Keeps one row for each distinct key.")
            .input("rows", "Any table with the key columns.")
            .output("rows", "The first or last row of each key.")
            .same_columns()
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let rows = inputs.table("rows")?;
        let field = |name: &String| Ok(FieldRef::from(rows.field(name)?.clone()));
        key_fields(&params, field, || Ok(rows.fields().to_vec()))?;
        Ok(vec![
            Shape::table("rows", rows.fields().to_vec()).passes(rows, &[]),
        ])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        let keys = key_fields(params, |name| rows.field(name), || rows.schema())?;
        let to = outputs.table("rows")?;
        distinct(rows, &keys, params.keep, MEMORY_BYTES, to)
    }
}

/// The key columns, by what is known of one column or of all.
fn key_fields(
    params: &Params,
    field: impl Fn(&String) -> Result<FieldRef>,
    all: impl FnOnce() -> Result<Vec<FieldRef>>,
) -> Result<Vec<FieldRef>> {
    let fields: Vec<FieldRef> = match &params.by {
        Some(by) => {
            check_names(by)?;
            by.iter().map(field).collect::<Result<_>>()?
        }
        None => all()?,
    };
    if fields.is_empty() {
        return Err(Error::bad_params("there is no column to tell rows apart"));
    }
    for field in &fields {
        key::check(field).map_err(|error| match params.by {
            Some(_) => error,
            None => error.with("param", "`by` names the columns that make a key"),
        })?;
    }
    Ok(fields)
}

/// Writes a row of each key, holding about `memory` bytes of keys.
fn distinct(
    rows: &Table,
    keys: &[FieldRef],
    keep: Keep,
    memory: usize,
    to: &mut TableWriter,
) -> Result<()> {
    let mut taken = TakenRows::new(rows, to);
    match in_memory(rows, keys, keep, memory)? {
        Some(kept) => kept.into_iter().try_for_each(|row| taken.push(row))?,
        None => sorted(rows, keys, keep, memory)?.finish(|row| taken.push(row))?,
    }
    taken.finish()
}

/// The rows that stay, in order, found with a table of all keys. None if that outgrows the memory.
fn in_memory(
    rows: &Table,
    keys: &[FieldRef],
    keep: Keep,
    memory: usize,
) -> Result<Option<Vec<u64>>> {
    let encoder = Encoder::new(keys.iter().map(|field| (field.as_ref(), Order::default())))?;
    let mut map = KeyMap::new(encoder.makes_words());
    // The row of each key.
    let mut kept = Vec::new();
    let mut numbers = Vec::new();
    let mut start = 0;
    for batch in rows.batches() {
        map.insert(&encoder.encode(&columns(&batch, keys)?)?, &mut numbers);
        for (number, row) in numbers.iter().zip(start..) {
            match kept.get_mut(*number as usize) {
                None => kept.push(row),
                Some(last) if keep == Keep::Last => *last = row,
                Some(_) => {}
            }
        }
        start += batch.rows();
        if map.bytes() + size_of::<u64>() * kept.capacity() > memory {
            return Ok(None);
        }
    }
    kept.sort_unstable();
    Ok(Some(kept))
}

/// The rows that stay, found by sorting: those of one key come one after the other, in their order.
fn sorted(rows: &Table, keys: &[FieldRef], keep: Keep, memory: usize) -> Result<RowNumbers> {
    let by: Vec<_> = keys
        .iter()
        .map(|field| (field.as_ref(), Order::default()))
        .collect();
    let mut sorter = Sorter::new(&by, memory)?;
    for batch in rows.batches() {
        sorter.push(&columns(&batch, keys)?)?;
    }
    let mut kept = RowNumbers::new(memory)?;
    let mut last = None;
    sorter.finish_groups(|is_new, row| {
        let before = last.replace(row);
        match (keep, before) {
            (Keep::First, _) if is_new => kept.push(row),
            (Keep::Last, Some(before)) if is_new => kept.push(before),
            _ => Ok(()),
        }
    })?;
    if let (Keep::Last, Some(last)) = (keep, last) {
        kept.push(last)?;
    }
    Ok(kept)
}

fn columns(batch: &Batch, keys: &[FieldRef]) -> Result<Vec<arrow_array::ArrayRef>> {
    keys.iter().map(|field| batch.array(field.name())).collect()
}

pinion_sdk::export!(DistinctRows: WholeTable);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
