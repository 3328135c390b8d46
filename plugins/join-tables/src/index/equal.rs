//! Rows by their key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pinion_sdk::{Result, Table};

use super::Hasher;
use crate::side::Side;

/// Rows by key. Rows with the same key are a chain in their order, so that nothing is allocated for a
/// row beyond its key. The map's order is never asked for.
#[derive(Default)]
pub(crate) struct Rows {
    chains: HashMap<Box<[u8]>, Chain, Hasher>,
    /// By row, the next row with the same key.
    next: Vec<Option<u64>>,
}

struct Chain {
    first: u64,
    last: u64,
}

impl Rows {
    /// The rows of `table`, and of the rows whose key is taken the first, with the row that took it.
    pub(super) fn new(table: &Table, side: &Side) -> Result<(Self, Option<(u64, u64)>)> {
        let mut rows = Self::default();
        let mut duplicate = None;
        for batch in table.batches() {
            side.each(&batch, |_, place| {
                let number = rows.next.len() as u64;
                rows.next.push(None);
                if let Some(place) = place
                    && let Some(first) = rows.insert(place.key, number)
                {
                    duplicate = duplicate.or(Some((first, number)));
                }
                Ok(())
            })?;
        }
        Ok((rows, duplicate))
    }

    /// The first row with `key`.
    pub(super) fn first(&self, key: &[u8]) -> Option<u64> {
        self.chains.get(key).map(|chain| chain.first)
    }

    /// The next row with the key of `row`.
    pub(super) fn next(&self, row: u64) -> Option<u64> {
        self.next.get(row as usize).copied().flatten()
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
