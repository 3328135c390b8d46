//! Splits rows into parts for learning, so that no group is in two parts and the parts have exact sizes.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types; group columns as below |
//! | out `train`, `validation`, `test` | tables | the rows of each part, in their order |
//!
//! ```toml
//! params = { by = ["patient"], weights = { train = 0.7, validation = 0.15, test = 0.15 } }
//! ```
//!
//! Groups are put into a random order, and laid end to end they are cut where the weights say, like
//! scikit-learn's `GroupShuffleSplit`: a group goes to the part where its middle lies. With
//! `count = "groups"` all groups are equally long, and each part has its share of them, rounded; with
//! `count = "rows"` a group is as long as it has rows, and no cut is further from where the weights say than
//! half the group there has rows. Since the cuts depend on all groups, a group may change its part when rows
//! are appended; with `split-by-hash` none ever does.
//!
//! The order of groups is that of their hashes: XXH64 over the bytes that [`pinion_tables::split`] promises
//! for the columns `by` in turn, with the seed. So it depends neither on the order of the rows nor on how the
//! table is cut. Of a billion groups two have the same hash with a probability of 3 %; they would count as
//! one. Group columns are booleans, numbers, text, bytes, dates or timestamps; the nulls of a column are all
//! the same value.
//!
//! A whole-table step: one pass finds the sizes of all groups, a second one splits. Reads the columns `by`
//! only. Holds at most [`MEMORY_BYTES`] of hashes, and lays the rest aside in scratch. Deterministic; asks for
//! no capabilities.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt64Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Descriptor, Inputs, Outputs, Result, Shape, Shapes, Table, WholeTable, context};
use pinion_tables::key::Order;
use pinion_tables::split::{self, Ends, PARTS, Weights};
use pinion_tables::{MEMORY_BYTES, RunWriter, Sorter};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a group is, and how large the parts are.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The columns whose values make a group.
    by: Vec<String>,
    /// How much goes to each part, in whatever unit: `{ train = 0.8, test = 0.2 }` or `{ train = 4, test = 1 }`.
    weights: Weights,
    /// What the weights are shares of: `groups` or `rows`. `groups` unless given.
    #[serde(default)]
    count: Count,
    /// Which order of groups: any number. Unless given, it follows from the pipeline's seed, this step's
    /// params and its component.
    seed: Option<u64>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Count {
    /// Every group is one.
    #[default]
    Groups,
    /// A group is as many as it has rows.
    Rows,
}

struct SplitByGroup;

impl WholeTable for SplitByGroup {
    type Params = Params;

    fn describe() -> Descriptor {
        let summary = "Splits rows into parts of exact sizes, and no group in two parts.";
        split::with_parts(
            Descriptor::new(summary).input("rows", "Any table with the group columns."),
        )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        split::check_names(&params.by)?;
        params.weights.ends()?;
        let rows = inputs.table("rows")?;
        for name in &params.by {
            split::check(name, rows.field(name)?.data_type())?;
        }
        let part = |part| Shape::table(part, rows.fields().to_vec()).passes(rows, &[]);
        Ok(PARTS.map(part).into())
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        let rows = inputs.table("rows")?;
        let seed = params.seed.unwrap_or_else(|| context::seed(0));
        let ends = cut(rows, params, seed, MEMORY_BYTES)?;
        for batch in rows.batches() {
            let hashes = split::hashes(&batch, &params.by, seed)?;
            for part in ends.split(&batch, &hashes)? {
                outputs.table(&part.port)?.write(&part.rows)?;
            }
        }
        Ok(())
    }
}

/// Where parts end among the hashes of groups, of which about `memory` bytes are held.
fn cut(rows: &Table, params: &Params, seed: u64, memory: usize) -> Result<Ends> {
    let ends = params.weights.ends()?;
    let field = Field::new("hash", DataType::UInt64, false);
    let mut sorter = Sorter::new(&[(&field, Order::default())], memory)?;
    for batch in rows.batches() {
        let hashes = split::hashes(&batch, &params.by, seed)?;
        let hashes: ArrayRef = Arc::new(UInt64Array::from(hashes));
        sorter.push(&[hashes])?;
    }
    let groups = Groups::count(sorter, params.count)?;
    // The first hash of each part but the first.
    let mut starts = [None; PARTS.len() - 1];
    let mut before = 0;
    for block in groups.sizes.batches() {
        let hashes: UInt64Array = block.column("key")?;
        let sizes: UInt64Array = block.column("row")?;
        for (hash, size) in hashes.values().iter().zip(sizes.values()) {
            // In halves of 2^-64 of the whole, so that it is exact.
            let middle = (2 * u128::from(before) + u128::from(*size)) << 63;
            before += size;
            for start in &mut starts[..ends.part_at(middle, groups.total)] {
                start.get_or_insert(*hash);
            }
        }
    }
    Ok(starts.into())
}

/// The groups of a table.
struct Groups {
    /// Their hashes in ascending order, as `key`, and how long each is, as `row`.
    sizes: Table,
    /// The sum of the sizes.
    total: u64,
}

impl Groups {
    fn count(hashes: Sorter, count: Count) -> Result<Self> {
        let mut sizes = RunWriter::<UInt64Array>::default();
        let mut total = 0;
        let mut last: Option<(u64, u64)> = None;
        let mut end = |group: Option<(u64, u64)>| {
            let Some((hash, rows)) = group else {
                return Ok(());
            };
            let size = match count {
                Count::Groups => 1,
                Count::Rows => rows,
            };
            total += size;
            sizes.push(hash, size)
        };
        hashes.finish(|key, _| {
            let Some(hash) = key.word() else {
                return Ok(());
            };
            if let Some((_, rows)) = last.as_mut().filter(|(same, _)| *same == hash) {
                *rows += 1;
                return Ok(());
            }
            end(last.replace((hash, 1)))
        })?;
        end(last)?;
        Ok(Self {
            sizes: sizes.finish()?,
            total,
        })
    }
}

pinion_sdk::export!(SplitByGroup: WholeTable);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
