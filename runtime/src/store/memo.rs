//! Memos: small facts that follow from their key alone, kept to save finding them out again.

use super::seal::Seal;
use super::{Store, StoreError};
use crate::digest::Digest;

impl Store {
    /// What is known under a key. Something damaged is not known.
    ///
    /// `name` says which facts these are, in lower-case words joined by hyphens; `key` must cover
    /// everything that the fact follows from.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn memo(&self, name: &str, key: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = self.files.read(&memo_path(name, key))?;
        Ok(sealed.and_then(|sealed| memo_seal(name, key).open(&sealed).map(<[u8]>::to_vec)))
    }

    /// Keeps a fact under a key.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn put_memo(&self, name: &str, key: &Digest, fact: &[u8]) -> Result<(), StoreError> {
        self.files
            .write_new(&memo_path(name, key), &memo_seal(name, key).close(fact))
    }
}

pub(super) fn memo_path(name: &str, key: &Digest) -> String {
    let hex = key.hex();
    format!("memo/{name}/{hex:.2}/{hex}")
}

pub(super) fn memo_seal(name: &str, key: &Digest) -> Seal {
    Seal::new(&format!("memo {name}"), &[*key])
}
