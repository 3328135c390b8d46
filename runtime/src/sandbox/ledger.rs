//! What the host's memory is used for because of one guest, held against the guest's limit.
//!
//! Nothing is allocated for a guest before it is known to fit: what is made in a call and gone after it is
//! [afforded](Ledger::afford), what a guest has a handle to is [held](Ledger::hold), and what stays until the
//! unit ends is [occupied](Ledger::occupy).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::state::LimitReached;

/// Bytes kept and held, and how many there may be.
#[derive(Debug)]
pub(super) struct Ledger {
    limit: u64,
    /// Until the unit ends.
    kept: u64,
    held: AllHeld,
    /// The most of both at a time, and of what was afforded on top: a limit of as much is enough.
    peak: AtomicU64,
}

/// Bytes that all batches of a unit hold together.
#[derive(Clone, Debug, Default)]
struct AllHeld(Arc<AtomicU64>);

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

impl Drop for Share {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Ledger {
    /// A ledger of at most `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            kept: 0,
            held: AllHeld::default(),
            peak: AtomicU64::new(0),
        }
    }

    /// Bytes kept and held now.
    fn now(&self) -> u64 {
        self.kept
            .saturating_add(self.held.0.load(Ordering::Relaxed))
    }

    /// The most bytes that were kept, held and afforded at a time.
    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Bytes that may come on top of those kept and held.
    pub(super) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.now())
    }

    /// Refuses bytes that are about to be allocated for a while and are more than there is room for.
    ///
    /// # Errors
    /// The limit.
    pub(super) fn afford(&self, bytes: u64) -> Result<(), LimitReached> {
        let wanted = self.now().saturating_add(bytes);
        match wanted > self.limit {
            true => Err(self.reached(Some(wanted))),
            false => {
                self.peak.fetch_max(wanted, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Counts bytes until the unit ends.
    ///
    /// # Errors
    /// The limit; then nothing may be allocated.
    pub(super) fn occupy(&mut self, bytes: u64) -> Result<(), LimitReached> {
        self.afford(bytes)?;
        self.kept = self.kept.saturating_add(bytes);
        Ok(())
    }

    /// Counts bytes until the guest has let go of them and of what shares them.
    ///
    /// # Errors
    /// The limit; then nothing may be allocated.
    pub(super) fn hold(&mut self, bytes: u64) -> Result<Held, LimitReached> {
        self.afford(bytes)?;
        // One unit runs on one thread at a time; it may move to another between calls.
        self.held.0.fetch_add(bytes, Ordering::Relaxed);
        let all = self.held.clone();
        Ok(Held {
            _share: Arc::new(Share { bytes, all }),
        })
    }

    /// The error of whoever has reached the limit.
    pub(super) fn reached(&self, wanted: Option<u64>) -> LimitReached {
        LimitReached {
            what: "output",
            limit: self.limit,
            wanted,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_until_nobody_holds_them() {
        let mut ledger = Ledger::new(10);
        let first = ledger.hold(3).unwrap();
        let (second, again) = (ledger.hold(4).unwrap(), first.clone());
        assert_eq!(ledger.room(), 3);
        drop(first);
        assert_eq!(ledger.room(), 3);
        drop(again);
        assert_eq!(ledger.room(), 6);
        drop(second);
        assert_eq!((ledger.room(), ledger.peak()), (10, 7));
    }

    #[test]
    fn what_does_not_fit_is_not_counted() {
        let mut ledger = Ledger::new(10);
        ledger.occupy(8).unwrap();
        assert_eq!(ledger.occupy(3).unwrap_err().wanted, Some(11));
        assert_eq!(ledger.hold(u64::MAX).unwrap_err().wanted, Some(u64::MAX));
        assert!(ledger.afford(2).is_ok() && ledger.afford(3).is_err());
        assert_eq!(ledger.room(), 2);
    }
}
