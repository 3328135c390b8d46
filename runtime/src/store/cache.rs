//! What one process knows about a store: which objects it has checked, and files it has read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::ArrayRef;

use crate::digest::Digest;

/// Most chunk files that are kept open.
const MOST_FILES: usize = 1024;

/// What has been checked since the process began.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Chunk files with the digests of their columns.
    pub(super) chunks: BTreeMap<Digest, Arc<[Digest]>>,
    pub(super) blobs: BTreeSet<Digest>,
    /// Files of somebody else's manifests whose values are those of their tables.
    pub(super) manifests: BTreeSet<Digest>,
}

/// A chunk file that was read.
#[derive(Clone, Debug)]
pub(super) struct ChunkFile {
    pub(super) digests: Arc<[Digest]>,
    pub(super) columns: Arc<[ArrayRef]>,
}

/// The chunk files that were used last. Their columns are mappings, so they hardly take memory.
#[derive(Debug, Default)]
pub(super) struct Cache {
    uses: u64,
    /// With the number of their last use.
    files: BTreeMap<Digest, (u64, ChunkFile)>,
}

impl Cache {
    pub(super) fn get(&mut self, name: &Digest) -> Option<ChunkFile> {
        self.uses += 1;
        let (used, file) = self.files.get_mut(name)?;
        *used = self.uses;
        Some(file.clone())
    }

    pub(super) fn insert(&mut self, name: Digest, file: ChunkFile) {
        self.uses += 1;
        self.files.insert(name, (self.uses, file));
        if self.files.len() > MOST_FILES {
            // Half of them at once, so that this is done rarely.
            let mut uses: Vec<u64> = self.files.values().map(|(used, _)| *used).collect();
            let (_, median, _) = uses.select_nth_unstable(MOST_FILES / 2);
            let median = *median;
            self.files.retain(|_, (used, _)| *used >= median);
        }
    }

    pub(super) fn remove(&mut self, name: &Digest) {
        self.files.remove(name);
    }
}
