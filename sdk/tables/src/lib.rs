//! What steps share that sort, group, join and split tables larger than their memory.
//!
//! Only keys and row numbers come into a step: [`key`] makes keys of any types comparable, [`KeyMap`]
//! numbers the distinct ones, [`Sorter`] puts rows in their order, and [`Runs`] lays what is in order
//! aside and merges it. The host moves the rows. Hashes have fixed seeds and decide nothing but where
//! something lies in memory. Deterministic.

pub mod join;
pub mod key;
pub mod split;

mod map;
mod runs;
mod sort;
mod taken;

pub use map::KeyMap;
pub use runs::{RunColumn, RunWriter, Runs};
pub use sort::{Key, Sorter};
pub use taken::{RowNumbers, TakenRows};

/// Bytes of keys that a step holds before it lays some aside. Twice as much, and the blocks being
/// written or merged, has to fit into an instance.
pub const MEMORY_BYTES: usize = 8 << 20;
