//! Rows by their key and time.

use std::collections::HashMap;

use pinion_sdk::{Result, Table};

use super::Hasher;
use crate::params::{Direction, Nearest};
use crate::side::{Place, Side};

/// Rows by key and time. The map's order is never asked for.
pub(crate) struct Rows {
    /// The number of each key.
    keys: HashMap<Box<[u8]>, u32, Hasher>,
    /// In the order of their keys' numbers, then of time, then of the table.
    entries: Vec<Entry>,
    direction: Direction,
    allow_exact: bool,
    tolerance: Option<i128>,
}

#[derive(Clone, Copy)]
struct Entry {
    key: u32,
    time: i128,
    row: u64,
}

impl Rows {
    pub(super) fn new(table: &Table, side: &Side, nearest: &Nearest) -> Result<Self> {
        let tolerance = nearest.tolerance(table.field(&nearest.right)?.as_ref())?;
        let mut keys: HashMap<Box<[u8]>, u32, Hasher> = HashMap::default();
        let mut entries = Vec::new();
        let mut start = 0;
        for batch in table.batches() {
            side.each(&batch, |row, place| {
                let Some(Place { key, time }) = place else {
                    return Ok(());
                };
                let key = match keys.get(key) {
                    Some(number) => *number,
                    None => {
                        // There are fewer than 2^32 keys in memory.
                        let number = keys.len() as u32;
                        keys.insert(key.into(), number);
                        number
                    }
                };
                let row = start + row;
                entries.push(Entry { key, time, row });
                Ok(())
            })?;
            start += batch.rows();
        }
        entries.sort_unstable_by_key(|entry| (entry.key, entry.time, entry.row));
        Ok(Self {
            keys,
            entries,
            direction: nearest.direction,
            allow_exact: nearest.allow_exact,
            tolerance,
        })
    }

    /// Of the rows whose key and time are taken the first in the table, with the row that took them.
    pub(super) fn duplicate(&self) -> Option<(u64, u64)> {
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        pairs
            .filter(|(one, next)| (one.key, one.time) == (next.key, next.time))
            .map(|(one, next)| (one.row, next.row))
            .min_by_key(|(_, second)| *second)
    }

    /// The row that matches one at `place`.
    pub(super) fn find(&self, place: Place<'_>) -> Option<u64> {
        let key = *self.keys.get(place.key)?;
        let time = place.time;
        let entry = match self.direction {
            Direction::Backward => self.before(key, time),
            Direction::Forward => self.after(key, time),
            Direction::Nearest => match (self.before(key, time), self.after(key, time)) {
                (Some(before), Some(after)) if after.time - time < time - before.time => {
                    Some(after)
                }
                (before, after) => before.or(after),
            },
        }?;
        // No difference overflows: times are less than 2^96 in size.
        let is_near = |tolerance| (entry.time - time).abs() <= tolerance;
        self.tolerance.is_none_or(is_near).then_some(entry.row)
    }

    /// The last row with `key` that is not later than `time`; of several of one time, the last in the table.
    fn before(&self, key: u32, time: i128) -> Option<Entry> {
        let end = self.entries.partition_point(|entry| {
            let (entry, place) = ((entry.key, entry.time), (key, time));
            entry < place || (self.allow_exact && entry == place)
        });
        let entry = self.entries.get(end.checked_sub(1)?)?;
        (entry.key == key).then_some(*entry)
    }

    /// The first row with `key` that is not earlier than `time`; of several of one time, the first in the table.
    fn after(&self, key: u32, time: i128) -> Option<Entry> {
        let start = self.entries.partition_point(|entry| {
            let (entry, place) = ((entry.key, entry.time), (key, time));
            entry < place || (!self.allow_exact && entry == place)
        });
        let entry = self.entries.get(start)?;
        (entry.key == key).then_some(*entry)
    }
}
