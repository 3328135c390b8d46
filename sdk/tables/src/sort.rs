//! Rows in the order of their keys, however many there are.

use arrow_array::{Array, ArrayRef, BinaryArray, UInt64Array};
use arrow_schema::Field;
use pinion_sdk::Result;

use crate::key::{Encoder, KeyValues, Order};
use crate::runs::{RunWriter, Runs};

/// Sorts rows by their keys; those with the same key stay in their order.
///
/// Holds keys and row numbers up to a number of bytes, then lays them aside as a sorted run.
pub struct Sorter {
    encoder: Encoder,
    memory: usize,
    /// Rows pushed so far: the number of the next row.
    rows: u64,
    held: Held,
}

enum Held {
    Words(Words),
    Bytes(Bytes),
}

/// The key of a row as the sorter hands it over, to be compared with the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// A null, of a single column.
    Null,
    /// Of one column of fixed width.
    Word(u64),
    /// Of anything else.
    Bytes(&'a [u8]),
}

impl Key<'_> {
    /// The word, if it is one.
    #[must_use]
    pub fn word(self) -> Option<u64> {
        match self {
            Self::Word(word) => Some(word),
            Self::Null | Self::Bytes(_) => None,
        }
    }
}

impl Sorter {
    /// Sorts by columns with these fields, compared in turn, within about `memory` bytes.
    ///
    /// # Errors
    /// `wrong-type` for a type without an order.
    pub fn new(columns: &[(&Field, Order)], memory: usize) -> Result<Self> {
        let encoder = Encoder::new(columns.iter().copied())?;
        let held = if encoder.makes_words() {
            Held::Words(Words {
                nulls_first: columns.first().is_some_and(|(_, order)| order.nulls_first),
                ..Words::default()
            })
        } else {
            Held::Bytes(Bytes::default())
        };
        Ok(Self {
            encoder,
            memory,
            rows: 0,
            held,
        })
    }

    /// Adds the keys of the rows that come next.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let keys = self.encoder.encode(columns)?;
        let first = self.rows;
        self.rows += keys.len() as u64;
        match (&mut self.held, keys.values) {
            (Held::Words(held), KeyValues::Words(words)) => {
                let rows = words.iter().copied().zip(first..);
                match keys.nulls {
                    None => held.keys.extend(rows),
                    Some(nulls) => {
                        for (entry, is_valid) in rows.zip(nulls.iter()) {
                            match is_valid {
                                true => held.keys.push(entry),
                                false => held.nulls.push((0, entry.1)),
                            }
                        }
                    }
                }
                if size_of::<(u64, u64)>() * (held.keys.len() + held.nulls.len()) >= self.memory {
                    held.spill()?;
                }
            }
            (Held::Bytes(held), KeyValues::Bytes(bytes)) => {
                held.push(first, bytes);
                if held.bytes >= self.memory {
                    held.spill()?;
                }
            }
            _ => unreachable!("the encoder makes keys of one form"),
        }
        Ok(())
    }

    /// Hands over the key and the number of every row, in order.
    ///
    /// # Errors
    /// What the host or `each` refuses.
    pub fn finish(self, mut each: impl FnMut(Key<'_>, u64) -> Result<()>) -> Result<()> {
        match self.held {
            Held::Words(held) => held.finish(each),
            Held::Bytes(held) => held.finish(|key, row| each(Key::Bytes(key), row)),
        }
    }

    /// Hands over the number of every row, in order, and whether its key differs from that of the row
    /// before it.
    ///
    /// # Errors
    /// What the host or `each` refuses.
    pub fn finish_groups(self, mut each: impl FnMut(bool, u64) -> Result<()>) -> Result<()> {
        let (mut last, mut last_bytes) = (None, Vec::new());
        self.finish(|key, row| {
            let is_new = match key {
                Key::Bytes(bytes) => last.is_none() || bytes != last_bytes.as_slice(),
                key => last != Some(key.word()),
            };
            if is_new {
                last = Some(key.word());
                if let Key::Bytes(bytes) = key {
                    last_bytes.clear();
                    last_bytes.extend_from_slice(bytes);
                }
            }
            each(is_new, row)
        })
    }
}

/// Keys of one column of fixed width. Nulls lie apart: they need no sorting.
#[derive(Default)]
struct Words {
    keys: Vec<(u64, u64)>,
    nulls: Vec<(u64, u64)>,
    nulls_first: bool,
    runs: Runs<UInt64Array>,
    null_runs: Runs<UInt64Array>,
}

impl Words {
    fn spill(&mut self) -> Result<()> {
        self.keys.sort_unstable();
        for (held, runs) in [
            (&mut self.keys, &mut self.runs),
            (&mut self.nulls, &mut self.null_runs),
        ] {
            let mut run = RunWriter::default();
            held.drain(..)
                .try_for_each(|(key, row)| run.push(key, row))?;
            runs.add(run)?;
        }
        Ok(())
    }

