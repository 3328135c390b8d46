//! Sorted runs of keys and row numbers, laid aside and merged.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, UInt64Array};
use arrow_schema::Field;
use pinion_sdk::{Batch, Result, Scratch, Table};

/// Rows and bytes of a block: what is held of every run that is being merged.
const BLOCK_ROWS: usize = 8192;
const BLOCK_BYTES: usize = 256 << 10;

/// Runs that are merged at once.
const FAN_IN: usize = 128;

/// A column of keys in a run.
pub trait RunColumn: Array + Clone + 'static {
    /// One key.
    type Key<'a>: Copy + Ord;
    /// Keys to be written.
    type Block: Default;

    /// The key in `row`.
    fn key(&self, row: usize) -> Self::Key<'_>;

    /// Adds a key to a block and gives its bytes.
    fn push(block: &mut Self::Block, key: Self::Key<'_>) -> usize;

    /// The column that a block becomes.
    fn finish(block: Self::Block) -> Self;
}

impl RunColumn for UInt64Array {
    type Key<'a> = u64;
    type Block = Vec<u64>;

    fn key(&self, row: usize) -> u64 {
        self.values()[row]
    }

    fn push(block: &mut Vec<u64>, key: u64) -> usize {
        block.push(key);
        8
    }

    fn finish(block: Vec<u64>) -> Self {
        block.into()
    }
}

impl RunColumn for BinaryArray {
    type Key<'a> = &'a [u8];
    type Block = arrow_array::builder::BinaryBuilder;

    fn key(&self, row: usize) -> &[u8] {
        self.value(row)
    }

    fn push(block: &mut Self::Block, key: &[u8]) -> usize {
        block.append_value(key);
        key.len() + 4
    }

    fn finish(mut block: Self::Block) -> Self {
        block.finish()
    }
}

/// Runs of keys and row numbers, each in ascending order of both.
pub struct Runs<K> {
    runs: Vec<Table>,
    fan_in: usize,
    keys: PhantomData<K>,
}

impl<K: RunColumn> Default for Runs<K> {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            fan_in: FAN_IN,
            keys: PhantomData,
        }
    }
}

impl<K: RunColumn> Runs<K> {
    /// Whether there is no run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds a run.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn add(&mut self, run: RunWriter<K>) -> Result<()> {
        self.runs.push(run.finish()?);
        Ok(())
    }

    /// Hands over all keys and row numbers in ascending order.
    ///
    /// # Errors
    /// What the host or `each` refuses.
    pub fn merge(mut self, mut each: impl FnMut(K::Key<'_>, u64) -> Result<()>) -> Result<()> {
        while self.runs.len() > self.fan_in {
            let mut merged = RunWriter::default();
            merge::<K>(self.runs.drain(..self.fan_in), &mut |key, row| {
                merged.push(key, row)
            })?;
            self.add(merged)?;
        }
        merge::<K>(self.runs.into_iter(), &mut each)
    }
}

/// Writes one run.
pub struct RunWriter<K: RunColumn> {
    scratch: Scratch,
    keys: K::Block,
    rows: Vec<u64>,
    bytes: usize,
}

impl<K: RunColumn> Default for RunWriter<K> {
    fn default() -> Self {
        Self {
            scratch: Scratch::new(),
            keys: K::Block::default(),
            rows: Vec::new(),
            bytes: 0,
        }
    }
}

impl<K: RunColumn> RunWriter<K> {
    /// Adds what comes next in the run's order.
    ///
    /// # Errors
    /// What the host refuses.
    #[inline]
    pub fn push(&mut self, key: K::Key<'_>, row: u64) -> Result<()> {
        self.bytes += 8 + K::push(&mut self.keys, key);
        self.rows.push(row);
        if self.rows.len() >= BLOCK_ROWS || self.bytes >= BLOCK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let rows: ArrayRef = Arc::new(UInt64Array::from(std::mem::take(&mut self.rows)));
        let keys: ArrayRef = Arc::new(K::finish(std::mem::take(&mut self.keys)));
        let field = |name, array: &ArrayRef| Field::new(name, array.data_type().clone(), false);
        let columns = vec![(field("key", &keys), keys), (field("row", &rows), rows)];
        let count = columns[0].1.len();
        self.scratch.write(&Batch::new(count, columns)?)
    }

