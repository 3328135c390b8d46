//! Splits rows into parts for learning by a hash of their keys.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, any types; keys as below |
//! | out `train`, `validation`, `test` | tables | the rows of each part, in their order |
//!
//! ```toml
//! params = { by = ["user"], weights = { train = 0.8, test = 0.2 }, salt = "2026-11" }
//! ```
//!
//! Where a row goes follows from its key, the weights and the salt, whatever else is in the table: rows that
//! are appended move no other, and rows with the same key are never apart. Parts are as large as their
//! weights for many different keys; `split-by-group` is for parts of exact sizes. Weights are in the order
//! `train`, `validation`, `test`, and a part that grows takes rows from its neighbours only.
//!
//! A row is in the first part that ends after its hash, where a part ends at 2^64 times the sum of the
//! weights up to it, divided by the sum of all, computed as `float64` and rounded down. Its hash is XXH64 over
//! the bytes that [`pinion_tables::split`] promises for its key columns in turn, seeded with the XXH64 of the
//! salt's UTF-8, whose own seed is 0. Keys are booleans, numbers, text, bytes, dates or timestamps; the
//! nulls of a column are all the same key.
//!
//! Reads the keys only. Deterministic; asks for no capabilities.

use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap};
use pinion_tables::split::{self, Ends, Weights};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which rows stay together, and how large the parts are.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The columns whose values decide: rows where all of them are equal are in one part.
    by: Vec<String>,
    /// How much goes to each part, in whatever unit: `{ train = 0.8, test = 0.2 }` or `{ train = 4, test = 1 }`.
    weights: Weights,
    /// Another text makes another split of the same keys. Empty unless given.
    #[serde(default)]
    salt: String,
}

struct SplitByHash {
    by: Vec<String>,
    ends: Ends,
    seed: u64,
}

impl RowMap for SplitByHash {
    type Params = Params;

    fn describe() -> Descriptor {
        let summary = "Splits rows into parts for learning by a hash of their keys.";
        split::with_parts(Descriptor::new(summary).input("rows", "Any table with the key columns."))
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        split::check_names(&params.by)?;
        Ok(Self {
            ends: params.weights.ends()?,
            seed: split::hash_text(&params.salt),
            by: params.by,
        })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let hashes = split::hashes(rows, &self.by, self.seed)?;
        self.ends.split(rows, &hashes)
    }
}

pinion_sdk::export!(SplitByHash: RowMap);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