    fn finish(mut self, mut each: impl FnMut(Key<'_>, u64) -> Result<()>) -> Result<()> {
        if !self.runs.is_empty() {
            self.spill()?;
        }
        self.keys.sort_unstable();
        let mut all = [
            (self.keys, self.runs, false),
            (self.nulls, self.null_runs, true),
        ];
        if self.nulls_first {
            all.reverse();
        }
        for (held, runs, are_nulls) in all {
            let mut each = |word, row| match are_nulls {
                true => each(Key::Null, row),
                false => each(Key::Word(word), row),
            };
            held.into_iter().try_for_each(|(key, row)| each(key, row))?;
            runs.merge(each)?;
        }
        Ok(())
    }
}

/// Keys of any columns, as bytes.
#[derive(Default)]
struct Bytes {
    /// Keys as they were pushed, with the number of the first row.
    blocks: Vec<(u64, BinaryArray)>,
    entries: Vec<Entry>,
    bytes: usize,
    runs: Runs<BinaryArray>,
}

/// Where a key lies, and its first bytes, which mostly settle the order.
struct Entry {
    prefix: u64,
    block: u32,
    row: u32,
}

impl Bytes {
    fn push(&mut self, first: u64, keys: BinaryArray) {
        // Neither a block of keys nor the blocks in memory are as many as 2^32.
        let block = self.blocks.len() as u32;
        self.bytes += keys.get_buffer_memory_size() + size_of::<Entry>() * keys.len();
        self.entries.extend((0..keys.len()).map(|row| Entry {
            prefix: prefix(keys.value(row)),
            block,
            row: row as u32,
        }));
        self.blocks.push((first, keys));
    }

    /// Hands over what is held, in order, and forgets it.
    fn drain(&mut self, mut each: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        let blocks = std::mem::take(&mut self.blocks);
        let key = |entry: &Entry| blocks[entry.block as usize].1.value(entry.row as usize);
        self.entries.sort_unstable_by(|left, right| {
            let place = |entry: &Entry| (entry.block, entry.row);
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| key(left).cmp(key(right)))
                .then_with(|| place(left).cmp(&place(right)))
        });
        self.bytes = 0;
        self.entries.drain(..).try_for_each(|entry| {
            let (first, _) = blocks[entry.block as usize];
            each(key(&entry), first + u64::from(entry.row))
        })
    }

    fn spill(&mut self) -> Result<()> {
        let mut run = RunWriter::default();
        self.drain(|key, row| run.push(key, row))?;
        self.runs.add(run)
    }

    fn finish(mut self, mut each: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        if self.runs.is_empty() {
            return self.drain(each);
        }
        self.spill()?;
        self.runs.merge(&mut each)
    }
}

/// The first eight bytes as a number in their order.
fn prefix(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(first)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::cmp::Ordering;
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::DataType;
    use proptest::prelude::*;

    use super::*;

    fn compare<T: Ord>(left: &Option<T>, right: &Option<T>, order: Order) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if order.descending => right.cmp(left),
            (Some(left), Some(right)) => left.cmp(right),
            (left, right) => {
                let order = if order.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                };
                match (left, right) {
                    (None, Some(_)) => order,
                    (Some(_), None) => order.reverse(),
                    _ => Ordering::Equal,
                }
            }
        }
    }

    type Row = (Option<i64>, Option<String>);

    /// Row numbers in order, the rows pushed in pieces of `piece`.
    fn sort(
        rows: &[Row],
        columns: usize,
        orders: [Order; 2],
        memory: usize,
        piece: usize,
    ) -> Vec<u64> {
        let fields = [
            Field::new("x", DataType::Int64, true),
            Field::new("y", DataType::Utf8, true),
        ];
        let by: Vec<_> = fields.iter().zip(orders).take(columns).collect();
        let mut sorter = Sorter::new(&by, memory).unwrap();
        for rows in rows.chunks(piece) {
            let x: Int64Array = rows.iter().map(|row| row.0).collect();
            let y: StringArray = rows.iter().map(|row| row.1.clone()).collect();
            let arrays: [ArrayRef; 2] = [Arc::new(x), Arc::new(y)];
            sorter.push(&arrays[..columns]).unwrap();
        }
        let mut sorted = Vec::new();
        sorter
            .finish(|_, row| {
                sorted.push(row);
                Ok(())
            })
            .unwrap();
        sorted
    }

    fn order() -> impl Strategy<Value = Order> {
        any::<(bool, bool)>().prop_map(|(descending, nulls_first)| Order {
            descending,
            nulls_first,
        })
    }

    proptest! {
        /// As a stable sort in memory does, whatever fits into memory and however rows are cut.
        #[test]
        fn sorts_are_stable_sorts(
            rows in prop::collection::vec((prop::option::of(-3..3i64), prop::option::of("[ab]{0,9}")), 0..60),
            columns in 1..3usize,
            orders in [order(), order()],
            memory in prop::sample::select(vec![1, 100, 1000, 1 << 20]),
            piece in 1..20usize,
        ) {
            let mut expected: Vec<u64> = (0..rows.len() as u64).collect();
            expected.sort_by(|left, right| {
                let (left, right) = (&rows[*left as usize], &rows[*right as usize]);
                let first = compare(&left.0, &right.0, orders[0]);
                if columns == 1 { first } else { first.then_with(|| compare(&left.1, &right.1, orders[1])) }
            });
            prop_assert_eq!(sort(&rows, columns, orders, memory, piece), expected);
        }
    }
}
