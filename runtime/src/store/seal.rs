//! Text that says itself whether it is whole.
//!
//! A sealed file is a line with a digest, as a JSON string, and then the body. The digest covers what the
//! body is, what it is stored under and the body, so that a body in a wrong place is none either.

use crate::digest::{Digest, StructuredHasher};

/// What a body is and what it is stored under.
#[derive(Clone, Debug)]
pub(super) struct Seal(StructuredHasher);

impl Seal {
    /// Of a body that is a `what`, stored under `keys`.
    pub(super) fn new(what: &str, keys: &[Digest]) -> Self {
        let mut hasher = StructuredHasher::new("pinion seal v1");
        hasher.text(what).list(keys.len());
        for key in keys {
            hasher.digest(key);
        }
        Self(hasher)
    }

    pub(super) fn close(&self, body: &[u8]) -> Vec<u8> {
        let mut sealed = self.line(body).into_bytes();
        sealed.extend_from_slice(body);
        sealed
    }

    /// The body, if it is the one that was sealed.
    pub(super) fn open<'a>(&self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let newline = sealed.iter().position(|byte| *byte == b'\n')?;
        let (line, body) = sealed.split_at_checked(newline + 1)?;
        (line == self.line(body).as_bytes()).then_some(body)
    }

    fn line(&self, body: &[u8]) -> String {
        let mut hasher = self.0.clone();
        hasher.bytes(body);
        format!("\"{}\"\n", hasher.finish())
    }
}