    /// The rows in the order in which they came, as columns `key` and `row`.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn finish(mut self) -> Result<Table> {
        if !self.rows.is_empty() {
            self.flush()?;
        }
        Ok(self.scratch.seal())
    }
}

/// A place in a run: a block of it, and a row of that.
struct Cursor<K> {
    run: Table,
    blocks: u64,
    next: u64,
    keys: K,
    rows: UInt64Array,
    at: usize,
}

impl<K: RunColumn> Cursor<K> {
    /// The start of a run; none if it is empty.
    fn open(run: Table) -> Result<Option<Self>> {
        let mut cursor = Self {
            blocks: run.batch_count(),
            run,
            next: 0,
            keys: K::finish(K::Block::default()),
            rows: UInt64Array::from(Vec::<u64>::new()),
            at: 0,
        };
        Ok(cursor.load()?.then_some(cursor))
    }

    #[inline]
    fn get(&self) -> (K::Key<'_>, u64) {
        (self.keys.key(self.at), self.rows.values()[self.at])
    }

    /// Goes to the next row; false if there is none.
    #[inline]
    fn advance(&mut self) -> Result<bool> {
        self.at += 1;
        if self.at < self.rows.len() {
            return Ok(true);
        }
        self.load()
    }

    fn load(&mut self) -> Result<bool> {
        if self.next == self.blocks {
            return Ok(false);
        }
        let block = self.run.batch(self.next);
        self.keys = block.column("key")?;
        self.rows = block.column("row")?;
        self.next += 1;
        self.at = 0;
        Ok(true)
    }
}

/// Merges with a heap of cursors: the smallest is at the root.
fn merge<K: RunColumn>(
    runs: impl Iterator<Item = Table>,
    each: &mut impl FnMut(K::Key<'_>, u64) -> Result<()>,
) -> Result<()> {
    let mut cursors = Vec::new();
    for run in runs {
        cursors.extend(Cursor::<K>::open(run)?);
    }
    let mut heap: Vec<usize> = (0..cursors.len()).collect();
    for start in (0..heap.len() / 2).rev() {
        sift_down(&mut heap, start, &cursors);
    }
    while let Some(first) = heap.first() {
        let cursor = &mut cursors[*first];
        let (key, row) = cursor.get();
        each(key, row)?;
        if !cursor.advance()? {
            heap.swap_remove(0);
        }
        sift_down(&mut heap, 0, &cursors);
    }
    Ok(())
}

/// Lets the element at `parent` sink below all that are smaller.
fn sift_down<K: RunColumn>(heap: &mut [usize], mut parent: usize, cursors: &[Cursor<K>]) {
    loop {
        let (left, right) = (2 * parent + 1, 2 * parent + 2);
        let is_less = |a: usize, b: usize| cursors[heap[a]].get() < cursors[heap[b]].get();
        if left >= heap.len() {
            return;
        }
        let child = match right < heap.len() && is_less(right, left) {
            true => right,
            false => left,
        };
        if !is_less(child, parent) {
            return;
        }
        heap.swap(child, parent);
        parent = child;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_merged_in_order(
            lists in prop::collection::vec(prop::collection::vec((0..9u64, 0..99u64), 0..20), 0..12),
            fan_in in 2..5usize,
        ) {
            let mut runs = Runs::<UInt64Array> { fan_in, ..Default::default() };
            let mut all = Vec::new();
            for mut list in lists {
                list.sort_unstable();
                let mut run = RunWriter::default();
                list.iter().for_each(|(key, row)| run.push(*key, *row).unwrap());
                runs.add(run).unwrap();
                all.extend(list);
            }
            all.sort_unstable();
            let mut merged = Vec::new();
            runs.merge(|key, row| { merged.push((key, row)); Ok(()) }).unwrap();
            prop_assert_eq!(merged, all);
        }
    }

    #[test]
    fn long_keys_make_small_blocks() {
        let mut run = RunWriter::<BinaryArray>::default();
        let key = vec![7; 100_000];
        (0..10).for_each(|row| run.push(&key, row).unwrap());
        let table = run.finish().unwrap();
        assert_eq!((table.rows(), table.batch_count()), (10, 4));
    }
}
