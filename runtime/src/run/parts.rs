//! Which units a reduce step was put together from.
//!
//! Partials and merges of round 0 have recipes of their own, which the next append needs, but a run record
//! has one unit for the whole of a reduce step. So that what a run needs can be told from its record, the
//! parts are remembered under the key of the whole.

use crate::digest::Digest;
use crate::record::RecipeKey;
use crate::store::Store;

/// Under which name the store remembers parts.
pub(crate) const MEMO: &str = "parts";

/// Remembers the parts of the reduce step whose whole has this key.
pub(super) fn keep(whole: &Digest, parts: &[RecipeKey], store: &Store) {
    if let Ok(memo) = serde_json::to_vec(parts) {
        // Without it, an append after a `gc` costs time and nothing else.
        drop(store.put_memo(MEMO, whole, &memo));
    }
}

/// The parts of the reduce step whose whole has this key, as far as anybody remembers them.
pub(crate) fn of(whole: &Digest, store: &Store) -> Vec<RecipeKey> {
    let memo = store.told_memo(MEMO, whole).ok().flatten();
    memo.and_then(|memo| serde_json::from_slice(&memo).ok())
        .unwrap_or_default()
}
