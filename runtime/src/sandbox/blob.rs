//! Bytes that come piece by piece and are moved once.

/// The pieces so far.
#[derive(Default)]
pub(super) struct Pieces(Vec<Vec<u8>>);

/// Bytes that a piece has room for at least, so that bytes written one by one are not a piece each.
const PIECE: usize = 16 << 10;

impl Pieces {
    /// Adds bytes at the end.
    pub(super) fn extend(&mut self, mut bytes: &[u8]) {
        if let Some(last) = self.0.last_mut() {
            let room = last.capacity() - last.len();
            let (fits, rest) = bytes.split_at(room.min(bytes.len()));
            last.extend_from_slice(fits);
            bytes = rest;
        }
        if !bytes.is_empty() {
            let mut piece = Vec::with_capacity(bytes.len().max(PIECE));
            piece.extend_from_slice(bytes);
            self.0.push(piece);
        }
    }

    /// All bytes. Each piece is let go of as soon as it is moved.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if self.0.len() == 1 {
            return self.0.pop().unwrap_or_default();
        }
        let mut all = Vec::with_capacity(self.0.iter().map(Vec::len).sum());
        for piece in self.0 {
            all.extend_from_slice(&piece);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_are_there_in_order() {
        let mut pieces = Pieces::default();
        let mut expected = Vec::new();
        for len in [0, 1, 100, PIECE, 3, 2 * PIECE + 1, 0, 5] {
            let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            pieces.extend(&bytes);
            expected.extend(bytes);
        }
        assert_eq!(pieces.into_bytes(), expected);
        assert!(Pieces::default().into_bytes().is_empty());
    }
}
