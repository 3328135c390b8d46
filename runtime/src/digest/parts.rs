//! The digest of something large, from parts that are hashed one by one, in any order.
//!
//! BLAKE3 is a tree, and a part is a subtree of it: so the digest is that of the bytes hashed at once,
//! however many threads there were.

use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use super::Digest;

/// Bytes of each part but the last, which has fewer or as many. A power of two, so that a part is a subtree.
pub(crate) const PART_BYTES: u64 = 1 << 21;

/// Hashes one part.
pub(crate) struct PartHasher(blake3::Hasher);

/// What a part was hashed to.
pub(crate) struct HashedPart(ChainingValue);

impl PartHasher {
    /// For the part of this number.
    pub(crate) fn new(number: usize) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(number as u64 * PART_BYTES);
        Self(hasher)
    }

    /// Adds bytes of the part; no more than [`PART_BYTES`] in all.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> HashedPart {
        HashedPart(self.0.finalize_non_root())
    }
}

/// The digest of all parts, in order; None if there are fewer than two, which are no subtrees.
pub(crate) fn digest(parts: &[HashedPart]) -> Option<Digest> {
    let (left, right) = halves(parts)?;
    let root = merge_subtrees_root(&merged(left), &merged(right), Mode::Hash);
    Some(Digest::from_bytes(root.into()))
}

fn merged(parts: &[HashedPart]) -> ChainingValue {
    match (halves(parts), parts) {
        (Some((left, right)), _) => {
            merge_subtrees_non_root(&merged(left), &merged(right), Mode::Hash)
        }
        (None, [only]) => only.0,
        // Halves are never empty.
        (None, _) => ChainingValue::default(),
    }
}

/// The left half is the largest power of two that leaves something for the right one.
fn halves(parts: &[HashedPart]) -> Option<(&[HashedPart], &[HashedPart])> {
    let left = parts.len().checked_sub(1)?.checked_ilog2()?;
    parts.split_at_checked(1 << left)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn parts_make_up_the_digest_of_all_bytes() {
        let part = PART_BYTES as usize;
        let bytes: Vec<u8> = (0..7 * part + 1).map(|at| (at / 3 % 251) as u8).collect();
        for len in [
            part + 1,
            2 * part - 1,
            2 * part,
            3 * part,
            5 * part + 1025,
            7 * part + 1,
        ] {
            let parts = bytes[..len]
                .chunks(part)
                .enumerate()
                .map(|(number, bytes)| {
                    let mut hasher = PartHasher::new(number);
                    bytes.chunks(100_000).for_each(|piece| hasher.update(piece));
                    hasher.finish()
                });
            let parts: Vec<HashedPart> = parts.collect();
            assert_eq!(digest(&parts).unwrap(), Digest::of(&bytes[..len]), "{len}");
        }
        assert!(digest(&[]).is_none());
        let mut only = PartHasher::new(0);
        only.update(&bytes[..part]);
        assert!(digest(&[only.finish()]).is_none());
    }
}
