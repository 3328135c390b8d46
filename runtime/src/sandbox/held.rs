//! What batches hold of the host's memory, for as long as a guest has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that all batches of a unit hold together.
#[derive(Clone, Debug, Default)]
pub(super) struct AllHeld(Arc<AtomicU64>);

/// Bytes of one batch, and of those that share its values. They count until the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Held {
    _share: Arc<Share>,
}

#[derive(Debug)]
struct Share {
    bytes: u64,
    all: AllHeld,
}

impl AllHeld {
    /// Counts bytes.
    pub(super) fn hold(&self, bytes: u64) -> Held {
        // One unit runs on one thread at a time; it may move to another between calls.
        self.0.fetch_add(bytes, Ordering::Relaxed);
        let all = self.clone();
        Held {
            _share: Arc::new(Share { bytes, all }),
        }
    }

    /// How many are held now.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_until_nobody_holds_them() {
        let all = AllHeld::default();
        let first = all.hold(3);
        let (second, again) = (all.hold(4), first.clone());
        assert_eq!(all.bytes(), 7);
        drop(first);
        assert_eq!(all.bytes(), 7);
        drop(again);
        assert_eq!(all.bytes(), 4);
        drop(second);
        assert_eq!(all.bytes(), 0);
    }
}
