//! What a unit keeps until it ends: scratch, and partitions of its outputs that are complete.
//!
//! It lies in memory as long as it is little. Once there is much, all of it moves to where the unit's
//! [`Data`] has room, so that a table larger than memory can be sorted. What is dropped is gone from there
//! too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow_array::ArrayRef;
use arrow_buffer::Buffer;
use arrow_schema::Field;

use super::{Data, DataError};
use crate::arrow::node::{Node, decode_bounded, encode};

/// Bytes of arrays that one unit keeps in memory before they are spilled.
const MEMORY_BYTES: u64 = 8 << 20;

/// A value whose large parts are arrays.
pub(super) trait Spillable: Send {
    /// The arrays.
    fn arrays(&self) -> Vec<ArrayRef>;
    /// Takes equal arrays instead, in the same order.
    fn replace(&mut self, arrays: &mut dyn Iterator<Item = ArrayRef>);
}

/// A value that is kept. It is there until the last clone is dropped.
pub(super) struct Kept<T>(Arc<Mutex<T>>);

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Kept<T> {
    /// The value. Its arrays are shared, not copied.
    pub(super) fn get(&self) -> T {
        lock(&self.0).clone()
    }
}

/// Everything that one unit keeps.
#[derive(Default)]
pub(super) struct Keeper {
    in_memory: Vec<Weak<Mutex<dyn Spillable>>>,
    bytes: u64,
}

impl Keeper {
    /// Keeps a value with arrays of about `bytes` bytes.
    ///
    /// # Errors
    /// `data` has no room for what was kept before.
    pub(super) fn keep<T: Spillable + 'static>(
        &mut self,
        value: T,
        bytes: u64,
        data: &dyn Data,
    ) -> Result<Kept<T>, DataError> {
        self.bytes = self.bytes.saturating_add(bytes);
        let kept = Arc::new(Mutex::new(value));
        let spillable: Arc<Mutex<dyn Spillable>> = kept.clone();
        self.in_memory.push(Arc::downgrade(&spillable));
        if self.bytes >= MEMORY_BYTES {
            self.spill(data)?;
        }
        Ok(Kept(kept))
    }

    fn spill(&mut self, data: &dyn Data) -> Result<(), DataError> {
        self.bytes = 0;
        let values: Vec<_> = std::mem::take(&mut self.in_memory);
        let values: Vec<_> = values.iter().filter_map(Weak::upgrade).collect();
        let arrays: Vec<ArrayRef> = values
            .iter()
            .flat_map(|value| lock(value).arrays())
            .collect();
        let nodes: Vec<Option<Vec<Node>>> = arrays.iter().map(|array| encode(array).ok()).collect();
        let buffers: Vec<Buffer> = nodes
            .iter()
            .flatten()
            .flatten()
            .flat_map(|node| node.buffers.iter().cloned())
            .collect();
        let mut buffers = data.spill(&buffers)?.into_iter();
        let spilled: Vec<ArrayRef> = arrays
            .into_iter()
            .zip(nodes)
            .map(|(array, nodes)| match nodes {
                Some(nodes) => spilled(array, nodes, &mut buffers),
                None => array,
            })
            .collect();
        let mut spilled = spilled.into_iter();
        for value in &values {
            lock(value).replace(&mut spilled);
        }
        Ok(())
    }
}

/// The array of other buffers. Should they not make it up, the array stays as it is.
fn spilled(
    array: ArrayRef,
    mut nodes: Vec<Node>,
    buffers: &mut dyn Iterator<Item = Buffer>,
) -> ArrayRef {
    for node in &mut nodes {
        for buffer in &mut node.buffers {
            *buffer = buffers.next().unwrap_or_default();
        }
    }
    let field = Field::new("", array.data_type().clone(), true);
    decode_bounded(&field, nodes, array.len() as u64, u64::MAX, u64::MAX).unwrap_or(array)
}

fn lock<T: ?Sized>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked has ended its unit.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use arrow_schema::Field;
    use bytes::Bytes;

    use super::*;
    use crate::arrow::samples::{Random, build, random_field, random_values, values};
    use crate::arrow::values::Values;
    use crate::digest::Digest;
    use crate::table::Chunk;

    impl Spillable for Vec<ArrayRef> {
        fn arrays(&self) -> Vec<ArrayRef> {
            self.clone()
        }

        fn replace(&mut self, arrays: &mut dyn Iterator<Item = ArrayRef>) {
            *self = arrays.take(self.len()).collect();
        }
    }

    /// Copies what is spilled, and counts.
    #[derive(Default)]
    struct Room(AtomicU64);

    impl Data for Room {
        fn column(&self, _field: &Field, _chunk: &Chunk) -> Result<Values, DataError> {
            Err("no columns".into())
        }

        fn blob(&self, _digest: &Digest) -> Result<Bytes, DataError> {
            Err("no blobs".into())
        }

        fn spill(&self, buffers: &[Buffer]) -> Result<Vec<Buffer>, DataError> {
            let copy = |buffer: &Buffer| {
                self.0.fetch_add(buffer.len() as u64, Ordering::Relaxed);
                Buffer::from_slice_ref(buffer.as_slice())
            };
            Ok(buffers.iter().map(copy).collect())
        }
    }

    #[test]
    fn what_is_kept_is_the_same_after_it_was_spilled() {
        for seed in 0..200 {
            let mut random = Random(seed);
            let (room, mut keeper) = (Room::default(), Keeper::default());
            let kept: Vec<_> = (0..20)
                .map(|_| {
                    let field = random_field("x", 3, &mut random).with_nullable(true);
                    let rows = random.below(20);
                    let given = random_values(&field, rows, &mut random);
                    let arrays = vec![build(&field, &given, &mut random)];
                    let kept = keeper.keep(arrays, MEMORY_BYTES / 8, &room).unwrap();
                    (kept, given)
                })
                .collect();
            assert!(room.0.load(Ordering::Relaxed) > 0);
            for (kept, given) in kept {
                assert_eq!(values(&kept.get()[0]), given);
            }
        }
    }

    #[test]
    fn what_is_dropped_is_not_spilled() {
        let (room, mut keeper) = (Room::default(), Keeper::default());
        let array: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1; 100]));
        // Every fourth is one too many, and the three before it are gone by then.
        for _ in 0..100 {
            drop(
                keeper
                    .keep(vec![Arc::clone(&array)], MEMORY_BYTES / 4, &room)
                    .unwrap(),
            );
        }
        assert_eq!(room.0.load(Ordering::Relaxed), 100 / 4 * 800);
    }
}
