//! Rows of the right table by their key.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::BuildHasherDefault;

use pinion_sdk::{Error, Result, Table};
use pinion_values::{Column, write_key};

/// Rows by key. Rows with the same key are a chain in their order, so that nothing is allocated for a
/// row beyond its key. The map's order is never asked for.
#[derive(Default)]
pub(crate) struct Index {
    chains: HashMap<Box<[u8]>, Chain, BuildHasherDefault<DefaultHasher>>,
    /// By row, the next row with the same key.
    next: Vec<Option<u64>>,
}

struct Chain {
    first: u64,
    last: u64,
}

impl Index {
    /// Reads the columns `keys` of `table`, and no others. Rows with a null in a key are left out.
    ///
    /// # Errors
    /// - `missing-column`, or `wrong-type` for a column that cannot be a key.
    /// - `duplicate-key` if two rows have the same key and `unique` says that none may.
    pub(crate) fn new(table: &Table, keys: &[&str], unique: bool) -> Result<Self> {
        let mut index = Self::default();
        let mut key = Vec::new();
        for batch in table.batches() {
            let arrays = keys
                .iter()
                .map(|name| batch.array(name))
                .collect::<Result<Vec<_>>>()?;
            let columns = keys
                .iter()
                .zip(&arrays)
                .map(|(name, array)| Column::new(name, array))
                .collect::<Result<Vec<_>>>()?;
            for row in 0..batch.rows() as usize {
                let number = index.next.len() as u64;
                index.next.push(None);
                if !write_key(&columns, row, &mut key) {
                    continue;
                }
                if let Some(first) = index.insert(&key, number)
                    && unique
                {
                    let shown: Vec<String> = keys
                        .iter()
                        .zip(&columns)
                        .map(|(name, column)| format!("{name} = {}", column.show(row)))
                        .collect();
                    return Err(Error::new(
                        "duplicate-key",
                        "two rows at port `right` have the same key",
                    )
                    .with("key", shown.join(", "))
                    .with("rows", format!("{first} and {number}")));
                }
            }
        }
        Ok(index)
    }

    /// The rows with `key`, in order.
    pub(crate) fn rows(&self, key: &[u8]) -> impl Iterator<Item = u64> {
        let first = self.chains.get(key).map(|chain| chain.first);
        std::iter::successors(first, |row| self.next.get(*row as usize).copied().flatten())
    }

    /// Adds `row`; gives the first row with the same key, if there is one.
    fn insert(&mut self, key: &[u8], row: u64) -> Option<u64> {
        match self.chains.entry(key.into()) {
            Entry::Vacant(entry) => {
                entry.insert(Chain {
                    first: row,
                    last: row,
                });
                None
            }
            Entry::Occupied(mut entry) => {
                let chain = entry.get_mut();
                if let Some(next) = self.next.get_mut(chain.last as usize) {
                    *next = Some(row);
                }
                chain.last = row;
                Some(chain.first)
            }
        }
    }
}
