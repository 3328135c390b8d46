//! Memos: small facts that follow from their key alone, kept to save finding them out again.

use super::key::Standing;
use super::seal::Seal;
use super::{Store, StoreError};
use crate::digest::Digest;

impl Store {
    /// What is known under a key. Something damaged is not known, nor is what somebody else wrote.
    ///
    /// `name` says which facts these are, in lower-case words joined by hyphens; `key` must cover
    /// everything that the fact follows from.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn memo(&self, name: &str, key: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = self.files.read(&memo_path(name, key))?;
        let seal = memo_seal(name, key);
        Ok(sealed.and_then(|sealed| seal.open_own(&self.key, &sealed).map(<[u8]>::to_vec)))
    }

    /// What anybody says under a key: enough to tell what belongs together, and nothing to build on.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub(crate) fn told_memo(
        &self,
        name: &str,
        key: &Digest,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = self.files.read(&memo_path(name, key))?;
        let seal = memo_seal(name, key);
        Ok(sealed.and_then(|sealed| Some(seal.open(&self.key, &sealed)?.body.to_vec())))
    }

    /// Keeps a fact under a key.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn put_memo(&self, name: &str, key: &Digest, fact: &[u8]) -> Result<(), StoreError> {
        let sealed = memo_seal(name, key).close(&self.key, &Standing::Made, fact);
        self.files.write_new(&memo_path(name, key), &sealed)
    }
}

pub(super) fn memo_path(name: &str, key: &Digest) -> String {
    let hex = key.hex();
    format!("memo/{name}/{hex:.2}/{hex}")
}

pub(super) fn memo_seal(name: &str, key: &Digest) -> Seal {
    Seal::new(&format!("memo {name}"), &[*key])
}
