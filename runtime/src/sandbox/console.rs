//! Standard output and standard error of a guest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::tariff::Debt;

/// Bytes that are kept.
const KEPT: usize = 64 << 10;

/// Takes whatever is printed and keeps the last of it, which is where a panic says what happened. A guest
/// that prints too much must not fail for that.
#[derive(Clone)]
pub(super) struct Console {
    kept: Arc<Mutex<VecDeque<u8>>>,
    debt: Debt,
}

impl Console {
    /// Nothing yet. What is printed is owed.
    pub(super) fn new(debt: Debt) -> Self {
        let kept = Arc::default();
        Self { kept, debt }
    }

    /// What was kept.
    pub(super) fn contents(&self) -> Vec<u8> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .collect()
    }
}

impl OutputStream for Console {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.debt.add(bytes.len() as u64);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&bytes[bytes.len().saturating_sub(KEPT)..]);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(KEPT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Console {
    async fn ready(&mut self) {}
}
